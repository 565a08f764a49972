"""What is told of a recorded sample, step by step: counts that a recording of the first steps alone has too."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import livepages
from spikeledger.errors import InputError, UncountedError
from spikeledger.live.answering import answering
from spikeledger.live.bills import all_bills
from spikeledger.live.stage import Stage, pictures_of, replay
from spikeledger.live.takes import take
from spikeledger.networks import zoo
from spikeledger.networks.spiking import SpikingNetwork
from spikeledger.recording.record import record
from spikeledger.training.evaluate import evaluate


def first_steps(network: SpikingNetwork, sample: Tensor, seed: int, steps: int) -> Any:
    """The recording of the first steps of what the encoder gives."""
    network.reseed(seed)
    assert network.encoder is not None
    coded = network.encoder(sample[None])[:steps]
    encoder = network.encoder
    network.encoder = livepages.Given(coded)
    try:
        return record(network, sample[None])
    finally:
        network.encoder = encoder


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("cnn-s", {"timesteps": 4}),
        ("cnn-s", {"timesteps": 3, "encoder": "latency", "neuron": "adaptive"}),
        ("mlp-s", {"timesteps": 6, "neuron": "synaptic"}),
    ],
)
def test_counts_after_each_step_are_those_of_a_recording_of_so_many(name: str, options: dict[str, Any]) -> None:
    snn = zoo.build(name, (1, 8, 8), 10, seed=3, **options)
    sample = livepages.digits().test_inputs[17]
    found = take(snn, sample, seed=41)
    assert found.by_step and found.timesteps == options["timesteps"]
    for step in range(1, found.timesteps + 1):
        want = first_steps(snn, sample, 41, step)
        mine = {key: int(row[step - 1]) for key, row in found.counts.items() if row[step - 1]}
        assert mine == {f"{a}|{b}": tally.count for (a, b), tally in want.tallies.items() if tally.count}
        kinds = [kind if step >= since else "silent" for kind, since in found.arrived]
        assert kinds == [layer.inputs for layer in want.layers_by_name.values() if layer.weighted]


def test_what_is_uneven_and_not_known_by_step_is_told_as_a_whole() -> None:
    class Graded(nn.Module):
        """Other values in each step, which no raster tells."""

        def __init__(self) -> None:
            super().__init__()
            self.layer, self.neuron = nn.Linear(64, 10), zoo.mlp(4, 10).layers[2]

        def forward(self, x: Tensor) -> Tensor:
            ramp = torch.arange(4.0).reshape(4, 1, 1)
            out: Tensor = self.neuron(self.layer(torch.relu(x.flatten(1)[None] - ramp / 4)))
            return out

    found = take(Graded(), livepages.digits().test_inputs[0], seed=0)
    assert not found.by_step
    assert all(len(row) == 1 for row in found.counts.values())
    assert found.kinds() == {("graded",)}


def test_answers_are_those_of_evaluate_and_the_network_is_left_alone() -> None:
    snn = zoo.build("mlp-s", (1, 8, 8), 10, timesteps=7, seed=2)
    snn.train()
    data = livepages.digits()
    state = torch.get_rng_state()
    found = [take(snn, data.test_inputs[at], seed=5) for at in range(6)]
    assert snn.training and torch.equal(state, torch.get_rng_state())
    for at, one in enumerate(found):
        want = evaluate(snn, data.test_inputs[at : at + 1], data.test_labels[at : at + 1], seed=5)
        assert want.predictions_by_step is not None
        assert list(one.answers) == want.predictions_by_step[:, 0].tolist()
        # confidence as counts: the scores are output spikes
        assert one.scores[-1].sum() == pytest.approx(one.activity.per_neuron(one.activity.layers[-1]).sum())
    told = answering(snn, data.test_inputs, data.test_labels, seed=3)
    want = evaluate(snn, data.test_inputs, data.test_labels, seed=3)
    assert told.accuracy == pytest.approx(want.accuracy)
    assert want.accuracy_by_step is not None
    assert told.by_step == pytest.approx(want.accuracy_by_step)


def test_bills_of_the_classes_that_occur_are_those_of_all_classes() -> None:
    ann, snn = livepages.untrained(64, 12, 10, timesteps=3)
    data = livepages.digits()
    pair = [take(one, data.test_inputs[0], seed=1) for one in (ann, snn)]
    some = all_bills(*(one.activity for one in pair), catalogue=["loihi", "v100"],
                     kinds={"ann": pair[0].kinds(), "snn": pair[1].kinds()})  # fmt: skip
    whole = all_bills(*(one.activity for one in pair), catalogue=["loihi", "v100"])
    for side in ("ann", "snn"):
        for mine, all_of_it in zip(some["sides"][side]["profiles"], whole["sides"][side]["profiles"], strict=True):
            for flow, bills in mine["bills"].items():
                for kinds, bill in bills.items():
                    one, other = some["bills"][bill], whole["bills"][all_of_it["bills"][flow][kinds]]
                    assert len(one) == len(other) > 0


def test_networks_that_cannot_be_shown_are_refused() -> None:
    ann, snn = livepages.untrained(64, 10, timesteps=2)
    with pytest.raises(InputError, match="in this order"):
        Stage(snn, ann, livepages.digits(), catalogue=["loihi"])
    few, fewer = livepages.untrained(64, 7, timesteps=2)
    with pytest.raises(InputError, match="answers 7 classes"):
        replay(few, fewer, livepages.digits(), catalogue=["loihi"])

    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(64, 10))

        def forward(self, x: Tensor) -> Tensor:
            return torch.special.bessel_j0(x.flatten(1) @ self.weight).sort(1).values

    with pytest.raises(UncountedError, match="not all was counted"):
        replay(Odd(), snn, livepages.digits(), catalogue=["loihi"])


@pytest.mark.parametrize(
    ("shape", "picture"), [((3, 8, 6), (8, 6)), ((5, 2, 9, 9), (9, 9)), ((700,), (26, 27)), ((4, 4), (4, 4))]
)
def test_every_sample_has_a_picture(shape: tuple[int, ...], picture: tuple[int, int]) -> None:
    samples = torch.randn(3, *shape, generator=torch.Generator().manual_seed(1))
    found = pictures_of(samples)
    assert found.shape == (3, *picture) and found.dtype == np.uint8 and found.max() == 255


def test_populations_too_large_to_be_drawn_are_named() -> None:
    snn = zoo.mlp(64, 2100, 30, 10, timesteps=2, seed=1)
    found = take(snn, livepages.digits().test_inputs[3], seed=0)
    assert [size for _, size in found.undrawn()] == [2100]
    assert {one.name for one in found.populations}.isdisjoint(name for name, _ in found.undrawn())
