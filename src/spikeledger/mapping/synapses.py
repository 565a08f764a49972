"""Synapses as compact arrays: sparse rows (8 bytes a synapse), dense rows (4), or the shared weights of a convolution.

Every kind answers the same questions: which weights a spike of a source meets (`deliver`), how many existing synapses
leave each source (`fan_out`) and arrive at each target (`fan_in`), and what that takes to store.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError

Ints = NDArray[np.int64]


class Synapses(Protocol):
    """What every kind of synapses can say; the sources are numbered `0 .. sources - 1`, the targets likewise.

    `numbers` is how many weights are kept, `stored` how many of them are not zero, `largest` the size of the largest, and
    `dense` the multiply-accumulates of a machine that skips no zero, for one step.
    """

    @property
    def sources(self) -> int: ...
    @property
    def targets(self) -> int: ...
    @property
    def fan_out(self) -> Ints: ...
    @property
    def numbers(self) -> int: ...
    @property
    def stored(self) -> int: ...
    @property
    def nbytes(self) -> int: ...
    @property
    def largest(self) -> float: ...
    @property
    def dense(self) -> int: ...
    def fan_in(self, multiplicity: Ints | None = None) -> Ints: ...
    def deliver(self, currents: NDArray[Any], source: int, value: float) -> None: ...
    def reached(self, source: int) -> Ints: ...


def record_type(dtype: Any) -> np.dtype[Any]:
    """One synapse of a sparse row, as the native core reads it: its target and its weight."""
    return np.dtype([("target", np.uint32), ("weight", np.dtype(dtype))], align=True)


@dataclass(frozen=True, eq=False)
class Sparse:
    """Rows of records `(target uint32, weight)`, the row of source `i` at `starts[i] .. starts[i + 1]`, by target."""

    starts: Ints
    records: NDArray[np.void]
    targets: int
    dense_ops: int = 0  # of the operator that these rows were merged from

    @property
    def sources(self) -> int:
        return len(self.starts) - 1

    @cached_property
    def fan_out(self) -> Ints:
        return np.diff(self.starts)

    @property
    def numbers(self) -> int:
        return len(self.records)

    @property
    def stored(self) -> int:
        return len(self.records)

    @property
    def nbytes(self) -> int:
        return self.records.nbytes + self.starts.nbytes

    @property
    def dense(self) -> int:
        return self.dense_ops or self.sources * self.targets

    @cached_property
    def largest(self) -> float:
        weights = self.records["weight"]
        return float(max(weights.max(), -weights.min())) if len(weights) else 0.0

    def fan_in(self, multiplicity: Ints | None = None) -> Ints:
        weights = None if multiplicity is None else np.repeat(multiplicity, self.fan_out)
        return np.bincount(self.records["target"], weights, minlength=self.targets).astype(np.int64)

    def deliver(self, currents: NDArray[Any], source: int, value: float) -> None:
        row = self.records[self.starts[source] : self.starts[source + 1]]
        currents[row["target"]] += row["weight"] * currents.dtype.type(value)

    def reached(self, source: int) -> Ints:
        return self.records["target"][self.starts[source] : self.starts[source + 1]].astype(np.int64)

    @classmethod
    def from_edges(
        cls, source: NDArray[Any], target: NDArray[Any], weight: NDArray[Any], sources: int, targets: int
    ) -> Sparse:
        """From three arrays of one length; edges of weight 0 do not exist, and a pair may occur once only."""
        source, target, weight = (np.asarray(each).ravel() for each in (source, target, weight))
        if not len(source) == len(target) == len(weight):
            raise InputError(
                f"edges need as many sources as targets and weights: {len(source)}, {len(target)}, {len(weight)}"
            )
        if len(source) and (min(source.min(), target.min()) < 0 or source.max() >= sources or target.max() >= targets):
            raise InputError(f"an edge leaves the range of {sources:,} sources and {targets:,} targets")
        if not np.isfinite(weight).all():
            raise InputError(f"{int((~np.isfinite(weight)).sum()):,} weights are NaN or infinite: clean them first")
        keep = np.flatnonzero(weight)
        key = source[keep].astype(np.int64) * targets + target[keep]
        order = np.argsort(key, kind="stable")
        if len(key) and not np.all(np.diff(key[order])):
            raise InputError("two edges join the same pair of neurons: add their weights up first")
        keep = keep[order]
        dtype = weight.dtype if weight.dtype == np.float64 else np.float32
        records = np.empty(len(keep), record_type(dtype))
        records["target"], records["weight"] = target[keep], weight[keep]
        starts = np.zeros(sources + 1, np.int64)
        np.cumsum(np.bincount(source[keep], minlength=sources), out=starts[1:])
        return cls(starts, records, targets)


@dataclass(frozen=True, eq=False)
class Dense:
    """Weights `[sources, targets]`, one row a source; a weight of 0 is no synapse."""

    weight: NDArray[Any]

    @property
    def sources(self) -> int:
        return int(self.weight.shape[0])

    @property
    def targets(self) -> int:
        return int(self.weight.shape[1])

    @cached_property
    def fan_out(self) -> Ints:
        return np.count_nonzero(self.weight, axis=1).astype(np.int64)

    @property
    def numbers(self) -> int:
        return self.weight.size

    @cached_property
    def stored(self) -> int:
        return int(np.count_nonzero(self.weight))

    @property
    def nbytes(self) -> int:
        return self.weight.nbytes

    @property
    def dense(self) -> int:
        return self.sources * self.targets

    @cached_property
    def largest(self) -> float:
        return float(np.abs(self.weight).max())

    def fan_in(self, multiplicity: Ints | None = None) -> Ints:
        if multiplicity is None:
            return np.count_nonzero(self.weight, axis=0).astype(np.int64)
        return multiplicity @ (self.weight != 0)

    def deliver(self, currents: NDArray[Any], source: int, value: float) -> None:
        currents += self.weight[source] * currents.dtype.type(value)

    def reached(self, source: int) -> Ints:
        return np.flatnonzero(self.weight[source])


@dataclass(frozen=True, eq=False)
class Convolution:
    """A 2-d convolution with shared weights `[out, in / groups, kh, kw]` from `[in, H, W]` to `[out, H', W']`."""

    weight: NDArray[Any]
    in_shape: tuple[int, int, int]
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1
    out_shape: tuple[int, int, int] = field(init=False)

    def __post_init__(self) -> None:
        axes = [
            (self.in_shape[1 + a] + 2 * self.padding[a] - self.dilation[a] * (self.weight.shape[2 + a] - 1) - 1)
            // self.stride[a]
            + 1
            for a in (0, 1)
        ]
        object.__setattr__(self, "out_shape", (int(self.weight.shape[0]), *axes))
        if self.weight.shape[1] * self.groups != self.in_shape[0] or min(axes) < 1:
            raise InputError(f"a convolution of {list(self.weight.shape)} weights does not fit {list(self.in_shape)}")

    @property
    def sources(self) -> int:
        return math.prod(self.in_shape)

    @property
    def targets(self) -> int:
        return math.prod(self.out_shape)

    @property
    def numbers(self) -> int:
        return self.weight.size

    @property
    def stored(self) -> int:
        return int(np.count_nonzero(self.weight))

    @property
    def nbytes(self) -> int:
        return self.weight.nbytes

    @cached_property
    def largest(self) -> float:
        return float(np.abs(self.weight).max())

    @property
    def dense(self) -> int:
        return self.targets * int(np.prod(self.weight.shape[1:]))

    @cached_property
    def _mask(self) -> Ints:
        """Existing weights by group, `[groups, out / groups, in / groups, kh, kw]`."""
        out, inside, high, wide = self.weight.shape
        return (self.weight != 0).reshape(self.groups, out // self.groups, inside, high, wide).astype(np.int64)

    def _valid(self, axis: int) -> Ints:
        """Whether tap `i` joins an input row with some output row: 0 or 1, `[taps, rows]`."""
        taps, rows = np.arange(self.weight.shape[2 + axis])[:, None], np.arange(self.in_shape[1 + axis])[None]
        place = rows + self.padding[axis] - taps * self.dilation[axis]
        fits = (place >= 0) & (place % self.stride[axis] == 0)
        return (fits & (place // self.stride[axis] < self.out_shape[1 + axis])).astype(np.int64)

    @cached_property
    def fan_out(self) -> Ints:
        leaving = self._mask.sum(1).reshape(self.in_shape[0], *self.weight.shape[2:])  # [in, kh, kw]
        return np.einsum("cij,iy,jx->cyx", leaving, self._valid(0), self._valid(1), optimize=True).ravel()

    def fan_in(self, multiplicity: Ints | None = None) -> Ints:
        (ph, pw), (dh, dw), (sh, sw) = self.padding, self.dilation, self.stride
        ones = np.ones(self.in_shape, np.int64) if multiplicity is None else multiplicity.reshape(self.in_shape)
        padded = np.pad(ones, ((0, 0), (ph, ph), (pw, pw))).reshape(
            self.groups, -1, self.in_shape[1] + 2 * ph, self.in_shape[2] + 2 * pw
        )
        _, rows, columns = self.out_shape
        out = np.zeros((self.groups, self.out_shape[0] // self.groups, rows, columns), np.int64)
        for i in range(self.weight.shape[2]):
            for j in range(self.weight.shape[3]):
                part = padded[
                    :, :, i * dh : i * dh + sh * (rows - 1) + 1 : sh, j * dw : j * dw + sw * (columns - 1) + 1 : sw
                ]
                out += np.einsum("goc,gcyx->goyx", self._mask[..., i, j], part)
        return out.ravel()

    def deliver(self, currents: NDArray[Any], source: int, value: float) -> None:
        view = currents.reshape(self.out_shape)
        for i, y, j, x, first, last, channel in self._taps(source):
            view[first:last, y, x] += self.weight[first:last, channel, i, j] * currents.dtype.type(value)

    def reached(self, source: int) -> Ints:
        """Targets of one source; one is named once for each weight that joins them."""
        _, rows, columns = self.out_shape
        found = [
            (np.flatnonzero(self.weight[first:last, channel, i, j]) + first) * rows * columns + y * columns + x
            for i, y, j, x, first, last, channel in self._taps(source)
        ]
        return np.concatenate(found) if found else np.zeros(0, np.int64)

    def _taps(self, source: int) -> list[tuple[int, int, int, int, int, int, int]]:
        channel, row, column = (int(part) for part in np.unravel_index(source, self.in_shape))
        inside, width = self.in_shape[0] // self.groups, self.out_shape[0] // self.groups
        group = channel // inside
        found = []
        for i in range(self.weight.shape[2]):
            y, rest_y = divmod(row + self.padding[0] - i * self.dilation[0], self.stride[0])
            for j in range(self.weight.shape[3]):
                x, rest_x = divmod(column + self.padding[1] - j * self.dilation[1], self.stride[1])
                if not rest_y and not rest_x and 0 <= y < self.out_shape[1] and 0 <= x < self.out_shape[2]:
                    found.append((i, y, j, x, group * width, (group + 1) * width, channel % inside))
        return found


@dataclass(frozen=True, eq=False)
class Fan:
    """Through which places of an operator's input each neuron goes out, and with what factor: rows as in `Sparse`.

    It stands for what lies between neurons and weights and holds no weights of its own: linear pooling, a permutation,
    a part of a population.
    """

    starts: Ints
    places: NDArray[np.int32]
    scales: NDArray[Any]

    @property
    def sources(self) -> int:
        """Presynaptic neurons."""
        return len(self.starts) - 1

    @property
    def nbytes(self) -> int:
        """Bytes of the three arrays."""
        return self.starts.nbytes + self.places.nbytes + self.scales.nbytes

    def sums(self, values: Ints) -> Ints:
        """For each neuron, the sum of a value of the places that it goes out through."""
        total = np.concatenate([[0], np.cumsum(values[self.places])])
        return total[self.starts[1:]] - total[self.starts[:-1]]

    def multiplicity(self, places: int) -> Ints:
        """How many neurons go out through each place."""
        return np.bincount(self.places, minlength=places).astype(np.int64)

    def row(self, source: int) -> tuple[NDArray[np.int32], NDArray[Any]]:
        """Places and factors of one neuron."""
        part = slice(self.starts[source], self.starts[source + 1])
        return self.places[part], self.scales[part]

    @classmethod
    def from_pairs(cls, source: NDArray[Any], place: NDArray[Any], scale: NDArray[Any], sources: int) -> Fan | None:
        """From three arrays of one length; None where it would change nothing."""
        order = np.lexsort((place, source))
        source, place, scale = source[order], place[order], scale[order]
        straight = (
            len(source) == sources and np.array_equal(source, np.arange(sources)) and np.array_equal(place, source)
        )
        if straight and np.all(scale == 1):
            return None
        starts = np.zeros(sources + 1, np.int64)
        np.cumsum(np.bincount(source, minlength=sources), out=starts[1:])
        return cls(starts, place.astype(np.int32), scale)


def from_matrix(weight: NDArray[Any], *, densest: float = 0.5) -> Sparse | Dense:
    """Synapses of a matrix `[targets, sources]`, kept as dense rows if more than half of them exist."""
    share = np.count_nonzero(weight) / max(weight.size, 1)
    if share > densest:
        return Dense(np.ascontiguousarray(weight.T))
    target, source = np.nonzero(weight)
    return Sparse.from_edges(source, target, weight[target, source], weight.shape[1], weight.shape[0])


def merged(fan: Fan, synapses: Synapses) -> Sparse:
    """One synapse for each pair of neuron and target, where a neuron goes out through several places to the same target.

    Such a pair exists if any of its paths does, also where their weights cancel. It is built row by row: for the rare
    pooling whose windows overlap.
    """
    dtype = np.dtype(fan.scales.dtype)
    exists = _existing(synapses)
    counts, targets, weights = np.zeros(fan.sources + 1, np.int64), [], []
    for neuron in range(fan.sources):
        row, paths = np.zeros(synapses.targets, dtype), np.zeros(synapses.targets, np.float32)
        for place, scale in zip(*fan.row(neuron), strict=True):
            synapses.deliver(row, int(place), scale)
            exists.deliver(paths, int(place), 1.0)
        found = np.flatnonzero(paths)
        counts[neuron + 1] = len(found)
        targets.append(found)
        weights.append(row[found])
    records = np.empty(int(counts.sum()), record_type(dtype))
    records["target"], records["weight"] = np.concatenate(targets), np.concatenate(weights)
    return Sparse(np.cumsum(counts), records, synapses.targets, synapses.dense)


def _existing(synapses: Synapses) -> Synapses:
    """The same synapses with weights of 1."""
    if isinstance(synapses, Sparse):
        records = np.empty(len(synapses.records), record_type(np.float32))
        records["target"], records["weight"] = synapses.records["target"], 1
        return Sparse(synapses.starts, records, synapses.targets)
    if isinstance(synapses, Dense):
        return Dense((synapses.weight != 0).astype(np.float32))
    assert isinstance(synapses, Convolution)
    return replace(synapses, weight=(synapses.weight != 0).astype(np.float32))
