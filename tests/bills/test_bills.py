"""The bills, beside slow and obvious sums."""

from __future__ import annotations

import pytest
import tomli_w

from spikeledger.activity import Activity, Layer
from spikeledger.bills import BILLS
from spikeledger.errors import InputError, UnpricedError
from spikeledger.hardware.catalog import load_profile, parse_profile
from spikeledger.hardware.variants import at_batch, skipping, with_reuse
from spikeledger.ledger import price
from spikeledger.study.counts import activity_from_events

PJ = 1e-12
HOROWITZ = load_profile("horowitz-45nm")


def test_ops_only_is_the_convention(snn: Activity, ann: Activity) -> None:
    # synaptic operations: 30 spikes * 8, and 56 spikes * 4
    assert price(snn, HOROWITZ, bill="ops-only").joules == pytest.approx((30 * 8 + 56 * 4) * 0.9 * PJ)
    dense = price(ann, skipping(HOROWITZ, "none"), bill="ops-only").joules
    assert dense == pytest.approx(384 * 4.6 * PJ)
    assert price(ann, skipping(HOROWITZ, "all"), bill="ops-only").joules == pytest.approx(96 * 4.6 * PJ)


def test_the_full_bill_of_a_spiking_network(snn: Activity) -> None:
    ledger = price(snn, HOROWITZ)
    arrivals, updates = 30 * 8 + 56 * 4, (8 + 4) * 5 * 2
    expected = {
        "synaptic_op": arrivals * 0.9, "weight_read": arrivals * 5.0, "neuron_update": updates * 5.5,
        "state_read": updates * 5.0, "state_write": updates * 5.0,
    }  # fmt: skip
    assert ledger.by_event() == pytest.approx({event: value * PJ for event, value in expected.items()})


def test_the_full_bill_of_an_ordinary_network(ann: Activity) -> None:
    ledger = price(ann, with_reuse(skipping(HOROWITZ, "none"), 4))
    expected = {
        "mac": 384 * 4.6, "weight_read": 384 / 4 * 5.0, "activation_read": 384 / 4 * 5.0, "bias_add": 24 * 0.9,
        "activation": 16 * 0.9, "activation_write": (8 + 4) * 2 * 5.0,
    }  # fmt: skip
    assert ledger.by_event() == pytest.approx({event: value * PJ for event, value in expected.items()})
    assert "used 4 times" in next(entry.note for entry in ledger.entries if entry.event == "weight_read")


def test_weights_lie_where_they_fit() -> None:
    layer = Layer("fc", "linear", (1000,), 1000, 10**6, 10**6, 10**6, inputs="spikes", magnitude=1.0)
    big = activity_from_events({"fc": {"synaptic_op": 1000}}, layers={"fc": layer})
    assert price(big, HOROWITZ).by_event()["weight_read"] == pytest.approx(1000 * 975 * PJ)  # 4 MB: DRAM
    assert price(big, "horowitz-45nm-int8").by_event()["weight_read"] == pytest.approx(1000 * 12.5 * PJ)  # 1 MB


def test_a_machine_that_updates_on_events_moves_the_state_with_each_spike(snn: Activity) -> None:
    lazy = HOROWITZ.model_copy(update={"updates": "on_event"})
    book = {event: entry for event, entry in price(snn, lazy).by_event().items()}
    assert book["state_read"] == pytest.approx((30 * 8 + 56 * 4) * 5 * PJ)
    busy = activity_from_events(
        {"n": {"neuron_update": [10, 10], "active_update": [3, 0], "spike": [1, 0]}}, timesteps=10
    )
    assert price(busy, lazy).by_event()["neuron_update"] == pytest.approx(3 * 5.5 * PJ)
    assert price(busy, HOROWITZ).by_event()["neuron_update"] == pytest.approx(20 * 5.5 * PJ)


def test_the_bill_of_lemaire_for_a_fully_connected_spiking_layer(snn: Activity) -> None:
    """Their equations, with the erratum, written out for both layers; all memories are below 8 KB: 5 pJ for 32 bits."""
    ledger = price(snn, HOROWITZ, bill="memory")
    steps, access = 5 * 2, 5.0
    expected = 0.0
    for theta_in, outputs, theta_out in ((30, 8, 56), (56, 4, 10)):
        accumulates = theta_in * outputs + theta_out  # and the reset
        leak = steps * outputs
        reads = theta_in + theta_in * outputs + (theta_in * outputs + steps * outputs)
        writes = (theta_in * outputs + steps * outputs) + theta_out
        addresses = theta_in * outputs
        expected += accumulates * 0.9 + leak * 4.6 + (reads + writes) * access + addresses * 0.1
    assert ledger.joules == pytest.approx(expected * PJ)
    assert "second" not in ledger.by_event()


def test_the_bill_of_lemaire_for_an_ordinary_layer(ann: Activity) -> None:
    ledger = price(ann, HOROWITZ, bill="memory")
    samples, expected = 2, 0.0
    for inputs, outputs, weights in ((20, 8, 168), (8, 4, 36)):
        macs = inputs * outputs * samples
        biases = outputs * samples
        expected += macs * 4.6 + biases * 0.9
        expected += (2 * macs + biases + outputs * samples) * 5.0  # both operands, biases, results
        expected += (inputs + outputs + weights) * samples * 0.1  # addresses
    assert ledger.joules == pytest.approx(expected * PJ)


def test_a_convolution_pays_for_addresses_of_its_spikes() -> None:
    layer = Layer("c", "conv2d", (1, 4, 4), 16, 100, 9, 9, inputs="spikes", magnitude=1.0, source="in")
    inside = Layer("in", "encoder", (1, 4, 4), 16)
    run = activity_from_events({"in": {"spike": 7}, "c": {"synaptic_op": 63}}, layers={"c": layer, "in": inside})
    run = Activity(
        {**run.layers_by_name, "n": Layer("n", "neuron", (16,), 16, state=16, spiking=True)}, run.tallies, 1, 1
    )
    lines = [line for line in BILLS["memory"](run, HOROWITZ) if line.event == "address_op"]
    assert [line.count for line in lines] == [63, 14]
    assert lines[1].price is not None
    assert lines[1].price.joules == pytest.approx(3.2 * PJ)


def test_time_has_every_term() -> None:
    run = activity_from_events({"fc": {"dense_op": 1000}, "fc2": {"dense_op": 500}}, samples=10, timesteps=4)
    table = {
        "name": "t", "title": "t", "skips": "none",
        "prices": {"mac": {"joules": 1e-12, "low": 1e-12, "high": 1e-12, "kind": "measured", "source": "bench, page 1",
                           "includes": ["weight_read", "activation_read", "activation_write"]}},
        "static": {"watts": 2.0, "low": 1.0, "high": 3.0, "state": "idle", "kind": "measured",
                   "source": "bench, page 1"},
        "timing": {"seconds_per_step": 1.0, "seconds_per_barrier": 0.5, "seconds_per_sample": 3.0, "batch": 5,
                   "seconds_per_batch": 7.0, "seconds_per_layer": 11.0, "utilisation": 0.5, "low_factor": 0.5,
                   "high_factor": 2.0, "seconds_per_event": {"dense_op": 0.01}, "kind": "measured",
                   "source": "bench, page 2"},
    }  # fmt: skip
    device = parse_profile(tomli_w.dumps(table), "t")
    ledger = price(run, device)
    seconds = 10 * (3 + 4 * 1.5) + 2 * (7 + 2 * 11) + 1500 * 0.01 / 0.5
    assert ledger.seconds == pytest.approx(seconds)
    entry = next(entry for entry in ledger.entries if entry.event == "second")
    assert (entry.low, entry.joules, entry.high) == pytest.approx((seconds / 2, 2 * seconds, 6 * seconds))
    alone = price(run, at_batch(device, 1))
    assert alone.seconds == pytest.approx(10 * (3 + 4 * 1.5) + 10 * (7 + 2 * 11) + 1500 * 0.01 / 0.5)


def test_the_host_comes_only_when_asked_for(snn: Activity) -> None:
    device = load_profile("brainscales-2")
    plain, whole = price(snn, device), price(snn, device, bill="system")
    assert device.host is not None
    assert whole.joules - plain.joules == pytest.approx(device.host.watts * (plain.seconds or 0))
    assert whole.seconds == plain.seconds
    assert any("without its host" in text for text in plain.caveats)


def test_all_in_never_gets_static_or_routing() -> None:
    device = load_profile("truenorth-all-in")
    run = activity_from_events({"s": {"synaptic_op": 100, "hop": 7, "packet": 5}}, timesteps=3)
    ledger = price(run, device)
    assert ledger.joules == pytest.approx(100 * 26e-12)
    assert ledger.by_term().get("static", 0.0) == 0.0
    assert "routing" not in ledger.by_term()


def test_a_term_without_a_price_gives_no_total(snn: Activity, ann: Activity) -> None:
    with pytest.raises(UnpricedError, match="no price for mac"):
        price(ann, "loihi")
    with pytest.raises(UnpricedError, match="address_op"):
        price(snn, "loihi", bill="memory")
    device = load_profile("published-exercise-001")
    with pytest.raises(UnpricedError, match="weight_read"):
        price(snn, device, bill="full")
    named = ["weight_read", "state_read", "state_write", "spike"]
    ledger = price(snn, device, bill="full", leave_out=named)
    assert {event for event, _ in ledger.left_out} == set(named)
    with pytest.raises(InputError, match="did you mean 'spike'"):
        price(snn, device, leave_out=["spikes"])


def test_unknown_bills_are_named() -> None:
    with pytest.raises(InputError, match="did you mean 'memory'"):
        price(activity_from_events({"s": {"synaptic_op": 1}}), "horowitz-45nm", bill="memori")
