"""How often each place of a float tensor is not zero, in one read of it."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .choice import native, runs_native

#: the native core's classes, in its order
_CLASSES: tuple[Literal["silent", "spikes", "graded"], ...] = ("silent", "spikes", "graded")


class Look(NamedTuple):
    """Non-zero values of each place `[prod(N)]` and of each step `[T]`, int64; their class, and their one magnitude."""

    places: NDArray[np.int64]
    steps: NDArray[np.int64]
    inputs: Literal["silent", "spikes", "graded"]
    magnitude: float


def look(values: Tensor, rows: int, *, by_step: bool = False) -> Look | None:
    """The counts of `[*rows, *N]`; None where the native core cannot look. `by_step`: the first of two rows is time."""
    if values.dtype is not torch.float32 or values.is_neg() or not runs_native(values):
        return None
    shape = values.shape
    total = values.numel()
    if not total:
        return None
    steps, batch = (shape[0], shape[1:rows].numel()) if by_step else (1, shape[:rows].numel())
    width = total // (steps * batch)
    if values.is_contiguous():
        step_stride, row_stride = batch * width, width
    elif rows == 2 and values[0, 0].is_contiguous():
        steps, batch = shape[0], shape[1]
        step_stride, row_stride = values.stride(0), values.stride(1)
    else:
        return None
    core = native()
    assert core is not None
    counts = np.zeros(width + steps, np.int64)
    start = counts.ctypes.data
    kind, magnitude = core.census(
        values.data_ptr(), steps, batch, width, step_stride, row_stride, start, start + 8 * width
    )
    return Look(counts[:width], counts[width:], _CLASSES[kind], magnitude if kind == 1 else 0.0)


def nonzero(values: Tensor) -> Tensor:
    """How often each place of float32 values `[T, B, *N]` on the CPU is not zero, int64 `[*N]`."""
    found = look(values.contiguous(), 2)
    if found is None:
        return (values != 0).sum((0, 1))
    return torch.from_numpy(found.places).view(values.shape[2:])
