"""How the package writes a file: whole or not at all, under a temporary name that becomes the real one at the end."""

from __future__ import annotations

import io
import json
import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from .errors import InputError

_TEMPORARY = ".spikeledger."
#: what a file is called that a kill left half-written
TORN = f"{_TEMPORARY}*"


def write_whole(target: Path, content: bytes | str | Callable[[IO[bytes]], Any]) -> Path:
    """Write a file by way of a temporary name beside it; `content` is its bytes, its text, or what writes into it.

    A link stays one, and what it points to is written; a file that was there keeps its permissions; a device such as
    `/dev/null` is written to and stays.

    Raises:
        InputError: the folder is missing or closed, or the disk is full; what stood at `target` before is untouched.
    """
    try:
        place = target.resolve() if target.is_symlink() else target
        mode = place.stat().st_mode if place.exists() else stat.S_IFREG | (0o666 & ~_umask())
        if stat.S_ISCHR(mode):
            whole = io.BytesIO()  # what writes an archive goes back in it, which a device cannot
            _put(content, whole)
            with place.open("wb") as device:
                device.write(whole.getvalue())
            return target
        if not stat.S_ISREG(mode):
            raise InputError(f"'{target}' is no file, and is left as it is: choose another name")
        with tempfile.NamedTemporaryFile(dir=place.parent, prefix=_TEMPORARY, delete=False) as file:
            temporary = Path(file.name)
            try:
                _put(content, file)
                file.flush()
                os.fsync(file.fileno())
                temporary.chmod(stat.S_IMODE(mode))  # temporary files are private, results are not
                temporary.replace(place)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise closed(target, error) from error
    return target


def write_json(target: Path, value: Any) -> Path:
    """Write plain values as JSON."""
    return write_whole(target, json.dumps(value, allow_nan=False, indent=1))


def _put(content: bytes | str | Callable[[IO[bytes]], Any], file: IO[bytes]) -> None:
    if callable(content):
        content(file)
    else:
        file.write(content.encode() if isinstance(content, str) else content)


def make_folder(folder: Path) -> Path:
    """Make a folder, and those that it lies in, where there is none.

    Raises:
        InputError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        raise closed(folder, error) from error
    return folder


def closed(target: Path, error: Exception) -> InputError:
    """The sentence for a place that cannot be written to."""
    why = getattr(error, "strerror", None) or error
    return InputError(f"cannot write to '{str(target)[:200]}': {why}; choose a folder you may write to")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
