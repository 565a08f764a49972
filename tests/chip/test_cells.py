"""Neurons that keep more than a membrane, on chips: float64 with any decay, the chip's integers, memory, and files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import spikeledger as sl
from chip.devices import chip_of
from chip.networks import exact, random_graph, spikes
from spikeledger.chip import machine
from spikeledger.chip.device import load_device
from spikeledger.chip.fits import fits
from spikeledger.chip.simulate import run
from spikeledger.cli.app import main
from spikeledger.errors import InputError
from spikeledger.mapping.mapped import Mapped, Population, Projection
from spikeledger.mapping.synapses import Dense

BACKENDS = ["reference", pytest.param("native", marks=pytest.mark.skipif(machine.native is None, reason="not built"))]
needs_native = pytest.mark.skipif(machine.native is None, reason="the native core was not built")
KINDS: dict[str, Callable[..., nn.Module]] = {
    "synaptic": lambda **options: sl.Synaptic(0.83, 0.91, **options),
    "refractory": lambda **options: sl.LIF(0.91, refractory=2, **options),
    "adaptive": lambda **options: sl.AdaptiveLIF(0.91, 0.97, 0.13, **options),
    "all of it": lambda **options: sl.AdaptiveLIF(0.91, 0.97, 0.13, alpha=0.83, refractory=3, **options),
}
RESETS = [("subtract", False), ("subtract", True), ("zero", False), ("zero", True), ("none", False), ("none", True)]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("reset", "late"), RESETS)
@pytest.mark.parametrize("kind", KINDS)
def test_any_decay_is_torchs_to_the_last_spike_in_float64(kind: str, reset: str, late: bool, backend: Any) -> None:
    options = {"reset": reset, "reset_delay": late}
    network = exact(nn.Sequential(nn.Linear(12, 9), KINDS[kind](**options), nn.Linear(9, 4), KINDS[kind](**options)))
    inputs = spikes(40, 3, 12, rate=0.2).double()
    with torch.no_grad():
        expected = network.double()(inputs).numpy()
    ran = run(network, inputs, precision="float64", backend=backend, keep=["1"])
    assert 0 < expected.mean() < 1 and np.array_equal(ran.output, expected)


@needs_native
@pytest.mark.parametrize("kind", KINDS)
def test_a_neuron_takes_the_state_that_the_recorder_says(kind: str) -> None:
    network, inputs = exact(nn.Sequential(nn.Linear(12, 9), KINDS[kind]())), spikes(5, 2, 12)
    simulated, recorded = run(network, inputs).activity, sl.record(network, inputs)
    assert simulated.layers_by_name["1"].state == recorded.layers_by_name["1"].state > 9
    assert simulated.total("neuron_update") == recorded.total("neuron_update")


@needs_native
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_a_chips_integers_are_the_same_on_both_back_ends(seed: int) -> None:
    network = random_graph(seed, dtype=np.float64, cells=True)
    inputs = np.random.default_rng(seed).integers(0, 2, (10, 2, network.populations["input"].size))
    options: dict[str, Any] = {"precision": "chip", "keep": list(network.populations)[1:]}
    try:
        oracle = run(network, inputs, "loihi", backend="reference", **options)
    except sl.errors.CapacityError:
        return
    native = run(network, inputs, "loihi", backend="native", **options)
    assert all(np.array_equal(raster, native.rasters[name]) for name, raster in oracle.rasters.items())


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_decays_in_integers_is_cut_to_a_whole_one(backend: Any) -> None:
    """One spike of weight 127 units; a chip of 8-bit weights has membranes in 1/64 of a unit, if its threshold fits."""
    chip = chip_of(
        {
            "name": "small", "title": "small",
            "core": {"neurons": 8, "weight_bits": 8, "state_bits": 24, "source": "made for a test"},
            "mesh": {"columns": 2, "source": "made for a test"},
        }
    )  # fmt: skip
    alpha, beta, steps = 0.75, 0.5, 30
    # in units of the membrane: weight 127 * 64, decays in 4096ths, cut towards 0
    arrived, synapse, membrane, heard = 127 * 64, 0, 0, []
    for t in range(steps):
        synapse = synapse * 3072 // 4096 + (arrived if t == 0 else 0)
        membrane = membrane * 2048 // 4096 + synapse
        heard.append(membrane)
    peak = max(heard)
    for threshold, fires in ((peak - 1, True), (peak, False)):
        population = Population(
            "out", (1,), beta=beta, alpha=alpha, threshold=threshold / (127 * 64), reset="none"
        )  # fmt: skip
        network = Mapped(
            {"in": Population("in", (1,), "input"), "out": population},
            (Projection("in", "out", Dense(np.ones((1, 1))), layer="w"),), "out",
        )  # fmt: skip
        values = np.zeros((steps, 1, 1))
        values[0] = 1
        assert run(network, values, chip, precision="chip", backend=backend).output.any() == fires


@pytest.mark.parametrize("backend", BACKENDS)
def test_states_saturate_at_the_chips_bits(backend: Any) -> None:
    """A synaptic current that never decays would grow for ever; here it stays at the largest number."""
    chip = chip_of(
        {
            "name": "small", "title": "small",
            "core": {"neurons": 8, "weight_bits": 4, "state_bits": 8, "source": "made for a test"},
            "mesh": {"columns": 2, "source": "made for a test"},
        }
    )  # fmt: skip
    population = Population("out", (1,), beta=0.0, alpha=1.0, threshold=1.0, reset="none")
    into = Dense(np.array([[1.0], [-1.0]]))
    network = Mapped(
        {"in": Population("in", (2,), "input"), "out": population}, (Projection("in", "out", into, layer="w"),), "out"
    )
    values = np.zeros((400, 1, 2))
    values[:200, :, 0], values[200:, :, 1] = 1, 1
    fired = run(network, values, chip, precision="chip", backend=backend).output[:, 0, 0]
    # a unit is 1/7, a membrane's 1/56: threshold 56 of 127. The current is 56, 112, 127, ... 127, 71, 15, and below 0
    assert not fired[0] and fired[1:201].all() and not fired[201:].any()


@needs_native
def test_more_state_takes_more_memory_where_a_chip_counts_it() -> None:
    def mapped(neurons: nn.Module) -> Mapped:
        return sl.map(exact(nn.Sequential(nn.Linear(12, 20), neurons)), spikes(5, 1, 12))

    chip = load_device("spinnaker-2")
    plain, more = mapped(sl.LIF(0.9)), mapped(sl.AdaptiveLIF(0.9, alpha=0.5, refractory=2))
    bytes_more = fits(more, chip).memory_bytes - fits(plain, chip).memory_bytes
    assert bytes_more == 20 * 3 * chip.core.state_bits / 8
    # a compartment of Loihi has a current of its own, and its published memory is that of synapses
    loihi = load_device("loihi")
    assert fits(more, loihi).memory_bytes == fits(plain, loihi).memory_bytes
    full = chip_of(
        {
            "name": "full", "title": "full", "mesh": {"source": "made for a test", "columns": 2},
            "core": {"neurons": 99, "memory_bytes": 20 * 4 + 240, "neuron_bytes": 4, "state_bits": 32, "weight_bits": 8,
                     "source": "made for a test"},
        }
    )  # fmt: skip
    assert fits(plain, full).cores == 1 and fits(more, full).cores == 2


def test_a_kind_that_no_chip_runs_is_named_with_what_to_use() -> None:
    class Own(sl.LIF):
        pass

    with pytest.raises(InputError, match=r"neurons '1' are Own, and chips here run IF, LIF, Synaptic, AdaptiveLIF"):
        sl.map(nn.Sequential(nn.Linear(12, 9), Own()), spikes(5, 1, 12))


@needs_native
def test_learning_beside_neurons_of_any_kind() -> None:
    from spikeledger.chip.learning import PairRule

    network = exact(nn.Sequential(nn.Linear(12, 9), KINDS["all of it"](), nn.Linear(9, 4), KINDS["synaptic"]()))
    inputs = spikes(12, 2, 12)
    still = PairRule(increase=0.0, decrease=0.0, low=-9, high=9)
    assert np.array_equal(run(network, inputs, learning={"2": still}).output, run(network, inputs).output)


@needs_native
def test_a_cuba_lif_file_runs_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nir = pytest.importorskip("nir", reason="nir is not installed")
    dt, ones = 2.0**-10, np.ones(9)
    weight = np.random.default_rng(0).integers(-60, 150, (9, 12)).astype(np.float32) / 256
    neurons = nir.CubaLIF(
        tau_syn=4 * dt * ones, tau_mem=8 * dt * ones, r=8 * ones, v_leak=0 * ones, v_threshold=ones, v_reset=0 * ones,
        w_in=4 * ones,
    )  # fmt: skip
    nodes = {
        "input": nir.Input({"input": np.array([12])}), "fc": nir.Linear(weight), "cuba": neurons,
        "output": nir.Output({"output": np.array([9])}),
    }  # fmt: skip
    path = tmp_path / "cuba.nir"
    nir.write(str(path), nir.NIRGraph(nodes, [("input", "fc"), ("fc", "cuba"), ("cuba", "output")]))
    given = spikes(20, 3, 12).numpy()
    np.save(tmp_path / "in.npy", given)
    assert main(["chip", "check", str(path), "--dt", str(dt), "--chip", "loihi"]) == 0
    assert "fits on 1 of 128 cores" in capsys.readouterr().out
    arguments = ["chip", "simulate", str(path), "-c", "loihi", "--dt", str(dt), "--inputs", str(tmp_path / "in.npy")]
    assert main([*arguments, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["torch"]["differing_spikes"] == 0
    # the equations of NIR's node, by forward Euler
    synapse, membrane, fired = np.zeros((3, 9)), np.zeros((3, 9)), 0
    for step in given:
        synapse = 0.75 * synapse + step @ weight.T.astype(float)
        membrane = 0.875 * membrane + synapse
        spike = membrane > 1
        membrane, fired = membrane * ~spike, fired + int(spike.sum())
    assert found["events"]["spike"] == fired > 0


@needs_native
@pytest.mark.peer
@pytest.mark.parametrize(("reset", "late"), [("subtract", True), ("zero", True), ("zero", False), ("none", True)])
def test_snntorch_s_synaptic_spikes_alike(reset: str, late: bool) -> None:
    snntorch = pytest.importorskip("snntorch")

    class Theirs(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(12, 9)
            self.neurons = snntorch.Synaptic(0.83, 0.91, reset_mechanism=reset, reset_delay=late)

        def forward(self, sequence: torch.Tensor) -> torch.Tensor:
            synapse, membrane = self.neurons.reset_mem()
            found = []
            for step in sequence:
                spike, synapse, membrane = self.neurons(self.fc(step), synapse, membrane)
                found.append(spike)
            return torch.stack(found)

    network, inputs = exact(Theirs()), spikes(30, 2, 12, rate=0.2)
    with torch.no_grad():
        expected = network(inputs).numpy()
    assert 0 < expected.mean() < 1 and np.array_equal(run(network, inputs).output, expected)
