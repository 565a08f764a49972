"""A study's file: which trials it is made of. `read_study("studies/energy_budget.toml").trials` are all of them.

::

    name = "energy-budget"
    experiment = "energy-budget"    # or your own: "file.py:function"

    [settings]
    network = "mlp-s"
    seed = [0, 1]                   # where one value is usual, a list gives a trial for each

    [[trials]]                      # none, or several: each with the settings above and its own
    stage = "before"
"""

from __future__ import annotations

import itertools
import math
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import InputError, unknown_name
from ..reading import LARGEST_TOML, Kind, read_toml
from .experiments import Experiment, find_experiment
from .trial import Trial, make_trial

#: what a study's file may have at its top
KEYS = ("name", "title", "source", "experiment", "settings", "trials")

#: combinations of settings in lists
MOST_TRIALS = 100_000


@dataclass(frozen=True, eq=False)
class Study:
    """What a study's file says."""

    name: str
    title: str
    experiment: Experiment
    settings: Mapping[str, Any]
    variants: Sequence[Mapping[str, Any]]

    @property
    def trials(self) -> list[Trial]:
        """Each trial once, in the file's order; trials that others begin with come before them.

        Raises:
            InputError: a setting that there is none of or that cannot be, or an empty list.
        """
        found: dict[str, Trial] = {}
        for variant in self.variants or [{}]:
            for settings in spread({**self.settings, **variant}, self.experiment.usual):
                for trial in _in_order(make_trial(self.experiment, settings)):
                    found.setdefault(trial.key, trial)
        return list(found.values())


def read_study(path: str | os.PathLike[str], changes: Mapping[str, Any] | None = None) -> Study:
    """A study by its file.

    Args:
        changes: settings that differ from the file's, wherever it has them, else in [settings]:
            `{"seed": [0, 1], "epochs": 2}`.

    Raises:
        FileFormatError: the file is no TOML.
        InputError: a key, experiment or setting that there is none of.
    """
    written = read_table(path)
    return study_of(written, Path(path), changes or {}, KEYS)


def read_table(path: str | os.PathLike[str]) -> dict[str, Any]:
    """A TOML file as a dictionary.

    Raises:
        FileFormatError: the file is no TOML.
    """
    return read_toml(path, Kind("study", LARGEST_TOML))


def study_of(written: Mapping[str, Any], path: Path, changes: Mapping[str, Any], known: Sequence[str]) -> Study:
    """A study by what its file says."""
    if "space" in written:
        raise InputError(f"'{path}' is a search and no study: run it by 'spikeledger search {path}'")
    for key in written:
        if key not in known:
            raise unknown_name(f"key in '{path}'", key, known)
    for key, kind, said in (("settings", dict, "a table"), ("trials", list, "a list of tables [[trials]]")):
        if not isinstance(written.get(key, kind()), kind):
            raise InputError(f"'{key}' in '{path}' is {written[key]!r}, but must be {said}")
    variants = written.get("trials", [])
    if not all(isinstance(variant, dict) for variant in variants):
        raise InputError(f"'trials' in '{path}' is {variants!r}, but must be a list of tables [[trials]]")
    texts = {key: written.get(key, "") for key in ("name", "title", "experiment")}
    for key, text in texts.items():
        if not isinstance(text, str):
            raise InputError(f"'{key}' in '{path}' is {text!r}, but must be a text")
    if not texts["experiment"]:
        raise InputError(f"'{path}' names no experiment: add a line such as experiment = \"energy-budget\"")
    name = texts["name"] or path.stem
    if not re.fullmatch(r"[\w][\w.-]*", name):
        raise InputError(f"the name of '{path}' is {name!r}, but must be letters, digits, '-', '_' and '.'")
    experiment = find_experiment(texts["experiment"], path.parent)
    settings = written.get("settings", {})
    usual = experiment.usual
    for setting in changes:
        if setting not in usual:
            raise unknown_name(f"setting of '{experiment.name}'", setting, usual)
    return Study(
        name, texts["title"] or name, experiment,
        {**settings, **{k: v for k, v in changes.items() if k in settings or not any(k in each for each in variants)}},
        [{**variant, **{k: v for k, v in changes.items() if k in variant}} for variant in variants],
    )  # fmt: skip


def _in_order(trial: Trial) -> Iterator[Trial]:
    """A trial after all that it begins with."""
    for each in trial.starts:
        yield from _in_order(each)
    yield trial


def spread(settings: Mapping[str, Any], usual: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Every combination of the values in lists, the last list changing fastest.

    Where a list is the usual value, a list is one value, and a list of lists is several.
    """
    axes: list[list[Any]] = []
    for name, value in settings.items():
        wants_list = isinstance(usual.get(name), list | tuple)
        several = isinstance(value, list) and (not wants_list or any(isinstance(one, list) for one in value))
        if several and not value:
            raise InputError(f"the setting {name} is an empty list: it gives no trial")
        axes.append(value if several else [value])
    count = math.prod(map(len, axes))
    if count > MOST_TRIALS:
        raise InputError(
            f"the lists of settings give {count:,} trials, and a study has at most {MOST_TRIALS:,}: search instead"
        )
    for chosen in itertools.product(*axes):
        yield dict(zip(settings, chosen, strict=True))
