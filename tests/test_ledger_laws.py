"""Laws of every bill and profile: linear in activity, additive over layers, samples and time, ordered, and without
torch."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikeledger.activity import Activity, Layer, Tally
from spikeledger.bills import DATAFLOWS
from spikeledger.errors import InputError, UncountedError
from spikeledger.hardware.catalog import list_profiles, load_profile
from spikeledger.ledger import Ledger, price
from spikeledger.study.counts import activity_from_events, activity_from_spikes, scaled

SNN_PROFILES = [name for name in list_profiles() if "snn" in load_profile(name).runs]
EXACT = dict(rel=1e-12, abs=0.0)


@st.composite
def spiking_runs(draw: st.DrawFn) -> Activity:
    """A chain of fully connected layers with any spikes that it can have."""
    sizes = draw(st.lists(st.integers(1, 6), min_size=2, max_size=4))
    steps, samples = draw(st.integers(1, 5)), draw(st.integers(1, 3))
    rows = [
        draw(st.lists(st.integers(0, steps * samples), min_size=size, max_size=size)) for size in sizes[1:]
    ]  # fmt: skip
    pairs = list(pairwise(sizes))
    given_in = draw(st.integers(0, sizes[0] * steps * samples))
    return activity_from_spikes(pairs, rows, timesteps=steps, samples=samples, input_spikes=given_in)


def dynamic(ledger: Ledger) -> tuple[float, float, float]:
    part = ledger.without("static")
    return part.joules_low, part.joules, part.joules_high


def full_price(run: Activity, name: str) -> Ledger:
    return price(run, name, leave_out=("weight_update",))


@pytest.mark.parametrize("name", SNN_PROFILES)
@settings(max_examples=20)
@given(run=spiking_runs())
def test_ranges_are_ordered_and_parts_sum_to_the_whole(name: str, run: Activity) -> None:
    ledger = full_price(run, name)
    assert 0 <= ledger.joules_low <= ledger.joules * (1 + 1e-12)
    assert ledger.joules <= ledger.joules_high * (1 + 1e-12)
    for sums in (ledger.by_layer(), ledger.by_event(), ledger.by_term()):
        assert sum(sums.values()) == pytest.approx(ledger.joules, rel=1e-12)
    for entry in ledger.entries:
        if entry.per_neuron is not None:
            assert float(entry.per_neuron.sum()) == pytest.approx(entry.joules, rel=1e-12)


@pytest.mark.parametrize("name", [name for name in SNN_PROFILES if not name.startswith("published-exercise")])
@settings(max_examples=20)
@given(run=spiking_runs(), times=st.integers(0, 7))
def test_twice_the_activity_is_twice_the_dynamic_joules(name: str, run: Activity, times: int) -> None:
    bill = {"bill": "ops-only"} if name.startswith("published-paper") else {}  # it prints a count below 1 as 1
    more = scaled(run, lambda layer, event: times)
    once, many = price(run, name, **bill), price(more, name, **bill)  # type: ignore[arg-type]
    assert dynamic(many) == pytest.approx([times * value for value in dynamic(once)], **EXACT)


# a technology's machine is named: parts of a network would each choose the dataflow that is cheapest for them
@pytest.mark.parametrize(
    "name", ["loihi", *(f"horowitz-45nm@{flow}" for flow in DATAFLOWS), "v100", "speck", "seneca-22nm", "odin"]
)
@settings(max_examples=30)
@given(run=spiking_runs())
def test_energy_is_additive_over_samples_time_and_layers(name: str, run: Activity) -> None:
    once = price(run, name)
    assert price(run + run, name).joules == pytest.approx(2 * once.joules, rel=1e-12)
    assert dynamic(price(run.then(run), name)) == pytest.approx([2 * value for value in dynamic(once)], **EXACT)
    apart = [dynamic(price(run.only([layer]), name)) for layer in run.layers]
    assert np.sum(apart, axis=0) == pytest.approx(dynamic(once), rel=1e-9)


@given(run=spiking_runs())
def test_a_silent_neuron_costs_nothing_where_spikes_are_charged(run: Activity) -> None:
    ledger = price(run, "published-tutorial-003-loihi2")
    for name in run.layers:
        spikes = run.per_neuron(name, "spike") if run.layer(name).spiking else None
        if spikes is not None and spikes.any():
            assert (ledger.by_neuron(name)[spikes == 0] == 0).all()


@pytest.mark.parametrize("count", [-1, 1.5, float("nan"), float("inf"), "7", 2**64, None])
def test_absurd_counts_are_refused(count: object) -> None:
    with pytest.raises((InputError, TypeError)):
        activity_from_events({"s": {"synaptic_op": count}})  # type: ignore[dict-item]
    with pytest.raises(InputError):
        Activity(
            {"s": Layer("s", "linear", inputs="spikes")}, {("s", "synaptic_op"): Tally("s", "synaptic_op", -1)}, 1, 1
        )


def test_what_was_not_counted_gives_no_total() -> None:
    run = activity_from_spikes([(4, 2)], [[1, 2]], timesteps=3)  # the input's spikes are not known
    with pytest.raises(UncountedError, match="spikes of the input"):
        price(run, "loihi")
    assert any("lower bound" in text for text in price(run, "loihi", allow_uncounted=True).caveats)


def test_everything_about_joules_works_without_torch() -> None:
    code = """
import sys
sys.modules["torch"] = None  # importing it fails
import spikeledger as sl
run = sl.activity_from_spikes([(784, 64), (64, 10)], [5000, 200], timesteps=100, input_spikes=9000)
for name in sl.list_profiles():
    if "snn" in sl.load_profile(name).runs:
        assert sl.price(run, name).joules > 0, name
assert sl.account(run, "loihi").dominant.name
assert sl.sensitivity(sl.price(run, "loihi")).swings
assert len(sl.validate().points) >= 10
assert "matplotlib" not in sys.modules and "pandas" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
