"""Which axis of an input is the batch: asked from the network, by running it on a part and looking at its neurons."""

from __future__ import annotations

import torch
from torch import nn

from ..errors import InputError
from ..listening.neurons import NEURONS, Layout, is_neuron, kind_of, to_rest
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
    because = f" ({type(trouble).__name__}: {trouble})" if trouble is not None else ""
    raise InputError(
        f"the network does not tell which axis of inputs of shape {list(whole.shape)} holds the samples{because}: "
        f"{_WAYS_OUT}"
    )


def _read(steps: int, batch: int, a: int, b: int, dims: int, sizes: tuple[int, int]) -> tuple[Layout, bool] | None:
    """What so many steps and samples say of an input that had `a` and `b` entries along its first axes."""
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
    steps = min(one.longest for one in ran)
    return steps, min(one.updates for one in ran) // steps
