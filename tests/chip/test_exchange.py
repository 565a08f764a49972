"""Any network that the tracer understands goes out through NIR and comes back to the same spikes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import spikeledger as sl
from chip.networks import Recurrent, exact, random_graph, spikes
from spikeledger.chip.simulate import run
from spikeledger.errors import InputError
from spikeledger.mapping.exchange import as_graph
from spikeledger.mapping.mapped import Mapped

nir = pytest.importorskip("nir", reason="nir is not installed")
from spikeledger.networks.nir import read_nir, to_nir, write_nir  # noqa: E402

DT = 2.0**-10
over = sl.over_time
LIF = {"beta": 0.875, "reset": "zero"}

NETWORKS = {
    "loop and skip": (lambda: Recurrent("zero"), (12,)),
    "convolutions, pooled": (
        lambda: nn.Sequential(
            over(nn.Conv2d(2, 4, 3, padding=1, bias=False)), sl.LIF(**LIF), over(nn.Conv2d(4, 4, 3, groups=2)), sl.LIF(**LIF),
            over(nn.AvgPool2d(2)), nn.Flatten(2), nn.Linear(16, 5), sl.LIF(**LIF),
        ), (2, 6, 6),
    ),
    "batch norm": (
        lambda: nn.Sequential(over(nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4))), sl.LIF(**LIF)), (2, 6, 6)
    ),
    "one axis": (lambda: nn.Sequential(over(nn.Conv1d(3, 5, 3, stride=2)), sl.LIF(**LIF), nn.Flatten(2),
                                       nn.Linear(20, 3), sl.LIF(**LIF)), (3, 9)),
    "delays": (lambda: nn.Sequential(nn.Linear(12, 9), sl.LIF(**LIF), sl.Delay(torch.arange(9)),
                                     nn.Linear(9, 4), sl.LIF(**LIF)), (12,)),
}  # fmt: skip


@pytest.mark.parametrize("name", NETWORKS)
def test_what_the_tracer_understands_is_written_and_read_to_the_same_spikes(name: str, tmp_path: Path) -> None:
    build, shape = NETWORKS[name]
    network = exact(build(), pruned=0.2).eval()
    inputs = spikes(14, 2, *shape, rate=0.5)
    graph = as_graph(sl.map(network, inputs), dt=DT)
    back = read_nir(write_nir(graph, tmp_path / "net.nir", dt=DT))
    with torch.no_grad():
        expected = network(inputs)
        assert expected.any() and torch.equal(graph(inputs).reshape(expected.shape), expected)
        assert torch.equal(back(inputs).reshape(expected.shape), expected)
    assert np.array_equal(run(back, inputs).output.reshape(expected.shape), expected.numpy())


def resting(network: Mapped) -> Mapped:
    """The same with what NIR can say: membranes that start at 0."""
    made = {name: replace(each, start=0.0) for name, each in network.populations.items()}
    return Mapped(made, network.projections, network.output)


@settings(max_examples=40)
@given(st.integers(0, 10_000), st.booleans(), st.booleans())
def test_random_graphs_come_back_to_the_same_spikes(seed: int, through_nir: bool, cells: bool) -> None:
    network = resting(random_graph(seed, cells=cells))
    size = network.populations["input"].size
    inputs = spikes(9, 2, size, seed=seed)
    expected = run(network, inputs.numpy(), backend="reference").output
    graph = as_graph(network, dt=DT)
    if through_nir:
        try:
            graph = read_nir(to_nir(graph, dt=DT, extended=True))
        except InputError as error:  # a beta of 1 beside others, or with a current of its own
            assert "NIR" in str(error)
            return
    with torch.no_grad():
        assert np.array_equal(graph(inputs).numpy(), expected)


def test_what_nir_cannot_say_is_refused() -> None:
    network = random_graph(3)
    started = Mapped(
        {n: replace(p, start=0.5 if p.spiking else 0.0) for n, p in network.populations.items()}, network.projections,
        network.output,
    )  # fmt: skip
    with pytest.raises(InputError, match="start with a membrane that is not 0"):
        to_nir(as_graph(started), dt=DT)
    for layer, word in (
        (sl.LIF(0.5, reset="zero", refractory=2), "refractory"), (sl.AdaptiveLIF(0.5, reset="zero"), "AdaptiveLIF"),
        (nn.MaxPool2d(2), "MaxPool2d"), (nn.ReLU(), "ReLU"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=word):
            to_nir(nn.Sequential(nn.Linear(4, 4), layer), dt=DT)
    with pytest.raises(InputError, match="as_graph"):
        to_nir(Recurrent(), dt=DT)
