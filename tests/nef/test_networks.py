"""Populations say values together, and what they did is counted exactly."""

from __future__ import annotations

import numpy as np
import pytest

import spikeledger as sl
from spikeledger import nef
from spikeledger.errors import InputError

SINE = np.sin(2 * np.pi * np.arange(2000) * 0.001)[:, None]


def error(values: np.ndarray, wanted: np.ndarray) -> float:
    return float(np.sqrt(np.mean((values[300:] - wanted[300:]) ** 2)))


def late(values: np.ndarray, tau: float) -> np.ndarray:
    return nef.Lowpass(tau).filter(values, dt=0.001)


def test_more_neurons_say_a_value_better() -> None:
    errors = [
        np.mean([error(nef.simulate(nef.population(n, seed=s), SINE).values, late(SINE, 0.01)) for s in range(3)])
        for n in (10, 50, 300)
    ]
    assert errors[0] > 2 * errors[1] > 4 * errors[2] and errors[2] < 0.015


def test_a_product_is_decoded_from_two_numbers() -> None:
    pair = np.concatenate([SINE, np.cos(7 * np.arange(2000) * 0.001)[:, None]], 1)
    one = nef.population(600, 2, seed=1, radius=1.5)
    run = nef.simulate(one, pair, function=lambda x: x[:, :1] * x[:, 1:])
    assert run.values.shape == (2000, 1)
    assert error(run.values, late(pair[:, :1] * pair[:, 1:], 0.01)) < 0.06


def test_a_square_goes_through_a_connection() -> None:
    first, second = nef.population(200, seed=2), nef.population(200, seed=3)
    run = nef.connect(first, second, SINE, function=lambda x: x**2)
    assert error(run.values, late(late(SINE**2, 0.005), 0.01)) < 0.05
    sent, arrived = run.spikes[0].sum(0), run.activity.per_neuron("first_to_second", "synaptic_op")
    assert (arrived == sent * 200).all() and arrived.dtype == np.int64
    assert run.activity.total("spike") == int(run.spikes[0].sum() + run.spikes[1].sum())
    assert run.activity.total("neuron_update") == 400 * 2000


def test_an_integrator_remembers_and_drifts_less_with_more_neurons() -> None:
    told = np.zeros((1500, 1))
    told[:500] = 1.0  # 0.5 after half a second
    drifts = []
    for neurons in (50, 500):
        runs = [nef.integrator(nef.population(neurons, seed=s), told).values[:, 0] for s in range(4)]
        drifts.append(np.sqrt(np.mean([(run[-100:].mean() - run[550:650].mean()) ** 2 for run in runs])))
        assert np.mean([run[550:650].mean() for run in runs]) == pytest.approx(0.5, abs=0.1)
    assert drifts[1] < 0.5 * drifts[0]


def test_a_run_is_priced() -> None:
    run = nef.connect(nef.population(50, seed=4), nef.population(50, seed=5), SINE[:200])
    for chip in ("loihi", "spinnaker", "odin"):
        assert sl.price(run.activity, chip).joules > 0


def test_both_ways_to_solve_give_the_same_decoders() -> None:
    rates = np.abs(np.random.default_rng(0).standard_normal((60, 60)))
    wide = np.concatenate([rates, np.zeros((60, 1))], 1)
    values = np.random.default_rng(1).standard_normal((60, 2))
    assert nef.solve(wide, values)[:60] == pytest.approx(nef.solve(rates, values), abs=1e-12)
    for wrong in (np.zeros((60, 3)), rates[:50], np.full((60, 2), np.nan)):
        with pytest.raises(InputError):
            nef.solve(wrong, values)


def test_what_does_not_fit_is_refused() -> None:
    one, two = nef.population(20), nef.population(20, 2)
    for wrong in (
        lambda: nef.population(0),
        lambda: one.currents(np.zeros((4, 2))),
        lambda: nef.connect(one, two, SINE[:5]),
        lambda: nef.integrator(two, SINE[:5]),
        lambda: nef.simulate(one, SINE[:5], dt=0.0),
    ):
        with pytest.raises(InputError):
            wrong()
