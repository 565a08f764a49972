"""Where a tensor came from: the layer that sent it, and the linear pooling that it went through on the way."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor

from .census import Census

Step = Callable[[Tensor], Tensor]

#: operators that give the same elements in another arrangement of the axes
_RESHAPES = frozenset(
    ["view", "_unsafe_view", "reshape", "_reshape_alias", "flatten", "unflatten", "squeeze", "unsqueeze"]
)
#: operators that give the same elements in the same arrangement
_COPIES = frozenset(["clone", "contiguous", "detach", "alias", "_to_copy", "to", "lift_fresh"])


@dataclass(frozen=True)
class Fold:
    """Spikes that went through linear poolings: their census before it, and the way from there on, for one row."""

    pools: tuple[str, ...]  # places of the poolings, in the order of the way
    before: Census
    shape: tuple[int, ...]  # of one row before the pooling, `[1, *features]`
    steps: tuple[Step, ...]
    geometry: tuple[Any, ...]  # what distinguishes this way from others: equal ways have equal geometries
    rows: int  # leading axes that index samples and steps, at the end of the way
    row_count: int
    overlaps: bool  # whether a spike may reach a synapse through more than one window

    def through(self, name: str, args: tuple[Any, ...], out: Tensor) -> Fold | None:
        """The same way, one operator that only moves values further; None if it mixes rows with places."""
        if name in _COPIES:
            return self
        if name in _RESHAPES:
            rows = leading(out.shape, self.row_count)
            if rows is None:
                return None
            features, one = tuple(out.shape[rows:]), (-1,) + (1,) * (rows - 1)  # one row, or several for a probe
            way = (*self.geometry, features)
            return replace(self, steps=(*self.steps, lambda x: x.reshape(*one, *features)), geometry=way, rows=rows)
        if name in ("permute", "transpose"):
            order = axis_order(name, args[0].dim(), args[1:])
            if sorted(order[: self.rows]) != list(range(self.rows)):
                return None
            return replace(self, steps=(*self.steps, lambda x: x.permute(order)), geometry=(*self.geometry, order))
        return None

    def pooled(self, place: str, step: Step, overlaps: bool, geometry: tuple[Any, ...]) -> Fold:
        """The same way, one more linear pooling further."""
        return replace(
            self, pools=(*self.pools, place), steps=(*self.steps, step), geometry=(*self.geometry, *geometry),
            overlaps=self.overlaps or overlaps,
        )  # fmt: skip


class Origin(NamedTuple):
    """Where a tensor's values were made.

    `kind` is `spikes` (a known population's), `input` (the network's own), `currents` (a weighted operator's),
    `pooled`, `binary` (a comparison, perhaps an undeclared neuron), `random` or `values` (anything else). `unit` is
    the size of one spike where a value may be several, and `census` what was counted when the values were sent, for
    rows of the first axes.
    """

    kind: str
    source: str
    fold: Fold | None = None
    unit: float | None = None
    census: Census | None = None
    row_count: int = 0  # rows that `census` speaks of

    def through(self, name: str, args: tuple[Any, ...], out: Tensor) -> Origin:
        """The origin of what an operator that only moves values made of this tensor."""
        fold = self.fold.through(name, args, out) if self.fold is not None else None
        known = self.census
        if known is not None and name not in _COPIES:
            rows = leading(out.shape, self.row_count) if name in _RESHAPES else None
            known = None if rows is None else known.shaped(tuple(out.shape[rows:]))
        if fold is self.fold and known is self.census:
            return self
        return self._replace(fold=fold, census=known)

    def counted(self, shape: tuple[int, ...], rows: int) -> Census | None:
        """The census of a tensor of some shape with this origin, if it is known without looking."""
        if self.census is None or math.prod(shape[:rows]) != self.row_count:
            return None
        return self.census.shaped(tuple(shape[rows:]))


def leading(shape: torch.Size, count: int) -> int | None:
    """How many leading axes of a shape hold exactly `count` rows."""
    product = 1
    for axis, size in enumerate(shape):
        if product == count and axis > 0:
            return axis
        product *= size
    return len(shape) if product == count and len(shape) > 0 else None


def axis_order(name: str, dims: int, args: tuple[Any, ...]) -> tuple[int, ...]:
    """The permutation of the axes that `permute(dims)` or `transpose(first, second)` makes."""
    if name == "permute":
        return tuple(axis % dims for axis in args[0])
    order = list(range(dims))
    first, second = (axis % dims for axis in args)
    order[first], order[second] = order[second], order[first]
    return tuple(order)
