"""Neurons against their equations, step by step in plain Python."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import spikeledger as sl
from spikeledger.errors import InputError
from spikeledger.kernels.surrogates import SURROGATES, surrogate


def by_hand(currents, *, beta, threshold, reset, delay):
    """One neuron, one step after the other; numbers as the equations have them."""
    membrane, before, spikes = 0.0, 0, []
    for current in currents:
        if delay:
            taken = threshold * before if reset == "subtract" else 0.0
            kept = 0.0 if reset == "zero" and before else membrane
            membrane = beta * kept + current - taken
            before = int(membrane > threshold)
            spikes.append(before)
        else:
            membrane = beta * membrane + current
            fired = int(membrane > threshold)
            spikes.append(fired)
            if fired:
                membrane = {"subtract": membrane - threshold, "zero": 0.0, "none": membrane}[reset]
    return spikes, membrane


@given(
    st.lists(st.integers(-64, 256).map(lambda k: k / 64), max_size=30),
    st.sampled_from([0.0, 0.5, 0.75, 1.0]),
    st.sampled_from(["subtract", "zero", "none"]),
    st.booleans(),
)
def test_every_reset_is_its_equation(currents, beta, reset, delay) -> None:
    neuron = sl.LIF(beta, reset=reset, reset_delay=delay, threshold=1.0).double()
    sequence = torch.tensor(currents, dtype=torch.float64).view(-1, 1, 1)
    spikes, state = neuron(sequence, torch.zeros(1, 1, dtype=torch.float64))
    expected, membrane = by_hand(currents, beta=beta, threshold=1.0, reset=reset, delay=delay)
    assert spikes.flatten().tolist() == expected
    assert float(state) == pytest.approx(membrane)


# constant input 0.35, decay 0.9, threshold 1, 20 steps
@pytest.mark.parametrize(
    ("options", "fires"),
    [
        ({"reset": "subtract", "reset_delay": True}, [3, 6, 10, 14, 17]),
        ({"reset": "subtract"}, [3, 6, 9, 13, 16, 19]),
        ({"reset": "zero"}, [3, 7, 11, 15, 19]),
        ({"reset": "zero", "reset_delay": True}, [3, 7, 11, 15, 19]),
    ],
)
def test_the_conventions_fire_when_they_should(options, fires) -> None:
    spikes = sl.LIF(0.9, **options)(torch.full((20, 1, 1), 0.35)).flatten()
    assert torch.nonzero(spikes).flatten().tolist() == fires


@pytest.mark.parametrize(
    "options", [{}, {"reset_delay": True}, {"reset": "zero"}, {"reset": "zero", "reset_delay": True}]
)
@given(cut=st.integers(0, 12))
def test_a_state_carried_on_changes_nothing(options, cut) -> None:
    neuron = sl.LIF(0.8, **options)
    currents = torch.rand(12, 3, 4, generator=torch.Generator().manual_seed(cut))
    whole = neuron(currents)
    first, state = neuron(currents[:cut], neuron.rest(currents))
    second, _ = neuron(currents[cut:], state)
    assert torch.equal(torch.cat([first, second]), whole)


def test_every_call_starts_from_rest() -> None:
    neuron, currents = sl.LIF(0.9), torch.full((4, 2, 3), 0.4)
    assert torch.equal(neuron(currents), neuron(currents))


@pytest.mark.parametrize("name", sorted(SURROGATES))
def test_a_surrogate_peaks_at_the_threshold_and_is_even(name) -> None:
    shape = surrogate(name, 3.0)
    x = torch.linspace(-2, 2, 401)
    g = shape.derivative(x)
    assert torch.allclose(g, g.flip(0), atol=1e-6)
    assert float(g[200]) == float(g.max()) > 0


@pytest.mark.parametrize("name", sorted(SURROGATES))
def test_the_gradient_of_one_step_is_the_surrogate(name) -> None:
    shape = surrogate(name, 2.0)
    currents = torch.linspace(0.2, 1.8, 9).view(1, 9, 1).requires_grad_()
    sl.LIF(0.9, surrogate=name, slope=2.0, threshold=1.0)(currents).sum().backward()
    assert torch.allclose(currents.grad, shape.derivative(currents.detach() - 1.0))


def test_beta_may_be_learned_and_stays_in_range() -> None:
    neuron = sl.LIF(0.9, learn_beta=True)
    assert neuron.beta.item() == pytest.approx(0.9, abs=1e-6)
    optimiser = torch.optim.SGD(neuron.parameters(), lr=1e4)
    neuron(torch.rand(6, 4, 3)).sum().backward()
    assert float(neuron.beta_logit.grad.abs()) > 0
    optimiser.step()
    assert 0 <= neuron.beta.item() <= 1


def test_beta_by_neuron() -> None:
    neuron = sl.LIF(torch.tensor([0.0, 1.0]))
    spikes = neuron(torch.full((4, 1, 2), 0.4))
    assert spikes[..., 0].sum() == 0  # forgets all between steps
    assert spikes[..., 1].sum() == 1


def test_from_tau() -> None:
    assert float(sl.LIF.from_tau(20e-3, 1e-3).beta) == pytest.approx(math.exp(-0.05))


@pytest.mark.parametrize(
    ("deed", "says"),
    [
        (lambda: sl.LIF(1.5), "[0, 1]"),
        (lambda: sl.LIF(float("nan")), "finite number"),
        (lambda: sl.LIF(threshold=0.0), "above 0"),
        (lambda: sl.IF(reset="soft"), "unknown reset 'soft'"),
        (lambda: sl.LIF(surrogate="atn"), "did you mean 'atan'?"),
        (lambda: sl.LIF(surrogate="atan", slope=-1.0), "slope is -1"),
        (lambda: sl.LIF.from_tau(20, -1), "above 0"),
        (lambda: sl.LIF()(torch.rand(5)), "[T, B, *N]"),
    ],
)
def test_what_cannot_be_a_neuron_says_so(deed, says) -> None:
    with pytest.raises(InputError) as caught:
        deed()
    assert says in str(caught.value)


def test_the_recorded_network_of_the_chip_exercise() -> None:
    """128-100-10, delayed reset, beta 0.95, seed 42 twice: 2,955 and 115 spikes (neuro4ml, week 8)."""
    torch.manual_seed(42)
    hidden, output = nn.Linear(128, 100), nn.Linear(100, 10)
    torch.manual_seed(42)
    inputs = torch.randn(100, 1, 128) * 10
    network = nn.Sequential(hidden, sl.LIF(0.95, reset_delay=True), output, sl.LIF(0.95, reset_delay=True))
    activity = sl.record(network, inputs)
    assert (activity.total("spike", "1"), activity.total("spike", "3")) == (2955, 115)
    assert activity.total("synaptic_op", "2") == 29_550
    assert activity.total("mac", "0") == 1_280_000
    assert activity.total("neuron_update") == 11_000


@pytest.mark.peer
def test_the_same_from_a_snntorch_model() -> None:
    snntorch = pytest.importorskip("snntorch", reason="snnTorch is not installed")
    torch.manual_seed(42)
    theirs = nn.ModuleList(
        [nn.Linear(128, 100), snntorch.Leaky(beta=0.95), nn.Linear(100, 10), snntorch.Leaky(beta=0.95)]
    )
    torch.manual_seed(42)
    inputs = torch.randn(100, 1, 128) * 10
    spikes = torch.zeros(2)
    states = [theirs[1].init_leaky(), theirs[3].init_leaky()]
    with torch.no_grad():
        for step in inputs:
            hidden, states[0] = theirs[1](theirs[0](step), states[0])
            output, states[1] = theirs[3](theirs[2](hidden), states[1])
            spikes += torch.stack([hidden.sum(), output.sum()])
    ours = nn.Sequential(theirs[0], sl.LIF(0.95, reset_delay=True), theirs[2], sl.LIF(0.95, reset_delay=True))
    activity = sl.record(ours, inputs)
    assert [activity.total("spike", "1"), activity.total("spike", "3")] == spikes.tolist() == [2955, 115]
