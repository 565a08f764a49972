"""The fused family of neurons against plain torch: the same spikes and states to the bit, the same gradients."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import spikeledger as sl
from spikeledger import kernels
from spikeledger.errors import InputError
from spikeledger.kernels.cells import State
from spikeledger.kernels.choice import native
from tolerance import GRADIENT

RESETS = ("subtract", "zero", "none")
needs_core = pytest.mark.skipif(native() is None, reason="the native core is not built")


def constant(*shape: int) -> Tensor:
    return torch.rand(shape) * 0.5 + 0.45


KINDS: dict[str, Callable[..., nn.Module]] = {
    "lif": lambda n, **o: sl.LIF(constant(n), learn_beta=True, **o),
    "synaptic": lambda n, **o: sl.Synaptic(constant(n), constant(n), learn_alpha=True, learn_beta=True, **o),
    "adaptive": lambda n, **o: sl.AdaptiveLIF(
        constant(n), constant(n), constant(n), learn_beta=True, learn_adaptation=True, **o
    ),
    "both": lambda n, **o: sl.AdaptiveLIF(
        constant(n), constant(n), constant(n), alpha=constant(n), learn_adaptation=True, **o
    ),
    "one to one": lambda n, **o: sl.Recurrent.one_to_one(sl.Synaptic(learn_alpha=True, **o), torch.randn(n)),
    "all to all": lambda n, **o: exact(sl.Recurrent.all_to_all(sl.AdaptiveLIF(learn_adaptation=True, **o), n)),
    "lateral": lambda n, **o: sl.Recurrent.lateral(sl.LIF(0.9, learn_beta=True, **o), n, 0.25),
}


def exact(network: Any) -> Any:
    """With weights whose sums are exact in any order."""
    with torch.no_grad():
        network.connections.weight.mul_(256).round_().div_(256)
    return network


def any_state(neuron: Any, currents: Tensor) -> State:
    rest = neuron.rest(currents)
    shape = currents.shape[1:]
    drawn = (
        torch.randn(shape), torch.randn(shape), torch.rand(shape), torch.randint(0, 3, shape).float(),
        (torch.rand(shape) > 0.5).float(),
    )  # fmt: skip
    return State(*(None if part is None else one for part, one in zip(rest, drawn, strict=True)))  # type: ignore[arg-type]


def run(backend: str, neuron: Any, currents: Tensor, state: State) -> tuple[list[Tensor], list[Tensor]]:
    """Spikes and the last state; the gradients of currents, the first state and the constants."""
    noise = torch.Generator().manual_seed(1)
    neuron.zero_grad()
    currents = currents.detach().clone().requires_grad_()
    parts = [
        part.detach().clone().requires_grad_(at != 3) if part is not None else None for at, part in enumerate(state)
    ]
    with sl.backend(backend):
        spikes, last = neuron(currents, State(*parts))  # type: ignore[arg-type]
    found = [spikes, *(part for part in last if part is not None)]
    terms = [(part * torch.randn(part.shape, generator=noise)).sum() for part in found if part.requires_grad]
    torch.stack(terms).sum().backward()
    leaves = [currents, *(part for part in parts if part is not None), *neuron.parameters()]
    return [part.detach() for part in found], [leaf.grad for leaf in leaves if leaf.grad is not None]


def assert_alike(neuron: Any, currents: Tensor, state: State) -> None:
    slow, fast = (run(backend, neuron, currents, state) for backend in ("reference", "cpu"))
    for one, other in zip(slow[0], fast[0], strict=True):
        assert torch.equal(one, other)
    for one, other in zip(slow[1], fast[1], strict=True):
        torch.testing.assert_close(one, other, **GRADIENT)


@needs_core
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_agrees(instruction_set: str, kind: str) -> None:
    torch.manual_seed(0)
    for reset, delay, refractory in itertools.product(RESETS, (False, True), (0, 2)):
        neuron = KINDS[kind](70, reset=reset, reset_delay=delay, refractory=refractory)
        if kind == "lif" and not refractory:
            continue  # neurons of their own: test_fire.py
        currents = ((torch.randn(9, 11, 70) * 0.7 + 0.2) * 256).round() / 256
        assert_alike(neuron, currents, any_state(neuron, currents))


@needs_core
@pytest.mark.parametrize("surrogate", sl.surrogates.SURROGATES)
def test_every_surrogate_agrees(instruction_set: str, surrogate: str) -> None:
    torch.manual_seed(0)
    neuron = KINDS["both"](40, surrogate=surrogate)
    currents = torch.randn(8, 3, 40)
    assert_alike(neuron, currents, any_state(neuron, currents))


@needs_core
@settings(max_examples=30)
@given(
    shape=st.lists(st.integers(1, 9), min_size=3, max_size=5),
    kind=st.sampled_from(["synaptic", "adaptive", "both"]),
    reset=st.sampled_from(RESETS),
    delay=st.booleans(),
    refractory=st.integers(0, 3),
    threshold=st.floats(0.1, 3),
    seed=st.integers(0, 2**31),
)
def test_any_shape_agrees(shape: list[int], kind: str, seed: int, **options: Any) -> None:
    torch.manual_seed(seed)
    named = {"reset_delay": options.pop("delay"), **options}
    neuron = KINDS[kind](shape[2], **named)  # a constant a channel
    currents = torch.randn(shape)
    assert_alike(neuron, currents, any_state(neuron, currents))


@needs_core
@pytest.mark.parametrize("kind", ["synaptic", "all to all"])
def test_wide_and_long_populations_agree(instruction_set: str, kind: str) -> None:
    """More neurons than a group's buffer was made for; rows that do not fill one."""
    torch.manual_seed(0)
    for steps, batch, width in (
        (3, 2, 1500 if kind == "synaptic" else 300),
        (300 if kind == "synaptic" else 60, 3, 33),
    ):
        neuron = KINDS[kind](width)
        currents = (torch.randn(steps, batch, width) * 128).round() / 256
        assert_alike(neuron, currents, any_state(neuron, currents))


@needs_core
def test_layout_does_not_matter() -> None:
    currents = torch.randn(4, 5, 6, 7)
    neuron = sl.Synaptic(torch.rand(6), 0.9)
    whole = neuron(currents)
    assert torch.equal(neuron(currents.transpose(0, 1).contiguous().transpose(0, 1)), whole)
    assert torch.equal(neuron(currents[:, ::2]), whole[:, ::2])
    assert torch.equal(neuron(currents[:1].expand(4, 5, 6, 7)), neuron(currents[:1].repeat(4, 1, 1, 1)))


@needs_core
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(0, 2, 3), (2, 0, 3), (1, 1, 3)])
def test_nothing_is_no_error(kind: str, shape: tuple[int, ...]) -> None:
    neuron = KINDS[kind](3, refractory=1)
    currents = torch.ones(shape, requires_grad=True)
    spikes, state = neuron(currents, neuron.rest(currents))
    assert spikes.shape == shape
    assert all(part is None or part.shape == shape[1:] for part in state)
    if shape[0]:
        spikes.sum().backward()
        assert currents.grad is not None


@needs_core
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e-40, 3e38])
def test_extreme_currents_agree(instruction_set: str, value: float) -> None:
    for kind, reset in itertools.product(("synaptic", "both"), RESETS):
        currents = torch.randn(5, 2, 20)
        currents[1, 0, 3] = value
        neuron = KINDS[kind](20, reset=reset, refractory=1)
        with sl.backend("reference"):
            slow = neuron(currents, neuron.rest(currents))
        fast = neuron(currents, neuron.rest(currents))
        assert torch.equal(slow[0], fast[0])
        for one, other in zip(slow[1], fast[1], strict=True):
            if one is not None:
                torch.testing.assert_close(one, other, rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("backend", ["auto", "reference"])
@pytest.mark.parametrize("kind", ["synaptic", "adaptive", "one to one"])
def test_bfloat16_is_computed_in_float32(backend: str, kind: str) -> None:
    currents = torch.randn(6, 2, 40).to(torch.bfloat16)
    neuron = KINDS[kind](40)
    with sl.backend(backend):
        spikes, last = neuron(currents, neuron.rest(currents))
        wide = neuron(currents.float())
    assert spikes.dtype == last.membrane.dtype == torch.bfloat16
    assert torch.equal(spikes.float(), wide)


@pytest.mark.parametrize("kind", ["synaptic", "adaptive", "both", "one to one", "all to all"])
def test_the_smooth_part_passes_gradcheck(kind: str) -> None:
    """Of what is differentiable as it stands: currents, state and constants to the last state, where nothing fires.

    Far from the threshold the triangle is 0, as is the true derivative of a spike.
    """
    torch.manual_seed(0)
    neuron = KINDS[kind](3, threshold=100.0, surrogate="triangle").double()
    currents = torch.randn(5, 2, 3, dtype=torch.float64, requires_grad=True)
    state = [
        None if part is None else torch.zeros_like(part) if at == 4 else torch.rand_like(part, requires_grad=True)
        for at, part in enumerate(neuron.rest(currents))
    ]
    names = [name for name, _ in neuron.named_parameters()]
    values = [part.detach().clone().requires_grad_() for part in neuron.parameters()]
    given_state = [part for part in state if part is not None and part.requires_grad]

    def last(*inputs: Tensor) -> tuple[Tensor, ...]:
        rest = iter(inputs[1 : 1 + len(given_state)])
        full = State(*(next(rest) if part is not None and part.requires_grad else part for part in state))  # type: ignore
        constants = dict(zip(names, inputs[1 + len(given_state) :], strict=True))
        out = torch.func.functional_call(neuron, constants, (inputs[0], full))[1]
        return tuple(part for part in out[:3] if part is not None)

    assert torch.autograd.gradcheck(last, (currents, *given_state, *values))


@needs_core
@pytest.mark.parametrize("kind", KINDS)
def test_second_derivatives_are_refused(kind: str) -> None:
    currents = torch.randn(3, 2, 4, requires_grad=True)
    (grad,) = torch.autograd.grad(KINDS[kind](4, refractory=1)(currents).sum(), currents, create_graph=True)
    with pytest.raises(InputError, match="second derivative of a neuron"):
        grad.sum().backward()


@needs_core
@pytest.mark.parametrize("kind", ["both", "all to all"])
def test_any_number_of_threads_gives_the_same(kind: str) -> None:
    torch.manual_seed(0)
    currents = torch.randn(10, 30, 100)
    neuron = KINDS[kind](100)
    threads, found = torch.get_num_threads(), []
    try:
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            found.append(run("cpu", neuron, currents, neuron.rest(currents)))
    finally:
        torch.set_num_threads(threads)
    for other in found[1:]:
        for one, two in zip(found[0][0] + found[0][1], other[0] + other[1], strict=True):
            torch.testing.assert_close(one, two, rtol=1e-6, atol=1e-6)  # torch's own product of weights' gradients
        assert torch.equal(found[0][1][0], other[1][0])


@needs_core
def test_planes_follow_the_spikes() -> None:
    spikes = sl.Synaptic()(torch.randn(6, 5, 3, 30))
    planes = kernels.planes_of(spikes)
    assert planes is not None and bool(spikes.any())
    assert torch.equal(planes.dense(), spikes)


def test_a_custom_surrogate_runs_on_the_reference() -> None:
    currents = torch.randn(3, 2, 4, requires_grad=True)
    sl.Synaptic(surrogate=lambda x: torch.exp(-x.abs()))(currents).sum().backward()
    assert currents.grad is not None


@needs_core
@pytest.mark.parametrize("kind", KINDS)
def test_membranes_are_not_stored(kind: str) -> None:
    """What waits for the way back: the currents, with connections the spikes too, and nothing else that has all steps."""
    neuron, currents = KINDS[kind](40, refractory=1), torch.randn(50, 4, 40, requires_grad=True)
    kept: list[int] = []

    def keep(tensor: Tensor) -> Tensor:
        kept.append(tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        neuron(currents)
    whole = [size for size in kept if size >= currents.numel()]
    assert len(whole) == (2 if kind in ("all to all", "lateral") else 1)
    assert sum(kept) < (len(whole) + 0.7) * currents.numel()  # weights, twice, and constants
