"""The neural engineering framework beside nengo: the same numbers from the same samples."""

from __future__ import annotations

import numpy as np
import pytest

from spikeledger import nef

pytestmark = [pytest.mark.peer, pytest.mark.filterwarnings("ignore")]
nengo = pytest.importorskip("nengo", reason="nengo is not installed")


def built(neurons: int, seed: int, function=None, values=None):
    """An ensemble of nengo's that is told values, from a membrane at rest, and what nengo made of it."""
    told = np.zeros((2000, 1)) if values is None else values
    with nengo.Network(seed=seed) as network:
        source = nengo.Node(lambda t: told[min(round(t * 1000) - 1, len(told) - 1)], size_out=1)
        kind = nengo.LIF(initial_state={"voltage": nengo.dists.Choice([0])})
        ensemble = nengo.Ensemble(neurons, 1, neuron_type=kind)
        nengo.Connection(source, ensemble, synapse=None)
        node = nengo.Node(size_in=1)
        connection = nengo.Connection(ensemble, node, function=function, synapse=0.01)
        spikes, read = nengo.Probe(ensemble.neurons), nengo.Probe(node)
        drive = nengo.Probe(ensemble.neurons, "input")
    simulator = nengo.Simulator(network, progress_bar=False)
    return simulator, ensemble, connection, spikes, read, drive


def ours(simulator, ensemble) -> nef.Population:
    of = simulator.data[ensemble]
    return nef.Population(of.encoders, of.gain, of.bias, of.eval_points)


@pytest.mark.parametrize("neurons, seed", [(30, 1), (120, 2), (900, 3)])
def test_gain_bias_and_decoders(neurons: int, seed: int) -> None:
    simulator, ensemble, connection, *_ = built(neurons, seed, function=lambda x: x**2)
    of = simulator.data[ensemble]
    gain, bias = nef.LIF().gain_bias(of.max_rates, of.intercepts)
    assert gain == pytest.approx(of.gain, rel=1e-12) and bias == pytest.approx(of.bias, rel=1e-12, abs=1e-12)
    decoders = ours(simulator, ensemble).decoders(lambda x: x**2)
    assert np.abs(decoders - simulator.data[connection].weights.T).max() < 1e-12


def test_spikes_bit_for_bit() -> None:
    told = np.sin(2 * np.pi * np.arange(2000) * 0.001)[:, None]
    simulator, _, _, spikes, _, drive = built(100, 5, values=told)
    simulator.run_steps(2000)
    fired = nef.LIF().run(simulator.data[drive], dt=0.001)
    theirs = simulator.data[spikes] > 0
    assert theirs.sum() > 10_000
    assert np.array_equal(fired, theirs)


@pytest.mark.parametrize("neurons", [50, 200, 600])
@pytest.mark.parametrize("power", [1, 2])
def test_errors_on_the_same_seeds(neurons: int, power: int) -> None:
    told = np.sin(2 * np.pi * np.arange(2000) * 0.001)[:, None]
    wanted = nef.Lowpass(0.01).filter(told**power, dt=0.001)
    mine, theirs = [], []
    for seed in range(3):
        simulator, ensemble, _, _, read, _ = built(neurons, seed, function=lambda x: x**power, values=told)
        simulator.run_steps(2000)
        values = nef.simulate(ours(simulator, ensemble), told, function=lambda x: x**power).values
        theirs.append(np.sqrt(np.mean((simulator.data[read][300:] - wanted[299:-1]) ** 2)))
        mine.append(np.sqrt(np.mean((values[300:] - wanted[300:]) ** 2)))
    assert np.mean(mine) == pytest.approx(np.mean(theirs), rel=0.1)
