"""What a user brings: profiles, studies, searches and data sets."""

from __future__ import annotations

import gzip
import io
import json
import struct
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch

import spikeledger as sl
from attack.kinds import Files, folder_of
from attack.mutations import damaged, reworded
from attack.results import activities
from spikeledger.cli.record import _array
from spikeledger.datasets import cifar, flowers
from spikeledger.datasets.events import framed
from spikeledger.datasets.randman import randman
from spikeledger.search.plan import read_search
from spikeledger.search.running import read_search_folder
from spikeledger.trials.runner import read_plan
from spikeledger.trials.store import Store
from spikeledger.trials.study import read_study

# --- profiles and devices


@cache
def profiles() -> list[Files]:
    place = Path(sl.__file__).parent / "hardware" / "profiles"
    names = ("horowitz-45nm", "loihi", "spinnaker", "published-exercise-001")
    return [{"a.toml": (place / f"{name}.toml").read_bytes()} for name in names]


@cache
def mapped() -> Any:
    return sl.map(sl.zoo.mlp(5, 4, 3, timesteps=2, encoder="direct"), torch.rand(2, 5))


def use_profile(path: Path) -> None:
    found = sl.load_profile(path / "a.toml")
    ledger = sl.price(activities()[0], found)
    json.dumps(ledger.to_dict(), allow_nan=False)
    sl.sensitivity(ledger)
    if found.core is not None:
        sl.fits(mapped(), found)
        sl.place(mapped(), found)


# --- studies and searches

OWN = (
    "def own(work, *, x: float = 0.5, width: int = 4, kind: str = 'a', seed: int = 0, sizes: list[int] | None = None):\n"
    "    return {'accuracy': x, 'joules': {'loihi': width}}\n"
)
STUDY = b"""name = "walls"
title = "how wide"
experiment = "own.py:own"
[settings]
x = [0.25, 0.5]
seed = [0, 1]
[[trials]]
width = 8
kind = ["a", "b"]
[[trials]]
width = 16
"""
SEARCH = b"""title = "a formula"
experiment = "own.py:own"
[settings]
seed = 3
[space]
x = { low = 0.0, high = 1.0 }
kind = ["a", "b"]
width = { low = 4, high = 64, log = true }
[search]
maximise = ["accuracy"]
minimise = ["joules.loihi"]
constraints = ["joules.loihi <= 30"]
sampler = "nsga2"
trials = 32
round = 8
confirm = 2
"""


def use_study(path: Path) -> None:
    (path / "own.py").write_text(OWN)
    trials = read_study(path / "a.toml").trials
    assert len({trial.key for trial in trials}) == len(trials)


def use_search(path: Path) -> None:
    (path / "own.py").write_text(OWN)
    plan = read_search(path / "a.toml")
    assert plan.identity


@cache
def studied() -> list[Files]:
    """Folders of a study and of a search that were run."""
    from spikeledger.search.running import run_search
    from spikeledger.trials.runner import run

    def study(place: Path) -> None:
        (place / "own.py").write_text(OWN)
        (place / "a.toml").write_bytes(STUDY)
        run(place / "a.toml", place / "out")

    def search(place: Path) -> None:
        (place / "own.py").write_text(OWN)
        (place / "a.toml").write_bytes(SEARCH.replace(b"32", b"4").replace(b"round = 8", b"round = 2"))
        run_search(place / "a.toml", place / "out")

    made = []
    for make in (study, search):
        files = folder_of(make)
        made.append({name.removeprefix("out/"): each for name, each in files.items() if name.startswith("out/")})
    return [{name: each for name, each in files.items() if name.endswith(".json") or name == "id"} for files in made]


def use_store(path: Path) -> None:
    store = Store(path, make=False)
    for key in store.rows:
        store.kept(key)
        assert isinstance(store.rows[key].single, dict)
    store.failures()
    for read in (read_plan, read_search_folder):
        with suppress(sl.errors.SpikeLedgerError):
            read(path)


# --- data sets


@cache
def idx_files() -> list[Files]:
    raw = struct.pack(">BBBBIII", 0, 0, 8, 3, 4, 5, 5) + bytes(range(100))
    return [{"a.idx": raw}, {"a.idx": gzip.compress(raw, mtime=0)}]


def npy_files() -> Iterator[Files]:
    for dtype in ("<f4", ">f8", "|b1", "<i2"):
        out = io.BytesIO()
        np.save(out, (np.arange(60).reshape(3, 4, 5) % 2).astype(dtype))
        yield {"a.npy": out.getvalue()}


def npy_damage(draw: Random, content: bytes) -> bytes:
    """Mostly the header, kept as long as it says."""
    if draw.random() < 0.3:
        return damaged(draw, content)
    head = reworded(draw, content[10:128].decode("latin1")).encode("utf-8", "surrogatepass")
    return content[:8] + struct.pack("<H", len(head) & 0xFFFF) + head + content[128:]


def use_npy(path: Path) -> None:
    found = _array(path / "a.npy", 1, None)
    if found.size < 10_000:
        torch.from_numpy(np.ascontiguousarray(found))


@cache
def spike_times() -> list[Files]:
    return [folder_of(lambda place: randman(classes=2, samples=3, units=4, dimensions=1, steps=5).save(place))]


def record_of(label: int) -> bytes:
    return bytes([label]) + bytes(3072)


@cache
def cifar_files() -> list[Files]:
    names = [f"{cifar.FOLDER}/{name}" for name in (*cifar.TRAIN, cifar.TEST)]
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz", compresslevel=1) as archive:
        for label, name in enumerate(names):
            content = record_of(label)
            about = tarfile.TarInfo(name)
            about.size = len(content)
            archive.addfile(about, io.BytesIO(content))
    return [{"a.tar.gz": out.getvalue()}, {name: record_of(3) for name in names}]


def unzipped(draw: Random, content: bytes) -> bytes:
    """Damage inside a gzip file, whose sum is right again; or of the file itself."""
    if content[:2] != b"\x1f\x8b" or draw.random() < 0.3:
        return damaged(draw, content)
    inner = zlib.decompress(content, 31)
    if len(inner) >= 512 and draw.random() < 0.6:  # the head of one of tar's members
        at = 512 * draw.randrange(len(inner) // 512)
        inner = inner[:at] + damaged(draw, inner[at : at + 512]) + inner[at + 512 :]
    else:
        inner = damaged(draw, inner)
    return gzip.compress(inner, 1, mtime=0)


def use_cifar(path: Path) -> None:
    if (path / "a.tar.gz").exists():
        cifar.read_cifar(path / "a.tar.gz", sha256=None)
    else:
        cifar.read_cifar(path / cifar.FOLDER)


@cache
def flowers_files() -> list[Files]:
    from PIL import Image
    from scipy.io import savemat

    picture, labels, split = io.BytesIO(), io.BytesIO(), io.BytesIO()
    Image.new("RGB", (40, 30), (200, 10, 60)).save(picture, "JPEG")
    savemat(labels, {"labels": np.array([[1, 2, 3]], np.uint8)})
    savemat(split, {"trnid": np.array([[1, 2]]), "valid": np.array([[3]]), "tstid": np.array([[2]])})
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz", compresslevel=1) as archive:
        for number in (1, 2, 3):
            about = tarfile.TarInfo(f"jpg/image_{number:05d}.jpg")
            about.size = len(picture.getvalue())
            archive.addfile(about, io.BytesIO(picture.getvalue()))
    lists = {flowers.LABELS: labels.getvalue(), flowers.SPLIT: split.getvalue()}
    loose = {f"jpg/image_{number:05d}.jpg": picture.getvalue() for number in (1, 2)}
    return [{**lists, flowers.ARCHIVE: out.getvalue()}, {**lists, **loose}, lists | loose]


def use_flowers(path: Path) -> None:
    flowers.read_flowers(path, "train", size=16)


@cache
def event_files() -> list[Files]:
    events = np.zeros(6, [("x", "<i2"), ("y", "<i2"), ("t", "<i8"), ("p", "<i8")])
    events["x"], events["y"], events["t"], events["p"] = [0, 1, 2, 3, 1, 0], [0, 1, 1, 2, 0, 2], range(6), [0, 1] * 3
    return [{"a.bin": events.tobytes()}]


def use_events(path: Path) -> None:
    kind = np.dtype([("x", "<i2"), ("y", "<i2"), ("t", "<i8"), ("p", "<i8")])
    content = (path / "a.bin").read_bytes()
    events = np.frombuffer(content[: len(content) // kind.itemsize * kind.itemsize], kind)
    framed(events, (4, 3, 2), 5)
    framed(events[["x", "t"]], (4, 1, 1), 5)
