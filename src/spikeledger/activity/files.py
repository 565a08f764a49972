"""An activity as one file: an uncompressed `.npz` with a JSON part; whatever is wrong with it is one sentence."""

from __future__ import annotations

import dataclasses
import io
import json
import math
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..errors import FileFormatError, InputError
from ..reading import Kind, npy_header, opened
from ..writing import write_whole
from .rows import Layer, Tally, Uncounted

_FORMAT = "spikeledger-activity"
_VERSION = 1
_KIND = Kind("activity file", 1 << 40, advice="record one with sl.record(...).save(path)",
             shell="record one with spikeledger record NETWORK --out FILE.npz")  # fmt: skip
#: of one layer in a file: more is no network, and what is worked out of it would leave 64 bits
_MOST_NEURONS = 1 << 42
#: how numbers stand in a file: counts in the fewest bytes that hold them, the rest as bytes
_NUMBERS = tuple(np.dtype(kind) for kind in (np.int64, np.int32, np.int16, np.uint8))
#: fields that stand in a file as they are
_PLAIN = ("samples", "timesteps", "seconds", "producer", "backend", "pooling", "chips")

Account = TypeVar("Account")


def write(fields: Mapping[str, Any], target: Path) -> Path:
    """Write the fields of an account by way of a temporary name."""
    arrays: dict[str, NDArray[Any]] = {}
    tallies = []
    for tally in fields["tallies"].values():
        tallies.append(
            [tally.layer, tally.event, tally.count, f"n{len(arrays)}" if tally.per_neuron is not None else ""]
        )
        if tally.per_neuron is not None:
            arrays[f"n{len(arrays)}"] = tally.per_neuron
    rows: dict[str, dict[str, str]] = {"spikes_per_step": {}, "rasters": {}, "fan_outs": {}}
    for kind, book in rows.items():
        for name, row in fields[kind].items():
            book[name] = f"n{len(arrays)}"
            arrays[f"n{len(arrays)}"] = row
    meta = {
        "format": _FORMAT, "version": _VERSION, **{name: fields[name] for name in _PLAIN},
        "layers": [dataclasses.asdict(layer) for layer in fields["layers_by_name"].values()],
        "tallies": tallies, "uncounted": [dataclasses.asdict(item) for item in fields["uncounted"]],
        "nonzero_activations": dict(fields["nonzero_activations"]), **rows,
    }  # fmt: skip
    arrays = {name: _narrow(row) for name, row in arrays.items()}
    arrays["meta"] = np.frombuffer(json.dumps(meta).encode(), np.uint8)
    return write_whole(target, lambda file: np.savez(file, allow_pickle=False, **arrays))


def _narrow(row: NDArray[Any]) -> NDArray[Any]:
    """The same counts in the fewest bytes a number that hold them: a file of many neurons is a quarter as large."""
    if row.dtype == np.int64 and row.size:
        low, high = int(row.min()), int(row.max())
        for kind in (np.int16, np.int32):
            if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max:
                return row.astype(kind)
    return row


def read(source: Path, build: Callable[..., Account]) -> Account:
    """Read an account that `write` wrote: `build` makes it from its fields, and may refuse them."""
    try:
        with opened(source, _KIND) as (file, length):
            content = _read(file, length)
        return build(**content)
    except FileFormatError:
        raise
    except (
        OSError, ValueError, KeyError, IndexError, TypeError, AttributeError, EOFError, OverflowError, MemoryError,
        RuntimeError, SyntaxError, zipfile.BadZipFile, InputError,
    ) as error:  # fmt: skip
        said = str(error) or type(error).__name__
        raise FileFormatError(f"'{source}' is no whole activity file ({said}): record it again") from error


def _read(file: IO[bytes], length: int) -> dict[str, Any]:
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        if any(item.compress_type != zipfile.ZIP_STORED for item in members):
            raise ValueError("it is compressed, which this format never is")
        if sum(item.file_size for item in members) > length:
            raise ValueError("its parts are longer than the file")
        arrays = {item.filename.removesuffix(".npy"): _array(archive.read(item)) for item in members}
    meta = json.loads(arrays["meta"].tobytes().decode())
    if meta.get("format") != _FORMAT:
        raise ValueError("it says that it is something else")
    if meta["version"] != _VERSION:
        raise ValueError(f"it has version {meta['version']} and this release reads version {_VERSION}")
    layers = {row["name"]: _layer(row) for row in meta["layers"]}
    tallies: dict[tuple[str, str], Tally] = {}
    for layer, event, count, key in meta["tallies"]:
        if (layer, event) in tallies:
            raise ValueError(f"it counts '{event}' of layer '{layer}' twice")
        rows = arrays[key] if key else None
        if rows is not None and not layers[layer].weighted and rows.size != math.prod(layers[layer].shape):
            raise ValueError(f"'{event}' of layer '{layer}' has {rows.size} neurons and not {layers[layer].shape}")
        tallies[layer, event] = Tally(layer, event, _number(int, count), rows)
    for (layer, event), tally in tallies.items():
        every = tallies.get((layer, "neuron_update"))
        if event == "active_update" and (every is None or tally.count > every.count):
            raise ValueError(f"layer '{layer}' has more active updates than updates")
    seconds = meta["seconds"]
    if seconds is not None and _number(float, seconds) < 0:
        raise ValueError(f"it took {seconds} seconds")
    return dict(
        layers_by_name=layers, tallies=tallies, samples=_number(int, meta["samples"]),
        timesteps=_number(int, meta["timesteps"]), uncounted=tuple(_uncounted(row) for row in meta["uncounted"]),
        spikes_per_step={name: _rows(arrays[key], np.int64, 1) for name, key in meta["spikes_per_step"].items()},
        rasters={name: _rows(arrays[key], np.uint8, 2) for name, key in meta["rasters"].items()},
        fan_outs={name: _rows(arrays[key], np.int64, None) for name, key in meta.get("fan_outs", {}).items()},
        nonzero_activations={
            _text(name): _number(int, count) for name, count in meta.get("nonzero_activations", {}).items()
        },
        seconds=seconds, producer=_text(meta["producer"]),
        backend=_text(meta["backend"]), pooling=_text(meta["pooling"]), chips=_number(int, meta.get("chips", 1)),
    )  # fmt: skip


def _array(member: bytes) -> NDArray[Any]:
    """One .npy of the file, over its own bytes: a header that promises more than there is allocates nothing."""
    file = io.BytesIO(member)
    shape, by_column, dtype = npy_header(file)
    if dtype not in _NUMBERS or by_column:
        raise ValueError(f"an array in it holds {dtype}, which this format never does")
    found = np.frombuffer(member, dtype, offset=file.tell()).reshape(shape)
    return found.copy() if dtype == np.uint8 else found.astype(np.int64)


def _layer(row: dict[str, Any]) -> Layer:
    pools = tuple(_text(name) for name in row.get("pools", ()))
    layer = Layer(**{**row, "shape": tuple(_number(int, size) for size in row["shape"]), "pools": pools})
    for size in (
        layer.outputs,
        layer.synapses,
        layer.parameters,
        layer.nonzero_parameters,
        layer.weights,
        layer.nonzero_weights,
        layer.state,
    ):
        _number(int, size)
    _number(float, layer.magnitude)
    if max(math.prod(layer.shape), layer.outputs) > _MOST_NEURONS:
        raise ValueError(
            f"layer '{layer.name}' has {layer.shape} neurons or {layer.outputs} outputs: more than any network"
        )
    if layer.inputs not in ("silent", "spikes", "graded", "") or not isinstance(layer.spiking, bool):
        raise ValueError(f"layer '{layer.name}' has inputs {layer.inputs!r} and spiking {layer.spiking!r}")
    for text in (layer.name, layer.operator, layer.source):
        _text(text)
    return layer


def _uncounted(row: dict[str, Any]) -> Uncounted:
    item = Uncounted(**row)
    _number(int, item.calls)
    return Uncounted(_text(item.layer), _text(item.operator), _text(item.reason), item.calls)


def _number(kind: type, value: Any) -> Any:
    """A number of at least 0 that int64 or a finite float can hold; the magnitude of spikes may be below 0."""
    kinds = (int,) if kind is int else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds) or not -(2.0**63) < value < 2.0**63:
        raise ValueError(f"{value!r:.40} stands where a number belongs")
    if kind is int and value < 0:
        raise ValueError(f"{value} stands where a count belongs")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r:.40} stands where a name belongs")
    return value


def _rows(array: NDArray[Any], dtype: type, axes: int | None) -> NDArray[Any]:
    if array.dtype != dtype or (axes is not None and array.ndim != axes) or (array.size and int(array.min()) < 0):
        raise ValueError(f"a row of {array.dtype} with {array.ndim} axes stands where counts by step belong")
    return array
