"""Modules to NIR nodes: layers in a row, or a graph; what NIR cannot say is refused in one sentence."""

from __future__ import annotations

import copy
import itertools
import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import InputError
from .delays import Delay
from .neurons import IF, LIF, Neuron, Synaptic
from .nir_graph import Edge, NirNetwork
from .nir_nodes import Chained, Integrators, Neurons, Scaled
from .spiking import OverTime, SpikingNetwork

Parts = dict[str, nn.Module]
_WRITTEN = (
    nn.Linear, nn.Conv1d, nn.Conv2d, nn.AvgPool2d, nn.Flatten, Delay, Scaled, Integrators, Chained, Neurons, Neuron,
)  # fmt: skip


def laid_out(network: nn.Module) -> tuple[Parts, list[Edge], str, str]:
    """Modules by name, edges between them, and the names of the input and the output."""
    if isinstance(network, NirNetwork):
        return _graph(network)
    if not isinstance(network, SpikingNetwork | nn.Sequential):
        raise InputError(
            f"a {type(network).__name__} is no row of layers: write a SpikingNetwork, an nn.Sequential, a NirNetwork, or "
            "spikeledger.mapping.exchange.as_graph(sl.map(network, inputs))"
        )
    parts: Parts = {}
    _row("", network.layers if isinstance(network, SpikingNetwork) else network, parts)
    if not parts:
        raise InputError("a NIR file needs at least one layer: give an nn.Sequential or a SpikingNetwork")
    names = ["input", *parts, "output"]
    return parts, list(itertools.pairwise(names)), "input", "output"


def _row(name: str, layer: nn.Module, parts: Parts) -> None:
    """Layers one after the other; batch norm goes into the weights before it."""
    if isinstance(layer, OverTime):
        _row(name, layer.module, parts)
    elif isinstance(layer, nn.Sequential) and not isinstance(layer, Chained):
        for child, each in layer._modules.items():  # named_children would leave out a layer that comes a second time
            _row(f"{name}_{child}" if name else child, each, parts)
    elif isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
        last = next(reversed(parts), "")
        before = parts.get(last)
        if not isinstance(before, nn.Linear | nn.Conv1d | nn.Conv2d) or layer.running_mean is None:
            raise InputError(
                f"batch norm '{name}' follows no weighted layer, or keeps no statistics: NIR has no node for it"
            )
        plain, norm = copy.deepcopy(before).eval(), copy.deepcopy(layer).eval()
        fuse: Any = (
            nn.utils.fusion.fuse_linear_bn_eval if isinstance(before, nn.Linear) else nn.utils.fusion.fuse_conv_bn_eval
        )
        parts[last] = fuse(plain, norm)
    elif not isinstance(layer, nn.Dropout | nn.Dropout1d | nn.Dropout2d | nn.Identity):
        key = (name or "layer").replace(".", "_")
        while key in parts or key in ("input", "output"):
            key += "_"
        parts[key] = layer


def _graph(network: NirNetwork) -> tuple[Parts, list[Edge], str, str]:
    """The graph as it was read; doors of graphs inside are left out, and delays of loops get their step back."""
    parts: Parts = {}
    edges = list(network.edges)
    for name in network.sources:
        module = network.module(name)
        if isinstance(module, nn.Identity):
            before = [a for a, b in edges if b == name]
            after = [b for a, b in edges if a == name]
            edges = [pair for pair in edges if name not in pair]
            edges += [(a, b) for a in before for b in after if (a, b) not in edges]
        elif module is not None:
            if isinstance(module, Delay) and any(b == name for _, b in network.back):
                module = Delay(module.steps + 1)
            parts[name] = module.module if isinstance(module, OverTime) else module
    return parts, edges, network.start, network.end


def to_node(
    nir: Any, name: str, layer: nn.Module, shape: tuple[int, ...], dt: float, extended: bool
) -> tuple[Any, tuple[int, ...]]:
    """The NIR node of a layer that gets a shape, and the shape that leaves it."""
    if not isinstance(layer, _WRITTEN):
        raise InputError(f"layer '{name}' is a {type(layer).__name__}, for which NIR has no node here")
    try:
        with torch.no_grad():
            dtype = next((p.dtype for p in layer.parameters()), torch.get_default_dtype())
            timeless = isinstance(layer, nn.Conv1d | nn.Conv2d | nn.AvgPool2d)
            out = layer(torch.zeros(*((1,) if timeless else (1, 1)), *shape, dtype=dtype))
    except (RuntimeError, ValueError, InputError, IndexError) as error:
        sentence = " ".join(str(error).split())[:200]
        raise InputError(f"layer '{name}' cannot take a shape {list(shape)}: {sentence}; pass input_shape=") from error
    after = tuple(out.shape[1 if timeless else 2 :])
    if isinstance(layer, nn.Linear):
        weight = _array(layer.weight)
        bias: Tensor | None = layer.bias
        if len(shape) != 1:
            raise InputError(
                f"linear layer '{name}' works along the last axis of {list(shape)}, and NIR's takes one axis"
            )
        return (nir.Linear(weight=weight) if bias is None else nir.Affine(weight=weight, bias=_array(bias))), after
    if isinstance(layer, nn.Conv1d | nn.Conv2d):
        return _convolution(nir, name, layer, shape), after
    if isinstance(layer, nn.AvgPool2d):
        return _pool(nir, name, layer), after
    if isinstance(layer, nn.Flatten):
        if layer.start_dim != 2 or layer.end_dim not in (-1, 1 + len(shape)):
            raise InputError(
                f"'{name}' flattens axes {layer.start_dim} to {layer.end_dim} of [T, B, *N]; NIR needs 2 to -1"
            )
        return nir.Flatten(input_type={"input": np.array(shape)}, start_dim=0, end_dim=-1), after
    if isinstance(layer, Delay):
        return nir.Delay(delay=_array(layer.steps.expand(shape)).astype(np.float64) * dt), after
    if isinstance(layer, Scaled):
        return nir.Scale(scale=_array(layer.factor.expand(shape))), after
    if isinstance(layer, Integrators):
        return _integrators(nir, layer, shape, dt), after
    if isinstance(layer, Chained):
        synapse, membrane = layer
        assert isinstance(synapse, Integrators) and isinstance(membrane, Integrators)
        return _filtered(nir, synapse, membrane, shape, dt), after
    if isinstance(layer, Neurons):
        return _neurons(nir, name, layer.neuron, layer.gain, layer.leak, shape, dt, extended), after
    assert isinstance(layer, Neuron)
    return _neurons(nir, name, layer, torch.ones(()), torch.zeros(()), shape, dt, extended), after


def fold_gain(nir: Any, drivers: list[Any], node: Any) -> None:
    """Move leaky neurons' `r` into the weights that drive them and nothing else, where all neurons have the same."""
    gain = float(node.r.ravel()[0])
    weighted = nir.Affine | nir.Linear | nir.Conv1d | nir.Conv2d
    if not drivers or not np.all(node.r == gain) or not all(isinstance(each, weighted) for each in drivers):
        return
    for driver in drivers:
        driver.weight = driver.weight * np.asarray(gain, driver.weight.dtype)
        if getattr(driver, "bias", None) is not None:
            driver.bias = driver.bias * np.asarray(gain, driver.bias.dtype)
    node.r = np.ones_like(node.r)


def _convolution(nir: Any, name: str, layer: nn.Conv1d | nn.Conv2d, shape: tuple[int, ...]) -> Any:
    if layer.padding_mode != "zeros" or layer.transposed:
        raise InputError(f"convolution '{name}' pads with '{layer.padding_mode}', and NIR pads with zeros")
    bias = np.zeros(layer.out_channels, np.float32) if layer.bias is None else _array(layer.bias)
    settings: dict[str, Any] = {"weight": _array(layer.weight), "groups": layer.groups, "bias": bias}
    if isinstance(layer, nn.Conv1d):
        padding: Any = layer.padding if isinstance(layer.padding, str) else layer.padding[0]
        return nir.Conv1d(
            input_shape=shape[1], stride=layer.stride[0], padding=padding, dilation=layer.dilation[0], **settings
        )
    return nir.Conv2d(
        input_shape=shape[1:], stride=layer.stride, padding=layer.padding, dilation=layer.dilation, **settings
    )


def _pool(nir: Any, name: str, layer: nn.AvgPool2d) -> Any:
    kernel, stride, padding = (_pair(each) for each in (layer.kernel_size, layer.stride, layer.padding))
    divisor = layer.divisor_override
    if layer.ceil_mode or (any(padding) and not layer.count_include_pad) or divisor not in (None, 1, math.prod(kernel)):
        raise InputError(f"pooling '{name}' rounds up, leaves borders out or has a divisor of its own, unlike NIR's")
    make = nir.SumPool2d if divisor == 1 and math.prod(kernel) != 1 else nir.AvgPool2d
    return make(kernel_size=np.array(kernel), stride=np.array(stride), padding=np.array(padding))


def _neurons(
    nir: Any, name: str, neuron: Neuron, gain: Tensor, leak: Tensor, shape: tuple[int, ...], dt: float, extended: bool
) -> Any:
    if type(neuron) not in (IF, LIF, Synaptic) or neuron.refractory:
        waits = " with a refractory period" if neuron.refractory else ""
        raise InputError(f"neurons '{name}' are {type(neuron).__name__}{waits}, for which NIR has no node here")
    ones = np.ones(shape, np.float64)
    theta, factor, drift = neuron.threshold * ones, _numbers(gain) * ones, _numbers(leak) * ones
    cells = neuron.cells().over(shape)
    beta = _numbers(cells.beta) * ones
    plain = neuron.reset == "zero" and not neuron.reset_delay and not neuron.inclusive and neuron.from_zero
    strict = not neuron.inclusive and neuron.from_zero
    if strict and type(neuron) is LIF and neuron.reset == "none" and np.all(beta == 0) and not np.any(drift):
        if np.all(factor == 1):
            return nir.Threshold(threshold=theta)
        return nir.Threshold(threshold=theta / factor)
    metadata: dict[str, Any] = {}
    if not plain:
        if not extended:
            raise InputError(
                f"neurons '{name}' {_unlike(neuron)}, and NIR knows only neurons that start at 0, fire above their "
                "threshold at any step, and reset to a voltage: use those, or extended=True for a file that only this "
                "reader runs alike"
            )
        metadata = {"reset": neuron.reset, "reset_delay": int(neuron.reset_delay)}
        metadata |= {"inclusive": 1} if neuron.inclusive else {}
        metadata |= {"window": np.array(neuron.window)} if neuron.window is not None else {}
        if bool(neuron.initial.any()):
            metadata["initial"] = _numbers(neuron.initial)
    common = {"v_threshold": theta, "v_reset": 0 * ones, "metadata": metadata}
    if type(neuron) is not Synaptic and np.all(beta == 1):
        if np.any(drift):
            raise InputError(f"neurons '{name}' do not leak and have a constant current, which NIR's IF cannot say")
        return nir.IF(r=factor / dt, **common)
    _leaks(name, "beta", beta)
    tau = dt / (1 - beta)
    if type(neuron) is LIF:
        return nir.LIF(tau=tau, r=factor * tau / dt, v_leak=drift * tau / dt, **common)
    if np.any(drift):
        raise InputError(f"neurons '{name}' have a synapse and a constant current, which NIR's CubaLIF cannot say")
    alpha = _numbers(cells.alpha) * ones
    _leaks(name, "alpha", alpha)
    synapse = dt / (1 - alpha)
    return nir.CubaLIF(
        tau_syn=synapse, tau_mem=tau, r=tau / dt, v_leak=0 * ones, w_in=factor * synapse / dt, **common
    )  # fmt: skip


def _unlike(neuron: Neuron) -> str:
    """What a population does that NIR's does not."""
    found = []
    if neuron.reset != "zero" or neuron.reset_delay:
        found.append(f"reset by '{neuron.reset}'{' one step late' if neuron.reset_delay else ''}")
    if neuron.inclusive:
        found.append("fire at their threshold too")
    if neuron.window is not None:
        found.append(f"fire at steps {neuron.window[0]} to {neuron.window[1] - 1} alone")
    if bool(neuron.initial.any()):
        found.append("start with a membrane that is not 0")
    return ", ".join(found)


def _leaks(name: str, what: str, decay: np.ndarray) -> None:
    if np.any(decay == 1):
        raise InputError(f"neurons '{name}' have a {what} of 1, some or all: NIR's time constant would be infinite")


def _integrators(nir: Any, layer: Integrators, shape: tuple[int, ...], dt: float) -> Any:
    ones = np.ones(shape, np.float64)
    beta, gain, leak = (_numbers(each) * ones for each in (layer.beta, layer.gain, layer.leak))
    if np.all(beta == 1) and not np.any(leak):
        return nir.I(r=gain / dt)
    _leaks("integrators", "beta", beta)
    tau = dt / (1 - beta)
    return nir.LI(tau=tau, r=gain * tau / dt, v_leak=leak * tau / dt)


def _filtered(nir: Any, synapse: Integrators, membrane: Integrators, shape: tuple[int, ...], dt: float) -> Any:
    ones = np.ones(shape, np.float64)
    alpha, enters = _numbers(synapse.beta) * ones, _numbers(synapse.gain) * ones
    beta, gain, leak = (_numbers(each) * ones for each in (membrane.beta, membrane.gain, membrane.leak))
    _leaks("integrators", "decay", np.maximum(alpha, beta))
    tau, slow = dt / (1 - beta), dt / (1 - alpha)
    return nir.CubaLI(
        tau_syn=slow, tau_mem=tau, r=gain * tau / dt, v_leak=leak * tau / dt, w_in=enters * slow / dt
    )  # fmt: skip


def _array(value: Tensor) -> np.ndarray:
    return (
        value.detach().cpu().clone(memory_format=torch.contiguous_format).numpy()
    )  # the network's memory stays its own


def _numbers(value: Any) -> Any:
    return value.detach().cpu().to(torch.float64, copy=True).numpy() if isinstance(value, Tensor) else float(value)


def _pair(value: Any) -> tuple[int, int]:
    return (int(value), int(value)) if isinstance(value, int) else (int(value[0]), int(value[1]))
