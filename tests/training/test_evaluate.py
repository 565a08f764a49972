"""evaluate: the answers are those of a plain loop, step by step, and asking leaves no trace."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

import spikeledger as sl
from spikeledger.errors import InputError
from training.patches import ordinary, patches, same, spiking, state

DATA = patches()


@pytest.mark.parametrize("decoder", ["rate", "latency", "population"])
@pytest.mark.parametrize("encoder", ["rate", "direct", "latency"])
def test_answers_by_step_are_those_of_a_loop_over_samples(decoder: str, encoder: str) -> None:
    network = spiking(encoder, decoder=decoder, threshold=0.3).eval()
    inputs, labels = DATA.test_inputs, DATA.test_labels
    found = sl.evaluate(network, inputs, labels, seed=3)
    network.reseed(3)
    with torch.no_grad():
        spikes = network(inputs)
    for sample in range(0, len(inputs), 7):
        for step in range(4):
            score = network.decoder(spikes[: step + 1, sample : sample + 1])[0].tolist()
            assert found.predictions_by_step is not None
            assert found.predictions_by_step[step, sample] == score.index(max(score))
    assert np.array_equal(found.predictions, found.predictions_by_step[-1])
    assert found.predictions.dtype == found.predictions_by_step.dtype == np.int64
    assert np.array_equal(found.correct, found.predictions == labels.numpy())
    assert found.accuracy == found.correct.mean() == found.accuracy_by_step[-1]
    assert np.array_equal(found.accuracy_by_step, (found.predictions_by_step == labels.numpy()).mean(1))


def test_an_ordinary_network_answers_without_steps() -> None:
    network = ordinary()
    found = sl.evaluate(network, DATA.test_inputs, DATA.test_labels)
    assert found.predictions_by_step is None and found.accuracy_by_step is None
    assert np.array_equal(found.predictions, network(DATA.test_inputs).argmax(1).numpy())
    table = found.confusion(4)
    assert table.sum() == 60 and np.trace(table) == found.correct.sum()
    assert table[DATA.test_labels[0], found.predictions[0]] > 0
    assert f"{found.correct.sum()} of 60" in repr(found)


@given(st.integers(1, 70))
def test_batches_change_nothing_where_nothing_is_random(batch_size: int) -> None:
    network = spiking("direct")
    inputs, labels = DATA.test_inputs.numpy(), DATA.test_labels.tolist()
    whole = sl.evaluate(network, DATA.test_inputs, DATA.test_labels)
    parts = sl.evaluate(network, inputs, labels, batch_size=batch_size)
    assert np.array_equal(whole.predictions_by_step, parts.predictions_by_step)


def test_asking_leaves_no_trace() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(36, 4), nn.BatchNorm1d(4), nn.Dropout(0.5))
    network[3].eval()
    before, modes = state(network), [module.training for module in network.modules()]
    torch.manual_seed(1)
    expected = torch.rand(2)
    torch.manual_seed(1)
    first = sl.evaluate(network, DATA.test_inputs, DATA.test_labels)
    assert torch.equal(torch.rand(2), expected)
    assert same(before, state(network)) and [module.training for module in network.modules()] == modes
    again = sl.evaluate(network, DATA.test_inputs, DATA.test_labels)
    assert np.array_equal(first.predictions, again.predictions)


def test_the_seed_decides_the_spikes_of_a_rate_code() -> None:
    network = spiking("rate", threshold=0.3)

    def asked(seed: int) -> bytes:
        by_step = sl.evaluate(network, DATA.test_inputs, DATA.test_labels, seed=seed).predictions_by_step
        assert by_step is not None
        return by_step.tobytes()

    assert asked(0) == asked(0) != asked(1)


@pytest.mark.parametrize(
    ("inputs", "labels", "words"),
    [
        (torch.zeros(0, 1, 6, 6), torch.zeros(0, dtype=torch.int64), "with a sample in it"),
        (torch.zeros(36), torch.zeros(36, dtype=torch.int64), "with a sample in it"),
        (torch.zeros(2, 1, 6, 6), torch.tensor([0, 4]), "go up to 4"),
        (torch.zeros(2, 1, 6, 6), torch.tensor([0, -1]), "-1"),
        (torch.zeros(2, 1, 6, 6), torch.tensor([0.0, 1.0]), "whole numbers"),
        (torch.zeros(2, 1, 6, 6), torch.tensor([0]), "one label a sample"),
        (torch.full((2, 1, 6, 6), float("nan")), torch.tensor([0, 1]), "72 values that are NaN"),
        (torch.zeros(2, 1, 7, 6), torch.tensor([0, 1]), "[1, 7, 6]"),
        ([[1], [2, 3]], [0, 1], "arrays of numbers"),
    ],
)
def test_what_cannot_be_asked_is_one_sentence(inputs: object, labels: object, words: str) -> None:
    for network in (spiking("direct"), ordinary()):
        with pytest.raises(InputError) as caught:
            sl.evaluate(network, inputs, labels)
        assert words in str(caught.value) and "\n" not in str(caught.value)
    with pytest.raises(InputError, match="batch size of 0"):
        sl.evaluate(ordinary(), DATA.test_inputs, DATA.test_labels, batch_size=0)


class Stepping(nn.Module):
    """A network of a user's own that takes `[T, B, N]`, keeps nothing between calls, and is given samples."""

    def __init__(self) -> None:
        super().__init__()
        self.weight, self.neuron = nn.Linear(5, 3), sl.neurons.LIF(beta=0.9)
        with torch.no_grad():
            self.weight.weight.fill_(0.3)

    def forward(self, steps: Tensor) -> Tensor:
        return self.neuron(self.weight(steps).unsqueeze(1)).squeeze(1)


def test_samples_that_a_network_takes_for_steps_are_told() -> None:
    samples, labels = torch.full((11, 5), 0.4), torch.arange(11) % 3
    for call in (
        lambda: sl.evaluate(Stepping(), samples, labels),
        lambda: sl.fit(Stepping(), (samples, labels), progress=False),
    ):
        with pytest.raises(InputError, match=r"those before it.*\[T, B, \*N\]"):
            call()
    whole = sl.SpikingNetwork(Stepping().weight, encoder="rate", timesteps=4)
    assert sl.evaluate(whole, samples, labels).accuracy <= 1


class Folding(nn.Module):
    """Takes samples of a channel, and folds a batch without one into channels: one sample alone passes."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(1, 2, 3)

    def forward(self, images: Tensor) -> Tensor:
        return self.layer(images.reshape(-1, len(images) if images.dim() == 3 else 1, 6, 6)).flatten(1)


def test_more_than_one_sample_is_tried() -> None:
    images, labels = torch.rand(9, 6, 6), torch.arange(9) % 3
    assert Folding()(images[:1]).shape == (1, 32)
    for call in (
        lambda: sl.evaluate(Folding(), images, labels),
        lambda: sl.fit(Folding(), (images, labels), progress=False),
    ):
        with pytest.raises(InputError, match=r"Folding cannot take .* inputs of shape \[6, 6\]"):
            call()


def test_what_is_tried_leaves_no_trace() -> None:
    class Counting(nn.Linear):
        calls = 0

        def forward(self, values: Tensor) -> Tensor:
            self.calls = self.calls + len(values)
            return super().forward(values)

    network = Counting(4, 3)
    sl.evaluate(network, torch.rand(10, 4), torch.zeros(10, dtype=torch.int64), batch_size=4)
    assert network.calls == 10


@pytest.mark.parametrize("kind", [torch.float64, torch.float16])
def test_samples_become_numbers_of_the_kind_that_weights_are(kind: torch.dtype) -> None:
    network, samples, labels = sl.zoo.mlp(7, 6, 3, timesteps=3).to(kind), torch.rand(12, 7), torch.arange(12) % 3
    assert sl.evaluate(network, samples, labels).labels.size == 12
    run = sl.fit(network, (samples, labels), epochs=1, progress=False)
    assert run.history[0].joules_per_sample is not None
    ann = nn.Sequential(nn.Linear(7, 5), nn.ReLU(), nn.Linear(5, 3)).to(kind)
    found = sl.compare(ann, network, (samples, labels), profiles=["horowitz-45nm"], widths=False)
    assert found.ann.activity.total("dense_op") == 12 * (7 * 5 + 5 * 3)
