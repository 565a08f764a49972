"""One NIR node to one module, and back: layers, convolutions, pooling, IF and LIF; the equations are in `nir.py`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import InputError, unknown_name
from .neurons import IF, LIF, RESETS, Neuron
from .spiking import over_time


class Neurons(nn.Module):
    """Neurons with what NIR puts before them: a gain, and a current towards the leak's voltage."""

    def __init__(self, neuron: Neuron, gain: Tensor, leak: Tensor) -> None:
        super().__init__()
        self.neuron = neuron
        self.plain = bool((gain == 1).all() and (leak == 0).all())
        self.register_buffer("gain", gain)
        self.register_buffer("leak", leak)

    def forward(self, currents: Tensor, state: Tensor | None = None) -> Any:
        driven = currents if self.plain else currents * self.get_buffer("gain") + self.get_buffer("leak")
        return self.neuron(driven) if state is None else self.neuron(driven, state)


def to_node(
    nir: Any, name: str, layer: nn.Module, shape: tuple[int, ...], dt: float, extended: bool
) -> tuple[Any, tuple[int, ...]]:
    """The NIR node of a layer that gets a shape, and the shape that leaves it."""
    if isinstance(layer, nn.Linear):
        weight = layer.weight.detach().cpu().numpy()
        bias: Tensor | None = layer.bias
        if bias is None:
            return nir.Linear(weight=weight), (*shape[:-1], layer.out_features)
        return nir.Affine(weight=weight, bias=bias.detach().cpu().numpy()), (*shape[:-1], layer.out_features)
    if isinstance(layer, nn.Conv2d) and not isinstance(layer.padding, str):
        if len(shape) != 3:
            raise InputError(f"convolution '{name}' gets a shape {list(shape)}, but needs [C, H, W]: pass input_shape=")
        offset = np.zeros(layer.out_channels, np.float32) if layer.bias is None else layer.bias.detach().cpu().numpy()
        node = nir.Conv2d(
            input_shape=shape[1:], weight=layer.weight.detach().cpu().numpy(), stride=layer.stride,
            padding=layer.padding,
            dilation=layer.dilation, groups=layer.groups, bias=offset,
        )  # fmt: skip
        return node, tuple(layer(torch.zeros(1, *shape, dtype=layer.weight.dtype)).shape[1:])
    if isinstance(layer, nn.AvgPool2d):
        kernel, stride, padding = (_pair(each) for each in (layer.kernel_size, layer.stride, layer.padding))
        return nir.AvgPool2d(kernel_size=kernel, stride=stride, padding=padding), tuple(
            layer(torch.zeros(1, *shape)).shape[1:]
        )
    if isinstance(layer, nn.Flatten):
        node = nir.Flatten(input_type={"input": np.array(shape)}, start_dim=0, end_dim=-1)
        return node, (math.prod(shape),)
    if isinstance(layer, Neuron) and type(layer) in (IF, LIF):
        return _neuron_node(nir, name, layer, shape, dt, extended), shape
    raise InputError(f"layer '{name}' is a {type(layer).__name__}, for which NIR has no node here")


def _neuron_node(nir: Any, name: str, layer: Neuron, shape: tuple[int, ...], dt: float, extended: bool) -> Any:
    metadata: dict[str, Any] = {}
    if layer.reset != "zero" or layer.reset_delay:
        if not extended:
            raise InputError(
                f"neurons '{name}' reset by '{layer.reset}'{' one step late' if layer.reset_delay else ''}, and NIR "
                "knows only the reset to a voltage: use reset='zero', or extended=True for a file that only this "
                "reader runs alike"
            )
        metadata = {"reset": layer.reset, "reset_delay": int(layer.reset_delay)}
    ones = np.ones(shape, np.float64)
    beta = layer.decay()
    decay = (beta.detach().cpu().double().numpy() if isinstance(beta, Tensor) else beta) * ones
    threshold = layer.threshold * ones
    if np.all(decay == 1):
        return nir.IF(r=ones / dt, v_threshold=threshold, v_reset=0 * ones, metadata=metadata)
    if np.any(decay == 1):
        raise InputError(f"neurons '{name}' leak in part only (beta 1 beside others): NIR has no node for both")
    tau = dt / (1 - decay)
    return nir.LIF(
        tau=tau, r=tau / dt, v_leak=0 * ones, v_threshold=threshold, v_reset=0 * ones, metadata=metadata
    )  # fmt: skip


def fold_gain(nir: Any, before: Any, node: Any, dt: float) -> None:
    """Move the neurons' `r` into the weights that drive them, where there are any and all neurons have the same."""
    if not isinstance(node, nir.LIF | nir.IF) or not isinstance(before, nir.Affine | nir.Linear | nir.Conv2d):
        return
    gain = float(node.r.ravel()[0])
    if np.all(node.r == gain):
        before.weight = before.weight * np.asarray(gain, before.weight.dtype)
        if getattr(before, "bias", None) is not None:
            before.bias = before.bias * np.asarray(gain, before.bias.dtype)
        node.r = np.ones_like(node.r)


def to_module(nir: Any, name: str, node: Any, dt: float) -> nn.Module | None:
    """The module of a NIR node at a step of `dt` seconds; None for inputs and outputs."""
    for field, value in vars(node).items():
        if isinstance(value, np.ndarray) and value.dtype.kind == "f" and not np.isfinite(value).all():
            bad = int((~np.isfinite(value)).sum())
            raise InputError(f"node '{name}' has {bad:,} values of {field} that are NaN or infinite")
    if isinstance(node, nir.Input | nir.Output):
        return None
    if isinstance(node, nir.Affine | nir.Linear):
        return _linear(np.asarray(node.weight), np.asarray(node.bias) if isinstance(node, nir.Affine) else None, name)
    if isinstance(node, nir.Conv2d):
        if isinstance(node.padding, str):
            raise InputError(f"convolution '{name}' has the padding '{node.padding}': give it in numbers")
        weight = torch.tensor(np.asarray(node.weight, np.float32))
        conv = nn.Conv2d(
            weight.shape[1] * int(node.groups), weight.shape[0], _pair(weight.shape[2:]), _pair(node.stride),
            _pair(node.padding), _pair(node.dilation), int(node.groups),
        )  # fmt: skip
        with torch.no_grad():
            conv.weight.copy_(weight)
            assert isinstance(conv.bias, Tensor)
            conv.bias.copy_(torch.tensor(np.asarray(node.bias, np.float32)))
        return over_time(conv)
    if isinstance(node, nir.AvgPool2d):
        return over_time(nn.AvgPool2d(_pair(node.kernel_size), _pair(node.stride), _pair(node.padding)))
    if isinstance(node, nir.Flatten):
        return nn.Flatten(2)
    if isinstance(node, nir.LIF | nir.IF):
        return _neurons(nir, name, node, dt)
    raise InputError(f"node '{name}' is a NIR {type(node).__name__}, which is not read here")


def _neurons(nir: Any, name: str, node: Any, dt: float) -> Neurons:
    reset = np.zeros(1) if node.v_reset is None else np.asarray(node.v_reset)
    if np.any(reset != 0):
        raise InputError(f"neurons '{name}' reset to a voltage that is not 0, which is not read here")
    threshold = np.asarray(node.v_threshold, np.float64)
    if np.any(threshold <= 0):
        raise InputError(f"neurons '{name}' have a threshold that is not above 0")
    if isinstance(node, nir.IF):
        beta, gain, leak = np.ones(1), np.asarray(node.r, np.float64) * dt, np.zeros(1)
    else:
        tau = np.asarray(node.tau, np.float64)
        if np.any(tau < dt):
            raise InputError(f"neurons '{name}' have a tau of {tau.min():g} s at steps of {dt:g} s: give a shorter dt")
        beta = 1 - dt / tau
        gain, leak = np.asarray(node.r, np.float64) * dt / tau, np.asarray(node.v_leak, np.float64) * dt / tau
    if threshold.size and np.all(threshold == threshold.ravel()[0]):
        theta = float(threshold.ravel()[0])
    else:  # membranes are counted in thresholds
        theta, gain, leak = 1.0, gain / threshold, leak / threshold
    gain = np.where(np.isclose(gain, 1, rtol=1e-12, atol=0), 1.0, gain)  # r = tau / dt, rounded
    options = dict(node.metadata or {})
    raw = options.get("reset", "zero")
    kind = (
        raw.decode() if isinstance(raw, bytes) else str(np.asarray(raw).item() if isinstance(raw, np.ndarray) else raw)
    )
    if kind not in RESETS:
        raise unknown_name("reset", kind, RESETS)
    late = bool(int(np.asarray(options.get("reset_delay", 0))))
    same = np.all(beta == beta.ravel()[0])
    decay: Any = float(beta.ravel()[0]) if same else torch.tensor(beta, dtype=torch.get_default_dtype())
    options = {"threshold": theta, "reset": kind, "reset_delay": late}
    neuron: Neuron = IF(**options) if isinstance(node, nir.IF) else LIF(decay, **options)
    dtype = torch.get_default_dtype()
    return Neurons(neuron, torch.tensor(gain, dtype=dtype), torch.tensor(leak, dtype=dtype))


def _linear(weight: np.ndarray, bias: np.ndarray | None, name: str) -> nn.Linear:
    if weight.ndim != 2:
        raise InputError(f"node '{name}' has a weight of shape {list(weight.shape)}, but needs [out, in]")
    made = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None)
    with torch.no_grad():
        made.weight.copy_(torch.tensor(np.asarray(weight, np.float32)))
        if bias is not None:
            made.bias.copy_(torch.tensor(np.asarray(bias, np.float32).reshape(-1)))
    return made


def _pair(value: Any) -> tuple[int, int]:
    numbers = np.atleast_1d(np.asarray(value)).ravel().tolist()
    return (int(numbers[0]), int(numbers[-1]))
