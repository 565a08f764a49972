"""How the package reads a file: only a file, never longer than expected, and whatever is wrong with it is one sentence.

A name may be a pipe, a device, too long or no name at all, and a file may claim anything. So the *opened* descriptor is
asked whether it is a file, one byte more than the limit is asked for at most, and numbers that no machine has, nesting
without end and array headers of any kind end in the one error that the caller names.
"""

from __future__ import annotations

import json
import math
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from .errors import FileFormatError, SpikeLedgerError

if TYPE_CHECKING:
    import numpy as np

LARGEST_JSON = 1 << 28  # bytes: more is no ledger and no comparison of ours
LARGEST_TOML = 1 << 20
_MOST_PARTS = 100  # of a dotted key: the parser's time grows with their square
_LONGEST_HEADER = 10_000  # of an array: as numpy itself
_MOST_DIGITS = 300  # of a number in JSON: more is beyond every float


@dataclass(frozen=True)
class Kind:
    """What is read: its name in sentences, the most bytes of it, the error, and what to do where there is none."""

    name: str
    most: int
    error: type[SpikeLedgerError] = FileFormatError
    advice: str = "check the name"
    shell: str = ""  # the same advice in the words of the command, where those differ

    def refused(self, path: str | os.PathLike[str], why: object) -> SpikeLedgerError:
        """The sentence for a file that cannot be used."""
        return self.error(f"the {self.name} '{_shown(path)}' cannot be read: {_line(why)}")


def is_file(path: str | os.PathLike[str]) -> bool:
    """Whether there is a file of that name; False too for names that no system can have."""
    try:
        return stat.S_ISREG(Path(path).stat().st_mode)
    except (OSError, ValueError):
        return False


def is_folder(path: str | os.PathLike[str]) -> bool:
    """Whether there is a folder of that name; False too where nobody may look, and for names that no system can have."""
    try:
        return stat.S_ISDIR(Path(path).stat().st_mode)
    except (OSError, ValueError):
        return False


def is_there(path: str | os.PathLike[str]) -> bool:
    """Whether anything has that name; False too where nobody may look."""
    try:
        return bool(Path(path).lstat())
    except (OSError, ValueError):
        return False


@contextmanager
def opened(path: str | os.PathLike[str], kind: Kind) -> Iterator[tuple[BufferedReader, int]]:
    """A file and how many bytes it has.

    Raises:
        kind.error: there is none, it is a pipe, device or folder, it is too long, or it cannot be opened.
    """
    try:
        # a pipe without a writer would keep an ordinary open waiting
        number = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except FileNotFoundError:
        missing = f"there is no {kind.name} '{_shown(path)}': "
        raise kind.error(missing + kind.advice, shell=missing + (kind.shell or kind.advice)) from None
    except OSError as error:
        raise kind.refused(path, error.strerror or error) from error
    except ValueError as error:  # a NUL, or half a character, in its name
        raise kind.refused(path, error) from error
    status = os.fstat(number)
    if not stat.S_ISREG(status.st_mode):
        os.close(number)
        raise kind.refused(path, "it is no file, but a folder, a pipe or a device")
    with os.fdopen(number, "rb") as file:
        if status.st_size > kind.most:
            raise kind.refused(path, f"it has {status.st_size:,} bytes, more than the {kind.most:,} that are read")
        yield file, status.st_size


def read_bytes(path: str | os.PathLike[str], kind: Kind) -> bytes:
    """All of a file.

    Raises:
        kind.error: as `opened`, or it grew beyond its limit while it was read.
    """
    with opened(path, kind) as (file, length):
        try:
            content = file.read(length + 1)
        except OSError as error:  # the disk fails
            raise kind.refused(path, error.strerror or error) from error
    if len(content) > length:
        raise kind.refused(path, "it grew while it was read")
    return content


def read_text(path: str | os.PathLike[str], kind: Kind) -> str:
    """All of a file as UTF-8.

    Raises:
        kind.error: as `read_bytes`, or it is no text.
    """
    try:
        return read_bytes(path, kind).decode("utf-8-sig")  # editors on Windows begin a text with a mark
    except UnicodeDecodeError as error:
        raise kind.refused(path, error) from error


def read_toml(path: str | os.PathLike[str], kind: Kind) -> dict[str, Any]:
    """A TOML file as a dictionary.

    Raises:
        kind.error: as `read_text`, or it is no TOML.
    """
    text = read_text(path, kind)
    try:
        return toml(text)
    except ValueError as error:
        raise kind.refused(path, error) from error


def toml(text: str) -> dict[str, Any]:
    """TOML as a dictionary; whole numbers have at most 64 bits, as TOML says.

    Raises:
        ValueError: it is no TOML, or holds numbers, keys or nesting beyond reason.
    """
    import tomllib

    longest = max(
        (piece.count(".") for line in text.splitlines() for piece in re.split(r"[\[\]{}=,]", line)), default=0
    )
    if longest > _MOST_PARTS:
        raise ValueError(f"a key of {longest:,} parts is more than any table has")
    try:
        found = tomllib.loads(text)
        _check_numbers(found)
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    except ValueError as error:
        if "integer string conversion" in str(error):
            raise ValueError("a whole number in it has thousands of digits") from None
        raise
    return found


def read_json(path: str | os.PathLike[str], kind: Kind) -> Any:
    """Plain values of a JSON file: finite numbers, and text that can be written again.

    Raises:
        kind.error: as `read_bytes`, or it is no JSON.
    """
    content = read_bytes(path, kind)
    try:
        return plain_json(content)
    except RecursionError:
        raise kind.refused(path, "it is nested too deep") from None
    except ValueError as error:
        raise kind.refused(path, f"it is no JSON ({_line(error)})") from error


def plain_json(content: bytes) -> Any:
    """Plain values of JSON: what `read_json` gives of a file.

    Raises:
        ValueError: it is no JSON, or holds numbers or half characters that could not be written again.
        RecursionError: it is nested too deep.
    """
    found = json.loads(content, parse_int=_whole, parse_float=_finite, parse_constant=_finite)
    if b"\\ud" in content.lower():
        json.dumps(found, ensure_ascii=False).encode()
    return found


def npy_header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether columns come first, and kind of number of a `.npy`; the file then stands at its numbers.

    Raises:
        ValueError: it is no header of version 1.0 or 2.0, or not one of plain numbers.
    """
    import ast
    import struct

    import numpy as np

    start = file.read(8)
    if start.startswith(b"PK"):
        raise ValueError("it is an archive of arrays, as numpy.savez writes them: save one with numpy.save")
    try:
        # numpy's own reader takes more than numpy writes, with a warning, and raises whatever Python's tokeniser does
        size = {b"\x93NUMPY\x01\x00": "<H", b"\x93NUMPY\x02\x00": "<I"}[start]
        (length,) = struct.unpack(size, file.read(struct.calcsize(size)))
        header = file.read(length) if length <= _LONGEST_HEADER else b""
        told = ast.literal_eval(header.decode("latin1").strip())
        shape, by_column, kind = told["shape"], told["fortran_order"], told["descr"]
        if len(told) != 3 or not isinstance(shape, tuple) or not isinstance(by_column, bool):
            raise ValueError("it says other things than numpy does")
        if not isinstance(kind, str) or not re.fullmatch(r"[<>|=]?[biuf]\d{1,2}", kind):
            raise ValueError(f"it holds {kind!s:.20}, and a network needs numbers")
        if not all(type(size) is int and size >= 0 for size in shape) or len(shape) > 32:
            raise ValueError(f"its shape is {list(shape)[:8]}")
        dtype = np.dtype(kind)
    except (
        ValueError, SyntaxError, RecursionError, MemoryError, OverflowError, TypeError, KeyError, struct.error,
    ) as error:  # fmt: skip
        raise ValueError(f"its header is none of numpy's ({_line(error)})") from error
    if dtype.itemsize > 8:
        raise ValueError(f"it holds {dtype}, and a network needs numbers of at most 64 bits")
    return shape, by_column, dtype


def read_npy(path: str | os.PathLike[str], kind: Kind) -> np.ndarray[Any, Any]:
    """The array of a `.npy` file, mapped into memory: nothing is allocated on the word of its header.

    Raises:
        kind.error: as `opened`, or it is no array of numbers, or shorter than it says.
    """
    import numpy as np

    with opened(path, kind) as (file, length):
        try:
            shape, by_column, dtype = npy_header(file)
            count, start = math.prod(shape), file.tell()
            if count * dtype.itemsize > length - start:
                raise ValueError(f"its header says {count:,} numbers of {dtype}, and {length - start:,} bytes follow")
            if not count:
                return np.empty(shape, dtype)
            return np.memmap(file, dtype, "r", start, shape, "F" if by_column else "C")
        except (OSError, ValueError) as error:
            raise kind.refused(path, error) from error


def _check_numbers(value: Any) -> None:
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list):
        if isinstance(value, int) and value.bit_length() > 64:
            raise ValueError("a whole number in it has more than 64 bits")
        return
    for one in value:
        _check_numbers(one)


def _whole(digits: str) -> int:
    if len(digits) > _MOST_DIGITS:
        raise ValueError(f"a number of {len(digits):,} digits is in it")
    return int(digits)


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"a number in it is {text[:20]}, which is not finite")
    return value


def _shown(path: str | os.PathLike[str]) -> str:
    return str(Path(path))[:200]


def _line(error: object) -> str:
    return " ".join((str(error) or type(error).__name__).split())[:200]
