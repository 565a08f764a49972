"""The laws of counting, over random networks: they hold for every one of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import spikeledger as sl
from recording import oracle
from spikeledger import Activity
from spikeledger.networks.neurons import Neuron
from spikeledger.networks.spiking import OverTime

STEPS, BATCH = 3, 4


@st.composite
def networks(draw: st.DrawFn) -> tuple[nn.Sequential, Tensor]:
    """A random spiking network of our own neurons, perceptron or convolutional, pruned or not; with its input."""
    seed = draw(st.integers(0, 999))
    torch.manual_seed(seed)
    layers: list[nn.Module] = []
    neuron = draw(st.sampled_from([sl.LIF, sl.IF]))
    options: dict[str, Any] = {
        "threshold": draw(st.sampled_from([0.05, 0.3])),
        "reset": draw(st.sampled_from(["subtract", "zero"])),
    }
    shape: tuple[int, ...]
    if draw(st.booleans()):
        channels, size = draw(st.integers(1, 2)), draw(st.integers(4, 6))
        shape = (channels, size, size)
        outputs = draw(st.integers(1, 3))
        layers += [
            sl.over_time(nn.Conv2d(channels, outputs, 3, draw(st.integers(1, 2)), draw(st.integers(0, 1)))),
            neuron(**options),
        ]
        pool = draw(st.sampled_from([None, nn.AvgPool2d(2), nn.AvgPool2d(2, 1), nn.MaxPool2d(2)]))
        with torch.no_grad():
            room = min(nn.Sequential(*layers)(torch.zeros(1, 1, *shape)).shape[3:])
        if pool is not None and room >= 2:
            layers.append(sl.over_time(pool))
        layers.append(nn.Flatten(2))
        with torch.no_grad():
            width = nn.Sequential(*layers)(torch.zeros(1, 1, *shape)).shape[2]
    else:
        width = draw(st.integers(1, 6))
        shape = (width,)
    for size in draw(st.lists(st.integers(1, 5), min_size=1, max_size=2)):
        layers += [nn.Linear(width, size, bias=draw(st.booleans())), neuron(**options)]
        width = size
    network = nn.Sequential(*layers)
    if draw(st.booleans()):
        with torch.no_grad():
            for part in network.modules():
                if isinstance(part, nn.Linear | nn.Conv2d):
                    part.weight.mul_((torch.rand(part.weight.shape) < 0.5).float())
    density = draw(st.sampled_from([0.1, 0.5, 1.0]))
    return network, (torch.rand(STEPS, BATCH, *shape) < density).float()


def counts(activity: Activity) -> dict[tuple[str, str], Any]:
    return {
        key: (tally.count, None if tally.per_neuron is None else tally.per_neuron.tolist())
        for key, tally in activity.tallies.items()
    }


@given(networks(), st.sampled_from(["fold", "separate"]), st.integers(1, BATCH))
@settings(max_examples=25, deadline=None)
def test_how_the_batch_is_cut_and_ordered_changes_nothing(case: Any, pooling: Any, size: int) -> None:
    network, x = case
    whole = sl.record(network, x, pooling=pooling)
    assert not whole.uncounted
    assert counts(sl.record(network, x, pooling=pooling, batch_size=size)) == counts(whole)
    assert counts(sl.record(network, x[:, torch.randperm(BATCH)], pooling=pooling)) == counts(whole)
    parts = sl.record(network, x[:, :1], pooling=pooling) + sl.record(network, x[:, 1:], pooling=pooling)
    assert counts(parts) == counts(whole)
    assert parts.samples == whole.samples == BATCH
    assert all((parts.spikes_per_step[n] == row).all() for n, row in whole.spikes_per_step.items())


@pytest.mark.parametrize("backend", ["reference", "auto"])
def test_a_rate_code_counts_alike_however_the_batch_is_cut(backend: Any) -> None:
    images = torch.rand(11, 1, 6, 7)
    with sl.backend(backend):
        network = sl.zoo.mlp(42, 17, 5, timesteps=6, seed=3)
        whole = counts(sl.record(network, images))
        assert all(counts(sl.record(network, images, batch_size=size)) == whole for size in (1, 3, 10))
        assert counts(sl.record(network, iter(images.split([2, 8, 1])))) == whole


@given(networks())
@settings(max_examples=20, deadline=None)
def test_time_adds_up(case: Any) -> None:
    network, x = case
    first, later = sl.record(network, x), sl.record(network, x.flip(0))
    joined = first.then(later)
    assert joined.timesteps == 2 * STEPS and joined.samples == BATCH
    for event in joined.events:
        assert joined.total(event) == first.total(event) + later.total(event)


@given(networks())
@settings(max_examples=15, deadline=None)
def test_silence_costs_no_synaptic_operation(case: Any) -> None:
    network, x = case
    for part in network.modules():
        if getattr(part, "bias", None) is not None:
            part.bias = None
    activity = sl.record(network, torch.zeros_like(x))
    assert activity.total("synaptic_op") == activity.total("mac") == activity.total("spike") == 0
    assert activity.total("active_update") == 0
    assert activity.total("neuron_update") > 0


@given(networks(), st.sampled_from(["fold", "separate"]))
@settings(max_examples=20, deadline=None)
def test_sums_and_bounds(case: Any, pooling: Any) -> None:
    network, x = case
    activity = sl.record(network, x, pooling=pooling)
    for (layer, event), tally in activity.tallies.items():
        assert tally.count == activity.total(event, layer)
        if tally.per_neuron is not None:
            assert tally.per_neuron.sum() == tally.count
    for event in activity.events:
        assert activity.total(event) == sum(activity.total(event, layer) for layer in activity.layers)
    for name in activity.layers:
        facts = activity.layer(name)
        if facts.weighted:
            arrived = activity.total("synaptic_op", name) + activity.total("mac", name)
            assert arrived <= BATCH * STEPS * facts.synapses or pooling == "fold"
            if pooling == "separate":
                assert arrived <= activity.total("dense_op", name)
        if facts.spiking:
            assert activity.total("spike", name) <= activity.total("neuron_update", name)
            assert activity.total("active_update", name) <= activity.total("neuron_update", name)
            assert activity.spikes_per_step[name].sum() == activity.total("spike", name)


@given(networks())
@settings(max_examples=15, deadline=None)
def test_batch_first_networks_count_the_same(case: Any) -> None:
    network, x = case

    class BatchFirst(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = network

        def forward(self, values: Tensor) -> Tensor:
            return self.inner(values.transpose(0, 1)).transpose(0, 1)

    plain = sl.record(network, x)
    turned = sl.record(BatchFirst(), x.transpose(0, 1), layout="BT")
    assert (turned.samples, turned.timesteps) == (BATCH, STEPS)
    assert {(k[0].removeprefix("inner."), k[1]): v for k, v in counts(turned).items()} == counts(plain)


@given(networks())
@settings(max_examples=25, deadline=None)
def test_whole_networks_agree_with_the_oracle(case: Any) -> None:
    network, x = case
    activity = sl.record(network, x)
    shape: tuple[int, ...] = tuple(x.shape[2:])
    before: oracle.Wiring | None = None  # poolings and flattenings since the last spikes
    spikes, values = x, x
    with torch.no_grad():
        for name, part in network.named_children():
            inner = part.module if isinstance(part, OverTime) else part
            if isinstance(inner, nn.AvgPool2d):
                pair = (int(inner.kernel_size),) * 2, (int(inner.stride),) * 2
                before = oracle.pooling(shape, pair[0], pair[1], (0, 0))
            elif isinstance(inner, nn.Conv2d | nn.Linear):
                weight = inner.weight.numpy()
                if isinstance(inner, nn.Linear):
                    wires = oracle.linear(weight)
                else:
                    wires = oracle.convolution(shape, weight, inner.stride, inner.padding, inner.dilation, inner.groups)
                if before is not None:
                    wires = oracle.through(before, wires)
                layer = name + (".module" if isinstance(part, OverTime) else "")
                expected = oracle.events(spikes.flatten(0, 1).numpy(), wires)
                assert activity.total("synaptic_op", layer) == expected.sum()
                before = None
            previous = values
            values = part(values)
            if isinstance(inner, nn.Flatten) and before is not None:
                pooled = tuple(int(n) for n in previous.shape[2:])
                names = {place: (number,) for number, place in enumerate(oracle.places(pooled))}
                before = {source: {names[t] for t in targets} for source, targets in before.items()}
            elif before is None:
                spikes = values
            if isinstance(inner, Neuron):
                assert activity.total("spike", name) == int(values.sum())
                assert (activity.per_neuron(name) == values.sum((0, 1)).numpy().astype(np.int64)).all()
            shape = tuple(values.shape[2:]) if before is None else shape
