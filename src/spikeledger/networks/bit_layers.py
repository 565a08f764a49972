"""What layers do with spikes as bits: linear layers, convolutions, max pooling and neurons, each by its kernel.

A layer that takes no bits, or would be slower on them than on floats, is run as it is.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ..kernels import planes as bits
from ..kernels.choice import runs_native
from ..kernels.codes import draws_as_torch, dropout, token_left
from ..kernels.convolution import Geometry, cheapest, convolve, convolve_fire, geometry_of, worth_packing
from ..kernels.convolution import estimates as convolved
from ..kernels.costs import METHODS, estimates
from ..kernels.counts import Deeds, done, of_active, rooms
from ..kernels.fire import fire_planes, settings_of
from ..kernels.layers import Layer, Sends, stack
from ..kernels.native import Settings
from ..kernels.pooling import average_pool, averages, averaging_of, has_levels, max_pool, pooling_of, sum_pool
from ..kernels.products import linear
from .lifting import OverTime
from .neurons import Neuron

Weighted = nn.Linear | nn.Conv1d | nn.Conv2d


class Pair(NamedTuple):
    """A layer with the neurons behind it; `dropped` is the share of its inputs that dropout between it and the pair before
    takes away."""

    layer: Weighted
    neuron: Any
    dropped: float = 0.0


Pairs = list[Pair]


class Spikes:
    """Spikes on their way between two layers: the bits, and an empty tensor that carries their gradient.

    Each is worth `scale`: what dropout leaves of them is worth `1 / (1 - p)`. Where a layer made floats of them too, these
    go along as `made`, and carry the gradient.
    """

    def __init__(
        self, planes: bits.Planes, token: Tensor | None, scale: float = 1.0, made: Tensor | None = None
    ) -> None:
        self.planes = planes
        self.token = token
        self.scale = scale
        self.made = made

    @classmethod
    def beside(cls, floats: Tensor, planes: bits.Planes) -> Spikes:
        """Floats and their bits."""
        return cls(planes, floats if floats.requires_grad else None, made=floats)

    def flattened(self) -> Spikes:
        """`[T, B, *N]` as `[T, B, prod(N)]`."""
        token = None if self.token is None else self.token.reshape(*self.planes.shape[:2], -1)
        made = None if self.made is None else self.made.flatten(2)
        return Spikes(self.planes.flattened(), token, self.scale, made)


# -- which layers ------------------------------------------------------------------------------------------------------


def weighted(layer: nn.Module) -> Weighted | None:
    """The weighted layer that a layer on `[T, B, *N]` is, if kernels know it."""
    # exact types: a class derived from one may do anything in its forward
    # a linear layer takes [T, B, N] as it is; a convolution needs its lifting over time
    inner = layer.module if type(layer) is OverTime else layer
    if type(inner) is nn.Linear:
        return inner if inner is layer else None
    return inner if type(inner) in (nn.Conv1d, nn.Conv2d) and inner is not layer else None  # type: ignore[return-value]


def is_fused(layer: nn.Module | None) -> bool:
    """Whether a layer is neurons that the fused kernels know."""
    # a learned start, a truncated gradient or a surrogate of the user's own is run step by step instead
    return (
        isinstance(layer, Neuron)
        and layer.plain
        and layer.from_zero
        and not layer.truncate
        and layer.surrogate.number >= 0
    )


def flattens(layer: nn.Module) -> bool:
    """Whether a layer makes `[T, B, prod(N)]` of `[T, B, *N]`."""
    return type(layer) is nn.Flatten and layer.start_dim == 2 and layer.end_dim == -1


def passes(layer: nn.Module) -> bool:
    """Whether a layer does nothing."""
    return type(layer) is nn.Identity or (isinstance(layer, nn.Dropout) and not layer.training)


def drops(layer: nn.Module) -> bool:
    """Whether a layer is dropout at work that leaves something, with random numbers that kernels can draw."""
    return type(layer) is nn.Dropout and layer.training and 0 <= layer.p < 1 and draws_as_torch()


def _share(layer: nn.Module) -> float:
    return layer.p if isinstance(layer, nn.Dropout) and layer.training else 0.0


def wants_bits(layers: list[nn.Module], index: int) -> bool:
    """Whether the next layer that does anything is one that works on bits."""
    for layer in layers[index:]:
        found = weighted(layer)
        if found is not None:
            return _works(found)
        if type(layer) is OverTime and averages(layer.module):
            return True
        pools = type(layer) is OverTime and type(layer.module) is nn.MaxPool2d
        # a layer in between that needs floats would unpack the bits at once
        if not (pools or isinstance(layer, nn.Flatten | nn.Dropout) or passes(layer)):
            return False
    return False


# -- from floats to bits and back --------------------------------------------------------------------------------------


def fits(flow: Tensor) -> bool:
    """Whether neurons may turn a tensor of currents into bits."""
    return flow.dim() > 2 and flow.dtype == torch.float32 and flow.numel() > 0 and runs_native(flow)


def spikes_into(
    layer: Weighted, flow: Tensor | Spikes, *, following: nn.Module | None = None, count: bool = False
) -> Spikes | None:
    """What flows into a weighted layer as bits; None if it is not spikes, does not fit, or is faster as floats, which depends
    on the layer `following`.

    `count`: somebody will ask how often each fired, which costs least while they are packed.
    """
    if not _works(layer):
        return None
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
        if not _countable(flow):
            return None
        if geometry is not None and not worth_packing(geometry, shape[0], shape[1], fires=is_fused(following)):
            return None
        # the gradient of its weights reads the bits turned, and turning them while packing costs half (decision 0096)
        learns = geometry is None and layer.weight.requires_grad and torch.is_grad_enabled()
        packed = bits.pack(flow, count=count, turn=learns)
        if packed is None:
            return None
        flow = Spikes(packed, flow if flow.requires_grad else None)
    # asked of the bits themselves: how many fired decides, and is known only now
    if geometry is not None and cheapest(geometry, flow.planes, fires=is_fused(following)) == "dense":
        return None
    return flow


def _countable(flow: Tensor) -> bool:
    """Whether a tensor may be spikes that are worth packing; graded ones are found out in their first row."""
    return flow.dtype == torch.float32 and flow.numel() > 0 and not stands_still(flow) and runs_native(flow)


def _works(layer: Weighted) -> bool:
    """Whether kernels may take a layer's weight and bias: float32, on the CPU, of no kind of their own."""
    weight, bias = layer.weight, layer.bias  # asked for once each: a module's attributes are slow
    if weight.dtype != torch.float32 or weight.dim() < 2 or not runs_native(weight):
        return False
    return bias is None or (bias.dtype == torch.float32 and runs_native(bias))


def stands_still(flow: Tensor) -> bool:
    """Whether a tensor is one image, shown at every step."""
    # `expand` made it: direct coding costs no memory, and needs one product in place of T
    return flow.dim() > 2 and flow.shape[0] > 1 and flow.stride(0) == 0


def floats(flow: Tensor | Spikes) -> Tensor:
    """What flows, as an ordinary tensor."""
    if isinstance(flow, Tensor):
        return flow
    if flow.made is not None:
        return flow.made
    spikes: Tensor = _Unpack.apply(flow.token, flow.planes) if flow.token is not None else flow.planes.dense()
    return spikes if flow.scale == 1 else spikes * flow.scale


def ran(layer: nn.Module, values: Tensor) -> Tensor | Spikes:
    """What a layer makes of floats, with its bits where its kernel sent them; for a caller who knows that nobody has a
    hook on the layer that may write into what it gives."""
    if not bits.is_untouched(layer):
        out: Tensor = layer(values)
        return out
    spikes, planes = bits.with_bits(layer, values)
    return spikes if planes is None else Spikes.beside(spikes, planes)


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
        return linear(spikes.token, spikes.planes, _worth(layer, spikes), layer.bias)
    geometry, method = _way(layer, spikes)
    return convolve(spikes.token, spikes.planes, _worth(layer, spikes), layer.bias, geometry, method)


def pairs_from(layers: list[nn.Module], index: int, *, past_dropout: bool = False) -> tuple[Pairs, int]:
    """A weighted layer that `spikes_into` took, with its neurons behind it; of linear ones, all that follow and fit, with
    `past_dropout` also past what drops spikes in between, or does nothing; and how many of the layers they are."""
    pairs: Pairs = []
    at, taken, width, share = index, 0, 0, 0.0
    while at + 1 < len(layers):
        found, following = weighted(layers[at]), layers[at + 1]
        if found is None or not is_fused(following) or (pairs and not _works(found)):
            break
        if pairs and not (isinstance(found, nn.Linear) and width == found.in_features):
            break
        pairs.append(Pair(found, following, share))
        at += 2
        taken = at - index
        # the kernel that runs several layers in one go knows linear ones; a convolution and its neurons are one node
        if not isinstance(found, nn.Linear):
            break
        width, share = found.weight.shape[0], 0.0
        while past_dropout and at < len(layers) and (passes(layers[at]) or (not share and drops(layers[at]))):
            share, at = share or _share(layers[at]), at + 1
    return pairs, taken


def stacked(pairs: Pairs, spikes: Spikes, *, sends: Sends) -> Tensor | Spikes:
    """Layers from `pairs_from` as one node of autograd's graph; linear ones send what is wanted, others bits."""
    first, neuron, _ = pairs[0]
    if not isinstance(first, nn.Linear):
        return _convolved(first, neuron, spikes)
    found, sent = stack(spikes.token, spikes.planes, _layers(pairs, spikes), sends=sends)
    return _sent(found, sent[-1], sends)


def stacked_and_counted(
    pairs: Pairs, spikes: Spikes, *, sends: Sends
) -> tuple[Tensor | Spikes, list[bits.Planes], list[Deeds]]:
    """The same, and of each pair the spikes that it sent, and what its neurons did."""
    first, neuron, _ = pairs[0]
    if not isinstance(first, nn.Linear):
        active = torch.zeros(_outputs(first, spikes), dtype=torch.int64)
        one = _convolved(first, neuron, spikes, active)
        return one, [one.planes], [of_active(active, one.planes)]
    counts = rooms([each.layer.weight.shape[0] for each in pairs], spikes.planes.shape[0])
    found, sent = stack(spikes.token, spikes.planes, _layers(pairs, spikes), sends=sends, counts=counts)
    return _sent(found, sent[-1], sends), sent, done(counts, sent)


def _convolved(layer: nn.Conv1d | nn.Conv2d, neuron: Any, spikes: Spikes, active: Tensor | None = None) -> Spikes:
    """A convolution and its neurons; how often each one's current was not zero is added to `active`."""
    geometry, method = _way(layer, spikes)
    token, planes = convolve_fire(
        spikes.token, spikes.planes, _worth(layer, spikes), layer.bias, neuron.decay(), _settings(neuron), geometry,
        method, active,
    )  # fmt: skip
    return Spikes(planes, token)


def _layers(pairs: Pairs, spikes: Spikes) -> list[Layer]:
    layers = [
        Layer(layer.weight, layer.bias, neuron.decay(), _settings(neuron), share) for layer, neuron, share in pairs
    ]
    if spikes.scale != 1:
        layers[0] = layers[0]._replace(worth=spikes.scale)
    return layers


def _sent(found: Tensor, planes: bits.Planes, sends: Sends) -> Tensor | Spikes:
    return Spikes(planes, found) if sends == "bits" else found


def _outputs(layer: nn.Conv1d | nn.Conv2d, spikes: Spikes) -> tuple[int, ...]:
    """The shape `[*N]` of a convolution's outputs."""
    geometry, _ = _way(layer, spikes)
    return (geometry.filters, *(geometry.out[1:] if isinstance(layer, nn.Conv1d) else geometry.out))


def _worth(layer: Weighted, spikes: Spikes) -> Tensor:
    """A layer's weights for spikes of a scale."""
    # a factor on every spike is one on the weights, which are fewer
    return layer.weight if spikes.scale == 1 else layer.weight * spikes.scale


def _way(layer: nn.Conv1d | nn.Conv2d, spikes: Spikes) -> tuple[Geometry, int]:
    geometry = geometry_of(layer, spikes.planes.shape[2:])
    assert geometry is not None  # `spikes_into` asked
    return geometry, METHODS[cheapest(geometry, spikes.planes, dense=False)]


def fired(neuron: Any, currents: Tensor) -> Spikes:
    """What neurons make of currents, as bits."""
    token, planes = fire_planes(currents, neuron.decay(), _settings(neuron))
    return Spikes(planes, token.view(currents.shape))


def _settings(neuron: Neuron) -> Settings:
    return settings_of(neuron.threshold, neuron.reset, neuron.reset_delay, neuron.surrogate, neuron.inclusive)


def pooled(layer: nn.Module, spikes: Spikes) -> Spikes | None:
    """Max pooling of spikes, which is whether any of a window's fired; None of any other layer."""
    inner = layer.module if type(layer) is OverTime else None
    pooling = pooling_of(inner, spikes.planes.shape[2:]) if type(inner) is nn.MaxPool2d else None
    if pooling is None:
        return None
    token, planes = max_pool(spikes.token, spikes.planes, pooling)
    return Spikes(planes, token, spikes.scale)


def averaged(layers: list[nn.Module], index: int, spikes: Spikes) -> Tensor | Spikes | None:
    """Average pooling of spikes: how many of each window fired, where the weighted layer behind it is faster on these, or else
    floats; None of any other layer."""
    layer = layers[index]
    inner = layer.module if type(layer) is OverTime else None
    pooling = averaging_of(inner, spikes.planes.shape[2:]) if type(inner) is nn.AvgPool2d else None
    if pooling is None or spikes.made is not None:
        return None
    shape = (*spikes.planes.shape[:2], pooling.channels, *pooling.out)
    if has_levels(pooling) and _takes_levels(
        layers[index + 1 :], shape, spikes.planes.spikes, math.prod(pooling.kernel)
    ):
        token, sums = sum_pool(spikes.token, spikes.planes, pooling)
        return Spikes(sums, token, spikes.scale / pooling.divisor)
    means = average_pool(spikes.token, spikes.planes, pooling)
    return means if spikes.scale == 1 else means * spikes.scale


def _takes_levels(layers: list[nn.Module], shape: tuple[int, ...], spikes: int, levels: int) -> bool:
    """Whether the next of some layers that does anything is a weighted one, and faster on so many spikes in levels than on
    floats of a shape."""
    while layers and (flattens(layers[0]) or passes(layers[0])):
        shape = (*shape[:2], math.prod(shape[2:])) if flattens(layers[0]) else shape
        layers = layers[1:]
    found = weighted(layers[0]) if layers else None
    if found is None or not _works(found):
        return False
    rows, fires = shape[0] * shape[1], is_fused(layers[1] if len(layers) > 1 else None)
    if isinstance(found, nn.Linear):  # alone, without neurons, it takes bits of one level
        costs = estimates(rows, shape[-1], found.out_features, spikes) if fires and len(shape) == 3 else None
    else:
        geometry = geometry_of(found, shape[2:]) if len(shape) > 3 else None
        costs = convolved(geometry, 1, rows, spikes, fires=fires, levels=levels) if geometry is not None else None
    return costs is not None and costs["events"] < costs["dense"]


def dropped(spikes: Spikes, share: float) -> Spikes | None:
    """What dropout leaves: a spike stays where `torch.rand(T, B, *N) < 1 - share`; None where floats have to do it.

    The rest are zero bits, and each spike that stays is worth `1 / (1 - share)`, which goes into the product's weights.
    """
    if not 0 < share < 1:
        return spikes if share == 0 else None
    stays = dropout(spikes.planes.shape, share)
    # a generator or a machine whose numbers the kernel cannot draw in torch's order
    if stays is None:
        return None
    token = None if spikes.token is None else token_left(spikes.token, stays)
    return Spikes(bits.Planes(spikes.planes.words & stays.words, stays.shape), token, spikes.scale / (1 - share))
