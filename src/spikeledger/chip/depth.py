"""How long a network's longest delay is: every source speaks once, at the first step, and its echoes are timed.

What lies between neurons is linear, so that spikes of random sizes do not cancel. The network runs as long as the sample
does: what takes longer does not arrive in that run.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from .neurons import neuron_reading


def deepest_delay(network: nn.Module, sample: Tensor, layout: str) -> int:
    """Steps from the first until the last echo of what is sent at the first, over all populations."""
    silent, spoken = (_currents(network, sample, layout, speak) for speak in (False, True))
    deepest = 0
    for path, before in silent.items():
        for step, (one, other) in enumerate(zip(before, spoken.get(path, []), strict=False)):
            if step > deepest and not torch.equal(one, other):
                deepest = step
    return deepest


def _currents(network: nn.Module, sample: Tensor, layout: str, speak: bool) -> dict[str, list[Tensor]]:
    """What every population receives, step by step, in a run where sources are silent, but for the first step."""
    found: dict[str, list[Tensor]] = {}
    generator = torch.Generator().manual_seed(0)

    def sent(shape: torch.Size, like: Tensor, leading: int, first: bool) -> Tensor:
        """Zeros of a shape, with random sizes at the first step."""
        values = torch.zeros(shape, dtype=like.dtype, device=like.device)
        if speak and first and values.numel():
            start = values[0] if leading else values
            start += (0.5 + torch.rand(start.shape, generator=generator)).to(values)
        return values

    def leave(path: str, module: nn.Module, args: tuple[Any, ...], output: Any) -> Any:
        reading = neuron_reading(module)
        assert reading is not None
        facts = reading(module, path)
        first = output[0] if isinstance(output, tuple) else output
        if facts is None:  # an encoder
            return sent(first.shape, first, 1, True)
        received = found.setdefault(path, [])
        begun, stepwise = bool(received), bool(facts["stepwise"])
        received += [args[0].detach()] if stepwise else list(args[0].detach())
        spikes = sent(first.shape, first, 0 if stepwise else 1, not begun)
        return (spikes, *output[1:]) if isinstance(output, tuple) else spikes

    features = sample.shape[len(layout) :]
    dtype = next((p.dtype for p in network.parameters()), torch.get_default_dtype())
    like = torch.zeros((), dtype=dtype, device=next((p.device for p in network.parameters()), None))
    if layout == "B":
        inputs = like.new_zeros(1, *features)
    else:
        steps = sample.shape[layout.index("T")]
        inputs = sent(torch.Size((steps, 1, *features)), like, 1, True)
        inputs = inputs.transpose(0, 1) if layout == "BT" else inputs
    with ExitStack() as stack:
        stack.enter_context(evaluation(network))
        stack.enter_context(torch.no_grad())
        for path, module in _outermost(network, ""):

            def hook(module: nn.Module, args: tuple[Any, ...], output: Any, path: str = path) -> Any:
                return leave(path, module, args, output)

            stack.callback(module.register_forward_hook(hook).remove)
        network(inputs)
    return found


def _outermost(module: nn.Module, path: str) -> Iterator[tuple[str, nn.Module]]:
    """Modules of neurons and encoders, but none inside another."""
    if neuron_reading(module) is not None:
        yield path, module
        return
    for name, child in module.named_children():
        yield from _outermost(child, f"{path}.{name}" if path else name)


@contextmanager
def evaluation(network: nn.Module) -> Iterator[None]:
    """Evaluation mode, and afterwards each module's own."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
