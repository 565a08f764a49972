"""Max pooling of spikes on bit planes: a window's maximum is whether any of its neurons fired."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from . import native as core
from .planes import Planes, empty_words
from .refusal import once
from .sizes import Sizes

Pair = tuple[int, int]


class Pooling(NamedTuple):
    """Sizes of a max pooling: channels, image in and out, window, and its steps."""

    channels: int
    image: Pair
    out: Pair
    kernel: Pair
    stride: Pair
    padding: Pair
    dilation: Pair

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


def _pair(size: Any) -> Pair:
    return (int(size[0]), int(size[1])) if isinstance(size, tuple | list) else (int(size), int(size))


def max_pool(token: Tensor | None, planes: Planes, pooling: Pooling) -> tuple[Tensor | None, Planes]:
    """Spikes `[T, B, C, H', W']`, as bits and a token for their gradient, of spikes `[T, B, C, H, W]`."""
    shape = (*planes.shape[:2], pooling.channels, *pooling.out)
    words = empty_words(planes.rows, pooling.channels * pooling.out[0] * pooling.out[1])
    core.max_pool(_sizes(planes, pooling), planes.words, words)
    carrier = None if token is None else _MaxPool.apply(token, planes, pooling)
    return carrier, Planes(words, shape)


class _MaxPool(torch.autograd.Function):
    """The gradient's way back, which is torch's: to the first of a window's spikes, or to its first neuron."""

    @staticmethod
    def forward(ctx: Any, token: Tensor, planes: Planes, pooling: Pooling) -> Tensor:
        ctx.planes, ctx.pooling = planes, pooling
        return token.new_zeros(1).expand(*planes.shape[:2], pooling.channels, *pooling.out)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        owed = Owed(grad.detach().contiguous(), ctx.planes, ctx.pooling, grad.new_zeros(1))
        if ctx.planes.owed is not None and ctx.pooling.is_plain and not torch.is_grad_enabled():
            ctx.planes.owed.append(owed)
            return owed.token.expand(ctx.planes.shape), None, None
        (to_token,) = once((owed.made(),), (grad,), "an event-driven layer")
        return to_token, None, None


class Owed(NamedTuple):
    """A gradient of pooled spikes that goes on as it is: the layer that fired makes of it that of its own spikes, row by
    row. What autograd sees is a zero, `token`."""

    grad: Tensor
    planes: Planes
    pooling: Pooling
    token: Tensor

    def made(self) -> Tensor:
        """That of the spikes `[T, B, C, H, W]`, channels last."""
        with torch.no_grad():
            last = torch.empty(self.planes.rows, *self.pooling.image, self.pooling.channels)
            core.max_pool_back(self.sizes, self.planes.words, self.grad, last)
            return last.permute(0, 3, 1, 2).unflatten(0, self.planes.shape[:2])

    @property
    def sizes(self) -> Sizes:
        """As the native core wants them."""
        return _sizes(self.planes, self.pooling)

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
