"""The networks of the studies, as spiking networks, and the ordinary twin of each.

The perceptrons S, M, L and the convolutional networks S, M are those of Cassetta, Di Trani & Cavalagli (2023), with the
shapes that their published operation counts imply: S has four convolutions and M seven, with average pooling after each
block, not after each layer as their text says.
"""

from __future__ import annotations

import copy
import functools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from ..arguments import checked
from ..errors import InputError, retold, unknown_name
from .decoders import Decoder
from .decoders import decoder as find_decoder
from .encoders import Encoder, check_steps
from .encoders import encoder as find_encoder
from .event_driven import EventDriven
from .neurons import IF, LIF, AdaptiveLIF, Neuron, Synaptic
from .spiking import OverTime, SpikingNetwork, over_time
from .wiring import wired

NEURONS: dict[str, Callable[..., Neuron]] = {
    "lif": LIF,
    "if": IF,
    "plif": functools.partial(LIF, learn_beta=True),
    "synaptic": Synaptic,
    "adaptive": AdaptiveLIF,
}


#: at a threshold of 1 and a decay of 0.9, each layer of `cnn-s` then fires in 5 to 10 % of its steps on digits
GAIN = 2.2


@dataclass(frozen=True)
class Plan:
    """Hidden widths of the fully connected part, channels of the convolutional blocks, and dropout."""

    hidden: tuple[int, ...]
    blocks: tuple[tuple[int, ...], ...] = ()  # channels of each block; average pooling by 2 ends a block
    dropout: float = 0.0


PLANS: dict[str, Plan] = {
    "mlp-s": Plan((256,)),
    "mlp-m": Plan((512, 256, 64), dropout=0.5),
    "mlp-l": Plan((2000, 500, 64, 16), dropout=0.5),
    "cnn-s": Plan((1024, 256), blocks=((16, 16), (32, 32))),
    "cnn-m": Plan((1024, 512), blocks=((32, 32), (64, 64), (128, 256, 256))),
}


@checked
def mlp(
    *widths: int,
    neuron: str | Callable[[], Neuron] = "lif",
    timesteps: int = 5,
    encoder: str | Encoder | None = "rate",
    decoder: str | Decoder = "rate",
    dropout: float = 0.0,
    bias: bool = True,
    seed: int = 0,
    **neuron_options: Any,
) -> SpikingNetwork:
    """A spiking perceptron: `mlp(784, 256, 10)` has 784 inputs, 256 hidden and 10 output neurons."""
    if len(widths) < 2:
        raise InputError(f"a perceptron needs at least an input and an output width, not {list(widths)}")
    network = _spiking(
        (widths[0],), widths[-1], Plan(tuple(widths[1:-1]), dropout=dropout), neuron=neuron, timesteps=timesteps,
        encoder=encoder, decoder=decoder, bias=bias, seed=seed, neuron_options=neuron_options,
    )  # fmt: skip
    network.spec = _spec(
        network="mlp", widths=list(widths), dropout=dropout, neuron=neuron, timesteps=timesteps, encoder=encoder,
        decoder=decoder, bias=bias, seed=seed, **neuron_options,
    )  # fmt: skip
    return network


@checked
def build(
    name: str,
    input_shape: Sequence[int] | int,
    classes: int,
    *,
    neuron: str | Callable[[], Neuron] = "lif",
    timesteps: int = 5,
    encoder: str | Encoder | None = "rate",
    decoder: str | Decoder = "rate",
    bias: bool | None = None,
    seed: int = 0,
    **neuron_options: Any,
) -> SpikingNetwork:
    """A named network (`mlp-s`, `mlp-m`, `mlp-l`, `cnn-s`, `cnn-m`) for samples of a shape `[C, H, W]`."""
    if name not in PLANS:
        raise unknown_name("network", name, PLANS)
    shape = [input_shape] if isinstance(input_shape, int) else list(input_shape)
    network = _spiking(
        tuple(shape), classes, PLANS[name], neuron=neuron, timesteps=timesteps, encoder=encoder,
        decoder=decoder, bias=bias, seed=seed, neuron_options=neuron_options,
    )  # fmt: skip
    network.spec = _spec(
        network=name, input_shape=shape, classes=classes, neuron=neuron, timesteps=timesteps,
        encoder=encoder, decoder=decoder, bias=bias, seed=seed, **neuron_options,
    )  # fmt: skip
    return network


def rebuild(spec: Mapping[str, Any]) -> nn.Module:
    """The network that a `spec` describes, freshly initialised: `rebuild(net.spec)` has the shapes of `net`.

    A spec is what `build`, `mlp` and `twin` leave on their network: the name, the arguments, nothing that runs.
    """
    options = {"encoder": None, **spec}  # a file has no word for nothing: what is absent was None
    is_twin, seed = options.pop("twin", False), options.pop("twin_seed", 0)
    name = options.pop("network")
    if name == "wired":
        return wired({"network": name, **options})
    if name == "mlp":
        network = mlp(*options.pop("widths"), **options)
    else:
        network = build(name, options.pop("input_shape"), options.pop("classes"), **options)
    return twin(network, seed=seed) if is_twin else network


@checked
def twin(network: nn.Module, *, seed: int = 0) -> nn.Sequential:
    """The ordinary network with the same weights' shapes: ReLU in place of neurons, none after the last layer.

    Takes samples `[B, *N]`, gives scores `[B, classes]`; its weights are drawn afresh from `seed`.
    """
    if not isinstance(network, SpikingNetwork):
        raise InputError(
            f"a {type(network).__name__} has no twin here: sl.zoo.twin takes a SpikingNetwork, as sl.zoo.mlp gives it; of "
            "another network write the ordinary one yourself, with the same layers and ReLU in place of neurons"
        )
    layers: list[tuple[str, nn.Module]] = []
    spiking = [name for name, layer in network.layers.named_children() if isinstance(layer, Neuron)]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for name, layer in network.layers.named_children():
            plain = layer.module if isinstance(layer, OverTime) else layer
            if isinstance(plain, Neuron):
                if name != spiking[-1]:
                    layers.append((name.replace("neuron", "relu"), nn.ReLU()))
            elif isinstance(plain, nn.Flatten):
                layers.append((name, nn.Flatten(1)))
            else:
                fresh = copy.deepcopy(plain)
                if isinstance(fresh, nn.Linear | nn.Conv2d):
                    fresh.reset_parameters()
                layers.append((name, fresh))
        if network.decoder.neurons_per_class > 1:  # a population of neurons answers for a class: so do its means here
            layers.append(("population", nn.AvgPool1d(network.decoder.neurons_per_class)))
    ann = nn.Sequential()
    for name, layer in layers:
        ann.add_module(name, layer)
    if network.spec is not None:
        ann.spec = {**network.spec, "twin": True, "twin_seed": seed}  # type: ignore[assignment]
    return ann


def _spec(**options: Any) -> dict[str, Any] | None:
    """How a network was built, in plain values only; None where parts came as objects that no file can describe."""
    spec = {name: value.tolist() if isinstance(value, torch.Tensor) else value for name, value in options.items()}
    plain = (bool, int, float, str, list, type(None))
    if not all(isinstance(value, plain) for value in spec.values()):
        return None
    return {name: value for name, value in spec.items() if value is not None}


def _spiking(
    input_shape: tuple[int, ...],
    classes: int,
    plan: Plan,
    *,
    neuron: str | Callable[[], Neuron],
    timesteps: int,
    encoder: str | Encoder | None,
    decoder: str | Decoder,
    bias: bool | None,
    seed: int,
    neuron_options: dict[str, Any],
) -> SpikingNetwork:
    if min((*input_shape, classes, *plan.hidden), default=0) < 1:
        raise InputError(f"every width must be at least 1, not {[*input_shape, *plan.hidden, classes]}")
    if not 0 <= plan.dropout <= 1:
        raise InputError(f"dropout is {plan.dropout}, but must be a share from 0 to 1")
    check_steps("a spiking network", timesteps)
    if isinstance(neuron, str) and neuron not in NEURONS:
        raise unknown_name("neuron", neuron, NEURONS)
    if isinstance(neuron, str):
        make: Callable[[], Neuron] = functools.partial(NEURONS[neuron], **neuron_options)
    else:
        make = functools.partial(copy.deepcopy, neuron) if isinstance(neuron, Neuron) else neuron
        if not callable(make):
            raise unknown_name("neuron", neuron, NEURONS)
    made: Any = make()
    if not isinstance(made, nn.Module):
        raise InputError(
            f"neuron= made a {type(made).__name__}, but needs to make neurons: give 'lif' or sl.neurons.LIF"
        )
    reader = find_decoder(decoder)
    layers = EventDriven()
    with torch.random.fork_rng(devices=[]), _that_memory_holds():
        torch.manual_seed(seed)
        shape = input_shape
        if plan.blocks:
            shape = _convolutions(layers, shape, plan, make, bias=bool(bias))
        if len(shape) > 1 or not plan.blocks:
            layers.add_module("flatten", nn.Flatten(2))
        width = 1
        for size in shape:
            width *= size
        outputs = classes * reader.neurons_per_class
        for index, size in enumerate((*plan.hidden, outputs), start=1):
            layers.add_module(f"fc{index}", nn.Linear(width, size, bias=bias is not False))
            layers.add_module(f"neuron_fc{index}", make())
            if plan.dropout and index <= len(plan.hidden):
                layers.add_module(f"dropout{index}", nn.Dropout(plan.dropout))
            width = size
        if plan.blocks:
            _awaken(layers)
    code = find_encoder(encoder, timesteps, seed=seed) if encoder is not None else None
    own = getattr(code, "timesteps", None)  # of an encoder that was given as an object
    return SpikingNetwork(layers, encoder=code, decoder=reader, timesteps=timesteps if own is None else own)


@contextmanager
def _that_memory_holds() -> Iterator[None]:
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        raise InputError(f"a network of this size cannot be made here ({retold(error)}): make it smaller") from None


def _awaken(layers: nn.Module) -> None:
    """Weights of `N(0, GAIN^2 / fan-in)`: torch's own, a quarter of that, leave a stack of convolutions silent, and what
    never fires learns nothing."""
    for layer in layers.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.normal_(layer.weight, std=GAIN / math.sqrt(layer.weight[0].numel()))


def _convolutions(
    layers: nn.Sequential, shape: tuple[int, ...], plan: Plan, make: Callable[[], Neuron], *, bias: bool
) -> tuple[int, ...]:
    if len(shape) != 3:
        raise InputError(f"a convolutional network needs samples of shape [C, H, W], not {list(shape)}")
    channels, height, width = shape
    number = 0
    for block, sizes in enumerate(plan.blocks, start=1):
        for size in sizes:
            number += 1
            layers.add_module(f"conv{number}", over_time(nn.Conv2d(channels, size, 3, padding=1, bias=bias)))
            layers.add_module(f"neuron_conv{number}", make())
            channels = size
        layers.add_module(f"pool{block}", over_time(nn.AvgPool2d(2)))
        height, width = height // 2, width // 2
    if height < 1 or width < 1:
        raise InputError(f"samples of {list(shape)} are too small for {len(plan.blocks)} poolings by 2")
    return channels, height, width
