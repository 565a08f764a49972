"""Pruning: a mask is the weights' zeros, which every other part of the package sees, and which training keeps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import spikeledger as sl
from spikeledger.errors import InputError
from training.patches import ordinary, patches, spiking

DATA = patches()


def zeros(network: nn.Module) -> dict[str, int]:
    return {name: int((weight == 0).sum()) for name, weight in network.named_parameters() if weight.dim() > 1}


@given(share=st.floats(0, 0.99), seed=st.integers(0, 5))
@settings(max_examples=20, deadline=None)
def test_the_smallest_go_first_over_all_layers(share: float, seed: int) -> None:
    network = spiking(seed=seed)
    before = torch.cat([weight.detach().abs().reshape(-1) for weight in network.parameters() if weight.dim() > 1])
    gone = sl.prune(network, share)
    left = torch.cat([weight.detach().abs().reshape(-1) for weight in network.parameters() if weight.dim() > 1])
    assert gone == int((left == 0).sum()) == int(share * len(before) + 0.5)
    if gone > 0:
        assert float(before[left == 0].max()) <= float(left[left > 0].min())


def test_a_share_by_layer_and_the_counter_sees_it() -> None:
    network = spiking()
    full = sl.record(network, DATA.test_inputs)
    assert sl.prune(network, {"layers.fc1": 0.75}) == 24 * 36 * 3 // 4
    assert zeros(network) == {"layers.fc1.weight": 648, "layers.fc2.weight": 0}
    thin = sl.record(network, DATA.test_inputs)
    assert thin.layer("layers.fc1").synapses == 24 * 36 // 4 == full.layer("layers.fc1").synapses // 4
    assert thin.total("synaptic_op", "layers.fc1") < 0.4 * full.total("synaptic_op", "layers.fc1")


def test_thrift_takes_synapses_behind_busy_inputs_first() -> None:
    network = spiking()
    x = DATA.test_inputs.clone()
    x[..., :3] = 0  # the left half is always dark
    x[..., 0, 5] = 1
    activity = sl.record(network, x)
    sl.prune(network, 0.5, activity=activity, thrift=1.0)
    gone = (network.layers.fc1.weight == 0).float().mean(0).view(6, 6)
    assert float(gone[:, :3].max()) == 0 < float(gone[:, 3:].min())
    assert float(gone[0, 5]) >= float(gone[:, 3:].mean())


def test_pruning_to_a_budget_lands_on_it() -> None:
    network = spiking()
    activity = sl.record(network, DATA.test_inputs)
    spent = sl.price(activity, "odin").joules_per_sample
    sl.prune(network, joules=spent / 3, profile="odin", activity=activity)
    # what arrives at the second layer changes with the first, so the estimate is one
    now = sl.record(network, DATA.test_inputs)
    first = now.total("synaptic_op", "layers.fc1") / activity.total("synaptic_op", "layers.fc1")
    assert first == pytest.approx(1 / 3, abs=0.1)
    assert sl.price(now, "odin").joules_per_sample <= spent / 3


def test_it_goes_on_in_training_files_nir_and_on_a_chip(tmp_path: Path) -> None:
    network = spiking()
    sl.prune(network, 0.6)
    masks = {name: (weight == 0) for name, weight in network.named_parameters() if weight.dim() > 1}
    for _ in range(2):
        sl.fit(network, DATA, epochs=2, batch_size=32, progress=False)
        for name, weight in network.named_parameters():
            if name in masks:
                assert torch.equal(weight == 0, masks[name])
    sl.save_network(tmp_path / "net", network)
    loaded = sl.load_network(tmp_path / "net")
    assert zeros(loaded) == zeros(network)
    sl.fit(loaded, DATA, epochs=1, batch_size=32, progress=False)
    assert zeros(loaded) == zeros(network)
    mapped = sl.map(network, DATA.test_inputs[:2])
    assert sum(int(projection.synapses.fan_out.sum()) for projection in mapped.projections) == sum(
        int((~mask).sum()) for mask in masks.values()
    )


def test_zeros_grow_again_where_that_is_asked_for_and_where_a_matrix_is_all_zero() -> None:
    network = spiking()
    sl.prune(network, 0.5)
    sl.fit(network, DATA, epochs=1, batch_size=32, progress=False, keep_zeros=False)
    assert sum(zeros(network).values()) < 20
    begun = ordinary()
    with torch.no_grad():
        begun[-1].weight.zero_()
    sl.fit(begun, DATA, epochs=1, batch_size=32, progress=False)
    assert int((begun[-1].weight == 0).sum()) < 20  # all but those behind units that are silent for every sample


def test_the_schedule_rises_to_the_whole_between_its_ends() -> None:
    schedule = sl.Pruning(0.8, begin=0.25, end=0.75)
    steps = 400
    due = {step: found for step in range(1, steps + 1) if (found := schedule.due(step, steps))}
    assert 100 < min(due) <= max(due) == 300 and len(due) == 16
    assert list(due.values()) == sorted(due.values()) and due[300][0] == 1
    left = np.prod([1 - part for _, part in due.values()])
    assert left == 0  # the parts of what is left come to the whole
    for tiny in (1, 2, 3):
        done = [sl.Pruning(0.5).due(step, tiny) for step in range(1, tiny + 1)]
        assert (1.0, 1.0) in [found for found in done if found] or max(found[0] for found in done if found) == 1


@pytest.mark.parametrize("fraction", [0.7, {"layers.fc1": 0.9, "layers.fc2": 0.5}])
def test_pruning_while_it_trains(fraction: object) -> None:
    network = spiking("rate")
    run = sl.fit(network, DATA, epochs=20, batch_size=16, progress=False, prune=sl.Pruning(fraction))  # type: ignore[arg-type]
    counts = zeros(network)
    if isinstance(fraction, dict):
        assert counts == {"layers.fc1.weight": 778, "layers.fc2.weight": 48}
    else:
        assert sum(counts.values()) == round(0.7 * (24 * 36 + 24 * 4))
    assert run.test_accuracy is not None and run.test_accuracy > 0.85 and run.best_epoch == 20


def test_an_ordinary_network_is_pruned_too() -> None:
    network = ordinary()
    sl.fit(network, DATA, epochs=3, batch_size=32, progress=False, prune=sl.Pruning(0.5))
    assert sum(zeros(network).values()) == (24 * 36 + 24 * 4) // 2


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        (lambda: sl.prune(spiking()), "say how much"),
        (lambda: sl.prune(spiking(), 1.0), "0 to below 1"),
        (lambda: sl.prune(spiking(), {"fc1": 0.5}), "layers.fc1"),
        (lambda: sl.prune(spiking(), 0.5, thrift=1.0), "needs a recording"),
        (lambda: sl.prune(spiking(), 0.5, thrift=-1.0), "thrift"),
        (lambda: sl.prune(nn.Sequential(nn.ReLU()), 0.5), "no linear or convolutional"),
        (lambda: sl.prune(spiking(), joules=1e-9, activity=sl.record(spiking(), DATA.test_inputs)), "profile="),
        (
            lambda: sl.prune(spiking(), joules=1e-9, profile="v100", activity=sl.record(spiking(), DATA.test_inputs)),
            "cannot be reached",
        ),
        (lambda: sl.Pruning(), "say how much"),
        (lambda: sl.Pruning(0.5, begin=0.9, end=0.1), "begin <= end"),
        (lambda: sl.Pruning(joules=1e-7), "profile="),
        (lambda: sl.fit(spiking(), DATA, prune=0.5, progress=False), r"sl.learning.Pruning\(0.8\)"),  # type: ignore[arg-type]
        (
            lambda: sl.fit(spiking(), DATA, epochs=2, prune=sl.Pruning(joules=1e-9, profile="loihi"), progress=False),
            "cannot be reached",
        ),
    ],
)
def test_what_cannot_be_is_a_sentence(wrong: object, match: str) -> None:
    with pytest.raises(InputError, match=match):
        wrong()  # type: ignore[operator]
