"""Digits without labels: the kernel is its oracle bit for bit, counts are exact, and it learns to tell shapes apart."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import spikeledger as sl
from spikeledger import plasticity
from spikeledger.errors import InputError, UnpricedError
from spikeledger.plasticity import Constants, DiehlCook, diehl_cook, diehl_cook_stdp

SHAPES = np.zeros((3, 10, 10), np.uint8)
SHAPES[0, 2:4], SHAPES[1, :, 6:8], SHAPES[2, np.arange(10), np.arange(10)] = 250, 250, 250
SHAPES[2, np.arange(9), np.arange(1, 10)] = 250
#: fewer inputs than a digit's, each of which is heard more
SMALL = Constants(total=40.0)
native = pytest.mark.skipif(diehl_cook._native() is None, reason="the native core was not built")


def digits(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    labels = draw.integers(0, 3, count)
    return np.clip(SHAPES[labels] * draw.uniform(0.6, 1, (count, 1, 1)), 0, 255).astype(np.uint8), labels


@native
@pytest.mark.parametrize("delays", [False, True])
@pytest.mark.parametrize("neurons", [7, 40])
def test_the_kernel_is_its_oracle(monkeypatch: pytest.MonkeyPatch, delays: bool, neurons: int) -> None:
    images, _ = digits(12)
    network = DiehlCook.random(neurons, inputs=100, seed=3, delays=delays, constants=SMALL)
    with sl.backend("reference"):
        wanted = plasticity.learn(network, images, seed=5)
        seen = plasticity.respond(wanted.network, images[:4])
    core = diehl_cook._native()
    assert core is not None and wanted.activity.total("weight_update") > 0
    for name in core.instruction_sets():
        one = type("Core", (), {"instruction_sets": lambda n=name: [n], "diehl_cook": staticmethod(core.diehl_cook)})
        monkeypatch.setattr(diehl_cook, "_native", lambda one=one: one)
        found = plasticity.learn(network, images, seed=5)
        assert np.array_equal(found.network.weights, wanted.network.weights)
        assert np.array_equal(found.network.theta_millivolts, wanted.network.theta_millivolts)
        assert np.array_equal(found.presentations, wanted.presentations)
        for key, tally in wanted.activity.tallies.items():
            assert found.activity.tallies[key].count == tally.count
            assert np.array_equal(found.activity.tallies[key].per_neuron, tally.per_neuron)
        again = plasticity.respond(found.network, images[:4])
        assert np.array_equal(again.spikes, seen.spikes) and again.spikes.any()


def test_counts_are_what_happened() -> None:
    """From the rasters of the oracle, counted again with plain loops."""
    images, _ = digits(2, seed=4)
    network = DiehlCook.random(20, inputs=100, constants=SMALL)
    with sl.backend("reference"):
        seen = plasticity.respond(network, images, seed=8)
    number = int(np.random.SeedSequence((8, 1)).generate_state(1, np.uint64)[0])
    inputs = sum(
        len(places)
        for digit in range(2)
        for attempt in range(seen.presentations[digit])
        for places in diehl_cook_stdp.input_spikes(
            images[digit].reshape(-1), digit, attempt, SMALL.steps, number, SMALL.of_a_step()
        )
    )
    count = seen.activity.total
    assert count("spike", "input") == inputs and count("synaptic_op", "input_to_excitatory") == 20 * inputs
    assert count("synaptic_op", "inhibitory_to_excitatory") == 19 * count("spike", "inhibitory")
    assert count("spike", "excitatory") >= seen.spikes.sum() > 0
    assert count("neuron_update", "excitatory") == 20 * 700 * seen.presentations.sum()
    assert count("weight_update") == 0


def test_rates_of_the_inputs_are_those_of_the_pixels() -> None:
    constants, image = Constants().of_a_step(), np.full(400, 200, np.uint8)
    spikes = sum(map(len, diehl_cook_stdp.input_spikes(image, 0, 0, 700, 11, constants)))
    # 400 inputs * 200 / 8 * 2 Hz * 0.35 s
    assert spikes == pytest.approx(400 * 50 * 0.35, rel=0.05)
    values = np.random.default_rng(0).random(1000)
    assert diehl_cook_stdp.logarithm(values) == pytest.approx(np.log(values), rel=1e-13, abs=1e-15)


@native
def test_it_tells_shapes_apart_that_nobody_named() -> None:
    images, labels = digits(400)
    network = DiehlCook.random(24, inputs=100, seed=1, constants=SMALL)
    before = network.weights.copy()
    learned = plasticity.learn(network, images, passes=2)
    assert np.array_equal(network.weights, before)  # the given network stays
    assert learned.digits == 800 and learned.network.weights.sum(0) == pytest.approx(np.full(24, 40.0), rel=1e-4)
    shares = plasticity.label_neurons(plasticity.respond(learned.network, images).spikes, labels, classes=3)
    others, wanted = digits(200, seed=9)
    spikes = plasticity.respond(learned.network, others).spikes
    for by in plasticity.VOTES:
        assert (plasticity.vote(spikes, shares, by=by) == wanted).mean() > 0.9


@native
def test_the_same_seed_gives_the_same_and_black_ends() -> None:
    images, _ = digits(20)
    network = DiehlCook.random(10, inputs=100, constants=SMALL)
    one, two, three = (plasticity.learn(network, images, seed=seed).network.weights for seed in (1, 1, 2))
    assert np.array_equal(one, two) and not np.array_equal(one, three)
    black = plasticity.respond(network, np.zeros((2, 100), np.uint8))
    assert black.presentations.tolist() == [16, 16] and not black.spikes.any()


def test_learning_is_priced_apart_where_a_chip_can_learn() -> None:
    images, _ = digits(3)
    network = DiehlCook.random(10, inputs=100, constants=SMALL)
    with sl.backend("reference"):
        learned = plasticity.learn(network, images)
    for chip in ("loihi", "spinnaker", "odin", "akida"):
        ledger = sl.price(learned.activity, chip)
        learning = ledger.by_event()["weight_update"]
        assert 0 < learning < ledger.joules
        assert learning == pytest.approx(
            learned.activity.total("weight_update") * sl.load_profile(chip).prices["weight_update"].joules
        )
    for chip in ("truenorth", "xylo", "speck"):
        with pytest.raises(UnpricedError, match="weight_update"):
            sl.price(learned.activity, chip)


def test_votes_by_hand() -> None:
    spikes, labels = np.array([[4, 0, 0], [0, 3, 0], [2, 1, 0]]), np.array([0, 1, 0])
    shares = plasticity.label_neurons(spikes, labels, classes=3)
    assert shares.tolist() == [[1, 0, 0], [pytest.approx(1 / 7), pytest.approx(6 / 7), 0], [0, 0, 0]]
    assert plasticity.vote(np.array([[1, 2, 9], [3, 1, 0]]), shares).tolist() == [1, 0]


def test_what_does_not_fit_is_refused() -> None:
    network = DiehlCook.random(4, inputs=9)
    for wrong in (
        lambda: DiehlCook.random(0),
        lambda: plasticity.learn(network, np.zeros((2, 8), np.uint8)),
        lambda: plasticity.learn(network, np.zeros((2, 9))),  # type: ignore[arg-type]
        lambda: plasticity.learn(network, np.zeros((2, 9), np.uint8), passes=0),
        lambda: dataclasses.replace(network, weights=network.weights.astype(float)),  # type: ignore[arg-type]
        lambda: dataclasses.replace(network, theta_millivolts=np.zeros(3, np.float32)),
        lambda: Constants(step_seconds=0),
        lambda: Constants(hertz_per_level=9.0),
        lambda: plasticity.vote(np.zeros((1, 4)), np.zeros((4, 2)), by="guess"),
        lambda: plasticity.label_neurons(np.zeros((2, 4)), np.array([0, 11])),
    ):
        with pytest.raises(InputError):
            wrong()
