"""What a search found: the front with its doubt, hypervolume against random search, the knee, and which settings matter."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..reading import is_folder
from ..trials.store import Row
from ..writing import closed
from .pareto import Values, dominates, front, hypervolume, knee
from .running import Search, Tried

#: standard deviations that a dominated point may have been unlucky by
DOUBT = 2.0
#: points below which nothing is said of what a setting does
_FEWEST = 12


@dataclass(frozen=True, eq=False)
class Point:
    """A point that meets the constraints.

    Attributes:
        values: objective -> mean over its seeds.
        deviations: objective -> standard deviation over its seeds; empty of a single one.
        place: `front`; `doubtful`, where it is dominated by less than the seeds' own spread; or `behind`.
    """

    tried: Tried
    row: Row
    values: Mapping[str, float]
    deviations: Mapping[str, float]
    seeds: int
    place: str
    knee: bool

    @property
    def rung(self) -> int:
        """The rung that its network is of, from 0."""
        return self.tried.rows.index(self.row)


@dataclass(frozen=True)
class Course:
    """The hypervolume of one arm as its budget is spent: minutes of CPU, and the volume by then."""

    arm: str
    minutes: tuple[float, ...]
    volumes: tuple[float, ...]


@dataclass(frozen=True)
class Influence:
    """How much each setting moved one objective, shares of 1, and how much of it a forest explains at all (R squared)."""

    objective: str
    shares: Mapping[str, float]
    explained: float


@dataclass(frozen=True, eq=False)
class Findings:
    """What a search found."""

    search: Search
    points: tuple[Point, ...]
    courses: tuple[Course, ...]
    influences: tuple[Influence, ...]

    @property
    def front(self) -> list[Point]:
        """The points of the front, by the last objective."""
        objective = self.search.aims.objectives[-1]
        return sorted((each for each in self.points if each.place == "front"), key=lambda each: each.values[objective])

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "title": self.search.title, "objectives": list(self.search.aims.objectives),
            "constraints": [each.text for each in self.search.aims.constraints],
            "tried": len(self.search.tried),
            "points": [
                {
                    "trial": each.row.key, "arm": each.tried.arm, "settings": dict(each.tried.chosen), "rung": each.rung,
                    "place": each.place,
                    "knee": each.knee, "seeds": each.seeds, "values": dict(each.values),
                    "deviations": dict(each.deviations), "tradeoff": each.row.single.get("tradeoff"),
                }
                for each in self.points
            ],
            "hypervolume": {
                each.arm: {"minutes": list(each.minutes), "volumes": list(each.volumes)} for each in self.courses
            },
            "influences": [
                {"objective": each.objective, "shares": dict(each.shares), "explained": each.explained}
                for each in self.influences
            ],
        }  # fmt: skip


def findings(search: Search) -> Findings:
    """Work out what a search found."""
    return Findings(search, tuple(_points(search)), tuple(courses(search)), tuple(_influences(search)))


def _points(search: Search) -> list[Point]:
    met = search.feasible
    if not met:
        return []
    aims, groups = search.aims, [(row, *search.seeds.get(row.key, ())) for _, row in met]
    every = [np.array([aims.measured(row)[0] for row in group]) for group in groups]
    means = np.array([each.mean(0) for each in every])
    sure = np.array([len(group) > 1 for group in groups])
    # where seeds were tried, only means over seeds make the front: a single run may just have been lucky
    pool = np.flatnonzero(sure) if sure.any() else np.arange(len(met))
    on = {int(pool[n]) for n in front(means[pool])}
    spread = np.sqrt(
        np.mean([each.var(0, ddof=1) for each, many in zip(every, sure, strict=True) if many] or [[0.0]], 0)
    )
    ahead = means[sorted(on)]
    top = knee(ahead, aims.weights)
    knees = {sorted(on)[top]} if top is not None else set()
    found = []
    for n, ((tried, row), group) in enumerate(zip(met, groups, strict=True)):
        if n in on:
            place = "front"
        else:
            lucky = np.vstack([means[n] - DOUBT * spread, ahead])
            place = "doubtful" if sure.any() and not dominates(lucky)[1:, 0].any() else "behind"
        raw = {name: np.array([each.single[name] for each in group], float) for name in aims.objectives}
        found.append(
            Point(
                tried, row, {name: float(each.mean()) for name, each in raw.items()},
                {name: float(each.std(ddof=1)) for name, each in raw.items()} if len(group) > 1 else {},
                len(group), place, n in knees,
            )
        )  # fmt: skip
    return found


def courses(search: Search) -> list[Course]:
    """The hypervolume of each arm over the minutes that it spent, from a reference that all arms share.

    The reference is what is worst among all feasible points, objective by objective; the volume is of `log10` amounts.
    """
    met = search.feasible
    if not met:
        return []
    values = np.array([search.aims.measured(row)[0] for _, row in met])
    reference = values.max(0) + 1e-9
    found = []
    for arm in dict.fromkeys(each.arm for each in search.tried):
        minutes, volumes, spent, so_far = [0.0], [0.0], 0.0, np.empty((0, values.shape[1]))
        for tried in (each for each in search.tried if each.arm == arm):
            spent += tried.seconds / 60
            for row in filter(search.aims.meets, tried.rows):
                so_far = np.vstack([so_far, search.aims.measured(row)[0]])
                so_far = so_far[front(so_far)]
            minutes.append(spent)
            volumes.append(hypervolume(so_far, reference))
        found.append(Course(arm, tuple(minutes), tuple(volumes)))
    return found


def _influences(search: Search) -> list[Influence]:
    """Permutation importance in a forest that is fitted to all points that ended.

    After Breiman 2001, doi:10.1023/A:1010933404324.
    """
    done = search.complete
    if len(done) < _FEWEST:
        return []
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.inspection import permutation_importance

    names = list(done[0][0].chosen)
    columns = np.column_stack([_numbers([tried.chosen[name] for tried, _ in done]) for name in names])
    found = []
    for at, objective in enumerate(search.aims.objectives):
        wanted = np.array([search.aims.measured(row)[0][at] for _, row in done])
        if wanted.std() == 0:
            continue
        forest = RandomForestRegressor(100, oob_score=True, random_state=0, min_samples_leaf=2).fit(columns, wanted)
        shares = permutation_importance(forest, columns, wanted, n_repeats=5, random_state=0).importances_mean.clip(0)
        whole = float(shares.sum()) or 1.0
        told = {name: float(share) / whole for name, share in zip(names, shares, strict=True)}
        ordered = dict(sorted(told.items(), key=lambda each: -each[1]))
        found.append(Influence(objective, ordered, float(forest.oob_score_)))
    return found


def _numbers(values: list[Any]) -> Values:
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return np.array(values, float)
    known = sorted({str(value) for value in values})
    return np.array([known.index(str(value)) for value in values], float)


def copy_front(found: Findings) -> list[Path]:
    """Copy what the front's trials kept (networks, activities) into `front/01`, `front/02`, ... of the search's folder."""
    place = found.search.store.folder / "front"
    shutil.rmtree(place, ignore_errors=True)
    made = []
    for number, point in enumerate(found.front, 1):
        found.search.store.kept(point.row.key)  # checks them
        target = place / f"{number:02}"
        source = found.search.store.folder / "files" / point.row.key
        if is_folder(source):
            try:
                shutil.copytree(source, target)
            except OSError as error:  # of copies it is a list of what went wrong
                raise closed(target, error.args[0][0][2] if isinstance(error, shutil.Error) else error) from error
            made.append(target)
    return made
