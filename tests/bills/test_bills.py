"""The bills, beside slow and obvious sums."""

from __future__ import annotations

import pytest
import tomli_w

from spikeledger.activity import Activity, Layer
from spikeledger.bills import BILLS, DATAFLOWS
from spikeledger.errors import InputError, UncountedError, UnpricedError
from spikeledger.hardware.catalog import load_profile, parse_profile
from spikeledger.hardware.variants import at_batch, by_step, skipping, with_reuse
from spikeledger.ledger import price
from spikeledger.study.counts import activity_from_events, activity_from_spikes

PJ = 1e-12
HOROWITZ = load_profile("horowitz-45nm")


def test_ops_only_is_the_convention(snn: Activity, ann: Activity) -> None:
    # synaptic operations: 30 spikes * 8, and 56 spikes * 4
    assert price(snn, HOROWITZ, bill="ops-only").joules == pytest.approx((30 * 8 + 56 * 4) * 0.9 * PJ)
    dense = price(ann, skipping(HOROWITZ, "none"), bill="ops-only").joules
    assert dense == pytest.approx(384 * 4.6 * PJ)
    assert price(ann, skipping(HOROWITZ, "all"), bill="ops-only").joules == pytest.approx(96 * 4.6 * PJ)


ADDS, UPDATES = 30 * 8 + 56 * 4, (8 + 4) * 5 * 2
#: pJ of one bit in the smallest memory
BIT = 10.0 / 64


def everywhere() -> dict[str, float]:
    """What a spiking network pays on any machine: adds, updates and the states that they move."""
    return {
        "synaptic_op": ADDS * 0.9, "neuron_update": UPDATES * 5.5, "state_read": UPDATES * 5.0,
        "state_write": UPDATES * 5.0,
    }  # fmt: skip


def test_rows_of_weights_for_each_spike(snn: Activity) -> None:
    # addresses: 20 inputs 5 bits, 8 hidden 3 bits, 4 outputs 2 bits; each written once and read once
    expected = everywhere() | {
        "weight_read": ADDS * 5.0, "activation_read": (30 * 5 + 56 * 3) * BIT, "address_op": (30 + 56) * 0.1,
        "activation_write": (30 * 5 + 56 * 3 + 10 * 2) * BIT,
    }  # fmt: skip
    found = price(snn, load_profile("horowitz-45nm@row-wise"))
    assert found.by_event() == pytest.approx({event: value * PJ for event, value in expected.items()})
    # it is the cheapest of the three here, so it is what the technology is priced on, and the ledger says so
    default = price(snn, HOROWITZ)
    assert default.joules == found.joules == min(price(snn, f"horowitz-45nm@{flow}").joules for flow in DATAFLOWS)
    assert default.profile.dataflow == "row-wise"
    assert any("dataflow: row-wise, the cheapest here" in text for text in default.caveats)


def test_an_accumulator_for_each_event(snn: Activity) -> None:
    rows, events = (price(snn, f"horowitz-45nm@{flow}").by_event() for flow in ("row-wise", "event-driven"))
    assert events["state_read"] - rows["state_read"] == pytest.approx(ADDS * 5.0 * PJ)
    assert events["state_write"] - rows["state_write"] == pytest.approx(ADDS * 5.0 * PJ)
    assert {k: v for k, v in events.items() if "state" not in k} == pytest.approx(
        {k: v for k, v in rows.items() if "state" not in k}
    )


def test_all_weights_at_each_step(snn: Activity) -> None:
    dense, steps = 20 * 8 + 8 * 4, 5 * 2
    expected = everywhere() | {
        "weight_read": dense * steps * 5.0, "activation_read": (20 + 8) * steps * BIT,
        "activation_write": (20 + 8 + 4) * steps * BIT,
    }  # fmt: skip
    found = price(snn, load_profile("horowitz-45nm@output-stationary"))
    assert found.by_event() == pytest.approx({event: value * PJ for event, value in expected.items()})
    # five steps at once: a weight is fetched once for them, and states stay in registers
    batched = price(snn, load_profile("horowitz-45nm@output-stationary@ticks5")).by_event()
    assert batched["weight_read"] == pytest.approx(dense * 2 * 5.0 * PJ)
    assert batched["state_read"] == pytest.approx(UPDATES / 5 * 5.0 * PJ)
    assert price(snn, "horowitz-45nm@output-stationary@ticks99").by_event() == pytest.approx(batched)


def test_the_cheapest_dataflow_is_taken() -> None:
    quiet, busy = (activity_from_spikes([(64, 64)], [3], timesteps=16, input_spikes=n) for n in (100, 1024))
    for run, flow in ((quiet, "row-wise"), (busy, "output-stationary")):
        costs = {one: price(run, f"horowitz-45nm@{one}").joules for one in DATAFLOWS}
        assert min(costs, key=costs.__getitem__) == flow
        assert price(run, HOROWITZ).profile.dataflow == flow


def test_a_launch_at_each_step_takes_time() -> None:
    device = load_profile("v100@batch1")
    run = activity_from_spikes([(10, 10), (10, 10)], [5, 5], timesteps=7, input_spikes=9)
    fused, stepped = (price(run, one).seconds or 0.0 for one in (device, by_step(device)))
    assert device.timing is not None
    assert stepped - fused == pytest.approx(2 * 6 * device.timing.seconds_per_layer)


def direct(steps: int) -> Activity:
    """A graded input of 6 values to 4 neurons, the same at every step."""
    layers = {
        "fc": Layer("fc", "linear", (6,), 4, 24, 24, 24, 24, 24, inputs="graded", source="input"),
        "n": Layer("n", "neuron", (4,), 4, state=4, source="fc", spiking=True),
    }
    events = {"fc": {"mac": 20 * steps, "dense_op": 24 * steps}, "n": {"neuron_update": 4 * steps, "spike": steps}}
    return activity_from_events(events, timesteps=steps, layers=layers)


def test_a_constant_first_layer_is_multiplied_once() -> None:
    device = load_profile("horowitz-45nm@once")
    each, once = (price(direct(10), one).by_event() for one in (HOROWITZ, device))
    assert each["mac"] == pytest.approx(240 * 4.6 * PJ)
    assert once["mac"] == pytest.approx(24 * 4.6 * PJ)
    assert once["weight_read"] == pytest.approx(each["weight_read"] / 10)
    # the current is kept: written once, read at each step
    assert once["state_read"] - each["state_read"] == pytest.approx(4 * 10 * 5.0 * PJ)
    assert once["state_write"] - each["state_write"] == pytest.approx(4 * 5.0 * PJ)
    assert price(direct(1), device).joules == pytest.approx(price(direct(1), HOROWITZ).joules)
    assert any("same at every step" in text for text in price(direct(10), device).caveats)


def test_memories_leak_while_operations_pass(snn: Activity) -> None:
    device = load_profile("horowitz-45nm@leaking")
    assert device.leak is not None
    held = (160 + 32 + 8 + 4) * 4  # weights and states, 4 bytes each
    seconds = (ADDS + UPDATES) / device.leak.operations_per_second
    more = price(snn, device).joules - price(snn, HOROWITZ).joules
    assert more == pytest.approx(held * device.leak.watts_per_byte * seconds)


def test_the_full_bill_of_an_ordinary_network(ann: Activity) -> None:
    ledger = price(ann, with_reuse(skipping(HOROWITZ, "none"), 4))
    # at batch 1 a fully connected weight is used once, whatever the machine could do; an activation by all outputs
    expected = {
        "mac": 384 * 4.6, "weight_read": 384 * 5.0, "activation_read": 384 / 4 * 5.0, "bias_add": 24 * 0.9,
        "activation": 16 * 0.9, "activation_write": (8 + 4) * 2 * 5.0,
    }  # fmt: skip
    assert ledger.by_event() == pytest.approx({event: value * PJ for event, value in expected.items()})
    batched = price(ann, with_reuse(skipping(HOROWITZ, "none"), 4, batch=64)).by_event()
    assert batched["weight_read"] == pytest.approx(384 / 4 * 5.0 * PJ)


def test_weights_of_a_convolution_serve_its_positions() -> None:
    layer = Layer("c", "conv2d", (2, 8, 8), 3 * 36, 54 * 36, 54, 54, 54, 54, inputs="graded")
    run = activity_from_events({"c": {"dense_op": 54 * 36, "mac": 54 * 36}}, layers={"c": layer})
    book = price(run, with_reuse(HOROWITZ, 1e6)).by_event()
    assert book["weight_read"] == pytest.approx(54 * 5.0 * PJ, rel=0.5)  # once each, and what a row of three wastes
    assert book["activation_read"] == pytest.approx(128 * 5.0 * PJ)


def test_zero_skipping_has_an_overhead(ann: Activity) -> None:
    book = price(ann, skipping(HOROWITZ, "all")).by_event()
    assert book["activation_read"] == pytest.approx(96 * (32 + 4) * BIT * PJ)  # four bits say where the next one lies
    assert book["address_op"] == pytest.approx(96 * 0.1 * PJ)


def test_weights_lie_where_they_fit() -> None:
    layer = Layer("fc", "linear", (1000,), 1000, 10**6, 10**6, 10**6, inputs="spikes", magnitude=1.0)
    big = activity_from_events({"fc": {"synaptic_op": 1000}}, layers={"fc": layer})
    # 4 MB: 1 MB of it on the chip, the rest outside, in bursts of 512 bits
    inside = (1 << 20) / 4e6
    outside = 1950 * 32 / 64 * (63 * 512) / (1000 * 32)
    expected = (inside * 50.0 + (1 - inside) * outside) * PJ
    assert price(big, HOROWITZ).by_event()["weight_read"] == pytest.approx(1000 * expected)
    assert price(big, "horowitz-45nm-int8").by_event()["weight_read"] == pytest.approx(1000 * 12.5 * PJ)  # 1 MB


def test_no_cliff_where_the_last_weight_does_not_fit() -> None:
    costs = []
    for outputs in (512, 513):
        run = activity_from_spikes([(512, outputs)], [0], timesteps=1, input_spikes=1)
        costs.append(price(run, HOROWITZ).joules)
    assert costs[1] / costs[0] < 1.2


@pytest.mark.parametrize("device", ["horowitz-45nm", "horowitz-45nm-int8", "jouppi-7nm", "cmos-12nm", "v100"])
def test_operations_of_another_kind_are_not_free(device: str) -> None:
    with pytest.raises(UncountedError, match="no count of 'dense_op'"):
        price(activity_from_events({"l": {"mac": 10**9}}), device)
    for bill in ("ops-only", "memory"):
        if device != "v100":
            with pytest.raises(UncountedError, match="no count of 'dense_op'"):
                price(activity_from_events({"l": {"mac": 10**9}}), device, bill=bill)


def test_a_machine_that_skips_zeros_wants_what_is_left() -> None:
    assert price(activity_from_events({"l": {"mac": 10**6}}), "horowitz-45nm@all").joules > 4.6e-6
    with pytest.raises(UncountedError, match="no count of 'mac'"):
        price(activity_from_events({"l": {"dense_op": 10**9}}), "akida")
    with pytest.raises(UncountedError, match="no count of 'dense_op'"):
        price(activity_from_events({"l": {"synaptic_op": 10**9}}), "horowitz-45nm@output-stationary")
    with pytest.raises(UncountedError, match="no count of 'neuron_update'"):
        price(activity_from_events({"l": {"active_update": 10**9}}), "loihi")


def test_traffic_that_was_counted_is_charged_as_counted() -> None:
    run = activity_from_events({"l": {"synaptic_op": 10, "dense_op": 10, "weight_read": 1000, "state_read": 7}})
    book = price(run, HOROWITZ).by_event()
    assert book["weight_read"] == pytest.approx(1000 * 5.0 * PJ)
    assert book["state_read"] == pytest.approx(7 * 5.0 * PJ)


def test_what_a_chip_does_not_hold_has_no_joules() -> None:
    large = activity_from_spikes([(10, 10_000_000)], [5], timesteps=1, input_spikes=1)
    with pytest.raises(UnpricedError, match="holds 256 neurons a chip, and this network has 10,000,000 neurons"):
        price(large, "odin")
    with pytest.raises(UnpricedError, match="holds 256 neurons"):
        price(large, "odin@1.3e6Hz", bill="ops-only")
    small = activity_from_spikes([(10, 200)], [5], timesteps=1, input_spikes=1)
    assert price(small, "odin").joules > 0


def test_a_network_on_several_chips_pays_for_as_many() -> None:
    run = activity_from_spikes([(1, 300_000)], [5], timesteps=10, input_spikes=1)
    ledger = price(run, "loihi")
    assert any("at least 3 chips" in text for text in ledger.caveats)
    second = ledger.by_term()["static"]
    assert second == pytest.approx(3 * 10 * 5e-6 * 0.104)


def test_a_price_includes_what_its_own_event_causes(snn: Activity) -> None:
    """A graded multiply reads its weights even where a synaptic operation includes its own."""
    table = {
        "name": "t", "title": "t", "skips": "all",
        "prices": {
            "synaptic_op": {"joules": 1e-12, "low": 1e-12, "high": 1e-12, "kind": "measured", "source": "bench, page 1",
                            "includes": ["weight_read"]},
            "mac": {"joules": 3e-12, "low": 3e-12, "high": 3e-12, "kind": "measured", "source": "bench, page 1",
                    "includes": ["activation_read", "activation_write"]},
        },
    }  # fmt: skip
    device = parse_profile(tomli_w.dumps(table), "t")
    spikes = activity_from_events({"l": {"synaptic_op": 10}})
    assert price(spikes, device).joules == pytest.approx(10e-12)
    with pytest.raises(UnpricedError, match="no price for weight_read"):
        price(activity_from_events({"l": {"mac": 10, "dense_op": 20}}), device)


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
