"""The same small network on SANA-FE's Loihi and on ours: the same spikes, the same counts, and why the prices differ.

`python benchmarks/sanafe.py --python PATH` prints one JSON object; PATH is an interpreter that can import sanafe (GPL-3;
it runs on its own there, and only its results are read). The network is made here: random synapses of k/64, one core a
layer. In SANA-FE a spike is heard one step later, and Loihi's membranes are cut to 1/64 after the leak; ours has
delays of 1 and, counted in 64ths, the same whole numbers. `docs/explanation/chip-peers.md` holds the table.
"""

from __future__ import annotations

import argparse
import itertools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

STEPS, SIZES = 60, (24, 32, 32, 32)
CASES: dict[str, dict[str, Any]] = {
    "no leak, reset by subtraction": {"beta": 1.0, "reset": "subtract"},
    "leak of 1/8, reset to zero": {"beta": 0.875, "reset": "zero"},
}
#: SANA-FE's own arch/loihi.yaml, in pJ: what it charges for what
THEIRS = {"synapse": 33.6, "access": 51.2, "update": 21.6, "spike_out": 69.3, "message": 111.0}


def theirs(task: dict[str, Any]) -> dict[str, Any]:
    """Run a network in SANA-FE, through its Python API; this part needs nothing of ours."""
    from importlib.metadata import version

    import sanafe  # type: ignore[import-not-found,unused-ignore]

    arch = sanafe.load_arch(Path(sanafe.__file__).parent / "examples" / "loihi.yaml")
    network = sanafe.Network()
    groups = []
    for number, size in enumerate(task["sizes"]):
        if number == 0:
            group = network.create_neuron_group("layer0", size, soma_hw_name="loihi_inputs")
            for k in range(size):
                train = [bool(step[k]) for step in task["inputs"]]
                group[k].set_attributes(
                    soma_hw_name=f"loihi_inputs[{k}]", log_spikes=True, model_attributes={"spikes": train}
                )
        else:
            facts = {
                "threshold": task["threshold"], "leak_decay": task["beta"], "force_update": True, "reset": 0.0,
                "reset_mode": {"subtract": "soft", "zero": "hard"}[task["reset"]],
            }  # fmt: skip
            group = network.create_neuron_group(
                f"layer{number}", size, model_attributes=facts, soma_hw_name="loihi_lif",
                default_synapse_hw_name="loihi_sparse_synapse", log_spikes=True,
            )  # fmt: skip
        groups.append(group)
    for number, edges in enumerate(task["edges"]):
        for source, target, weight in edges:
            groups[number][source].connect_to_neuron(groups[number + 1][target], {"weight": weight})
    for number, group in enumerate(groups):
        for k in range(task["sizes"][number]):
            group[k].map_to_core(arch.tiles[number].cores[0])
    chip = sanafe.SpikingChip(arch)
    chip.load(network)
    steps = len(task["inputs"])
    ran = chip.sim(steps, spike_trace=True, perf_trace=True)
    spikes = [[0] * size for size in task["sizes"]]
    raster = [[(each.group_name, each.neuron_offset) for each in step] for step in ran["spike_trace"]]
    for step in raster:
        for name, neuron in step:
            spikes[int(name.removeprefix("layer"))][neuron] += 1
    fired = sorted([int(n.removeprefix("layer")), k, t] for t, step in enumerate(raster) for n, k in step)
    return {
        "version": version("sanafe"), "fired": fired, "synaptic_op": ran["spikes"], "packets": ran["packets_sent"],
        "hops": sum(ran["perf_trace"]["hops"]), "energy": ran["energy"], "seconds": ran["sim_time"],
    }  # fmt: skip


def networks(seed: int, beta: float, reset: str) -> dict[str, Any]:
    """A task in plain numbers: inputs, edges with weights k/64, and constants."""
    import numpy as np

    rng = np.random.default_rng(seed)
    edges = []
    for a, b in itertools.pairwise(SIZES):
        exists = rng.random((a, b)) < 0.4
        edges.append(
            [[int(i), int(j), float(rng.integers(-8, 32) / 64)] for i, j in zip(*np.nonzero(exists), strict=True)]
        )
    edges = [[edge for edge in layer if edge[2]] for layer in edges]
    inputs = (rng.random((STEPS, SIZES[0])) < 0.3).astype(int).tolist()
    return {"sizes": SIZES, "edges": edges, "inputs": inputs, "threshold": 1.0, "beta": beta, "reset": reset}


def ours(task: dict[str, Any]) -> dict[str, Any]:
    """The same on our chip, in whole 64ths, priced by our Loihi profile."""
    import numpy as np

    import spikeledger as sl
    from spikeledger.chip.device import Device, load_device
    from spikeledger.chip.machine import Machine
    from spikeledger.chip.placement import place
    from spikeledger.chip.simulate import account
    from spikeledger.mapping.mapped import Mapped, Population, Projection
    from spikeledger.mapping.synapses import Sparse

    names = [f"layer{number}" for number in range(len(SIZES))]
    populations = {names[0]: Population(names[0], (SIZES[0],), "input")}
    projections = []
    for number, edges in enumerate(task["edges"]):
        target = names[number + 1]
        populations[target] = Population(
            target, (SIZES[number + 1],), beta=task["beta"], threshold=64 * task["threshold"], reset=task["reset"]
        )
        source, to, weight = (np.array(column) for column in zip(*edges, strict=True))
        synapses = Sparse.from_edges(source, to, 64.0 * weight, SIZES[number], SIZES[number + 1])
        projections.append(Projection(names[number], target, synapses, 1, f"weights{number}"))
    network = Mapped(populations, tuple(projections), names[-1])
    chip = load_device("loihi")  # with cores of 32, so that each layer has its own
    placement = place(
        network, Device(chip.profile, chip.core.model_copy(update={"neurons": 32}), chip.mesh, chip.seconds)
    )
    values = np.array(task["inputs"])[:, None, :]
    machine = Machine(network, placement, dtype=np.float64, limit=2.0**23)
    counts = machine.run({names[0]: values}, steps=STEPS, samples=1)
    activity = account(network, counts, values, STEPS, 1, placement=placement)
    fired = [[0, int(k), int(t)] for t, k in zip(*np.nonzero(values[:, 0]), strict=True)]
    for number, name in enumerate(names[1:], start=1):
        fired += [[number, int(k), int(t)] for t, k in zip(*np.nonzero(counts.rasters[name][0]), strict=True)]
    ledger = sl.price(activity, "loihi")
    joules: dict[str, float] = {}
    for entry in ledger.entries:
        joules[entry.event] = joules.get(entry.event, 0.0) + entry.joules
    under_way = sum(int(counts.late[p.source][0] @ p.fan_out) for p in projections)
    events = ("synaptic_op", "neuron_update", "active_update", "spike", "packet", "hop")
    return {
        "version": sl.__version__, "fired": sorted(fired), "under_way": under_way, "seconds": activity.seconds,
        "joules": joules, **{event: activity.total(event) for event in events},
    }  # fmt: skip


def explained(here: dict[str, Any], there: dict[str, Any]) -> dict[str, float]:
    """SANA-FE's joules again, from our counts and its prices; its hops take what is left."""
    from spikeledger.units import PICO

    counts = {
        "synapse": here["synaptic_op"] + here["under_way"], "access": here["neuron_update"],
        "update": here["neuron_update"], "spike_out": here["spike"], "message": there["packets"],
    }  # fmt: skip
    # events * pJ/event = joules
    found = {event: count * THEIRS[event] * PICO for event, count in counts.items()}
    found["hops"] = there["energy"]["total"] - sum(found.values())
    return found


def compared(name: str, python: str) -> dict[str, Any]:
    """One case in both, and whether they agree."""
    task = networks(0, **CASES[name])
    ran = subprocess.run(
        [python, "-I", __file__, "--there"], input=json.dumps(task), capture_output=True, text=True, check=False
    )
    if ran.returncode:
        last = (ran.stderr.strip().splitlines() or ["nothing"])[-1]
        raise SystemExit(f"{python} could not run it there, and said: {last}")
    there, here = json.loads(ran.stdout.splitlines()[-1]), ours(task)
    first, second = there.pop("fired"), here.pop("fired")
    return {
        "same_spikes": first == second, "spikes": len(second),
        "same_synaptic_ops": there["synaptic_op"] == here["synaptic_op"] + here["under_way"],
        "same_packets": there["packets"] == here["packet"],
        "sana_fe": there, "spikeledger": here, "sana_fe_from_our_counts": explained(here, there),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--python", help="an interpreter that can import sanafe")
    parser.add_argument("--there", action="store_true", help="be the part that runs there: a task on stdin")
    asked = parser.parse_args()
    if asked.there:
        json.dump(theirs(json.load(sys.stdin)), sys.stdout)
    elif asked.python is None:
        print("sanafe is not compared: name an interpreter that can import it, --python PATH", file=sys.stderr)
    else:
        print(json.dumps({name: compared(name, asked.python) for name in CASES}, indent=2))


if __name__ == "__main__":
    main()
