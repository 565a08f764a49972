"""An experiment: a plain function of plain settings. Ours by name, a user's own as `file.py:function`.

::

    @experiment(start=...)
    def train(work: Work, *, width: int = 128, seed: int = 0) -> dict[str, float]: ...

The keyword arguments are the settings, and their usual values say what kind of value each takes.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
import json
import sys
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ..errors import InputError, unknown_name
from ..reading import Kind, read_text

#: name -> the module of this room that holds it, and its function there
EXPERIMENTS: dict[str, tuple[str, str]] = {
    "energy-budget": ("energy_budget", "train_to_budget"),
    "neuro4ml": ("neuro4ml", "exercise"),
    "network": ("network", "network"),
    "paper": ("paper", "compare"),
    "paper-flowers": ("flowers", "compare_flowers"),
}

Settings = Mapping[str, Any]
Begins = Callable[[dict[str, Any]], "dict[str, Any] | Sequence[dict[str, Any]] | None"]


@dataclass(frozen=True)
class Work:
    """The folders of a trial while it runs.

    Attributes:
        folder: survives a kill and is there again when the trial is; vanishes when it is finished.
        keep: what lies here in the end is kept with the result.
        start: what was kept of the trial that this one begins with; of several, in folders `0`, `1`, ...; empty for others.
    """

    folder: Path
    keep: Path
    start: Path


def experiment(*, start: Begins | None = None, check: Callable[[dict[str, Any]], None] | None = None) -> Any:
    """Say of a function which trial each of its trials begins with, and which settings cannot be.

    Args:
        start: settings -> the settings of the trial that has to be finished before, a list of several, or None.
        check: raises InputError where a value cannot be; called for all trials before the first one runs. It may put a value
            that makes no difference to the usual one: trials that are alike are run once.
    """

    def declared(function: Callable[..., Any]) -> Callable[..., Any]:
        function.__dict__.update(start=start, check=check)
        return function

    return declared


@dataclass(frozen=True, eq=False)
class Experiment:
    """A function to run, the settings that it takes, and which code it is."""

    name: str  # as the study file has it
    function: Callable[..., Any]
    code: str  # what a result depends on beside its settings: our release, or the digest of the user's own file
    source: str | None = None  # the user's own file, which travels to workers that do not have it

    @cached_property
    def usual(self) -> dict[str, Any]:
        """Setting -> its usual value; `inspect.Parameter.empty` where a study has to give one."""
        return {
            each.name: each.default
            for each in inspect.signature(self.function).parameters.values()
            if each.kind is each.KEYWORD_ONLY
        }

    def complete(self, given: Settings) -> dict[str, Any]:
        """All settings of a trial, the usual values for what is not given, whole numbers as such where one is usual.

        Raises:
            InputError: a setting that there is none of, one of another type, or one that is missing.
        """
        usual = self.usual
        for name, value in given.items():
            if name not in usual:
                raise unknown_name(f"setting of '{self.name}'", name, usual)
            if not is_plain(value):
                raise InputError(
                    f"the setting {name} is {value!r}, but a file of trials keeps finite numbers and texts"
                )
            if not alike(value, usual[name]):
                raise InputError(f"the setting {name} is {value!r}, but must be {_wanted(usual[name])}")
        settings = {name: _as_usual(given.get(name, value), value) for name, value in usual.items()}
        missing = [name for name, value in settings.items() if value is inspect.Parameter.empty]
        if missing:
            raise InputError(f"'{self.name}' needs the settings {missing}: add them to [settings]")
        check = getattr(self.function, "check", None)
        if check is not None:
            check(settings)
        return settings

    def begins_with(self, settings: Settings) -> list[dict[str, Any]]:
        """The settings of the trials that one with these settings begins with."""
        start = getattr(self.function, "start", None)
        found = None if start is None else start(dict(settings))
        return [] if found is None else [dict(found)] if isinstance(found, Mapping) else [dict(each) for each in found]


def check_names(settings: Settings, *own: str) -> None:
    """Refuse a data set, or a device, that there is none of before anything is trained; `own` are an experiment's data sets.

    Raises:
        InputError: an unknown name.
    """
    from ..datasets import list_datasets
    from ..hardware.catalog import load_profile

    known = [*list_datasets(), *own]
    if "data" in settings and settings["data"] not in known:
        raise unknown_name("data set", str(settings["data"]), known)
    for device in (settings.get("profile"), *settings.get("profiles", ())):
        if device:
            load_profile(device)


def find_experiment(name: str, beside: Path | None = None) -> Experiment:
    """An experiment by its name, or `file.py:function` beside a study's file; that file is run.

    Raises:
        InputError: there is none of that name, or the file fails.
        FileFormatError: the file cannot be read.
    """
    path, colon, _ = name.rpartition(":")
    if not (colon and path.endswith(".py")):
        if name not in EXPERIMENTS:
            raise unknown_name("experiment", name, EXPERIMENTS)
        return from_source(name, None)
    file = (beside or Path()) / path
    return from_source(name, read_text(file, Kind("experiment", 1 << 24)))


def from_source(name: str, source: str | None) -> Experiment:
    """An experiment of ours by name, or of a user's file by its text: what a worker does that has no such file."""
    if source is None:
        from .. import __version__

        module, function = EXPERIMENTS[name]
        found = getattr(importlib.import_module(f"{__package__}.{module}"), function)
        return Experiment(name, found, f"spikeledger {__version__}")
    path, _, function = name.rpartition(":")
    digest = hashlib.sha256(source.encode()).hexdigest()
    module_name = f"experiment_{digest[:16]}"
    made = sys.modules.get(module_name)
    if made is None:
        made = types.ModuleType(module_name)
        sys.modules[module_name] = made  # dataclasses look their module up
        try:
            exec(compile(source, path, "exec"), made.__dict__)
        except (Exception, SystemExit) as error:  # the user's own file may raise anything
            del sys.modules[module_name]
            raise InputError(f"'{path}' could not be run: {type(error).__name__}: {error}") from error
    own = getattr(made, function, None)
    if not callable(own):
        names = [key for key, value in vars(made).items() if callable(value) and not key.startswith("_")]
        raise unknown_name(f"function of '{path}'", function, names)
    return Experiment(name, own, f"sha256 {digest}", source)


def is_plain(value: Any) -> bool:
    """Whether JSON can keep a value: no date, nothing infinite, no half of a character."""
    try:
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, TypeError):
        return False
    return True


def alike(value: Any, usual: Any) -> bool:
    """Whether a value is of the kind of the usual one; whole numbers serve as numbers, True and False do not."""
    if usual is inspect.Parameter.empty or (usual is None and value is None):
        return True
    if isinstance(usual, list | tuple):
        return isinstance(value, list | tuple) and (not usual or all(alike(one, usual[0]) for one in value))
    if isinstance(usual, bool | str):
        return isinstance(value, type(usual))
    return isinstance(value, (int, float) if isinstance(usual, float) else int) and not isinstance(value, bool)


def _as_usual(value: Any, usual: Any) -> Any:
    """The one way to write a value, so that 1 and 1.0 are not two settings."""
    if isinstance(value, list | tuple):
        return [_as_usual(one, usual[0] if isinstance(usual, list | tuple) and usual else one) for one in value]
    return float(value) if isinstance(usual, float) and isinstance(value, int) else value


def _wanted(usual: Any) -> str:
    kinds = ((bool, "true or false"), (str, "a text"), (list | tuple, "a list"), (float, "a number"))
    kind = next((said for kind, said in kinds if isinstance(usual, kind)), "a whole number")
    return kind if usual is None else f"{kind} such as {usual!r}"
