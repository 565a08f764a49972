"""One trial: settings in, result out, known by a hash of its settings and of the code that it runs."""

from __future__ import annotations

import hashlib
import json
import platform
import shutil
import tempfile
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from ..errors import InputError, SpikeLedgerError
from ..reading import is_file, plain_json
from .experiments import Experiment, Settings, Work, from_source


@dataclass(frozen=True, eq=False)
class Trial:
    """An experiment with all its settings, and the trials that it begins with."""

    experiment: Experiment
    settings: Settings
    starts: tuple[Trial, ...] = ()

    @cached_property
    def key(self) -> str:
        """What the trial is known by: equal for equal settings, code, start, and contents of the files it names."""
        return key_of(self.identity)

    @cached_property
    def identity(self) -> dict[str, Any]:
        """What the key is the hash of."""
        keys = [each.key for each in self.starts]
        return {
            "experiment": self.experiment.name,
            "code": self.experiment.code,
            "settings": dict(self.settings),
            "files": {each: _digest(Path(each)) for each in sorted(_files(self.settings.values()))},
            "start": keys[0] if len(keys) == 1 else keys or None,
        }


def key_of(identity: Mapping[str, Any]) -> str:
    """The hash of what makes a trial that trial and no other."""
    plain = json.dumps(identity, sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return hashlib.sha256(plain.encode()).hexdigest()[:20]


def make_trial(experiment: Experiment, given: Settings, after: Trial | None = None) -> Trial:
    """A trial with the settings that are given and the usual ones, and the trials that have to come before it.

    Args:
        after: a trial that it goes on from, before those that the experiment itself asks for.

    Raises:
        InputError: a setting that there is none of, or one that cannot be.
    """
    settings = experiment.complete(given)
    before = experiment.begins_with(settings)
    if settings in before:
        raise InputError(f"a trial of '{experiment.name}' cannot begin with itself: {settings}")
    own = tuple(make_trial(experiment, each) for each in before)
    return Trial(experiment, settings, own if after is None else (after, *own))


def _files(values: Any) -> Iterator[str]:
    """Paths of files among settings: a profile of one's own counts by what is in it."""
    for value in values:
        if isinstance(value, str) and ("/" in value or value.endswith(".toml")) and is_file(value):
            yield value
        elif isinstance(value, list | tuple):
            yield from _files(value)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


# -- where it runs -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Order:
    """All that a worker needs for a trial, wherever it is."""

    key: str
    experiment: str
    source: str | None
    settings: Settings
    start: Mapping[str, bytes]  # files that were kept of the trials that this one begins with
    study: str  # the study's folder, for a worker that sees it too
    study_id: str
    threads: int | None


@dataclass(frozen=True)
class Outcome:
    """What a trial gave: its result and the files to keep, or why there is none."""

    values: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    host: str = ""
    error: str = ""  # one sentence
    traceback: str = ""  # for a bug


class WorkerLost(Exception):
    """A worker died or was cut off while it ran a trial."""


class ClusterLost(Exception):
    """The whole cluster is gone."""


def perform(order: Order) -> Outcome:
    """Run a trial; what goes wrong inside it is an outcome too, so that other trials go on."""
    if order.threads is not None:
        import torch  # noqa: F401  # the first trial of a process is not charged for this

    began, cpu = time.time(), time.process_time()
    with _folder_of(order) as place:
        work = Work(place / "work", place / "keep", place / "start")
        for fresh in (work.keep, work.start):
            shutil.rmtree(fresh, ignore_errors=True)
        for folder in (work.folder, work.keep, work.start):
            folder.mkdir(parents=True, exist_ok=True)
        for name, content in order.start.items():
            target = work.start / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        values: Mapping[str, Any] = {}
        files: dict[str, bytes] = {}
        error = told = ""
        try:
            with _threads(order.threads):
                experiment = from_source(order.experiment, order.source)
                values = _plain(experiment.function(work, **order.settings))
            files = {
                path.relative_to(work.keep).as_posix(): path.read_bytes()
                for path in sorted(work.keep.rglob("*"))
                if path.is_file()
            }
        except SpikeLedgerError as wrong:
            error = str(wrong)
        except SystemExit as wrong:
            error = f"it ended its own process, by SystemExit({wrong.code!r}): return a result instead"
        except Exception as wrong:
            error, told = f"{type(wrong).__name__}: {wrong}".removesuffix(": "), traceback.format_exc()
    error, told = (text.encode(errors="backslashreplace").decode() for text in (" ".join(error.split()), told))
    return Outcome(values, files, time.time() - began, time.process_time() - cpu, platform.node(), error, told)


@contextmanager
def _folder_of(order: Order) -> Iterator[Path]:
    """The trial's own folder: in the study's, where the worker sees that; else in this machine's temporary folder."""
    study = Path(order.study)
    try:
        seen = (study / "id").read_text("utf-8") == order.study_id
    except OSError:
        seen = False
    if seen:
        yield study / "running" / order.key  # whoever writes the result removes it
        return
    place = Path(tempfile.gettempdir()) / f"spikeledger-{order.study_id}" / order.key
    yield place
    shutil.rmtree(place, ignore_errors=True)


@contextmanager
def _threads(count: int | None) -> Iterator[None]:
    """Let torch use so many threads meanwhile: figures depend on how many there are."""
    if count is None:
        yield
        return
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _plain(values: Any) -> dict[str, Any]:
    """A result as what JSON can hold.

    Raises:
        InputError: something that is no plain value, or a number that is none.
    """
    if not isinstance(values, Mapping):
        raise InputError(f"a trial gave a {type(values).__name__}, but needs to give a dictionary of its results")
    try:
        return plain_json(json.dumps(dict(values), allow_nan=False).encode())
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(
            f"a trial gave a result that cannot be kept ({error}): give numbers that are finite, texts, lists"
        ) from error
