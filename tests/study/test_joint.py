"""Shared prices are shared: exact intervals hold every draw, are reached, and agree with brute force over corners."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikeledger.amounts import Amount, Unknown
from spikeledger.errors import SpikeLedgerError
from spikeledger.study.joint import DISTRIBUTIONS, draw, extremes

NAMES = ["add", "multiply", "SRAM", "watts", "duration", "transfer", "hop"]


def random_pair(seed: int) -> tuple[Amount, Amount]:
    """Two bills of some prices, sums of prices, and products such as watts times a duration, out of the same numbers."""
    chance = np.random.default_rng(seed)
    rows = zip(NAMES, 10 ** chance.uniform(-13, -9, len(NAMES)), chance.uniform(0.1, 10, (len(NAMES), 2)), strict=True)
    numbers = [Amount.of(name, middle * min(a / 10, 1), middle, middle * max(b, 1.01)) for name, middle, (a, b) in rows]

    def bill() -> Amount:
        parts = []
        for one, other, count, multiplied in zip(
            chance.integers(len(numbers), size=6), chance.integers(len(numbers), size=6),
            chance.integers(0, 1000, size=6), chance.random(6) < 0.3, strict=True,
        ):  # fmt: skip
            amount = numbers[one] * numbers[other] * 1e11 if multiplied and one != other else numbers[one]
            parts.append((float(count), amount))
        return Amount.sum((*parts, (1.0, numbers[0])))

    return bill(), bill()


def brute(ann: Amount, snn: Amount) -> tuple[float, float, float, float]:
    """Every corner of the box, one after the other."""
    unknowns = list(dict.fromkeys((*ann.unknowns, *snn.unknowns)))
    pairs = [
        (ann.at(corner), snn.at(corner))
        for ends in itertools.product(*[(one.low, one.high) for one in unknowns])
        for corner in [dict(zip(unknowns, ends, strict=True))]
    ]
    differences = [there - here for here, there in pairs]
    ratios = [here / there for here, there in pairs]
    return min(differences), max(differences), min(ratios), max(ratios)


@pytest.mark.parametrize("block", [0, *(pytest.param(block, marks=pytest.mark.slow) for block in range(1, 10))])
def test_no_draw_falls_outside_of_the_exact_intervals_and_both_ends_are_reached(block: int) -> None:
    """1,000 random pairs of bills a block, 10,000 in all."""
    for seed in range(1000 * block, 1000 * block + 1000):
        ann, snn = random_pair(seed)
        found = extremes(ann, snn)
        products = list(dict.fromkeys((*ann.terms, *snn.terms)))
        unknowns = dict.fromkeys(one for product in products for one in product)
        drawn = draw(unknowns, size=50, seed=seed, distribution=DISTRIBUTIONS[seed % 2]).products(products)
        here, there = (drawn @ [cost.terms.get(product, 0.0) for product in products] for cost in (ann, snn))
        scale = 1e-12 * max(ann.high, snn.high)
        assert found.difference.low - scale <= (there - here).min()
        assert (there - here).max() <= found.difference.high + scale
        assert found.ratio is not None
        assert found.ratio.low * (1 - 1e-9) <= (here / there).min()
        assert (here / there).max() <= found.ratio.high * (1 + 1e-9)
        for corner, end in ((found.lowest, found.difference.low), (found.highest, found.difference.high)):
            assert snn.at(corner) - ann.at(corner) == pytest.approx(end, rel=1e-9, abs=scale)
            assert all(corner[one] in (one.low, one.high) for one in corner)


@settings(max_examples=100)
@given(st.integers(0, 2**32))
def test_the_extremes_are_those_of_every_corner_tried(seed: int) -> None:
    ann, snn = random_pair(seed)
    found, expected = extremes(ann, snn), brute(ann, snn)
    scale = 1e-11 * max(ann.high, snn.high)
    assert (found.difference.low, found.difference.high) == pytest.approx(expected[:2], rel=1e-9, abs=scale)
    assert found.ratio is not None
    assert (found.ratio.low, found.ratio.high) == pytest.approx(expected[2:], rel=1e-8)


def test_watts_that_both_pay_for_their_own_time_are_one_number() -> None:
    watts = Amount.of("watts", 1, 2, 10)
    ann, snn = watts * Amount.of("here", 1, 2, 3), watts * Amount.of("there", 4, 5, 6)
    found = extremes(ann, snn)
    assert found.ratio is not None
    assert (found.ratio.low, found.ratio.high) == pytest.approx((1 / 6, 3 / 4))
    assert (found.difference.low, found.difference.high) == pytest.approx((1 * (4 - 3), 10 * (6 - 1)))


def test_two_watts_over_one_duration() -> None:
    """A chip and its host run as long: the duration is one number under both."""
    time = Amount.of("duration", 1, 2, 10)
    chip, host = Amount.of("chip", 1, 1, 2) * time, Amount.of("host", 3, 4, 5) * time
    found = extremes(chip + host, chip * 2)
    assert found.ratio is not None
    assert (found.ratio.low, found.ratio.high) == pytest.approx(((3 + 2) / 4, (5 + 1) / 2))


@pytest.mark.parametrize(
    ("ann", "snn", "low", "high"),
    [
        (Amount.exactly(2.0), Amount.exactly(4.0), 0.5, 0.5),
        (Amount.of("p", 0, 1, 2), Amount.exactly(4.0), 0.0, 0.5),
        (Amount.exactly(4.0), Amount.of("p", 0, 1, 2), 2.0, math.inf),
        (Amount.exactly(0.0), Amount.of("p", 1, 1, 2), 0.0, 0.0),
        (Amount.of("p", 1, 1, 2), Amount.exactly(0.0), math.inf, math.inf),
    ],
)
def test_ratios_at_the_edges(ann: Amount, snn: Amount, low: float, high: float) -> None:
    found = extremes(ann, snn).ratio
    assert found is not None
    assert (found.low, found.high) == (low, high)


def test_nothing_over_nothing_has_no_ratio() -> None:
    assert extremes(Amount.exactly(0.0), Amount.exactly(0.0)).ratio is None


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_one_number_is_drawn_alike_wherever_it_is_asked_for(distribution: str) -> None:
    one, other = Unknown("one", 1, 3, 9), Unknown("other", 1, 3, 9)
    alone, beside = draw([one], distribution=distribution), draw([other, one], distribution=distribution)
    assert (alone.values[one] == beside.values[one]).all()
    assert not (beside.values[one] == beside.values[other]).all()
    assert not (draw([one], distribution=distribution, seed=1).values[one] == alone.values[one]).all()
    assert alone.values[one].min() >= 1
    assert alone.values[one].max() <= 9


def test_the_distributions_are_those_that_are_stated() -> None:
    one = Unknown("one", 1, 4, 100)
    uniform = draw([one]).values[one]
    triangular = draw([one], distribution="log-triangular").values[one]
    # half of the draws below sqrt(1 * 100); log-uniform mean (h - l) / ln(h / l)
    assert (uniform < 10).mean() == pytest.approx(0.5, abs=0.02)
    assert uniform.mean() == pytest.approx(99 / math.log(100), rel=0.03)
    # of a triangle, the share below its mode is (mode - low) / (high - low)
    assert (triangular < 4).mean() == pytest.approx(math.log(4) / math.log(100), abs=0.02)
    zero = Unknown("zero", 0, 1, 8)
    assert draw([zero]).values[zero].mean() == pytest.approx(4, abs=0.1)
    with pytest.raises(SpikeLedgerError, match="log-triangular"):
        draw([one], distribution="normal")
