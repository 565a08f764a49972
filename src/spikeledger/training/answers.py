"""What a network answers for a batch, and the sentences for samples and labels that it cannot take."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import InputError, cannot_run, no_room
from ..listening import libraries  # noqa: F401  (its rows fill the book of neurons)
from ..listening.neurons import is_neuron
from ..networks.decoders import RateDecoder
from ..networks.neurons import Neuron
from ..networks.spiking import SpikingNetwork
from ..recording.preserve import preserved

#: samples that a network is tried on
_TRIED = 8


@dataclass(frozen=True)
class Answer:
    """What a network gave for a batch: scores `[B, classes]`, and the output spikes `[T, B, N]` of a spiking one.

    `membranes` `[T, B, N]`, kept where a loss asks, are those of the read-out neurons as though they never fired.
    """

    scores: Tensor
    spikes: Tensor | None = None
    membranes: Tensor | None = None


def answer(network: nn.Module, samples: Tensor, *, membranes: bool = False) -> Answer:
    """Run a network, spiking or not, on samples `[B, *N]`; sequences are `[B, T, *N]` and turned to time first.

    Raises:
        InputError: samples that it cannot run on, or what came out is not one score for each sample and class.
    """
    try:
        return _answer(network, samples, membranes=membranes)
    except RuntimeError as error:
        said = cannot_run(type(network).__name__, samples.shape, samples.dtype, error)
        if said is None:
            raise
        raise said from error


def _answer(network: nn.Module, samples: Tensor, *, membranes: bool = False) -> Answer:
    samples = _in_its_format(network, samples)
    if not isinstance(network, SpikingNetwork):
        found = _read(network, network(samples), len(samples))
    else:
        spikes, potentials = _spikes(network, sequences(network, samples), membranes)
        found = Answer(network.decoder(spikes), spikes, potentials)
    scores = found.scores
    if not isinstance(scores, Tensor) or scores.dim() != 2 or len(scores) != len(samples):
        shape = list(scores.shape) if isinstance(scores, Tensor) else type(scores).__name__
        raise InputError(
            f"{type(network).__name__} gave {shape} for {len(samples)} samples, but needs to give scores [B, classes], "
            "or output spikes [T, B, classes], alone or first in a tuple: put a decoder or a last layer behind it"
        )
    return found


def _read(network: nn.Module, given: Any, samples: int) -> Answer:
    """Scores as they come; of output spikes `[T, B, classes]`, first in a tuple perhaps, the rates, as `RateDecoder` reads."""
    first = given[0] if isinstance(given, tuple | list) and given else given
    if isinstance(first, list | tuple) and first and all(isinstance(one, Tensor) for one in first):
        first = torch.stack(list(first))  # a list of steps
    if not isinstance(first, Tensor) or first.dim() != 3 or first.shape[1] != samples:
        return Answer(first if isinstance(first, Tensor) and first.dim() == 2 else given)
    if not any(is_neuron(module) for module in network.modules()):
        return Answer(given)
    return Answer(RateDecoder()(first), first)


def _spikes(network: SpikingNetwork, inputs: Tensor, membranes: bool) -> tuple[Tensor, Tensor | None]:
    """Output spikes `[T, B, N]`, and the read-out's membranes without reset if asked for and if it has any."""
    layers = network.layers
    last = layers[-1] if len(layers) > 1 else None
    if not membranes or not isinstance(last, Neuron):
        return network(inputs), None
    # the layers before the read-out, in a network of their own, so that its currents can be looked at
    before = copy.copy(network)
    before.__dict__["_modules"] = {**network._modules, "layers": layers[:-1]}
    currents = before(inputs)
    decay, membrane, found = last.decay(), torch.zeros_like(currents[0]), []
    for current in currents:
        membrane = decay * membrane + current
        found.append(membrane)
    return last(currents), torch.stack(found)


def sequences(network: nn.Module, samples: Tensor) -> Tensor:
    """Samples as the network takes them: `[B, T, *N]` becomes `[T, B, *N]` where it has no encoder of its own."""
    samples = _in_its_format(network, samples)
    return samples.transpose(0, 1) if getattr(network, "input_layout", "B") == "TB" else samples


def _in_its_format(network: nn.Module, samples: Tensor) -> Tensor:
    """Samples as numbers of the kind that the weights are: those of a data set are float32, whatever a network computes in."""
    kind = next((each.dtype for each in network.parameters() if each.is_floating_point()), samples.dtype)
    return samples.to(kind) if samples.is_floating_point() else samples


def checked_samples(what: str, inputs: Any, labels: Any) -> tuple[Tensor, Tensor]:
    """Inputs as finite floats `[samples, *N]` and labels as int64 `[samples]` of at least 0, or a sentence why not."""
    try:
        inputs, labels = torch.as_tensor(inputs), torch.as_tensor(labels)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"{what} inputs and labels need to be arrays of numbers ({error})") from error
    if inputs.dim() < 2 or len(inputs) == 0 or inputs.numel() == 0:
        raise InputError(
            f"{what} inputs have the shape {list(inputs.shape)}, but need [samples, *N] with a sample in it"
        )
    if labels.dim() != 1 or len(labels) != len(inputs):
        raise InputError(
            f"{what} labels have the shape {list(labels.shape)} for {len(inputs):,} samples: give one label a sample"
        )
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        raise InputError(f"{what} labels are {labels.dtype}, but need to be whole numbers: the class of each sample")
    if not inputs.is_floating_point():
        inputs = inputs.to(torch.get_default_dtype())
    if not bool(torch.isfinite(inputs.sum())) and not bool(torch.isfinite(inputs).all()):
        bad = int((~torch.isfinite(inputs)).sum())
        raise InputError(f"{what} inputs hold {bad:,} values that are NaN or infinite: clean them first")
    if int(labels.min()) < 0:
        raise InputError(f"{what} labels hold {int(labels.min())}, but a label is a class from 0 on")
    return inputs, labels.to(torch.int64)


def check_fits(what: str, network: nn.Module, inputs: Tensor, labels: Tensor) -> None:
    """Try some samples, so that a wrong shape or label is a sentence now and not a crash in the first epoch."""
    device = next((parameter.device for parameter in network.parameters()), inputs.device)
    some = inputs[:_TRIED].to(device)
    with preserved(network):
        try:
            classes = _answer(network, some).scores.shape[1]
        except InputError:
            raise
        except RuntimeError as error:
            large = no_room(error)
            if large is not None:
                raise large from None
            reason = str(error).splitlines()[0]
            raise InputError(
                f"{type(network).__name__} cannot take {what} inputs of shape {list(inputs.shape[1:])} ({reason}): "
                "build it for this shape"
            ) from error
        if _reads_samples_as_steps(network, some):
            raise InputError(
                f"what {type(network).__name__} answers to one of the {what} inputs hangs on those before it, as if they were "
                "steps: it seems to take sequences [T, B, *N], so make each sample one, as "
                "sl.SpikingNetwork(network, encoder='rate', timesteps=10) does"
            )
    if int(labels.max()) >= classes:
        raise InputError(
            f"{what} labels go up to {int(labels.max())}, but the network answers {classes} classes, 0 to "
            f"{classes - 1}: build it with more classes"
        )


def _reads_samples_as_steps(network: nn.Module, some: Tensor) -> bool:
    """Whether neurons carry what one sample left on to the next: the first answer is as when it stands alone, the last not.

    A network that answers twice otherwise, by chance or by what it keeps between calls, does not tell.
    """
    if isinstance(network, SpikingNetwork) or len(some) < 2 or not any(map(is_neuron, network.modules())):
        return False
    try:
        whole, again, *alone = (_answer(network, part).scores for part in (some, some, some[:1], some[-1:]))
    except (RuntimeError, ValueError):  # a state that it keeps does not fit another batch
        return False
    if not torch.equal(whole, again):
        return False
    first, last = (
        torch.allclose(whole[at], one[0], rtol=1e-3, atol=1e-5) for at, one in zip((0, -1), alone, strict=True)
    )
    return first and not last
