"""Where results are put: checked before the work starts, and never half-written."""

from __future__ import annotations

import tempfile
from pathlib import Path

from ..errors import InputError
from ..writing import closed


def prepare(folder: Path) -> Path:
    """Make a folder and try to write in it, so that hours of work do not end at a closed door."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise closed(folder, error) from error
    return folder


def check_target(path: Path) -> Path:
    """Check that a file could be written at `path`, without leaving anything there."""
    try:
        if path.is_dir():
            raise InputError(f"'{path}' is a folder: give the name of a file in it")
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise closed(path, error) from error
    return path
