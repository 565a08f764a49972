"""One look at a tensor: how often each place was non-zero, and whether all non-zero values are one spike's size."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import Parameter

from ..activity import InputClass
from ..kernels.counts import look

#: number formats that numpy has too, and that networks compute with
_FORMATS = (torch.float32, torch.float64, torch.float16)
#: elements looked at in one go: few enough to stay in the cache, so that several looks cost one read of memory
_BLOCK = 1 << 17


class Census(NamedTuple):
    """Non-zero values of each place, int64 `[*features]`, and their class over all rows."""

    nonzero: NDArray[np.int64]
    inputs: InputClass
    magnitude: float

    def shaped(self, shape: tuple[int, ...]) -> Census:
        """The same census for places in another arrangement."""
        return self if self.nonzero.shape == shape else self._replace(nonzero=self.nonzero.reshape(shape))


def census(values: Tensor, rows: int, *, unit: float | None = None, classify: bool = True) -> Census:
    """Count the non-zero values of `[*rows, *features]` for each place, and classify them.

    They are `spikes` if all have one magnitude (0/1, ±1, or spikes scaled by one constant), else `graded`. With a
    `unit` the values are whole numbers of spikes of that size (a neuron that may fire several times in a step), and are
    counted so. Without `classify` what is not silent is called graded, unlooked.
    """
    features = tuple(values.shape[rows:])
    if (seen := _at_once(values, rows, unit, classify)) is not None:
        return seen.shaped(features)
    values = values.detach()
    repeats = 1
    for axis in range(rows):  # a broadcast axis (one image at every step) is looked at once
        if values.stride(axis) == 0 and values.shape[axis] > 1:
            repeats *= values.shape[axis]
            values = values.narrow(axis, 0, 1)
    if values.numel() == 0:
        return Census(np.zeros(features, np.int64), "silent", 0.0)
    if repeats > 1 and (seen := _at_once(values, rows, unit, classify)) is not None:
        return seen._replace(nonzero=(seen.nonzero * repeats).reshape(features))
    flat = values if rows == 1 and len(features) == 1 else values.reshape(values.shape[:rows].numel(), -1)
    if flat.device.type == "cpu" and flat.dtype is not torch.bfloat16:
        nonzero, inputs, magnitude = _blocks(seen_by_numpy(flat), classify)
    else:
        nonzero, inputs, magnitude = _whole(flat)
    if unit is not None and inputs != "silent" and magnitude != unit:
        nonzero = torch.round(flat.abs().to(torch.float64) / unit).sum(0).to(torch.int64).cpu().numpy()
        inputs, magnitude = "spikes", unit
    return Census((nonzero * repeats if repeats > 1 else nonzero).reshape(features), inputs, magnitude)


def _at_once(values: Tensor, rows: int, unit: float | None, classify: bool) -> Census | None:
    """The census in one read by the native core; None where it cannot look."""
    seen = look(values, rows)
    if seen is None or not (unit is None or seen.inputs == "silent" or seen.magnitude == unit):
        return None
    if seen.inputs == "silent" or classify:
        return Census(seen.places, seen.inputs, seen.magnitude)
    return Census(seen.places, "graded", 0.0)


_memory = threading.local()


def _scratch(size: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Two buffers of bytes, kept: fresh ones would cost as much as the look itself."""
    kept = getattr(_memory, "buffers", None)
    if kept is None or len(kept[0]) < size:
        kept = _memory.buffers = (np.empty(max(size, _BLOCK), np.bool_), np.empty(max(size, _BLOCK), np.bool_))
    return kept[0][:size], kept[1][:size]


def _blocks(flat: NDArray[Any], classify: bool) -> tuple[NDArray[np.int64], InputClass, float]:
    """The census of `[rows, places]`, block by block in the cache; bytes count the 255 rows of a block."""
    rows, places = flat.shape
    size = max(1, min(255, rows, _BLOCK // places))
    counts: NDArray[np.int64] | None = None
    peak = None  # the one magnitude so far
    graded = False
    for start in range(0, rows, size):
        block = flat[start : start + size]
        present, equal = (buffer.reshape(block.shape) for buffer in _scratch(block.size))
        np.not_equal(block, 0, out=present)
        here = np.add.reduce(present.view(np.uint8), axis=0, dtype=np.uint8)
        if counts is None:
            counts = here.astype(np.int64)
        else:
            counts += here
        if graded or not classify:
            continue
        if peak is None:
            if not here.any():
                continue
            peak = abs(block.flat[int(present.argmax())])
        np.equal(block, peak, out=equal)
        if np.bitwise_xor(present, equal, out=equal).any():
            signed = block.dtype != np.bool_ and not np.issubdtype(block.dtype, np.unsignedinteger)
            graded = not signed or not np.array_equal(np.abs(block) == peak, present)
    assert counts is not None
    if peak is None and (classify or not counts.any()):
        return counts, "silent", 0.0
    return (counts, "graded", 0.0) if graded or peak is None else (counts, "spikes", float(peak))


def _whole(flat: Tensor) -> tuple[NDArray[np.int64], InputClass, float]:
    """The same in torch, for other devices and number formats."""
    present = flat != 0
    nonzero = present.sum(0, dtype=torch.int64).cpu().numpy()
    if not nonzero.any():
        return nonzero, "silent", 0.0
    size = flat.abs() if flat.dtype is not torch.bool else flat.to(torch.uint8)
    peak = size.max()
    same = not bool(torch.any(present & (size != peak)))
    return (nonzero, "spikes", float(peak)) if same else (nonzero, "graded", 0.0)


# -- tensors as they pass by, and quick looks at them --------------------------------------------------------------------


def tensors_in(args: Any, kwargs: dict[str, Any]) -> Iterator[Tensor]:
    """The tensors among an operator's arguments or results, one level of lists deep."""
    for value in (*args, *kwargs.values()) if kwargs else args:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, list | tuple):
            for part in value:
                if isinstance(part, Tensor):
                    yield part


def elements(out: Any) -> int:
    """Elements of an operator's (first) result."""
    first = out[0] if isinstance(out, tuple | list) else out
    return first.numel() if isinstance(first, Tensor) else 0


def nonzero_elements(values: Tensor) -> int:
    """How many elements are not zero."""
    if (array := _array(values)) is not None:
        return int(np.count_nonzero(np.not_equal(array, 0)))  # torch's own takes eight times as long
    return int(torch.count_nonzero(values))


def presence(values: Tensor) -> Tensor:
    """Which elements are not zero, in the values' own order in memory."""
    if (array := _array(values)) is not None:
        return torch.from_numpy(np.asarray(np.not_equal(array, 0)))  # torch's own takes 16 times as long
    return values.detach() != 0


def first_sample(values: Tensor, rows: int, begun: int) -> NDArray[np.bool_]:
    """Which elements of the first of `[B, *N]` are not zero, or of `[T, B, *N]` (two `rows`) from some step on."""
    array = _array(values)
    if array is None:
        array = (values.detach() != 0).cpu().numpy()
    found: NDArray[np.bool_] = np.not_equal(array[begun:, :1] if rows == 2 else array[:1], 0)
    return found


def _array(values: Tensor) -> Any:
    """An ordinary tensor as numpy sees it; None for any other."""
    plain = values.is_cpu and type(values) in (Tensor, Parameter) and values.layout is torch.strided
    if not plain or values.dtype not in _FORMATS or values.is_neg():
        return None
    return seen_by_numpy(values)


def seen_by_numpy(values: Tensor) -> NDArray[Any]:
    """A tensor as numpy sees it, not copied, to look at: unlike `values.numpy()`, its memory may be resized afterwards."""
    if values.dtype is torch.bool:
        return np.from_dlpack(values.view(torch.uint8)).view(np.bool_)
    return np.from_dlpack(values.detach() if values.requires_grad else values)
