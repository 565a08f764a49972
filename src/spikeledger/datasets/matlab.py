"""Arrays of numbers in a MATLAB file of level 5, and nothing else of it: libraries that read all of it can be crashed.

A file is 128 bytes of header, then elements: a tag (kind and length, or both and up to four bytes in eight), the content,
and padding to eight bytes. An array is an element of elements: flags, dimensions, name, numbers; it may stand zipped in
another one (MathWorks, "MAT-File Format", level 5).
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from ..reading import Kind, read_bytes

_KIND = Kind("MATLAB file", 1 << 24, DataError, "put the published file there")
_MOST_UNZIPPED = 1 << 26  # bytes of one array
_HEADER = 128
_ARRAY, _ZIPPED = 14, 15
#: kinds of elements that hold numbers
_NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}


def read_numbers(path: str | os.PathLike[str], name: str) -> NDArray[np.float64] | NDArray[np.int64]:
    """The array of that name, its numbers in MATLAB's order (column by column): int64, or float64 where they are floats.

    Raises:
        DataError: no file of that kind, cut, or without such an array of numbers.
    """
    content = read_bytes(path, _KIND)
    order = {b"IM": "<", b"MI": ">"}.get(content[126:128])
    if order is None:
        raise DataError(f"'{path}' is no MATLAB file of level 5: put the published file there")
    try:
        for kind, element in _elements(content[_HEADER:], order):
            if kind == _ZIPPED:
                unzip = zlib.decompressobj()
                element = unzip.decompress(element, _MOST_UNZIPPED)
                if unzip.unconsumed_tail:
                    raise ValueError(f"an array in it has more than {_MOST_UNZIPPED:,} bytes")
                kind, element = next(_elements(element, order), (0, b""))
            if kind == _ARRAY:
                _flags, _sizes, label, *numbers = _elements(element, order)
                if label[1] == name.encode():
                    return _values(numbers[0], order)
    except (ValueError, IndexError, OverflowError, struct.error, zlib.error) as error:
        raise DataError(f"'{path}' is no whole MATLAB file ({error}): put the published file there") from error
    raise DataError(f"'{path}' holds no '{name}': it is another file")


def _elements(content: bytes, order: str) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 8 <= len(content):
        kind, length = struct.unpack_from(f"{order}II", content, at)
        start, following = at + 8, at + 8 + length + (-length % 8 if kind != _ZIPPED else 0)
        if kind >> 16:  # a short element: its length stands above its kind
            kind, length, start, following = kind & 0xFFFF, kind >> 16, at + 4, at + 8
        if start + length > len(content):
            raise ValueError(f"a part of {length:,} bytes is cut")
        yield kind, content[start : start + length]
        at = following


def _values(element: tuple[int, bytes], order: str) -> NDArray[np.float64] | NDArray[np.int64]:
    kind, content = element
    if kind not in _NUMBERS:
        raise ValueError("an array in it holds no numbers")
    found = np.frombuffer(content, np.dtype(_NUMBERS[kind]).newbyteorder(order))  # type: ignore[arg-type]
    return found.astype(np.float64) if found.dtype.kind == "f" else found.astype(np.int64)
