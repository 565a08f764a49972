"""IDX, the format that MNIST and its kin are published in: a header with the dimensions, then unsigned bytes.

Header: two zero bytes, the type (8: unsigned byte), the number of dimensions, then each dimension as a big-endian
32-bit number. Source: LeCun, Cortes and Burges, "The MNIST database of handwritten digits".
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import math
import struct
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, cast

import numpy as np
from numpy.typing import NDArray

from spikeledger.errors import DataError
from spikeledger.reading import Kind, opened

UNSIGNED_BYTE = 8
#: deflate cannot pack better than 1 : 1032; a header that claims more is a lie, or a bomb
MOST_GZIP_PACKS = 1032
#: larger files are refused unread
MOST_BYTES = 2**31
CHUNK_BYTES = 2**22
_KIND = Kind("IDX file", MOST_BYTES, DataError)


def read_idx(path: str | Path, *, shape: Sequence[int] | None = None, sha256: str | None = None) -> NDArray[np.uint8]:
    """Read an IDX file of unsigned bytes, gzipped or not, into one array.

    Nothing is allocated before the header's claim was held against the size of the file.

    Args:
        path: the file; what it begins with, not its name, tells whether it is gzipped.
        shape: the dimensions that it must have, when known.
        sha256: hexadecimal digest of the *unzipped* bytes, header included: zipping again keeps it.

    Raises:
        DataError: cannot be read, not IDX, cut short, corrupt, larger than it says, or not the file meant.
    """
    path = Path(path)
    try:
        with _opened(path) as (file, most_bytes):
            header, dimensions = _read_header(file, path)
            if shape is not None and dimensions != tuple(shape):
                raise DataError(f"{path} holds {_by(dimensions)} values, not {_by(shape)}: give the published file")
            claimed = len(header) + math.prod(dimensions)
            if claimed > most_bytes:
                raise DataError(
                    f"{path} says in its header that it holds {_by(dimensions)} values, more than fit in its "
                    f"{path.stat().st_size:,} bytes or in {MOST_BYTES:,}: it is cut or corrupt; give the whole file"
                )
            values = np.empty(dimensions, dtype=np.uint8)
            _fill(values.reshape(-1).data, file, path)
            if file.read(1):  # this also makes gzip check its own sum
                raise DataError(
                    f"{path} holds more than the {claimed:,} bytes of its header: it is corrupt; replace it"
                )
    except EOFError as error:
        raise _cut(path) from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path} is not a sound gzip file: replace it") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    if sha256 is not None:
        found = hashlib.sha256(header)
        found.update(values.reshape(-1).data)
        if found.hexdigest() != sha256:
            raise DataError(
                f"{path} is not the published file: the SHA-256 of its unzipped bytes is {found.hexdigest()[:12]}…, "
                f"not {sha256[:12]}…; replace it"
            )
    return values


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[tuple[IO[bytes], int]]:
    """The unzipped bytes, and how many there can be at most."""
    with opened(path, _KIND) as (file, stored):
        zipped = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        if zipped:
            with gzip.GzipFile(fileobj=file) as unzipped:
                yield cast(IO[bytes], unzipped), min(stored * MOST_GZIP_PACKS, MOST_BYTES)
        else:
            yield file, min(stored, MOST_BYTES)


def _read_header(file: IO[bytes], path: Path) -> tuple[bytes, tuple[int, ...]]:
    magic = file.read(4)
    if len(magic) < 4:
        raise _cut(path)
    if magic[:3] != bytes([0, 0, UNSIGNED_BYTE]) or magic[3] == 0:
        raise DataError(f"{path} is not an IDX file of unsigned bytes: it begins with {magic.hex(' ')}, not 00 00 08")
    sizes = file.read(4 * magic[3])
    if len(sizes) < 4 * magic[3]:
        raise _cut(path)
    dimensions = struct.unpack(f">{magic[3]}I", sizes)
    if 0 in dimensions or len(dimensions) > 8:
        raise DataError(f"{path} says in its header that it holds {_by(dimensions)} values: it is corrupt; replace it")
    return magic + sizes, dimensions


def _fill(room: memoryview, file: IO[bytes], path: Path) -> None:
    filled = 0
    while filled < len(room):
        count = cast(gzip.GzipFile, file).readinto(room[filled : filled + CHUNK_BYTES])
        if not count:
            raise _cut(path)
        filled += count


def _cut(path: Path) -> DataError:
    return DataError(f"{path} is cut short: give the whole file")


def _by(dimensions: Sequence[int]) -> str:
    shown = "x".join(str(size) for size in dimensions[:8])
    return f"{shown}x…" if len(dimensions) > 8 else shown
