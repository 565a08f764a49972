"""Who proposes the next points: Optuna, asked once a round, in a study that is made for the round and forgotten.

What it is told is computed from the finished trials, and its random numbers from the seed and the round's number, so that
the same file proposes the same points, killed in between or not.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import InputError
from .pareto import best
from .plan import SAMPLERS, Axis, Plan

#: points that a Gaussian process is told of, beside the latest round
GP_KEEPS = 32


@dataclass(frozen=True)
class Told:
    """A proposal that was tried: all objectives as they are made small, and what each constraint is missed by."""

    chosen: Mapping[str, Any]
    values: tuple[float, ...]
    missed: tuple[float, ...]

    @property
    def violation(self) -> float:
        """The sum of what is missed."""
        return float(sum(max(0.0, each) for each in self.missed))


class Memory:
    """What a sampler is told of: everything, or for some the best points so far and the latest round.

    For genetic ones these are the survivors; a Gaussian process would take minutes over more than `GP_KEEPS`.
    """

    def __init__(self, plan: Plan, sampler: str) -> None:
        self.told: list[Told] = []
        self._keeps = {"nsga2": plan.round, "nsga3": plan.round, "gp": GP_KEEPS}.get(sampler)

    def add(self, latest: Sequence[Told]) -> None:
        """Take in a finished round."""
        if self._keeps is not None and self.told:
            survivors = best(
                np.array([each.values for each in self.told]), np.array([each.violation for each in self.told]),
                self._keeps,
            )  # fmt: skip
            self.told = [self.told[n] for n in sorted(survivors)]
        self.told += latest


def propose(plan: Plan, sampler: str, number: int, memory: Memory, seen: set[str]) -> list[dict[str, Any]]:
    """The points of a round, none of which was `seen` before, as long as there are others.

    Raises:
        InputError: Optuna is not installed.
    """
    try:
        import optuna
    except ImportError as error:
        raise InputError("a search needs the package 'optuna': pip install 'spikeledger[search]'") from error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what is experimental there, and how it rounds
        level = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        try:
            return _asked(optuna, plan, sampler, number, memory, seen)
        finally:
            optuna.logging.set_verbosity(level)


def _asked(optuna: Any, plan: Plan, sampler: str, number: int, memory: Memory, seen: set[str]) -> list[dict[str, Any]]:
    space = {name: _distribution(optuna, axis) for name, axis in plan.space.items()}
    seed = int(np.random.SeedSequence([plan.seed, SAMPLERS.index(sampler), number]).generate_state(1)[0])
    genetic = optuna.samplers.nsgaii.BLXAlphaCrossover  # between the parents and a little beyond, not only their values
    make = {
        "random": lambda size: optuna.samplers.RandomSampler(seed=seed),
        "nsga2": lambda size: optuna.samplers.NSGAIISampler(population_size=size, crossover=genetic(), seed=seed),
        "nsga3": lambda size: optuna.samplers.NSGAIIISampler(population_size=size, crossover=genetic(), seed=seed),
        "tpe": lambda size: optuna.samplers.TPESampler(seed=seed, n_startup_trials=size, constant_liar=True),
        "gp": lambda size: optuna.samplers.GPSampler(seed=seed, n_startup_trials=size),
    }[sampler]
    told = memory.told if sampler != "random" else []
    study = optuna.create_study(
        directions=["minimize"] * len(plan.aims.objectives),
        sampler=make(max(2, min(plan.round, len(told) or plan.round))),
    )
    for each in told:
        missed = {c.text: by for c, by in zip(plan.aims.constraints, each.missed, strict=True)}
        study.add_trial(
            optuna.trial.create_trial(
                params=dict(each.chosen), distributions=space, values=list(each.values), constraints=missed or None,
                # without this the genetic samplers take them for nobody's parents, and propose at random
                system_attrs={f"{type(study.sampler).__name__}:generation": 0},
            )
        )  # fmt: skip
    found: list[dict[str, Any]] = []
    if sampler != "random":
        for begun in plan.begin[number * plan.round : (number + 1) * plan.round]:
            study.enqueue_trial(dict(begun))
    for _ in range(3 * plan.round):
        chosen = dict(study.ask(space).params)
        known = _known(chosen)
        if known not in seen:
            seen.add(known)
            found.append(chosen)
        if len(found) == plan.round:
            break
    return found


def _known(chosen: Mapping[str, Any]) -> str:
    return repr(sorted(chosen.items()))


def remember(seen: set[str], chosen: Mapping[str, Any]) -> None:
    """Note a point of an earlier run as seen."""
    seen.add(_known(chosen))


def _distribution(optuna: Any, axis: Axis) -> Any:
    if axis.choices:
        return optuna.distributions.CategoricalDistribution(axis.choices)
    if axis.whole:
        return optuna.distributions.IntDistribution(int(axis.low), int(axis.high), log=axis.log)
    return optuna.distributions.FloatDistribution(axis.low, axis.high, log=axis.log)
