"""How the package writes a file: whole or not at all, under a temporary name that becomes the real one at the end."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from .errors import InputError


def write_whole(target: Path, content: bytes | str | Callable[[IO[bytes]], Any]) -> Path:
    """Write a file by way of a temporary name beside it; `content` is its bytes, its text, or what writes into it.

    Raises:
        InputError: the folder is missing or closed, or the disk is full; what stood at `target` before is untouched.
    """
    try:
        with tempfile.NamedTemporaryFile(dir=target.parent, prefix=f".{target.name}.", delete=False) as file:
            temporary = Path(file.name)
            try:
                if callable(content):
                    content(file)
                else:
                    file.write(content.encode() if isinstance(content, str) else content)
                file.flush()
                os.fsync(file.fileno())
                temporary.chmod(0o666 & ~_umask())  # temporary files are private, results are not
                temporary.replace(target)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
    except OSError as error:
        raise closed(target, error) from error
    return target


def closed(target: Path, error: OSError) -> InputError:
    """The sentence for a place that cannot be written to."""
    return InputError(f"cannot write to '{target}': {error.strerror}; choose a folder you may write to")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
