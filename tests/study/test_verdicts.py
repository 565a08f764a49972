"""A verdict says 'lower' only where the ranges allow it, and names a price that really decides where they do not."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from spikeledger.amounts import Amount
from spikeledger.study.verdicts import Bill, total, verdict

number = st.floats(0, 1e-6, allow_subnormal=False)
ranges = st.tuples(number, number, number).map(lambda three: Amount(*sorted(three)))
keys = st.tuples(st.sampled_from(["a-chip", "b-chip"]), st.sampled_from(["mac", "synaptic_op", "second"]))
bills = st.dictionaries(keys, ranges, min_size=1)
OTHER = {"snn": "ann", "ann": "snn", "": "", "both": "both"}


@given(bills, bills)
def test_lower_is_said_exactly_where_the_ranges_do_not_overlap(ann: Bill, snn: Bill) -> None:
    found, ann_cost, snn_cost = verdict(ann, snn), total(ann), total(snn)
    apart = snn_cost.high < ann_cost.low or ann_cost.high < snn_cost.low
    assert bool(found.winner) == apart
    assert ("lower" in found.text and "overlap" not in found.text) == apart
    if found.winner == "snn":
        assert snn_cost.nominal < ann_cost.nominal


@given(bills, bills)
def test_swapping_the_sides_flips_the_verdict(ann: Bill, snn: Bill) -> None:
    there, back = verdict(ann, snn), verdict(snn, ann)
    assert back.winner == OTHER[there.winner]
    assert {(one.event, OTHER[one.side]) for one in there.decided_by if one.flips} == {
        (one.event, one.side) for one in back.decided_by if one.flips
    }


@given(bills)
def test_a_network_is_not_lower_than_itself(bill: Bill) -> None:
    assert verdict(bill, bill).winner == ""


@given(bills, bills)
def test_what_is_named_first_flips_the_sign_if_anything_does(ann: Bill, snn: Bill) -> None:
    found = verdict(ann, snn)
    if found.winner or not found.decided_by:
        return
    nominal = total(snn).nominal - total(ann).nominal
    for one in found.decided_by:
        assert one.flips == (nominal != 0 and min(one.at_low * nominal, one.at_high * nominal) <= 0)
    assert all(one.flips for one in found.decided_by) or len(found.decided_by) == 1


def test_a_price_that_both_sides_pay_moves_both() -> None:
    shared, own = ("chip", "weight_read"), ("chip", "mac")
    ann = {shared: Amount(1.0, 2.0, 4.0), own: Amount(1.0, 1.0, 1.0)}
    snn = {shared: Amount(2.0, 4.0, 8.0)}
    found = verdict(ann, snn)  # nominal 4 - 3 = 1; at the low end 2 - 2 = 0, at the high end 8 - 5 = 3
    assert found.winner == ""
    (one,) = found.decided_by
    assert (one.event, one.side, one.at_low, one.at_high, one.flips) == ("weight_read", "both", 0.0, 3.0, True)
    assert found.text == "the ranges overlap: decided by the price of weight_read on both sides"


def test_all_prices_that_flip_are_named_the_widest_first() -> None:
    ann = {("chip", "mac"): Amount(1.0, 5.0, 6.0)}
    snn = {("chip", "synaptic_op"): Amount(0.5, 4.0, 9.0)}
    found = verdict(ann, snn)
    assert [one.event for one in found.decided_by] == ["synaptic_op", "mac"]
    assert found.text.endswith("the price of synaptic_op on the SNN side or the price of mac on the ANN side")


def test_where_no_price_alone_flips_the_widest_is_named() -> None:
    ann = {("chip", "mac"): Amount(8.0, 10.0, 10.0)}
    snn = {("chip", "synaptic_op"): Amount(4.0, 4.0, 7.0), ("chip", "spike"): Amount(0.0, 0.0, 2.5)}
    found = verdict(ann, snn)
    assert [one.event for one in found.decided_by] == ["synaptic_op"]
    assert "no price alone turns that" in found.text


def test_equal_costs_without_ranges_are_equal() -> None:
    same = {("chip", "mac"): Amount(1.0, 1.0, 1.0)}
    assert verdict(same, same).text == "the ranges overlap: both sides cost the same"
