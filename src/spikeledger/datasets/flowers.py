"""Flowers-102 as its authors published it: an archive of JPEGs, and two MATLAB files with the labels and the split.

`jpg/image_00001.jpg` to `08189.jpg`; `imagelabels.mat` has the labels 1 to 102, `setid.mat` the numbers of the images to
train (`trnid`, 1,020), to validate (`valid`, 1,020) and to test (`tstid`, 6,149). Some repositories swap the last with the
first for more training images: here they are the authors' own, and it is said (M.-E. Nilsback, A. Zisserman, "Automated
flower classification over a large number of classes", ICVGIP 2008).
"""

from __future__ import annotations

import io
import os
import tarfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from ..arguments import checked
from ..errors import DataError, InputError, unknown_name
from ..reading import Kind, is_file, read_bytes
from .files import DATA_FOLDER_VARIABLE
from .matlab import read_numbers

ARCHIVE: Final = "102flowers.tgz"
LABELS: Final = "imagelabels.mat"
SPLIT: Final = "setid.mat"
#: MD5 as the field has used them; the archive is not checked against a sum that nobody here has seen
MD5: Final = {
    ARCHIVE: "52808999861908f626f3c1f4e79d11fa", LABELS: "e0620be6f572b9609742df49c70aed4d",
    SPLIT: "a5357ecc9cb78c4bef273ce3793fc85c",
}  # fmt: skip
#: pictures of each part, as published
SIZES: Final = {"train": 1020, "validation": 1020, "test": 6149}
PARTS: Final = {"train": "trnid", "validation": "valid", "test": "tstid"}
Part = Literal["train", "validation", "test"]
_MOST_PIXELS = 1 << 24  # of one picture
_MOST_BYTES = 1 << 24  # of one JPEG
_PICTURE = Kind("picture of Flowers-102", _MOST_BYTES, DataError, "put the archive there")


def find_flowers(root: str | Path | None = None) -> Path:
    """The folder that holds the labels: `root` or `SPIKELEDGER_DATA`, or `flowers-102` in it.

    Raises:
        DataError: there is none.
    """
    given = root or os.environ.get(DATA_FOLDER_VARIABLE)
    for folder in () if given is None else (Path(given), Path(given) / "flowers-102"):
        if is_file(folder / LABELS):
            return folder
    raise DataError(
        f"Flowers-102 was not found{f' in {given}' if given else ''}: put {ARCHIVE}, {LABELS} and {SPLIT} into a folder "
        f"and name it by {DATA_FOLDER_VARIABLE}"
    )


@checked
def read_flowers(
    folder: str | Path, part: Part, *, size: int = 224, most: int | None = None
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Images uint8 `[N, 3, size, size]` and labels 0 to 101 of one part of the authors' split.

    The shorter side of a picture is scaled to `size * 8 / 7` (256 for 224) and the middle is cut out, as torchvision's
    networks were tested. Members of the archive are read by their exact names; nothing is unpacked.

    Args:
        folder: holds the archive (or the folder `jpg`), `imagelabels.mat` and `setid.mat`.
        most: so many images at most, from the first on.

    Raises:
        DataError: a file that is missing, cut or of another kind.
        InputError: another part, or images of no size, or none of them.
    """
    if part not in PARTS:
        raise unknown_name("part of Flowers-102", part, PARTS)
    if size < 1 or (most is not None and most < 1):
        raise InputError(f"images of size {size}, at most {most}, were asked for, but both must be at least 1")
    folder = Path(folder)
    labels = _numbers(folder / LABELS, "labels")
    chosen = _numbers(folder / SPLIT, PARTS[part])[:most]
    if chosen.min() < 1 or chosen.max() > len(labels) or labels.min() < 1:
        raise DataError(f"{folder / SPLIT} names images 1 to {chosen.max()}, but {LABELS} has labels for {len(labels)}")
    images = np.stack([_picture(raw, name, size) for name, raw in _jpegs(folder, chosen.tolist())])
    return images, labels[chosen - 1] - 1


def _numbers(path: Path, name: str) -> NDArray[np.int64]:
    values = read_numbers(path, name)
    if not values.size or not bool(((values >= 0) & (values < 1 << 31)).all()):
        raise DataError(f"'{name}' in {path} holds no numbers of labels or images: it is another file")
    return values.astype(np.int64)


def _jpegs(folder: Path, numbers: Iterable[int]) -> Iterable[tuple[str, bytes]]:
    names = [f"jpg/image_{number:05d}.jpg" for number in numbers]
    archive = folder / ARCHIVE
    try:
        if not is_file(archive):
            for name in names:
                yield name, read_bytes(folder / name, _PICTURE)
            return
        with tarfile.open(archive, "r:gz") as opened:
            held: dict[str, bytes] = {}
            wanted = set(names)
            for member in opened:  # in the order of the archive: going back in a gzip stream starts again
                if member.name in wanted and member.isreg() and member.size <= _MOST_BYTES:
                    file = opened.extractfile(member)
                    held[member.name] = b"" if file is None else file.read()
        for name in names:
            if name not in held:
                raise DataError(f"{archive} holds no picture {name}: it is another archive")
            yield name, held[name]
    except (OSError, tarfile.TarError, EOFError, zlib.error) as error:
        raise DataError(
            f"the pictures of Flowers-102 cannot be read in {folder} ({error}): put {ARCHIVE} there"
        ) from error


def _picture(raw: bytes, name: str, size: int) -> NDArray[np.uint8]:
    from PIL import Image

    try:
        with Image.open(io.BytesIO(raw), formats=("JPEG",)) as picture:
            if picture.width * picture.height > _MOST_PIXELS:
                raise DataError(f"{name} has {picture.width} x {picture.height} pixels, more than any of Flowers-102")
            found: Any = picture.convert("RGB")
    except (OSError, ValueError, SyntaxError) as error:
        raise DataError(f"{name} is no JPEG that can be read ({error})") from error
    scale = size * 8 / 7 / min(found.size)
    wide, high = (max(size, round(side * scale)) for side in found.size)
    found = found.resize((wide, high), Image.Resampling.BILINEAR)
    left, top = (wide - size) // 2, (high - size) // 2
    found = found.crop((left, top, left + size, top + size))
    return np.asarray(found, np.uint8).transpose(2, 0, 1)
