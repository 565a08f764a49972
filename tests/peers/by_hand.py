"""What a library's own run should count: its layers are watched, and every spike is followed by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from recording import oracle


def arrivals(network: nn.Module, run: Callable[[], Any]) -> dict[str, int]:
    """Events of each `nn.Linear` and `nn.Conv2d` in a run; average pooling before a convolution folded into it."""
    counts: dict[str, int] = {}
    names = {module: name for name, module in network.named_modules()}
    pooled: list[tuple[Tensor, oracle.Wiring]] = []

    def look(module: nn.Module, args: tuple[Tensor, ...]) -> None:
        values = args[0].detach()
        if isinstance(module, nn.AvgPool2d):
            rows = values.reshape(-1, *values.shape[-3:])
            size, stride = int(module.kernel_size), int(module.stride)
            pooled[:] = [(rows, oracle.pooling(rows.shape[1:], (size,) * 2, (stride,) * 2, (0, 0)))]
            return
        weight = module.weight.detach().numpy()
        if isinstance(module, nn.Linear):
            rows, wires = values.reshape(-1, values.shape[-1]), oracle.linear(weight)
        else:
            rows = values.reshape(-1, *values.shape[-3:])
            wires = oracle.convolution(
                rows.shape[1:], weight, module.stride, module.padding, module.dilation, module.groups
            )
            if pooled:
                rows, wires = pooled[0][0], oracle.through(pooled[0][1], wires)
        pooled.clear()
        counts[names[module]] = counts.get(names[module], 0) + int(oracle.events(rows.numpy(), wires).sum())

    watched = [module for module in network.modules() if isinstance(module, nn.Linear | nn.Conv2d | nn.AvgPool2d)]
    handles = [module.register_forward_pre_hook(look) for module in watched]
    with torch.no_grad():
        run()
    for handle in handles:
        handle.remove()
    return counts


def fired(network: nn.Module, kinds: tuple[type[nn.Module], ...], run: Callable[[], Any]) -> dict[str, int]:
    """Spikes of each neuron module in a run: the sum of what it sent."""
    counts: dict[str, int] = {}
    names = {module: name for name, module in network.named_modules()}

    def look(module: nn.Module, args: tuple[Any, ...], out: Any) -> None:
        sent = out[0] if isinstance(out, tuple) else out
        counts[names[module]] = counts.get(names[module], 0) + int(sent.detach().sum())

    handles = [module.register_forward_hook(look) for module in network.modules() if isinstance(module, kinds)]
    with torch.no_grad():
        run()
    for handle in handles:
        handle.remove()
    return counts


def agree(activity: Any, arrived: dict[str, int], spikes: dict[str, int]) -> None:
    assert not activity.uncounted
    for name, count in arrived.items():
        assert activity.total("synaptic_op", name) + activity.total("mac", name) == count, name
    for name, count in spikes.items():
        assert activity.total("spike", name) == count, name
        assert activity.per_neuron(name).sum() == count
    assert sum(arrived.values()) > 0 and sum(spikes.values()) > 0
