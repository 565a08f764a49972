"""What pools: each operator as the number of its reads, and as a sum over windows where it is an average."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .origins import EVENTS, Origin

aten = torch.ops.aten
#: first and last-plus-one element of each window along one axis; what lies in the padding is left out
Spans = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Pool:
    """A pooling operator as it ran; `linear` is its sum over each window where it is an average, else None."""

    operator: str
    values: Tensor
    reads: int  # pairs of (element, window that holds it)
    linear: Callable[[Tensor], Tensor] | None
    spans: tuple[Spans, ...] = ()  # the windows along each of the last axes
    geometry: tuple[Any, ...] = ()
    leading: int = 0  # axes in front of the first pooled one, where `linear` works with any number of them
    sure: bool = True  # whether this pools whatever its values are; else only spikes, from place to place

    @property
    def overlaps(self) -> bool:
        """Whether any element is in two windows."""
        return any(a[1] > b[0] for windows in self.spans for a, b in itertools.pairwise(windows))

    def of_places(self, origin: Origin | None) -> bool:
        """Whether an average is one of spikes, or of pooled ones, over some of their places, behind samples and steps."""
        if origin is None or (origin.kind not in EVENTS and origin.fold is None):
            return False
        shape = self.values.shape
        if not origin.rows:
            return len(shape) >= 4 and self.leading >= 2
        known = (axes for axes in range(1, self.leading + 1) if shape[:axes].numel() == origin.rows)
        return any(len(shape) - axes > int(self.operator[-2]) for axes in known)


def _average_pool(dims: int) -> Callable[..., Pool]:
    functional: Any = {1: None, 2: aten.avg_pool2d, 3: aten.avg_pool3d}[dims]

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
            if dims == 1:  # has no divisor of its own
                step, pad = (stride or kernel)[0], padding[0]
                row: Tensor = aten.avg_pool2d(
                    x.unsqueeze(-2), [1, kernel[0]], [1, step], [0, pad], ceil_mode, count_include_pad, 1
                )
                return row.squeeze(-2)
            out: Tensor = functional(x, kernel, stride, padding, ceil_mode, count_include_pad, 1)
            return out

        reads, spans = _windows(values, dims, kernel, stride, padding, (1,), ceil_mode)
        geometry = (*kernel, *stride, *padding, ceil_mode, tuple(values.shape[-dims:]))
        return Pool(f"avg_pool{dims}d", values, reads, window_sum, spans, geometry)

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
        reads, _ = _windows(values, dims, kernel, stride, padding, dilation, ceil_mode)
        return Pool(f"max_pool{dims}d", values, reads, None)

    return rule


def _adaptive_average(values: Tensor, size: Sequence[int]) -> Pool:
    dims = len(size)
    spans = [adaptive_spans(n, m) for n, m in zip(values.shape[-dims:], size, strict=True)]

    def window_sum(x: Tensor) -> Tensor:
        for axis, windows in enumerate(spans, start=x.dim() - dims):
            x = torch.stack([x.narrow(axis, start, end - start).sum(axis) for start, end in windows], axis)
        return x

    geometry = (*size, tuple(values.shape[-dims:]))
    return Pool(
        f"adaptive_avg_pool{dims}d",
        values,
        _adaptive_reads(values, spans),
        window_sum,
        tuple(map(tuple, spans)),
        geometry,
    )


def _adaptive_max(values: Tensor, size: Sequence[int]) -> Pool:
    dims = len(size)
    spans = [adaptive_spans(n, m) for n, m in zip(values.shape[-dims:], size, strict=True)]
    return Pool(f"adaptive_max_pool{dims}d", values, _adaptive_reads(values, spans), None)


def _mean(
    values: Tensor, dims: Sequence[int] | None = None, keepdim: bool = False, *, dtype: Any = None
) -> Pool | None:
    axes = sorted(axis % values.dim() for axis in (dims if dims is not None else range(values.dim())))
    if not axes or axes[0] < 1:
        return None  # an average over time or batch: no pooling
    before = axes[0]
    last = axes == list(range(before, values.dim()))
    behind = tuple(axis - values.dim() for axis in axes)

    def window_sum(x: Tensor) -> Tensor:
        return x.sum(behind, keepdim)

    geometry = (*behind, keepdim, tuple(values.shape[before:]))
    spans = tuple(((0, size),) for size in values.shape[before:]) if last else ()
    return Pool(
        f"adaptive_avg_pool{len(axes)}d", values, values.numel(), window_sum, spans, geometry, before,
        sure=values.dim() >= 4 and last and before >= 2,
    )  # fmt: skip


def _amax(values: Tensor, dims: Sequence[int] = (), keepdim: bool = False) -> Pool | None:
    average = _mean(values, dims or None, keepdim)
    if average is None or not average.sure:
        return None
    return Pool(f"adaptive_max_pool{average.operator[-2:]}", values, values.numel(), None)


def sum_pool(values: Tensor, kernel: Sequence[int], stride: Sequence[int], ceil_mode: bool) -> Pool:
    """A sum over windows, which is an average up to a constant: LPPool of the first norm."""
    found: Pool = POOLS[f"avg_pool{len(kernel)}d"](values, kernel, stride, (0,) * len(kernel), ceil_mode)  # type: ignore[assignment]
    return found


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
    "amax": _amax,
}


def _windows(
    values: Tensor,
    dims: int,
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    ceil_mode: bool,
) -> tuple[int, tuple[Spans, ...]]:
    """Pairs of (element, window that holds it) of a whole tensor: what lies in the padding is not read; and the windows.

    Windows are boxes, so the pairs of a map are the product over its axes of the pairs along each.
    """
    pairs, spans = values.shape[:-dims].numel(), []
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
        spans.append(tuple((max(0, w * step - pad), min(size, w * step - pad + taps)) for w in range(count)))
    return pairs, tuple(spans)


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
