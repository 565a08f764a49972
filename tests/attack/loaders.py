"""Everything that the package reads: whole files, how they are damaged, and what a user does with what was read."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch

import spikeledger as sl
from attack.mutations import damaged, recoded, revalued, reworded
from spikeledger.activity import Activity
from spikeledger.cli import show
from spikeledger.cli.folders import unfinished
from spikeledger.cli.record import _array
from spikeledger.datasets import cifar, flowers
from spikeledger.datasets.events import framed
from spikeledger.datasets.idx import read_idx
from spikeledger.datasets.randman import load_randman, randman
from spikeledger.kernels import costs
from spikeledger.live.networks import compared
from spikeledger.search.plan import read_search
from spikeledger.search.running import read_search_folder
from spikeledger.trials.runner import read_plan
from spikeledger.trials.store import Store
from spikeledger.trials.study import read_study

Files = dict[str, bytes]
Damage = Callable[[Random, Files], Files]


@dataclass(frozen=True)
class Loader:
    """One kind of file, or of folder.

    Attributes:
        whole: good files, made once.
        damage: takes good files apart.
        read: reads what lies in a folder and uses it.
    """

    whole: Callable[[], list[Files]]
    damage: Damage
    read: Callable[[Path], object]
    needs: str = ""  # a package that may not be there
    share: int = 4  # of the files of an attack: the quicker it reads, the more


def every(damage: Callable[[Random, bytes], bytes]) -> Damage:
    """Damage to one of the files."""

    def one(draw: Random, files: Files) -> Files:
        name = draw.choice(sorted(files))
        return {**files, name: damage(draw, files[name])}

    return one


def as_json(draw: Random, content: bytes) -> bytes:
    """JSON with other values, other words or other bytes."""
    kind = draw.random()
    if kind < 0.6:
        return json.dumps(revalued(draw, json.loads(content))).encode("utf-8", "surrogatepass")
    return recoded(draw, content)


def as_what_it_is(draw: Random, content: bytes) -> bytes:
    """JSON as values, everything else as bytes."""
    return as_json(draw, content) if content[:1] == b"{" else damaged(draw, content)


# --- activities, ledgers, comparisons


@cache
def network() -> Any:
    return sl.zoo.mlp(5, 4, 3, timesteps=3)


@cache
def activities() -> list[Activity]:
    torch.manual_seed(0)
    small = sl.zoo.build("cnn-s", (1, 8, 8), 2, timesteps=2)
    return [sl.record(network(), torch.rand(3, 5)), sl.record(small, torch.rand(1, 1, 8, 8))]


def saved(save: Callable[[Path], object], name: str) -> bytes:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        save(Path(folder) / name)
        return (Path(folder) / name).read_bytes()


def folder_of(save: Callable[[Path], object]) -> Files:
    """What was written into a folder."""
    import tempfile

    with tempfile.TemporaryDirectory() as place:
        save(Path(place))
        return {
            path.relative_to(place).as_posix(): path.read_bytes() for path in Path(place).rglob("*") if path.is_file()
        }


def rezipped(draw: Random, content: bytes) -> bytes:
    """An activity whose parts are damaged, and whose sums are right again: what lies behind the zip file's own check."""
    if draw.random() < 0.2:
        return damaged(draw, content)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    if draw.random() < 0.65:
        told = parts["meta.npy"]
        start = 10 + struct.unpack("<H", told[8:10])[0]
        meta = json.dumps(revalued(draw, json.loads(told[start:]))).encode("utf-8", "surrogatepass")
        out = io.BytesIO()
        np.save(out, np.frombuffer(meta, np.uint8))
        parts["meta.npy"] = out.getvalue()
    else:
        name = draw.choice(sorted(parts))
        parts[name] = damaged(draw, parts[name][:128]) + parts[name][128:]
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
    return out.getvalue()


def use_activity(path: Path) -> None:
    found = Activity.load(path / "a.npz")
    ledger = sl.price(found, "horowitz-45nm", allow_uncounted=True)
    ledger.to_dict()
    show.activity_summary(found)
    for layer in found.layers:
        found.layer(layer)
    if len(found.layers) < 12:
        sl.account(found, "horowitz-45nm").to_dict() if not found.uncounted else None
        assert found + found is not None


@cache
def told() -> list[Files]:
    """A ledger and a comparison as JSON."""
    ledgers = [sl.price(one, "loihi").to_dict() for one in activities()]
    return [{"a.json": json.dumps(one).encode()} for one in [*ledgers, comparison()]]


@cache
def comparison() -> dict[str, Any]:
    from comparisons import small

    return small(timesteps=2, profiles=("loihi", "v100")).to_dict()


def use_json(path: Path) -> None:
    with redirect_stdout(io.StringIO()):
        show.show(path / "a.json", json=False)


def use_ledger(path: Path) -> None:
    sl.Ledger.load(path / "a.json").to_dict()


# --- networks and training runs


def stamped(draw: Random, files: Files) -> Files:
    """A network or a run whose table names the sum of its damaged weights, so that what is behind the sum is reached."""
    table = next(name for name in files if name.endswith(".toml"))
    weights = next(name for name in files if name.endswith(".safetensors"))
    text, payload = files[table].decode(), files[weights]
    if draw.random() < 0.75:
        body, end = text.rpartition("# end\n")[0], "# end\n"
        start = body.index("sha256")
        kept = draw.random() < 0.85
        head, rest = (body[:start], body[start:]) if kept else ("", body)
        first, _, rest = rest.partition("\n") if kept else ("", "", rest)
        text = head + first + "\n" * kept + reworded(draw, rest) + (end if draw.random() < 0.97 else "")
    else:
        size = struct.unpack("<Q", payload[:8])[0]
        kind = draw.random()
        if kind < 0.6:
            inner = json.dumps(revalued(draw, json.loads(payload[8 : 8 + size]))).encode("utf-8", "surrogatepass")
            payload = struct.pack("<Q", len(inner)) + inner + payload[8 + size :]
        elif kind < 0.8:
            payload = payload[: 8 + size] + damaged(draw, payload[8 + size :])
        else:
            payload = damaged(draw, payload)
        text = text.replace(hashlib.sha256(files[weights]).hexdigest(), hashlib.sha256(payload).hexdigest())
    return {table: text.encode("utf-8", "surrogatepass"), weights: payload}


@cache
def networks() -> list[Files]:
    made = [
        network(), sl.zoo.mlp(4, 3, 2, neuron="adaptive", dropout=0.25, encoder="latency", decoder="latency"),
        sl.zoo.mlp(4, 3, 2, neuron="synaptic", reset="zero", refractory=1, encoder="direct"), sl.zoo.twin(network()),
    ]  # fmt: skip
    return [folder_of(lambda place, one=one: sl.save_network(place, one)) for one in made]


@cache
def data() -> Any:
    values, labels = torch.rand(12, 5), torch.arange(12) % 3
    return sl.Dataset.from_arrays("walls", values, labels, values, labels)


@cache
def runs() -> list[Files]:
    return [
        folder_of(
            lambda place: sl.fit(sl.zoo.mlp(5, 4, 3, timesteps=2), data(), epochs=2, checkpoint=place, progress=False)
        ),
        folder_of(
            lambda place: sl.fit(
                sl.zoo.mlp(5, 3, dropout=0.5, neuron="plif"), data(), epochs=1, checkpoint=place, progress=False
            )
        ),
    ]


def use_network(path: Path) -> None:
    found = sl.load_network(path)
    first = next(part for part in found.modules() if isinstance(part, torch.nn.Linear))
    if getattr(found, "timesteps", 1) <= 50:
        with torch.no_grad():
            answers = found(torch.rand(2, first.in_features))
        assert answers.shape[-1] >= 1
        found.train()(torch.rand(2, first.in_features)).sum()


def use_run(path: Path) -> None:
    from spikeledger.training.checkpoints import load_checkpoint

    load_checkpoint(path)
    use_network(path)


def resumed(path: Path) -> None:
    sl.fit(sl.zoo.mlp(5, 4, 3, timesteps=2), data(), epochs=2, checkpoint=path, resume=True, progress=False)


def gone_on(path: Path) -> None:
    """A run of the command that was stopped: what was asked for lies beside it."""
    with unfinished(path, {"epochs": 2, "data": "digits", "seed": 0}, resume=True):
        pass


@cache
def stopped() -> list[Files]:
    asked = json.dumps({"epochs": 2, "data": "digits", "seed": 0}).encode()
    return [{"unfinished/asked.json": asked, **{f"unfinished/net/{name}": each for name, each in runs()[0].items()}}]


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


# --- the rest


@cache
def nir_files() -> list[Files]:
    from spikeledger.networks.nir import write_nir

    chain = torch.nn.Sequential(torch.nn.Linear(3, 2), sl.LIF(0.875, reset="zero"))
    return [{"a.nir": saved(lambda path: write_nir(chain, path, dt=2.0**-10, input_shape=(3,)), "a.nir")}]


def use_nir(path: Path) -> None:
    from spikeledger.networks.nir import read_nir

    found = read_nir(path / "a.nir")
    with torch.no_grad():
        found(torch.rand(2, 1, 3))


def calibration() -> list[Files]:
    kept = {"machine": costs._machine(), "subsets": 1.25, "events": 0.75}
    return [{"spikeledger/calibration.json": json.dumps(kept).encode()}]


def use_calibration(path: Path) -> None:
    import os

    before = os.environ.get("XDG_CACHE_HOME")
    os.environ["XDG_CACHE_HOME"] = str(path)
    try:
        costs.measured.cache_clear()
        found = costs.measured()
        assert all(0 < value < float("inf") for value in vars(found).values() if isinstance(value, float))
    finally:
        os.environ.pop("XDG_CACHE_HOME") if before is None else os.environ.update(XDG_CACHE_HOME=before)
        costs.measured.cache_clear()


@cache
def kept_comparison() -> list[Files]:
    sides = {f"ann/{name}": each for name, each in networks()[3].items()}
    sides |= {f"snn/{name}": each for name, each in networks()[0].items()}
    return [{"comparison.json": json.dumps({"data": "digits"}).encode(), **sides}]


@cache
def weights() -> list[Files]:
    import safetensors.torch

    return [{"a.safetensors": safetensors.torch.save(torch.nn.Linear(3, 2).state_dict())}]


def use_weights(path: Path) -> None:
    from spikeledger.networks.imagenet import load_weights

    load_weights(torch.nn.Linear(3, 2), path / "a.safetensors")


LOADERS: dict[str, Loader] = {
    "activity": Loader(
        lambda: [{"a.npz": saved(one.save, "a.npz")} for one in activities()], every(rezipped), use_activity, share=1
    ),
    "ledger": Loader(lambda: told()[:2], every(as_json), use_ledger),
    "shown": Loader(told, every(as_json), use_json, share=1),
    "network": Loader(networks, stamped, use_network),
    "run": Loader(runs, stamped, use_run, share=1),
    "resumed run": Loader(lambda: runs()[:1], stamped, resumed, share=1),
    "stopped command": Loader(stopped, every(as_what_it_is), gone_on),
    "profile": Loader(profiles, every(recoded), use_profile, share=1),
    "study": Loader(lambda: [{"a.toml": STUDY}], every(recoded), use_study),
    "search": Loader(lambda: [{"a.toml": SEARCH}], every(recoded), use_search),
    "finished trials": Loader(studied, every(as_what_it_is), use_store, share=1),
    "idx": Loader(idx_files, every(unzipped), lambda path: read_idx(path / "a.idx"), share=10),
    "npy": Loader(lambda: list(npy_files()), every(npy_damage), use_npy, share=10),
    "randman": Loader(spike_times, every(damaged), lambda path: load_randman(path, steps=5)),
    "cifar": Loader(cifar_files, every(unzipped), use_cifar, share=10),
    "flowers": Loader(flowers_files, every(unzipped), use_flowers, "PIL", share=10),
    "events": Loader(event_files, every(damaged), use_events, share=10),
    "nir": Loader(nir_files, every(damaged), use_nir, "nir", share=1),
    "calibration": Loader(calibration, every(as_json), use_calibration, share=10),
    "kept comparison": Loader(kept_comparison, every(as_what_it_is), lambda path: compared(path), share=1),
    "weights": Loader(weights, every(damaged), use_weights, share=10),
}  # fmt: skip
