"""What is better when there are several objectives: fronts, crowding, hypervolume and the knee.

All objectives are made small here; `values` are `[points, objectives]`, and a violation above 0 says by how much a point
misses its constraints.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


def dominates(values: Values) -> NDArray[np.bool_]:
    """`[i, j]`: whether point `i` is nowhere worse than `j` and somewhere better."""
    no_worse = (values[:, None] <= values[None]).all(-1)
    better = (values[:, None] < values[None]).any(-1)
    return np.asarray(no_worse & better)


def ranks(values: Values, violations: Values) -> NDArray[np.int64]:
    """The front that each point is on, from 0: feasible points by domination, then the others by their violation.

    After Deb et al. 2002, doi:10.1109/4235.996017.
    """
    found = np.full(len(values), -1, np.int64)
    feasible = np.flatnonzero(violations <= 0)
    better = dominates(values[feasible])
    left, rank = np.ones(len(feasible), bool), 0
    while left.any():
        front = left & ~better[left].any(0)
        found[feasible[front]] = rank
        left &= ~front
        rank += 1
    missing = np.flatnonzero(violations > 0)
    order = np.unique(violations[missing], return_inverse=True)[1]
    found[missing] = rank + order
    return found


def crowding(values: Values) -> Values:
    """How far apart the neighbours of each point of one front are; infinite at its ends."""
    found = np.zeros(len(values))
    for column in values.T:
        order = np.argsort(column, kind="stable")
        found[order[[0, -1]]] = np.inf
        span = column[order[-1]] - column[order[0]]
        if span > 0 and len(values) > 2:
            found[order[1:-1]] += (column[order[2:]] - column[order[:-2]]) / span
    return found


def best(values: Values, violations: Values, count: int) -> list[int]:
    """The `count` best points: by front, and where a front is too large by crowding."""
    if len(values) == 0:
        return []
    rank = ranks(values, violations)
    crowd = np.zeros(len(values))
    for each in np.unique(rank):
        on = np.flatnonzero(rank == each)
        crowd[on] = crowding(values[on])
    return [int(n) for n in np.lexsort((np.arange(len(values)), -crowd, rank))[:count]]


def front(values: Values) -> list[int]:
    """Points that no other dominates, the cheapest in the last objective first; of equal ones the first."""
    if len(values) == 0:
        return []
    unique = np.unique(values, axis=0, return_index=True)[1]
    kept = np.sort(unique)
    on = kept[~dominates(values[kept]).any(0)]
    return [int(n) for n in on[np.argsort(values[on][:, -1], kind="stable")]]


def hypervolume(values: Values, reference: Values) -> float:
    """The volume between a reference point and the front, of points that are better than it everywhere.

    Two objectives by one sweep, more by slices along the last one.
    """
    inside = values[(values < reference).all(1)]
    if len(inside) == 0:
        return 0.0
    if values.shape[1] == 1:
        return float(reference[0] - inside.min())
    inside = inside[np.argsort(inside[:, -1], kind="stable")]
    if values.shape[1] == 2:
        lowest = np.minimum.accumulate(inside[:, 0])
        heights = np.diff(np.append(inside[:, 1], reference[1]))
        return float(((reference[0] - lowest) * heights).sum())
    ends = np.append(inside[1:, -1], reference[-1])
    return float(
        sum(
            (end - point[-1]) * hypervolume(inside[: n + 1, :-1], reference[:-1])
            for n, (point, end) in enumerate(zip(inside, ends, strict=True))
            if end > point[-1]
        )
    )


def knee(values: Values, weights: Values) -> int | None:
    """The point of a front with the least weighted sum of objectives, each from 0 (its best on the front) to 1.

    With two objectives that is the one farthest below the line through the front's ends. None of fewer than three points,
    and where an end has the least sum: such a front bends the other way.

    Args:
        weights: `[objectives]`; of objectives that say the same, such as joules on two devices, each counts for a part.
    """
    if len(values) < 3:
        return None
    low, high = values.min(0), values.max(0)
    if not (high > low).all():
        return None
    sums = ((values - low) / (high - low)) @ weights
    ends = set(values.argmin(0).tolist())
    least = int(sums.argmin())
    return None if least in ends else least
