"""Networks and training runs on disk: weights as safetensors, the rest as a small TOML file; reading runs no code.

A folder holds `network.toml` or `checkpoint.toml` and the one safetensors file that it names. The name holds the
weights' SHA-256 and the TOML file is replaced last, so that whatever happens in between, the two belong together.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import tomli_w
import torch
from torch import Tensor, nn

from ..errors import FileFormatError, InputError
from ..networks import zoo
from ..networks.spiking import SpikingNetwork
from ..reading import Kind, is_file, read_bytes, read_text, toml
from ..writing import closed, write_whole
from .history import EnergyReading, Epoch, best_of
from .passes import Pass

VERSION = 1
#: what is told of an epoch that is not finished
_SUMS: dict[str, type] = {"done": int, "loss": float, "penalty": float, "right": int, "seen": int}
#: larger files are refused unread: no TOML file of ours, and no weights that one machine trains
_TABLE = Kind("table", 4 * 2**20)
_WEIGHTS = Kind("file of weights", 16 * 2**30)
MOST_TIMESTEPS = 1_000_000
#: what the tensors of a conversion are called by, besides those of the network that came of it
_CONVERSION = "conversion/"
#: the last line of a table: without it a table that was cut between two epochs would read as a shorter run
END = "# end\n"

#: what a wrong or hostile table makes the code that reads it raise
_WRONG = (
    OSError, ValueError, KeyError, TypeError, AttributeError, IndexError, RuntimeError, OverflowError, RecursionError,
    MemoryError, safetensors.SafetensorError, FileFormatError,
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A training run after some epochs: enough to go on to the same figures as if it had never stopped.

    Random numbers of a whole epoch are not in it: they follow from the seed and the epoch's number.
    """

    weights: Mapping[str, Tensor]  # the network's state after the last epoch
    best: Mapping[str, Tensor]  # and after the best one
    optimizer: Mapping[str, Tensor]  # "number of the parameter/name of its state" -> state
    history: tuple[Epoch, ...]
    settings: Mapping[str, Any]  # what has to be the same when the run goes on
    spec: Mapping[str, Any] | None = None  # how the zoo built the network
    passing: Pass = field(default_factory=Pass)  # how far the epoch after the last has come

    @property
    def epoch(self) -> int:
        """Epochs that were finished."""
        return len(self.history)

    @property
    def best_epoch(self) -> int:
        """The epoch that `best` is from; 0 if none was finished."""
        return best_of(self.history)


def save_checkpoint(folder: str | os.PathLike[str], checkpoint: Checkpoint) -> Path:
    """Write a run to `folder/checkpoint.toml` and the safetensors file beside it; returns the folder.

    Raises:
        InputError: the folder cannot be written to.
    """
    tensors = {f"weights/{name}": tensor for name, tensor in checkpoint.weights.items()}
    tensors |= {f"best/{name}": tensor for name, tensor in checkpoint.best.items()}
    tensors |= {f"optimizer/{name}": tensor for name, tensor in checkpoint.optimizer.items()}
    rows = [_plain(asdict(row)) for row in checkpoint.history]
    table: dict[str, Any] = {"settings": dict(checkpoint.settings), "history": rows}
    if checkpoint.passing.done:
        passing = checkpoint.passing
        table["passing"] = {name: getattr(passing, name) for name in _SUMS}
        tensors |= {f"random/{name}": tensor for name, tensor in passing.random.items()}
    return _write(Path(folder), "checkpoint", {**table, **_network_table(checkpoint.spec)}, tensors)


def load_checkpoint(folder: str | os.PathLike[str]) -> Checkpoint:
    """Read what `save_checkpoint` wrote; executes nothing and allocates no more than the files are long.

    Raises:
        FileFormatError: missing, cut, changed, hostile or of another kind.
    """
    table, tensors = _read(Path(folder), "checkpoint")
    try:
        optional = dict.fromkeys(("validation_accuracy", "spike_rate", "joules_per_sample", "penalty"))
        history = tuple(Epoch(**{**optional, **row, "reading": _reading(row)}) for row in table["history"])
        if [row.number for row in history] != list(range(1, len(history) + 1)):
            raise ValueError("its epochs are not numbered one by one")
        for row in history:
            numbers = [value for name, value in asdict(row).items() if value is not None and name != "reading"]
            if not all(type(value) in (int, float) for value in numbers):
                raise ValueError(f"epoch {row.number} holds something that is not a number")
        parts: dict[str, dict[str, Tensor]] = {"weights": {}, "best": {}, "optimizer": {}, "random": {}}
        for name, tensor in tensors.items():
            part, _, rest = name.partition("/")
            parts[part][rest] = tensor
        passing = _passing(table.get("passing"), parts.pop("random"))
        return Checkpoint(
            **parts, history=history, settings=dict(table["settings"]), spec=table.get("network"), passing=passing
        )
    except _WRONG as error:
        raise _damaged(Path(folder), "checkpoint", error) from error


def _passing(told: Any, random: Mapping[str, Tensor]) -> Pass:
    """How far an epoch has come, by what the table tells of it."""
    if told is None:
        return Pass()
    if sorted(told) != sorted(_SUMS):
        raise ValueError("it does not say how far its epoch has come")
    for name, kind in _SUMS.items():
        if type(told[name]) is not kind or not 0 <= abs(told[name]) < 1e300 or (kind is int and told[name] < 0):
            raise ValueError(f"its unfinished epoch has a {name} that is not a number")
    if not 0 < told["done"] <= told["seen"]:
        raise ValueError("it has begun an epoch and seen nothing")
    return Pass(**told, random=random)


def has_checkpoint(folder: str | os.PathLike[str]) -> bool:
    """Whether a run was saved there."""
    return is_file(Path(folder) / "checkpoint.toml")


def save_network(folder: str | os.PathLike[str], network: nn.Module) -> Path:
    """Write a network of the zoo, its twin, or a converted one with what is known of its conversion, to
    `folder/network.toml` and the safetensors file beside it.

    Raises:
        InputError: the network is not described by plain values, or the folder cannot be written to.
    """
    spec = spec_of(network)
    if spec is None:
        raise InputError(
            f"{type(network).__name__} was put together from objects, which a file cannot describe: build it with "
            "sl.zoo by names, or save its state_dict() with safetensors"
        )
    table, tensors = _network_table(spec), network.state_dict()
    conversion = getattr(network, "conversion", None) if isinstance(network, SpikingNetwork) else None
    if conversion is not None:
        from ..conversion.files import told

        table["conversion"], more = told(conversion)
        tensors |= {_CONVERSION + name: tensor for name, tensor in more.items()}
    return _write(Path(folder), "network", table, tensors)


def load_network(folder: str | os.PathLike[str]) -> nn.Module:
    """The network that `save_network` wrote or that `fit(..., checkpoint=folder)` trained, in evaluation mode.

    Of a training run these are the best weights.

    Raises:
        FileFormatError: missing, cut, changed, hostile or of another kind.
    """
    place = Path(folder)
    if is_file(place):
        raise FileFormatError(
            f"'{place}' is a file, and a network is a folder that sl.save_network wrote: weights alone go into a network that "
            "you build, network.load_state_dict(torch.load(path, weights_only=True))"
        )
    if is_file(place / "network.toml") or not has_checkpoint(place):
        kind = "network"
        table, weights = _read(place, kind)
        spec = table.get("network")
    else:
        kind = "checkpoint"
        run = load_checkpoint(place)
        spec, weights = run.spec, dict(run.best)
    try:
        if spec is None:
            raise ValueError("it does not say how the network was built; load its weights into one that you build")
        own = {name: tensor for name, tensor in weights.items() if not name.startswith(_CONVERSION)}
        network = _rebuilt(spec, own)
        if kind == "network" and "conversion" in table and isinstance(network, SpikingNetwork):
            from ..conversion.files import converted

            more = {name.removeprefix(_CONVERSION): each for name, each in weights.items() if name not in own}
            network = converted(network, table["conversion"], more)
        return network
    except _WRONG as error:
        raise _damaged(place, kind, error) from error


def check_weights(network: nn.Module, weights: Mapping[str, Tensor], where: str | os.PathLike[str]) -> None:
    """Refuse weights of a file unless every name, shape and type is the network's own."""
    own = network.state_dict()
    wrong = sorted(own.keys() ^ weights.keys()) or [
        name
        for name, tensor in own.items()
        if (tensor.shape, tensor.dtype) != (weights[name].shape, weights[name].dtype)
    ]
    if wrong:
        raise FileFormatError(
            f"'{where}' holds the weights of another network ({_some(wrong)} differ): build the network that was saved"
        )


def spec_of(network: nn.Module) -> Mapping[str, Any] | None:
    """How the zoo built a network, in plain values; None for one that it did not build."""
    spec = getattr(network, "spec", None)
    return spec if isinstance(spec, Mapping) else None


def content(*arrays: Tensor) -> str:
    """SHA-256 of samples and labels, in 16 digits: a name does not say that a data set is still the same."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype} {list(array.shape)};".encode())
        raw = array.detach().cpu().contiguous().view(-1).view(torch.uint8)
        digest.update(raw.numpy().data)
    return digest.hexdigest()[:16]


def _rebuilt(spec: Mapping[str, Any], weights: Mapping[str, Tensor]) -> nn.Module:
    if int(spec.get("timesteps", 1)) > MOST_TIMESTEPS or len(spec.get("widths", ())) > len(weights) + 1:
        raise ValueError("it asks for more steps or layers than any network has")
    # first without memory, so that a file's word for a width allocates nothing unless its weights are that long
    with torch.device("meta"):
        plan = zoo.rebuild({**spec, "neuron": nn.Identity}).state_dict()
    wrong = [name for name, tensor in plan.items() if name not in weights or weights[name].shape != tensor.shape]
    if wrong:
        raise ValueError(f"its weights do not have the shapes of its network: {_some(wrong)}")
    network = zoo.rebuild(spec)
    check_weights(network, weights, "the file")
    network.load_state_dict(dict(weights))
    return network.eval()


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row as TOML holds it: what is None is left out."""
    return {
        name: _plain(value) if isinstance(value, Mapping) else value for name, value in row.items() if value is not None
    }


def _reading(row: Mapping[str, Any]) -> EnergyReading | None:
    """What an epoch spent; None in files of old."""
    given = row.get("reading")
    if given is None:
        return None
    reading = EnergyReading(**{"profile": None, **given})
    by_layer = (*reading.joules_by_layer.items(), *reading.rate_by_layer.items())
    texts = (reading.profile or "", reading.unpriced, *(name for name, _ in by_layer))
    numbers = (
        reading.number, reading.samples, reading.seconds, *reading.figures().values(), *(value for _, value in by_layer)
    )  # fmt: skip
    if not all(isinstance(text, str) for text in texts) or not all(type(value) in (int, float) for value in numbers):
        raise ValueError("an epoch's reading holds something that is not a number")
    return reading


def _network_table(spec: Mapping[str, Any] | None) -> dict[str, Any]:
    return {} if spec is None else {"network": dict(spec)}


def _write(folder: Path, kind: str, table: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Path:
    payload = safetensors.torch.save(
        {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    )
    digest = hashlib.sha256(payload).hexdigest()
    name = f"{kind}-{digest[:16]}.safetensors"
    head = {"format": f"spikeledger-{kind}", "version": VERSION, "weights": name, "sha256": digest}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / name, payload)
        write_whole(folder / f"{kind}.toml", tomli_w.dumps({**head, **table}) + END)
        _remove(path for path in folder.glob(f"{kind}-*.safetensors") if path.name != name)
    except OSError as error:
        raise closed(folder, error) from error
    return folder


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


def _read(folder: Path, kind: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    path = folder / f"{kind}.toml"
    if not is_file(path):
        how = "sl.save_network(folder, network)" if kind == "network" else "sl.fit(..., checkpoint=folder)"
        missing = f"there is no {kind} in '{folder}': "
        raise FileFormatError(
            f"{missing}write one with {how}", shell=f"{missing}train one with spikeledger train --out {folder}"
        )
    try:
        text = read_text(path, _TABLE)
        if not text.endswith(END):
            raise ValueError("its end is missing")
        table = toml(text)
        if table.get("format") != f"spikeledger-{kind}":
            raise ValueError("it says that it is something else")
        if table["version"] != VERSION:
            raise ValueError(f"it has version {table['version']} and this release reads version {VERSION}")
        name = table["weights"]
        if Path(name).name != name:
            raise ValueError("it names weights outside its folder")
        payload = read_bytes(folder / name, _WEIGHTS)
        if hashlib.sha256(payload).hexdigest() != table["sha256"]:
            raise ValueError("its weights are cut or changed: they do not have the SHA-256 that it names")
        return table, safetensors.torch.load(payload)
    except _WRONG as error:
        raise _damaged(folder, kind, error) from error


def _damaged(folder: Path, kind: str, error: BaseException) -> FileFormatError:
    reason = (
        f"no '{error.args[0]}' in it" if isinstance(error, KeyError) and error.args else str(error).splitlines()[:1]
    )
    said = reason if isinstance(reason, str) else (reason[0] if reason else type(error).__name__)
    return FileFormatError(f"'{folder}' holds no whole {kind} ({said.rstrip('.')}): save it again")


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
