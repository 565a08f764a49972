"""What the package wrote: activities, ledgers, comparisons, networks, runs."""

from __future__ import annotations

import hashlib
import io
import json
import struct
import zipfile
from contextlib import redirect_stdout
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch

import spikeledger as sl
from attack.kinds import Files, folder_of
from attack.mutations import damaged, revalued, reworded
from spikeledger.activity import Activity
from spikeledger.cli import show
from spikeledger.cli.folders import unfinished

# --- activities, ledgers, comparisons


@cache
def network() -> Any:
    return sl.zoo.mlp(5, 4, 3, timesteps=3)


@cache
def activities() -> list[Activity]:
    torch.manual_seed(0)
    small = sl.zoo.build("cnn-s", (1, 8, 8), 2, timesteps=2)
    return [sl.record(network(), torch.rand(3, 5)), sl.record(small, torch.rand(1, 1, 8, 8))]


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
