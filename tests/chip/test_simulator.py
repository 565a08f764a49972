"""Torch, the recorder, the numpy oracle and the native machine agree to the last spike and synaptic operation."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import spikeledger as sl
from chip.devices import chip_of
from chip.networks import NETWORKS, Recurrent, exact, lif, over, random_graph, spikes
from spikeledger.activity import Activity
from spikeledger.chip import machine
from spikeledger.chip.placement import place
from spikeledger.chip.simulate import run, simulate
from spikeledger.errors import InputError
from spikeledger.mapping.map import map as map_network

BACKENDS = ["reference", pytest.param("native", marks=pytest.mark.skipif(machine.native is None, reason="not built"))]
needs_native = pytest.mark.skipif(machine.native is None, reason="the native core was not built")


def agree(simulated: Activity, recorded: Activity) -> None:
    """The same events in every layer that both know, neuron by neuron."""
    shared = [name for name in recorded.layers if name in simulated.layers_by_name]
    assert shared
    for name in shared:
        assert simulated.total("dense_op", name) == recorded.total("dense_op", name), name
        for event in ("spike", "synaptic_op", "mac", "neuron_update", "active_update"):
            assert simulated.total(event, name) == recorded.total(event, name), (name, event)
            ours, theirs = simulated.tallies.get((name, event)), recorded.tallies.get((name, event))
            if ours is None or theirs is None or ours.per_neuron is None or theirs.per_neuron is None:
                continue
            if ours.per_neuron.size == theirs.per_neuron.size:  # of pooled places where two layers share a pooling
                assert np.array_equal(ours.per_neuron.ravel(), theirs.per_neuron.ravel()), (name, event)
        if name in recorded.spikes_per_step:
            assert np.array_equal(simulated.spikes_per_step[name], recorded.spikes_per_step[name])


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("pruned", [0.0, 0.5])
@pytest.mark.parametrize("name", NETWORKS)
def test_simulator_torch_and_recorder_agree(name: str, pruned: float, backend: str) -> None:
    build, shape = NETWORKS[name]
    network = exact(build(), pruned=pruned).eval()
    inputs = spikes(9, 3, *shape, rate=0.3 if "max" in name else 0.6)
    with torch.no_grad():
        expected = network(inputs)
    ran = run(network, inputs, backend=backend)
    assert np.array_equal(ran.output, expected.numpy().reshape(ran.output.shape))
    assert ran.output.any()
    agree(ran.activity, sl.record(network, inputs))


@pytest.mark.parametrize("backend", BACKENDS)
def test_graded_inputs_are_multiplied(backend: str) -> None:
    network = exact(NETWORKS["mlp"][0]())
    inputs = torch.randint(-3, 4, (7, 2, 12), generator=torch.Generator().manual_seed(1)) / 4
    ran = run(network, inputs, backend=backend)
    agree(ran.activity, sl.record(network, inputs))
    assert ran.activity.total("mac", "0") > 0


@needs_native
@pytest.mark.parametrize("name", ["mlp-s", "cnn-s"])
def test_networks_of_the_zoo_with_their_encoder(name: str) -> None:
    shape = (1, 28, 28) if name == "mlp-s" else (3, 16, 16)
    network = exact(sl.zoo.build(name, shape, 10, timesteps=4, beta=0.875))
    samples = torch.rand(2, *shape, generator=torch.Generator().manual_seed(3))
    agree(simulate(network, samples, seed=5), sl.record(network, samples, seed=5))


@needs_native
@settings(max_examples=60)
@given(seed=st.integers(0, 10**6), steps=st.integers(1, 12), threads=st.integers(1, 3), wide=st.booleans(),
       cells=st.booleans(), short=st.booleans())  # fmt: skip
def test_native_machine_is_its_oracle_on_random_graphs(
    seed: int, steps: int, threads: int, wide: bool, cells: bool, short: bool
) -> None:
    network = random_graph(seed, dtype=np.float64 if wide else np.float32, cells=cells)
    size = network.populations["input"].size
    inputs = np.random.default_rng(seed).integers(-1, 2, (steps, 2, size)) / 2
    options = {"precision": "float64" if wide else "float32", "keep": list(network.populations)[1:]}
    oracle = run(network, inputs, backend="reference", **options)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(machine, "SHORT_AFTER", 0 if short else 256)
        native = run(network, inputs, backend="native", threads=threads, **options)
    for name, raster in oracle.rasters.items():
        assert np.array_equal(raster, native.rasters[name]), name
    agree(native.activity, oracle.activity)


@settings(max_examples=15)
@given(seed=st.integers(0, 10**6), cells=st.booleans())
def test_graph_and_dense_torch_agree(seed: int, cells: bool) -> None:
    """A random graph as one dense matrix a projection, stepped in float64 by the equations themselves."""
    network = random_graph(seed, dtype=np.float64, cells=cells)
    steps, size = 8, network.populations["input"].size
    inputs = (np.random.default_rng(seed).random((steps, 1, size)) < 0.5).astype(float)
    ran = run(network, inputs, precision="float64", keep=list(network.populations)[1:])
    fired = {name: np.zeros((steps, each.size)) for name, each in network.populations.items()}
    fired["input"] = inputs[:, 0]
    membrane = {name: np.full(each.size, each.start) for name, each in network.populations.items()}
    was_fired = {name: membrane[name] > each.threshold for name, each in network.populations.items()}
    synapse, raised, waits = ({name: np.zeros(each.size) for name, each in network.populations.items()} for _ in "123")
    events = 0
    for t in range(steps):
        for name in network.order:
            each = network.populations[name]
            if not each.spiking:
                continue
            current = np.zeros(each.size) + each.bias
            for projection in network.into(name):
                if t < projection.delay:
                    continue
                matrix = np.zeros((network.populations[projection.source].size, each.size))
                for i in range(len(matrix)):
                    projection.synapses.deliver(matrix[i], i, 1.0)
                current += fired[projection.source][t - projection.delay] @ matrix
                events += int((fired[projection.source][t - projection.delay] @ (matrix != 0)).sum())
            if each.alpha is not None:
                current = synapse[name] = each.alpha * synapse[name] + current
            was, rests = was_fired[name], waits[name] > 0
            kept = np.where(was, 0, membrane[name]) if each.reset_delay and each.reset == "zero" else membrane[name]
            charged = each.beta * kept + current
            charged -= each.threshold * (was & each.reset_delay & (each.reset == "subtract"))
            charged[rests] = (kept - each.threshold * (was & each.reset_delay & (each.reset == "subtract")))[rests]
            spike = (charged > each.threshold + each.strength * raised[name]) & ~rests
            waits[name] = np.where(spike, each.refractory, np.maximum(waits[name] - 1, 0))
            raised[name] = (0 if each.rho is None else each.rho) * raised[name] + spike * (each.rho is not None)
            was_fired[name] = spike
            if not each.reset_delay:
                charged = charged - each.threshold * spike * (each.reset == "subtract")
                charged = np.where(spike & (each.reset == "zero"), 0, charged)
            membrane[name], fired[name][t] = charged, spike
    for name, raster in ran.rasters.items():
        assert np.array_equal(raster[:, 0], fired[name]), name
    assert ran.activity.total("synaptic_op") + ran.activity.total("mac") == events


@needs_native
@pytest.mark.parametrize("name", ["mlp", "recurrent", "conv", "groups and dilation", "overlapping windows"])
@pytest.mark.parametrize("threads", [1, 2])
def test_cores_add_up_to_the_network(name: str, threads: int) -> None:
    build, shape = NETWORKS[name]
    network, inputs = exact(build(), pruned=0.3), spikes(9, 3, *shape)
    mapped = map_network(network, inputs)
    tiny = sl_tiny_chip()
    placement = place(mapped, tiny)
    assert placement.core_count > 1
    ran = run(placement, inputs, threads=threads)
    agree(ran.activity, sl.record(network, inputs))
    events = ran.activity.total("synaptic_op") + ran.activity.total("mac")
    assert ran.core_synapses is not None and ran.packets is not None and ran.hops is not None
    assert ran.core_synapses.sum() == events
    assert ran.core_spikes is not None and ran.core_spikes.sum() == ran.activity.total("spike")
    assert ran.packets.sum() == ran.activity.total("packet") and ran.hops.sum() == ran.activity.total("hop")
    assert ran.hops.sum() > 0
    barriers = 9 * 3 * 1e-6
    assert ran.activity.seconds is not None and ran.activity.seconds > barriers


def sl_tiny_chip() -> object:

    source = "made for a test"
    return chip_of(
        {
            "name": "tiny", "title": "tiny", "core": {"neurons": 8, "source": source, "shares_weights": True},
            "mesh": {"columns": 16, "rows": 16, "source": source},
            "seconds": {"synaptic_op": 1e-9, "update": 1e-9, "barrier": 1e-6, "source": source},
        }
    )  # fmt: skip


@needs_native
def test_silence_costs_no_synaptic_operation() -> None:
    network = exact(nn.Sequential(nn.Linear(12, 9, bias=False), lif()))
    activity = simulate(network, torch.zeros(5, 2, 12))
    assert activity.total("synaptic_op") == activity.total("spike") == 0
    assert activity.total("neuron_update") == 5 * 2 * 9


@needs_native
def test_samples_and_time_add_up() -> None:
    network = exact(Recurrent())
    inputs = spikes(8, 6, 12)
    whole = simulate(network, inputs)
    parts = simulate(network, inputs[:, :2]) + simulate(network, inputs[:, 2:])
    agree(whole, parts)


@needs_native
def test_float32_differs_in_few_spikes_only() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(64, 128), lif(), nn.Linear(128, 32), lif())
    inputs = spikes(50, 20, 64)
    with torch.no_grad():
        expected = network(inputs).numpy()
        wide = network.double()(inputs.double()).numpy()
    doubled = run(network, inputs.double(), precision="float64")
    assert np.array_equal(doubled.output, wide)
    network.float()
    single = run(network, inputs)
    share = np.mean(single.output != expected)
    assert share < 0.001


@needs_native
def test_integers_of_the_chip_change_little_and_saturate() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(64, 128), lif(), nn.Linear(128, 32), lif())
    inputs = spikes(40, 10, 64)
    exactly, coarse = run(network, inputs, "loihi"), run(network, inputs, "loihi", precision="chip")
    a, b = exactly.activity.total("spike"), coarse.activity.total("spike")
    assert a != b or np.any(exactly.output != coarse.output)
    assert abs(a - b) < 0.05 * a


def test_one_activity_can_be_counted_by_the_published_rule() -> None:
    network = exact(NETWORKS["mlp"][0]())
    activity = simulate(network, spikes(9, 2, 12), rule="published")
    hidden, out = activity.total("spike", "1"), activity.total("spike", "3")
    mapped = map_network(network, spikes(9, 2, 12))
    fan_in = {p.layer: p.fan_in for p in mapped.projections}
    assert activity.total("synaptic_op", "0") == int(activity.per_neuron("1") @ fan_in["0"])
    assert hidden and out and activity.total("synaptic_op", "2") == int(activity.per_neuron("3") @ fan_in["2"])


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (lambda: nn.Sequential(nn.Linear(12, 9), nn.ReLU(), nn.Linear(9, 4), lif()), "relu"),
        (lambda: nn.Sequential(nn.Linear(12, 9), nn.Linear(9, 4), lif()), "no neurons between them"),
        (lambda: nn.Sequential(nn.Linear(12, 9), lif(), nn.Linear(9, 4)), "has no neurons"),
        (lambda: nn.Sequential(nn.Linear(12, 9)), "no neurons"),
        (
            lambda: nn.Sequential(
                nn.Unflatten(2, (1, 3, 4)), over(nn.MaxPool2d(2)), nn.Flatten(2), nn.Linear(2, 2), lif()
            ), "a max pooling of the input",
        ),
        (
            lambda: nn.Sequential(
                nn.Unflatten(2, (1, 3, 4)), over(nn.Sequential(nn.Conv2d(1, 2, 2), nn.MaxPool2d(2))), lif()
            ), "a max pooling of currents",
        ),
        (
            lambda: nn.Sequential(
                nn.Unflatten(2, (1, 3, 4)), lif(), over(nn.Sequential(nn.AvgPool2d(2), nn.MaxPool2d((1, 2)))),
                nn.Flatten(2), nn.Linear(1, 2), lif(),
            ), "a max pooling of averages",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_mapped_is_named(build: object, says: str) -> None:
    with pytest.raises(InputError, match=says):
        map_network(build(), spikes(4, 1, 12))  # type: ignore[operator]


def test_a_max_pooling_costs_what_neurons_cost() -> None:
    network, inputs = exact(NETWORKS["max pool"][0]()), spikes(9, 3, 2, 10, 10, rate=0.05)
    mapped = map_network(network, inputs)
    pool = mapped.populations["2.module (max)"]
    assert pool.size == 4 * 4 * 4 and [p.count for p in mapped.into(pool.name)] == [4 * 8 * 8]
    activity = run(network, inputs).activity
    windows = network[:3](inputs)
    assert activity.total("spike", pool.name) == int(windows.sum()) > 0
    assert activity.total("neuron_update", pool.name) == pool.size * 9 * 3
    assert activity.total("synaptic_op", f"{pool.name} (direct)") == activity.total("spike", "1")


def test_one_module_may_pool_several_layers() -> None:
    class Reused(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.pool = over(nn.MaxPool2d(2))
            self.first, self.second, self.out = over(nn.Conv2d(1, 3, 3)), over(nn.Conv2d(3, 4, 2)), nn.Linear(4, 3)
            self.one, self.two, self.three = lif(), lif(), lif()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.pool(self.two(self.second(self.pool(self.one(self.first(x))))))
            return self.three(self.out(x.flatten(2)))

    network, inputs = exact(Reused()), spikes(9, 2, 1, 8, 8, rate=0.05)
    ran = run(network, inputs)
    assert np.array_equal(ran.output, network(inputs).detach().numpy()) and ran.output.any()
    agree(ran.activity, sl.record(network, inputs))


def test_nan_weights_and_inputs_are_refused() -> None:
    network = NETWORKS["mlp"][0]()
    with torch.no_grad():
        network[0].weight[0, 0] = float("nan")
    with pytest.raises(InputError, match="NaN"):
        map_network(network, spikes(4, 1, 12))
    with pytest.raises(InputError, match="NaN"):
        run(exact(NETWORKS["mlp"][0]()), torch.full((4, 1, 12), float("nan")))


@needs_native
@pytest.mark.parametrize("graded", [False, True])
def test_a_simulated_run_is_priced_with_its_own_seconds(graded: bool) -> None:
    network = exact(NETWORKS["mlp"][0]())
    inputs = spikes(9, 3, 12) * (torch.arange(12) / 16 if graded else 1)
    activity = simulate(network, inputs, "loihi")
    ledger = sl.price(activity, "loihi", leave_out=["mac", "activation_read", "weight_read"] if graded else [])
    assert ledger.joules > 0 and ledger.seconds == pytest.approx(activity.seconds)


@needs_native
@pytest.mark.slow
def test_a_million_neurons_and_a_hundred_million_synapses() -> None:
    import resource
    import time

    from spikeledger.mapping.random_network import random_network

    begun = time.perf_counter()
    network = random_network(1_000_000, 100)
    assert time.perf_counter() - begun < 60
    activity = simulate(network, np.zeros((10, 1, 0)))
    assert network.synapses == 100_000_000 and network.nbytes < 900_000_000
    assert activity.total("synaptic_op") == 100 * (
        activity.total("spike") - int(activity.spikes_per_step["neurons"][-1])
    )
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 2 << 20  # KiB


@needs_native
@pytest.mark.parametrize("steps", [1, 3])
def test_threads_do_not_meet_at_the_end_of_a_sample(steps: int) -> None:
    # an odd number of steps: the last step of a sample and the first of the next once shared a spike list
    network = random_graph(81556)
    inputs = np.random.default_rng(0).integers(-1, 2, (steps, 40, network.populations["input"].size)) / 2
    keep = list(network.populations)[1:]
    alone = run(network, inputs, keep=keep)
    for _ in range(10):
        several = run(network, inputs, threads=3, keep=keep)
        assert all(np.array_equal(raster, several.rasters[name]) for name, raster in alone.rasters.items())


@needs_native
def test_without_a_compiler_a_placed_run_knows_all_but_its_seconds() -> None:
    network, inputs = exact(NETWORKS["conv"][0]()), spikes(6, 2, 2, 10, 10)
    native, slow = (run(network, inputs, "loihi", backend=backend) for backend in ("native", "reference"))
    agree(slow.activity, native.activity)
    for event in ("packet", "hop"):
        assert slow.activity.total(event) == native.activity.total(event)
    assert native.activity.seconds is not None and slow.activity.seconds is None and slow.core_synapses is None


def test_updates_of_pair_stdp_are_counted_where_learning_is_on() -> None:
    network, inputs = exact(NETWORKS["mlp"][0](), pruned=0.3), spikes(9, 2, 12)
    activity = simulate(network, inputs, learning=["2"])
    exists = (network[2].weight != 0).numpy()  # [targets, sources]
    before, after = activity.per_neuron("1"), activity.per_neuron("3")
    assert activity.total("weight_update", "2") == int(before @ exists.sum(0) + after @ exists.sum(1)) > 0
    assert activity.total("weight_update") == activity.total("weight_update", "2")
    with pytest.raises(InputError, match="unknown layer"):
        simulate(network, inputs, learning=["fc9"])


_AVERAGES = {  # of spikes [T, B, 2, 3, 4]
    "both axes of places": lambda z: z.mean((3, 4)),
    "kept axes": lambda z: z.mean((-2, -1), keepdim=True).flatten(2),
    "flattened": lambda z: z.flatten(3).mean(3),
    "tokens": lambda z: z.flatten(3).transpose(2, 3).mean(2),
    "steps and samples merged": lambda z: z.flatten(0, 1).mean((2, 3)).unflatten(0, z.shape[:2]),
}


@pytest.mark.parametrize("name", _AVERAGES)
def test_an_average_over_places_however_it_is_written(name: str) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.head, self.last = sl.neurons.IF(), nn.Linear(2, 3), sl.neurons.LIF(0.5)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            found: torch.Tensor = self.last(self.head(_AVERAGES[name](self.first(x))))
            return found

    torch.manual_seed(4)
    net = Net()
    with torch.no_grad():
        net.head.weight.copy_(torch.tensor([[3.0, -1.5], [0.0, 6.0], [4.5, 1.5]]))
        net.head.bias.zero_()
    x = 2 * (torch.rand(7, 1, 2, 3, 4) < 0.4).float()
    with torch.no_grad():
        expected = int(net(x).sum())
    assert expected > 0
    ran = sl.simulate(net, x, layout="TB")
    assert ran.total("spike", "last") == expected
    assert ran.total("synaptic_op", "head") == sl.record(net, x, layout="TB").total("synaptic_op", "head")
