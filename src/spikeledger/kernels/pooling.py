"""Pooling of spikes on bit planes: a window's maximum is whether any of its neurons fired, its mean how many did, as floats or as
levels."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from . import native as core
from .planes import Planes, empty_words
from .refusal import once
from .sizes import Sizes

Pair = tuple[int, int]
_WIDEST = 64  # of an averaged window: its row is one word
_MOST_LEVELS = 16  # each neuron of a window is compared with all before it


class Pooling(NamedTuple):
    """Sizes of a pooling: channels, image in and out, window, and its steps."""

    channels: int
    image: Pair
    out: Pair
    kernel: Pair
    stride: Pair
    padding: Pair
    dilation: Pair
    #: what a window's sum is divided by; 0: its maximum is taken
    divisor: int = 0

    @property
    def is_plain(self) -> bool:
        """Whether its windows lie beside each other."""
        return self.kernel == self.stride and self.padding == (0, 0) and self.dilation == (1, 1)


def pooling_of(layer: nn.MaxPool2d, shape: tuple[int, ...]) -> Pooling | None:
    """The sizes of a layer on images `[C, H, W]`; None of one that is left to torch."""
    if layer.return_indices or layer.ceil_mode or len(shape) != 3 or min(shape) < 1:
        return None
    kernel, padding, dilation = (_pair(size) for size in (layer.kernel_size, layer.padding, layer.dilation))
    stride = kernel if layer.stride is None else _pair(layer.stride)
    out = [
        (size + 2 * p - d * (k - 1) - 1) // s + 1
        for size, k, s, p, d in zip(shape[1:], kernel, stride, padding, dilation, strict=True)
    ]
    # of what is not legal torch says best why; with both of the others a window may lie beside the image altogether
    legal = all(2 * p <= k for p, k in zip(padding, kernel, strict=True)) and (dilation == (1, 1) or padding == (0, 0))
    if min(out) < 1 or not legal:
        return None
    return Pooling(shape[0], (shape[1], shape[2]), (out[0], out[1]), kernel, stride, padding, dilation)


def averaging_of(layer: nn.AvgPool2d, shape: tuple[int, ...]) -> Pooling | None:
    """The sizes of a layer on images `[C, H, W]`; None of one that is left to torch."""
    if not averages(layer) or len(shape) != 3:
        return None
    kernel = _pair(layer.kernel_size)
    out = (shape[1] // kernel[0], shape[2] // kernel[1])
    if min(out) < 1 or shape[0] < 1:
        return None
    divisor = math.prod(kernel) if layer.divisor_override is None else layer.divisor_override
    return Pooling(shape[0], (shape[1], shape[2]), out, kernel, kernel, (0, 0), (1, 1), divisor)


def averages(layer: nn.Module) -> bool:
    """Whether a layer is an average pooling that the kernels know, of any image: its windows lie beside each other."""
    if (
        type(layer) is not nn.AvgPool2d
        or layer.ceil_mode
        or _pair(layer.padding) != (0, 0)
        or layer.divisor_override == 0
    ):
        return False
    kernel = _pair(layer.kernel_size)
    return kernel == _pair(layer.stride) and min(kernel) >= 1 and kernel[1] <= _WIDEST


def _pair(size: Any) -> Pair:
    return (int(size[0]), int(size[1])) if isinstance(size, tuple | list) else (int(size), int(size))


def max_pool(token: Tensor | None, planes: Planes, pooling: Pooling) -> tuple[Tensor | None, Planes]:
    """Spikes `[T, B, C, H', W']`, as bits and a token for their gradient, of spikes `[T, B, C, H, W]`."""
    shape = (*planes.shape[:2], pooling.channels, *pooling.out)
    words = empty_words(planes.rows, pooling.channels * pooling.out[0] * pooling.out[1])
    core.pool(_sizes(planes, pooling), planes.words, words, sums=False)
    carrier = None if token is None else _Pool.apply(token, planes, pooling)
    return carrier, Planes(words, shape)


class _Pool(torch.autograd.Function):
    """The gradient's way back, which is torch's: to the first of a window's spikes, or to its first neuron; or, of sums, to
    all of them."""

    @staticmethod
    def forward(ctx: Any, token: Tensor, planes: Planes, pooling: Pooling) -> Tensor:
        ctx.planes, ctx.pooling = planes, pooling
        return token.new_zeros(1).expand(*planes.shape[:2], pooling.channels, *pooling.out)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        return _go_back(grad, ctx.planes, ctx.pooling), None, None


def average_pool(token: Tensor | None, planes: Planes, pooling: Pooling) -> Tensor:
    """Means `[T, B, C, H', W']` of spikes `[T, B, C, H, W]`, as floats; `token` takes the spikes' gradient."""
    if token is None:
        return _averaged(planes, pooling)
    means: Tensor = _AveragePool.apply(token, planes, pooling)
    return means


def _averaged(planes: Planes, pooling: Pooling) -> Tensor:
    means = torch.empty(*planes.shape[:2], pooling.channels, *pooling.out)
    core.average_pool(_sizes(planes, pooling), planes.words, pooling.divisor, means)
    return means


def has_levels(pooling: Pooling) -> bool:
    """Whether windows are so small that `sum_pool` takes them."""
    return math.prod(pooling.kernel) <= _MOST_LEVELS


def sum_pool(token: Tensor | None, planes: Planes, pooling: Pooling) -> tuple[Tensor | None, Planes]:
    """How many of each window fired, `[T, B, C, H', W']`, as levels of bits and a token for the gradient of these numbers."""
    levels, places = math.prod(pooling.kernel), pooling.channels * math.prod(pooling.out)
    words = empty_words(planes.rows, levels * places)
    core.pool(_sizes(planes, pooling), planes.words, words, sums=True)
    carrier = None if token is None else _Pool.apply(token, planes, pooling._replace(divisor=1))
    return carrier, Planes(words, (*planes.shape[:2], pooling.channels, *pooling.out), levels=levels)


class _AveragePool(torch.autograd.Function):
    """The gradient goes back to all neurons of a window in equal shares."""

    @staticmethod
    def forward(ctx: Any, token: Tensor, planes: Planes, pooling: Pooling) -> Tensor:
        ctx.planes, ctx.pooling = planes, pooling
        return _averaged(planes, pooling)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        return _go_back(grad, ctx.planes, ctx.pooling), None, None


def _go_back(grad: Tensor, planes: Planes, pooling: Pooling) -> Tensor | None:
    """The gradient of the token of spikes that were pooled: owed, where the layer that fired takes it so."""
    last = grad.flatten(0, 1).is_contiguous(memory_format=torch.channels_last)
    owed = Owed(grad.detach() if last else grad.detach().contiguous(), planes, pooling, grad.new_zeros(1), last)
    if planes.owed is not None and pooling.is_plain and not torch.is_grad_enabled():
        planes.owed.append(owed)
        return owed.token.expand(planes.shape)
    (to_token,) = once((owed.made(),), (grad,), "an event-driven layer")
    return to_token


class Owed(NamedTuple):
    """A gradient of pooled spikes that goes on as it is: the layer that fired makes of it that of its own spikes, row by
    row. What autograd sees is a zero, `token`. Its channels may lie last."""

    grad: Tensor
    planes: Planes
    pooling: Pooling
    token: Tensor
    last: bool

    def made(self) -> Tensor:
        """That of the spikes `[T, B, C, H, W]`, channels last."""
        if self.pooling.divisor:
            return self._shared()
        with torch.no_grad():
            last = torch.empty(self.planes.rows, *self.pooling.image, self.pooling.channels)
            core.max_pool_back(_sizes(self.planes, self.pooling), self.planes.words, self.grad.contiguous(), last)
            return last.permute(0, 3, 1, 2).unflatten(0, self.planes.shape[:2])

    def _shared(self) -> Tensor:
        """In equal shares; zero where no window looks."""
        p = self.pooling
        with torch.no_grad():
            spread = torch.zeros(self.planes.shape)
            windows = spread[..., : p.out[0] * p.kernel[0], : p.out[1] * p.kernel[1]]
            windows.unflatten(-1, (p.out[1], p.kernel[1])).unflatten(-3, (p.out[0], p.kernel[0])).copy_(
                (self.grad / p.divisor)[..., None, :, None]
            )
        return spread

    @property
    def pooled(self) -> core.Pooled:
        """As the native core wants it."""
        words = None if self.pooling.divisor else self.planes.words
        return _sizes(self.planes, self.pooling), words, self.pooling.divisor

    def is_all_of(self, grad: Tensor) -> bool:
        """Whether nothing was added to the zero."""
        return grad.data_ptr() == self.token.data_ptr()


def _sizes(planes: Planes, pooling: Pooling) -> Sizes:
    """Those of a convolution with as many filters as channels."""
    steps, batch = planes.shape[:2]
    return Sizes(
        steps, batch, pooling.channels, pooling.image, pooling.channels, pooling.out, pooling.kernel, pooling.stride,
        pooling.padding, pooling.dilation,
    )  # fmt: skip
