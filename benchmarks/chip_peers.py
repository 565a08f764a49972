"""One peer simulator on the random network of `chip_events.py`, in an interpreter of its own.

`PYTHON benchmarks/chip_peers.py brian2|nest|sanafe NEURONS STEPS THREADS` builds the network, says "ready", and then
answers each line that it reads with million synaptic events a second of one run. It imports nothing of ours, so that
peers whose dependencies exclude each other can take turns in one measurement.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np

FAN_OUT, RATE, MILLION = 100, 0.02, 1_000_000


def targets(size: int) -> Any:
    """Random targets, `[neurons, FAN_OUT]`."""
    return np.random.default_rng(0).integers(0, size, (size, FAN_OUT))


def brian2(size: int, steps: int, threads: int) -> Callable[[], float]:
    """Brian2's C++ standalone code, its compilation and set-up not timed."""
    import brian2 as b

    folder = tempfile.mkdtemp()
    b.set_device("cpp_standalone", directory=folder, build_on_run=False)
    if threads > 1:
        b.prefs.devices.cpp_standalone.openmp_threads = threads
    b.defaultclock.dt = 1 * b.ms
    group = b.NeuronGroup(size, "v : 1", threshold="v > 1", reset="v -= 1", method="euler")
    group.run_regularly(f"v += {RATE}")
    group.v = "rand()"
    synapses = b.Synapses(group, group, "w : 1", on_pre="v_post += w", delay=1 * b.ms)
    synapses.connect(i=np.repeat(np.arange(size), FAN_OUT), j=targets(size).ravel())
    synapses.w = "(rand() * 2 - 1) * 1e-3"
    b.run(steps * b.ms)
    b.device.build(directory=folder, run=False, compile=True, debug=False)

    def deed() -> float:
        b.device.run(with_output=False)
        return size * RATE * (steps - 1) * FAN_OUT / b.device._last_run_time / MILLION

    return deed


def nest(size: int, steps: int, threads: int) -> Callable[[], float]:
    """NEST's integrate-and-fire neurons with the same synapses, one spike every `1 / RATE` steps."""
    import nest as simulator

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

    def deed() -> float:
        begun = time.perf_counter()
        simulator.Simulate(float(steps))
        return size * RATE * steps * FAN_OUT / (time.perf_counter() - begun) / MILLION

    return deed


def sanafe(size: int, steps: int, threads: int) -> Callable[[], float]:
    """SANA-FE's Loihi, 1,024 neurons a core, with its energy, latency and network accounting."""
    import sanafe as simulator

    chip = simulator.load_loihi()
    cores = chip.cores()
    network = simulator.Network()
    group = network.create_neuron_group(
        "neurons", size, {"threshold": 1.0, "bias": RATE, "reset_mode": "soft", "leak_decay": 1.0}
    )
    start = np.random.default_rng(0).random(size)
    for i, neuron in enumerate(group.neurons):
        neuron.set_attributes(model_attributes={"potential": float(start[i])})
        neuron.map_to_core(cores[i // 1024])
    pairs = zip(np.repeat(np.arange(size), FAN_OUT).tolist(), targets(size).ravel().tolist(), strict=True)
    weights = (np.random.default_rng(1).random(size * FAN_OUT) * 2 - 1) * 1e-3
    group.connect_neurons_sparse(group, {"weight": weights.tolist()}, list(pairs))
    placed = simulator.SpikingChip(chip)
    placed.load(network)
    placed.sim(2, processing_threads=threads)

    def deed() -> float:
        begun = time.perf_counter()
        done = placed.sim(steps, timing_model="detailed", processing_threads=threads)
        return float(done["spikes"]) / (time.perf_counter() - begun) / MILLION  # it counts a spike once a synapse

    return deed


def main() -> None:
    # answers go to where output went; what the peers print, also from C++, goes with the errors
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    name, *numbers = sys.argv[1:]
    deed = {"brian2": brian2, "nest": nest, "sanafe": sanafe}[name](*map(int, numbers))
    print("ready", file=answers, flush=True)
    for _ in sys.stdin:
        print(deed(), file=answers, flush=True)


if __name__ == "__main__":
    main()
