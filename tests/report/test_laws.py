"""What holds for every scale, stroke and number."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikeledger.report.axes import Scale, clipped, decades
from spikeledger.report.drawing import fits, shortened
from spikeledger.report.wording import count, percent, probability, short

positive = st.floats(1e-15, 1e6)
pixels = st.floats(-500, 500)


@given(st.lists(positive, min_size=1, max_size=8))
def test_whole_decades_hold_every_value(values: Sequence[float]) -> None:
    scale = decades(values, 10.0, 300.0)
    assert scale.low <= min(values) * (1 + 1e-9) and max(values) <= scale.high * (1 + 1e-9)
    places = [scale(value) for value in sorted(values)]
    assert places == sorted(places)
    assert all(10.0 <= place <= 300.0 for place in places)


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6), st.integers(2, 8))
def test_ticks_are_few_and_inside(low: float, span: float, most: int) -> None:
    scale = Scale(low, low + span, 0.0, 100.0)
    ticks = scale.ticks(most)
    assert len(ticks) <= most + 1
    slack = 1e-6 * max(span, abs(low))
    assert all(low - slack <= tick <= low + span + slack for tick in ticks)


@given(st.integers(-15, 9), st.integers(2, 8))
def test_ticks_of_any_size_are_apart(power: int, most: int) -> None:
    ticks = Scale(0.0, 7 * 10.0**power, 0.0, 100.0).ticks(most)
    assert len(ticks) >= 2 and len(set(ticks)) == len(ticks)


@given(st.integers(1, 100_000), st.integers(3, 8))
def test_ticks_of_counts_are_whole(most_neurons: int, most: int) -> None:
    ticks = Scale(0.0, float(most_neurons), 0.0, 100.0, whole=True).ticks(most)
    assert len(ticks) >= 2
    assert all(tick == int(tick) for tick in ticks)


@given(st.lists(st.tuples(pixels, pixels, pixels, pixels), max_size=6))
def test_clipped_strokes_are_inside(strokes: Sequence[tuple[float, float, float, float]]) -> None:
    for _, y1, _, y2 in clipped(strokes, 0.0, 100.0):
        assert -1e-6 <= y1 <= 100.0 + 1e-6 and -1e-6 <= y2 <= 100.0 + 1e-6


@given(st.tuples(pixels, st.floats(0, 100), pixels, st.floats(0, 100)))
def test_a_stroke_inside_stays_as_it_is(stroke: tuple[float, float, float, float]) -> None:
    assert clipped([stroke], 0.0, 100.0)[0] == pytest.approx(stroke, abs=1e-6)


@given(st.text(min_size=1, max_size=80), st.floats(40, 300))
def test_shortened_text_fits(text: str, room: float) -> None:
    short_text = shortened(text, room)
    assert fits(short_text, room)
    assert short_text == text or (short_text[0] == text[0] and "…" in short_text)


@given(st.floats(1e-12, 1e12))
def test_a_short_number_is_the_number(value: float) -> None:
    text = short(value).replace(" × 10", "e").translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789"))
    assert math.isclose(float(text), value, rel_tol=0.006)
    assert len(short(value)) <= 12


@pytest.mark.parametrize(
    ("share", "text"),
    [(0, "0 %"), (0.0004, "< 0.1 %"), (0.004, "0.4 %"), (0.07, "7 %"), (0.999, "> 99 %"), (1, "100 %")],
)
def test_shares_as_people_read_them(share: float, text: str) -> None:
    assert percent(share) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (1330.0, "1,330"), (322.42, "322.4"), (5.386, "5.39"), (26921.6, "26,922")]
)
def test_counts_a_sample(value: float, text: str) -> None:
    assert count(value) == text


@pytest.mark.parametrize(("p", "text"), [(0.0000001, "< 0.001"), (0.0312, "= 0.031"), (0.3, "= 0.30"), (1.0, "= 1.00")])
def test_probabilities(p: float, text: str) -> None:
    assert probability(p) == text
