"""Where values were made: what is known of a tensor's values, and of memory that holds several origins."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from .census import Census
from .pool_folding import Fold

#: kinds whose values are events, each of one size or several of them at once
EVENTS = frozenset(["spikes", "input"])
#: operators that give the same elements in another arrangement of the axes
RESHAPES = frozenset(
    ["view", "_unsafe_view", "reshape", "_reshape_alias", "flatten", "unflatten", "squeeze", "unsqueeze"]
)
#: operators that give the same elements in the same arrangement
COPIES = frozenset(["clone", "contiguous", "detach", "alias", "_to_copy", "to", "lift_fresh"])


class Origin(NamedTuple):
    """Where a tensor's values were made.

    `kind` is `spikes` (neurons sent them, declared or not), `input` (the network's own), `currents` (a weighted
    operator's), `pooled`, `random`, `constant`, `zero`, `unseen` (made where nobody could look) or `values` (anything
    else). `unit` is the size of one spike where a value may be several, `census` what was counted when they were sent,
    for `rows` rows of the first axes, and `suspect` a place that made binary values though nobody said that it is a neuron.
    """

    kind: str
    source: str
    unit: float | None = None
    suspect: str | None = None
    fold: Fold | None = None
    census: Census | None = None
    rows: int = 0
    half: tuple[str, Any] | None = (
        None  # the `sign` or `size` of values with a fold, whose product is these values again
    )
    sums: frozenset[str] = frozenset()  # arithmetic of sent spikes that came to this: a read-out, if nothing more does

    @property
    def bare(self) -> Origin:
        """What holds for any part of these values."""
        if self.fold is None and self.census is None and self.half is None:
            return self
        return self._replace(fold=None, census=None, rows=0, half=None)

    def through(self, name: str, out: Tensor) -> Origin:
        """The origin of what an operator that only moves values made of this tensor, but for the poolings."""
        known = self.census
        if known is None or name in COPIES:
            return self
        rows = _leading(out.shape, self.rows) if name in RESHAPES else None
        return self._replace(census=None if rows is None else known.shaped(tuple(out.shape[rows:])))

    def counted(self, shape: tuple[int, ...], rows: int) -> Census | None:
        """The census of a tensor of some shape with this origin, if it is known without looking."""
        if self.census is None or math.prod(shape[:rows]) != self.rows:
            return None
        return self.census.shaped(tuple(shape[rows:]))


CONSTANT = Origin("constant", "")
ZERO = Origin("zero", "")
INPUT = Origin("input", "input")
RANDOM = Origin("random", "input")


def sums_of(found: Sequence[Origin]) -> frozenset[str]:
    """The arithmetic of sent spikes behind some values."""
    return frozenset().union(*(origin.sums for origin in found))


def joined(first: Origin | None, other: Origin | None) -> Origin | None:
    """What is known of memory that holds values of both origins: zeros say nothing, two populations are events of both."""
    if first is None or other is None:
        return first or other
    if first.kind == "zero" or first == other:
        return other.bare
    if other.kind == "zero":
        return first.bare
    unit = first.unit if first.unit == other.unit else None
    source = first.source if first.source == other.source else ""
    suspect = first.suspect or other.suspect
    if first.kind == other.kind:
        kind = first.kind if first.kind != "currents" or source else "values"
    elif {first.kind, other.kind} <= EVENTS:
        kind = "spikes"
    elif "unseen" in (first.kind, other.kind):
        kind = "unseen"
    elif first.kind == "constant" or other.kind == "constant":
        kind, source = next((one.kind, one.source) for one in (first, other) if one.kind != "constant")
        kind = kind if kind in EVENTS else "values"
    else:
        kind, source = "values", first.source
    return Origin(kind, source, unit, suspect, sums=first.sums | other.sums)


def _leading(shape: torch.Size, count: int) -> int | None:
    """How many leading axes of a shape hold exactly `count` rows."""
    product = 1
    for axis, size in enumerate(shape):
        if product == count and axis > 0:
            return axis
        product *= size
    return len(shape) if product == count and len(shape) > 0 else None
