"""Fronts, crowding and hypervolume against plain loops."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from spikeledger.search.pareto import best, crowding, front, hypervolume, knee, ranks

POINTS = st.integers(1, 3).flatmap(
    lambda d: st.integers(1, 7).flatmap(
        lambda n: arrays(np.float64, (n, d), elements=st.integers(0, 5).map(float))
    )
)  # fmt: skip


def beats(a: np.ndarray, b: np.ndarray) -> bool:
    return all(x <= y for x, y in zip(a, b, strict=True)) and any(x < y for x, y in zip(a, b, strict=True))


@settings(derandomize=True, max_examples=60, deadline=None)
@given(POINTS)
def test_the_front_is_what_nothing_beats(values: np.ndarray) -> None:
    expected = {tuple(a) for a in values if not any(beats(b, a) for b in values)}
    found = front(values)
    assert {tuple(values[n]) for n in found} == expected and len(found) == len(expected)
    rank = ranks(values, np.zeros(len(values)))
    for n, a in enumerate(values):
        above = [rank[m] for m, b in enumerate(values) if beats(b, a)]
        assert rank[n] == (max(above) + 1 if above else 0)


@settings(derandomize=True, max_examples=60, deadline=None)
@given(POINTS)
def test_the_volume_is_that_of_unit_cubes(values: np.ndarray) -> None:
    """All coordinates are whole numbers, so that cubes of side 1 can be counted."""
    d = values.shape[1]
    reference = np.full(d, 5.0)
    cubes = sum(
        any(all(point[k] <= corner[k] for k in range(d)) for point in values)
        for corner in itertools.product(range(5), repeat=d)
    )
    assert hypervolume(values, reference) == pytest.approx(cubes)


def test_what_misses_a_constraint_comes_after_all_that_do_not() -> None:
    values = np.array([[0.0, 0.0], [5.0, 5.0], [1.0, 1.0], [6.0, 4.0]])
    violations = np.array([2.0, 0.0, 1.0, 0.0])
    assert ranks(values, violations).tolist() == [2, 0, 1, 0]
    assert best(values, violations, 3) == [1, 3, 2]


def test_of_a_front_the_lonely_ones_are_kept() -> None:
    values = np.array([[0.0, 10.0], [1.0, 9.0], [1.1, 8.9], [10.0, 0.0]])
    assert crowding(values)[[0, 3]].tolist() == [np.inf, np.inf]
    assert set(best(values, np.zeros(4), 3)) == {0, 3, 2}
    assert best(np.empty((0, 2)), np.empty(0), 3) == [] and front(np.empty((0, 2))) == []


def test_the_knee_is_farthest_below_the_line_of_the_ends() -> None:
    values = np.array([[0.0, 10.0], [1.0, 2.0], [5.0, 1.0], [10.0, 0.0]])
    equal = np.ones(2)
    assert knee(values, equal) == 1
    assert knee(values[:2], equal) is None and knee(np.ones((3, 2)), equal) is None
    bent = np.array([[0.0, 10.0], [6.0, 9.0], [9.0, 6.0], [10.0, 0.0]])
    assert knee(bent, equal) is None  # above the line through its ends


def test_a_device_that_is_named_twice_moves_no_knee() -> None:
    """Each column of joules counts for its share; added up like two objectives, the cheap end would win."""
    values = np.array([[4.0, 0.0], [3.5, 0.2], [1.5, 2.2], [0.0, 4.0]])
    twice = np.column_stack([values, values[:, 1]])
    assert knee(values, np.array([1.0, 1.0])) == knee(twice, np.array([1.0, 0.5, 0.5])) == 1
    assert knee(np.array([[4.0, 0.0], [2.0, 1.5], [0.0, 4.0]]), np.array([1.0, 1.0])) == 1
