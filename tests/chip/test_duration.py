"""Seconds of a placed network, against numbers made by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import spikeledger as sl
from chip.devices import chip_of
from chip.networks import random_graph
from spikeledger.chip import machine
from spikeledger.chip.device import Device, load_device
from spikeledger.chip.duration import depth, longest_way
from spikeledger.chip.placement import place
from spikeledger.chip.simulate import run
from spikeledger.errors import InputError
from spikeledger.mapping.mapped import Mapped, Population, Projection
from spikeledger.mapping.synapses import Dense

CITED = {"source": "made for a test"}
needs_native = pytest.mark.skipif(machine.native is None, reason="the native core was not built")


def chain(delay: int = 0) -> Mapped:
    """Two inputs fire two neurons, which fire one."""
    populations = {
        "input": Population("input", (2,), "input"),
        "a": Population("a", (2,), beta=0.0, reset="zero"),
        "b": Population("b", (1,), beta=0.0, reset="zero"),
    }
    first = Projection("input", "a", Dense(np.full((2, 2), 2.0, np.float32)), 0, "first")
    second = Projection("a", "b", Dense(np.full((2, 1), 2.0, np.float32)), delay, "second")
    return Mapped(populations, (first, second), "b")


def pair(**more: object) -> Device:
    return chip_of(
        {
            "name": "pair", "title": "pair", "core": {"neurons": 2, **CITED}, "mesh": {"columns": 2, **CITED}, **more,
            "seconds": {
                "synaptic_op": 10e-9, "update": 100e-9, "spike": 1000e-9, "hop": 5000e-9, "barrier": 700e-9, **CITED
            },
        }
    )  # fmt: skip


@needs_native
def test_two_steps_by_hand() -> None:
    inputs = np.zeros((2, 1, 2), np.float32)
    inputs[0] = 1
    ran = run(chain(), inputs, pair())
    # step 0: core a 4 operations, 2 updates, 2 spikes: 40 + 200 + 2000 ns; core b 2, 1, 1: 20 + 100 + 1000 ns
    # step 1: core a 200 ns, core b 100 ns; each step one hop of 5000 ns and a barrier of 700 ns
    seconds = (2240 + 5000 + 700) * 1e-9 + (200 + 5000 + 700) * 1e-9
    took = ran.duration
    assert took is not None and ran.activity.seconds == pytest.approx(seconds, rel=1e-12)
    assert (took.depth, took.hops) == (2, 1)
    assert took.sample == pytest.approx(seconds) and took.step == pytest.approx(seconds / 2)
    assert took.latency == pytest.approx(seconds * 1.5)
    assert (took.cores, took.ways, took.barrier) == pytest.approx((1220e-9, 5000e-9, 700e-9))
    twice = run(chain(), np.concatenate([inputs, inputs], 1), pair())
    assert twice.activity.seconds == pytest.approx(2 * seconds) and twice.duration == took


@needs_native
@pytest.mark.parametrize("seed", range(4))
def test_seconds_are_those_of_the_busiest_core(seed: int) -> None:
    network = random_graph(seed)
    chip = pair(mesh={"columns": 20, "rows": 20, **CITED})
    placed = place(network, chip, rounds=3)
    inputs = np.random.default_rng(seed).integers(0, 2, (6, 1, network.populations["input"].size)).astype(np.float32)
    ran = run(placed, inputs)
    assert ran.core_synapses is not None and ran.core_spikes is not None
    work = 10e-9 * ran.core_synapses + 1000e-9 * ran.core_spikes + 100e-9 * placed.neurons_by_core()
    steps = work.max(1) + 700e-9 + 5000e-9 * longest_way(placed)
    assert ran.activity.seconds == pytest.approx(steps.sum(), rel=1e-9)


def test_depth_counts_layers_without_a_delay_of_their_own() -> None:
    assert depth(chain()) == 2 and depth(chain(delay=1)) == 1
    assert depth(sl.map(sl.zoo.mlp(4, 5, 6, 7), np.zeros((1, 4), np.float32))) == 3


@needs_native
def test_without_times_of_operations_a_step_is_the_profile_s() -> None:
    network = sl.zoo.mlp(20, 12, 4, timesteps=10)
    inputs = np.random.default_rng(0).random((3, 20)).astype(np.float32)
    took = run(network, inputs, "truenorth").duration
    assert took is not None and load_device("truenorth").seconds is None
    assert (took.step, took.sample, took.latency) == pytest.approx((1e-3, 10e-3, 11e-3)) and took.kind == "measured"
    watts = sl.load_profile("truenorth").static
    assert watts is not None and took.static_joules == pytest.approx(watts.watts * 10e-3)
    assert run(network, inputs, "darwin3").duration is None and run(network, inputs).duration is None


@needs_native
def test_static_energy_of_the_ledger_follows_the_simulated_time() -> None:
    network = sl.zoo.mlp(20, 12, 4, timesteps=10)
    ran = run(network, np.random.default_rng(0).random((3, 20)).astype(np.float32), "loihi")
    static = sum(entry.joules for entry in sl.price(ran.activity, "loihi").entries if entry.event == "second")
    assert ran.duration is not None and ran.duration.static_joules is not None
    assert static == pytest.approx(3 * ran.duration.static_joules, rel=1e-9)
    assert 465e-9 < ran.duration.step < 2e-6


@needs_native
def test_static_energy_is_that_of_every_chip_that_the_network_stands_on(tmp_path: Path) -> None:
    inputs = np.ones((2, 1, 2), np.float32)
    several = run(chain(), inputs, pair(mesh={"columns": 1, "chips": 2, **CITED}, profile="loihi"))
    activity, took = several.activity, several.duration
    assert took is not None and several.placement is not None and several.placement.chips == activity.chips == 2
    ledger = sl.price(activity, "loihi")
    static = next(entry for entry in ledger.entries if entry.event == "second")
    watts = sl.load_profile("loihi").static
    # both steps: core a 4 operations, 2 updates, 2 spikes, a hop and the barrier: 40 + 200 + 2000 + 5000 + 700 ns
    seconds = 2 * 7940e-9
    assert watts is not None and ledger.seconds == pytest.approx(seconds, rel=1e-12)
    assert static.joules == pytest.approx(2 * watts.watts * seconds, rel=1e-12)
    assert (static.low, static.high) == pytest.approx((2 * watts.low * seconds, 2 * watts.high * seconds), rel=1e-12)
    assert took.static_joules == pytest.approx(static.joules, rel=1e-12) and "2 chips" in static.note
    assert sl.Activity.load(activity.save(tmp_path / "a.npz")).chips == 2
    alone = run(chain(), inputs, pair(profile="loihi")).activity
    assert alone.chips == 1 and (activity + activity).chips == 2
    with pytest.raises(InputError, match="2 chips, the other on 1"):
        activity + alone
    one = next(entry for entry in sl.price(alone, "loihi").entries if entry.event == "second")
    assert one.joules == pytest.approx(watts.watts * seconds, rel=1e-12) and "chips" not in one.note


def test_a_recorded_activity_is_one_chip_s() -> None:
    network = sl.zoo.mlp(20, 12, 4, timesteps=10)
    assert sl.record(network, np.random.default_rng(0).random((3, 20)).astype(np.float32)).chips == 1
