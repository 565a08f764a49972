"""Poolings on their way into synapses: average pooling between spikes and weights is part of the synapses behind it.

A fold remembers the values before the pooling and the way from there on, place by place. What moves values is run once
more on numbers in place of values, and so are writes into buffers: they tell, when weights are met, where each value came
from. Whatever mixes samples with places, or needs the pooled values themselves, ends it, and the pooling is counted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

Step = Callable[[Tensor], Tensor]
Writes = Callable[[Tensor], int]


class Part(NamedTuple):
    """Events that went one way: all of them, or those of some rows, or of one operand of a sum."""

    pools: tuple[str, ...]  # places of the poolings, in the order of the way
    before: Tensor  # the values before the first pooling, `[*rows, *features]`
    rows: int
    unit: float | None
    writes: int | None  # into the memory of `before` when it was noted; None: it is a copy
    steps: tuple[Step, ...]  # each takes rows `[R, *features]`
    geometry: tuple[Any, ...]  # what distinguishes this way from others: equal ways have equal geometries
    windows: Any = None  # the pooling, where the way is one pooling alone
    overlaps: bool = False  # whether a spike may reach a target by more than one path
    at: Tensor | None = None  # which rows of the fold these are; None: all, in their order

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one row before the pooling, `[1, *features]`."""
        return (1, *self.before.shape[self.rows :])

    @property
    def merges(self) -> bool:
        """Whether a spike's paths to a target are one synapse: behind a pooling; copies of a spike meet weights of their own."""
        return self.overlaps and bool(self.pools)

    def further(self, step: Step, geometry: tuple[Any, ...]) -> Part:
        """The same way, one step further."""
        return self._replace(steps=(*self.steps, step), geometry=(*self.geometry, *geometry), windows=None)


@dataclass(frozen=True, eq=False)
class Fold:
    """The ways that led to a tensor's values: its parts, or numbers that say which value of which source is where."""

    parts: tuple[Part, ...]
    shape: torch.Size
    rows: int  # leading axes of the tensor that index samples and steps
    count: int  # rows in all
    numbers: Tensor | None = None  # 0: nothing; else one more than an element of the sources, one behind the other
    sources: tuple[Fold, ...] = ()
    loose: int = 0  # leading axes that no step touched: as many of them as one likes may be the rows

    @property
    def pools(self) -> set[str]:
        """Places of all poolings."""
        return {place for part in self.parts for place in part.pools}.union(*(fold.pools for fold in self.sources))

    def split(self, count: int) -> Fold:
        """The same with so many rows, where its leading axes allow it."""
        for rows in range(1, self.loose + 1):
            if count == math.prod(self.shape[:rows]):
                parts = tuple(part._replace(rows=rows) for part in self.parts)
                return replace(self, parts=parts, rows=rows, count=count)
        return self

    # -- moves that need no numbers ------------------------------------------------------------------------------------

    def reshaped(self, shape: torch.Size) -> Fold:
        """The same elements under another shape."""
        kept = _alike(self.shape, shape, self.loose)
        if self.numbers is None and kept >= max(self.rows, 1):
            behind, features = len(self.shape) - kept, tuple(shape[kept:])
            return self._behind(partial(_reshaped_behind, behind, features), features, shape, kept)
        if self.numbers is None:
            counts = [math.prod(shape[:rows]) for rows in range(1, len(shape) + 1)]
            for count in (self.count, *counts):  # its own rows first
                fold = self.split(count)
                if count in counts and fold.count == count:
                    rows = counts.index(count) + 1
                    features = tuple(shape[rows:])
                    return fold._each(partial(_reshaped, features), features, shape, rows)
        return self.moved(lambda x: x.reshape(shape))

    def permuted(self, order: Sequence[int]) -> Fold:
        """The axes in another order."""
        kept = _alike(order, range(len(order)), self.loose)
        if self.numbers is None and kept >= max(self.rows, 1):
            behind = tuple(axis - len(order) for axis in order[kept:])
            shape = torch.Size(self.shape[axis] for axis in order)
            return self._behind(partial(_permuted_behind, behind), (behind,), shape, kept)
        if self.numbers is None and list(order[: self.rows]) == list(range(self.rows)):
            features = tuple(axis - self.rows + 1 for axis in order[self.rows :])
            shape = torch.Size(self.shape[axis] for axis in order)
            return self._each(lambda x: x.permute(0, *features), (features,), shape, self.rows)
        return self.moved(lambda x: x.permute(*order))

    def padded(self, pads: Sequence[int]) -> Fold:
        """Zeros around the last axes, which are features."""
        if self.numbers is None and len(pads) // 2 <= len(self.shape) - self.rows:
            sizes = list(self.shape)
            for axis in range(len(pads) // 2):
                sizes[-1 - axis] += pads[2 * axis] + pads[2 * axis + 1]
            padded = self._each(
                lambda x: torch.nn.functional.pad(x, list(pads)), ("pad", *pads), torch.Size(sizes), self.rows
            )
            return replace(padded, loose=min(self.loose, len(sizes) - len(pads) // 2))
        return self.moved(lambda x: torch.nn.functional.pad(x, list(pads)))

    def _behind(self, step: Step, geometry: tuple[Any, ...], shape: torch.Size, kept: int) -> Fold:
        """A step that leaves so many leading axes alone, however many of them turn out to be rows."""
        return replace(self._each(step, geometry, shape, self.rows), loose=kept)

    def _each(self, step: Step, geometry: tuple[Any, ...], shape: torch.Size, rows: int) -> Fold:
        parts = tuple(part.further(step, geometry) for part in self.parts)
        return replace(self, parts=parts, shape=shape, rows=rows, loose=0)

    def pooled(self, place: str, pool: Any, shape: torch.Size, rows: int) -> Fold:
        """All ways, one more linear pooling further: of a tensor whose first axes hold the rows."""
        alone = len(self.parts) == 1 and not self.parts[0].steps
        parts = tuple(
            part.further(pool.linear, pool.geometry)._replace(
                pools=(*part.pools, place),
                overlaps=part.overlaps or pool.overlaps or bool(part.pools),
                windows=(pool.spans or None) if alone else None,
            )
            for part in self.parts
        )
        return Fold(parts, shape, rows, self.count, loose=min(self.loose, pool.leading))

    # -- moves by numbers ----------------------------------------------------------------------------------------------

    def numbered(self) -> tuple[Tensor, tuple[Fold, ...]]:
        """The numbers of its values, and what they number."""
        if self.numbers is not None:
            return self.numbers, self.sources
        return torch.arange(1, math.prod(self.shape) + 1, dtype=torch.float64).reshape(self.shape), (self,)

    def moved(self, move: Callable[[Tensor], Tensor]) -> Fold:
        """What an operator made of them that only moves values, or sets some to zero."""
        numbers, sources = self.numbered()
        with torch.inference_mode(False), torch.no_grad():
            return numbered(move(numbers), sources)

    def resolved(self, count: int | None, writes: Writes) -> Fold | None:
        """The same in parts, each of whose rows went one way; None if rows were mixed with places."""
        if self.numbers is None:
            fold = self if count is None else self.split(count)
            return fold if count in (None, fold.count) else None
        if bool(self.numbers.isnan().any()):
            return None
        flat = self.numbers.to(torch.int64) - 1
        for rows in range(1, len(self.shape) + 1):
            held = math.prod(self.shape[:rows])
            if count in (None, held):
                sources = [source.split(held) for source in self.sources]
                parts = _parts(flat.reshape(held, -1), sources, tuple(self.shape[rows:]), writes)
                if parts is not None:
                    return Fold(tuple(parts), self.shape, rows, held)
        return None


def _reshaped(features: tuple[int, ...], values: Tensor) -> Tensor:
    return values.reshape(-1, *features)


def _alike(left: Sequence[int], right: Sequence[int], most: int) -> int:
    """How many leading entries two sequences share, up to so many."""
    same = 0
    while same < min(len(left), len(right), most) and left[same] == right[same]:
        same += 1
    return same


def _reshaped_behind(behind: int, features: tuple[int, ...], values: Tensor) -> Tensor:
    return values.reshape(*values.shape[: values.dim() - behind], *features)


def _permuted_behind(behind: tuple[int, ...], values: Tensor) -> Tensor:
    return values.permute(*range(values.dim() - len(behind)), *behind)


def numbered(numbers: Tensor, sources: tuple[Fold, ...]) -> Fold:
    """A fold of numbers."""
    return Fold((), numbers.shape, 0, 0, numbers, sources)


def _parts(ids: Tensor, sources: Sequence[Fold], features: tuple[int, ...], writes: Writes) -> list[Part] | None:
    """The ways of rows `[R, P]` of element numbers; None where a row mixes rows, or rows went different ways."""
    found: list[Part] = []
    begin = 0
    for source in sources:
        size = math.prod(source.shape)
        there = (ids >= begin) & (ids < begin + size)
        local, begin = ids - begin, begin + size
        mine = there.any(1)
        if not bool(mine.any()):
            continue
        places = size // source.count
        kept = there[mine][0]
        row, place = (local // places)[mine][:, kept], (local % places)[mine][:, kept]
        if bool((there[mine] != kept).any() or (row != row[:, :1]).any() or (place != place[:1]).any()):
            return None
        pattern = torch.zeros(ids.shape[1], dtype=torch.int64)
        pattern[kept] = place[0]
        twice = len(place[0].unique()) < len(place[0])

        def step(x: Tensor, pattern: Tensor = pattern, kept: Tensor = kept) -> Tensor:
            return (x.reshape(len(x), -1)[:, pattern] * kept.to(x)).reshape(len(x), *features)

        way = (features, pattern.numpy().tobytes(), kept.numpy().tobytes())
        at = mine.nonzero()[:, 0]
        for part in source.parts:
            taken = _rows_of(part, source, row[:, 0], at, writes)
            if taken is None:
                return None
            found.append(taken.further(step, way)._replace(overlaps=part.overlaps or twice))
    return found


def _rows_of(part: Part, source: Fold, used: Tensor, at: Tensor, writes: Writes) -> Part | None:
    """A part whose rows are those that were used; None if its values have been written over meanwhile."""
    if part.at is None and torch.equal(used, torch.arange(source.count)):
        return part._replace(at=None if len(at) == len(used) and torch.equal(at, torch.arange(len(at))) else at)
    if part.writes is not None and part.writes != writes(part.before):
        return None
    index, rows = used, at
    if part.at is not None:
        where = torch.full((source.count,), -1, dtype=torch.int64)
        where[part.at] = torch.arange(len(part.at))
        index, rows = where[used], at[where[used] >= 0]
        index = index[index >= 0]
    flat = part.before.detach().reshape(-1, *part.before.shape[part.rows :])
    return part._replace(before=flat[index.to(flat.device)], rows=1, writes=None, at=rows)


def together(folds: Sequence[Fold | Tensor], put: Callable[[list[Tensor]], Tensor]) -> Fold:
    """What an operator made of several tensors that it put into one; a tensor of zeros stands for values of nothing."""
    numbers: list[Tensor] = []
    sources: tuple[Fold, ...] = ()
    for fold in folds:
        if isinstance(fold, Tensor):
            numbers.append(fold)
        else:
            own, sources = among(*fold.numbered(), sources)
            numbers.append(own)
    with torch.inference_mode(False), torch.no_grad():
        return numbered(put(numbers), sources)


def among(numbers: Tensor, of: tuple[Fold, ...], sources: tuple[Fold, ...]) -> tuple[Tensor, tuple[Fold, ...]]:
    """Numbers of some sources as numbers of more; what is among them already is not told apart from itself."""
    begins, total = {}, 0
    for source in sources:
        begins[id(source)] = total
        total += math.prod(source.shape)
    found, begin = numbers.clone(), 0
    for source in of:
        size = math.prod(source.shape)
        if id(source) not in begins:
            begins[id(source)], sources = total, (*sources, source)
            total += size
        mine = (numbers > begin) & (numbers <= begin + size)
        found[mine] = numbers[mine] - begin + begins[id(source)]
        begin += size
    return found, sources


def summed(folds: Sequence[Fold], count: int | None, writes: Writes) -> Fold | None:
    """Several tensors' values added place by place: each spike of each goes its own way."""
    found = [fold.resolved(count, writes) for fold in folds]
    kept = [fold for fold in found if fold is not None]
    parts = [part for fold in kept for part in fold.parts]
    if len(kept) < len(found) or len({(fold.rows, fold.count) for fold in kept}) > 1:
        return None
    if len({part.before.data_ptr() for part in parts}) < len(parts):  # one spike on two ways may be one synapse
        return None
    return replace(kept[0], parts=tuple(parts), loose=0)


def plain(values: Tensor, rows: int, unit: float | None, writes: int) -> Fold:
    """Events that went through no pooling yet."""
    part = Part((), values, rows, unit, writes, (), ())
    return Fold((part,), values.shape, rows, math.prod(values.shape[:rows]), loose=values.dim())
