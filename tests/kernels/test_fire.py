"""Fused neurons against plain torch: the same spikes to the bit, the same gradients within the tolerance file."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import spikeledger as sl
from spikeledger import kernels
from spikeledger.errors import InputError
from spikeledger.kernels.choice import native
from tolerance import GRADIENT

RESETS = ("subtract", "zero", "none")
SURROGATES = tuple(sl.surrogates.SURROGATES)
needs_core = pytest.mark.skipif(native() is None, reason="the native core is not built")


def run(backend: str, neuron: sl.LIF, currents: Tensor, state: Tensor | None, seed: int = 1) -> list[Tensor]:
    """Spikes, last membrane, and the gradients of currents, state and beta."""
    noise = torch.Generator().manual_seed(seed)
    neuron.zero_grad()
    currents = currents.detach().clone().requires_grad_()
    with sl.backend(backend):
        if state is None:
            spikes = neuron(currents)
            found = [spikes]
            loss = (spikes * torch.randn(spikes.shape, generator=noise)).sum()
        else:
            state = state.detach().clone().requires_grad_()
            spikes, last = neuron(currents, state)
            found = [spikes, last]
            loss = (spikes * torch.randn(spikes.shape, generator=noise)).sum()
            loss = loss + (last * torch.randn(last.shape, generator=noise)).sum()
    loss.backward()
    found.append(currents.grad)
    if state is not None:
        found.append(state.grad)
    found.append(neuron.beta_logit.grad)
    return [one.detach() for one in found]


def assert_alike(neuron: sl.LIF, currents: Tensor, state: Tensor | None) -> None:
    slow, fast = (run(backend, neuron, currents, state) for backend in ("reference", "cpu"))
    assert torch.equal(slow[0], fast[0])
    for one, other in zip(slow[1:], fast[1:], strict=True):
        torch.testing.assert_close(one, other, **GRADIENT)
    if state is not None:
        assert torch.equal(slow[1], fast[1])


@needs_core
@pytest.mark.parametrize("surrogate", SURROGATES)
@pytest.mark.parametrize("delay", [False, True])
@pytest.mark.parametrize("reset", RESETS)
def test_every_kind_agrees(instruction_set: str, reset: str, delay: bool, surrogate: str) -> None:
    torch.manual_seed(0)
    beta = torch.rand(70) * 0.5 + 0.45
    neuron = sl.LIF(beta, learn_beta=True, reset=reset, reset_delay=delay, surrogate=surrogate)
    currents = torch.randn(12, 3, 70) * 0.7 + 0.2
    assert_alike(neuron, currents, None)
    assert_alike(neuron, currents, torch.randn(3, 70))


@needs_core
@settings(max_examples=40)
@given(
    shape=st.lists(st.integers(1, 9), min_size=2, max_size=5),
    reset=st.sampled_from(RESETS),
    delay=st.booleans(),
    threshold=st.floats(0.1, 3),
    beta=st.floats(0, 1),
    stated=st.booleans(),
    seed=st.integers(0, 2**31),
)
def test_any_shape_agrees(
    shape: list[int], reset: Any, delay: bool, threshold: float, beta: float, stated: bool, seed: int
) -> None:
    torch.manual_seed(seed)
    neuron = sl.LIF(beta, learn_beta=True, threshold=threshold, reset=reset, reset_delay=delay)
    assert_alike(neuron, torch.randn(shape), torch.randn(shape[1:]) if stated else None)


@needs_core
def test_wide_and_long_populations_agree(instruction_set: str) -> None:
    """More neurons than a tile, more steps than a tile's buffer was made for."""
    torch.manual_seed(0)
    neuron = sl.LIF(0.95, learn_beta=True)
    for shape in ((3, 2, 2500), (400, 2, 33)):
        assert_alike(neuron, torch.randn(shape) * 0.5, None)


@needs_core
def test_layout_does_not_matter() -> None:
    currents = torch.randn(4, 5, 6, 7)
    neuron = sl.LIF(torch.rand(6, 1))
    whole = neuron(currents)
    assert torch.equal(neuron(currents.transpose(0, 1).contiguous().transpose(0, 1)), whole)
    assert torch.equal(neuron(currents[:, ::2]), whole[:, ::2])
    assert torch.equal(neuron(currents[:1].expand(4, 5, 6, 7)), neuron(currents[:1].repeat(4, 1, 1, 1)))


@needs_core
@pytest.mark.parametrize("shape", [(0, 2, 3), (2, 0, 3), (2, 3, 0), (2, 3)])
def test_nothing_is_no_error(shape: tuple[int, ...]) -> None:
    currents = torch.ones(shape, requires_grad=True)
    spikes, last = sl.IF()(currents, torch.zeros(shape[1:]))
    assert spikes.shape == shape
    assert last.shape == shape[1:]
    if shape[0]:
        spikes.sum().backward()
        assert currents.grad is not None


@needs_core
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e-40, 3e38])
@pytest.mark.parametrize("reset", RESETS)
def test_extreme_currents_agree(instruction_set: str, reset: str, value: float) -> None:
    currents = torch.randn(5, 2, 20)
    currents[1, 0, 3] = value
    neuron = sl.LIF(0.9, reset=reset)
    with sl.backend("reference"):
        slow = neuron(currents, torch.zeros(2, 20))
    fast = neuron(currents, torch.zeros(2, 20))
    assert torch.equal(slow[0], fast[0])
    torch.testing.assert_close(slow[1], fast[1], rtol=0, atol=0, equal_nan=True)


@needs_core
def test_bfloat16_is_computed_in_float32() -> None:
    currents = torch.randn(6, 2, 40).to(torch.bfloat16)
    neuron = sl.LIF(0.9)
    spikes, last = neuron(currents, torch.zeros(2, 40, dtype=torch.bfloat16))
    assert spikes.dtype == last.dtype == torch.bfloat16
    assert torch.equal(spikes.float(), neuron(currents.float()))


def test_the_smooth_part_passes_gradcheck() -> None:
    """Of what is differentiable as it stands: currents and state to the last membrane, where nothing fires."""
    neuron = sl.LIF(0.8, threshold=100.0, learn_beta=True).double()
    currents = torch.randn(5, 2, 3, dtype=torch.float64, requires_grad=True)
    state = torch.randn(2, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda c, s: neuron(c, s)[1], (currents, state))


@needs_core
@pytest.mark.parametrize("name", SURROGATES)
def test_surrogates_are_their_formulas(instruction_set: str, name: str) -> None:
    """One step from rest: the gradient of the current is the surrogate at its distance to the threshold."""
    currents = torch.linspace(-4, 6, 1001)[None, None].requires_grad_()
    sl.IF(surrogate=name)(currents).sum().backward()
    expected = sl.surrogates.surrogate(name).derivative(currents.detach().double() - 1)
    torch.testing.assert_close(currents.grad.double(), expected, rtol=2e-5, atol=1e-7)


@needs_core
def test_second_derivatives_are_refused() -> None:
    currents = torch.randn(3, 2, 4, requires_grad=True)
    (grad,) = torch.autograd.grad(sl.LIF(0.9)(currents).sum(), currents, create_graph=True)
    with pytest.raises(InputError, match="second derivative of a neuron"):
        grad.sum().backward()


@needs_core
def test_any_number_of_threads_gives_the_same() -> None:
    currents = torch.randn(10, 30, 100)
    neuron = sl.LIF(torch.rand(100), learn_beta=True)
    threads = torch.get_num_threads()
    try:
        found = []
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            found.append(run("cpu", neuron, currents, None))
            assert torch.get_num_threads() == count
    finally:
        torch.set_num_threads(threads)
    for other in found[1:]:
        assert all(torch.equal(one, two) for one, two in zip(found[0], other, strict=True))


@needs_core
def test_planes_follow_the_spikes() -> None:
    spikes = sl.LIF(0.9)(torch.randn(6, 5, 3, 30))
    planes = kernels.planes_of(spikes)
    assert planes is not None
    assert torch.equal(planes.dense(), spikes)
    assert torch.equal(planes.per_neuron(), spikes.sum((0, 1)).long())
    assert planes.per_step() == spikes.flatten(1).sum(1).long().tolist()
    assert planes.spikes == int(spikes.sum())
    spikes[0] = 0
    changed = kernels.planes_of(spikes)
    assert changed is not None and changed.spikes == int(spikes.sum()) < planes.spikes
    assert kernels.planes_of(spikes * 2) is None and kernels.planes_of(spikes.double()) is None


def test_a_custom_surrogate_runs_on_the_reference() -> None:
    currents = torch.randn(3, 2, 4, requires_grad=True)
    sl.LIF(0.9, surrogate=lambda x: torch.exp(-x.abs()))(currents).sum().backward()
    assert bool(currents.grad.abs().sum() > 0)


def test_back_ends_are_chosen_by_name() -> None:
    before = kernels.name()
    with sl.backend("reference"):
        assert kernels.name() == "reference"
    assert kernels.name() == before
    with pytest.raises(InputError, match="did you mean 'reference'"):
        sl.backend("referense")
    if not torch.cuda.is_available():
        with pytest.raises(InputError, match="no GPU"):
            sl.backend("gpu")
