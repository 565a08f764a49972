"""Poolings on their way into synapses: average pooling between spikes and weights is part of the synapses behind it.

A fold remembers the values before the pooling and the way from there on, place by place. Whatever only moves values takes
it along; whatever mixes samples with places, or needs the pooled values themselves, ends it, and the pooling is counted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor

Step = Callable[[Tensor], Tensor]


class Part(NamedTuple):
    """Events that went one way: all of them, or those of one operand of a concatenation or a sum."""

    pools: tuple[str, ...]  # places of the poolings, in the order of the way
    before: Tensor  # the values before the first pooling, `[*rows, *features]`
    rows: int
    unit: float | None
    writes: int  # into the memory of `before` when it was noted
    steps: tuple[Step, ...]  # each takes rows `[R, *features]`
    geometry: tuple[Any, ...]  # what distinguishes this way from others: equal ways have equal geometries
    windows: Any = None  # the pooling, where the way is one pooling alone
    overlaps: bool = False  # whether a spike may reach a synapse by more than one path

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one row before the pooling, `[1, *features]`."""
        return (1, *self.before.shape[self.rows :])

    def further(self, step: Step, geometry: tuple[Any, ...]) -> Part:
        """The same way, one step further."""
        return self._replace(steps=(*self.steps, step), geometry=(*self.geometry, *geometry), windows=None)


@dataclass(frozen=True)
class Fold:
    """The ways that led to a tensor's values."""

    parts: tuple[Part, ...]
    rows: int  # leading axes of the tensor that index samples and steps
    count: int  # rows in all
    aligned: bool = True  # whether the rows of the one part are the tensor's, axis by axis

    @property
    def pools(self) -> set[str]:
        """Places of all poolings."""
        return {place for part in self.parts for place in part.pools}

    def each(self, step: Step, geometry: tuple[Any, ...], **changed: Any) -> Fold:
        """All ways, one step further."""
        return replace(self, parts=tuple(part.further(step, geometry) for part in self.parts), **changed)

    def pooled(self, place: str, pool: Any, rows: int) -> Fold:
        """All ways, one more linear pooling further."""
        parts = tuple(
            part.further(pool.linear, pool.geometry)._replace(
                pools=(*part.pools, place), overlaps=part.overlaps or pool.overlaps or bool(part.pools)
            )
            for part in self.parts
        )
        return replace(self, parts=parts, rows=rows, aligned=self.aligned and rows == self.rows)

    def reshaped(self, shape: torch.Size) -> Fold | None:
        """The same elements under another shape."""
        for rows in range(len(shape) + 1):
            if math.prod(shape[:rows]) == self.count and (rows or self.count == 1):
                if rows == 0:
                    return None
                features = tuple(shape[rows:])
                aligned = self.aligned and shape[:rows] == self.parts[0].before.shape[: self.parts[0].rows]
                return self.each(lambda x, to=features: x.reshape(-1, *to), features, rows=rows, aligned=aligned)
        return None

    def permuted(self, order: Sequence[int]) -> Fold | None:
        """The axes in another order, rows first as before."""
        if sorted(order[: self.rows]) != list(range(self.rows)):
            return None
        features = tuple(axis - self.rows + 1 for axis in order[self.rows :])
        aligned = self.aligned and list(order[: self.rows]) == list(range(self.rows))
        return self.each(lambda x: x.permute(0, *features), (features,), aligned=aligned)

    def of_rows(self, axis: int, take: Callable[[Tensor], Tensor], out: torch.Size) -> Fold | None:
        """Some of the rows: what `take` does to an axis of rows it does to the values before, too."""
        if not self.aligned or len(self.parts) != 1:
            return None
        part = self.parts[0]
        before = take(part.before)
        rows = self.rows - (part.before.dim() - before.dim())
        if not rows:
            return None
        return replace(
            self, parts=(part._replace(before=before, rows=rows),), rows=rows, count=math.prod(before.shape[:rows])
        )

    def moved(self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], shape: torch.Size) -> Any:
        """What any operator that moves values within each row made of them; None if it did not stay within the row.

        It is run once more, on numbers in place of values: they tell where each came from.
        """
        places = max(math.prod(shape[self.rows :]), 1)
        numbers = torch.arange(1, math.prod(shape) + 1, dtype=torch.float64).reshape(shape)
        with torch.inference_mode(False), torch.no_grad():
            found = func(numbers, *args[1:], **kwargs)
        many = isinstance(found, list | tuple)
        folds = [self._from(each, places, shape) for each in (found if many else (found,))]
        return folds if many else folds[0]

    def _from(self, found: Tensor, places: int, shape: torch.Size) -> Fold | None:
        if found.shape[: self.rows] != shape[: self.rows]:
            return None
        features = tuple(found.shape[self.rows :])
        index = found.reshape(self.count, -1).to(torch.int64) - 1
        there = index >= 0
        pattern, kept = (index % places)[0], there[0]
        rows = torch.arange(self.count)[:, None]
        if bool(((index // places != rows) | (index % places != pattern) | (there != kept))[:, kept].any()) or bool(
            there[:, ~kept].any()
        ):
            return None

        def step(x: Tensor) -> Tensor:
            taken = x.reshape(len(x), -1)[:, pattern.to(x.device)] * kept.to(x)
            return taken.reshape(len(x), *features)

        return self.each(step, (features, pattern.numpy().tobytes(), kept.numpy().tobytes()))


def beside(folds: Sequence[Fold | None], shapes: Sequence[torch.Size], axis: int, rows: int, count: int) -> Fold:
    """Several tensors' values side by side along an axis of features; None stands for one without events."""
    sizes, begin, parts = [shape[axis] for shape in shapes], 0, []
    whole = sum(sizes)
    for fold, size in zip(folds, sizes, strict=True):
        place, after, along = begin, whole - begin - size, axis - rows + 1

        def step(x: Tensor, place: int = place, after: int = after, along: int = along) -> Tensor:
            shape_before, shape_after = list(x.shape), list(x.shape)
            shape_before[along], shape_after[along] = place, after
            return torch.cat([x.new_zeros(shape_before), x, x.new_zeros(shape_after)], along)

        if fold is not None:
            parts += [part.further(step, ("beside", along, place, after)) for part in fold.parts]
        begin += size
    return Fold(tuple(parts), rows, count, False)


def behind(folds: Sequence[Fold], rows: int) -> Fold | None:
    """Several tensors' rows one behind the other, all of which went the same way."""
    return Fold(tuple(part for fold in folds for part in fold.parts), rows, sum(fold.count for fold in folds), False)


def summed(folds: Sequence[Fold]) -> Fold:
    """Several tensors' values added place by place: each spike of each goes its own way."""
    return replace(folds[0], parts=tuple(part for fold in folds for part in fold.parts), aligned=False)


def plain(values: Tensor, rows: int, unit: float | None, writes: int) -> Fold:
    """Events that went through no pooling yet."""
    return Fold((Part((), values, rows, unit, writes, (), ()),), rows, math.prod(values.shape[:rows]))
