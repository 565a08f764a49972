"""How synapses are stored changes no count: dense, sparse and convolutional storage of one matrix, at every precision."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikeledger.chip.simulate import PRECISIONS, run
from spikeledger.mapping.mapped import Mapped, Population, Projection
from spikeledger.mapping.random_network import random_network
from spikeledger.mapping.synapses import Convolution, Dense, Sparse, Synapses


def convolution(seed: int) -> Convolution:
    rng = np.random.default_rng(seed)
    weight = rng.normal(0, 1, (3, 2, 2, 2)) * (rng.random((3, 2, 2, 2)) < 0.8)
    weight[rng.random(weight.shape) < 0.3] *= 1e-3  # far below half of an 8-bit step
    return Convolution(weight.astype(np.float32), (2, 5, 4), padding=(1, 0))


def matrix_of(synapses: Convolution) -> Any:
    matrix = np.zeros((synapses.sources, synapses.targets), np.float32)
    for source in range(synapses.sources):
        synapses.deliver(matrix[source], source, 1.0)
    return matrix


def network(synapses: Synapses, shape: tuple[int, ...]) -> Mapped:
    return Mapped(
        {
            "input": Population("input", (2, 5, 4), "input"),
            "n": Population("n", shape, threshold=0.75, beta=0.9),
            "out": Population("out", (1,)),
        },
        (
            Projection("input", "n", synapses, layer="w"),
            Projection("n", "out", Dense(np.ones((int(np.prod(shape)), 1), np.float32)), layer="v"),
        ),
        "out",
    )  # fmt: skip


@given(st.integers(0, 10**6), st.sampled_from(PRECISIONS))
@settings(max_examples=30, deadline=None)
def test_storage_changes_no_count(seed: int, precision: Any) -> None:
    shared = convolution(seed)
    matrix = matrix_of(shared)
    source, target = np.nonzero(matrix)
    sparse = Sparse.from_edges(source, target, matrix[source, target], *matrix.shape)
    values = (np.random.default_rng(seed).random((6, 2, 40)) < 0.4).astype(np.float32)
    found = [
        run(network(each, shared.out_shape), values, "loihi", precision=precision).activity
        for each in (shared, Dense(matrix), sparse)
    ]
    for event in ("synaptic_op", "spike", "neuron_update", "active_update", "packet", "hop"):
        assert len({one.total(event) for one in found}) == 1, event
    assert len({one.layer("w").synapses for one in found}) == 1
    assert len({tuple(one.per_neuron("w", "synaptic_op").ravel()) for one in found}) == 1


def test_weights_that_round_to_nothing_are_no_synapses_on_the_chip() -> None:
    matrix = np.where(np.arange(12).reshape(4, 3) % 2 == 0, 1.0, 1e-4).astype(np.float32)
    made = Mapped(
        {"input": Population("input", (4,), "input"), "n": Population("n", (3,))},
        (Projection("input", "n", Sparse.from_edges(*np.nonzero(matrix), matrix.ravel(), 4, 3), layer="w"),), "n",
    )  # fmt: skip
    ones = np.ones((5, 1, 4), np.float32)
    assert run(made, ones, "loihi").activity.total("synaptic_op") == 60
    assert run(made, ones, "loihi", precision="chip").activity.total("synaptic_op") == 30


@pytest.mark.parametrize(("neurons", "fan_out"), [(30, 20), (40, 40), (50, 3), (1, 1), (2000, 60)])
def test_a_random_network_draws_no_target_twice(neurons: int, fan_out: int) -> None:
    made = random_network(neurons, fan_out, seed=2)
    targets = made.projections[0].synapses.records["target"].reshape(neurons, fan_out).astype(np.int64)
    assert (np.diff(targets, axis=1) > 0).all() and targets.max() < neurons
    if neurons > 500:  # every neuron is hit about as often as any other
        hits = np.bincount(targets.ravel(), minlength=neurons)
        assert abs(hits.std() / np.sqrt(fan_out) - 1) < 0.1


@pytest.mark.parametrize("seed", range(3))
def test_a_random_network_runs_as_its_oracle(seed: int) -> None:
    made = random_network(30, 20, rate=0.1, weight=0.5, seed=seed)
    nothing = np.zeros((60, 1, 0), np.float32)
    native, reference = (run(made, nothing, backend=backend).activity for backend in ("auto", "reference"))
    assert native.total("spike") == reference.total("spike") > 100
