"""Intervals, tests and decision steps, each against a second way to the same number."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from spikeledger.errors import InputError
from spikeledger.study.accuracy import confusion, decision_step, mcnemar, wilson

answers = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=200)


@given(answers)
def test_mcnemar_is_the_exact_binomial_test(pairs: list[tuple[bool, bool]]) -> None:
    ann, snn = (np.array(column) for column in zip(*pairs, strict=True))
    found = mcnemar(ann, snn)
    split = found.only_ann + found.only_snn
    expected = binomtest(min(found.only_ann, found.only_snn), split).pvalue if split else 1.0
    assert found.p == pytest.approx(expected, rel=1e-9, abs=1e-15)
    back = mcnemar(snn, ann)
    assert (back.only_ann, back.only_snn, back.p) == (found.only_snn, found.only_ann, found.p)


def test_mcnemar_of_many_disagreements_is_still_a_number() -> None:
    found = mcnemar(np.arange(10_000) < 5_200, np.arange(10_000) >= 5_200)
    assert found.p == pytest.approx(binomtest(4_800, 10_000).pvalue, rel=1e-6)
    assert mcnemar(np.ones(10_000, bool), np.zeros(10_000, bool)).p == 0


def test_identical_answers_do_not_differ() -> None:
    right = np.array([True, False, True])
    assert mcnemar(right, right).p == 1
    assert not mcnemar(right, right).differs


def test_answers_to_other_samples_cannot_be_paired() -> None:
    with pytest.raises(InputError, match="3 and 2"):
        mcnemar(np.ones(3, bool), np.ones(2, bool))


@given(st.integers(1, 2000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_interval(case: tuple[int, int]) -> None:
    right, samples = case
    expected = binomtest(right, samples).proportion_ci(method="wilson")
    assert wilson(right, samples) == pytest.approx((expected.low, expected.high), abs=1e-12)


@pytest.mark.parametrize(("right", "samples"), [(0, 0), (3, 2), (-1, 5)])
def test_a_share_of_nothing_has_no_interval(right: int, samples: int) -> None:
    with pytest.raises(InputError, match="share"):
        wilson(right, samples)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=50))
def test_confusion_counts_every_sample_once(cases: list[tuple[int, int]]) -> None:
    labels, found = (np.array(column) for column in zip(*cases, strict=True))
    table = confusion(labels, found, 4)
    assert table.sum() == len(cases)
    assert all(table[i, j] == cases.count((i, j)) for i in range(4) for j in range(4))


@given(st.integers(1, 6).flatmap(lambda t: st.lists(st.lists(st.integers(0, 2), min_size=t, max_size=t), min_size=1)))
def test_decision_step_by_walking_back_from_the_end(samples: list[list[int]]) -> None:
    steps = []
    for row in samples:
        step = len(row)
        while step > 1 and row[step - 2] == row[-1]:
            step -= 1
        steps.append(step)
    assert decision_step(np.array(samples).T) == pytest.approx(sum(steps) / len(steps))
