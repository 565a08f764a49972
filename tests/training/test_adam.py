"""Adam in one native call is torch's Adam: same state, same results within rounding."""

from __future__ import annotations

import copy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import spikeledger as sl

CLOSE = {"rtol": 1e-5, "atol": 2e-6}  # moments of gradients of either sign cancel


def weights(seed: int = 0) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    shapes = ((300, 77), (17,), (1,), (5, 3, 3, 2))
    return [torch.randn(shape, generator=generator).requires_grad_() for shape in shapes]


def train(optimizer: torch.optim.Optimizer, own: list[Tensor], steps: int, first: int = 0) -> None:
    for step in range(first, first + steps):
        generator = torch.Generator().manual_seed(100 + step)
        for group in optimizer.param_groups:
            group["lr"] = 1e-2 / (1 + step)
        for weight in own:
            size = 10.0 ** float(torch.randint(-2, 2, (), generator=generator))
            weight.grad = size * torch.randn(weight.shape, generator=generator).to(weight.dtype)
        own[1].grad = None if step % 2 else own[1].grad
        optimizer.step()


@pytest.mark.parametrize("options", [{}, {"betas": (0.5, 0.9), "eps": 1e-3}, {"weight_decay": 0.1}, {"amsgrad": True}])
def test_as_torch_does(options: dict[str, Any]) -> None:
    ours, theirs = weights(), weights()
    one, other = sl.Adam(ours, **options), torch.optim.Adam(theirs, **options)
    train(one, ours, 12)
    train(other, theirs, 12)
    for mine, torchs in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, torchs, **CLOSE)
        assert one.state[mine].keys() == other.state[torchs].keys()
        for name, value in one.state[mine].items():
            torch.testing.assert_close(value, other.state[torchs][name], **CLOSE)


def test_a_state_goes_from_one_to_the_other() -> None:
    ours, theirs = weights(), weights()
    one, other = sl.Adam(ours), torch.optim.Adam(theirs)
    train(one, ours, 5)
    train(other, theirs, 5)
    one.load_state_dict(copy.deepcopy(other.state_dict()))
    train(one, ours, 3, first=5)
    train(other, theirs, 3, first=5)
    for mine, torchs in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, torchs, **CLOSE)


def test_what_is_not_float32_takes_torchs_step() -> None:
    ours, theirs = ([weight.detach().double().requires_grad_() for weight in weights()] for _ in range(2))
    train(sl.Adam(ours), ours, 3)
    train(torch.optim.Adam(theirs), theirs, 3)
    for mine, torchs in zip(ours, theirs, strict=True):
        assert torch.equal(mine, torchs)


def test_autograd_notices_the_step() -> None:
    (weight, *_) = weights()
    optimizer = sl.Adam([weight])
    loss = (weight**2).sum()
    loss.backward(retain_graph=True)
    optimizer.step()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_a_closure_computes_the_loss_anew() -> None:
    weight = torch.ones(3, requires_grad=True)
    optimizer = sl.Adam([weight], lr=0.1)

    def loss() -> float:
        optimizer.zero_grad()
        value = (weight**2).sum()
        value.backward()
        return float(value.detach())

    assert optimizer.step(loss) == 3.0
    assert loss() < 3.0


def test_the_same_on_any_number_of_threads() -> None:
    found = []
    threads = torch.get_num_threads()
    try:
        for count in (1, 3):
            torch.set_num_threads(count)
            own = weights()
            train(sl.Adam(own), own, 4)
            found.append([weight.detach().clone() for weight in own])
    finally:
        torch.set_num_threads(threads)
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))


@pytest.mark.parametrize("options", [{}, {"weight_decay": 0.1}])  # with the second torch itself takes the step
def test_hooks_are_called_around_a_step(options: dict[str, float]) -> None:
    (weight, *_) = weights()
    torch.optim.Adam([weight])  # from now on torch's own step calls hooks too
    optimizer = sl.Adam([weight], **options)
    called: list[str] = []
    before = optimizer.register_step_pre_hook(lambda *_: called.append("before"))
    after = optimizer.register_step_post_hook(lambda *_: called.append("after"))
    weight.grad = torch.ones_like(weight)
    optimizer.step()
    assert called == ["before", "after"]
    before.remove(), after.remove()
    optimizer.step()
    assert called == ["before", "after"]


def test_a_profiler_sees_the_step() -> None:
    (weight, *_) = weights()
    optimizer = sl.Adam([weight])
    weight.grad = torch.ones_like(weight)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        optimizer.step()
    assert "Optimizer.step#Adam.step" in {event.key for event in profile.key_averages()}


@pytest.mark.parametrize("none", [True, False])
def test_gradients_are_forgotten(none: bool) -> None:
    (weight, *_) = weights()
    optimizer = sl.Adam([weight])
    weight.grad = torch.ones_like(weight)
    optimizer.zero_grad(set_to_none=none)
    assert weight.grad is None if none else not weight.grad.any()


def test_training_waits_for_neither_a_compiler_nor_what_it_does_not_need(tmp_path: Path) -> None:
    """Torch's optimizers import its compiler, and scikit-learn much of scipy: seconds before the first epoch."""
    program = (
        "import sys, spikeledger as sl\n"
        "sl.fit(sl.zoo.mlp(64, 8, 10, timesteps=1), sl.load_dataset('digits'), epochs=1, checkpoint='here')\n"
        "print(*(name for name in ('torch._dynamo', 'sklearn', 'scipy.stats') if name in sys.modules))\n"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert ran.stdout.splitlines()[-1] == ""
