"""The native machine's own promises: blocks, threads, long runs and interruption change no result."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import spikeledger
from chip.networks import random_graph
from spikeledger.chip import machine
from spikeledger.chip.device import load_device
from spikeledger.chip.machine import Machine
from spikeledger.chip.placement import Placement, place
from spikeledger.chip.reference import run_reference
from spikeledger.mapping.mapped import Mapped
from spikeledger.mapping.random_network import random_network
from spikeledger.mapping.synapses import Sparse

pytestmark = pytest.mark.skipif(machine.native is None, reason="the native core was not built")


def test_several_blocks_and_threads_give_the_same_spikes_and_core_by_core_account() -> None:
    # more neurons than any block holds, so that rows are cut; float32 weights that are no round numbers
    network = random_network(600_000, 3, rate=0.05, weight=0.3)
    chip = load_device("loihi")
    cores = -(-network.neurons // 1000)  # not a power of two: counted by fewer neurons together
    borders = np.minimum(np.arange(cores + 1) * 1000, network.neurons).astype(np.int64)
    placement = Placement(
        network, chip, {"neurons": borders}, {"neurons": np.arange(cores, dtype=np.int32)},
        np.zeros((cores, 2), np.int64), np.zeros((cores + 1, cores)), {}, {},
    )  # fmt: skip
    ready = Machine(network, placement)
    alone = ready.run({}, steps=6, samples=1, keep=["neurons"])
    for threads in (2, 3):
        several = ready.run({}, steps=6, samples=1, threads=threads, keep=["neurons"])
        assert np.array_equal(alone.rasters["neurons"], several.rasters["neurons"])
        assert np.array_equal(alone.core_synapses, several.core_synapses)
        assert np.array_equal(alone.core_spikes, several.core_spikes)
    target = network.projections[0].synapses.records["target"].reshape(-1, 3) // 1000
    raster = alone.rasters["neurons"][0]
    for t in range(1, 6):  # a spike arrives one step later
        arrived = np.bincount(target[raster[t - 1] > 0].ravel(), minlength=cores)
        assert np.array_equal(alone.core_synapses[t], arrived) and arrived.sum() > 0
    assert np.array_equal(alone.core_spikes[3], np.add.reduceat(raster[3].astype(np.int64), borders[:-1]))


def on_cores_of(network: Mapped, neurons: int) -> Placement:
    """Neurons in order, so many to a core."""
    cores = -(-network.neurons // neurons)
    borders = np.minimum(np.arange(cores + 1) * neurons, network.neurons).astype(np.int64)
    return Placement(
        network, load_device("loihi"), {"neurons": borders}, {"neurons": np.arange(cores, dtype=np.int32)},
        np.zeros((cores, 2), np.int64), np.zeros((cores + 1, cores)), {}, {},
    )  # fmt: skip


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("neurons", "fan_out", "a_core"),
    # rows cut into blocks, arrivals counted one by one; the same by tables of bytes; a row that no byte counts
    [(300_000, 3, 1000), (3_000, 70, 60), (1_500, 700, 750), (900, 30, 7)],
)
def test_synapses_of_four_bytes_give_the_same_to_the_bit(
    neurons: int, fan_out: int, a_core: int, dtype: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = random_network(neurons, fan_out, rate=0.05, weight=0.3)
    records = network.projections[0].synapses.records  # type: ignore[attr-defined]
    records["weight"] = np.rint(records["weight"] * 50) / np.float32(70)  # few weights, and no round numbers
    placement = on_cores_of(network, a_core)
    found = []
    for after in (10**6, 0):
        monkeypatch.setattr(machine, "SHORT_AFTER", after)
        ready = Machine(network, placement, dtype=dtype)
        for threads in (1, 3):
            found.append(ready.run({}, steps=12, samples=2, threads=threads, keep=["neurons"]))
    target, starts = records["target"] // a_core, np.arange(neurons + 1) * fan_out
    raster = found[0].rasters["neurons"][:, :-1].sum((0, 1))
    told = np.bincount(target, np.repeat(raster, np.diff(starts)), minlength=len(placement.cores["neurons"]))
    assert np.array_equal(found[0].core_synapses.sum(0), told) and told.sum() > 0  # type: ignore[union-attr]
    for other in found[1:]:
        for mine, theirs in zip(vars(found[0]).values(), vars(other).values(), strict=True):
            for one, two in zip(
                *(each.values() if isinstance(each, dict) else [each] for each in (mine, theirs)), strict=True
            ):
                assert np.array_equal(one, two)


def test_too_many_weights_for_four_bytes_and_rows_that_meet_a_target_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "SHORT_AFTER", 0)
    many = random_network(2_000, 20, rate=0.05, weight=0.3)  # 40,000 different weights
    native = Machine(many).run({}, steps=20, samples=1, threads=2)
    slow = run_reference(many, {}, steps=20, samples=1, dtype=np.dtype(np.float32), limit=0.0, keep=())
    assert np.array_equal(native.spikes["neurons"], slow.spikes["neurons"])
    once = random_network(40, 1, rate=0.2, weight=1.0)
    rows = once.projections[0].synapses.records  # type: ignore[attr-defined]
    rows["weight"] = 0.5
    doubled = replace(
        once.projections[0],
        synapses=Sparse(np.arange(41) * 4, np.repeat(rows, 4), 40),
    )
    summed = replace(once.projections[0], synapses=Sparse(np.arange(41), rows.copy(), 40))
    summed.synapses.records["weight"] *= 4  # type: ignore[attr-defined]
    each, whole = (
        Machine(replace(once, projections=(projection,))).run({}, steps=20, samples=1)
        for projection in (doubled, summed)
    )
    assert np.array_equal(each.spikes["neurons"], whole.spikes["neurons"]) and each.spikes["neurons"].any()


@pytest.mark.parametrize("steps", [254, 255, 256, 600])
def test_runs_longer_than_a_byte_can_count(steps: int) -> None:
    network = random_graph(7)
    values = np.random.default_rng(1).integers(0, 2, (steps, 1, network.populations["input"].size)).astype(np.float64)
    native = Machine(network, dtype=np.float64).run({"input": values}, steps=steps, samples=1, threads=2)
    slow = run_reference(
        network, {"input": values}, steps=steps, samples=1, dtype=np.dtype(np.float64), limit=0.0, keep=()
    )
    for name in network.populations:
        assert np.array_equal(native.spikes[name], slow.spikes[name])
        assert np.array_equal(native.active[name], slow.active[name])


def test_a_machine_runs_again_with_other_threads_and_steps() -> None:
    network = random_network(2000, 20, weight=0.2)
    ready = Machine(network, place(network, load_device("loihi")))
    first = ready.run({}, steps=30, samples=2)
    ready.run({}, steps=7, samples=1, threads=3)
    again = ready.run({}, steps=30, samples=2, threads=2)
    assert np.array_equal(first.spikes["neurons"], again.spikes["neurons"])
    assert np.array_equal(first.core_synapses, again.core_synapses)


@pytest.mark.skipif(os.name == "nt", reason="signals are sent to a process of its own")
@pytest.mark.parametrize("threads", [1, 2])
def test_a_long_run_can_be_interrupted(threads: int) -> None:
    program = (
        "from spikeledger.chip.machine import Machine\n"
        "from spikeledger.mapping.random_network import random_network\n"
        "machine = Machine(random_network(1000, 10))\n"
        "print('running', flush=True)\n"
        "try:\n"
        f"    machine.run({{}}, steps=2**26, samples=1, threads={threads}, rasters=False)\n"
        "except KeyboardInterrupt:\n"
        "    again = machine.run({}, steps=100, samples=1, rasters=False)\n"
        "    print('stopped', int(again.spikes['neurons'].sum()) > 0, flush=True)\n"
    )
    path = {**os.environ, "PYTHONPATH": str(Path(spikeledger.__file__).parents[1])}
    child = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, env=path)
    assert child.stdout is not None and child.stdout.readline().strip() == "running"
    time.sleep(0.5)
    child.send_signal(signal.SIGINT)
    assert child.communicate(timeout=30)[0].strip() == "stopped True"
    assert child.returncode == 0
