"""Files: what is written comes back to the bit; what was cut, changed or made to harm is one sentence."""

from __future__ import annotations

import hashlib
import itertools
import pickle
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import tomli_w
import torch
from torch import nn

import spikeledger as sl
from spikeledger.errors import FileFormatError, InputError
from spikeledger.networks.encoders import Rate
from spikeledger.training import checkpoints
from spikeledger.training.checkpoints import Checkpoint, load_checkpoint, save_checkpoint
from spikeledger.training.history import Epoch
from training.patches import ordinary, patches, same, spiking, state

DATA = patches()
NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "mlp": spiking,
    "twin": ordinary,
    "no encoder": lambda: spiking(None),
    "direct": lambda: spiking("direct"),
    "named": lambda: sl.zoo.build("mlp-s", (1, 8, 8), 10, timesteps=3, seed=4),
    "convolutions": lambda: sl.zoo.build("cnn-s", (1, 8, 8), 3, neuron="if", bias=True),
    "twin of convolutions": lambda: sl.zoo.twin(sl.zoo.build("cnn-s", (1, 8, 8), 3), seed=2),
    "options": lambda: spiking(beta=0.7, threshold=1.5, reset="zero", reset_delay=True, surrogate="sigmoid", slope=3.0),
    "learned beta": lambda: spiking(beta=0.7, learn_beta=True),
    "dropout, population": lambda: spiking(dropout=0.5, decoder="population", bias=False),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_comes_back_to_the_bit(name: str, tmp_path: Path) -> None:
    network = NETWORKS[name]().eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.01  # so that a fresh network from the same seed is another one
    sl.save_network(tmp_path / "deep" / "folder", network)
    torch.manual_seed(7)
    expected = torch.rand(1)
    torch.manual_seed(7)
    again = sl.load_network(tmp_path / "deep" / "folder")
    assert torch.equal(torch.rand(1), expected), "loading draws from nobody's random numbers"
    assert same(state(network), state(again)) and str(again) == str(network) and not again.training
    shape = (2, 1, 8, 8) if "8" in str(getattr(network, "spec", "")) and "36" not in str(network) else (2, 1, 6, 6)
    inputs = torch.rand((4, *shape) if name == "no encoder" else shape)
    assert torch.equal(network(inputs), again(inputs))


def test_saving_again_leaves_one_file_of_weights(tmp_path: Path) -> None:
    for seed in range(3):
        sl.save_network(tmp_path, spiking(seed=seed))
    assert len(list(tmp_path.iterdir())) == 2
    assert same(state(sl.load_network(tmp_path)), state(spiking(seed=2)))


def test_networks_that_no_file_can_describe_are_refused(tmp_path: Path) -> None:
    for network in (
        sl.zoo.mlp(4, 2, encoder=Rate(3, kind="poisson")),
        sl.zoo.mlp(4, 2, neuron=lambda: sl.LIF(0.5)),
        nn.Linear(3, 2),
    ):
        with pytest.raises(InputError, match="put together from objects"):
            sl.save_network(tmp_path, network)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError, match="choose a folder"):
        sl.save_network(tmp_path / "file", spiking())
    assert (tmp_path / "file").read_text() == "mine"


def test_a_checkpoint_comes_back_to_the_bit(tmp_path: Path) -> None:
    rows = (Epoch(1, 0.1 + 0.2, 1 / 3, None, 0.5, None, None, 1.0), Epoch(2, 5e-324, 0.9, 0.25, 0.5, 0.125, 3e-9, 2.0))
    weights, best = {"a.b": torch.rand(3), "n": torch.tensor(2)}, {"a.b": torch.rand(3), "n": torch.tensor(1)}
    moments = {"0/step": torch.tensor(4.0), "0/exp_avg": torch.rand(3)}
    save_checkpoint(tmp_path, Checkpoint(weights, best, moments, rows, {"seed": 1, "loss": "rate"}))
    again = load_checkpoint(tmp_path)
    assert again.history == rows and again.settings == {"seed": 1, "loss": "rate"} and again.spec is None
    assert (again.epoch, again.best_epoch) == (2, 2)
    assert all(same(dict(a), dict(b)) for a, b in
               zip((again.weights, again.best, again.optimizer), (weights, best, moments), strict=True))  # fmt: skip
    with pytest.raises(FileFormatError, match="does not say how the network was built"):
        sl.load_network(tmp_path)


def test_a_write_that_fails_leaves_the_run_before_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sl.save_network(tmp_path, spiking(seed=1))
    write = checkpoints.write_whole
    for allowed in range(2):  # it fails at the weights, then at the table that names them
        calls = itertools.count()

        def failing(path: Path, payload: bytes, calls: Any = calls, allowed: int = allowed) -> None:
            if next(calls) >= allowed:
                raise OSError(28, "No space left on device")
            write(path, payload)

        monkeypatch.setattr(checkpoints, "write_whole", failing)
        with pytest.raises(InputError, match="No space left on device"):
            sl.save_network(tmp_path, spiking(seed=2))
        assert same(state(sl.load_network(tmp_path)), state(spiking(seed=1)))


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    sl.fit(spiking(), DATA, epochs=2, batch_size=64, progress=False, checkpoint=folder)
    return folder


def changed(source: Path, target: Path, change: Callable[[dict[str, Any], dict[str, torch.Tensor]], object]) -> None:
    """A copy of a run with its table and weights changed and a SHA-256 that is right: a hostile hand, no accident."""
    table = tomllib.loads((source / "checkpoint.toml").read_text())
    tensors = safetensors.torch.load_file(source / table["weights"])
    payload = change(table, tensors)
    if not isinstance(payload, bytes):
        payload = safetensors.torch.save(tensors)
    table.setdefault("sha256", "")
    if table["sha256"] != "wrong":
        table["sha256"] = hashlib.sha256(payload).hexdigest()
    (target / "checkpoint.toml").write_text(tomli_w.dumps(table) + checkpoints.END)
    if isinstance(table.get("weights"), str) and table["weights"] and Path(table["weights"]).name == table["weights"]:
        (target / table["weights"]).write_bytes(payload)


class Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return (pytest.fail, ("code in a file was run",))


HOSTILE: dict[str, Callable[[dict[str, Any], dict[str, torch.Tensor]], object]] = {
    "nothing changed": lambda table, tensors: None,
    "another format": lambda table, tensors: table.update(format="spikeledger-activity"),
    "a later version": lambda table, tensors: table.update(version=2),
    "no version": lambda table, tensors: table.pop("version"),
    "a sum that is wrong": lambda table, tensors: table.update(sha256="wrong"),
    "weights elsewhere": lambda table, tensors: table.update(weights="../secret.safetensors"),
    "weights at an absolute path": lambda table, tensors: table.update(weights="/etc/passwd"),
    "weights that are a number": lambda table, tensors: table.update(weights=3),
    "weights that are the folder": lambda table, tensors: table.update(weights=""),
    "a pickle": lambda table, tensors: pickle.dumps(Bomb()),
    "nothing": lambda table, tensors: b"",
    "a header longer than the file": lambda table, tensors: (2**62).to_bytes(8, "little") + b"{}",
    "offsets beyond the file": lambda table, tensors: _header(
        '{"a":{"dtype":"F32","shape":[9],"data_offsets":[0,36]}}'),
    "a shape of a quintillion": lambda table, tensors: _header(
        '{"a":{"dtype":"F32","shape":[1000000000,1000000000],"data_offsets":[0,4]}}') + b"0000",
    "a type of another planet": lambda table, tensors: _header('{"a":{"dtype":"X1","shape":[1],"data_offsets":[0,1]}}'),
    "no settings": lambda table, tensors: table.pop("settings"),
    "no history": lambda table, tensors: table.pop("history"),
    "a history of words": lambda table, tensors: table.update(history=["one", "two"]),
    "an epoch without a loss": lambda table, tensors: table["history"][0].pop("loss"),
    "an epoch with more": lambda table, tensors: table["history"][0].update(surprise=1),
    "an epoch that is a word": lambda table, tensors: table["history"][0].update(loss="small"),
    "epochs out of order": lambda table, tensors: table["history"].reverse(),
    "a tensor of no part": lambda table, tensors: tensors.update(other=torch.zeros(1)),
}  # fmt: skip

HOSTILE_NETWORKS: dict[str, Callable[[dict[str, Any], dict[str, torch.Tensor]], object]] = {
    "weights of another shape": lambda table, tensors: tensors.update({"best/fc1.weight": torch.zeros(2, 2)}),
    "a weight too few": lambda table, tensors: tensors.pop("best/layers.fc1.weight"),
    "a weight too many": lambda table, tensors: tensors.update({"best/more": torch.zeros(1)}),
    "weights of another type": lambda table, tensors: tensors.update(
        {name: value.double() for name, value in tensors.items() if name.startswith("best/")}),
    "a billion neurons": lambda table, tensors: table["network"].update(widths=[36, 10**9, 4]),
    "more than memory has": lambda table, tensors: table["network"].update(widths=[10**15, 10**15]),
    "beyond an integer": lambda table, tensors: table["network"].update(widths=[2**62, 2**62, 4]),
    "widths below 1": lambda table, tensors: table["network"].update(widths=[36, -5, 4]),
    "widths that are words": lambda table, tensors: table["network"].update(widths=["a", "b"]),
    "no widths": lambda table, tensors: table["network"].pop("widths"),
    "a hundred thousand layers": lambda table, tensors: table["network"].update(widths=[1] * 100_000),
    "a trillion steps": lambda table, tensors: table["network"].update(timesteps=10**12),
    "no steps": lambda table, tensors: table["network"].update(timesteps=0),
    "an unknown network": lambda table, tensors: table["network"].update(network="os.system"),
    "an unknown neuron": lambda table, tensors: table["network"].update(neuron="exec"),
    "an unknown encoder": lambda table, tensors: table["network"].update(encoder="open"),
    "an unknown option": lambda table, tensors: table["network"].update(run="rm"),
    "a beta above 1": lambda table, tensors: table["network"].update(beta=2.0),
    "a spec that is a word": lambda table, tensors: table.update(network="mlp"),
    "a spec that is a list": lambda table, tensors: table.update(network=[1]),
    "no spec": lambda table, tensors: table.pop("network"),
}  # fmt: skip


def _header(text: str) -> bytes:
    return len(text).to_bytes(8, "little") + text.encode()


def refused(deed: Callable[[], object]) -> None:
    with pytest.raises(FileFormatError) as caught:
        deed()
    message = str(caught.value)
    assert "\n" not in message and 20 < len(message) < 500, message


@pytest.mark.parametrize("name", HOSTILE)
def test_a_run_that_was_tampered_with_is_refused(name: str, run_folder: Path, tmp_path: Path) -> None:
    changed(run_folder, tmp_path, HOSTILE[name])
    if name == "nothing changed":
        assert load_checkpoint(tmp_path).epoch == 2 and isinstance(sl.load_network(tmp_path), sl.SpikingNetwork)
        return
    refused(lambda: load_checkpoint(tmp_path))
    refused(lambda: sl.load_network(tmp_path))
    network = spiking()
    before = state(network)
    refused(lambda: sl.fit(network, DATA, epochs=2, batch_size=64, progress=False, checkpoint=tmp_path, resume=True))
    assert same(state(network), before)


@pytest.mark.parametrize("name", HOSTILE_NETWORKS)
def test_a_network_that_was_tampered_with_is_refused(name: str, run_folder: Path, tmp_path: Path) -> None:
    changed(run_folder, tmp_path, HOSTILE_NETWORKS[name])
    refused(lambda: sl.load_network(tmp_path))


@pytest.mark.parametrize(
    "change",
    [
        lambda table, tensors: tensors.update({"optimizer/0/exp_avg": torch.zeros(1)}),
        lambda table, tensors: tensors.update({"optimizer/99/step": torch.zeros(1)}),
        lambda table, tensors: tensors.update({"optimizer/x/step": torch.zeros(1)}),
        lambda table, tensors: tensors.update({"optimizer/0/other": torch.zeros(1)}),
        lambda table, tensors: tensors.update({"optimizer/0/step": torch.zeros(0)}),
        lambda table, tensors: tensors.pop("optimizer/0/exp_avg_sq"),
        lambda table, tensors: [tensors.pop(f"optimizer/1/{name}") for name in ("step", "exp_avg", "exp_avg_sq")],
        lambda table, tensors: tensors.pop("weights/layers.fc1.weight"),
        lambda table, tensors: tensors.pop("best/layers.fc1.weight"),
    ],
)
def test_a_state_of_training_that_was_tampered_with_is_refused(
    change: Callable[..., object], run_folder: Path, tmp_path: Path
) -> None:
    changed(run_folder, tmp_path, change)
    network = spiking()
    before = state(network)
    refused(lambda: sl.fit(network, DATA, epochs=2, batch_size=64, progress=False, checkpoint=tmp_path, resume=True))
    assert same(state(network), before)


@pytest.mark.parametrize("kept", [0, 1, 10, 100, 0.5, 0.999])
@pytest.mark.parametrize("which", ["checkpoint.toml", "*.safetensors"])
def test_a_file_that_was_cut_is_refused(which: str, kept: float, run_folder: Path, tmp_path: Path) -> None:
    for path in run_folder.iterdir():
        whole = path.read_bytes()
        length = int(kept * len(whole)) if isinstance(kept, float) else kept
        (tmp_path / path.name).write_bytes(whole[:length] if path.match(which) else whole)
    refused(lambda: load_checkpoint(tmp_path))


def test_what_is_not_there_or_too_long_is_refused(tmp_path: Path, run_folder: Path) -> None:
    refused(lambda: load_checkpoint(tmp_path))
    refused(lambda: sl.load_network(tmp_path / "nowhere"))
    (tmp_path / "checkpoint.toml").write_bytes(b"a = " + b"[" * 100_000 + b"\n" + checkpoints.END.encode())
    refused(lambda: load_checkpoint(tmp_path))
    (tmp_path / "checkpoint.toml").write_bytes(b"#" * checkpoints._TABLE.most + b"\n# end\n")
    refused(lambda: load_checkpoint(tmp_path))
    (tmp_path / "checkpoint.toml").write_bytes(b"\xff\xfe")
    refused(lambda: load_checkpoint(tmp_path))


def test_a_file_is_no_folder_of_a_network(tmp_path: Path) -> None:
    torch.save(nn.Linear(3, 2).state_dict(), tmp_path / "weights.pt")
    with pytest.raises(FileFormatError, match="load_state_dict"):
        sl.load_network(tmp_path / "weights.pt")
