"""How often each place of a float tensor is not zero, in one read of it; and what a population of neurons did."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from . import native as core
from .choice import runs_native

if TYPE_CHECKING:
    from .planes import Planes

Class = Literal["silent", "spikes", "graded"]

#: the native core's classes, in its order
_CLASSES: tuple[Class, ...] = ("silent", "spikes", "graded")


class Look(NamedTuple):
    """Non-zero values of each place `[prod(N)]` and of each step `[T]`, int64; their class, and their one magnitude."""

    places: NDArray[np.int64]
    steps: NDArray[np.int64]
    inputs: Class
    magnitude: float


class Deeds(NamedTuple):
    """What a population did, int64, one behind the other: currents of each neuron that were not zero `[prod(N)]`, its
    spikes `[prod(N)]`, and the spikes of each step `[T]`; then the spikes' class, and their one magnitude."""

    counts: NDArray[np.int64]
    inputs: Class
    magnitude: float


def look(values: Tensor, rows: int, *, by_step: bool = False) -> Look | None:
    """The counts of `[*rows, *N]`; None where the native core cannot look. `by_step`: the first of two rows is time."""
    rules = _extent(values, rows, by_step)
    if rules is None:
        return None
    steps, _, width, _, _ = rules
    room, start = _room(width + steps)
    inputs, magnitude = _census(values, rules, start, start + 8 * width)
    counts = room.copy()
    return Look(counts[:width], counts[width:], inputs, magnitude)


def deeds(spikes: Tensor, currents: Tensor | None, rows: int) -> Deeds | None:
    """What neurons did, from floats `[T, B, *N]` (two `rows`) or `[B, *N]`; None where the native core cannot look."""
    rules = _extent(spikes, rows, rows == 2)
    arriving = None if currents is None else _extent(currents, rows, False)
    if rules is None or (arriving is None and currents is not None):
        return None
    steps, _, width, _, _ = rules
    room, start = _room(2 * width + steps)
    if currents is not None and arriving is not None:
        _census(currents, arriving, start, 0)
    inputs, magnitude = _census(spikes, rules, start + 8 * width, start + 16 * width)
    return Deeds(room.copy(), inputs, magnitude)


_kept = threading.local()
#: numbers of a room that is kept: beside the look at more, its address costs nothing
_KEPT = 1 << 17


def _room(size: int) -> tuple[NDArray[np.int64], int]:
    """So many zeros, and their address: this thread's own until it asks again. To ask numpy for an address costs more
    than many a look."""
    found: tuple[NDArray[np.int64], int] | None = getattr(_kept, "room", None)
    if found is None or size > len(found[0]):
        fresh = np.zeros(max(size, 4096), np.int64)
        found = fresh, fresh.ctypes.data
        if size <= _KEPT:
            _kept.room = found
    room = found[0][:size]
    room.fill(0)
    return room, found[1]


def rooms(neurons: Sequence[int], steps: int) -> Tensor:
    """Where kernels that fire count what they do: the zeros of their populations' `Deeds`, one behind the other."""
    return torch.zeros(2 * sum(neurons) + steps * len(neurons), dtype=torch.int64)


def done(counts: Tensor, sent: Sequence[Planes]) -> list[Deeds]:
    """What kernels counted in their rooms while they made these bits."""
    found, every, begin = [], counts.numpy(), 0
    for planes in sent:
        end = begin + 2 * planes.columns + planes.shape[0]
        mine, begin = every[begin:end], end
        found.append(Deeds(mine, "spikes", 1.0) if planes.spikes else Deeds(mine, "silent", 0.0))
    return found


def of_bits(currents: Tensor, planes: Planes) -> Deeds:
    """What neurons did that made these bits of float32 currents `[T, B, *N]` on the CPU."""
    return of_active(nonzero(currents), planes)


def of_active(active: Tensor, planes: Planes) -> Deeds:
    """The same, of how often each neuron's current was not zero, `[*N]`."""
    counts = torch.cat([active.flatten(), planes.per_neuron().flatten(), torch.tensor(planes.per_step())])
    return done(counts, [planes])[0]


def nonzero(values: Tensor) -> Tensor:
    """How often each place of float32 values `[T, B, *N]` on the CPU is not zero, int64 `[*N]`."""
    found = look(values.contiguous(), 2)
    if found is None:
        return (values != 0).sum((0, 1))
    return torch.from_numpy(found.places).view(values.shape[2:])


def _extent(values: Tensor, rows: int, by_step: bool) -> tuple[int, int, int, int, int] | None:
    """Steps, batch, places, and the strides of the first two; None where the native core cannot look."""
    if values.dtype is not torch.float32 or not runs_native(values):
        return None
    total = values.numel()
    if not total:
        return None
    shape = values.shape
    if values.is_contiguous():
        every = shape[0] if rows == 1 else shape[:rows].numel()
        steps, width = shape[0] if by_step else 1, total // every
        batch = every // steps
        return steps, batch, width, batch * width, width
    if rows == 2 and values[0, 0].is_contiguous():
        return shape[0], shape[1], total // (shape[0] * shape[1]), values.stride(0), values.stride(1)
    return None


def _census(values: Tensor, rules: tuple[int, ...], places: int, steps: int) -> tuple[Class, float]:
    kind, magnitude = core.census(values, rules, places, steps)
    return _CLASSES[kind], magnitude if kind == 1 else 0.0
