"""The accountant: every dynamic joule has one payer, and each advice saves what pricing again says."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spikeledger.activity import Activity
from spikeledger.hardware.catalog import load_profile
from spikeledger.hardware.profile import Price
from spikeledger.ledger import price
from spikeledger.networks import zoo
from spikeledger.recording.record import record
from spikeledger.study.accountant import account, account_spikes
from spikeledger.study.advice import pruned, quieter, repriced, shorter
from spikeledger.study.counts import activity_from_spikes


@pytest.fixture
def run() -> Activity:
    rows = np.arange(16)
    return activity_from_spikes(
        [(20, 16), (16, 4)], [rows, [9, 1, 0, 2]], timesteps=20, input_spikes=100, layer_names=["hidden", "out"]
    )


@given(st.lists(st.integers(0, 20), min_size=3, max_size=3), st.lists(st.integers(0, 20), min_size=2, max_size=2))
def test_every_joule_has_one_payer(hidden: list[int], out: list[int]) -> None:
    run = activity_from_spikes([(5, 3), (3, 2)], [hidden, out], timesteps=20, input_spikes=11)
    for name in ("loihi", "horowitz-45nm", "speck", "published-tutorial-003-loihi2"):
        found = account(run, name)
        paid = sum(layer.joules for layer in found.layers) + found.rest + found.static
        assert paid == pytest.approx(found.joules, rel=1e-12)
        for layer in found.layers:
            assert layer.joules_per_neuron.sum() == pytest.approx(layer.joules, rel=1e-12)


def test_a_neuron_pays_for_the_synapses_behind_it(run: Activity) -> None:
    found = account(run, "horowitz-45nm")
    hidden = found.layer("hidden")
    # four synapses: an add and a weight read; the spike's address of 4 bits, written and read, and that of its row
    each = (4 * (0.9 + 5.0) + 2 * 10.0 * 4 / 64 + 0.1) * 1e-12
    still = 20 * (5.5 + 5.0 + 5.0) * 1e-12
    assert hidden.joules_per_neuron == pytest.approx(still + np.arange(16) * each)
    assert hidden.caused == pytest.approx(120 * (each - 10.0 * 4 / 64 * 1e-12))
    # 16 synapses a spike of the input, and its address of 5 bits
    assert found.rest == pytest.approx(100 * (16 * 5.9 + 2 * 10.0 * 5 / 64 + 0.1) * 1e-12)


def test_dominant_neurons_are_flagged() -> None:
    found = account_spikes([(9, 4)], [[97, 1, 1, 1]], "published-tutorial-003-loihi2", timesteps=100)
    assert [(one.index, one.spikes) for one in found.neurons] == [(0, 97)]
    assert found.neurons[0].share == pytest.approx(0.97)
    assert "neuron 0 of layer0 alone takes 97.0 %" in found.summary()
    even = account_spikes([(9, 11)], [[5] * 11], "published-tutorial-003-loihi2", timesteps=100)
    assert not even.neurons


def test_advice_saves_what_pricing_again_says(run: Activity) -> None:
    for profile in ("loihi", "horowitz-45nm"):
        found = account(run, profile)
        ledger = found.ledger
        assert found.advice
        assert list(found.advice) == sorted(found.advice, key=lambda one: -one.saves)
        for one in found.advice:
            assert 0 < one.saves < ledger.joules
            assert one.assumes
        less = {one.what.split(" '")[0]: one.saves for one in found.advice}
        half = repriced(shorter(run, 10), ledger)
        assert less["running 10 steps in place of 20"] == pytest.approx(ledger.joules - half.joules)


def test_changed_counts(run: Activity) -> None:
    half = pruned(run, "out.weight", 0.5)
    assert half.total("synaptic_op", "out.weight") == pytest.approx(run.total("synaptic_op", "out.weight") / 2, abs=8)
    assert half.total("synaptic_op", "hidden.weight") == run.total("synaptic_op", "hidden.weight")
    calm = quieter(run, "hidden", 0.0)
    assert calm.total("spike", "hidden") == calm.total("synaptic_op", "out.weight") == 0
    assert calm.total("spike", "out") == run.total("spike", "out")
    one = np.ones(16)
    one[15] = 0.0
    without = quieter(run, "hidden", one)
    assert without.total("spike", "hidden") == 120 - 15
    assert without.total("synaptic_op", "out.weight") == (120 - 15) * 4


def test_an_updated_but_silent_layer_is_noted() -> None:
    found = account_spikes([(9, 4)], [0], "loihi", timesteps=100, input_spikes=10)
    assert any("never fired and still takes" in note for note in found.notes)
    assert any("static power is" in note for note in found.notes)


def test_a_recorded_network_is_accounted_for() -> None:
    torch.manual_seed(0)
    network = zoo.mlp(64, 32, 10, timesteps=5) if "timesteps" in zoo.mlp.__code__.co_varnames else zoo.mlp(64, 32, 10)
    run = record(network, torch.rand(8, 64))
    found = account(run, "loihi")
    assert sum(layer.joules for layer in found.layers) + found.rest + found.static == pytest.approx(found.joules)
    assert json.loads(json.dumps(found.to_dict()))["dominant"]
    assert found.joules == price(run, "loihi").joules


def test_an_event_without_a_price_can_be_left_out(run: Activity) -> None:
    from spikeledger.errors import UnpricedError

    with pytest.raises(UnpricedError, match="weight_read"):
        account(run, "published-exercise-001", bill="full")
    found = account(
        run, "published-exercise-001", bill="full", leave_out=["weight_read", "state_read", "state_write", "spike"]
    )
    assert found.advice
    assert any("left out on request" in text for text in found.ledger.caveats)


def test_a_quieter_layer_of_single_spikes_saves_its_share() -> None:
    run = activity_from_spikes(
        [(3, 20), (20, 6)], [[1] * 20, [0] * 6], timesteps=4, input_spikes=0, layer_names=["a", "b"]
    )
    found = account(run, "odin", bill="ops-only")
    for said, share in (("raising", 0.2), ("pruning", 0.5), ("running", 0.5)):
        saved = next(one.saves for one in found.advice if one.what.startswith(said))
        assert saved == pytest.approx(share * 120 * found.ledger.profile.prices["synaptic_op"].joules)


def test_where_nothing_costs_anything_the_account_says_so(run: Activity) -> None:
    events = {event for event in run.events if event != "synaptic_op"}
    free = {"synaptic_op": 0.0}
    profile = load_profile("odin").model_copy(
        update={
            "prices": {
                event: Price(joules=0, low=0, high=0, kind="assumed", source="made for a test") for event in free
            }
        }
    )
    assert "0 J" in account(run, profile, bill="ops-only", leave_out=events).summary()
