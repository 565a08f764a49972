"""Losses: small where the network is right, against sums done by hand."""

from __future__ import annotations

import math

import pytest
import torch

from spikeledger.errors import InputError
from spikeledger.training.answers import Answer
from spikeledger.training.losses import LOSSES, SHARPNESS, loss

STEPS = 4
#: neuron 1 fires always and neuron 0 once, at the last step
SPIKES = torch.tensor([[[0.0, 1, 0]], [[0, 1, 0]], [[0, 1, 0]], [[1, 1, 0]]])
FOUND = Answer(SPIKES.mean(0), SPIKES)


def softmax_loss(scores: list[float], label: int) -> float:
    return math.log(sum(math.exp(score) for score in scores)) - scores[label]


@pytest.mark.parametrize("label", [0, 1, 2])
@pytest.mark.parametrize(
    ("name", "scores"),
    [
        ("rate", [SHARPNESS / 4, SHARPNESS, 0]),
        ("count", [1, 4, 0]),
        ("first_spike", [SHARPNESS / 4, SHARPNESS, 0]),
    ],
)
def test_cross_entropies_of_spikes(name: str, scores: list[float], label: int) -> None:
    found = LOSSES[name](FOUND, torch.tensor([label]))
    assert float(found) == pytest.approx(softmax_loss(scores, label), abs=1e-6)


def test_mean_square() -> None:
    assert float(LOSSES["mean_square"](FOUND, torch.tensor([1]))) == pytest.approx(0.25**2 / 3)


@pytest.mark.parametrize("name", ["rate", "count"])
def test_scores_of_an_ordinary_network_are_taken_as_they_are(name: str) -> None:
    found = LOSSES[name](Answer(torch.tensor([[1.0, 2.0]])), torch.tensor([0]))
    assert float(found) == pytest.approx(softmax_loss([1, 2], 0))


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_pushes_the_right_neuron_up_and_the_others_down(name: str) -> None:
    spikes = (SPIKES * 0 + torch.tensor([0.0, 0, 1, 0]).view(4, 1, 1)).requires_grad_()
    LOSSES[name](Answer(spikes.mean(0), spikes), torch.tensor([1])).backward()
    assert spikes.grad is not None
    pushed = spikes.grad.sum((0, 1))
    assert pushed[1] < 0 < min(pushed[0], pushed[2])


def test_names_and_callables() -> None:
    assert loss("rate") is LOSSES["rate"]
    assert loss(LOSSES["count"]) is LOSSES["count"]
    with pytest.raises(InputError, match="did you mean 'mean_square'"):
        loss("mean_squared")
    with pytest.raises(InputError, match="needs output spikes"):
        LOSSES["first_spike"](Answer(torch.zeros(1, 2)), torch.tensor([0]))
