"""One look at a tensor: how often each place was non-zero, and whether all non-zero values are one spike's size."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

#: elements looked at in one go: few enough to stay in the cache, so that several looks cost one read of memory
_BLOCK = 1 << 17


class Census(NamedTuple):
    """Non-zero values of each place, int64 `[*features]`, and their class over all rows."""

    nonzero: Tensor
    inputs: Literal["silent", "spikes", "graded"]
    magnitude: float

    def shaped(self, shape: tuple[int, ...]) -> Census:
        """The same census for places in another arrangement."""
        return self if tuple(self.nonzero.shape) == shape else self._replace(nonzero=self.nonzero.reshape(shape))


def census(values: Tensor, rows: int, *, unit: float | None = None, classify: bool = True) -> Census:
    """Count the non-zero values of `[*rows, *features]` for each place, and classify them.

    They are `spikes` if all have one magnitude (0/1, ±1, or spikes scaled by one constant), else `graded`. With a `unit`
    the values are whole numbers of spikes of that size (a neuron that may fire several times in a step), and are counted so.
    """
    values = values.detach()
    features = tuple(values.shape[rows:])
    repeats = 1
    for axis in range(rows):  # a broadcast axis (one image at every step) is looked at once
        if values.stride(axis) == 0 and values.shape[axis] > 1:
            repeats *= values.shape[axis]
            values = values.narrow(axis, 0, 1)
    flat = values.reshape(-1, *features).flatten(1) if features else values.reshape(-1, 1)
    if flat.numel() == 0:
        return Census(torch.zeros(features, dtype=torch.int64, device=values.device), "silent", 0.0)
    if flat.device.type == "cpu" and flat.dtype is not torch.bfloat16:
        nonzero, inputs, magnitude = _blocks(flat.numpy(), classify)
    else:
        nonzero, inputs, magnitude = _whole(flat)
    if unit is not None and inputs != "silent" and magnitude != unit:
        nonzero = torch.round(flat.abs().to(torch.float64) / unit).sum(0).to(torch.int64)
        inputs, magnitude = "spikes", unit
    return Census((nonzero * repeats if repeats > 1 else nonzero).reshape(features), inputs, magnitude)  # type: ignore[arg-type]


def _blocks(flat: NDArray[Any], classify: bool) -> tuple[Tensor, str, float]:
    """The census of `[rows, places]`, block by block in the cache; a block has at most 255 rows, so that bytes hold counts."""
    rows, places = flat.shape
    size = max(1, min(255, rows, _BLOCK // places))
    counts = np.zeros(places, np.int64)
    present = np.empty((size, places), np.bool_)
    equal = np.empty((size, places), np.bool_)
    peak = None  # the one magnitude so far
    graded = not classify
    for start in range(0, rows, size):
        block = flat[start : start + size]
        here = present[: len(block)]
        np.not_equal(block, 0, out=here)
        counts += np.add.reduce(here.view(np.uint8), axis=0, dtype=np.uint8)
        if graded:
            continue
        if peak is None:
            if not here.any():
                continue
            peak = abs(block.flat[int(here.argmax())])
        same = equal[: len(block)]
        np.equal(block, peak, out=same)
        if same.tobytes() != here.tobytes():
            if block.dtype == np.bool_ or np.issubdtype(block.dtype, np.unsignedinteger):
                graded = True
            else:
                graded = not np.array_equal(same | (block == -peak), here)
    if not counts.any():
        return torch.from_numpy(counts), "silent", 0.0
    if peak is None:
        return torch.from_numpy(counts), "graded", 0.0
    return torch.from_numpy(counts), "graded" if graded else "spikes", 0.0 if graded else float(peak)


def _whole(flat: Tensor) -> tuple[Tensor, str, float]:
    """The same in torch, for other devices and number formats."""
    present = flat != 0
    nonzero = present.sum(0, dtype=torch.int64)
    if not bool(nonzero.any()):
        return nonzero, "silent", 0.0
    size = flat.abs() if flat.dtype is not torch.bool else flat.to(torch.uint8)
    peak = size.max()
    same = not bool(torch.any(present & (size != peak)))
    return nonzero, "spikes" if same else "graded", float(peak) if same else 0.0
