"""A whole front on another device: every trial kept its activity, so joules change without training anything."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..activity import Activity
from ..errors import FileFormatError, InputError
from ..hardware.catalog import load_profile
from ..hardware.profile import HardwareProfile
from ..ledger import price
from ..reading import is_file
from ..trials.store import Row
from .pareto import front
from .running import Search

KEPT = "activity.npz"


@dataclass(frozen=True)
class Repriced:
    """One point on the other device.

    Attributes:
        before: its estimated joules a sample on the device that was searched for.
        joules: on the other one, and the ends of its range.
        rank_before: its place among all points by joules, from 1; `rank` on the other device.
        front_before: whether it was on the front; `front` on the other device.
    """

    key: str
    others: dict[str, float]
    before: float
    joules: float
    low: float
    high: float
    rank_before: int
    rank: int
    front_before: bool
    front: bool


@dataclass(frozen=True, eq=False)
class Repricing:
    """All points on the other device, and how much their order changed."""

    objective: str
    device: str
    points: tuple[Repriced, ...]
    turned: int  # pairs of points of which the other one costs less now
    pairs: int

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        from dataclasses import asdict

        return {
            "objective": self.objective, "device": self.device, "pairs": self.pairs, "turned_pairs": self.turned,
            "points": [asdict(each) for each in self.points],
        }  # fmt: skip


def reprice(search: Search, profile: str | os.PathLike[str] | HardwareProfile) -> Repricing:
    """Price every feasible point of a search on another device, in place of its first objective in joules.

    Raises:
        InputError: no objective is in joules, no point, or trials that kept no activity.
    """
    device = load_profile(profile)
    objective = next((name for name in search.aims.minimise if name.startswith("joules")), None)
    if objective is None:
        raise InputError(f"no objective of this search is in joules: {list(search.aims.objectives)}")
    rows = [row for _, row in search.feasible]
    if not rows:
        raise InputError("no point of this search meets its constraints: there is nothing to price")
    ledgers = [price(_activity(search, row), device).per_sample for row in rows]
    at = search.aims.objectives.index(objective)
    values = np.array([search.aims.measured(row)[0] for row in rows])
    before, now = values[:, at], np.log10([max(each.nominal, 1e-30) for each in ledgers])
    other = values.copy()
    other[:, at] = now
    fronts = [set(front(each)) for each in (values, other)]
    ranks = [np.argsort(np.argsort(each, kind="stable"), kind="stable") + 1 for each in (before, now)]
    turned = np.triu(np.sign(before[:, None] - before) * np.sign(now[:, None] - now) < 0).sum()
    points = tuple(
        Repriced(
            row.key, {name: float(row.single[name]) for name in search.aims.objectives if name != objective},
            float(row.single[objective]), each.nominal, each.low, each.high, int(ranks[0][n]), int(ranks[1][n]),
            n in fronts[0], n in fronts[1],
        )
        for n, (row, each) in enumerate(zip(rows, ledgers, strict=True))
    )  # fmt: skip
    return Repricing(objective, device.name, points, int(turned), len(rows) * (len(rows) - 1) // 2)


def _activity(search: Search, row: Row) -> Activity:
    if KEPT not in row.files:
        raise InputError(f"the trials of '{search.title}' kept no {KEPT}: an experiment saves it into work.keep")
    path = search.store.path(row.key, KEPT)
    if not is_file(path):
        raise FileFormatError(f"'{path}' is missing, so the trial cannot be priced again")
    return Activity.load(path)
