"""Which axis of an input is the batch: asked from the network, by running it on a part and looking at its neurons."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..errors import InputError
from ..listening.neurons import NEURONS, Layout, is_neuron, kind_of
from .preserve import preserved
from .recorder import Recorder

_WAYS_OUT = "pass layout='B' (samples), 'TB' (steps, samples) or 'BT' (samples, steps)"


def layout_of(network: nn.Module, inputs: Tensor) -> Layout:
    """The leading axes of a network's inputs: its own `input_layout` if it says so, else found out.

    A network without neurons takes samples; one with our own neurons, sequences `[T, B, ...]`; any other is run on
    a few rows of the inputs, and the batch that its neurons then have says which axis is which.
    """
    said: Layout | None = getattr(network, "input_layout", None)
    if said is not None:
        return said
    kinds = {kind_of(module) for module in network.modules() if is_neuron(module)}
    if not kinds:
        return "B"
    if kinds == {NEURONS["spikeledger", "Neuron"]}:
        return "TB"
    return _probed(network, inputs)


def _probed(network: nn.Module, inputs: Tensor) -> Layout:
    trouble: Exception | None = None
    for axis in range(min(2, inputs.dim())):
        size = inputs.shape[axis]
        for rows in sorted({min(size, 3), min(size, 2)}, reverse=True):
            try:
                steps, batch = _extent(network, inputs.narrow(axis, 0, rows))
            except Exception as error:  # this axis cannot be cut: perhaps it has a fixed number of steps
                trouble = trouble or error
                continue
            if steps == rows and batch == rows:
                continue
            if batch == rows:
                if axis == 1:
                    return "TB"
                return "BT" if inputs.dim() > 2 and inputs.shape[1] == steps > 1 else "B"
            if steps == rows and axis == 0:
                return "TB"
    because = f" ({type(trouble).__name__}: {trouble})" if trouble is not None else ""
    shape = list(inputs.shape)
    raise InputError(
        f"the network does not tell which axis of inputs of shape {shape} holds the samples{because}: {_WAYS_OUT}"
    )


def _extent(network: nn.Module, part: Tensor) -> tuple[int, int]:
    """Steps and batch of the neurons in one run on a part of the inputs."""
    recorder = Recorder(network)
    with preserved(network), torch.no_grad():
        network.eval()
        for module in network.modules():
            kind = kind_of(module)
            if kind is not None:
                kind.to_rest(module)
        with recorder.active():
            network(part)
    ran = [one for one in recorder.books.populations.values() if one.updates]
    if not ran:
        raise InputError("none of its neurons ran")
    steps = min(one.longest for one in ran)
    return steps, min(one.updates for one in ran) // steps
