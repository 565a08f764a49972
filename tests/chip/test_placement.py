"""Placements keep to every limit, come out the same for a seed, and beat filling the chip layer by layer."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import nn

import spikeledger as sl
from chip.devices import chip_of
from chip.networks import exact, random_graph
from spikeledger.chip.device import Device, load_device
from spikeledger.chip.fits import fits
from spikeledger.chip.placement import place
from spikeledger.chip.slices import cut
from spikeledger.errors import CapacityError, ProfileError
from spikeledger.mapping.map import map as map_network
from spikeledger.mapping.mapped import Mapped
from spikeledger.report.placements import draw_placement, link_loads

CITED = {"source": "made for a test"}


def chip(**core: object) -> Device:
    return chip_of(
        {"name": "small", "title": "small", "core": {**core, **CITED}, "mesh": {"columns": 12, "rows": 12, **CITED}}
    )


def convolutional() -> Mapped:
    net = sl.zoo.build("cnn-s", (3, 16, 16), 10, timesteps=2)
    return map_network(exact(net), torch.rand(1, 3, 16, 16))


def mlp() -> Mapped:
    return map_network(sl.zoo.mlp(400, 600, 300, 10, timesteps=2), torch.rand(1, 400))


def branched() -> Mapped:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b, self.out = nn.Linear(40, 200), nn.Linear(40, 200), nn.Linear(200, 50)
            self.na, self.nb, self.no = sl.LIF(), sl.LIF(), sl.LIF()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.no(self.out(self.na(self.a(x)) + self.nb(self.b(x))))

    return map_network(Two(), torch.rand(2, 1, 40))


@pytest.mark.parametrize(
    ("build", "core"),
    [(convolutional, {"neurons": 256, "shares_weights": True}), (mlp, {"neurons": 40}), (branched, {"neurons": 30})],
)
def test_better_than_layer_by_layer(build: object, core: dict[str, object]) -> None:
    network, device = build(), chip(**core)  # type: ignore[operator]
    filled, greedy, annealed = (place(network, device, method=m) for m in ("in_order", "greedy", "annealed"))
    assert annealed.cost <= greedy.cost
    assert annealed.cost < 0.9 * filled.cost
    again = place(network, device)
    assert np.array_equal(annealed.positions, again.positions)
    # what single neurons pay adds up to the traffic that was minimised (one spike each)
    hops = sum(int(each.sum()) for each in annealed.hops.values())
    assert hops == pytest.approx(annealed.cost)
    assert len({tuple(p) for p in annealed.positions.tolist()}) == annealed.core_count


@settings(max_examples=25)
@given(seed=st.integers(0, 10**6), neurons=st.integers(2, 12), synapses=st.integers(24, 120))
def test_random_graphs_keep_to_the_limits_or_are_refused(seed: int, neurons: int, synapses: int) -> None:
    network, device = random_graph(seed), chip(neurons=neurons, synapses=synapses, axons_in=60)
    try:
        placed = place(network, device, rounds=5)
    except CapacityError as error:
        assert "needs" in str(error)
        return
    assert placed.neurons_by_core().max() <= neurons and placed.neurons_by_core().sum() == network.neurons
    held = np.zeros(placed.core_count, np.int64)
    for name, each in network.populations.items():
        if each.spiking:
            fan_in = sum((p.fan_in for p in network.into(name)), np.zeros(each.size, np.int64))
            for a, b, core in zip(placed.borders[name], placed.borders[name][1:], placed.cores[name], strict=False):
                held[core] += fan_in[a:b].sum()
    assert held.max(initial=0) <= synapses


def test_every_failing_limit_is_named_with_its_layer_and_a_way_out() -> None:
    verdict = fits(mlp(), chip(neurons=64, axons_in=100, fan_in=350))
    failing = {(s.limit, s.layer) for s in verdict.shortages}
    assert ("axons_in", "layers.neuron_fc1") in failing and ("fan_in", "layers.neuron_fc2") in failing
    shortage = next(s for s in verdict.shortages if s.limit == "fan_in" and s.layer.endswith("fc2"))
    assert (shortage.needs, shortage.has) == (600, 350) and shortage.excess == pytest.approx(600 / 350)
    assert not verdict.fits and all(s.help in str(s) for s in verdict.shortages)
    with pytest.raises(CapacityError, match="does not fit 'small'"):
        verdict.demand()


def test_shared_weights_make_a_convolution_fit() -> None:
    network = convolutional()
    shared = cut(network, chip(neurons=4096, synapses=8000, shares_weights=True))
    unrolled = cut(network, chip(neurons=4096, synapses=8000))
    name = "layers.neuron_conv2"
    assert len(unrolled.neurons[name]) > 10 * len(shared.neurons[name])


def test_viability_report_covers_the_catalogue() -> None:
    found = {each.chip.name: each for each in fits(mlp())}
    assert found["loihi"].fits and not found["odin"].fits and found["loihi"].cores >= 3
    assert found["loihi"].to_dict()["chips"] == 1


@pytest.mark.parametrize(
    "text",
    [
        "name = 1",
        "[core",
        'name="a"\ntitle="b"\n[core]\nneurons=0\nsource="long enough"',
        'name="a"\ntitle="b"\n[core]\nneurons=5\n',
    ],
)
def test_a_chip_file_without_sense_or_source_does_not_load(tmp_path: object, text: str) -> None:
    path = tmp_path / "chip.toml"  # type: ignore[operator]
    path.write_text(text)
    with pytest.raises(ProfileError):
        load_device(path)


@pytest.mark.parametrize("seed", range(3))
def test_links_carry_what_hops_count(seed: int) -> None:
    mesh = {"columns": 5, "rows": 4, "cores_per_router": 3, "chips": 2, **CITED}
    device = chip_of({"name": "a", "title": "a", "core": {"neurons": 10, **CITED}, "mesh": mesh})
    placed = place(mlp(), device, seed=seed, rounds=5, method="greedy" if seed else "annealed")
    across, down = link_loads(placed)
    assert across.shape == (4, 9) and down.shape == (3, 10)
    assert across.sum() + down.sum() == pytest.approx(placed.cost)
    slow = {}
    sites = [*placed.positions.tolist(), [0, 0]]
    for source, target in np.argwhere(placed.traffic):
        (x, y), (to_x, to_y) = sites[source], sites[target]
        for k in range(min(x, to_x), max(x, to_x)):
            slow["across", y, k] = slow.get(("across", y, k), 0) + placed.traffic[source, target]
        for k in range(min(y, to_y), max(y, to_y)):
            slow["down", k, to_x] = slow.get(("down", k, to_x), 0) + placed.traffic[source, target]
    assert np.count_nonzero(across) + np.count_nonzero(down) == len(slow)
    for (kind, row, column), load in slow.items():
        assert (across if kind == "across" else down)[row, column] == load


def test_the_picture_has_a_square_a_core_and_a_line_a_link() -> None:
    placed = place(mlp(), chip(neurons=40))
    figure = draw_placement(placed)
    layers, links = figure.axes[:2]
    across, down = link_loads(placed)
    assert len(layers.collections[0].get_paths()) == placed.core_count == len(layers.texts)
    assert len(links.collections[-1].get_paths()) == np.count_nonzero(across) + np.count_nonzero(down)
    assert sum(int(text.get_text()) for text in layers.texts) == placed.network.neurons
    alone = draw_placement(place(sl.map(sl.zoo.mlp(4, 3, 2), torch.rand(1, 4)), "odin"))
    assert "none" in alone.axes[1].texts[0].get_text() and "one core" in alone.get_suptitle()


def test_a_layer_that_no_cutting_helps_breaks_no_limit_of_its_neighbours() -> None:
    network = sl.map(sl.zoo.mlp(10, 300, 40, 5), torch.rand(1, 10))
    verdict = fits(network, chip(neurons=100, axons_in=256, axons_out=30))
    # a neuron of the second layer hears 300; in 40 slices of one neuron, one of the first would need 40 axons out
    assert [(s.layer, s.limit, s.needs, s.has) for s in verdict.shortages] == [
        ("layers.neuron_fc2", "axons_in", 300, 256)
    ]
    # where a layer must lie on many cores anyway, its senders' axons are short for themselves
    verdict = fits(network, chip(neurons=1, axons_out=30))
    assert [(s.layer, s.limit, s.needs) for s in verdict.shortages if s.limit != "cores"] == [
        ("layers.neuron_fc1", "axons_out", 40)
    ]


def test_a_layer_of_which_any_two_neurons_are_too_many_lies_one_in_a_core() -> None:
    network = sl.map(sl.zoo.mlp(100, 600, 5), torch.rand(1, 100))
    slices = cut(network, chip(neurons=1000, synapses=199))  # two neurons are over by 1: so few more slices by ratio
    assert ("layers.neuron_fc1", "synapses") not in slices.failures and len(slices.neurons["layers.neuron_fc1"]) == 600


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), limits=st.tuples(*[st.integers(8, 60)] * 3))
@example(seed=23, limits=(8, 23, 17))  # slices grow by one a round for long, since each sheds few senders
def test_input_axons_are_short_where_one_neuron_hears_too_many_and_only_there(
    seed: int, limits: tuple[int, int, int]
) -> None:
    network, (synapses, axons_in, axons_out) = random_graph(seed), limits
    verdict = fits(network, chip(neurons=12, synapses=synapses, axons_in=axons_in, axons_out=axons_out))
    short = {(s.layer, s.limit): s.needs for s in verdict.shortages if s.limit != "cores"}
    for name, each in network.populations.items():
        if not each.spiking:
            continue
        heard: dict[str, np.ndarray] = {}
        for projection in network.into(name):
            matrix = np.zeros((network.populations[projection.source].size, each.size), bool)
            starts, records = projection.synapses.starts, projection.synapses.records  # type: ignore[union-attr]
            matrix[np.repeat(np.arange(len(matrix)), np.diff(starts)), records["target"]] = True
            heard[projection.source] = heard.get(projection.source, False) | matrix
        senders = sum((matrix.sum(0) for matrix in heard.values()), np.zeros(each.size, np.int64))
        assert ((name, "axons_in") in short) == (senders.max() > axons_in)
        assert short.get((name, "axons_in"), 0) <= senders.max()
