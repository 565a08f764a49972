"""Where results are put: checked before the work starts, and never half-written."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..errors import InputError, SpikeLedgerError
from ..reading import LARGEST_TOML, Kind, is_file, is_folder, is_there, read_json
from ..writing import closed, write_json

#: of the results' folder: where a run lies until its results are whole
UNFINISHED = "unfinished"


def prepare(folder: Path) -> Path:
    """Make a folder and try to write in it, so that hours of work do not end at a closed door."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise closed(folder, error) from error
    return folder


def check_folder(folder: Path) -> Path:
    """Check that files could be written into a folder, and make none."""
    try:
        nearest = next(each for each in (folder, *folder.absolute().parents) if is_there(each))
        with tempfile.TemporaryFile(dir=nearest):
            pass
    except OSError as error:
        raise closed(folder, error) from error
    return folder


def check_picture(path: Path) -> Path:
    """Check that a picture could be written at `path`, before hours of work end at a name that matplotlib does not know."""
    if path.suffix.lower() not in (".png", ".svg", ".pdf"):
        raise InputError(f"'{path}' is no picture that is written here: give the name of a .png, .svg or .pdf file")
    return check_target(path)


def check_target(path: Path) -> Path:
    """Check that a file could be written at `path`, without leaving anything there."""
    try:
        if is_folder(path):
            raise InputError(f"'{path}' is a folder: give the name of a file in it")
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise closed(path, error) from error
    return path


@contextmanager
def unfinished(out: Path, asked: Mapping[str, Any], *, resume: bool) -> Iterator[Path]:
    """The folder in `out` in which a run is kept until the block ends well; then it goes.

    `asked` are the options that the figures follow from, by their names: a run goes on only as it began.

    Raises:
        InputError: there is a run already and nobody said `--resume`, or it was asked with other options.
    """
    work, fresh = out / UNFINISHED, not is_there(out)
    prepare(work)
    with _alone(work):
        _take_up(work, asked, resume=resume)
        try:
            yield work
        except SpikeLedgerError:
            if not _epochs(work):  # nothing to go on with, and nothing to leave behind
                shutil.rmtree(out if fresh else work)
            raise
        _empty(work)
    shutil.rmtree(work)


def _take_up(work: Path, asked: Mapping[str, Any], *, resume: bool) -> None:
    """Begin a run in a folder, or check that the one that is there may go on."""
    notes = work / "asked.json"
    if is_file(notes) and _epochs(work):
        if not resume:
            raise InputError(
                f"'{work}' holds a run that was stopped: go on with --resume, give another --out, or remove that folder"
            )
        before = read_json(notes, Kind("note of a stopped run", LARGEST_TOML))
        before = before if isinstance(before, dict) else {}
        for name in sorted(asked.keys() | before.keys()):
            if before.get(name) != asked.get(name):
                raise InputError(
                    f"the run in '{work}' was asked with --{name} {before.get(name)}, not {asked.get(name)}: "
                    "go on as it began, or give another --out"
                )
    else:
        _empty(work)
        write_json(notes, dict(asked))


@contextmanager
def _alone(work: Path) -> Iterator[None]:
    """Keep a second run out of a folder; a run that is killed lets others in."""
    from filelock import FileLock, Timeout

    lock = FileLock(work / ".lock", timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise InputError(f"another run is at work in '{work}': wait for it, or give another --out") from error
    except (OSError, NotImplementedError):  # a disk that knows no locks: as before there were any
        yield
        return
    try:
        yield
    finally:
        lock.release()


def _epochs(work: Path) -> int:
    """How many epochs are kept in the runs of a folder."""
    from ..training.checkpoints import has_checkpoint, load_checkpoint

    return sum(load_checkpoint(run).epoch for run in work.iterdir() if has_checkpoint(run))


def _empty(work: Path) -> None:
    """Remove the runs, and leave the note: while it is there, what is kept is known to be ours."""
    for run in work.iterdir():
        if run.is_dir() and not run.is_symlink():
            shutil.rmtree(run)


def clear(out: Path, names: tuple[str, ...]) -> None:
    """Remove earlier results before the first new one is written: old and new never lie side by side."""
    try:
        for name in names:
            (out / name).unlink(missing_ok=True)
    except OSError as error:
        raise closed(out, error) from error
