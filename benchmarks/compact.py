"""What do surrogates with compact support save, and do they learn as well? `python benchmarks/compact.py --help`

Training steps of the perceptron beside the dense floor, of the convolutional network beside torch's products, for `atan`
and for narrow triangles: how many neurons are near the threshold, milliseconds, and the ratio to the floor of the same
round. With `--accuracy`, each learns MNIST and Fashion-MNIST for as many steps. `--docs` writes the tables that were
measured into the book.
"""

from __future__ import annotations

import argparse
import re
import statistics
from pathlib import Path
from typing import Any

import convolution as images
import torch
from sides import Setting, Step, alive, dense_floor, learner, stepper
from sweep import machine
from torch import nn

import spikeledger as sl
from spikeledger.kernels import layers
from spikeledger.writing import write_whole
from training import seconds

PAGE = Path(__file__).parents[1] / "docs" / "explanation" / "kernels.md"
DENSITIES = (0.13, 0.05, 0.01)
CONVOLUTIONAL = (0.01, 0.05, 0.13, 0.5)
NETWORKS = ("perceptron", "convolutional")
#: by name and slope
KINDS = (("atan", 1.0), ("triangle", 1.0), ("triangle", 5.0), ("triangle", 20.0), ("rectangular", 5.0))


def given(network: nn.Module, name: str, slope: float) -> nn.Module:
    """A network whose neurons have this surrogate."""
    for module in network.modules():
        if isinstance(module, sl.LIF):
            module.surrogate = sl.surrogates.surrogate(name, slope)
    return network


def share_near(step: Step) -> float | None:
    """How many of the first layer's neurons, over all steps, a training step kept as near the threshold."""
    kept: list[tuple[Any, tuple[int, ...]]] = []
    real = layers.core.layer

    def spy(*arguments: Any, **named: Any) -> int:
        kept.append((named["near"], arguments[0]))
        return real(*arguments, **named)

    layers.core.layer = spy  # type: ignore[assignment]
    try:
        step()
    finally:
        layers.core.layer = real
    near, (steps, batch, _, columns) = kept[0]
    blocks, rows = -(-columns // 32), steps * batch
    return None if near is None else (near.bytes / 4 - blocks * (2 * rows + 16)) / (rows * columns)


def perceptron(density: float, name: str, slope: float) -> Step:
    setting = Setting(density=density)
    network: Any = given(sl.zoo.mlp(*setting.widths, encoder=None, timesteps=setting.timesteps), name, slope)
    alive(setting, network)
    return stepper(setting, network, network.scores, sl.Adam)


def convolutional(shape: tuple[int, ...], density: float) -> dict[str, Step]:
    """Torch's products, and a training step with each surrogate."""
    inputs = (torch.rand(shape[0], shape[1], shape[2], shape[3], shape[3]) < density).float()
    labels = torch.arange(shape[1]) % 10

    def made(name: str, slope: float) -> Step:
        network = images.alive(shape, density, given(images.ours_of(shape), name, slope))
        return learner(network, lambda: network(inputs).mean(0), labels, sl.Adam)

    floor = images.network_sides(shape, density, True, [])["torch's products"]
    return {"floor": floor, **{label(*kind): made(*kind) for kind in KINDS}}


def label(name: str, slope: float) -> str:
    return name if name == "atan" else f"{name}, slope {slope:g}"


def ratios(steps: dict[str, Step], rounds: int, cpu: bool, warm: int) -> dict[str, tuple[float, float]]:
    """Median milliseconds, and median ratio to the first of the same round."""
    for step in steps.values():
        for _ in range(warm):
            step()
    times: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(rounds):
        for name, step in steps.items():
            step()
            times[name].append(seconds(step, cpu))
    first = times[next(iter(times))]
    return {
        name: (1e3 * statistics.median(mine), statistics.median(a / b for a, b in zip(mine, first, strict=True)))
        for name, mine in times.items()
    }


def speed(rounds: int, cpu: bool, networks: list[str]) -> list[str]:
    lines = [
        "| step | input | surrogate | near | ms | ÷ floor |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for density in DENSITIES if "perceptron" in networks else ():
        steps = {"floor": dense_floor(Setting(density=density))}
        steps |= {label(*kind): perceptron(density, *kind) for kind in KINDS}
        shares = {name: share_near(step) for name, step in steps.items() if name != "floor"}
        found = ratios(steps, rounds, cpu, 8)
        for name, share in shares.items():
            near = "all" if share is None else f"{100 * share:.1f} %"
            lines.append(
                f"| perceptron | {density:g} | {name} | {near} | {found[name][0]:.1f} | {found[name][1]:.2f} |"
            )
            print(lines[-1], flush=True)
    for density in CONVOLUTIONAL if "convolutional" in networks else ():
        found = ratios(convolutional((10, 16, 32, 28, 64), density), max(3, rounds // 3), cpu, 1)
        for name, (time, ratio) in found.items():
            if name != "floor":
                lines.append(f"| convolutional | {density:g} | {name} | | {time:.0f} | {ratio:.2f} |")
                print(lines[-1], flush=True)
    return lines


def accuracy(epochs: int, seeds: int) -> list[str]:
    lines = [
        "| test accuracy, % | " + " | ".join(label(*kind) for kind in KINDS) + " |",
        "| --- |" + " --- |" * len(KINDS),
    ]
    for name in ("mnist", "fashion-mnist"):
        data = sl.load_dataset(name)
        cells = []
        for kind, slope in KINDS:
            found = []
            for seed in range(seeds):
                network = sl.zoo.mlp(784, 256, 10, timesteps=8, seed=seed, surrogate=kind, slope=slope)
                sl.fit(network, data, epochs=epochs, seed=seed, profile=None, progress=False, validation=0)
                found.append(100 * sl.evaluate(network, data.test_inputs, data.test_labels).accuracy)
            cells.append(f"{statistics.mean(found):.2f}")
        lines.append(f"| {name}, {epochs} epochs, T = 8, {seeds} seeds | " + " | ".join(cells) + " |")
        print(lines[-1], flush=True)
    return lines


def written(lines: list[str], page: str) -> str:
    """The page with this table in place of the one that begins alike."""
    head = re.escape(lines[0].split("|")[1].strip())
    table = re.compile(rf"^\| {head} \|.*\n(?:\|.*\n)+", re.MULTILINE)
    if len(table.findall(page)) != 1:
        raise SystemExit(f"{PAGE} has no table that begins with '| {head} |': nothing was changed there")
    return table.sub(lambda _: "\n".join(lines) + "\n", page)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--cpu", action="store_true", help="processor seconds, where others use the machine; 1 thread")
    parser.add_argument("--accuracy", action="store_true", help="only what they learn; MNIST's files are needed")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--docs", action="store_true", help="refresh the book's table as well")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(machine(options.threads))
    if options.docs and len(set(options.networks)) < len(NETWORKS) and not options.accuracy:
        parser.error("--docs writes a table of all networks: leave out --networks")
    if options.accuracy:
        lines = accuracy(options.epochs, options.seeds)
    else:
        lines = speed(options.rounds, options.cpu, options.networks)
    print("\n".join(lines))
    if options.docs:
        write_whole(PAGE, written(lines, PAGE.read_text(encoding="utf-8")))


if __name__ == "__main__":
    main()
