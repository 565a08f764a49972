"""What layers do with spikes as bits: linear layers, convolutions, max pooling and neurons, each by its kernel.

A layer that takes no bits, or would be slower on them than on floats, is run as it is.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ..kernels import planes as bits
from ..kernels.choice import runs_native
from ..kernels.convolution import METHODS, Geometry, cheapest, convolve, convolve_fire, geometry_of, worth_packing
from ..kernels.fire import SURROGATES, Settings, fire_planes, settings_of
from ..kernels.layers import layer as fused_layer
from ..kernels.pooling import max_pool, pooling_of
from ..kernels.products import linear
from .lifting import OverTime
from .neurons import IF, LIF, Neuron

Weighted = nn.Linear | nn.Conv1d | nn.Conv2d


class Spikes:
    """Spikes on their way between two layers: the bits, and an empty tensor that carries their gradient."""

    def __init__(self, planes: bits.Planes, token: Tensor | None) -> None:
        self.planes = planes
        self.token = token

    def flattened(self) -> Spikes:
        """`[T, B, *N]` as `[T, B, prod(N)]`."""
        token = None if self.token is None else self.token.reshape(*self.planes.shape[:2], -1)
        return Spikes(self.planes.flattened(), token)


# -- which layers ------------------------------------------------------------------------------------------------------


def weighted(layer: nn.Module) -> Weighted | None:
    """The weighted layer that a layer on `[T, B, *N]` is, if kernels know it."""
    inner = layer.module if type(layer) is OverTime else layer
    if type(inner) is nn.Linear:
        return inner if inner is layer else None
    return inner if type(inner) in (nn.Conv1d, nn.Conv2d) and inner is not layer else None  # type: ignore[return-value]


def is_fused(layer: nn.Module | None) -> bool:
    """Whether a layer is neurons that the fused kernels know."""
    return isinstance(layer, Neuron) and type(layer) in (IF, LIF) and layer.surrogate.name in SURROGATES


def flattens(layer: nn.Module) -> bool:
    """Whether a layer makes `[T, B, prod(N)]` of `[T, B, *N]`."""
    return type(layer) is nn.Flatten and layer.start_dim == 2 and layer.end_dim == -1


def passes(layer: nn.Module) -> bool:
    """Whether a layer does nothing."""
    return type(layer) is nn.Identity or (isinstance(layer, nn.Dropout) and not layer.training)


def wants_bits(layers: list[nn.Module], index: int) -> bool:
    """Whether the next layer that does anything is one that works on bits."""
    for layer in layers[index:]:
        found = weighted(layer)
        if found is not None:
            return found.weight.dtype == torch.float32
        pools = type(layer) is OverTime and type(layer.module) is nn.MaxPool2d
        if not (pools or isinstance(layer, nn.Flatten) or passes(layer)):
            return False
    return False


# -- from floats to bits and back --------------------------------------------------------------------------------------


def fits(flow: Tensor) -> bool:
    """Whether neurons may turn a tensor of currents into bits."""
    return flow.dim() > 2 and flow.dtype == torch.float32 and flow.numel() > 0 and runs_native(flow)


def spikes_into(layer: Weighted, flow: Tensor | Spikes) -> Spikes | None:
    """What flows into a weighted layer as bits; None if it is not spikes, does not fit, or is faster as floats."""
    shape = tuple(flow.shape if isinstance(flow, Tensor) else flow.planes.shape)
    if isinstance(layer, nn.Linear):
        geometry = None
        if len(shape) != 3 or shape[2] != layer.in_features:
            return None
    else:
        geometry = geometry_of(layer, shape[2:]) if len(shape) > 3 else None
        if geometry is None:
            return None
    if isinstance(flow, Tensor):
        if not _countable(flow, layer.weight):
            return None
        if geometry is not None and not worth_packing(geometry, shape[0], shape[1]):
            return None
        packed = bits.pack(flow)
        if packed is None:
            return None
        flow = Spikes(packed, flow if flow.requires_grad else None)
    if geometry is not None and cheapest(geometry, flow.planes) == "dense":
        return None
    return flow


def _countable(flow: Tensor, weight: Tensor) -> bool:
    """Whether a tensor may be spikes that are worth packing; graded ones are found out in their first row."""
    if flow.dtype != torch.float32 or not flow.numel() or stands_still(flow):
        return False
    return weight.dtype == torch.float32 and runs_native(flow) and runs_native(weight)


def stands_still(flow: Tensor) -> bool:
    """Whether a tensor is one image, shown at every step."""
    return flow.dim() > 2 and flow.shape[0] > 1 and flow.stride(0) == 0


def floats(flow: Tensor | Spikes) -> Tensor:
    """What flows, as an ordinary tensor."""
    if isinstance(flow, Tensor):
        return flow
    spikes: Tensor = _Unpack.apply(flow.token, flow.planes) if flow.token is not None else flow.planes.dense()
    bits.attach(spikes, flow.planes)
    return spikes


class _Unpack(torch.autograd.Function):
    """Bits to floats; the gradient goes on to the tensor that stands for the bits."""

    @staticmethod
    def forward(ctx: Any, token: Tensor, planes: bits.Planes) -> Tensor:
        return planes.dense()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        return grad, None


# -- layers ------------------------------------------------------------------------------------------------------------


def currents_of(layer: Weighted, spikes: Spikes) -> Tensor:
    """The currents that spikes from `spikes_into` make in a weighted layer."""
    if isinstance(layer, nn.Linear):
        return linear(spikes.token, spikes.planes, layer.weight, layer.bias)
    geometry, method = _way(layer, spikes)
    return convolve(spikes.token, spikes.planes, layer.weight, layer.bias, geometry, method)


def fused(layer: Weighted, neuron: Any, spikes: Spikes, active: Tensor | None = None) -> Spikes:
    """A weighted layer and its neurons as one kernel, on spikes from `spikes_into`."""
    weight, bias, beta, settings = layer.weight, layer.bias, neuron.decay(), _settings(neuron)
    if isinstance(layer, nn.Linear):
        token, planes = fused_layer(spikes.token, spikes.planes, weight, bias, beta, settings, active)
    else:
        geometry, method = _way(layer, spikes)
        token, planes = convolve_fire(
            spikes.token, spikes.planes, weight, bias, beta, settings, geometry, method, active
        )
    return Spikes(planes, token)


def outputs_of(layer: Weighted, spikes: Spikes) -> tuple[int, ...]:
    """The shape `[*N]` of a weighted layer's outputs."""
    if isinstance(layer, nn.Linear):
        return (layer.out_features,)
    geometry, _ = _way(layer, spikes)
    return (geometry.filters, *(geometry.out[1:] if isinstance(layer, nn.Conv1d) else geometry.out))


def _way(layer: nn.Conv1d | nn.Conv2d, spikes: Spikes) -> tuple[Geometry, int]:
    geometry = geometry_of(layer, spikes.planes.shape[2:])
    assert geometry is not None  # `spikes_into` asked
    return geometry, METHODS[cheapest(geometry, spikes.planes, dense=False)]


def fired(neuron: Any, currents: Tensor) -> Spikes:
    """What neurons make of currents, as bits."""
    token, planes = fire_planes(currents, neuron.decay(), _settings(neuron))
    return Spikes(planes, token.view(currents.shape))


def _settings(neuron: Neuron) -> Settings:
    return settings_of(neuron.threshold, neuron.reset, neuron.reset_delay, neuron.surrogate)


def pooled(layer: nn.Module, spikes: Spikes) -> Spikes | None:
    """Max pooling of spikes, which is whether any of a window's fired; None of any other layer."""
    inner = layer.module if type(layer) is OverTime else None
    pooling = pooling_of(inner, spikes.planes.shape[2:]) if type(inner) is nn.MaxPool2d else None
    if pooling is None:
        return None
    token, planes = max_pool(spikes.token, spikes.planes, pooling)
    return Spikes(planes, token)
