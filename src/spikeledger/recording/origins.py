"""Where a tensor came from: the layer that sent it, and the linear pooling that it went through on the way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from .census import Census

Step = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Fold:
    """Spikes that went through a linear pooling: their census before it, and the way from there on, for one row."""

    pool: str
    before: Census
    shape: tuple[int, ...]  # of one row before the pooling, `[1, *features]`
    steps: tuple[Step, ...]
    rows: int  # leading axes that index samples and steps, at the end of the way
    row_count: int

    def through(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], out: Tensor) -> Fold | None:
        """The same way, one operator that only moves values further; None if it mixes rows with places."""
        value = args[0]
        if name in (
            "view",
            "_unsafe_view",
            "reshape",
            "_reshape_alias",
            "flatten",
            "unflatten",
            "squeeze",
            "unsqueeze",
        ):
            rows = _leading(out.shape, self.row_count)
            if rows is None:
                return None
            features = tuple(out.shape[rows:])
            one = (1,) * rows
            return replace(self, steps=(*self.steps, lambda x: x.reshape(*one, *features)), rows=rows)
        if name in ("clone", "contiguous", "detach", "alias", "_to_copy", "to", "lift_fresh"):
            return self
        if name in ("permute", "transpose"):
            order = _order(name, value.dim(), args[1:])
            if sorted(order[: self.rows]) != list(range(self.rows)):
                return None
            return replace(self, steps=(*self.steps, lambda x: x.permute(order)))
        return None


@dataclass(frozen=True)
class Origin:
    """`kind` is what a tensor is: a layer's `spikes`, the network's `input`, a weighted operator's `currents`."""

    kind: str
    source: str
    fold: Fold | None = None


def _leading(shape: torch.Size, count: int) -> int | None:
    """How many leading axes of a shape hold exactly `count` rows."""
    product = 1
    for axis, size in enumerate(shape):
        if product == count and axis > 0:
            return axis
        product *= size
    return len(shape) if product == count and len(shape) > 0 else None


def _order(name: str, dims: int, args: tuple[Any, ...]) -> tuple[int, ...]:
    """The permutation of the axes that `permute(dims)` or `transpose(first, second)` makes."""
    if name == "permute":
        return tuple(axis % dims for axis in args[0])
    order = list(range(dims))
    first, second = (axis % dims for axis in args)
    order[first], order[second] = order[second], order[first]
    return tuple(order)
