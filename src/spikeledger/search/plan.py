"""A search's file: an experiment, the space of its settings, what is to be made small or large, and the budget.

::

    experiment = "network"
    [settings]
    data = "mnist"
    [space]
    width = { low = 16, high = 512, log = true }
    encoder = ["rate", "direct"]
    [search]
    maximise = ["accuracy"]
    minimise = ["joules.loihi"]
    constraints = ["misfit.loihi <= 0"]
    sampler = "tpe"
    trials = 64
"""

from __future__ import annotations

import math
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, unknown_name
from ..trials.experiments import alike, find_experiment
from ..trials.store import Row
from ..trials.study import KEYS, Study, read_table, study_of
from ..trials.trial import Trial, key_of, make_trial

SAMPLERS = ("nsga2", "nsga3", "tpe", "gp", "random")
#: keys of [search] whose lists are of texts, and of tables
_TEXTS, _TABLES = ("maximise", "minimise", "constraints"), ("rungs", "begin")
#: points that are proposed at a time, at most
LARGEST_ROUND = 1000
#: objectives of a Gaussian process, at most: with four, a question takes a minute and more
MOST_OF_GP = 3
#: seeds that each point of a front is tried with, at most
MOST_SEEDS = 100
#: what an amount counts at least, so that nothing has a logarithm
LEAST = 1e-30
#: key of [search] -> its usual value
USUAL: dict[str, Any] = {
    "maximise": [], "minimise": [], "constraints": [], "sampler": "tpe", "trials": 64, "minutes": 0.0, "round": 8,
    "seed": 0, "random": True, "rungs": [], "keep": 0.5, "confirm": 3, "begin": [],
}  # fmt: skip


@dataclass(frozen=True)
class Axis:
    """The values of one setting: those of a list, or the numbers between two ends."""

    choices: tuple[Any, ...] = ()
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    whole: bool = False

    def holds(self, value: Any) -> bool:
        """Whether a value is one of its own."""
        if self.choices:
            return value in self.choices
        return alike(value, 1 if self.whole else 1.0) and self.low <= value <= self.high


@dataclass(frozen=True)
class Constraint:
    """`name <= limit` or `name >= limit`, of a result."""

    text: str
    name: str
    sign: int  # 1 where less is allowed, -1 where more is
    limit: float

    def missed_by(self, value: float) -> float:
        """Above 0 by how much a value misses it, in parts of the limit where that is not 0."""
        return self.sign * (value - self.limit) / (abs(self.limit) or 1.0)


@dataclass(frozen=True)
class Aims:
    """What a search wants of a result."""

    maximise: tuple[str, ...]
    minimise: tuple[str, ...]
    constraints: tuple[Constraint, ...]

    @property
    def objectives(self) -> tuple[str, ...]:
        """What is made large, then what is made small."""
        return (*self.maximise, *self.minimise)

    @property
    def weights(self) -> NDArray[np.float64]:
        """Of objectives: all that is made large counts as much as all that is made small."""
        return np.array([1 / len(each) for each in (self.maximise, self.minimise) for _ in each])

    def measured(self, row: Row) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """A row's objectives, all made small (amounts as their decimal logarithm), and what each constraint is missed by.

        Raises:
            InputError: the experiment's result has no such value, or it is no number or, minimised, below 0.
        """
        found = row.single
        for name in (*self.objectives, *(each.name for each in self.constraints)):
            if name not in found:
                raise unknown_name("result of the search's trials", name, found)
            if not isinstance(found[name], int | float) or abs(found[name]) > sys.float_info.max:
                raise InputError(
                    f"the trials' result {name} is {found[name]!r:.40}, but an objective or a constraint needs a number"
                )
        for name in self.minimise:
            if found[name] < 0:
                raise InputError(
                    f"the trials' result {name} is {found[name]}, but what is minimised is an amount, 0 or more: maximise "
                    "its opposite"
                )
        values = [-float(found[name]) for name in self.maximise]
        # amounts differ by factors, so what counts is their logarithm
        values += [math.log10(max(float(found[name]), LEAST)) for name in self.minimise]
        return tuple(values), tuple(each.missed_by(float(found[each.name])) for each in self.constraints)

    def meets(self, row: Row) -> bool:
        """Whether a row meets all constraints."""
        return all(by <= 0 for by in self.measured(row)[1])


@dataclass(frozen=True, eq=False)
class Plan:
    """What a search's file says."""

    study: Study
    space: Mapping[str, Axis]
    aims: Aims
    sampler: str
    trials: int  # proposals of the sampler, and as many of random search; 0 for no limit
    minutes: float  # of CPU, for the sampler, and as many for random search; 0 for no limit
    round: int
    seed: int
    random: bool
    rungs: tuple[
        Mapping[str, Any], ...
    ]  # settings of each trial of a point; a single one without any where none are given
    keep: float
    confirm: int
    begin: tuple[Mapping[str, Any], ...]

    @property
    def identity(self) -> str:
        """A hash of what the order of the proposals depends on; the budget is not in it, so that it can grow."""
        return key_of(
            {
                "experiment": self.study.experiment.name, "code": self.study.experiment.code,
                "settings": dict(self.study.settings), "space": {k: repr(v) for k, v in self.space.items()},
                "search": [self.aims.maximise, self.aims.minimise, [c.text for c in self.aims.constraints], self.round,
                           self.seed, [dict(each) for each in self.rungs], self.keep, [dict(each) for each in self.begin]],
            }
        )  # fmt: skip

    def trial(self, chosen: Mapping[str, Any], rung: int = 0, seed: int | None = None) -> Trial:
        """The trial of a point of the space at a rung, which goes on from the one below; with another seed if given."""
        settings = {**self.study.settings, **chosen, **({} if seed is None else {"seed": seed})}
        trial: Trial | None = None
        for each in self.rungs[: rung + 1]:
            trial = make_trial(self.study.experiment, {**settings, **each}, after=trial)
        assert trial is not None
        return trial


def read_search(path: str | os.PathLike[str], changes: Mapping[str, Any] | None = None) -> Plan:
    """A search by its file.

    Args:
        changes: fixed settings and keys of [search] that differ from the file's.

    Raises:
        FileFormatError: the file is no TOML.
        InputError: a name that there is none of, an empty space, an objective or a constraint that cannot be read.
    """
    where = Path(path)
    written = dict(read_table(where))
    given, space, changes = written.pop("search", {}), written.pop("space", {}), dict(changes or {})
    for name, table in (("search", given), ("space", space)):
        if not isinstance(table, dict):
            raise InputError(f"[{name}] in '{where}' is {table!r}, but must be a table")
    if "trials" in written:
        raise InputError(f"'{where}' is a study and no search: run it by 'spikeledger study run {where}'")
    known = [key for key in KEYS if key != "trials"]
    for key in written:
        if key not in known:
            raise unknown_name(f"key in '{where}'", key, [*known, "space", "search"])
    if not space:
        raise InputError(f"[space] in '{where}' is empty: give the settings to search over, such as width = [64, 128]")
    search = _completed({**given, **{key: changes.pop(key) for key in list(changes) if key in USUAL and key != "seed"}})
    usual = find_experiment(str(written.get("experiment", "")), where.parent).usual if "experiment" in written else {}
    for name in changes:
        if usual and name not in usual:
            raise unknown_name("setting, or key of [search],", name, [*usual, *USUAL])
    study = study_of(written, where, changes, known)
    usual = study.experiment.usual
    for name in space:
        if name not in usual:
            raise unknown_name(f"setting of '{study.experiment.name}'", name, usual)
        if name in changes:
            raise InputError(
                f"{name} is searched over in [space] of '{where}', so that --set cannot fix it: take it out there"
            )
        if name in study.settings:
            raise InputError(f"{name} is both in [settings] and in [space]: take it out of one")
    if not search["maximise"] and not search["minimise"]:
        raise InputError(f'\'{where}\' has no objective: give maximise = ["accuracy"] or minimise = ["joules.loihi"]')
    rungs = _rungs(search["rungs"], space)
    plan = Plan(
        study, {name: _axis(name, axis, usual[name]) for name, axis in space.items()},
        Aims(tuple(search["maximise"]), tuple(search["minimise"]), tuple(map(read_constraint, search["constraints"]))),
        search["sampler"], search["trials"], float(search["minutes"]), search["round"], search["seed"], search["random"],
        rungs, search["keep"], search["confirm"], tuple(search["begin"]),
    )  # fmt: skip
    for each in plan.begin:
        for name, value in each.items():
            if name not in space:
                raise unknown_name("setting of [space] in 'begin'", name, space)
            if not plan.space[name].holds(value):
                raise InputError(f"'begin' has {name} = {value!r}, but [space] has {space[name]}")
    first = {name: axis.choices[0] if axis.choices else _number(axis, axis.low) for name, axis in plan.space.items()}
    plan.trial(first, len(plan.rungs) - 1)  # a slip is told before anything runs
    return plan


def _completed(given: Mapping[str, Any]) -> dict[str, Any]:
    """[search] with the usual values for what is not given, each of them seen to."""
    search = {**USUAL, **given}
    for key, value in search.items():
        if key not in USUAL:
            raise unknown_name("key of [search]", key, USUAL)
        if not alike(value, USUAL[key]):
            raise InputError(f"'{key}' of [search] is {value!r}, but must be like {USUAL[key]!r}")
        kind = str if key in _TEXTS else dict if key in _TABLES else None
        if kind is not None and not all(isinstance(each, kind) for each in value):
            wanted = 'a list of texts, ["..."]' if kind is str else "a list of tables of settings, [{ epochs = 2 }]"
            raise InputError(f"'{key}' of [search] is {value!r}, but must be {wanted}")
    objectives = [*search["maximise"], *search["minimise"]]
    if not objectives:
        raise InputError('[search] has no objective: give maximise = ["accuracy"] or minimise = ["joules.loihi"]')
    if len(set(objectives)) < len(objectives):
        raise InputError(f"[search] names an objective twice: {objectives}")
    if search["sampler"] not in SAMPLERS:
        raise unknown_name("sampler", search["sampler"], SAMPLERS)
    if search["sampler"] == "gp" and len(objectives) > MOST_OF_GP:
        raise InputError(
            f"the sampler gp takes minutes to ask for a point of {len(objectives)} objectives: give it at most {MOST_OF_GP}, or "
            "take tpe or nsga3"
        )
    if not 0 <= search["minutes"] < math.inf:
        raise InputError(f"minutes is {search['minutes']}, but must be 0 (for no limit) or more, and finite")
    if search["trials"] < 1 and search["minutes"] <= 0:
        raise InputError("a search needs a budget: give trials or minutes")
    if not 2 <= search["round"] <= LARGEST_ROUND:
        raise InputError(f"round is {search['round']}, but must be 2 to {LARGEST_ROUND:,}")
    if not 0 <= search["confirm"] <= MOST_SEEDS or search["seed"] < 0 or not 0 < search["keep"] <= 1:
        raise InputError(f"confirm must be 0 to {MOST_SEEDS}, seed at least 0, and keep above 0 and at most 1")
    return search


def _rungs(given: list[Any], space: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    for each in given:
        for name in each:
            if name in space:
                raise InputError(f"{name} is both in [space] and in a rung: take it out of one")
    return tuple(given) or ({},)


def _axis(name: str, given: Any, usual: Any) -> Axis:
    if isinstance(given, list):
        if not given:
            raise InputError(f"{name} in [space] is an empty list: give it values")
        for value in given:
            if not alike(value, usual):
                raise InputError(f"{name} in [space] may be {value!r}, but must be like {usual!r}")
        return Axis(choices=tuple(given))
    if not isinstance(given, dict) or not {"low", "high"} <= set(given) <= {"low", "high", "log"}:
        raise InputError(
            f"{name} in [space] is {given!r}, but must be a list of values or {{ low = 16, high = 512, log = true }}"
        )
    low, high, log = given["low"], given["high"], given.get("log", False)
    whole = not isinstance(usual, float)
    for value in (low, high):
        if not alike(value, usual) or isinstance(value, str) or not math.isfinite(value):
            raise InputError(f"{name} in [space] goes from {low!r} to {high!r}, but must be numbers like {usual!r}")
    if not isinstance(log, bool):
        raise InputError(f"log of {name} in [space] is {log!r}, but must be true or false")
    if not low < high or (log and low <= 0):
        raise InputError(f"{name} in [space] goes from {low} to {high}: low must be below high, and above 0 with log")
    if not math.isfinite(float(high) - float(low)):
        raise InputError(f"{name} in [space] goes from {low} to {high}, which is farther than numbers reach: narrow it")
    return Axis(low=low, high=high, log=log, whole=whole)


def _number(axis: Axis, value: float) -> float | int:
    return int(value) if axis.whole else float(value)


def read_constraint(text: str) -> Constraint:
    """A constraint as a search's file has it."""
    found = re.fullmatch(r"\s*(\S+)\s*(<=|>=)\s*(\S+)\s*", text)
    try:
        limit = float(found.group(3)) if found else math.nan
    except ValueError:
        limit = math.nan
    if found is None or not math.isfinite(limit):
        raise InputError(f"the constraint '{text}' cannot be read: write 'joules.loihi <= 1e-6' or 'accuracy >= 0.9'")
    return Constraint(text, found.group(1), 1 if found.group(2) == "<=" else -1, limit)
