"""How many synaptic events a second does the chip simulator do, beside Brian2, NEST and the machine's own limit?

`python benchmarks/chip_events.py [neurons ...]` prints one JSON object. The network is random: 100 synapses
a neuron, about 2 % firing a step, delay 1. All take turns in one run, so that clocks and load hit all alike; the figure
of each is the best of its turns, and ratios are within a turn's reach only. The limit is a random read-modify-write of
4 bytes, with prefetch, by one thread. Peers that are not installed are left out by name.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from spikeledger.chip.limits import Chip
from spikeledger.chip.machine import Machine, native
from spikeledger.chip.network import Network
from spikeledger.chip.placement import Placement
from spikeledger.chip.random_network import random_network

FAN_OUT, RATE, TURNS = 100, 0.02, 5
MILLION = 1_000_000
SOURCE = "made for this benchmark"


def on_cores(network: Network, neurons_a_core: int = 1024) -> Placement:
    """A placement that costs no time to find: neurons in order, made-up destinations."""
    size = network.neurons
    cores = -(-size // neurons_a_core)
    width = int(np.ceil(np.sqrt(cores)))
    chip = Chip.model_validate(
        {
            "name": "benchmark", "title": "benchmark", "core": {"neurons": neurons_a_core, "source": SOURCE},
            "mesh": {"columns": width, "rows": width, "source": SOURCE},
            "seconds": {"synaptic_op": 3.5e-9, "update": 8.4e-9, "barrier": 465e-9, "source": SOURCE},
        }
    )  # fmt: skip
    borders = np.append(np.arange(cores) * neurons_a_core, size).astype(np.int64)
    positions = np.stack([np.arange(cores) % width, np.arange(cores) // width], 1).astype(np.int64)
    made_up = {"neurons": np.full(size, min(cores, FAN_OUT), np.int32)}
    return Placement(
        network, chip, {"neurons": borders}, {"neurons": np.arange(cores, dtype=np.int32)}, positions,
        np.zeros((cores + 1, cores)), made_up, made_up,
    )  # fmt: skip


def ours(machine: Machine, steps: int, threads: int) -> float:
    """Million events a second of one run."""
    begun = time.perf_counter()
    counts = machine.run({}, steps=steps, samples=1, threads=threads, rasters=False)
    took = time.perf_counter() - begun
    arrived = counts.spikes["neurons"].sum() - counts.late["neurons"].sum()
    return float(arrived) * FAN_OUT / took / MILLION


def limit(size: int) -> float:
    """Million random read-modify-writes a second."""
    assert native is not None
    cells, targets = (
        np.zeros(size, np.float32),
        np.random.default_rng(0).integers(0, size, 4 * MILLION, dtype=np.uint32),
    )
    begun = time.perf_counter()
    native.random_updates(cells, targets, 1)
    return len(targets) / (time.perf_counter() - begun) / MILLION


def brian2(size: int, steps: int) -> Callable[[], float]:
    """Brian2's C++ standalone code on the same kind of network, without its compilation."""
    import tempfile

    import brian2 as b

    folder = tempfile.mkdtemp()
    b.set_device("cpp_standalone", directory=folder, build_on_run=False)
    b.defaultclock.dt = 1 * b.ms
    group = b.NeuronGroup(size, "v : 1", threshold="v > 1", reset="v -= 1", method="euler")
    group.run_regularly(f"v += {RATE}")
    group.v = "rand()"
    synapses = b.Synapses(group, group, "w : 1", on_pre="v_post += w", delay=1 * b.ms)
    targets = np.random.default_rng(0).integers(0, size, (size, FAN_OUT))
    synapses.connect(i=np.repeat(np.arange(size), FAN_OUT), j=targets.ravel())
    synapses.w = "(rand() * 2 - 1) * 1e-3"
    b.run(steps * b.ms)
    b.device.build(directory=folder, run=False, compile=True, debug=False)

    def deed() -> float:
        b.device.run(with_output=False)
        took = b.device._last_run_time
        return size * RATE * (steps - 1) * FAN_OUT / took / MILLION

    return deed


def nest(size: int, steps: int, threads: int) -> Callable[[], float]:
    """NEST's integrate-and-fire neurons with the same synapses, one spike every `1 / RATE` steps."""
    import nest as simulator

    def deed() -> float:
        simulator.set_verbosity("M_ERROR")
        simulator.ResetKernel()
        simulator.set(resolution=1.0, local_num_threads=threads)
        group = simulator.Create(
            "iaf_psc_delta", size,
            {"tau_m": 1e9, "C_m": 1.0, "V_th": 1.0, "E_L": 0.0, "V_reset": 0.0, "t_ref": 0.0, "I_e": RATE},
        )  # fmt: skip
        group.V_m = np.random.default_rng(0).random(size)
        simulator.Connect(
            group, group, {"rule": "fixed_outdegree", "outdegree": FAN_OUT},
            {"weight": simulator.random.uniform(-1e-3, 1e-3), "delay": 1.0},
        )  # fmt: skip
        simulator.Simulate(2.0)
        begun = time.perf_counter()
        simulator.Simulate(float(steps))
        return size * RATE * steps * FAN_OUT / (time.perf_counter() - begun) / MILLION

    return deed


def measure(size: int, *, peers: bool) -> dict[str, Any]:
    """Everything at one size, in turns."""
    begun = time.perf_counter()
    network = random_network(size, FAN_OUT, rate=RATE)
    built = time.perf_counter() - begun
    steps = max(10, 20 * MILLION // size)
    plain, counted = Machine(network), Machine(network, on_cores(network))
    deeds: dict[str, Callable[[], float]] = {
        "limit, 1 thread": lambda: limit(size),
        "1 thread": lambda: ours(plain, steps, 1),
        "1 thread, cores counted": lambda: ours(counted, steps, 1),
        "2 threads, cores counted": lambda: ours(counted, steps, 2),
    }
    left_out = []
    for name, make in (
        ("brian2", lambda: brian2(size, max(10, steps // 4))), ("nest, 1 thread", lambda: nest(size, 20, 1)),
        ("nest, 2 threads", lambda: nest(size, 20, 2)),
    ):  # fmt: skip
        try:
            if peers:
                deeds[name] = make()
        except (ImportError, AttributeError):  # the latter: a release that this numpy is too new for
            left_out.append(name)
    turns: dict[str, list[float]] = {name: [] for name in deeds}
    for _ in range(TURNS):
        for name, deed in deeds.items():
            turns[name].append(deed())
    found = {name: max(row) for name, row in turns.items()}
    return {
        "neurons": size, "synapses": network.synapses, "bytes": network.nbytes, "build_seconds": built, "steps": steps,
        "million_events_per_second": found, "not_installed": left_out,
        "share_of_limit": found["1 thread, cores counted"] / found["limit, 1 thread"],
    }  # fmt: skip


def small() -> dict[str, float]:
    """Seconds of one sample: 128-100-10 for 100 steps, and mlp-s on one digit-sized image for 20, mapped once."""
    import torch

    import spikeledger as sl
    from spikeledger.chip import exercise
    from spikeledger.chip.torch_inputs import sequences

    found = {}
    mlp = sl.zoo.build("mlp-s", (1, 28, 28), 10, timesteps=20)
    image = torch.rand(1, 1, 28, 28, generator=torch.Generator().manual_seed(0)) * 0.26
    spikes = (torch.rand(100, 1, 128, generator=torch.Generator().manual_seed(0)) < 0.01).float()
    for name, net, values in (
        ("128-100-10, 100 steps", exercise.network(100), spikes.numpy()),
        ("mlp-s, T = 20", mlp, sequences(mlp, image).numpy()),
    ):
        mapped = sl.map_network(net, values if name[0] == "1" else image)
        machine = Machine(mapped)
        inputs = {"input": values.reshape(*values.shape[:2], -1)}
        times = []
        for _ in range(200):
            begun = time.perf_counter()
            machine.run(inputs, steps=len(values), samples=1, rasters=False)
            times.append(time.perf_counter() - begun)
        found[name] = float(np.median(times))
    return found


def main() -> None:
    if native is None:
        print("the native core was not built: nothing is measured", file=sys.stderr)
        return
    arguments = [argument for argument in sys.argv[1:] if argument != "--no-peers"]
    sizes = [int(argument) for argument in arguments] or [10_000, 100_000, 1_000_000]
    peers = "--no-peers" not in sys.argv
    rows = [measure(size, peers=peers and size <= 100_000) for size in sizes]
    print(json.dumps({"small_seconds": small(), "sizes": rows}, indent=2))


if __name__ == "__main__":
    main()
