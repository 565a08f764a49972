"""The heaps of an HDF5 file, walked before the library does: it follows a broken one without end, or asks for gigabytes.

Texts of any length lie in global heaps: collections that begin with `GCOL`, a version, their length, and objects of
16 bytes and their content, padded to 8. Object 0 is the free rest. Source: HDF5 File Format Specification 3.0, III.E.
"""

from __future__ import annotations

import mmap
import struct
from pathlib import Path
from typing import IO

from ..errors import FileFormatError

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_HEAP = b"GCOL"
_HEAD = 16  # bytes of a collection's head, and of an object's


def check_heaps(file: IO[bytes], length: int, path: Path) -> None:
    """Refuse a file whose heaps do not add up.

    Raises:
        FileFormatError: an object of a heap is longer than its heap, or a heap than the file.
    """
    if length < len(_SIGNATURE):
        raise FileFormatError(f"'{path}' is no NIR file: it has {length} bytes")
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        if content[:8] != _SIGNATURE:
            raise FileFormatError(f"'{path}' is no NIR file: it does not begin as HDF5 does")
        at = content.find(_HEAP)
        while at >= 0:
            if not _adds_up(content, at, length):
                raise FileFormatError(f"'{path}' is damaged: a heap of texts in it does not add up; write it again")
            at = content.find(_HEAP, at + len(_HEAP))


def _adds_up(content: mmap.mmap, at: int, length: int) -> bool:
    """Whether the objects of a heap fill it exactly."""
    if at % 8 or length - at < _HEAD:
        return True  # these letters in something else: heaps lie at multiples of 8
    version, size = content[at + 4], struct.unpack_from("<Q", content, at + 8)[0]
    if version != 1 or size < _HEAD or size > length - at:
        return False
    place, end = at + _HEAD, at + size
    seen: set[int] = set()
    while end - place >= _HEAD:
        number, _, _, held = struct.unpack_from("<HHIQ", content, place)
        if number in seen:
            return False
        seen.add(number)
        if number == 0:  # the free rest counts its own head
            return bool(held == end - place)
        if held > end - place - _HEAD:
            return False
        place += _HEAD + (held + 7) // 8 * 8
    return place <= end
