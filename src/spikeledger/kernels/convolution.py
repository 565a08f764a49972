"""Convolutions of spikes on bit planes, alone or with the neurons behind them, forward and backward.

A window's spikes select rows of the weight, whose sum is the current: what a position costs follows from how many spikes
it sees. Inside, channels lie last; planes keep the order of their tensor.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from . import native as core
from .costs import PASS, PRICES, SUMS, measured
from .fire import decays
from .native import Settings
from .planes import Planes, empty_words
from .pooling import Owed
from .refusal import once
from .sizes import Sizes
from .surrogates import COMPACT_NUMBERS

Pair = tuple[int, int]
_MOST_BITS = 1 << 16  # of a padded row, channels included: an event is 16 bits
_MARGIN = 0.9  # what is not clearly cheaper stays dense
_MANY = 1 << 18  # weights, more than the second cache holds
_FEW_TAPS = 9  # of a window whose sums are one table
_BAND = 1 << 17  # currents of a band of rows, at all steps
_FILTERED = 1 << 14  # most weights of a filter's place: 16 times as many numbers lie in the second cache


@dataclass(frozen=True)
class Geometry:
    """Sizes of a two-dimensional convolution: channels and image in, filters and image out, kernel, and its steps."""

    channels: int
    image: Pair
    filters: int
    out: Pair
    kernel: Pair
    stride: Pair
    padding: Pair
    dilation: Pair

    @property
    def taps(self) -> int:
        """Weights of one filter."""
        return self.channels * math.prod(self.kernel)

    @property
    def places(self) -> int:
        """Positions of the output."""
        return math.prod(self.out)

    def sizes(self, planes: Planes) -> Sizes:
        """As the native core wants them, for images of these spikes."""
        steps, batch = planes.shape[:2]
        return Sizes(
            steps, batch, self.channels, self.image, self.filters, self.out, self.kernel, self.stride, self.padding,
            self.dilation, planes.levels,
        )  # fmt: skip


def geometry_of(layer: nn.Conv1d | nn.Conv2d, shape: tuple[int, ...]) -> Geometry | None:
    """The geometry of a layer on images `[C, H, W]` (or rows `[C, L]`); None of one that the kernels do not know."""
    flat = isinstance(layer, nn.Conv1d)
    fits = len(shape) == (2 if flat else 3) and shape[0] == layer.in_channels and min(shape) > 0
    if not fits or layer.groups != 1 or layer.padding_mode != "zeros":
        return None
    if layer.weight.shape != (layer.out_channels, layer.in_channels, *layer.kernel_size):  # torch goes by the weight
        return None
    kernel, stride, dilation = (_pair(sizes) for sizes in (layer.kernel_size, layer.stride, layer.dilation))
    if isinstance(layer.padding, str):
        around = [d * (k - 1) if layer.padding == "same" else 0 for k, d in zip(kernel, dilation, strict=True)]
        if any(size % 2 for size in around):  # torch pads one side more
            return None
        padding = (around[0] // 2, around[1] // 2)
    else:
        padding = _pair(layer.padding, 0)
    image = (1, shape[1]) if flat else (shape[1], shape[2])
    out = tuple(
        (size + 2 * p - d * (k - 1) - 1) // s + 1
        for size, k, s, p, d in zip(image, kernel, stride, padding, dilation, strict=True)
    )
    padded = (out[1] - 1) * stride[1] + (kernel[1] - 1) * dilation[1] + 1
    if min(out) < 1 or padded * shape[0] > _MOST_BITS - 64:
        return None
    return Geometry(shape[0], image, layer.out_channels, (out[0], out[1]), kernel, stride, padding, dilation)


def _pair(sizes: tuple[int, ...], first: int = 1) -> Pair:
    return (first, sizes[0]) if len(sizes) == 1 else (sizes[0], sizes[1])


def convolve(
    token: Tensor | None, planes: Planes, weight: Tensor, bias: Tensor | None, geometry: Geometry, method: int
) -> Tensor:
    """Currents `[T, B, F, *N]`, channels last in memory, of spikes `[T, B, C, *N]`; `token` takes their gradient."""
    out: Tensor = _Convolve.apply(token, weight, bias, planes, geometry, method)
    return out.view(*planes.shape[:2], geometry.filters, *_seen(geometry, weight))


def convolve_fire(
    token: Tensor | None,
    planes: Planes,
    weight: Tensor,
    bias: Tensor | None,
    beta: Tensor | float,
    settings: Settings,
    geometry: Geometry,
    method: int,
    active: Tensor | None = None,
) -> tuple[Tensor, Planes]:
    """Spikes `[T, B, F, *N]`, as bits and a token for their gradient, of a convolution and the neurons behind it.

    Into `active`, int64 `[F, *N]`, goes how often each neuron's current was not zero.
    """
    shape = (geometry.filters, *_seen(geometry, weight))
    decay = decays(beta, shape, weight.device).view(geometry.filters, -1).t().reshape(-1)  # position by position
    learns = torch.is_grad_enabled()  # no node sees that: gradients are always off inside
    near = None
    if learns and settings.surrogate in COMPACT_NUMBERS:
        near = empty_words(planes.rows, geometry.places * geometry.filters)
    owed: list[Owed] = []
    out, words = _ConvolveFire.apply(
        token, weight, bias, decay, planes, settings, geometry, method, active, learns, near, owed
    )
    return out.view(*planes.shape[:2], *shape), Planes(words, (*planes.shape[:2], *shape), near=near, owed=owed)


def _seen(geometry: Geometry, weight: Tensor) -> tuple[int, ...]:
    return geometry.out if weight.dim() == 4 else geometry.out[1:]


class _Convolve(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        token: Tensor | None,
        weight: Tensor,
        bias: Tensor | None,
        planes: Planes,
        geometry: Geometry,
        method: int,
    ) -> Tensor:
        ctx.save_for_backward(weight)
        ctx.planes, ctx.geometry = planes, geometry
        ctx.like = None if token is None else token.shape
        out = torch.empty(planes.rows, *geometry.out, geometry.filters)
        weight, bias = weight.detach().contiguous(), None if bias is None else bias.contiguous()
        core.convolve(geometry.sizes(planes), planes.words, weight, bias, method, currents=out)
        return out.permute(0, 3, 1, 2)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        (weight,) = ctx.saved_tensors
        with torch.no_grad():
            flow = grad.contiguous(memory_format=torch.channels_last).permute(0, 2, 3, 1)
            found = _back(flow, None, weight, ctx.planes, ctx.geometry, ctx.needs_input_grad[:3], ctx.like)
        return (*once(found, (grad, weight), "an event-driven layer"), None, None, None)


class _ConvolveFire(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        token: Tensor | None,
        weight: Tensor,
        bias: Tensor | None,
        beta: Tensor,
        planes: Planes,
        settings: Settings,
        geometry: Geometry,
        method: int,
        active: Tensor | None,
        learns: bool,
        near: Tensor | None,
        owed: list[Owed],
    ) -> Any:
        kept = learns and any(ctx.needs_input_grad)
        currents = torch.empty(planes.rows * geometry.places * geometry.filters) if kept else None
        words = empty_words(planes.rows, geometry.places * geometry.filters)
        kernel, bias = weight.detach().contiguous(), None if bias is None else bias.contiguous()
        core.convolve_fire(
            geometry.sizes(planes), planes.words, kernel, bias, method, beta, settings, currents=currents, out=words,
            active=active, near=near,
        )  # fmt: skip
        ctx.save_for_backward(weight, beta, currents)
        ctx.planes, ctx.settings, ctx.geometry, ctx.owed = planes, settings, geometry, owed
        ctx.like = None if token is None else token.shape
        ctx.mark_non_differentiable(words)
        # one number stands for all spikes: autograd asks for their shape, not for their values
        return weight.new_zeros(1).expand(planes.rows, geometry.filters, *geometry.out), words

    @staticmethod
    def backward(ctx: Any, grad: Tensor, _words: Any) -> Any:
        weight, beta, currents = ctx.saved_tensors
        planes, settings, geometry = ctx.planes, ctx.settings, ctx.geometry
        wants = ctx.needs_input_grad
        with torch.no_grad():
            arrived, last, pooled = _arrived(grad, ctx.owed)
            to_beta = beta.new_empty(planes.shape[1], beta.numel()) if wants[3] else None
            fired = core.Fired(arrived, last, pooled, currents, beta, settings, to_beta)
            found = _back(None, fired, weight, planes, geometry, wants[:3], ctx.like)
            to_beta = None if to_beta is None else to_beta.sum(0)
        grads = once((*found, to_beta), (grad, weight, beta), "an event-driven layer")
        return (*grads, None, None, None, None, None, None, None, None)


def _arrived(grad: Tensor, owed: list[Owed]) -> tuple[Tensor, bool, core.Pooled | None]:
    """The gradient of spikes, whether its channels lie last, and what pooled them if it is that of what pooling made."""
    every = list(owed)
    owed.clear()
    if len(every) == 1 and every[0].is_all_of(grad):
        return every[0].grad, every[0].last, every[0].pooled
    for one in every:
        grad = grad + one.made().view(grad.shape)
    last = grad.is_contiguous(memory_format=torch.channels_last)
    return grad if last else grad.contiguous(), last, None


def _back(
    flow: Tensor | None,
    fired: core.Fired | None,
    weight: Tensor,
    planes: Planes,
    geometry: Geometry,
    wants: tuple[bool, ...],
    like: torch.Size | None,
) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """Gradients of spikes, weight and bias, from that of the currents `[T * B, *N, F]`, or of the neurons behind them."""
    steps, batch = planes.shape[:2]
    kernel = weight.detach().view(geometry.filters, geometry.channels, *geometry.kernel).contiguous()
    learns = wants[1] and cheapest(geometry, planes, learns=True) == "events"
    way = inputs_way(geometry, steps, batch, planes.near) if wants[0] else ""
    to_weight = torch.empty(kernel.shape) if learns else None
    to_bias = weight.new_empty(geometry.filters) if learns and wants[2] else None
    inputs = torch.empty(planes.rows, *geometry.image, geometry.channels) if way in ("near", "filtered") else None
    left = (way == "dense", wants[1] and not learns, wants[2] and not learns)  # to torch
    if flow is None and any(left):
        flow = torch.empty(planes.rows, *geometry.out, geometry.filters)
    core.convolve_back(
        geometry.sizes(planes), planes.words, kernel, fired=fired, flow=flow, weight=to_weight, bias=to_bias,
        near=planes.near if way == "near" else None, inputs=inputs,
    )  # fmt: skip
    images = None if inputs is None else inputs.permute(0, 3, 1, 2)
    if any(left):
        assert flow is not None
        found = _dense(flow.permute(0, 3, 1, 2), kernel, planes, geometry, left)
        before = (images, to_weight, to_bias)
        images, to_weight, to_bias = (a if asked else b for a, b, asked in zip(found, before, left, strict=True))
    to_token = None if images is None or like is None else images.unflatten(0, (steps, batch)).view(like)
    return to_token, None if to_weight is None else to_weight.view(weight.shape), to_bias


def _dense(
    flow: Tensor, kernel: Tensor, planes: Planes, geometry: Geometry, wants: tuple[bool, ...]
) -> tuple[Tensor | None, ...]:
    """Torch's gradients of images, kernel and bias, from that of the currents `[T * B, F, *N]`."""
    spikes = planes.dense().view(planes.rows, geometry.channels, *geometry.image) if wants[1] else flow.new_empty(1)
    if not wants[1]:
        spikes = spikes.expand(planes.rows, geometry.channels, *geometry.image)
    # torch is faster with channels last, but for tiny images
    layout = torch.channels_last if geometry.places > 25 else torch.contiguous_format
    found: tuple[Tensor | None, ...] = torch.ops.aten.convolution_backward(
        flow.contiguous(memory_format=layout), spikes, kernel.contiguous(memory_format=layout),
        [geometry.filters], geometry.stride, geometry.padding, geometry.dilation, False, (0, 0), 1, wants,
    )  # fmt: skip
    return found


# -- what it will cost -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Prices:
    """Nanoseconds of one thread for: a bit of the input put in order; a position's window, as events, as bits, or as bits of
    which a row of the kernel sees at most a word; a block of 64 filters there;
    16 weights of an event, forward, in the weight's gradient, and in the input's; a bit listed, and 16 filters of a
    position laid out, on the way back; a gradient added up for filtering, in or out; eight look-ups of 16 filters; a window
    of few taps, of 16 filters; a weight laid out, and its gradient's shares summed; a
    position, a number read or written, and a multiply-add of the dense product; a current of it that neurons then read."""

    arrange: float = 0.05
    window: float = 13.0
    streamed: float = 20.0
    streamed_narrow: float = 11.0
    block: float = 16.0
    event: float = 0.33
    learned: float = 0.19
    asked: float = 0.64
    listed: float = 0.7
    tiled: float = 4.5
    filtered: float = 0.6
    lookups: float = 4.5
    looked_up: float = 4.0
    laid_out: float = 0.5
    shared: float = 2.0
    dense_position: float = 7.0
    dense_value: float = 0.5
    dense: float = 0.011
    apart: float = 1.0


CONVOLUTION = Prices()


def cheapest(
    geometry: Geometry, planes: Planes, *, learns: bool = False, fires: bool = False, dense: bool = True
) -> str:
    """`events`, `subsets` or `dense`, whichever costs least; where it `learns`, for the gradient of the weight."""
    costs = estimates(
        geometry, planes.shape[0], planes.shape[1], planes.spikes, learns=learns, fires=fires, levels=planes.levels
    )
    if not dense:
        del costs["dense"]
    return min(costs, key=costs.__getitem__)


def inputs_way(geometry: Geometry, steps: int, batch: int, near: Tensor | None) -> str:
    """How the gradient of inputs costs least: of those that are `near` alone, of all `filtered`, or `dense`, torch's."""
    price, positions, lanes = CONVOLUTION, steps * batch * geometry.places, math.ceil(geometry.filters / 16)
    images = steps * batch * math.prod(geometry.image)
    costs = {"dense": _dense_cost(geometry, steps * batch)}
    plain = geometry.kernel == (3, 3) and geometry.stride == geometry.dilation == (1, 1)
    if plain and geometry.channels * geometry.filters <= _FILTERED and core.instruction_set() != "plain":
        wide = 16 * math.ceil(geometry.channels / 16)
        costs["filtered"] = images * (
            4 * wide * geometry.filters * price.dense + (geometry.filters + wide) * price.filtered
        )
    if near is not None:
        seen = core.count(near) * math.prod(geometry.kernel) * geometry.places / math.prod(geometry.image)
        listed = images * geometry.channels * price.listed + positions * lanes * price.tiled
        costs["near"] = listed + seen * lanes * price.asked
    return min(costs, key=costs.__getitem__)


def worth_packing(geometry: Geometry, steps: int, batch: int, *, fires: bool = False) -> bool:
    """Whether there is a density at which bits would cost less than floats."""
    costs = estimates(geometry, steps, batch, 0, fires=fires)
    return min(costs, key=costs.__getitem__) != "dense"


def _dense_cost(geometry: Geometry, rows: int) -> float:
    price, numbers = CONVOLUTION, geometry.channels * math.prod(geometry.image) + geometry.filters * geometry.places
    products = geometry.places * (price.dense_position + geometry.taps * geometry.filters * price.dense)
    return _MARGIN * rows * (products + numbers * price.dense_value)


def estimates(
    geometry: Geometry,
    steps: int,
    batch: int,
    spikes: int,
    *,
    learns: bool = False,
    fires: bool = False,
    levels: int = 1,
) -> dict[str, float]:
    """Nanoseconds of each method on one thread, for images `[T, B, ...]` with so many spikes in all; where it `fires`, neurons
    come next, which are one kernel with a convolution of bits, and read the currents of a dense one. Of spikes that were
    pooled, of which there are `levels`, only events are known."""
    price, own = CONVOLUTION, measured()
    events_here, subsets_here = own.event / PRICES.event, own.lookups / PRICES.lookups  # as `costs.remember` found
    rows, taps, filters = steps * batch, geometry.taps, geometry.filters
    positions, lanes = rows * geometry.places, math.ceil(filters / 16)
    blocks = math.ceil(lanes / 4)
    # an input's windows, on average: those at the border are fewer
    seen = spikes * math.prod(geometry.kernel) * geometry.places / math.prod(geometry.image)
    costs = {"dense": _dense_cost(geometry, rows) + (positions * filters * price.apart if fires else 0)}
    bits = rows * levels * geometry.channels * math.prod(geometry.image)
    if learns:
        tiles = bits * price.listed + positions * lanes * price.tiled
        costs["events"] = (tiles + seen * lanes * price.learned) * events_here + filters * taps * price.shared
        return costs
    arranged, weights = bits * price.arrange, filters * taps * price.laid_out
    windows = blocks if filters * taps > _MANY else 1  # a large weight is taken block by block
    visits = positions * (windows * price.window + blocks * price.block)
    costs["events"] = (arranged + visits + seen * lanes * price.event) * events_here + weights
    if levels > 1:
        return costs
    band = min(geometry.out[0], max(1, _BAND // max(1, steps * geometry.out[1] * filters)))
    tables = batch * math.ceil(geometry.out[0] / band) * SUMS * PRICES.entry
    passes = math.ceil(taps / PASS)
    narrow = geometry.kernel[1] * geometry.channels <= 64 and geometry.dilation[1] == 1
    window = price.streamed_narrow if narrow else price.streamed
    lookups = positions * window + lanes * passes * (positions * price.lookups + tables)
    if taps <= _FEW_TAPS and geometry.dilation[1] == 1:
        lookups = positions * (price.looked_up + lanes * price.looked_up)
    costs["subsets"] = (arranged + lookups) * subsets_here + weights
    return costs
