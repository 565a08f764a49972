"""One look at a tensor: how often each place was non-zero, and whether all non-zero values are one spike's size."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor


class Census(NamedTuple):
    """Non-zero values of each place, int64 `[*features]`, and their class over all rows."""

    nonzero: Tensor
    inputs: Literal["silent", "spikes", "graded"]
    magnitude: float


def census(values: Tensor, rows: int) -> Census:
    """Count the non-zero values of `[*rows, *features]` for each place, and classify them.

    They are `spikes` if all have one magnitude (0/1, ±1, or spikes scaled by one constant), else `graded`.
    """
    flat = values.detach().reshape(-1, *values.shape[rows:]) if rows else values.detach()[None]
    present = flat != 0
    nonzero = present.sum(0, dtype=torch.int64)
    total = int(nonzero.sum())
    if total == 0:
        return Census(nonzero, "silent", 0.0)
    if values.dtype == torch.bool:
        return Census(nonzero, "spikes", 1.0)
    low, high = (float(edge) for edge in torch.aminmax(flat))
    peak = max(abs(low), abs(high))
    if low >= 0 and peak == 1:
        # between 0 and 1 the sum reaches the count only if every non-zero value is 1
        same = float(flat.sum(dtype=torch.float64)) == total
    else:
        same = not bool(torch.any(present & (flat.abs() != peak)))
    return Census(nonzero, "spikes" if same else "graded", peak if same else 0.0)
