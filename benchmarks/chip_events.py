"""How many synaptic events a second does the chip simulator do, beside Brian2, NEST, SANA-FE and the machine's own limit?

    python benchmarks/chip_events.py --sizes 10000 --out rows10k.json        # measure, one size or several
    python benchmarks/chip_events.py --small --out small.json                # one sample of two small networks
    python benchmarks/chip_events.py --read *.json --picture speed.png       # table, growth, picture

The network is random: 100 synapses a neuron, about 2 % firing a step, delay 1. At a size, all sides take turns, so that
clocks and load hit all alike; the figure of each is the best of its turns. The limit is a random read-modify-write of 4
bytes, with prefetch. Weights are of 8 bits, as chips have them, or with `--weights float` any. With `--cpu` rates are by
processor time over the threads, where others use the machine too. A peer runs in an interpreter of its own: `--peer
brian2=PYTHON`; without one, in this one, and is left out by name where it is not installed.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from chip_peers import FAN_OUT, MILLION, RATE

from spikeledger.chip.device import load_device
from spikeledger.chip.machine import SHORT_AFTER, Machine, native
from spikeledger.chip.placement import Placement
from spikeledger.hardware.profile import HardwareProfile
from spikeledger.mapping.mapped import Mapped
from spikeledger.mapping.random_network import random_network

SIZES = (10_000, 30_000, 100_000, 1_000_000)
# name: module, threads, most neurons: beyond, building takes minutes
PEERS = {
    "brian2": ("brian2", 1, 100_000), "nest, 1 thread": ("nest", 1, 100_000), "nest, 2 threads": ("nest", 2, 100_000),
    "sanafe, 1 thread": ("sanafe", 1, 10_000), "sanafe, 2 threads": ("sanafe", 2, 10_000),
}  # fmt: skip
TARGETS = {10_000: 1000, 100_000: 800, 1_000_000: 500}  # of 2 threads, cores counted
SOURCE = "made for this benchmark"


def on_cores(network: Mapped, neurons_a_core: int = 1024) -> Placement:
    """A placement that costs no time to find: neurons in order, made-up destinations."""
    size = network.neurons
    cores = -(-size // neurons_a_core)
    width = int(np.ceil(np.sqrt(cores)))
    chip = load_device(
        HardwareProfile.model_validate({
            "name": "benchmark", "title": "benchmark", "core": {"neurons": neurons_a_core, "source": SOURCE},
            "mesh": {"columns": width, "rows": width, "source": SOURCE},
            "seconds": {"synaptic_op": 3.5e-9, "update": 8.4e-9, "barrier": 465e-9, "source": SOURCE},
        })
    )  # fmt: skip
    borders = np.append(np.arange(cores) * neurons_a_core, size).astype(np.int64)
    positions = np.stack([np.arange(cores) % width, np.arange(cores) // width], 1).astype(np.int64)
    made_up = {"neurons": np.full(size, min(cores, FAN_OUT), np.int32)}
    return Placement(
        network, chip, {"neurons": borders}, {"neurons": np.arange(cores, dtype=np.int32)}, positions,
        np.zeros((cores + 1, cores)), made_up, made_up,
    )  # fmt: skip


def seconds(cpu: bool, threads: int) -> float:
    """A clock: the wall's, or what each of these threads was given of the processor."""
    return time.process_time() / threads if cpu else time.perf_counter()


def made(size: int, weights: str) -> Mapped:
    """The network, with weights of 8 bits or any."""
    network = random_network(size, FAN_OUT, rate=RATE)
    if weights == "8 bits":
        records = network.projections[0].synapses.records  # type: ignore[attr-defined]
        for first in range(0, len(records), MILLION):
            part = records[first : first + MILLION]
            part["weight"] = np.rint(part["weight"] * np.float32(127e3)) * np.float32(1e-3 / 127)
    return network


def ours(machine: Machine, steps: int, threads: int, cpu: bool) -> float:
    """Million events a second of one run."""
    begun = seconds(cpu, threads)
    counts = machine.run({}, steps=steps, samples=1, threads=threads, rasters=False)
    took = seconds(cpu, threads) - begun
    arrived = counts.spikes["neurons"].sum() - counts.late["neurons"].sum()
    return float(arrived) * FAN_OUT / took / MILLION


def limit(size: int, threads: int, cpu: bool) -> Callable[[], float]:
    """Million random read-modify-writes a second, of threads that each own a part of the cells."""
    rng = np.random.default_rng(0)
    parts = [
        (np.zeros(size // threads, np.float32), rng.integers(0, size // threads, 4 * MILLION, dtype=np.uint32))
        for _ in range(threads)
    ]

    def deed() -> float:
        assert native is not None
        best = 0.0
        with ThreadPoolExecutor(threads) as pool:
            for _ in range(5):  # the first ones warm up
                begun = seconds(cpu, threads)
                list(pool.map(lambda part: native.random_updates(*part, 4), parts))
                best = max(best, 16 * threads / (seconds(cpu, threads) - begun))
        return best

    return deed


class Peer:
    """A peer in its own process, which builds its network once and then runs whenever it is asked."""

    def __init__(self, module: str, python: str, size: int, steps: int, threads: int) -> None:
        script = Path(__file__).with_name("chip_peers.py")
        command = [python, str(script), module, str(size), str(steps), str(threads)]
        quiet = {**os.environ, "PYTHONPATH": ""}
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=quiet
        )
        assert self.process.stdin and self.process.stdout
        self.asks, self.answers = self.process.stdin, self.process.stdout
        self.ready = self.answers.readline().strip() == "ready"

    def __call__(self) -> float:
        self.asks.write("\n")
        self.asks.flush()
        return float(self.answers.readline())

    def close(self) -> None:
        """End the process, which ends at the end of its input."""
        self.asks.close()
        self.process.wait()


def measure(
    size: int, turns: int, pythons: dict[str, str], peers: tuple[str, ...], weights: str, cpu: bool
) -> dict[str, Any]:
    """Everything at one size, in turns."""
    begun = time.perf_counter()
    network = made(size, weights)
    built = time.perf_counter() - begun
    steps = max(60, 20 * MILLION // size)
    # one machine for each number of threads, for its synapses are laid out by that; the run before is not timed
    plain, one, two = Machine(network), Machine(network, on_cores(network)), Machine(network, on_cores(network))
    for machine, threads in ((plain, 1), (one, 1), (two, 2)):
        for _ in range(-(-SHORT_AFTER // steps)):
            ours(machine, steps, threads, cpu)
    deeds: dict[str, Callable[[], float]] = {
        "limit, 1 thread": limit(size, 1, cpu),
        "limit, 2 threads": limit(size, 2, cpu),
        "1 thread, nothing counted by core": lambda: ours(plain, steps, 1, cpu),
        "1 thread": lambda: ours(one, steps, 1, cpu),
        "2 threads": lambda: ours(two, steps, 2, cpu),
    }
    left_out, running = [], []
    for name, (module, threads, most) in PEERS.items():
        if module not in peers or size > most:
            continue
        their_steps = max(20, steps // 4) if module == "brian2" else 20
        peer = Peer(module, pythons.get(module, sys.executable), size, their_steps, threads)
        running.append(peer)
        if peer.ready:
            deeds[name] = peer
        else:
            left_out.append(name)
    taken: dict[str, list[float]] = {name: [] for name in deeds}
    for _ in range(turns):
        for name, deed in deeds.items():
            taken[name].append(deed())
    for peer in running:
        peer.close()
    found = {name: max(row) for name, row in taken.items()}
    return {
        "neurons": size, "weights": weights, "synapses": network.synapses,
        "bytes": network.nbytes, "build_seconds": built, "steps": steps,
        "events_a_step": size * RATE * FAN_OUT, "million_events_per_second": found, "all_turns": taken,
        "left_out": left_out,
    }  # fmt: skip


def small(turns: int = 300) -> dict[str, float]:
    """Seconds of one sample, once placed: 128-100-10 for 100 steps, and mlp-s on an MNIST digit for 20."""
    import torch

    import spikeledger as sl
    from spikeledger.mapping.sequences import sequences
    from spikeledger.study import exercise

    mlp = sl.zoo.build("mlp-s", (1, 28, 28), 10, timesteps=20)
    if os.environ.get("SPIKELEDGER_DATA"):
        digit, images = "an MNIST digit", torch.as_tensor(sl.load_dataset("mnist").test_inputs[:20]).float()
    else:
        digit, images = "noise as dark as a digit", torch.rand(20, 1, 28, 28) * 0.26
    spikes = (torch.rand(100, 1, 128, generator=torch.Generator().manual_seed(0)) < 0.01).float()
    found = {}
    for name, net, given in (
        ("128-100-10, 100 steps", exercise.network(100), [spikes]), (f"mlp-s, T = 20, {digit}", mlp, images[:, None]),
    ):  # fmt: skip
        mapped = sl.map(net, given[0])
        machine = Machine(mapped, sl.place(mapped, "loihi"))
        times = []
        for each in given:
            values = each.numpy() if each is spikes else sequences(net, each).detach().numpy()
            inputs = {"input": values.reshape(*values.shape[:2], -1)}
            row = []
            for _ in range(turns // len(given) + 5):
                begun = time.perf_counter()
                machine.run(inputs, steps=len(values), samples=1, rasters=False)
                row.append(time.perf_counter() - begun)
            times.append(float(np.median(row)))
        found[name] = float(np.mean(times))
    return found


def growth(rows: list[dict[str, Any]]) -> dict[str, float]:
    """How time grows over the sizes: exponent of the time an event, and the straight line of time against events."""
    events = np.array([row["events_a_step"] for row in rows])
    seconds = events / MILLION / np.array([row["million_events_per_second"]["2 threads"] for row in rows])
    slope, offset = np.polyfit(events, seconds, 1, w=1 / seconds)  # relative errors count
    return {
        "exponent": float(np.polyfit(np.log(events), np.log(seconds), 1)[0]),
        "seconds_an_event": float(slope), "seconds_a_step": float(offset),
        "worst_deviation": float(np.abs((slope * events + offset) / seconds - 1).max()),
    }  # fmt: skip


def table(rows: list[dict[str, Any]]) -> str:
    """Rates by size, and the ratios that matter, as a Markdown table."""
    names = list(dict.fromkeys(name for row in rows for name in row["million_events_per_second"]))
    lines = ["| million events a second | " + " | ".join(f"{row['neurons']:,}" for row in rows) + " |"]
    lines.append("|---|" + "---|" * len(rows))

    def put(name: str, cell: Callable[[dict[str, float], int], float | None], form: str) -> None:
        cells = [cell(row["million_events_per_second"], row["neurons"]) for row in rows]
        lines.append(f"| {name} | " + " | ".join("–" if c is None else format(c, form) for c in cells) + " |")

    for name in names:
        put(name, lambda found, _, name=name: found.get(name), ",.0f" if "limit" in name else ",.4g")
    put("target, 2 threads", lambda _, size: TARGETS.get(size), ",.0f")
    for threads in ("1 thread", "2 threads"):
        put(f"share of the limit, {threads}", lambda f, _, t=threads: f[t] / f[f"limit, {t}"], ".2f")

        def share(_: object, size: int, t: str = threads) -> float | None:
            turns = next(row["all_turns"] for row in rows if row["neurons"] == size)
            return float(np.median([a / b for a, b in zip(turns[t], turns[f"limit, {t}"], strict=True)]))

        put(f"share in the same turn, median, {threads}", share, ".2f")
    for name in (name for name in names if name in PEERS):
        put(f"2 threads ÷ {name}", lambda f, _, name=name: f["2 threads"] / f[name] if name in f else None, ".3g")
    return "\n".join(lines)


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """Time a step against events a step, of ours and of the peers, with the fitted line."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    shown = ("2 threads", "1 thread", "limit, 2 threads", *PEERS)
    for name in shown:
        points = [
            (row["events_a_step"], row["events_a_step"] / row["million_events_per_second"][name] / MILLION)
            for row in rows if name in row["million_events_per_second"]
        ]  # fmt: skip
        if points:
            style = {"ls": ":", "color": "0.5"} if "limit" in name else {"marker": "o"}
            label = f"SpikeLedger, {name}" if name.endswith(("thread", "threads")) and "," not in name else name
            axes.plot(*zip(*points, strict=True), label=label, **style)
    fit = growth(rows)
    line = np.geomspace(rows[0]["events_a_step"], rows[-1]["events_a_step"])
    label = f"{fit['seconds_a_step'] * 1e6:.1f} µs + {fit['seconds_an_event'] * 1e9:.2f} ns an event"
    axes.plot(line, fit["seconds_a_step"] + fit["seconds_an_event"] * line, "k--", lw=1, label=label)
    axes.set(xscale="log", yscale="log", xlabel="synaptic events a step", ylabel="seconds a step")
    axes.legend(fontsize=8)
    figure.savefig(path, dpi=150)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="*", default=[])
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--peers", nargs="*", default=["brian2", "nest", "sanafe"])
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=PYTHON", help="an interpreter of a peer")
    parser.add_argument("--weights", choices=["8 bits", "float"], default="8 bits")
    parser.add_argument("--cpu", action="store_true", help="by processor time over the threads, not by the clock")
    parser.add_argument("--small", action="store_true", help="one sample of two small networks")
    parser.add_argument(
        "--read", type=Path, nargs="*", default=[], help="what earlier runs wrote, instead of measuring"
    )
    parser.add_argument("--out", type=Path, help="where to write what was measured, as JSON")
    parser.add_argument("--picture", type=Path)
    asked = parser.parse_args()
    if native is None:
        sys.exit("the native core was not built: nothing can be measured")
    found: dict[str, Any] = {"sizes": [], "small_seconds": {}}
    for path in asked.read:
        before = json.loads(path.read_text())
        found["sizes"] += before["sizes"]
        found["small_seconds"].update(before["small_seconds"])
    pythons = dict(each.split("=", 1) for each in asked.peer)
    if asked.small or not (asked.sizes or asked.read):
        found["small_seconds"].update(small())
    for size in asked.sizes or ([] if asked.read or asked.small else SIZES):
        found["sizes"].append(measure(size, asked.turns, pythons, tuple(asked.peers), asked.weights, asked.cpu))
    rows = sorted(found["sizes"], key=lambda row: row["neurons"])
    if rows:
        print(table(rows))
    if len(rows) > 2:
        found["growth"] = growth(rows)
        print(json.dumps(found["growth"], indent=2))
    for name, seconds in found["small_seconds"].items():
        print(f"{name}: {seconds * 1e6:.0f} µs")
    if asked.picture and len(rows) > 2:
        draw(rows, asked.picture)
    if asked.out:
        asked.out.write_text(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
