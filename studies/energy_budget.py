"""Accuracy against joules for networks that were trained to budgets: trains what is missing, then writes and draws.

SPIKELEDGER_DATA=data python studies/energy_budget.py --out out/energy-budget
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from spikeledger.study.energy_budget import Trained, read_study, reversals, run_study, to_dict
from spikeledger.writing import write_whole


def main() -> None:
    """Train what is missing, write the table and the picture, and print the rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--study", type=Path, default=Path(__file__).with_suffix(".toml"))
    parser.add_argument("--out", type=Path, default=Path("out/energy-budget"))
    parser.add_argument("--seeds", help="comma-separated; the file's own by default")
    parser.add_argument("--shares", help="comma-separated; the file's own by default")
    parser.add_argument("--encoders", help="comma-separated; the file's own by default")
    parser.add_argument("--profiles", help="comma-separated; the file's own by default")
    parser.add_argument("--threads", type=int, default=1, help="of torch")
    given = parser.parse_args()

    import torch

    torch.set_num_threads(given.threads)
    changes: dict[str, dict[str, object]] = {}
    if given.seeds:
        changes["training"] = {"seeds": [int(seed) for seed in given.seeds.split(",")]}
    if given.encoders:
        changes["network"] = {"encoders": given.encoders.split(",")}
    budgets: dict[str, object] = {}
    if given.shares:
        budgets["shares"] = [float(share) for share in given.shares.split(",")]
    if given.profiles:
        budgets["profiles"] = given.profiles.split(",")
    if budgets:
        changes["budgets"] = budgets
    rows = run_study(given.study, given.out / "networks", progress=lambda row: print(line(row), flush=True), **changes)
    devices = read_study(given.study, **changes)["budgets"]["profiles"]
    write_whole(given.out / "energy-budget.json", json.dumps(to_dict(rows), indent=1))
    draw(rows, devices, given.out / "energy-budget.png")
    for row in rows:
        print(line(row))
    if len(devices) > 1:
        turned, pairs = reversals(rows, *devices[:2])
        print(f"{turned} of {pairs} pairs of networks are in another order on {devices[0]} than on {devices[1]}")


def line(row: Trained) -> str:
    """One network, as people read it."""
    spent = ", ".join(f"{value:.4g} J on {name}" for name, value in row.joules.items())
    return (
        f"{row.name:36} accuracy {100 * row.accuracy:.2f} %, {row.synops:,.0f} SynOps, {row.macs:,.0f} MACs, "
        f"{row.spikes:.1f} spikes, {row.synapses:,} synapses; {spent}"
    )


def draw(rows: list[Trained], devices: list[str], path: Path) -> None:
    """Accuracy against joules, one panel a device, one curve an encoder and the device that was trained for."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, len(devices), figsize=(5.2 * len(devices), 4.2), sharey=True, squeeze=False)
    colours, marks = {"rate": "#1f6f8b", "direct": "#c8553d"}, ("o", "s", "^", "D")
    first = min(row.seed for row in rows)
    for panel, device in zip(panels[0], devices, strict=True):
        for encoder in dict.fromkeys(row.encoder for row in rows):
            own = [row for row in rows if row.encoder == encoder and row.seed == first]
            for mark, profile in zip(marks, devices, strict=False):
                curve = [row for row in own if row.profile == profile]
                curve.sort(key=lambda row: -row.share)
                panel.plot(
                    [row.joules[device] for row in curve], [100 * row.accuracy for row in curve], marker=mark,
                    color=colours.get(encoder), linestyle="-" if profile == device else ":", markersize=5,
                    label=f"{encoder}, budgets on {profile}",
                )  # fmt: skip
            for row in own:
                if row.stage != "budget":
                    full = row.stage == "after"
                    panel.plot(
                        row.joules[device], 100 * row.accuracy, marker="*" if full else "x", markersize=11 if full else 7,
                        color=colours.get(encoder), linestyle="", label=f"{encoder}, no budget" if full else None,
                    )  # fmt: skip
        panel.set_xscale("log")
        panel.xaxis.set_minor_formatter("")
        panel.set_xlabel(f"estimated joules a sample on {device}")
        panel.grid(alpha=0.3)
    panels[0][0].set_ylabel("test accuracy, %")
    panels[0][-1].legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
