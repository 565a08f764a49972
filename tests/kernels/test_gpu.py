"""The Triton back end against the reference: under Triton's interpreter where there is no GPU."""

from __future__ import annotations

import os

import pytest
import torch

os.environ.setdefault("TRITON_INTERPRET", "" if torch.cuda.is_available() else "1")
pytest.importorskip("triton", reason="triton is not installed: it comes with GPU builds of torch")

from spikeledger.kernels import gpu, reference
from spikeledger.kernels.surrogates import SURROGATES, surrogate

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def run(backend, currents, first, beta, **options):
    currents, first = currents.clone().requires_grad_(), first.clone().requires_grad_()
    beta = beta.clone().requires_grad_()
    spikes, last = backend.integrate_and_fire(currents, first, beta=beta, threshold=1.0, **options)
    weights = torch.linspace(-1, 2, spikes.numel(), device=spikes.device).view_as(spikes)
    ((spikes * weights).sum() + (last * last).sum()).backward()
    return spikes.detach(), last.detach(), currents.grad, first.grad, beta.grad


@pytest.mark.parametrize("reset", ["subtract", "zero", "none"])
@pytest.mark.parametrize("reset_delay", [False, True])
@pytest.mark.parametrize("name", sorted(SURROGATES))
@pytest.mark.parametrize("by_neuron", [False, True])
def test_spikes_are_equal_and_gradients_agree(reset, reset_delay, name, by_neuron) -> None:
    numbers = torch.Generator().manual_seed(7)
    # multiples of 1/64 and beta 3/4, so that rounding cannot move a spike
    currents = (torch.randint(-20, 90, (6, 3, 4, 5), generator=numbers) / 64).to(DEVICE)
    first = (torch.randint(-40, 90, (3, 4, 5), generator=numbers) / 64).to(DEVICE)
    beta = torch.full((4, 5) if by_neuron else (), 0.75, device=DEVICE)
    options = {"reset": reset, "reset_delay": reset_delay, "surrogate": surrogate(name)}
    ours, theirs = (run(backend, currents, first, beta, **options) for backend in (gpu, reference))
    assert torch.equal(ours[0], theirs[0])
    assert ours[0].any() and not ours[0].all()
    for a, b in zip(ours[1:], theirs[1:], strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)


def test_sizes_that_fill_no_block_and_none_at_all() -> None:
    options = {"beta": 0.9, "threshold": 1.0, "reset": "subtract", "reset_delay": False, "surrogate": surrogate("atan")}
    for shape in [(5, 2, 7), (0, 2, 3), (3, 0, 4), (1, 1, 1)]:
        currents = torch.rand(shape, device=DEVICE)
        first = torch.zeros(shape[1:], device=DEVICE)
        spikes, last = gpu.integrate_and_fire(currents, first, **options)
        expected, membrane = reference.integrate_and_fire(currents, first, **options)
        assert torch.equal(spikes, expected) and torch.allclose(last, membrane)
