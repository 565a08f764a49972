"""Losses: small where the network is right, against sums done by hand."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import spikeledger as sl
from spikeledger.errors import InputError
from spikeledger.training.answers import Answer, answer
from spikeledger.training.losses import LOSSES, SHARPNESS, loss, mean_square_to
from training.patches import patches, spiking

STEPS = 4
#: neuron 1 fires always and neuron 0 once, at the last step
SPIKES = torch.tensor([[[0.0, 1, 0]], [[0, 1, 0]], [[0, 1, 0]], [[1, 1, 0]]])
FOUND = Answer(SPIKES.mean(0), SPIKES, SPIKES.cumsum(0) / 2)


def softmax_loss(scores: list[float], label: int) -> float:
    return math.log(sum(math.exp(score) for score in scores)) - scores[label]


@pytest.mark.parametrize("label", [0, 1, 2])
@pytest.mark.parametrize(
    ("name", "scores"),
    [
        ("rate", [SHARPNESS / 4, SHARPNESS, 0]),
        ("count", [1, 4, 0]),
        ("first_spike", [SHARPNESS / 4, SHARPNESS, 0]),
        ("membrane", [0.5, 2, 0]),
    ],
)
def test_cross_entropies_of_spikes(name: str, scores: list[float], label: int) -> None:
    found = LOSSES[name](FOUND, torch.tensor([label]))
    assert float(found) == pytest.approx(softmax_loss(scores, label), abs=1e-6)


def test_mean_square() -> None:
    assert float(LOSSES["mean_square"](FOUND, torch.tensor([1]))) == pytest.approx(0.25**2 / 3)
    assert float(LOSSES["count_mean_square"](FOUND, torch.tensor([1]))) == pytest.approx(1 / 3)
    to = mean_square_to(0.8, 0.1)
    assert float(to(FOUND, torch.tensor([1]))) == pytest.approx((0.15**2 + 0.2**2 + 0.1**2) / 3)
    with pytest.raises(InputError, match="wrong < right"):
        mean_square_to(0.1, 0.8)


def first_spike_by_hand(spikes: torch.Tensor) -> torch.Tensor:
    """Step of each neuron's first spike, by looking."""
    when = torch.full(spikes.shape[1:], len(spikes))
    for t in reversed(range(len(spikes))):
        when[spikes[t] > 0] = t
    return when


@given(seed=st.integers(0, 10_000), steps=st.integers(1, 6), rate=st.floats(0, 1))
@settings(max_examples=40, deadline=None)
def test_the_derivative_of_the_first_spike_is_what_a_spike_changes(seed: int, steps: int, rate: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    spikes = (torch.rand((steps, 2, 3), generator=generator) < rate).double().requires_grad_()
    early = (1 - torch.cumprod(1 - spikes, 0)).mean(0)  # as the loss sees it
    torch.testing.assert_close(early, 1 - first_spike_by_hand(spikes.detach()).double() / steps)
    early.sum().backward()
    assert spikes.grad is not None
    for place in itertools.product(range(steps), range(2), range(3)):
        flipped = spikes.detach().clone()
        flipped[place] = 1 - flipped[place]
        change = (first_spike_by_hand(spikes.detach()) - first_spike_by_hand(flipped)).sum() / steps
        expected = float(change) * (1 if flipped[place] else -1)
        assert float(spikes.grad[place]) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("name", ["rate", "count"])
def test_scores_of_an_ordinary_network_are_taken_as_they_are(name: str) -> None:
    found = LOSSES[name](Answer(torch.tensor([[1.0, 2.0]])), torch.tensor([0]))
    assert float(found) == pytest.approx(softmax_loss([1, 2], 0))


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_pushes_the_right_neuron_up_and_the_others_down(name: str) -> None:
    spikes = (SPIKES * 0 + torch.tensor([0.0, 0, 1, 0]).view(4, 1, 1)).requires_grad_()
    LOSSES[name](Answer(spikes.mean(0), spikes, spikes * 1), torch.tensor([1])).backward()
    assert spikes.grad is not None
    pushed = spikes.grad.sum((0, 1))
    assert pushed[1] < 0 < min(pushed[0], pushed[2])


def test_names_and_callables() -> None:
    assert loss("rate") is LOSSES["rate"]
    assert loss(LOSSES["count"]) is LOSSES["count"]
    with pytest.raises(InputError, match="did you mean 'mean_square'"):
        loss("mean_squared")
    with pytest.raises(InputError, match="needs a read-out"):
        LOSSES["membrane"](Answer(torch.zeros(1, 2)), torch.tensor([0]))
    with pytest.raises(InputError, match="needs output spikes"):
        LOSSES["first_spike"](Answer(torch.zeros(1, 2)), torch.tensor([0]))


@pytest.mark.parametrize("encoder", ["direct", "rate"])
def test_read_out_membranes_are_those_of_a_neuron_that_never_fires(encoder: str) -> None:
    network = spiking(encoder)
    x = patches().train_inputs[:7]
    network.reseed(3)
    plain = answer(network, x)
    network.reseed(3)
    found = answer(network, x, membranes=True)
    assert plain.membranes is None and found.membranes is not None and found.spikes is not None
    torch.testing.assert_close(found.scores, plain.scores)
    currents: list[torch.Tensor] = []
    hook = network.layers[-1].register_forward_pre_hook(lambda module, args: currents.append(args[0]))
    network.reseed(3)
    network(x)
    hook.remove()
    membrane = torch.zeros_like(currents[0][0])
    for t, current in enumerate(currents[0]):
        membrane = 0.9 * membrane + current
        torch.testing.assert_close(found.membranes[t], membrane, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_trains(name: str) -> None:
    data = patches()
    network = spiking("direct")
    run = sl.fit(network, data, epochs=8, batch_size=32, loss=name, progress=False, profile=None)
    assert run.test_accuracy is not None and run.test_accuracy > 0.8, run
