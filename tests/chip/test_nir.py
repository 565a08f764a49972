"""NIR files are read back, here and by the peers, to the same spikes; hostile ones end in one sentence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import spikeledger as sl
from chip.networks import exact, spikes
from spikeledger.chip.simulate import run
from spikeledger.errors import FileFormatError, InputError, SpikeLedgerError
from spikeledger.networks.nir import read_nir, write_nir

nir = pytest.importorskip("nir", reason="nir is not installed")
DT = 2.0**-10


def perceptron(reset: str = "zero") -> nn.Sequential:
    net = nn.Sequential(nn.Linear(12, 9), sl.LIF(0.875, reset=reset), nn.Linear(9, 4, bias=False), sl.IF(reset=reset))
    return exact(net)  # type: ignore[return-value]


def convolutional() -> nn.Sequential:
    net = nn.Sequential(
        sl.over_time(nn.Conv2d(2, 4, 3, padding=1)), sl.LIF(0.75, reset="zero"), sl.over_time(nn.AvgPool2d(2)),
        nn.Flatten(2), nn.Linear(4 * 9, 5), sl.LIF(0.875, threshold=1.5, reset="zero"),
    )  # fmt: skip
    return exact(net)  # type: ignore[return-value]


@pytest.mark.parametrize(("build", "shape"), [(perceptron, (12,)), (convolutional, (2, 6, 6))])
def test_written_and_read_back_it_spikes_alike_also_on_a_chip(
    build: object, shape: tuple[int, ...], tmp_path: Path
) -> None:
    network = build()  # type: ignore[operator]
    inputs = spikes(12, 3, *shape, rate=0.6)
    path = write_nir(network, tmp_path / "net.nir", dt=DT, input_shape=shape)
    back = read_nir(path)
    assert back.dt == DT
    with torch.no_grad():
        expected, found = network(inputs), back(inputs)
    assert expected.any() and torch.equal(expected, found)
    assert np.array_equal(run(back, inputs).output, expected.numpy())


def test_resets_that_nir_lacks_are_refused_or_kept_as_metadata(tmp_path: Path) -> None:
    network = perceptron("subtract")
    with pytest.raises(InputError, match="NIR knows"):
        write_nir(network, tmp_path / "net.nir", dt=DT)
    assert not list(tmp_path.iterdir())
    back = read_nir(write_nir(network, tmp_path / "net.nir", dt=DT, extended=True))
    inputs = spikes(12, 3, 12, rate=0.6)
    with torch.no_grad():
        assert torch.equal(network(inputs), back(inputs))


def loop(*, neurons: bool = True) -> object:
    lif = nir.LIF(
        tau=np.full(4, 8 * DT), r=np.full(4, 8.0), v_leak=np.zeros(4), v_threshold=np.ones(4), v_reset=np.zeros(4)
    )
    nodes = {
        "input": nir.Input({"input": np.array([4])}), "w": nir.Linear(np.eye(4, dtype=np.float32) * 0.75),
        "lif": lif if neurons else nir.Linear(np.eye(4, dtype=np.float32)),
        "rec": nir.Linear(np.roll(np.eye(4, dtype=np.float32), 1, 0) * 0.5),
        "output": nir.Output({"output": np.array([4])}),
    }  # fmt: skip
    edges = [("input", "w"), ("w", "lif"), ("lif", "rec"), ("rec", "lif"), ("lif", "output")]
    return nir.NIRGraph(nodes, edges, type_check=False)


def test_a_loop_is_stepped_with_a_delay_of_one() -> None:
    network = read_nir(loop(), dt=DT)
    inputs = spikes(10, 2, 4)
    ran = run(network, inputs)
    v, fired = np.zeros((2, 4)), np.zeros((2, 4))
    for t in range(10):
        v = v * 0.875 + inputs[t].numpy() * 0.75 + 0.5 * np.roll(fired, 1, axis=1)
        fired = (v > 1).astype(float)
        v = v * (1 - fired)
        assert np.array_equal(ran.output[t], fired)
    with torch.no_grad():
        assert np.array_equal(network(inputs).numpy(), ran.output)


def test_a_loop_without_neurons_is_refused() -> None:
    with pytest.raises(InputError, match="loop without neurons"):
        read_nir(loop(neurons=False), dt=DT)


def test_a_step_length_is_never_guessed() -> None:
    with pytest.raises(InputError, match="how long a step is"):
        read_nir(loop())
    for dt in (0.0, -1.0, float("nan")):
        with pytest.raises(InputError, match="dt"):
            read_nir(loop(), dt=dt)
    with pytest.raises(InputError, match="shorter dt"):
        read_nir(loop(), dt=1.0)


def test_nan_weights_are_named() -> None:
    graph = loop()
    graph.nodes["rec"].weight[0, 0] = np.nan  # type: ignore[attr-defined]
    with pytest.raises(InputError, match=r"'rec'.*NaN"):
        read_nir(graph, dt=DT)


def test_cut_files_end_in_one_sentence(tmp_path: Path) -> None:
    whole = write_nir(perceptron(), tmp_path / "net.nir", dt=DT).read_bytes()
    rng = np.random.default_rng(0)
    for k in range(40):
        damaged = bytearray(whole)
        if k % 2:
            damaged = damaged[: int(rng.integers(0, len(whole)))]
        else:
            for place in rng.integers(0, len(whole), 8):
                damaged[place] = int(rng.integers(0, 256))
        path = tmp_path / "cut.nir"
        path.write_bytes(bytes(damaged))
        try:
            read_nir(path)
        except SpikeLedgerError as error:
            assert "\n" not in str(error)


def test_absurd_sizes_and_links_are_refused_before_they_are_read(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "big.nir"
    with h5py.File(path, "w") as file:
        file.create_dataset("weight", shape=(1 << 20, 1 << 20), dtype="f4", chunks=(1024, 1024))
    assert path.stat().st_size < 1 << 20
    with pytest.raises(FileFormatError, match="claims arrays"):
        read_nir(path, dt=DT)
    linked = tmp_path / "linked.nir"
    with h5py.File(linked, "w") as file:
        file["node"] = h5py.ExternalLink("elsewhere.h5", "/secret")
    with pytest.raises(FileFormatError, match="link"):
        read_nir(linked, dt=DT)
    with pytest.raises(FileFormatError, match="no NIR file"):
        read_nir(tmp_path / "missing.nir", dt=DT)
