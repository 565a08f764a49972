"""The same NIR graph in every library: the same spikes, or the reason why not, which is tested too.

Weights are k/256 and decays k/8, so that every sum is exact, unless a test says otherwise.
"""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import spikeledger as sl

nir = pytest.importorskip("nir", reason="nir is not installed")
pytest.importorskip("nirtorch", reason="nirtorch is not installed")
from spikeledger.networks.nir import read_nir, to_nir  # noqa: E402

pytestmark = [pytest.mark.peer, pytest.mark.filterwarnings("ignore")]
DT = 1e-4  # the only one that snnTorch knows


def network(make: Any, *, grid: int = 256) -> nn.Sequential:
    torch.manual_seed(1)
    made = nn.Sequential(nn.Linear(12, 9), make(), nn.Linear(9, 4), make())
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.mul_(3).add_(0.1)
            if grid:
                parameter.copy_(torch.round(parameter * grid) / grid)
    return made


def spikes() -> Tensor:
    return (torch.rand(16, 3, 12, generator=torch.Generator().manual_seed(0)) < 0.6).float()


def stepped(module: Any, inputs: Tensor) -> Tensor:
    state, out = None, []
    with torch.no_grad():
        for x in inputs:
            found, state = module(x, state)
            out.append(found)
    return torch.stack(out).float()


def in_norse(graph: Any) -> Any:
    library = pytest.importorskip("norse.torch", reason="norse is not installed")
    return library.from_nir(copy.deepcopy(graph), dt=DT)


def in_spikingjelly(graph: Any) -> Any:
    exchange = pytest.importorskip("spikingjelly.activation_based.nir_exchange", reason="spikingjelly is not installed")
    return exchange.import_from_nir(copy.deepcopy(graph), dt=DT)


def in_snntorch(graph: Any) -> Any:
    pytest.importorskip("snntorch", reason="snntorch is not installed")
    from snntorch.import_nir import import_from_nir

    return import_from_nir(copy.deepcopy(graph))


SAME = [
    (in_norse, lambda: sl.LIF(0.875, reset="zero")),
    (in_norse, lambda: sl.IF(reset="zero")),
    (in_norse, lambda: sl.Synaptic(0.75, 0.875, reset="zero")),
    (in_snntorch, lambda: sl.LIF(0.875, reset="zero")),
    (in_snntorch, lambda: sl.Synaptic(0.75, 0.875, reset="zero")),
    (in_spikingjelly, lambda: sl.Synaptic(0.75, 0.875, reset="zero")),
]


@pytest.mark.parametrize(("reader", "neuron"), SAME)
def test_our_graph_spikes_alike_there(reader: Any, neuron: Any) -> None:
    ours = network(neuron)
    theirs = reader(to_nir(ours, dt=DT))
    with torch.no_grad():
        expected = ours(spikes())
    assert expected.any() and torch.equal(stepped(theirs, spikes()), expected)


@pytest.mark.parametrize("neuron", [lambda: sl.LIF(0.875, reset="zero"), lambda: sl.IF(reset="zero")])
def test_spikingjelly_fires_at_the_threshold_itself(neuron: Any) -> None:
    """It differs on a grid, where membranes meet the threshold, and on no grid it does not."""
    for grid in (8, 0):
        ours = network(neuron, grid=grid)
        with torch.no_grad():
            expected = ours(spikes())
        same = torch.equal(stepped(in_spikingjelly(to_nir(ours, dt=DT)), spikes()), expected)
        assert expected.any() and same is (grid == 0)


def test_snntorch_reads_no_if() -> None:
    """It takes an `r` of 1 only, and then makes neurons that leak by 0.9 a step: no file for both can be written."""
    graph = to_nir(network(lambda: sl.IF(reset="zero")), dt=DT)
    with pytest.raises(AssertionError, match="r != 1"):
        in_snntorch(graph)
    for node in graph.nodes.values():
        if isinstance(node, nir.IF):
            node.r = np.ones_like(node.r)
    betas = [float(m.beta) for m in in_snntorch(graph).modules() if type(m).__name__ == "Leaky"]
    assert betas == [pytest.approx(0.9)] * 2


@pytest.mark.parametrize("reset", ["zero", "subtract"])
def test_snntorch_writes_what_we_read_but_for_its_reset(reset: str) -> None:
    snn = pytest.importorskip("snntorch", reason="snntorch is not installed")
    from snntorch.export_nir import export_to_nir

    options = {"reset_mechanism": reset, "reset_delay": False, "init_hidden": True}
    sizes = iter((9, 4))  # its exporter wants one constant a neuron

    def leaky() -> nn.Module:
        size = next(sizes)
        made: nn.Module = snn.Leaky(beta=torch.full((size,), 0.875), threshold=torch.ones(size), **options)
        return made

    theirs = network(leaky)
    theirs[-1].output = True
    graph = export_to_nir(theirs, torch.zeros(3, 12), ignore_dims=[0])
    for module in (theirs[1], theirs[3]):
        module.reset_mem()
    with torch.no_grad():
        expected = torch.stack([theirs(x)[0] for x in spikes()])
        found = read_nir(graph, dt=DT)(spikes())
    assert expected.any() and torch.equal(found, expected) is (reset == "zero")


def test_snntorch_writes_a_recurrent_layer_that_we_read_alike() -> None:
    snn = pytest.importorskip("snntorch", reason="snntorch is not installed")
    from snntorch.export_nir import export_to_nir

    layer = snn.RLeaky(
        beta=0.875, linear_features=9, reset_mechanism="zero", reset_delay=False, init_hidden=True, output=True
    )
    theirs = nn.Sequential(nn.Linear(12, 9), layer)
    torch.manual_seed(2)
    with torch.no_grad():
        for parameter in (*theirs[0].parameters(), *layer.recurrent.parameters()):
            parameter.copy_(torch.randint(-64, 128, parameter.shape) / 256)
    graph = export_to_nir(theirs, torch.zeros(3, 12), ignore_dims=[0])
    layer.reset_mem()
    with torch.no_grad():
        expected = torch.stack([theirs(x)[0] for x in spikes()])
        found = read_nir(graph, dt=DT)(spikes())
    assert expected.any() and torch.equal(found, expected)


@pytest.mark.parametrize("kind", ["IFNode", "LIFNode"])
def test_spikingjelly_writes_what_we_read_alike(kind: str) -> None:
    library = pytest.importorskip("spikingjelly.activation_based.neuron", reason="spikingjelly is not installed")
    from spikingjelly.activation_based import functional
    from spikingjelly.activation_based.nir_exchange import export_to_nir

    options = {"tau": 8.0, "decay_input": False} if kind == "LIFNode" else {}
    theirs = network(lambda: getattr(library, kind)(v_threshold=1.0, v_reset=0.0, **options), grid=0)
    graph = export_to_nir(theirs, torch.zeros(3, 12), dt=DT)
    functional.reset_net(theirs)
    with torch.no_grad():
        expected = torch.stack([theirs(x) for x in spikes()])
        found = read_nir(graph, dt=DT)(spikes())
    assert expected.any() and torch.equal(found, expected)


def in_sinabs(graph: Any, inputs: Tensor) -> Tensor:
    pytest.importorskip("sinabs", reason="sinabs is not installed")
    from sinabs.nir import from_nir

    steps, samples = inputs.shape[:2]
    module = from_nir(copy.deepcopy(graph), batch_size=samples)
    with torch.no_grad():
        out = module(inputs.transpose(0, 1).flatten(0, 1))
    out = out[0] if isinstance(out, tuple) else out
    return out.unflatten(0, (samples, steps)).transpose(0, 1)


def test_sinabs_counts_in_steps_and_subtracts() -> None:
    """With dt = 1, `r` = 1, no inhibition and currents below one threshold, it is our IF with reset by subtraction."""
    ours = network(lambda: sl.IF(reset="subtract"), grid=0)
    with torch.no_grad():
        for parameter in ours.parameters():
            parameter.abs_().mul_(0.06)
    graph = to_nir(ours, dt=1.0, extended=True)
    with torch.no_grad():
        expected = ours(spikes())
    assert expected.any() and torch.equal(in_sinabs(graph, spikes()), expected)
    with torch.no_grad():
        ours[0].weight.mul_(40)  # several thresholds a step: sinabs sends several spikes at once
    assert in_sinabs(to_nir(ours, dt=1.0, extended=True), spikes()).max() > 1


def test_sinabs_takes_seconds_for_steps() -> None:
    """A time constant of 0.8 ms becomes one of 0.0008 steps, decaying by exp(-1 / tau): never what a file of others means."""
    pytest.importorskip("sinabs", reason="sinabs is not installed")
    from sinabs.nir import from_nir

    graph = to_nir(network(lambda: sl.LIF(0.875, reset="zero")), dt=DT)
    module = from_nir(graph, batch_size=3)
    leaks = [m for m in module.modules() if type(m).__name__ == "LIFSqueeze"]
    assert leaks
    for leak in leaks:
        assert float(leak.alpha_mem_calculated.max()) == pytest.approx(math.exp(-1 / 8e-4))


def test_sinabs_writes_an_if_that_counts_in_steps() -> None:
    layers = pytest.importorskip("sinabs.layers", reason="sinabs is not installed")
    from sinabs.nir import to_nir as from_sinabs

    theirs = nn.Sequential(
        nn.Linear(12, 9), layers.IAFSqueeze(batch_size=3), nn.Linear(9, 4), layers.IAFSqueeze(batch_size=3)
    )
    torch.manual_seed(3)
    with torch.no_grad():
        for parameter in theirs.parameters():
            if parameter.dim():
                parameter.uniform_(0, 0.1)
    with torch.no_grad():
        flat = spikes().transpose(0, 1).flatten(0, 1)
        expected = theirs(flat).unflatten(0, (3, 16)).transpose(0, 1)
        graph = from_sinabs(theirs, flat)
    for node in graph.nodes.values():
        for field, value in vars(node).items():
            if isinstance(value, Tensor):
                setattr(node, field, value.numpy())
        if isinstance(node, nir.IF):
            node.metadata = {"reset": "subtract"}  # what the graph does not say
    with torch.no_grad():
        found = read_nir(graph, dt=1.0)(spikes())
    assert expected.any() and torch.equal(found, expected)
