"""Accuracy against joules for networks that were trained to budgets: draws what a study's folder holds.

spikeledger study run studies/energy_budget.toml --out energy-budget
python studies/energy_budget.py energy-budget --out out/energy-budget
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from spikeledger.trials import Row
from spikeledger.trials.energy_budget import reversals
from spikeledger.trials.runner import read_plan
from spikeledger.writing import write_whole


def main() -> None:
    """Write the table and the picture, and print the rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="the study's folder")
    parser.add_argument("--out", type=Path, default=Path("out/energy-budget"))
    given = parser.parse_args()
    store, plan = read_plan(given.folder)
    rows = [store.rows[key] for key in plan["trials"] if key in store.rows]
    devices = list(dict.fromkeys(device for row in rows for device in row.values["joules"]))
    given.out.mkdir(parents=True, exist_ok=True)
    told = {"schema": "spikeledger-energy-budget/2", "networks": [asdict(row) for row in rows]}
    write_whole(given.out / "energy-budget.json", json.dumps(told, indent=1))
    draw(rows, devices, given.out / "energy-budget.png")
    for row in rows:
        print(line(row))
    if len(devices) > 1:
        turned, pairs = reversals([row.values for row in rows], *devices[:2])
        print(f"{turned} of {pairs} pairs of networks are in another order on {devices[0]} than on {devices[1]}")


def name(row: Row) -> str:
    """Which network it is."""
    asked = row.settings
    of = f"{asked['profile']}-{asked['share']:g}" if asked["stage"] == "budget" else asked["stage"]
    return f"{asked['encoder']}-{asked['seed']}-{of}"


def line(row: Row) -> str:
    """One network, as people read it."""
    found = row.values
    spent = ", ".join(f"{value:.4g} J on {device}" for device, value in found["joules"].items())
    return (
        f"{name(row):36} accuracy {100 * found['accuracy']:.2f} %, {found['synops']:,.0f} SynOps, "
        f"{found['macs']:,.0f} MACs, {found['spikes']:.1f} spikes, {found['synapses']:,} synapses; {spent}"
    )


def draw(rows: list[Row], devices: list[str], path: Path) -> None:
    """Accuracy against joules, one panel a device, one curve an encoder and the device that was trained for."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, len(devices), figsize=(5.2 * len(devices), 4.2), sharey=True, squeeze=False)
    colours, marks = {"rate": "#1f6f8b", "direct": "#c8553d"}, ("o", "s", "^", "D")
    first = min(row.settings["seed"] for row in rows)
    for panel, device in zip(panels[0], devices, strict=True):
        for encoder in dict.fromkeys(row.settings["encoder"] for row in rows):
            own = [row for row in rows if row.settings["encoder"] == encoder and row.settings["seed"] == first]
            for mark, profile in zip(marks, devices, strict=False):
                curve = [row for row in own if row.settings["profile"] == profile]
                curve.sort(key=lambda row: -row.settings["share"])
                panel.plot(
                    [row.values["joules"][device] for row in curve], [100 * row.values["accuracy"] for row in curve], marker=mark,
                    color=colours.get(encoder), linestyle="-" if profile == device else ":", markersize=5,
                    label=f"{encoder}, budgets on {profile}",
                )  # fmt: skip
            for row in own:
                if row.settings["stage"] != "budget":
                    full = row.settings["stage"] == "after"
                    panel.plot(
                        row.values["joules"][device], 100 * row.values["accuracy"], marker="*" if full else "x",
                        markersize=11 if full else 7,
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
