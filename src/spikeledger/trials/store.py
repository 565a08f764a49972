"""A study's folder: one file a finished trial, written whole. It is the truth; everything else is computed from it.

::

    id               which study's folder it is
    study.json       what was asked for last
    trials/KEY.json  a finished trial: settings, result, what it took
    files/KEY/...    what it kept: a network, an activity
    failed/KEY.json  why a trial gave no result; it is tried again by the next run
    running/KEY/     the folder of a trial that has begun and is not finished

Only the driver writes here, `running` excepted; a result's files come before its row, and the row makes it finished.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import shutil
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import filelock

from ..errors import FileFormatError, InputError
from ..reading import LARGEST_JSON, Kind, is_file, read_bytes, read_json, read_text
from ..writing import TORN, closed, make_folder, write_whole
from .trial import Outcome, Trial, key_of

SCHEMA = "spikeledger-trial/1"
_BY = "driver.json"
_SMALL = Kind("file of a study", 1 << 16)
_ROW = Kind("trial", LARGEST_JSON)
_KEPT = Kind("file of a trial", 1 << 40)


@dataclass(frozen=True, eq=False)
class Row:
    """A finished trial.

    Attributes:
        values: its result, plain values.
        files: name -> SHA-256 of each file that was kept.
        finished: seconds since 1970.
    """

    key: str
    identity: Mapping[str, Any]
    values: Mapping[str, Any]
    files: Mapping[str, str]
    seconds: float
    cpu_seconds: float
    host: str
    finished: float

    @property
    def settings(self) -> Mapping[str, Any]:
        """The trial's settings, all of them."""
        return self.identity["settings"]

    @property
    def single(self) -> dict[str, Any]:
        """Its results that are single values, by their dotted names: `joules.loihi`."""
        return flat(self.values)


def flat(values: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """Single values by their dotted names; lists are left out."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{before}{name}.")
        elif not isinstance(value, list | tuple):
            found[f"{before}{name}"] = value
    return found


class Store:
    """The finished trials of a study's folder; `Store(folder)` reads all of them.

    A file that was cut is set aside, and its trial counts as one that never ran: `set_aside` has their names.

    Raises:
        InputError: the folder cannot be made or read, or there is none and `make` is False.
    """

    def __init__(self, folder: str | os.PathLike[str], *, make: bool = True) -> None:
        self.folder = Path(folder)
        self.set_aside: list[str] = []
        if not make and not is_file(self.folder / "id"):
            raise InputError(f"'{self.folder}' is no study's folder: 'spikeledger study run FILE' makes one")
        for name in ("trials", "files", "failed", "running"):
            make_folder(self.folder / name)
        if not is_file(self.folder / "id"):
            write_whole(self.folder / "id", uuid.uuid4().hex)
        self.study_id = read_text(self.folder / "id", _SMALL)
        self.rows: dict[str, Row] = {}
        for path in sorted((self.folder / "trials").iterdir()):
            if path.suffix == ".json" and not path.name.startswith("."):
                self._read(path)

    def _read(self, path: Path) -> None:
        try:
            row = _row(path)
        except (FileFormatError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            self.set_aside.append(path.name)
            return
        self.rows[row.key] = row

    @contextmanager
    def driving(self) -> Iterator[None]:
        """Be the one driver of this folder.

        Raises:
            InputError: another driver works in it.
        """
        lock = filelock.FileLock(self.folder / ".lock", timeout=0)
        try:
            lock.acquire()
        except filelock.Timeout:
            raise InputError(
                f"another run is at work in '{self.folder}'{_who(self.folder / _BY)}: wait for it, stop it, or choose "
                "another folder"
            ) from None
        except OSError as error:
            raise closed(self.folder / ".lock", error) from error
        try:
            who = {"process": os.getpid(), "host": platform.node(), "since": time.strftime("%Y-%m-%d %H:%M:%S")}
            write_whole(self.folder / _BY, json.dumps(who))
            for name in self.set_aside:  # cut files make way for their trial's next result
                with contextlib.suppress(OSError):
                    (self.folder / "trials" / name).replace(self.folder / "failed" / f"{name}.cut")
            for pattern in (TORN, f"trials/{TORN}", f"failed/{TORN}", f"files/**/{TORN}"):
                for torn in self.folder.glob(pattern):  # a write that a kill interrupted
                    torn.unlink(missing_ok=True)
            for begun in (self.folder / "running").iterdir():  # and the folders of trials that had just been finished
                if begun.name in self.rows:
                    shutil.rmtree(begun, ignore_errors=True)
            yield
        finally:
            with contextlib.suppress(OSError):
                (self.folder / _BY).unlink()
            lock.release()

    def finish(self, trial: Trial, outcome: Outcome) -> Row:
        """Write a finished trial: its files first, then its row."""
        place = self.folder / "files" / trial.key
        for name, content in outcome.files.items():
            target = place / name
            make_folder(target.parent)
            write_whole(target, content)
        row = Row(
            trial.key, trial.identity, outcome.values,
            {name: hashlib.sha256(content).hexdigest() for name, content in outcome.files.items()},
            round(outcome.seconds, 3), round(outcome.cpu_seconds, 3), outcome.host, round(time.time(), 3),
        )  # fmt: skip
        write_whole(
            self.folder / "trials" / f"{trial.key}.json",
            json.dumps({"schema": SCHEMA, **asdict(row)}, allow_nan=False, ensure_ascii=False, indent=1) + "\n",
        )
        _sync(self.folder / "trials")
        self.rows[trial.key] = row
        (self.folder / "failed" / f"{trial.key}.json").unlink(missing_ok=True)
        shutil.rmtree(self.folder / "running" / trial.key, ignore_errors=True)
        return row

    def fail(self, trial: Trial, outcome: Outcome) -> None:
        """Write why a trial gave no result."""
        told = {"settings": dict(trial.settings), "error": outcome.error, "traceback": outcome.traceback}
        write_whole(self.folder / "failed" / f"{trial.key}.json", json.dumps(told, indent=1))

    def failures(self) -> dict[str, str]:
        """Key -> why the trial gave no result, of those that were tried last and failed."""
        found = {}
        for path in sorted((self.folder / "failed").glob("[!.]*.json")):
            with contextlib.suppress(FileFormatError, KeyError, TypeError):
                found[path.stem] = str(read_json(path, _ROW)["error"])
        return found

    def path(self, key: str, name: str) -> Path:
        """Where a kept file, or a kept folder of files, of a finished trial lies; `kept` reads and checks it."""
        return self.folder / "files" / key / name

    def kept(self, key: str) -> dict[str, bytes]:
        """The files of a finished trial.

        Raises:
            FileFormatError: one is missing or is not what the trial wrote.
        """
        found = {}
        for name, digest in self.rows[key].files.items():
            path = self.path(key, name)
            try:
                content = read_bytes(path, _KEPT)
            except FileFormatError as error:
                raise _changed(path, self.folder, key) from error
            if hashlib.sha256(content).hexdigest() != digest:
                raise _changed(path, self.folder, key)
            found[name] = content
        return found


def _changed(path: Path, folder: Path, key: str) -> FileFormatError:
    return FileFormatError(
        f"'{path}' is missing or is not what its trial wrote: remove '{folder / 'trials' / key}.json' to run it again"
    )


def _row(path: Path) -> Row:
    """A row's file; wrong in any way that a cut or an edit leaves, it raises."""
    told = read_json(path, _ROW)
    if told.pop("schema") != SCHEMA:
        raise ValueError("another schema")
    row = Row(**told)
    if row.key != path.stem or key_of(row.identity) != row.key or not isinstance(row.values, dict):
        raise ValueError("its settings are not those of its name")
    if not all(isinstance(each, str) for each in (row.host, *row.files, *row.files.values())):
        raise ValueError("a number stands where a name belongs")
    if not all(type(each) in (int, float) for each in (row.seconds, row.cpu_seconds, row.finished)):
        raise ValueError("something else stands where seconds belong")
    return row


def _who(path: Path) -> str:
    try:
        told = read_json(path, _SMALL)
        return f" (process {told['process']} on '{told['host']}' since {told['since']})"
    except (FileFormatError, KeyError, TypeError):
        return ""


def _sync(folder: Path) -> None:
    """Make a new name in a folder last through a power cut; not every system can."""
    if hasattr(os, "O_DIRECTORY"):
        handle = os.open(folder, os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
