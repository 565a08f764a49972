"""One neuron: exact where it says so, stable whatever comes in."""

from __future__ import annotations

import numpy as np
import pytest

from spikeledger.errors import InputError
from spikeledger.nef import LIF, AdaptiveLIF, Lowpass, leaky_integrator

#: (tau, refractory, tau_threshold, increase)
SETTINGS = [
    (0.05, 0.002, 0.05, 1.0), (0.02, 0.002, 0.3, 0.2), (0.02, 0.0, 0.1, 1.1), (0.01, 0.004, 1.0, 0.05),
    (0.1, 0.001, 0.02, 2.0), (0.005, 0.002, 0.2, 0.5),
]  # fmt: skip


def test_a_bucket_by_euler_overshoots_and_the_exact_one_does_not() -> None:
    square = np.repeat([0.3, -0.3], 4)
    exact = leaky_integrator(square, dt=0.2, tau=0.1)
    euler = leaky_integrator(square, dt=0.2, tau=0.1, method="euler")
    assert euler[:4] == pytest.approx([0.6, 0.0, 0.6, 0.0])  # dt = 2 tau: for ever round the target
    assert np.abs(exact).max() < 0.3
    fine = leaky_integrator(np.repeat(square, 1000), dt=0.0002, tau=0.1)
    assert fine[999::1000] == pytest.approx(exact, abs=1e-12)


@pytest.mark.parametrize("dt", [0.002, 0.001, 0.0001])
def test_rates_are_the_analytic_ones_whatever_the_step(dt: float) -> None:
    neuron, currents = LIF(tau=0.03, refractory=0.003), np.array([0.7, 1.0, 1.3, 2.5, 8.0])
    spikes = neuron.run(np.tile(currents, (round(4 / dt), 1)), dt=dt)
    assert spikes.sum(0) / 4 == pytest.approx(neuron.rate(currents), abs=0.26)
    assert not neuron.rate(currents)[:2].any()


def test_gain_and_bias_give_the_rates_that_were_asked_for() -> None:
    neuron, rates, starts = LIF(), np.array([50.0, 120.0, 390.0]), np.array([-0.9, 0.1, 0.8])
    gain, bias = neuron.gain_bias(rates, starts)
    assert neuron.rate(gain + bias) == pytest.approx(rates, rel=1e-12)
    assert gain * starts + bias == pytest.approx(np.ones(3), rel=1e-12)


@pytest.mark.parametrize("tau, refractory, tau_threshold, increase", SETTINGS)
def test_an_adaptive_neuron_is_always_a_number(
    tau: float, refractory: float, tau_threshold: float, increase: float
) -> None:
    hostile = np.random.default_rng(3).uniform(-1, 6, (10_000, 200))
    spikes, membranes, thresholds = AdaptiveLIF(tau, refractory, tau_threshold, increase).run(hostile, dt=0.001)
    assert np.isfinite(membranes).all() and np.isfinite(thresholds).all()
    assert (spikes.sum(0) > 0).all() and spikes[-1000:].any()


def test_overshoot_measured_from_one_is_not_a_number() -> None:
    """What the form of the texts does on the same input: the reason for ours."""
    v, w, waiting = np.zeros(200), np.zeros(200), np.zeros(200)
    with np.errstate(invalid="ignore", divide="ignore"):
        for now in np.random.default_rng(3).uniform(-1, 6, (2000, 200)):
            w *= np.exp(-0.001 / 0.05)
            waiting -= 0.001
            v = now + (v - now) * np.exp(-np.clip(0.001 - waiting, 0, 0.001) / 0.05)
            fired = v > 1 + w
            waiting[fired] = 0.002 + 0.001 + 0.05 * np.log1p(-(v[fired] - 1) / (now[fired] - 1))
            v[fired] = 0
            w[fired] += 1
    assert np.isnan(v).any()


def test_adaptive_rates_do_not_depend_on_the_step() -> None:
    currents, seconds = np.array([2.0, 4.0, 8.0]), 3.0
    rates = [
        AdaptiveLIF(increase=0.3).run(np.tile(currents, (round(seconds / dt), 1)), dt=dt)[0].sum(0) / seconds
        for dt in (0.002, 0.0005, 0.0001, 0.00002)
    ]
    assert (rates[0] > 3).all()
    for other in rates[1:]:
        assert other == pytest.approx(rates[0], abs=0.67)  # two spikes in three seconds


def test_a_synapse_keeps_the_area_of_a_spike() -> None:
    for dt in (0.001, 0.0002):
        spike = np.zeros(round(0.2 / dt))
        spike[0] = 1 / dt
        assert Lowpass(0.01).filter(spike, dt=dt).sum() * dt == pytest.approx(1, rel=1e-6)
    assert Lowpass(0).filter([1.0, 2.0], dt=0.001).tolist() == [1, 2]


def test_what_cannot_be_is_refused() -> None:
    for wrong in (
        lambda: LIF(tau=0),
        lambda: LIF(refractory=-1),
        lambda: LIF().gain_bias([600.0], [0.0]),
        lambda: LIF().gain_bias([100.0], [1.0]),
        lambda: LIF().run([1.0], dt=0.001),
        lambda: LIF().run([[np.nan]], dt=0.001),
        lambda: AdaptiveLIF(increase=-1),
        lambda: AdaptiveLIF().run([[1.0]], dt=0.0),
        lambda: leaky_integrator(1.0, dt=0.1, tau=1.0),
        lambda: leaky_integrator([1.0], dt=0.1, tau=1.0, method="oiler"),  # type: ignore[arg-type]
        lambda: Lowpass(-1),
    ):
        with pytest.raises(InputError):
            wrong()
