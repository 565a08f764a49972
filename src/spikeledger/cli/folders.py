"""Where results are put: checked before the work starts, and never half-written."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from ..errors import InputError


def prepare(folder: Path) -> Path:
    """Make a folder and try to write in it, so that hours of work do not end at a closed door."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise _closed(folder, error) from error
    return folder


def check_target(path: Path) -> Path:
    """Check that a file could be written at `path`, without leaving anything there."""
    try:
        if path.is_dir():
            raise InputError(f"'{path}' is a folder: give the name of a file in it")
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise _closed(path, error) from error
    return path


def write_text(path: Path, text: str) -> Path:
    """Write a text file by way of a temporary name beside it."""
    try:
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", dir=path.parent, prefix=f".{path.name}.", delete=False
        ) as file:
            try:
                file.write(text)
                file.flush()
                Path(file.name).chmod(0o666 & ~_umask())
                Path(file.name).replace(path)
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise
    except OSError as error:
        raise _closed(path, error) from error
    return path


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _closed(path: Path, error: OSError) -> InputError:
    return InputError(f"cannot write to '{path}': {error.strerror}; choose a folder you may write to")
