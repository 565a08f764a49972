"""A search, round by round: `run_search("search.toml", "folder")` goes on where a folder's search stands.

A round's points are written before they are tried, and the round is over when all of its trials are finished. So what is
proposed hangs on finished rounds alone: neither on which worker was faster, nor on a kill.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import FileFormatError, InputError
from ..reading import LARGEST_JSON, Kind, is_file, is_folder, read_json
from ..trials.runner import News, Runner, Stopped, TrialsFailed, open_runner
from ..trials.store import Row, Store
from ..writing import make_folder, write_whole
from .pareto import best, front
from .plan import Aims, Plan, read_constraint, read_search
from .proposing import Memory, Told, propose, remember

SCHEMA = "spikeledger-search/2"
#: seconds between two notes of how far a search got, for those who look on
_EVERY = 10.0
_TOLD = ("arm", "number", "chosen", "stopped", "seconds")


@dataclass(frozen=True, eq=False)
class Tried:
    """A point of the space that was tried.

    Attributes:
        arm: who proposed it: the sampler's name, or `random`.
        number: in its arm's order.
        rows: of its trials, rung by rung, as far as it got; each of them is a network that was measured.
        stopped: whether it was stopped, or failed, before the last rung.
        seconds: of CPU, over all rungs: unlike a clock it does not hang on what else a machine does.
    """

    arm: str
    number: int
    chosen: Mapping[str, Any]
    rows: tuple[Row, ...]
    stopped: bool
    seconds: float

    @property
    def row(self) -> Row | None:
        """Of the highest rung that it reached; None where its first trial failed."""
        return self.rows[-1] if self.rows else None


@dataclass
class Arm:
    """Proposals of one sampler, and what became of them."""

    name: str
    memory: Memory
    seen: set[str] = field(default_factory=set)
    tried: list[Tried] = field(default_factory=list)
    rounds: int = 0
    over: bool = False

    def spent(self) -> float:
        """CPU seconds."""
        return sum(each.seconds for each in self.tried)


@dataclass(frozen=True, eq=False)
class Search:
    """A search as far as it got: what it wanted, every point that was tried, and the other seeds of the front's points."""

    title: str
    aims: Aims
    store: Store
    tried: tuple[Tried, ...]
    seeds: Mapping[str, tuple[Row, ...]]  # key of a point's row -> rows of other seeds

    @property
    def complete(self) -> list[tuple[Tried, Row]]:
        """Every result, with the point that it is of: one that was stopped gave some too."""
        return [(each, row) for each in self.tried for row in each.rows]

    @property
    def feasible(self) -> list[tuple[Tried, Row]]:
        """Of those, the ones that meet all constraints."""
        return [(each, row) for each, row in self.complete if self.aims.meets(row)]

    def write(self) -> None:
        """Note in the folder what `read_search_folder` reads: which trials were the search's, and what it wanted."""
        told = {
            "schema": SCHEMA, "title": self.title, "maximise": self.aims.maximise, "minimise": self.aims.minimise,
            "constraints": [each.text for each in self.aims.constraints],
            "tried": [
                {**{name: getattr(each, name) for name in _TOLD}, "trials": [row.key for row in each.rows]}
                for each in self.tried
            ],
            "seeds": {key: [row.key for row in rows] for key, rows in self.seeds.items()},
        }  # fmt: skip
        write_whole(self.store.folder / "search.json", json.dumps(told, ensure_ascii=False))


def read_search_folder(folder: str | os.PathLike[str]) -> Search:
    """The search in a folder as far as it got, without running anything.

    Raises:
        InputError: there is no search in the folder.
    """
    store = Store(folder, make=False)
    try:
        told = read_json(store.folder / "search.json", Kind("search", LARGEST_JSON))
        if told["schema"] != SCHEMA:
            raise ValueError("another schema")
        constraints = tuple(read_constraint(text) for text in told["constraints"])
        aims = Aims(tuple(told["maximise"]), tuple(told["minimise"]), constraints)
        if not all(isinstance(each["chosen"], dict) for each in told["tried"]):
            raise ValueError("a point without settings")
        tried = tuple(
            Tried(
                rows=tuple(store.rows[key] for key in each["trials"] if key in store.rows),
                **{name: each[name] for name in _TOLD},
            )
            for each in told["tried"]
        )
        seeds = {
            key: tuple(store.rows[one] for one in others if one in store.rows) for key, others in told["seeds"].items()
        }
        return Search(str(told["title"]), aims, store, tried, seeds)
    except (FileFormatError, ValueError, KeyError, TypeError, AttributeError) as error:
        if is_folder(store.folder / "rounds"):
            raise InputError(
                f"the search in '{folder}' has no readable search.json yet, and {len(store.rows)} finished trials: run its "
                "file again, it goes on"
            ) from error
        raise InputError(f"'{folder}' holds no search: 'spikeledger search run FILE' makes one") from error


def run_search(
    plan: Plan | str | os.PathLike[str],
    folder: str | os.PathLike[str],
    *,
    changes: Mapping[str, Any] | None = None,
    cluster: Any = None,
    threads: int | None = 1,
    tell: Callable[[News], None] = lambda news: None,
    drop: bool = False,
    each_round: Callable[[Search], None] = lambda search: None,
) -> Search:
    """Search until the budget is spent, beside random search with the same budget; then try the front's other seeds.

    Args:
        each_round: called after each round with the search so far.

    Raises:
        InputError: as of `read_search`; or no point meets the constraints.
        Stopped: Ctrl-C; the next call goes on.
    """
    what = plan if isinstance(plan, Plan) else read_search(plan, changes)

    def heard(news: News) -> None:
        tell(news)
        if news.row is not None:  # a result that no search can use is told by the first trial, not after a round
            what.aims.measured(news.row)

    with open_runner(folder, cluster=cluster, threads=threads, tell=heard, drop=drop) as runner:
        names = [what.sampler] + ["random"] * (what.random and what.sampler != "random")
        arms = [Arm(name, Memory(what, name)) for name in names]
        found = Search(what.study.title, what.aims, runner.store, (), {})
        written = time.monotonic()
        while not all(arm.over for arm in arms):
            try:
                _round(what, runner, [arm for arm in arms if not arm.over])
            except Stopped:
                if found.tried:
                    found.write()
                raise
            found = replace(found, tried=tuple(each for arm in arms for each in arm.tried))
            if time.monotonic() - written > _EVERY:
                found.write()
                written = time.monotonic()
            each_round(found)
        _demand(found)
        found = replace(found, seeds=_confirmed(what, runner, found))
        found.write()
        return found


def _round(plan: Plan, runner: Runner, arms: list[Arm]) -> None:
    """Propose, try and tell one round of each arm, together, so that no worker waits for an arm."""
    points = [(arm, chosen) for arm in arms for chosen in _points(plan, runner.store, arm)]
    reached: list[list[Row]] = [[] for _ in points]
    going = list(range(len(points)))
    for rung in range(len(plan.rungs)):
        rows = runner.run([plan.trial(points[n][1], rung) for n in going])
        for n, row in zip(going, rows, strict=True):
            reached[n] += [row] if row is not None else []
        if rung < len(plan.rungs) - 1:
            alive = [n for n in going if len(reached[n]) == rung + 1]
            going = [n for arm in arms for n in _survivors(plan, [m for m in alive if points[m][0] is arm], reached)]
    if points and not any(reached):
        told = runner.store.failures()
        raise TrialsFailed(f"all {len(points)} trials of a round failed; the first: {next(iter(told.values()), '')}")
    for arm in arms:
        latest: list[Tried] = []
        for n, (owner, chosen) in enumerate(points):
            if owner is arm:
                got, seconds = tuple(reached[n]), sum(row.cpu_seconds for row in reached[n])
                stopped = 0 < len(got) < len(plan.rungs)
                latest.append(Tried(arm.name, len(arm.tried) + len(latest), chosen, got, stopped, seconds))
        arm.tried += latest
        arm.memory.add([Told(each.chosen, *plan.aims.measured(each.row)) for each in latest if each.row is not None])
        arm.rounds += 1
        arm.over = (
            not latest
            or (plan.trials > 0 and len(arm.tried) >= plan.trials)
            or (plan.minutes > 0 and arm.spent() >= 60 * plan.minutes)
        )


def _points(plan: Plan, store: Store, arm: Arm) -> list[dict[str, Any]]:
    """The points of an arm's next round: those that were written, else proposed now and written."""
    file = store.folder / "rounds" / plan.identity / f"{arm.name}-{arm.rounds:05}.json"
    found = _written(plan, file)
    if found is None:
        found = propose(plan, arm.name, arm.rounds, arm.memory, arm.seen)
        make_folder(file.parent)
        write_whole(file, json.dumps({"points": found}))
    else:
        for chosen in found:
            remember(arm.seen, chosen)
    return found[: plan.trials - len(arm.tried)] if plan.trials > 0 else found


def _written(plan: Plan, file: Path) -> list[dict[str, Any]] | None:
    """The points of a round's file; None where there is none, or it was cut or edited: the same ones are proposed again."""
    if not is_file(file):
        return None
    try:
        found: list[dict[str, Any]] = read_json(file, Kind("round of a search", LARGEST_JSON))["points"]
        inside = all(
            chosen.keys() == plan.space.keys() and all(axis.holds(chosen[name]) for name, axis in plan.space.items())
            for chosen in found
        )
    except (FileFormatError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return found if inside else None


def _survivors(plan: Plan, alive: list[int], reached: Sequence[Sequence[Row]]) -> list[int]:
    """The points of an arm that go on to the next rung: the better part of them, by fronts and then by crowding."""
    if not alive:
        return []
    told = [plan.aims.measured(reached[n][-1]) for n in alive]
    values = np.array([each[0] for each in told])
    violations = np.array([sum(max(0.0, by) for by in each[1]) for each in told])
    return sorted(alive[n] for n in best(values, violations, math.ceil(plan.keep * len(told))))


def _demand(search: Search) -> None:
    """See that some point meets the constraints; the sentence names the one that is missed most often."""
    done = search.complete
    if not done or search.feasible:
        return
    missed = np.array([search.aims.measured(row)[1] for _, row in done])
    worst = int((missed > 0).sum(0).argmax())
    constraint, nearest = search.aims.constraints[worst], done[int(missed[:, worst].argmin())][1]
    raise InputError(
        f"none of {len(done)} points meets the constraint '{constraint.text}'; the nearest has {constraint.name} = "
        f"{nearest.single[constraint.name]:.4g}: relax it, or widen the space; the trials are kept"
    )


def _confirmed(plan: Plan, runner: Runner, search: Search) -> dict[str, tuple[Row, ...]]:
    """Rows of other seeds for the points of the front, so that it is drawn with how sure it is."""
    met = search.feasible
    if plan.confirm < 2 or not met or "seed" not in plan.study.experiment.usual or "seed" in plan.space:
        return {}
    points = [met[n] for n in front(np.array([search.aims.measured(row)[0] for _, row in met]))]
    trials = [
        plan.trial(point.chosen, point.rows.index(row), seed=row.settings["seed"] + n)
        for point, row in points
        for n in range(1, plan.confirm)
    ]
    rows = iter(runner.run(trials))
    found = {}
    for _, row in points:
        others = [next(rows) for _ in range(1, plan.confirm)]
        found[row.key] = tuple(other for other in others if other is not None)
    return found
