"""IDX files: what was written is read, and a hostile file costs a sentence, not memory."""

from __future__ import annotations

import gzip
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from spikeledger.datasets.idx import read_idx
from spikeledger.errors import DataError


def idx(*dimensions: int, body: bytes = b"", magic: bytes | None = None) -> bytes:
    magic = bytes([0, 0, 8, len(dimensions)]) if magic is None else magic
    return magic + struct.pack(f">{len(dimensions)}I", *dimensions) + body


@given(arrays(np.uint8, array_shapes(max_dims=4, max_side=6)), st.booleans())
def test_what_was_written_is_read(tmp_path_factory, values, zipped):
    path = tmp_path_factory.mktemp("idx") / "file"
    raw = idx(*values.shape, body=values.tobytes())
    path.write_bytes(gzip.compress(raw, 1) if zipped else raw)
    np.testing.assert_array_equal(read_idx(path), values)


GOOD = idx(3, 4, body=bytes(range(12)))
ZIPPED = gzip.compress(GOOD)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is cut short"),
        (b"\x00\x00", "is cut short"),
        (b"<html>", "is not an IDX file of unsigned bytes: it begins with 3c 68 74 6d, not 00 00 08"),
        (b"\x80\x04\x95pickle", "is not an IDX file"),
        (idx(2, body=bytes(8), magic=bytes([0, 0, 13, 1])), "is not an IDX file of unsigned bytes"),
        (bytes([0, 0, 8, 0]), "is not an IDX file"),
        (bytes([0, 0, 8, 3, 0, 0]), "is cut short"),
        (bytes([0, 0, 8, 255]) + b"\xff" * 1020, "in its header that it holds"),
        (idx(*[2**32 - 1] * 8), "more than fit in its 36 bytes"),
        (idx(0, 28, 28), "holds 0x28x28 values: it is corrupt"),
        (GOOD[:-1], "more than fit in its 23 bytes"),
        (GOOD + b"x", "holds more than the 24 bytes of its header"),
        (ZIPPED[:-9], "is cut short"),
        (ZIPPED[:12], "is cut short"),
        (ZIPPED[:2], "is cut short"),
        (ZIPPED[:-8] + bytes(8), "is not a sound gzip file"),
        (ZIPPED[:11] + b"\xff\xff" + ZIPPED[13:], "is not a sound gzip file"),
        (gzip.compress(GOOD[:-1]), "is cut short"),
        (gzip.compress(GOOD + b"x"), "holds more than the 24 bytes"),
        (gzip.compress(idx(2**31 - 1)), "more than fit in its"),
        (gzip.compress(idx(*[2**32 - 1] * 8)), "more than fit in its"),
    ],
)
def test_a_file_that_cannot_be_trusted_is_refused(tmp_path, content, told):
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(DataError) as error:
        read_idx(path)
    text = str(error.value)
    assert told in text and str(path) in text and "\n" not in text and len(text) < 400


def test_a_bomb_is_refused_in_bounded_memory(tmp_path):
    path = tmp_path / "bomb.gz"
    with gzip.open(path, "wb", 9) as file:  # 64 MiB of zeros in 64 kB, behind a header of ten bytes
        file.write(idx(10))
        for _ in range(64):
            file.write(bytes(2**20))
    for shape in (None, (10,), (60_000, 28, 28)):
        tracemalloc.start()
        with pytest.raises(DataError):
            read_idx(path, shape=shape)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 2 * 2**20


def test_the_wrong_shape_and_the_wrong_sum_are_told(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(GOOD)
    with pytest.raises(DataError, match="holds 3x4 values, not 60000x28x28"):
        read_idx(path, shape=(60_000, 28, 28))
    with pytest.raises(DataError, match="is not the published file: the SHA-256 of its unzipped bytes is"):
        read_idx(path, sha256="0" * 64)


@pytest.mark.parametrize("path", ["nothing", "."])
def test_what_is_no_file_is_told(tmp_path: Path, path: str):
    with pytest.raises(DataError, match=r"there is no IDX file|it is no file, but a folder"):
        read_idx(tmp_path / path)
