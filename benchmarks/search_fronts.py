"""Searches of several seeds beside random search with the same budget, and beside networks made by hand.

SPIKELEDGER_DATA=data python benchmarks/search_fronts.py studies/search_mnist.toml --seeds 0 1 2 3 4 --set minutes=1.5
spikeledger study run studies/rivals_mnist.toml --out rivals     # then: --rivals rivals

The volume is taken when both arms have spent the same CPU. A network of the front is chosen by held-out samples, and
counts by its accuracy on test samples. Those of the rivals have no held-out samples, and are chosen by the very test
accuracy by which they count: `share_as_rivals` chooses both so.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from spikeledger.cli.study import changes
from spikeledger.search.findings import courses
from spikeledger.search.plan import read_search
from spikeledger.search.running import Search, run_search
from spikeledger.trials import Store

#: joules at which two fronts are compared, evenly by their logarithm
GRID = 400


def main() -> None:
    """Search, and print what was found as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--rivals", type=Path, help="folder of a study of networks made by hand")
    parser.add_argument("--out", type=Path, default=Path("out/search-fronts"))
    given = parser.parse_args()
    told = []
    for seed in given.seeds:
        plan = read_search(given.file, {**changes(given.set), "seed": seed})
        found = run_search(replace(plan, seed=seed), given.out / f"seed-{seed}")
        told.append(
            {"seed": seed, **volumes(found), **({"rivals": beside(found, given.rivals)} if given.rivals else {})}
        )
        print(json.dumps(told[-1]), flush=True)


def volumes(search: Search) -> dict[str, Any]:
    """The hypervolume of each arm when the one that spent less was done, and how many points it had tried by then."""
    found = courses(search)
    minutes = min(each.minutes[-1] for each in found)
    at = {each.arm: int(np.searchsorted(each.minutes, minutes, side="right")) - 1 for each in found}
    return {
        "minutes": minutes,
        "points": at,
        "volumes": {each.arm: each.volumes[at[each.arm]] for each in found},
        "best_tradeoff": max((float(row.single["tradeoff"]) for _, row in search.feasible), default=None),
    }


def beside(search: Search, folder: Path) -> dict[str, Any]:
    """Device -> share of the budget curve's range of joules, by its logarithm, in which all rivals are beaten, and who is.

    The curve is the network that was trained to budgets, with and without them; other networks have no say in its range.
    """
    rows = list(Store(folder, make=False).rows.values())
    rivals = [row.single for row in rows]
    squeezed = {row.settings["network"] for row in rows if row.settings["stage"] == "budget"}
    curve = [row.single for row in rows if row.settings["network"] in squeezed]
    found: dict[str, Any] = {}
    for objective in (name for name in search.aims.minimise if name.startswith("joules.")):
        ours = [
            (row.single[objective], row.single["accuracy"], row.single["test_accuracy"])
            for tried, row in search.feasible
            if tried.arm != "random"
        ]
        theirs = [(each[objective], each["accuracy"], each["accuracy"]) for each in rivals]
        grid = np.geomspace(min(each[objective] for each in curve), max(each[objective] for each in curve), GRID)
        alike = [(joules, on_test, on_test) for joules, _, on_test in ours]
        better, as_rivals = (
            [tested(points, joules) >= tested(theirs, joules) for joules in grid] for points in (ours, alike)
        )
        beaten = [
            {"joules": joules, "accuracy": accuracy, "beaten": tested(ours, joules) >= accuracy}
            for joules, accuracy, _ in sorted(theirs)
        ]
        found[objective] = {
            "share": float(np.mean(better)), "share_as_rivals": float(np.mean(as_rivals)), "rivals": beaten,
        }  # fmt: skip
    return found


def tested(points: list[tuple[float, float, float]], joules: float) -> float:
    """The test accuracy of the point that is chosen among those of at most so many joules; 0 where there is none."""
    able = [each for each in points if each[0] <= joules * (1 + 1e-9)]
    return max(able, key=lambda each: each[1])[2] if able else 0.0


if __name__ == "__main__":
    main()
