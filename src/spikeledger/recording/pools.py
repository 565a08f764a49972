"""What pools: each operator as the number of its reads, and as a sum over windows where it is an average."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

aten = torch.ops.aten


@dataclass(frozen=True)
class Pool:
    """A pooling operator as it ran; `linear` is its sum over each window where it is an average, else None."""

    operator: str
    values: Tensor
    reads: int  # pairs of (element, window that holds it)
    linear: Callable[[Tensor], Tensor] | None
    overlaps: bool = True  # whether any element is in two windows
    geometry: tuple[Any, ...] = ()


def _average_pool(dims: int) -> Callable[..., Pool]:
    functional: Any = {1: torch.nn.functional.avg_pool1d, 2: aten.avg_pool2d, 3: aten.avg_pool3d}[dims]

    def rule(
        values: Tensor,
        kernel: Sequence[int],
        stride: Sequence[int] = (),
        padding: Sequence[int] = (0,),
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> Pool:
        def window_sum(x: Tensor) -> Tensor:
            if dims == 1:  # has no divisor: every average is over the whole window when padding counts
                size = next(iter(kernel))
                out: Tensor = functional(x, kernel, list(stride) or kernel, padding, ceil_mode, True) * size
            else:
                out = functional(x, kernel, stride, padding, ceil_mode, count_include_pad, 1)
            return out

        reads = _windows(values, dims, kernel, stride, padding, (1,), ceil_mode)
        steps = zip(_per_axis(kernel, dims), _per_axis(stride or kernel, dims), strict=True)
        overlaps = any(step < size for size, step in steps)
        geometry = (*kernel, *stride, *padding, ceil_mode, tuple(values.shape[-dims:]))
        return Pool(f"avg_pool{dims}d", values, reads, window_sum, overlaps, geometry)

    return rule


def _max_pool(dims: int) -> Callable[..., Pool]:
    def rule(
        values: Tensor,
        kernel: Sequence[int],
        stride: Sequence[int] = (),
        padding: Sequence[int] = (0,),
        dilation: Sequence[int] = (1,),
        ceil_mode: bool = False,
    ) -> Pool:
        reads = _windows(values, dims, kernel, stride, padding, dilation, ceil_mode)
        return Pool(f"max_pool{dims}d", values, reads, None)

    return rule


def _adaptive_average(values: Tensor, size: Sequence[int]) -> Pool:
    dims = len(size)
    spans = [adaptive_spans(n, m) for n, m in zip(values.shape[-dims:], size, strict=True)]

    def window_sum(x: Tensor) -> Tensor:
        for axis, windows in enumerate(spans, start=x.dim() - dims):
            x = torch.stack([x.narrow(axis, start, end - start).sum(axis) for start, end in windows], axis)
        return x

    overlaps = any(a[1] > b[0] for windows in spans for a, b in itertools.pairwise(windows))
    geometry = (*size, tuple(values.shape[-dims:]))
    return Pool(f"adaptive_avg_pool{dims}d", values, _adaptive_reads(values, spans), window_sum, overlaps, geometry)


def _adaptive_max(values: Tensor, size: Sequence[int]) -> Pool:
    dims = len(size)
    spans = [adaptive_spans(n, m) for n, m in zip(values.shape[-dims:], size, strict=True)]
    return Pool(f"adaptive_max_pool{dims}d", values, _adaptive_reads(values, spans), None)


def _mean(
    values: Tensor, dims: Sequence[int] | None = None, keepdim: bool = False, *, dtype: Any = None
) -> Pool | None:
    axes = sorted(axis % values.dim() for axis in (dims if dims is not None else range(values.dim())))
    if values.dim() < 4 or axes != list(range(values.dim() - len(axes), values.dim())) or axes[0] < 2:
        return None  # an average over time, batch or channels: no pooling

    def window_sum(x: Tensor) -> Tensor:
        return x.sum(axes, keepdim)

    geometry = (*axes, keepdim, tuple(values.shape[axes[0] :]))
    return Pool(f"adaptive_avg_pool{len(axes)}d", values, values.numel(), window_sum, False, geometry)


def _fractional_max(dims: int) -> Callable[..., Pool]:
    def rule(values: Tensor, kernel: Sequence[int], size: Sequence[int], samples: Tensor) -> Pool:
        window = 1
        for side in kernel:
            window *= side
        maps = values.shape[:-dims].numel()
        outputs = 1
        for side in size:
            outputs *= side
        return Pool(f"fractional_max_pool{dims}d", values, maps * outputs * window, None)

    return rule


#: aten operator -> the pooling that it is
POOLS: dict[str, Callable[..., Pool | None]] = {
    "avg_pool1d": _average_pool(1),
    "avg_pool2d": _average_pool(2),
    "avg_pool3d": _average_pool(3),
    "max_pool1d": _max_pool(1),
    "max_pool2d": _max_pool(2),
    "max_pool3d": _max_pool(3),
    "max_pool2d_with_indices": _max_pool(2),
    "max_pool3d_with_indices": _max_pool(3),
    "_adaptive_avg_pool2d": _adaptive_average,
    "_adaptive_avg_pool3d": _adaptive_average,
    "adaptive_max_pool2d": _adaptive_max,
    "adaptive_max_pool3d": _adaptive_max,
    "fractional_max_pool2d": _fractional_max(2),
    "fractional_max_pool3d": _fractional_max(3),
    "mean": _mean,
}


def _windows(
    values: Tensor,
    dims: int,
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    ceil_mode: bool,
) -> int:
    """Pairs of (element, window that holds it) of a whole tensor: what lies in the padding is not read.

    Windows are boxes, so the pairs of a map are the product over its axes of the pairs along each.
    """
    pairs = values.shape[:-dims].numel()
    axes = zip(
        values.shape[-dims:], _per_axis(kernel, dims), _per_axis(stride or kernel, dims), _per_axis(padding, dims),
        _per_axis(dilation, dims), strict=True,
    )  # fmt: skip
    for size, taps, step, pad, spread in axes:
        span = size + 2 * pad - spread * (taps - 1) - 1
        count = (-(-span // step) if ceil_mode else span // step) + 1
        if ceil_mode and (count - 1) * step >= size + pad:
            count -= 1  # a window that would start past the border is not made
        pairs *= sum(0 <= w * step - pad + t * spread < size for w in range(count) for t in range(taps))
    return pairs


def _adaptive_reads(values: Tensor, spans: list[list[tuple[int, int]]]) -> int:
    reads = values.shape[: values.dim() - len(spans)].numel()
    for windows in spans:
        reads *= sum(end - start for start, end in windows)
    return reads


def _per_axis(value: int | Sequence[int], dims: int) -> list[int]:
    numbers = [value] if isinstance(value, int) else list(value)
    return numbers * dims if len(numbers) == 1 else numbers


def adaptive_spans(size: int, windows: int) -> list[tuple[int, int]]:
    """First and last-plus-one element of each window of an adaptive pooling along one axis."""
    return [(index * size // windows, -(-(index + 1) * size // windows)) for index in range(windows)]
