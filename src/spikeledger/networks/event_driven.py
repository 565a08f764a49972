"""Event-driven networks: the same layers and parameters, with spikes handed on as bits between neighbours.

A layer of neurons writes one 64-bit word for 64 of them; the weighted layer behind it works on these words. Whoever
looks from outside (a hook, the recorder, another library's module in between) is given ordinary float tensors.
"""

from __future__ import annotations

import copy
from contextlib import AbstractContextManager
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn.modules import module as module_hooks

from ..kernels import planes as bits
from ..kernels.choice import runs_native
from ..kernels.codes import rate_planes
from ..kernels.counts import nonzero
from ..kernels.fire import SURROGATES, Settings, fire_planes, settings_of
from ..kernels.layers import Layer, stack
from ..kernels.layers import layer as fused_layer
from ..kernels.products import linear
from .neurons import IF, LIF, Neuron


class Watcher(Protocol):
    """Who counts a run: told what passes as bits, so that nothing has to be unpacked for it."""

    def alone(self) -> bool:
        """Whether nobody else looks on: no hook and no dispatch mode but the watcher's own."""

    def takes(self, values: Tensor) -> bool:
        """Whether values may be packed; those behind a pooling may not, for it folds into the layer behind it."""

    def away(self) -> AbstractContextManager[None]:
        """Not listening: what runs inside is told of, and the watcher counts it there."""

    def multiplied(self, layer: nn.Linear, source: Tensor, planes: bits.Planes) -> None:
        """Spikes went through a linear layer; `source` is the tensor that carried them."""

    def fired(self, neurons: Neuron, active: Tensor, planes: bits.Planes) -> None:
        """A population sent spikes; `active`, int64 `[*N]`, says how often each one's current was not zero."""

    def unpacked(self, spikes: Tensor, planes: bits.Planes) -> None:
        """Bits became floats, for a layer that does not work on bits."""


#: who counts at present; the recorder puts itself here
watcher: Watcher | None = None


class EventDriven(nn.Sequential):
    """Layers on `[T, B, *N]`, one after the other, as `nn.Sequential`, whose weighted layers work on spikes as events.

    Same parameters, same names, same results but for the order of additions. An input of other values than 0 and 1
    takes the dense path; one that is the same at every step is multiplied once.
    """

    def forward(self, sequence: Tensor | Spikes) -> Tensor:
        layers = list(self)
        if not isinstance(sequence, Spikes) and (not _fits_any(sequence) or watched(self)):
            out: Tensor = super().forward(sequence)
            return out
        if watcher is not None and isinstance(sequence, Tensor):  # to a watcher the encoder gives floats
            return _watched(layers, sequence, watcher)
        flow: Tensor | Spikes = sequence
        index = 0
        while index < len(layers):
            layer = layers[index]
            fused = _fused_from(layers, index)
            spikes = _spikes_into(fused[0][0], flow) if fused else None
            if spikes is not None:
                index += 2 * len(fused)
                flow = _stacked(fused, spikes, floats=index == len(layers))
                continue
            flow, index = _through(layer, flow, _wants_bits(layers, index + 1)), index + 1
        return _floats(flow)


class Spikes:
    """Spikes on their way between two layers: the bits, and an empty tensor that carries their gradient.

    Each is worth `scale`: what dropout leaves of them is worth `1 / (1 - p)`.
    """

    def __init__(self, planes: bits.Planes, token: Tensor | None, scale: float = 1.0) -> None:
        self.planes = planes
        self.token = token
        self.scale = scale

    def flattened(self) -> Spikes:
        """`[T, B, *N]` as `[T, B, prod(N)]`."""
        token = None if self.token is None else self.token.reshape(*self.planes.shape[:2], -1)
        return Spikes(self.planes.flattened(), token, self.scale)


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


def _watched(layers: list[nn.Module], sequence: Tensor | Spikes, watching: Watcher) -> Tensor:
    """The same, and the watcher is told of everything; a layer fused with its neurons counts their currents itself."""
    flow: Tensor | Spikes = sequence
    index = 0
    while index < len(layers):
        layer, following = layers[index], layers[index + 1] if index + 1 < len(layers) else None
        with watching.away():
            told = _events(layer, following, flow, watching)
        if told is None:
            told = layer(_told(flow, watching)), 1
        flow, index = told[0], index + told[1]
    return _told(flow, watching)


def _events(
    layer: nn.Module, following: nn.Module | None, flow: Tensor | Spikes, watching: Watcher
) -> tuple[Tensor | Spikes, int] | None:
    """What comes of a layer that works on bits, and of how many layers it comes; None of one that does not."""
    if type(layer) is nn.Linear:
        takes = isinstance(flow, Spikes) or watching.takes(flow)
        spikes = _spikes_into(layer, flow) if takes else None
        if spikes is None:
            return None
        source = flow if isinstance(flow, Tensor) else flow.planes.words
        if not _is_fused(following):
            currents: Tensor = linear(spikes.token, spikes.planes, layer.weight, layer.bias)
            watching.multiplied(layer, source, spikes.planes)
            return currents, 1
        active = torch.zeros(layer.out_features, dtype=torch.int64)
        sent = _fused(layer, following, spikes, active)
        watching.multiplied(layer, source, spikes.planes)
        watching.fired(following, active, sent.planes)  # type: ignore[arg-type]
        return sent, 2
    if _is_fused(layer) and isinstance(flow, Tensor) and _fits(flow):
        token, planes = fire_planes(flow, layer.decay(), _settings(layer))  # type: ignore[operator, arg-type]
        watching.fired(layer, nonzero(flow.detach()), planes)  # type: ignore[arg-type]
        return Spikes(planes, token.view(flow.shape)), 1
    if isinstance(flow, Spikes) and type(layer) is nn.Flatten and layer.start_dim == 2 and layer.end_dim == -1:
        return flow.flattened(), 1
    return None


def _told(flow: Tensor | Spikes, watching: Watcher) -> Tensor:
    if isinstance(flow, Tensor):
        return flow
    with watching.away():
        spikes = _floats(flow)
        watching.unpacked(spikes, flow.planes)
    return spikes


def _through(layer: nn.Module, flow: Tensor | Spikes, wants_bits: bool) -> Tensor | Spikes:
    if type(layer) is nn.Linear:
        return _currents(layer, flow)
    if type(layer) is nn.Flatten and layer.start_dim == 2 and layer.end_dim == -1:
        if isinstance(flow, Tensor) and (known := bits.planes_of(flow)) is not None:
            flow = Spikes(known, flow if flow.requires_grad else None)
        return flow.flattened() if isinstance(flow, Spikes) else layer(flow)
    if type(layer) is nn.Identity or (isinstance(layer, nn.Dropout) and not layer.training):
        return flow
    if type(layer) is nn.Dropout and isinstance(flow, Spikes) and (left := _dropped(flow, layer.p)) is not None:
        return left
    if wants_bits and isinstance(layer, Neuron) and _is_fused(layer) and isinstance(flow, Tensor) and _fits(flow):
        token, planes = fire_planes(flow, layer.decay(), _settings(layer))
        return Spikes(planes, token.view(flow.shape))
    return layer(_floats(flow))


def _dropped(spikes: Spikes, share: float) -> Spikes | None:
    """What dropout leaves: a spike stays where `torch.rand(T, B, *N) < 1 - share`; None where floats have to do it.

    The random numbers are the next of torch's own generator. The rest are zero bits, and each spike that stays is worth
    `1 / (1 - share)`, which goes into the product's weights.
    """
    if not 0 < share < 1:
        return spikes if share == 0 else None
    shape = spikes.planes.shape
    rates = torch.full((1, spikes.planes.columns), 1 - share)
    stays = rate_planes(rates, spikes.planes.rows, torch.default_generator)
    if stays is None:
        return None
    stays = bits.Planes(stays.words, shape)
    token = None if spikes.token is None else _Drop.apply(spikes.token, stays)
    return Spikes(bits.Planes(spikes.planes.words & stays.words, shape), token, spikes.scale / (1 - share))


class _Drop(torch.autograd.Function):
    """The gradient of spikes of which some were dropped: nothing for those, whether or not they fired."""

    @staticmethod
    def forward(ctx: Any, token: Tensor, stays: bits.Planes) -> Tensor:
        ctx.stays = stays
        return token.view_as(token)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        return grad * ctx.stays.dense(), None


def _worth(layer: nn.Linear, spikes: Spikes) -> Tensor:
    """A linear layer's weights for spikes of a scale."""
    return layer.weight if spikes.scale == 1 else layer.weight * spikes.scale


def _fused(linear_layer: nn.Linear, neuron: Any, spikes: Spikes, active: Tensor | None = None) -> Spikes:
    """A linear layer and its neurons as one kernel."""
    weight, bias = _worth(linear_layer, spikes), linear_layer.bias
    token, planes = fused_layer(spikes.token, spikes.planes, weight, bias, neuron.decay(), _settings(neuron), active)
    return Spikes(planes, token)


def _fused_from(layers: list[nn.Module], index: int) -> list[tuple[nn.Linear, Any]]:
    """The linear layers from here on that fit one behind the other, each with its neurons behind it."""
    pairs: list[tuple[nn.Linear, Any]] = []
    for layer, following in zip(layers[index::2], layers[index + 1 :: 2], strict=False):
        if type(layer) is not nn.Linear or not _is_fused(following) or layer.weight.dtype != torch.float32:
            break
        if pairs and pairs[-1][0].out_features != layer.in_features:
            break
        pairs.append((layer, following))
    return pairs


def _stacked(pairs: list[tuple[nn.Linear, Any]], spikes: Spikes, *, floats: bool) -> Tensor | Spikes:
    """Linear layers and their neurons as one node of the graph; spikes as floats where the network ends."""
    layers = [Layer(linear.weight, linear.bias, neuron.decay(), _settings(neuron)) for linear, neuron in pairs]
    layers[0] = layers[0]._replace(weight=_worth(pairs[0][0], spikes))
    found, planes = stack(spikes.token, spikes.planes, layers, floats=floats)
    if not floats:
        return Spikes(planes, found)
    bits.attach(found, planes)
    return found


def _is_fused(layer: nn.Module | None) -> bool:
    """Whether a layer is neurons that the fused kernels know."""
    return isinstance(layer, Neuron) and type(layer) in (IF, LIF) and layer.surrogate.name in SURROGATES


def _settings(neuron: Neuron) -> Settings:
    return settings_of(neuron.threshold, neuron.reset, neuron.reset_delay, neuron.surrogate)


def _currents(layer: nn.Linear, flow: Tensor | Spikes) -> Tensor:
    if isinstance(flow, Tensor) and flow.dim() > 2 and flow.shape[0] > 1 and flow.stride(0) == 0:
        once: Tensor = layer(flow[0])  # one image, shown at every step, is multiplied once
        return once.unsqueeze(0).expand(flow.shape[0], *once.shape)
    spikes = _spikes_into(layer, flow)
    if spikes is None:
        dense: Tensor = layer(_floats(flow))  # graded values; of what does not fit torch says best why
        return dense
    return linear(spikes.token, spikes.planes, _worth(layer, spikes), layer.bias)


def _spikes_into(layer: nn.Linear, flow: Tensor | Spikes) -> Spikes | None:
    """What flows into a linear layer as bits; None if it is not spikes, or does not fit."""
    if isinstance(flow, Tensor):
        packed = bits.pack(flow) if _countable(flow, layer) else None
        return None if packed is None else Spikes(packed, flow if flow.requires_grad else None)
    return flow if len(flow.planes.shape) == 3 and flow.planes.columns == layer.in_features else None


def _countable(flow: Tensor, layer: nn.Linear) -> bool:
    """Whether a tensor may be spikes that are worth packing; graded ones are found out in their first row."""
    if flow.dim() != 3 or flow.dtype != torch.float32 or not flow.numel() or flow.shape[2] != layer.in_features:
        return False
    if flow.stride(0) == 0 and flow.shape[0] > 1:
        return False
    return layer.weight.dtype == torch.float32 and runs_native(flow) and runs_native(layer.weight)


def _fits(flow: Tensor) -> bool:
    return flow.dim() > 2 and flow.dtype == torch.float32 and flow.numel() > 0 and runs_native(flow)


def _wants_bits(layers: list[nn.Module], index: int) -> bool:
    """Whether the next layer that does anything is one that works on bits."""
    for layer in layers[index:]:
        if type(layer) is nn.Linear:
            return layer.weight.dtype == torch.float32
        passes = isinstance(layer, nn.Flatten | nn.Identity | nn.Dropout)
        if not passes:
            return False
    return False


def _floats(flow: Tensor | Spikes) -> Tensor:
    if isinstance(flow, Tensor):
        return flow
    spikes: Tensor = _Unpack.apply(flow.token, flow.planes) if flow.token is not None else flow.planes.dense()
    if flow.scale != 1:
        return spikes * flow.scale
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


def watched(network: nn.Module) -> bool:
    """Whether anybody looks at what passes between a network's modules, or changes it: a hook, a mode, autocast.

    A watcher that is alone is nobody: it is told of the bits themselves.
    """
    looking = (
        torch._C._len_torch_dispatch_stack() > 0
        or module_hooks._global_forward_hooks
        or module_hooks._global_forward_pre_hooks
    )
    return bool(
        (looking if watcher is None else not watcher.alone())
        or module_hooks._global_backward_hooks
        or module_hooks._global_backward_pre_hooks
        or torch.is_autocast_enabled("cpu")
        or any(
            module._forward_hooks or module._forward_pre_hooks or module._backward_hooks or module._backward_pre_hooks
            for module in network.modules()
        )
    )


def _fits_any(sequence: object) -> bool:
    return isinstance(sequence, Tensor) and runs_native(sequence)
