"""CIFAR-10 from its binary archive: never the one of pickles, which may run anything that is in them.

A record is 3,073 bytes: the label, then 1,024 bytes each of red, green and blue, row by row; 10,000 records a file, five
files to train and one to test (A. Krizhevsky, "Learning multiple layers of features from tiny images", 2009).
"""

from __future__ import annotations

import hashlib
import os
import tarfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from ..reading import Kind, is_file, is_folder, opened, read_bytes
from .files import DATA_FOLDER_VARIABLE, PublishedFile, read_published

RECORD: Final = 1 + 3 * 32 * 32
#: "plane" is what its authors call airplane
CLASSES: Final = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
ARCHIVE: Final = "cifar-10-binary.tar.gz"
SHA256: Final = "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"
FOLDER: Final = "cifar-10-batches-bin"
TRAIN: Final = tuple(f"data_batch_{k}.bin" for k in range(1, 6))
TEST: Final = "test_batch.bin"
_MOST_RECORDS = 10_000  # of a file
_MOST_BYTES = 170_052_171 + 65_536  # of the archive

#: where its author keeps it
MIRRORS: Final = ("https://www.cs.toronto.edu/~kriz/",)

Images = tuple[NDArray[np.uint8], NDArray[np.int64]]


@dataclass(frozen=True)
class CifarArchive(PublishedFile):
    """The archive, found in the user's folder or downloaded once like MNIST."""

    @property
    def most_bytes(self) -> int:
        return _MOST_BYTES

    def read(self, path: Path) -> tuple[Images, Images]:
        """Both parts, if it is this archive."""
        return read_cifar(path, sha256=self.sha256)


PUBLISHED: Final = CifarArchive(ARCHIVE, (), SHA256, ("cifar-10", "."), MIRRORS)


def find_cifar(root: str | Path | None = None, mirrors: Sequence[str] | None = None) -> tuple[Images, Images]:
    """Both parts: of a folder with the unpacked files, of the archive in a folder, or of the archive that is downloaded."""
    given = root if root is not None else os.environ.get(DATA_FOLDER_VARIABLE)
    for folder in (Path("cifar-10") / FOLDER, Path(FOLDER)) if given else ():
        unpacked = Path(str(given)).expanduser() / folder
        if is_folder(unpacked):
            return read_cifar(unpacked)
    found: tuple[Images, Images] = read_published(PUBLISHED, root=root, mirrors=mirrors)
    return found


def read_cifar(path: Path, *, sha256: str | None = SHA256) -> tuple[Images, Images]:
    """Images uint8 `[N, 3, 32, 32]` and labels, to train and to test, of the archive or of the folder that it holds.

    Members are read by their exact names, nothing is unpacked; `sha256` of the archive is checked, and None takes any.

    Raises:
        DataError: a file that is missing, cut, of another kind, or not the published one.
    """
    if is_folder(path):
        return _joined({name: _bytes(path, name) for name in (*TRAIN, TEST)}, path)
    try:
        if sha256 is not None:
            with opened(path, Kind("archive", _MOST_BYTES, DataError)) as (file, _):
                if hashlib.file_digest(cast(Any, file), "sha256").hexdigest() != sha256:
                    raise DataError(f"{path} is not the published {ARCHIVE}: its SHA-256 is another; download it again")
        with tarfile.open(path, "r:gz") as archive:
            return _joined({name: _member(archive, name, path) for name in (*TRAIN, TEST)}, path)
    except (OSError, tarfile.TarError, EOFError, zlib.error) as error:
        raise DataError(
            f"{path} cannot be read as {ARCHIVE} ({error}): give the binary archive, not the one of pickles"
        ) from error


def _bytes(folder: Path, name: str) -> bytes:
    file = folder / name
    if not is_file(file):
        raise DataError(
            f"{file} is missing: the folder holds {FOLDER} of {ARCHIVE}, six .bin files; pickles are not read"
        )
    return read_bytes(file, Kind("file of CIFAR-10", RECORD * _MOST_RECORDS, DataError))


def _member(archive: tarfile.TarFile, name: str, path: Path) -> bytes:
    try:
        found = archive.getmember(f"{FOLDER}/{name}")
    except KeyError as error:
        raise DataError(
            f"{path} holds no {FOLDER}/{name}: give the binary archive {ARCHIVE}, not the one of pickles"
        ) from error
    opened = archive.extractfile(found) if found.isreg() and found.size <= RECORD * _MOST_RECORDS else None
    if opened is None:
        raise DataError(
            f"{FOLDER}/{name} in {path} is no file of at most {_MOST_RECORDS:,} records: it is another archive"
        )
    return opened.read()


def _joined(files: dict[str, bytes], path: Path) -> tuple[Images, Images]:
    train = [_records(files[name], f"{path}: {name}") for name in TRAIN]
    images, labels = (np.concatenate(each) for each in zip(*train, strict=True))
    return (images, labels), _records(files[TEST], f"{path}: {TEST}")


def _records(raw: bytes, where: str) -> Images:
    if not raw or len(raw) % RECORD:
        raise DataError(
            f"{where} has {len(raw):,} bytes, which is no whole number of records of {RECORD:,}: it was cut"
        )
    rows = np.frombuffer(raw, np.uint8).reshape(-1, RECORD)
    if int(rows[:, 0].max()) > 9:
        raise DataError(f"{where} has a label of {int(rows[:, 0].max())}, but CIFAR-10 has 0 to 9")
    return rows[:, 1:].reshape(-1, 3, 32, 32).copy(), rows[:, 0].astype(np.int64)
