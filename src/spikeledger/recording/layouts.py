"""Which axis of an input is the batch: asked from the network, by running it on a part and looking at its neurons.

What was said or guessed and contradicts the network is refused; what is likely meant is said."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import nn

from ..errors import InputError, cannot_run, retold
from ..listening.neurons import NEURONS, Layout, is_neuron, kind_of, to_rest
from .books import Books
from .inputs import Given
from .preserve import preserved
from .recorder import Recorder

_WAYS_OUT = "pass layout='B' (samples), 'TB' (steps, samples) or 'BT' (samples, steps)"


def layout_of(network: nn.Module, given: Given) -> tuple[Layout, bool]:
    """The leading axes of a network's inputs, and whether its samples are merged with steps so that only neurons know.

    Its own `input_layout` if it says so. A network without neurons takes samples, one with our own neurons sequences
    `[T, B, ...]`; any other, and one with recurrent layers of torch, is run on a few rows of the inputs, and the batch
    that its neurons or layers then have says which axis is which.
    """
    said: Layout | None = getattr(network, "input_layout", None)
    if said is not None:
        return said, False
    kinds = {kind_of(module) for module in nn.Module.modules(network) if is_neuron(module)}
    if not kinds and not any(isinstance(module, nn.RNNBase) for module in nn.Module.modules(network)):
        return "B", False
    if kinds == {NEURONS["spikeledger", "Neuron"]}:
        return "TB", False
    return _probed(network, given)


def _probed(network: nn.Module, given: Given) -> tuple[Layout, bool]:
    trouble: Exception | None = None
    whole = given.first
    sizes = whole.shape[0], whole.shape[1] if whole.dim() > 1 else 1
    both = [(min(sizes[0], 3), min(sizes[1], 2)), (min(sizes[0], 2), min(sizes[1], 3))] if whole.dim() > 2 else []
    tries: list[tuple[int | None, int | None]] = [(a, b) for a, b in both if a != b]
    tries += [(rows, None) for rows in sorted({min(sizes[0], 3), min(sizes[0], 2), 1}, reverse=True)]
    tries += [(None, rows) for rows in sorted({min(sizes[1], 3), min(sizes[1], 2)}, reverse=True)] * (whole.dim() > 1)
    # unequal sizes along two axes first: then the neurons' batch names its axis without doubt; cuts along one axis only
    # where a network has a fixed number of steps, or of samples
    for first, second in tries:
        part = given if first is None else given.narrow(0, 0, first)
        part = part if second is None else part.narrow(1, 0, second)
        a, b = first or sizes[0], second or sizes[1]
        try:
            steps, batch = _extent(network, part)
        except Exception as error:  # this axis cannot be cut: perhaps it has a fixed number of steps
            trouble = trouble or error
            continue
        found = _read(steps, batch, a, b, whole.dim(), sizes)
        if found is not None:
            return found
    try:  # not in parts: perhaps as a whole it cannot run either, and then no axis is the matter
        _extent(network, given)
    except RuntimeError as error:
        said = cannot_run("the network", whole.shape, whole.dtype, error)
        if said is not None:
            raise said from error
    except Exception as error:
        trouble = trouble or error
    because = f" ({retold(trouble)})" if trouble is not None else ""
    one = ", or x[None] if it is one sample" if whole.dim() == 1 else ""
    raise InputError(
        f"the network does not tell which axis of inputs of shape {list(whole.shape)} holds the samples{because}: "
        f"{_WAYS_OUT}{one}"
    )


def _read(steps: int, batch: int, a: int, b: int, dims: int, sizes: tuple[int, int]) -> tuple[Layout, bool] | None:
    """What so many steps and samples say of an input that had `a` and `b` entries along its first axes."""
    # one row: whatever ran once ran on it, and only an input of one sample says which axis it lies on
    if (steps, batch) == (1, 1) and a == 1:
        return ("B", False) if sizes[0] == 1 else None
    if a == b and steps == batch:
        return None
    if batch == a and a != b:
        return ("BT", False) if steps == b and b > 1 and dims > 2 else ("B", False)
    if batch == a and steps != a:
        return ("BT", False) if steps == b > 1 and dims > 2 else ("B", False)
    if batch == b and dims > 1 and (steps == a or (b != 1 and steps not in (b,))):
        return "TB", False
    # samples and steps merged into one axis, as `reshape(T * B, ...)` does
    if steps * batch == a and steps > 1:
        return "B", True
    return None


def _extent(network: nn.Module, part: Given) -> tuple[int, int]:
    """Steps and batch of the neurons in one run on a part of the inputs."""
    recorder = Recorder(network)
    with preserved(network), torch.no_grad():
        network.eval()
        to_rest(network)
        with recorder.active():
            part(network)
    ran = [one for one in recorder.books.populations.values() if one.updates]
    if not ran and recorder.calls.sequences:
        return recorder.calls.sequences[0]
    if not ran:
        raise InputError("none of its neurons ran")
    # a neuron that is called twice a step, by two branches, took twice as many
    steps = min(one.longest for one in ran)
    return steps, min(one.updates for one in ran) // steps


# -- whether they agree with the network -------------------------------------------------------------------------------


def check_said(network: nn.Module, timesteps: int | None, step_by_step: bool) -> None:
    """Refuse steps that are said of a network that makes its own."""
    own = _own_steps(network)
    if own is None or getattr(network, "encoder", None) is None or (timesteps is None and not step_by_step):
        return
    said = "step_by_step=True" if step_by_step else f"timesteps={timesteps}"
    raise InputError(
        f"the network makes {own} steps of each sample itself, and {said} would run it again and again: leave that out, "
        f"or build it with other timesteps"
    )


def check_sequences(network: nn.Module, shape: tuple[int, ...], layout: str) -> None:
    """Refuse sequences of another length than the network says that it takes."""
    own = _own_steps(network)
    if own is None or "T" not in layout or getattr(network, "encoder", None) is not None:
        return
    time, batch = layout.index("T"), layout.index("B")
    if shape[time] != own and shape[batch] == own:
        raise InputError(
            f"inputs of shape {list(shape)} have {shape[time]} steps along axis {time}, but the network says "
            f"timesteps={own}, which is axis {batch}: time comes first, so pass x.transpose(0, 1)"
        )


def check_ran(
    network: nn.Module, books: Books, *, shape: tuple[int, ...], layout: str, told: bool, repeats: int | None
) -> None:
    """After a run: refuse steps said of neurons that take several a call, and axes that step modes leave open; say it
    where neurons that keep their state were called once."""
    ran = {name: one for name, one in books.populations.items() if one.updates and one.spiking}
    samples = shape[layout.index("B")]
    if not ran or not samples:
        return
    # shown `timesteps` times by the recorder: neurons that took several steps in one call made their own as well
    if repeats is not None:
        name, calls = min(((name, one.updates // repeats) for name, one in ran.items()), key=lambda pair: pair[1])
        if calls > samples:
            raise InputError(
                f"the neurons '{name}' took {calls // samples} steps in each call, so timesteps={repeats} would run them "
                "again and again: leave it out, the network makes its own steps"
            )
        return
    if told or _own_steps(network) is not None or layout != "B" or any(one.updates > shape[0] for one in ran.values()):
        return
    once = [
        module for module in nn.Module.modules(network) if is_neuron(module) and getattr(module, "step_mode", "") == "s"
    ]
    wide = [one.shape for one in ran.values() if len(one.shape) > 1]
    images = any(isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d) for module in nn.Module.modules(network))
    if once and wide and len(shape) > 2 and not images:
        raise InputError(
            f"the neurons take one step a call (step mode 's'), and nothing says whether the first axis of inputs of shape "
            f"{list(shape)} holds steps or samples: pass step_by_step=True for steps, layout='B' for samples of one step, "
            "or timesteps= to show each sample that often"
        )
    warnings.warn(
        f"the neurons were called once, so each of {shape[0]:,} samples had one step: pass timesteps=10, for one, to show "
        "each sample that often, step_by_step=True if the first axis is time, or timesteps=1 if one step is meant",
        stacklevel=3,
    )


def _own_steps(network: nn.Module) -> int | None:
    own: Any = getattr(network, "timesteps", None)
    return own if isinstance(own, int) and not isinstance(own, bool) and hasattr(network, "encoder") else None
