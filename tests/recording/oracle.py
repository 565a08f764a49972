"""Counting by hand: every synapse is listed, every spike is followed along it, in plain nested loops.

Each wiring lists, for every source place, the set of target places that existing weights lead to; `events` walks over
all rows and places. Slow and obvious: what the recorder must agree with to the last integer.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

Place = tuple[int, ...]
Wiring = dict[Place, set[Place]]


def places(shape: Sequence[int]) -> list[Place]:
    return list(itertools.product(*(range(size) for size in shape)))


def linear(weight: Any) -> Wiring:
    """Weight `[out, in]`."""
    outputs, inputs = weight.shape
    return {(i,): {(o,) for o in range(outputs) if weight[o][i] != 0} for i in range(inputs)}


def convolution(
    shape: Sequence[int],
    weight: Any,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
) -> Wiring:
    """Input `[C, *S]`, weight `[O, C / groups, *K]`; what lies in the zero padding is no source."""
    outputs, per_group, *kernel = weight.shape
    sizes = shape[1:]
    reach = [
        (n + 2 * p - d * (k - 1) - 1) // s + 1
        for n, k, s, p, d in zip(sizes, kernel, stride, padding, dilation, strict=True)
    ]
    wires: Wiring = {place: set() for place in places(shape)}
    for target in places((outputs, *reach)):
        group = target[0] // (outputs // groups)
        for channel in range(per_group):
            for tap in places(kernel):
                where = tuple(
                    t * s - p + k * d for t, s, p, k, d in zip(target[1:], stride, padding, tap, dilation, strict=True)
                )
                inside = all(0 <= w < n for w, n in zip(where, sizes, strict=True))
                if inside and weight[(target[0], channel, *tap)] != 0:
                    wires[(group * per_group + channel, *where)].add(target)
    return wires


def transposed_convolution(
    shape: Sequence[int],
    weight: Any,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    extra: Sequence[int],
    groups: int,
) -> Wiring:
    """Input `[C, *S]`, weight `[C, O / groups, *K]`: each source paints its taps into the output."""
    inputs, per_group, *kernel = weight.shape
    sizes = [
        (n - 1) * s - 2 * p + d * (k - 1) + e + 1
        for n, k, s, p, d, e in zip(shape[1:], kernel, stride, padding, dilation, extra, strict=True)
    ]
    wires: Wiring = {}
    for source in places(shape):
        wires[source] = set()
        group = source[0] // (inputs // groups)
        for out in range(per_group):
            for tap in places(kernel):
                where = tuple(
                    i * s - p + k * d for i, s, p, k, d in zip(source[1:], stride, padding, tap, dilation, strict=True)
                )
                inside = all(0 <= w < n for w, n in zip(where, sizes, strict=True))
                if inside and weight[(source[0], out, *tap)] != 0:
                    wires[source].add((group * per_group + out, *where))
    return wires


def pooling(shape: Sequence[int], kernel: Sequence[int], stride: Sequence[int], padding: Sequence[int]) -> Wiring:
    """Input `[C, *S]`: which windows hold each element."""
    reach = [(n + 2 * p - k) // s + 1 for n, k, s, p in zip(shape[1:], kernel, stride, padding, strict=True)]
    wires: Wiring = {place: set() for place in places(shape)}
    for target in places((shape[0], *reach)):
        for tap in places(kernel):
            where = tuple(t * s - p + k for t, s, p, k in zip(target[1:], stride, padding, tap, strict=True))
            if all(0 <= w < n for w, n in zip(where, shape[1:], strict=True)):
                wires[(target[0], *where)].add(target)
    return wires


def adaptive_pooling(shape: Sequence[int], size: Sequence[int]) -> Wiring:
    wires: Wiring = {place: set() for place in places(shape)}
    for target in places((shape[0], *size)):
        for source in places(shape[1:]):
            inside = all(
                t * n // m <= s < -(-(t + 1) * n // m)
                for t, s, n, m in zip(target[1:], source, shape[1:], size, strict=True)
            )
            if inside:
                wires[(target[0], *source)].add(target)
    return wires


def flattened(wires: Wiring, shape: Sequence[int]) -> Wiring:
    """The same wires, from places `[*N]` counted through."""
    return {(number,): wires[place] for number, place in enumerate(places(shape))}


def after_flatten(shape: Sequence[int], wires: Wiring) -> Wiring:
    """Wires of a flat layer, from the places `[*N]` before the flattening."""
    return {place: wires[(number,)] for number, place in enumerate(places(shape))}


def through(first: Wiring, second: Wiring) -> Wiring:
    """Two wirings in a row, folded: a target that is reached on two ways is one synapse."""
    return {source: {t for middle in targets for t in second[middle]} for source, targets in first.items()}


def events(rows: Any, wires: Wiring) -> np.ndarray:
    """Arrivals by source place: `rows` is `[R, *N]`."""
    count = np.zeros(rows.shape[1:], np.int64)
    for row in rows:
        for place, targets in wires.items():
            if row[place] != 0:
                count[place] += len(targets)
    return count


def meetings(left: Any, right: Any) -> int:
    """Pairs of non-zero values that a matrix product `[n, k] x [k, m]` multiplies."""
    n, k = left.shape
    m = right.shape[1]
    return sum(left[i][j] != 0 and right[j][o] != 0 for i in range(n) for j in range(k) for o in range(m))
