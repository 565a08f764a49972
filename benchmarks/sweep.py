"""How does the cost of a step grow with density, steps, width and batch? `python benchmarks/sweep.py --out out/bench`

Ours and the dense floor in turn, one thing varied at a time; writes `training.md`, a table, and `training.svg`, a picture.
With `--docs` both go into the book too: the table into `docs/explanation/kernels.md`, in place of the one there, and the
picture beside it. Its words on the machine, and on where a step's time goes, are for a person to look over.
"""

from __future__ import annotations

import argparse
import platform
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from sides import Setting

from spikeledger import kernels
from spikeledger.writing import write_whole
from training import installed, measure

PAGE = Path(__file__).parents[1] / "docs" / "explanation" / "kernels.md"
PICTURE = PAGE.parent / "pictures" / "training.svg"
TABLE = re.compile(r"^\| varied \|.*\n(?:\|.*\n)+", re.MULTILINE)

BASE = Setting()
VARIED: dict[str, tuple[str, tuple[Any, ...]]] = {
    "density": ("density", (0.01, 0.03, 0.05, 0.13, 0.3, 0.5)),
    "steps": ("timesteps", (5, 20, 50)),
    "width": ("widths", ((784, 256, 10), (784, 512, 512, 10), (784, 1024, 1024, 10))),
    "batch": ("batch", (32, 128, 512)),
}
PEERS = ("SpikingJelly", "snnTorch", "plain torch", "fused, dense")

Found = dict[tuple[str, bool, Any], tuple[float, float, float]]


def shown(value: Any) -> str:
    return "-".join(map(str, value)) if isinstance(value, tuple) else str(value)


def sweep(rounds: int) -> Found:
    found: Found = {}
    for train in (True, False):
        for name, (field, values) in VARIED.items():
            for value in values:
                setting = replace(BASE, train=train, **{field: value})
                ours = measure(setting, ["dense floor", "event-driven"], rounds, False)["event-driven"]
                found[name, train, value] = ours
                print(f"{'train' if train else 'infer'} {name} {shown(value)}: {ours[1]:.2f}", flush=True)
    return found


def machine(threads: int) -> str:
    cpu = "unknown processor"
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    for line in lines:
        if line.startswith("model name"):
            cpu = line.split(":", 1)[1].strip()
    return f"{cpu}, {platform.machine()}, {threads} threads, torch {torch.__version__}, back end {kernels.name()}"


def table(found: Found, peers: dict[bool, dict[str, tuple[float, float, float]]], threads: int) -> str:
    lines = [
        f"Ratio to the dense floor, ± interquartile range. {machine(threads)}.",
        "",
        "| varied | value | train | infer |",
        "| --- | --- | --- | --- |",
    ]
    for (name, train, value), _ in found.items():
        if train:
            cells = [f"{found[name, way, value][1]:.2f} ± {found[name, way, value][2]:.2f}" for way in (True, False)]
            lines.append(f"| {name} | {shown(value)} | {' | '.join(cells)} |")
    for side in peers[True]:
        cells = [f"{peers[way][side][1]:.2f} ± {peers[way][side][2]:.2f}" for way in (True, False)]
        lines.append(f"| side | {side} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def draw(found: Found, path: Path, threads: int) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, len(VARIED), figsize=(11, 3), sharey=True)
    for axis, (name, (_, values)) in zip(axes, VARIED.items(), strict=True):
        places = range(len(values))
        for train, mark in ((True, "o-"), (False, "s--")):
            rows = [found[name, train, value] for value in values]
            axis.errorbar(
                places, [row[1] for row in rows], [row[2] / 2 for row in rows], fmt=mark, capsize=2, markersize=4,
                label="training" if train else "inference",
            )  # fmt: skip
        axis.set_xticks(places, [shown(value).removeprefix("784-").removesuffix("-10") for value in values])
        axis.set_xlabel(name)
        axis.axhline(1, color="grey", linewidth=0.8)
        axis.set_ylim(0)
    axes[0].set_ylabel("time, of the dense floor's")
    axes[0].legend(frameon=False)
    figure.suptitle(machine(threads), fontsize=7)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--out", type=Path, default=Path("out/bench"))
    parser.add_argument("--docs", action="store_true", help="refresh the book's table and picture as well")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    found = sweep(options.rounds)
    sides = ["dense floor", "event-driven", *(name for name in PEERS if installed(name))]
    peers = {train: measure(replace(BASE, train=train), sides, options.rounds, False) for train in (True, False)}
    options.out.mkdir(parents=True, exist_ok=True)
    text = table(found, peers, options.threads)
    (options.out / "training.md").write_text(text, encoding="utf-8")
    draw(found, options.out / "training.svg", options.threads)
    if options.docs:
        page, rows = PAGE.read_text(encoding="utf-8"), TABLE.search(text)
        if rows is None or len(TABLE.findall(page)) != 1:
            raise SystemExit(f"{PAGE} has no table that begins with '| varied |': nothing was changed there")
        write_whole(PAGE, TABLE.sub(lambda _: rows.group(), page))
        write_whole(PICTURE, (options.out / "training.svg").read_text(encoding="utf-8"))
    print(text)


if __name__ == "__main__":
    main()
