"""The family of neurons against its equations, one neuron after the other in plain Python."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import spikeledger as sl
from spikeledger.errors import InputError

RESETS = ("subtract", "zero", "none")
BACKENDS = ("auto", "reference")


def by_hand(
    currents: list[float], *, alpha: float | None, beta: float, rho: float, strength: float, reset: str, delay: bool,
    refractory: int,
) -> tuple[list[int], float]:  # fmt: skip
    """Spikes and the last membrane of one neuron of threshold 1; numbers as the equations have them."""
    membrane = synapse = adaptation = 0.0
    spikes: list[int] = []
    for step, current in enumerate(currents):
        synapse = alpha * synapse + current if alpha is not None else current
        late = delay and step > 0 and spikes[-1] == 1
        waits = any(spikes[max(0, step - refractory) : step])
        if late and reset == "zero":
            membrane = 0.0
        if not waits:
            membrane = beta * membrane + synapse
        if late and reset == "subtract":
            membrane -= 1.0
        fires = not waits and membrane > 1 + strength * adaptation
        spikes.append(int(fires))
        if fires and not delay:
            membrane = {"subtract": membrane - 1, "zero": 0.0, "none": membrane}[reset]
        adaptation = rho * adaptation + fires
    return spikes, membrane


DECAYS = st.sampled_from([0.0, 0.5, 0.75])


@pytest.mark.parametrize("backend", BACKENDS)
@settings(max_examples=150)
@given(
    currents=st.lists(st.integers(-64, 192).map(lambda k: k / 64), min_size=1, max_size=16),
    alpha=st.none() | DECAYS,
    beta=DECAYS | st.just(1.0),
    rho=DECAYS,
    strength=st.sampled_from([0.0, 0.5, 2.0]),
    reset=st.sampled_from(RESETS),
    delay=st.booleans(),
    refractory=st.integers(0, 3),
)
def test_every_neuron_is_its_equations(
    backend: str, currents: list[float], alpha: float | None, **options: Any
) -> None:
    expected, membrane = by_hand(currents, alpha=alpha, **options)
    named = {"reset": options["reset"], "reset_delay": options["delay"], "refractory": options["refractory"]}
    neuron = sl.AdaptiveLIF(options["beta"], options["rho"], options["strength"], alpha=alpha, **named)
    sequence = torch.tensor(currents).view(-1, 1, 1)
    with sl.backend(backend):
        spikes, state = neuron(sequence, neuron.rest(sequence))
        assert spikes.flatten().tolist() == expected
        assert float(state.membrane) == pytest.approx(membrane, abs=1e-4)
        if options["strength"] == 0:  # then it is one of the simpler ones
            simple = sl.LIF(options["beta"], **named) if alpha is None else sl.Synaptic(alpha, options["beta"], **named)
            assert torch.equal(simple(sequence), spikes)


NEURONS: dict[str, Callable[..., sl.LIF]] = {
    "lif": lambda **o: sl.LIF(0.8, learn_beta=True, **o),
    "synaptic": lambda **o: sl.Synaptic(0.6, 0.8, learn_alpha=True, learn_beta=True, **o),
    "adaptive": lambda **o: sl.AdaptiveLIF(0.8, 0.9, 0.3, learn_beta=True, learn_adaptation=True, **o),
    "adaptive, synaptic": lambda **o: sl.AdaptiveLIF(0.8, 0.9, 0.3, alpha=0.5, **o),
}


@pytest.mark.parametrize("name", NEURONS)
@pytest.mark.parametrize("options", [{"refractory": 2}, {"reset_delay": True, "refractory": 1}, {"reset": "zero"}])
@given(cut=st.integers(0, 12))
def test_a_state_carried_on_changes_nothing(name: str, options: dict[str, Any], cut: int) -> None:
    neuron = NEURONS[name](**options)
    currents = torch.rand(12, 3, 4, generator=torch.Generator().manual_seed(cut))
    first, state = neuron(currents[:cut], neuron.rest(currents))
    second, _ = neuron(currents[cut:], state)
    assert torch.equal(torch.cat([first, second]), neuron(currents))


def gradients(neuron: torch.nn.Module, currents: Tensor, run: Callable[[Tensor], Tensor]) -> list[Tensor]:
    neuron.zero_grad()
    currents = currents.clone().requires_grad_()
    spikes = run(currents)
    (spikes * torch.linspace(-1, 2, spikes.numel()).view_as(spikes)).sum().backward()
    grads = [part.grad if part.grad is not None else torch.zeros_like(part) for part in neuron.parameters()]
    assert currents.grad is not None
    return [spikes.detach(), currents.grad, *grads]


@pytest.mark.parametrize("name", NEURONS)
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("every", [1, 4, 12, 100])
def test_truncation_is_detaching_the_state(name: str, backend: str, every: int) -> None:
    neuron, whole = NEURONS[name](truncate=every), NEURONS[name]()
    currents = torch.randn(12, 2, 5, generator=torch.Generator().manual_seed(0)) + 0.4

    def by_steps(inputs: Tensor) -> Tensor:
        state, spikes = whole.rest(inputs), []
        for step in range(len(inputs)):
            state = state.detach() if step % every == 0 else state
            spike, state = whole(inputs[step : step + 1], state)
            spikes.append(spike)
        return torch.cat(spikes)

    with sl.backend(backend):
        found = gradients(neuron, currents, neuron)
        if every < 12:
            full = gradients(whole, currents, whole)
            assert not torch.allclose(full[1], found[1])
    with sl.backend("reference"):
        expected = gradients(whole, currents, by_steps)
    assert torch.equal(found[0], expected[0])
    for one, other in zip(found[1:], expected[1:], strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_constant_may_be_one_one_a_channel_or_one_a_neuron(backend: str) -> None:
    """The gradient of a channel's constant is the sum of its neurons'; the same value gives the same spikes."""
    currents = torch.randn(6, 2, 3, 4, 5, generator=torch.Generator().manual_seed(0)) + 0.3
    spikes, sums = [], []
    for shape in ((), (3,), (3, 4, 5)):
        for kind in (sl.LIF, sl.Synaptic):
            options = {"learn_alpha": True} if kind is sl.Synaptic else {}
            constants = [torch.full(shape, 0.75)] * (2 if kind is sl.Synaptic else 1)
            neuron = kind(*constants, learn_beta=True, **options)
            with sl.backend(backend):
                found = gradients(neuron, currents, neuron)
            spikes.append(found[0])
            sums.append([float(grad.sum()) for grad in found[2:]])
            assert all(grad.shape == shape for grad in found[2:])
            assert neuron.rest(currents).__class__ is (Tensor if kind is sl.LIF else type(neuron.rest(currents)))
    for simple, synaptic in ((0, 1), (2, 3), (4, 5)):
        assert torch.equal(spikes[simple], spikes[0]) and torch.equal(spikes[synaptic], spikes[1])
        assert sums[simple] == pytest.approx(sums[0], rel=1e-3, abs=1e-3)
        assert sums[synaptic] == pytest.approx(sums[1], rel=1e-3, abs=1e-3)


def test_learned_constants_stay_in_range() -> None:
    neuron = sl.AdaptiveLIF(learn_beta=True, learn_adaptation=True)
    optimiser = torch.optim.SGD(neuron.parameters(), lr=1e4)
    for seed in range(3):
        neuron(torch.rand(8, 4, 3, generator=torch.Generator().manual_seed(seed)) * 2).sum().backward()
        optimiser.step()
        with torch.no_grad():
            assert 0 <= float(neuron.beta) <= 1 and 0 <= float(neuron.rho) <= 1 and float(neuron.strength) >= 0


def test_the_threshold_of_an_adaptive_neuron_is_bounded() -> None:
    neuron = sl.AdaptiveLIF(0.9, rho=0.8, strength=0.5)
    _, state = neuron(torch.full((500, 1, 1), 1e4), neuron.rest(torch.zeros(1, 1, 1)))
    assert float(state.adaptation) == pytest.approx(1 / (1 - 0.8))


def test_heterogeneous_time_constants() -> None:
    neuron = sl.LIF.heterogeneous(400, 10, tau_seconds=20e-3, dt_seconds=1e-3, seed=1, learn_beta=True)
    tau = (-1e-3 / neuron.beta.detach().log()).numpy()
    assert tau.mean() == pytest.approx(20e-3, rel=0.05)
    assert tau.std() == pytest.approx(20e-3 / np.sqrt(3), rel=0.05)
    again = sl.LIF.heterogeneous(400, 10, tau_seconds=20e-3, seed=1, learn_beta=True)
    assert torch.equal(neuron.beta, again.beta)


def test_time_constants_give_the_decays() -> None:
    neuron = sl.Synaptic.from_taus(5e-3, 20e-3, 1e-3)
    assert float(neuron.alpha) == pytest.approx(np.exp(-0.2)) and float(neuron.beta) == pytest.approx(np.exp(-0.05))


@pytest.mark.parametrize(
    ("neuron", "variables"),
    [
        (sl.IF(), 1), (sl.IF(refractory=1), 2), (sl.LIF(0.9, reset_delay=True), 1), (sl.Synaptic(), 2),
        (sl.AdaptiveLIF(), 2), (sl.AdaptiveLIF(alpha=0.5), 3), (sl.AdaptiveLIF(alpha=0.5, refractory=2), 4),
    ],
)  # fmt: skip
def test_state_variables(neuron: sl.LIF, variables: int) -> None:
    currents = torch.full((5, 2, 3), 0.6)
    activity = sl.record(torch.nn.Sequential(neuron), currents)
    assert activity.layer("0").state == 3 * variables
    kept = neuron.rest(currents)
    parts = [kept] if isinstance(kept, Tensor) else [part for part in kept[:4] if part is not None]
    assert len(parts) == variables


@pytest.mark.parametrize(
    ("deed", "says"),
    [
        (lambda: sl.Synaptic(1.5), "alpha is 1.5"),
        (lambda: sl.AdaptiveLIF(rho=1.0), "never falls back"),
        (lambda: sl.AdaptiveLIF(strength=-1.0), "strength is -1"),
        (lambda: sl.LIF(refractory=-1), "refractory period is -1"),
        (lambda: sl.LIF(truncate=0), "after 0 steps"),
        (lambda: sl.LIF(torch.rand(4))(torch.rand(2, 2, 3, 4)), "one a channel [3]"),
        (lambda: sl.Synaptic()(torch.rand(2, 2, 3), torch.zeros(2, 3)), "take it from rest(currents)"),
        (lambda: sl.Synaptic()(torch.rand(2, 2, 3), sl.Synaptic().rest(torch.rand(2, 4, 3))), "a state of shapes"),
        (lambda: sl.LIF.heterogeneous(), "above 0"),
    ],
)
def test_what_cannot_be_says_so(deed: Callable[[], Any], says: str) -> None:
    with pytest.raises(InputError) as caught:
        deed()
    assert says in str(caught.value)
