"""STDP by pairs and by traces is one rule, and inhibition lets one speak for all."""

from __future__ import annotations

import numpy as np
import pytest

from spikeledger.errors import InputError
from spikeledger.plasticity import PairRule, by_pairs, by_traces, compete, window


@pytest.mark.parametrize("seed", range(5))
def test_traces_say_what_pairs_say(seed: int) -> None:
    draw = np.random.default_rng(seed)
    before, after = draw.random((2, 300)) < 0.1
    rule = PairRule(0.003, 0.004, 13.0, 31.0, low=-100, high=100)
    assert by_traces(rule, before, after)[-1] - 0.5 == pytest.approx(by_pairs(rule, before, after), abs=1e-12)


def test_who_comes_first_decides() -> None:
    rule = PairRule(increase=0.02, decrease=0.03)
    changes = window(rule, [-40, -1, 0, 1, 40])
    assert (changes[:2] < 0).all() and (changes[2:] > 0).all()
    assert abs(changes[0]) < abs(changes[1]) and changes[4] < changes[3] < changes[2] == 0.02
    assert changes[3] == pytest.approx(0.02 * np.exp(-1 / 20))


def test_a_weight_stays_within_its_bounds() -> None:
    always = np.ones(200)
    rule = PairRule(increase=0.1, decrease=0.0, high=0.8)
    assert by_traces(rule, always, always)[-1] == 0.8
    assert by_traces(PairRule(increase=0.0, decrease=0.1, low=0.2), always, always)[-1] == 0.2
    with pytest.raises(InputError):
        by_traces(rule, always, np.ones(3))


def test_the_strongest_silences_the_rest() -> None:
    currents = np.tile([0.2, 0.22, 0.3, 0.21], (300, 1))
    free, bound = (compete(currents, inhibition=each).sum(0) for each in (0.0, 0.8))
    assert (free > 20).all()
    assert bound[2] == free[2] and bound[[0, 1, 3]].sum() == 0
    with pytest.raises(InputError):
        compete(currents, inhibition=-1)
