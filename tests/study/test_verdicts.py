"""A verdict is exact where no price can turn it, else it has a probability, and it names what is worth knowing better."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikeledger.amounts import Amount
from spikeledger.study.joint import extremes
from spikeledger.study.verdicts import Bill, not_given, times, verdict

OTHER = {"snn": "ann", "ann": "snn", "": ""}
PRICES = {
    name: Amount.of(name, *ends)
    for name, ends in {
        "add": (1.0, 2.0, 4.0), "multiply": (3.0, 4.0, 8.0), "memory": (1.0, 10.0, 20.0), "watts": (0.0, 1.0, 2.0),
        "exact": (5.0, 5.0, 5.0),
    }.items()
}  # fmt: skip
counts = st.dictionaries(st.sampled_from(sorted(PRICES)), st.integers(0, 1000), min_size=1)
costs = counts.map(lambda book: Amount.sum((number, PRICES[name]) for name, number in book.items()))


@given(costs, costs)
def test_a_winner_is_named_exactly_where_no_price_turns_the_sign(ann: Amount, snn: Amount) -> None:
    found, exact = verdict(ann, snn), extremes(ann, snn).difference
    assert found.winner == ("snn" if exact.high < 0 else "ann" if exact.low > 0 else "")
    assert (found.standing == "exact") == bool(found.winner)
    if found.standing in ("likely", "open"):
        assert found.probability is not None
        assert 0 <= found.probability <= 1
        assert (found.standing == "likely") == (max(found.probability, 1 - found.probability) >= 0.95)


@given(costs, costs)
def test_swapping_the_sides_swaps_the_verdict(ann: Amount, snn: Amount) -> None:
    there, back = verdict(ann, snn), verdict(snn, ann)
    assert (back.winner, back.likely, back.standing) == (OTHER[there.winner], OTHER[there.likely], there.standing)
    if there.probability is not None and back.probability is not None:
        assert back.probability == pytest.approx(1 - there.probability, abs=0.01)


@given(costs)
def test_a_network_is_not_lower_than_itself(cost: Amount) -> None:
    found = verdict(cost, cost)
    assert (found.winner, found.likely, found.standing) == ("", "", "equal")


@given(costs, costs)
def test_what_two_separate_ranges_decide_stays_decided(ann: Amount, snn: Amount) -> None:
    """Each side at its own extreme is the cruder rule: whatever it decides, this one decides alike."""
    found = verdict(ann, snn)
    if snn.high < ann.low:
        assert found.winner == "snn"
    if ann.high < snn.low:
        assert found.winner == "ann"


def test_a_price_that_both_pay_does_not_blur_the_verdict() -> None:
    memory, add, multiply = PRICES["memory"], PRICES["add"], PRICES["multiply"]
    found = verdict(memory * 100 + multiply * 10, memory * 50 + add * 10)
    assert (found.standing, found.winner) == ("exact", "snn")
    # at the corners: (100 + 30) / (50 + 40) = 1.44 and (100 + 80) / (50 + 10) = 3
    assert found.text == "the SNN costs 1.4 to 3.0 times less, whatever the prices"
    assert found.decided_by == ()


@pytest.mark.parametrize(
    ("ann", "snn", "text"),
    [
        (Amount.exactly(10.0), Amount.exactly(4.0), "the SNN costs 2.5 times less, at these prices"),
        (Amount.exactly(100.0), Amount.exactly(104.0), "the ANN costs 4 % less, at these prices: equal within 4 %"),
        (Amount.of("p", 0, 1, 2), Amount.exactly(4.0), "the ANN costs at least 2.0 times less, whatever the prices"),
        (Amount.exactly(4.0), Amount.exactly(0.0), "the SNN costs nothing, the other one something"),
        (Amount.exactly(0.0), Amount.exactly(0.0), "neither side costs anything"),
        (Amount.of("p", 96, 100, 104), Amount.exactly(100.0), "equal within 5 %"),
    ],
)
def test_what_is_said(ann: Amount, snn: Amount, text: str) -> None:
    assert verdict(ann, snn).text == text


def test_a_likely_winner_and_an_open_verdict_name_what_they_hang_on() -> None:
    wide, fixed = Amount.of("a chip: seconds", 1, 10, 100), Amount.exactly(80.0)
    likely = verdict(fixed, Amount.of("a chip: seconds", 1, 10, 81))
    assert (likely.standing, likely.likely, likely.winner) == ("likely", "snn", "")
    assert "the SNN probably costs less (P " in likely.text
    found = verdict(Amount.exactly(20.0), wide + Amount.of("nothing much", 0.1, 0.2, 0.3))
    assert found.standing == "open"
    (one,) = found.decided_by
    assert (one.price, one.side) == ("a chip: seconds", "snn")
    assert one.share > 0.9
    assert one.at_low == 1.0
    assert one.at_high == 0.0
    assert one.flips
    assert found.text.endswith("worth knowing: a chip: seconds")


def test_the_value_of_information_is_what_can_be_worked_out() -> None:
    """Log-uniform on [1, 100] against 20: EVPI = min(E p, 20) - E min(p, 20)."""
    found = verdict(Amount.exactly(20.0), Amount.of("p", 1, 10, 100))
    width = np.log(100)
    expected = 20.0 - ((20 - 1) / width + 20 * np.log(100 / 20) / width)
    assert found.information == pytest.approx(expected / 20, rel=0.03)
    assert found.probability == pytest.approx(np.log(20) / width, abs=0.01)


def test_no_price_is_named_where_knowing_it_is_worth_less_than_a_percent() -> None:
    narrow = verdict(Amount.exactly(100.0), Amount.of("p", 80, 101, 125) + Amount.of("q", 0.1, 0.2, 0.3))
    assert narrow.standing == "open"
    assert narrow.decided_by != ()
    near = verdict(Amount.exactly(100.0), Amount.of("p", 97, 100, 103))
    assert (near.standing, near.decided_by) == ("equal", ())
    assert any("no price is worth knowing better" in text for text in near.details)


def test_inputs_that_differ_make_an_exact_verdict_a_likely_one() -> None:
    sure = verdict([Bill(Amount.exactly(10.0))], [Bill(Amount.exactly(9.9))])
    assert sure.winner == "snn"
    anns = tuple(Amount.exactly(10.0 + spread) for spread in (-1.0, 1.0, -0.5, 0.5))
    snns = tuple(Amount.exactly(9.9 + spread) for spread in (1.0, -1.0, 0.5, -0.5))
    found = verdict([Bill(Amount.exactly(10.0), anns)], [Bill(Amount.exactly(9.9), snns)])
    assert found.winner == ""
    assert found.probability is not None
    assert 0.5 < found.probability < 0.7
    assert any("over inputs" in text for text in found.details)
    # spread that both sides share is none in the difference
    paired = tuple(Amount.exactly(one.nominal - 0.1) for one in anns)
    assert verdict([Bill(Amount.exactly(10.0), anns)], [Bill(Amount.exactly(9.9), paired)]).winner == "snn"


def test_several_networks_hold_the_verdict_together() -> None:
    def networks(*values: float) -> list[Bill]:
        return [Bill(Amount.exactly(value)) for value in values]

    apart = verdict(networks(10.0, 11.0), networks(5.0, 6.0))
    assert apart.winner == "snn"
    assert apart.text == "the SNN costs 1.6 to 2.2 times less, at these prices"
    crossing = verdict(networks(10.0, 11.0), networks(5.0, 20.0))
    assert crossing.winner == ""
    assert crossing.probability == pytest.approx(0.5, abs=0.03)
    assert any("2 networks" in text for text in crossing.details)


@pytest.mark.parametrize(
    ("ratio", "text"),
    [(0.672, "0.67"), (1.034, "1.03"), (1.0004, "1.0004"), (2.44, "2.4"), (31.2, "31"), (1234, "1,200"), (0, "0")],
)
def test_ratios_as_they_are_written(ratio: float, text: str) -> None:
    assert times(ratio) == text


def test_plain_values_survive_without_infinities() -> None:
    found = verdict(Amount.exactly(4.0), Amount.of("p", 0, 1, 2)).to_dict()
    assert found["ratio"] == [2.0, None]
    assert not_given("why").to_dict()["given"] is False
