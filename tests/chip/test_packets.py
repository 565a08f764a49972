"""Packets, hops and axons against nested loops over every synapse, on networks with skips, loops and shared cores."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chip.devices import chip_of
from chip.networks import random_graph
from spikeledger.chip.device import Device, load_device
from spikeledger.chip.placement import Placement, place
from spikeledger.chip.simulate import run
from spikeledger.chip.slices import cut
from spikeledger.errors import CapacityError
from spikeledger.mapping.mapped import Mapped, Population, Projection
from spikeledger.mapping.synapses import Sparse

CITED = {"source": "made for a test"}


def chip(**core: object) -> Device:
    return chip_of(
        {"name": "small", "title": "small", "core": {**core, **CITED}, "mesh": {"columns": 12, "rows": 12, **CITED}}
    )


def targets(network: Mapped, name: str, neuron: int) -> set[tuple[str, int]]:
    """All neurons that a neuron has a synapse to, by whatever projection."""
    found = set()
    for projection in network.projections:
        if projection.source == name:
            row = np.zeros(network.populations[projection.target].size, np.float32)
            for target, weight in zip(*edges(projection.synapses, neuron), strict=True):
                row[target] = weight
            found |= {(projection.target, int(target)) for target in np.flatnonzero(row)}
    return found


def edges(synapses: Sparse, neuron: int) -> tuple[list[int], list[float]]:
    records = synapses.records[synapses.starts[neuron] : synapses.starts[neuron + 1]]
    return records["target"].tolist(), records["weight"].tolist()


def core_of(placed: Placement, name: str, neuron: int) -> int:
    borders = placed.borders[name].tolist()
    return int(placed.cores[name][max(k for k in range(len(borders) - 1) if borders[k] <= neuron)])


@given(seed=st.integers(0, 10**6), neurons=st.integers(2, 12), shared=st.booleans())
@settings(max_examples=40, deadline=None)
def test_packets_and_hops(seed: int, neurons: int, shared: bool) -> None:
    network = random_graph(seed)
    try:
        placed = place(network, chip(neurons=neurons), rounds=3, method="annealed" if shared else "in_order")
    except CapacityError:
        return
    for name, population in network.populations.items():
        for neuron in range(population.size):
            cores = {core_of(placed, *target) for target in targets(network, name, neuron)}
            if population.spiking:
                home = core_of(placed, name, neuron)
                cores.discard(home)
                start = placed.positions[home]
            else:
                start = np.zeros(2, np.int64)
            far = sum(int(np.abs(placed.positions[core] - start).sum()) for core in cores)
            if not population.spiking and placed.core_count == 1:
                cores = set()  # one core without a mesh
            assert placed.packets[name][neuron] == len(cores)
            assert placed.hops[name][neuron] == far


def test_the_run_counts_the_packets_of_its_spikes() -> None:
    for seed in range(12):
        network = random_graph(seed)
        values = (np.random.default_rng(seed).random((5, 2, network.populations["input"].size)) < 0.5).astype(
            np.float32
        )
        found = run(network, values, chip(neurons=6))
        assert found.placement is not None
        for name, population in network.populations.items():
            if population.spiking:
                spikes = found.activity.per_neuron(name)
                assert found.activity.total("packet", name) == int((spikes * found.placement.packets[name]).sum())


@given(seed=st.integers(0, 10**6), neurons=st.integers(1, 9))
@settings(max_examples=40, deadline=None)
def test_axons(seed: int, neurons: int) -> None:
    """Two projections between the same populations share a neuron's axon."""
    network = random_graph(seed)
    found = cut(network, chip(neurons=neurons, axons_in=10**6, axons_out=10**6))

    def slice_of(name: str, neuron: int) -> tuple[str, int]:
        return name, int(np.searchsorted(found.borders[name], neuron, "right")) - 1

    arrive = {name: [set() for _ in each] for name, each in found.neurons.items()}
    leave = {name: [set() for _ in each] for name, each in found.neurons.items()}
    for name, population in network.populations.items():
        for neuron in range(population.size):
            for target in targets(network, name, neuron):
                slot = slice_of(*target)
                arrive[slot[0]][slot[1]].add((name, neuron))
                if population.spiking:
                    leave[name][slice_of(name, neuron)[1]].add((neuron, slot))
    for name in found.neurons:
        assert found.axons_in[name].tolist() == [len(each) for each in arrive[name]]
        assert found.axons_out[name].tolist() == [len(each) for each in leave[name]]


def test_a_skip_and_a_straight_way_are_told_apart_by_their_targets() -> None:
    def half(lower: bool) -> Sparse:
        sources = np.arange(4)
        return Sparse.from_edges(sources, sources % 2 + (0 if lower else 2), np.ones(4), 4, 4)

    populations = {"input": Population("input", (4,), "input"), "a": Population("a", (4,)), "b": Population("b", (4,))}
    network = Mapped(
        populations,
        (
            Projection("input", "a", half(True)), Projection("a", "b", half(True), 0, "near"),
            Projection("a", "b", half(False), 2, "late"),
        ),
    )  # fmt: skip
    found = cut(network, chip(neurons=2, axons_in=100, axons_out=100))
    assert found.axons_in["b"].tolist() == [4, 4]  # one projection each
    assert found.axons_out["a"].tolist() == [4, 4]  # of two neurons, to both slices
    whole = cut(network, chip(neurons=4, axons_in=100, axons_out=100))
    assert whole.axons_in["b"].tolist() == [4] and whole.axons_out["a"].tolist() == [4]


@pytest.mark.parametrize(("decay", "steps"), [(0.8, 3277), (0.9, 3686), (0.95, 3891), (0.3, 1229), (1.0, 4096)])
def test_a_decay_is_the_nearest_of_4096(decay: float, steps: int) -> None:
    from spikeledger.chip.precision import fixed_point

    edges_of = Sparse.from_edges(np.arange(3), np.arange(3), np.ones(3), 3, 3)
    kinds = {"beta": decay, "alpha": decay, "rho": decay, "strength": 0.5}
    network = Mapped(
        {"input": Population("input", (3,), "input"), "n": Population("n", (3,), **kinds)},
        (Projection("input", "n", edges_of),),
    )
    held, _ = fixed_point(network, load_device("loihi"))
    for constant in ("beta", "alpha", "rho"):
        assert getattr(held.populations["n"], constant) * 4096 == steps
