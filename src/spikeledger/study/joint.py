"""Two costs that share prices, judged together: the exact interval of their ratio, else a probability.

Each cost is `sum_k factor_k * product of unknowns` (`Amount`), linear in every single unknown, and each unknown lies
anywhere in its range, once for both sides. So `SNN - ANN` has its extremes where every unknown is at an end, and they
are found key by key: an unknown goes low or high after the sign of its own coefficient. Where two unknowns multiply
(watts and a duration), as many are tried at both ends as it takes to leave one in each product. `ANN / SNN` is linear
over linear: its extreme R is where the extreme of `ANN - R SNN` is 0 (Charnes & Cooper 1962,
doi:10.1002/nav.3800090303), found by Dinkelbach's iteration (1967, doi:10.1287/mnsc.13.7.492), which ends at a corner.

Draws are for what that leaves open: seeded, and paired by identity, so that one unknown has one value on both sides and
in every row.
"""

from __future__ import annotations

import itertools
import math
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..amounts import Amount, Product, Unknown
from ..errors import unknown_name

Floats = NDArray[np.float64]
Distribution = Literal["log-uniform", "log-triangular"]

#: how an unknown is drawn within its range. Only the limits are known, on a scale of ratios: log-uniform (JCGM 101:2008,
#: 6.4.2, on the log scale); with more weight near the nominal value: log-triangular. From 0 the scale is linear.
DISTRIBUTIONS: tuple[Distribution, ...] = ("log-uniform", "log-triangular")
DRAWS = 10_000


@dataclass(frozen=True)
class Interval:
    """A quantity between two corners of the ranges, both of which are reached; `high` may be infinite."""

    low: float
    high: float


@dataclass(frozen=True, eq=False)
class Extremes:
    """`SNN - ANN` and `ANN / SNN` at the corners of the ranges.

    `nearest` is the corner at which the difference is closest to turning its sign (or has turned it).
    """

    difference: Interval
    ratio: Interval | None  # None where neither side costs anything
    lowest: dict[Unknown, float]
    highest: dict[Unknown, float]


def extremes(ann: Amount, snn: Amount) -> Extremes:
    """The exact intervals of the difference and of the ratio, whatever the unknowns are within their ranges."""
    table = _Table(ann, snn)
    first, last = table.least(table.snn - table.ann), table.least(table.ann - table.snn)
    low, high = first[0], -last[0]
    return Extremes(Interval(low, high), _ratio(table), table.corner(*first[1:]), table.corner(*last[1:]))


@dataclass(frozen=True, eq=False)
class Draws:
    """Values of every unknown, each between its ends, `[draws]`."""

    values: dict[Unknown, Floats]
    size: int

    def products(self, products: Sequence[Product]) -> Floats:
        """`[draws, products]`."""
        found = np.ones((self.size, len(products)))
        for column, product in enumerate(products):
            for one in product:
                found[:, column] *= self.values[one]
        return found


def draw(unknowns: Iterable[Unknown], *, distribution: str = "log-uniform", size: int = DRAWS, seed: int = 0) -> Draws:
    """Draw every unknown on its own; one unknown gets the same draws wherever it is asked for."""
    if distribution not in DISTRIBUTIONS:
        raise unknown_name("distribution", distribution, DISTRIBUTIONS)
    values = {}
    for one in unknowns:
        shares = np.random.default_rng([seed, zlib.crc32(one.name.encode())]).random(size)
        values[one] = _between(one, shares, distribution)
    return Draws(values, size)


def _between(one: Unknown, shares: Floats, distribution: str) -> Floats:
    """The value below which each share of the distribution lies."""
    log = one.low > 0
    low, middle, high = (math.log(end) if log else end for end in (one.low, one.nominal, one.high))
    if distribution == "log-uniform":
        found = low + (high - low) * shares
    else:
        at = (middle - low) / (high - low)
        rising = low + np.sqrt(shares * (high - low) * (middle - low))
        falling = high - np.sqrt((1 - shares) * (high - low) * (high - middle))
        found = np.where(shares < at, rising, falling)
    return np.clip(np.exp(found) if log else found, one.low, one.high)


class _Table:
    """Both costs as coefficients, `[corners, keys]`: in each row the multiplied unknowns stand at other ends.

    A key is an unknown, or several that only ever occur together; column 0 is what hangs on none.
    """

    def __init__(self, ann: Amount, snn: Amount) -> None:
        products = list(dict.fromkeys((*ann.terms, *snn.terms)))
        keys, members = _keys(products)
        tried = _tried(members)
        free = [key for key in range(len(keys)) if key not in tried]
        place = {key: column for column, key in enumerate(free, start=1)}
        self.keys, self.tried, self.free = keys, tried, free
        self.ends = np.array([[math.prod(getattr(one, end) for one in key) for key in keys] for end in ("low", "high")])
        corners = list(itertools.product((0, 1), repeat=len(tried)))
        self.choices = np.array(corners, dtype=np.int64).reshape(len(corners), len(tried))
        self.ann = np.zeros((len(self.choices), len(free) + 1))
        self.snn = np.zeros_like(self.ann)
        for product, inside in zip(products, members, strict=True):
            column = next((place[key] for key in inside if key in place), 0)
            scale = np.ones(len(self.choices))
            for at, key in enumerate(tried):
                if key in inside:
                    scale = scale * self.ends[self.choices[:, at], key]
            self.ann[:, column] += scale * ann.terms.get(product, 0.0)
            self.snn[:, column] += scale * snn.terms.get(product, 0.0)
        low, high = self.ends[:, free] if free else np.zeros((2, 0))
        self.low, self.high = np.concatenate([[1.0], low]), np.concatenate([[1.0], high])

    def least(self, coefficients: Floats) -> tuple[float, int, NDArray[np.bool_]]:
        """The lowest value of a cost with these coefficients, and the corner: its row, and which keys are high."""
        high = coefficients < 0
        found = (coefficients * np.where(high, self.high, self.low)).sum(1)
        row = int(found.argmin())
        return float(found[row]), row, high[row]

    def at(self, side: Floats, row: int, high: NDArray[np.bool_]) -> float:
        """A side's cost at one corner."""
        return float((side[row] * np.where(high, self.high, self.low)).sum())

    def corner(self, row: int, high: NDArray[np.bool_]) -> dict[Unknown, float]:
        """The unknowns' values at one corner."""
        chosen = dict(zip(self.tried, (bool(end) for end in self.choices[row]), strict=True))
        chosen |= dict(zip(self.free, (bool(end) for end in high[1:]), strict=True))
        return {one: one.high if up else one.low for key, up in chosen.items() for one in self.keys[key]}


def _ratio(table: _Table) -> Interval | None:
    if not table.ann.any() and not table.snn.any():
        return None
    least = table.least(table.snn)
    lowest = _lowest_ratio(table, table.ann, table.snn)
    if least[0] <= 0:  # an SNN that may cost nothing is as many times cheaper as one likes
        return Interval(lowest, math.inf)
    inverse = _lowest_ratio(table, table.snn, table.ann)
    return Interval(lowest, 1 / inverse if inverse > 0 else math.inf)


def _lowest_ratio(table: _Table, above: Floats, below: Floats) -> float:
    """The lowest `above / below`: each step goes to the corner where `above - R below` is least, and R to its ratio."""
    ratio = math.inf
    found = table.least(-below)
    for _ in range(100):  # a few are enough: every step but the last gives another corner
        bottom = table.at(below, *found[1:])
        better = table.at(above, *found[1:]) / bottom if bottom > 0 else math.inf
        if not better < ratio:
            break
        ratio = better
        found = table.least(above - ratio * below)
    return max(ratio, 0.0)


def _keys(products: Sequence[Product]) -> tuple[list[tuple[Unknown, ...]], list[frozenset[int]]]:
    """Unknowns that occur in the very same products are one key; which keys each product has."""
    where: dict[Unknown, list[int]] = {}
    for index, product in enumerate(products):
        for one in product:
            where.setdefault(one, []).append(index)
    groups: dict[tuple[int, ...], list[Unknown]] = {}
    for one, places in where.items():
        groups.setdefault(tuple(places), []).append(one)
    keys = [tuple(group) for group in groups.values()]
    members: list[set[int]] = [set() for _ in products]
    for key, indexes in enumerate(groups):
        for index in indexes:
            members[index].add(key)
    return keys, [frozenset(inside) for inside in members]


def _tried(members: Sequence[frozenset[int]]) -> list[int]:
    """The keys that are tried at both ends, so that every product is left with one key at the most."""
    tried: list[int] = []
    while crowded := [inside - set(tried) for inside in members if len(inside - set(tried)) > 1]:
        counts: dict[int, int] = {}
        for inside in crowded:
            for key in sorted(inside):
                counts[key] = counts.get(key, 0) + 1
        tried.append(max(counts, key=lambda key: (counts[key], -key)))
    return tried
