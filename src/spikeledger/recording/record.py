"""record(network, inputs) -> Activity, and the same around a user's own loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from ..activity import Activity
from ..errors import InputError, unknown_name
from .neurons import is_neuron
from .recorder import Pooling, Recorder

Layout = Literal["B", "TB", "BT"]
LAYOUTS: tuple[Layout, ...] = ("B", "TB", "BT")


def record(
    network: nn.Module,
    inputs: Any,
    *,
    pooling: Pooling = "fold",
    layout: Layout | None = None,
    batch_size: int = 256,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Activity:
    """Run a network on inputs and count every event: `activity = record(net, data.test_inputs[:1000])`.

    The network runs in evaluation mode without gradients, in batches of `batch_size` samples; its mode, buffers, hooks and
    outputs are left as they were.

    Args:
        network: any torch module.
        inputs: samples `[B, *N]` for a network with an encoder or without time, sequences `[T, B, *N]` otherwise.
        pooling: `fold` counts linear pooling of spikes as part of the synapses behind it, `separate` on its own.
        layout: leading axes of the inputs: `B`, `TB` or `BT`; by default the network's own `input_layout`, else `TB`
            if it has spiking neurons and `B` if not.
        seed: of the encoder's random numbers.
        progress: called with samples done and samples in all.
    """
    inputs = _checked(inputs)
    recorder = Recorder(network, pooling=pooling)
    if layout is None:
        spiking = any(is_neuron(module) for module in network.modules())
        layout = getattr(network, "input_layout", "TB" if spiking else "B")
    if layout not in LAYOUTS:
        raise unknown_name("layout", str(layout), LAYOUTS)
    if inputs.dim() < len(layout):
        raise InputError(f"inputs of shape {list(inputs.shape)} have no {layout} axes: pass layout='B', 'TB' or 'BT'")
    axis = layout.index("B")
    samples = inputs.shape[axis]
    steps = inputs.shape[layout.index("T")] if "T" in layout else None
    if samples == 0 or steps == 0:
        raise InputError(f"inputs of shape {list(inputs.shape)} hold no sample or no step: there is nothing to record")
    if hasattr(network, "reseed"):
        network.reseed(seed)
    with _evaluation(network), torch.no_grad(), recorder.active():
        for start in range(0, samples, batch_size):
            part = inputs.narrow(axis, start, min(batch_size, samples - start))
            recorder.sees_input(part)
            network(part)
            if progress is not None:
                progress(min(start + batch_size, samples), samples)
    return recorder.activity(samples=samples, timesteps=steps)


@contextmanager
def recording(network: nn.Module, *, samples: int = 0, pooling: Pooling = "fold") -> Iterator[Recorder]:
    """Count what a network does inside the user's own loop: `with recording(net) as rec: ...; rec.activity(samples=64)`."""
    recorder = Recorder(network, pooling=pooling, samples=samples)
    with recorder.active():
        yield recorder


@contextmanager
def _evaluation(network: nn.Module) -> Iterator[None]:
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


def _checked(inputs: Any) -> Tensor:
    tensor = inputs if isinstance(inputs, Tensor) else torch.as_tensor(np.asarray(inputs))
    if tensor.is_complex() or tensor.numel() == 0:
        raise InputError(f"inputs of shape {list(tensor.shape)} hold no real values: there is nothing to record")
    tensor = tensor if tensor.is_floating_point() else tensor.to(torch.get_default_dtype())
    if not bool(torch.isfinite(tensor).all()):
        bad = int((~torch.isfinite(tensor)).sum())
        raise InputError(f"the inputs hold {bad:,} values that are NaN or infinite: clean them first")
    return tensor
