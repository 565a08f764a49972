"""Event-driven networks: the same layers and parameters, with spikes handed on as bits between neighbours.

A layer of neurons writes one 64-bit word for 64 of them; the weighted layer behind it works on these words. Whoever looks
from outside (a hook, the recorder, another library's module in between) is given ordinary float tensors.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules import module as module_hooks

from ..kernels import planes as bits
from ..kernels.choice import runs_native
from ..kernels.fire import SURROGATES, fire_planes
from ..kernels.products import linear
from .neurons import IF, LIF, Neuron


class EventDriven(nn.Sequential):
    """Layers on `[T, B, *N]`, one after the other, as `nn.Sequential`, whose weighted layers work on spikes as events.

    Same parameters, same names, same results but for the order of additions. An input of other values than 0 and 1
    takes the dense path; one that is the same at every step is multiplied once.
    """

    def forward(self, sequence: Tensor) -> Tensor:
        layers = list(self)
        if not _free(layers, sequence):
            out: Tensor = super().forward(sequence)
            return out
        flow: Tensor | Spikes = sequence
        for index, layer in enumerate(layers):
            flow = _through(layer, flow, _wants_bits(layers, index + 1))
        return _floats(flow)


class Spikes:
    """Spikes on their way between two layers: the bits, and an empty tensor that carries their gradient."""

    def __init__(self, planes: bits.Planes, token: Tensor | None) -> None:
        self.planes = planes
        self.token = token

    def flattened(self) -> Spikes:
        """`[T, B, *N]` as `[T, B, prod(N)]`."""
        token = None if self.token is None else self.token.reshape(*self.planes.shape[:2], -1)
        return Spikes(self.planes.flattened(), token)


def event_driven(network: nn.Module) -> nn.Module:
    """The same network, parameters shared, with every `nn.Sequential` over time event-driven where that wins.

    The network given stays as it is; buffers and parameters are the same tensors in both, so training one trains the
    other.
    """
    if isinstance(network, nn.Sequential):
        plain = type(network) in (nn.Sequential, EventDriven)
        if not plain or not any(isinstance(layer, Neuron) for layer in network):
            return network
        twin = EventDriven()
        for name, layer in network.named_children():
            twin.add_module(name, layer)
        twin.train(network.training)
        return twin
    twin_of_whole = copy.copy(network)
    twin_of_whole.__dict__["_modules"] = dict(network._modules)
    for name, child in network.named_children():
        twin_of_whole.add_module(name, event_driven(child))
    return twin_of_whole


def _through(layer: nn.Module, flow: Tensor | Spikes, wants_bits: bool) -> Tensor | Spikes:
    if type(layer) is nn.Linear:
        return _currents(layer, flow)
    if type(layer) is nn.Flatten and layer.start_dim == 2 and layer.end_dim == -1:
        return flow.flattened() if isinstance(flow, Spikes) else layer(flow)
    if type(layer) is nn.Identity or (isinstance(layer, nn.Dropout) and not layer.training):
        return flow
    if wants_bits and type(layer) in (IF, LIF) and isinstance(flow, Tensor) and _fits(flow, layer):
        token, planes = fire_planes(
            flow,
            beta=layer.decay(),
            threshold=layer.threshold,
            reset=layer.reset,
            reset_delay=layer.reset_delay,
            surrogate=layer.surrogate,
        )
        return Spikes(planes, token)
    return layer(_floats(flow))


def _currents(layer: nn.Linear, flow: Tensor | Spikes) -> Tensor:
    if isinstance(flow, Tensor):
        if flow.dim() > 2 and flow.shape[0] > 1 and flow.stride(0) == 0:  # one image, shown at every step
            once: Tensor = layer(flow[0])
            return once.unsqueeze(0).expand(flow.shape[0], *once.shape)
        packed = bits.pack(flow) if _countable(flow, layer) else None
        if packed is None:
            dense: Tensor = layer(flow)
            return dense
        flow = Spikes(packed, flow if flow.requires_grad else None)
    if flow.planes.columns != layer.in_features or len(flow.planes.shape) != 3:
        wrong: Tensor = layer(_floats(flow))  # torch says best what does not fit
        return wrong
    return linear(flow.token, flow.planes, layer.weight, layer.bias)


def _countable(flow: Tensor, layer: nn.Linear) -> bool:
    """Whether a tensor may be spikes that are worth packing; its first values tell most graded ones."""
    if flow.dim() != 3 or flow.dtype != torch.float32 or not flow.numel() or flow.shape[2] != layer.in_features:
        return False
    if layer.weight.dtype != torch.float32 or not runs_native(flow) or not runs_native(layer.weight):
        return False
    return bits.planes_of(flow) is not None or bool(((flow[0, 0] == 0) | (flow[0, 0] == 1)).all())


def _fits(flow: Tensor, layer: Neuron) -> bool:
    fits = flow.dim() > 2 and flow.dtype == torch.float32 and flow.numel() > 0 and runs_native(flow)
    return fits and layer.surrogate.name in SURROGATES


def _wants_bits(layers: list[nn.Module], index: int) -> bool:
    """Whether the next layer that does anything is one that works on bits."""
    for layer in layers[index:]:
        if type(layer) is nn.Linear:
            return layer.weight.dtype == torch.float32
        passes = isinstance(layer, nn.Flatten | nn.Identity) or (isinstance(layer, nn.Dropout) and not layer.training)
        if not passes:
            return False
    return False


def _floats(flow: Tensor | Spikes) -> Tensor:
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


def _free(layers: list[nn.Module], sequence: Any) -> bool:
    """Whether nobody looks at what passes between the layers."""
    watched = (
        torch._C._len_torch_dispatch_stack() > 0
        or module_hooks._global_forward_hooks
        or module_hooks._global_forward_pre_hooks
        or module_hooks._global_backward_hooks
        or module_hooks._global_backward_pre_hooks
        or torch.is_autocast_enabled("cpu")
        or any(
            module._forward_hooks or module._forward_pre_hooks or module._backward_hooks or module._backward_pre_hooks
            for layer in layers
            for module in layer.modules()
        )
    )
    return not watched and isinstance(sequence, Tensor) and runs_native(sequence)
