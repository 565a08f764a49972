"""Integrate and fire on a GPU: one Triton kernel over all steps, forward and backward.

Each program keeps the membranes of a block of neurons in registers and walks through time: forward it reads a current
and writes a spike; where a gradient will be asked for it also keeps the distance to the threshold, from which the
backward pass rebuilds spike, membrane and surrogate. Same equations and same interface as `reference`.

Checked under Triton's interpreter; not measured on a GPU yet (`benchmarks/gpu.py` does that).
"""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from .cells import RESETS, Reset
from .surrogates import Surrogate

_BLOCK = 1024


@triton.jit
def _reached(distance, AT: tl.constexpr):  # pragma: no cover
    if AT:
        return tl.where(distance >= 0, 1.0, 0.0)
    return tl.where(distance > 0, 1.0, 0.0)


@triton.jit
def _forward(
    currents, first, beta, spikes, distances, last, size, population, threshold,
    T: tl.constexpr, RESET: tl.constexpr, DELAY: tl.constexpr, AT: tl.constexpr, KEEP: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip  # pragma: no cover
    at = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = at < size
    decay = tl.load(beta + at % population, mask=inside, other=0.0)
    membrane = tl.load(first + at, mask=inside, other=0.0)
    fired = _reached(membrane - threshold, AT) if DELAY else tl.zeros_like(membrane)
    for t in range(T):
        current = tl.load(currents + t * size + at, mask=inside, other=0.0).to(tl.float32)
        if DELAY and RESET == 1:
            charged = decay * (membrane * (1.0 - fired)) + current
        elif DELAY and RESET == 0:
            charged = decay * membrane + current - threshold * fired
        else:
            charged = decay * membrane + current
        distance = charged - threshold
        fired = _reached(distance, AT)
        tl.store(spikes + t * size + at, fired, mask=inside)
        if KEEP:
            tl.store(distances + t * size + at, distance, mask=inside)
        membrane = charged
        if not DELAY and RESET == 0:
            membrane = charged - threshold * fired
        if not DELAY and RESET == 1:
            membrane = charged * (1.0 - fired)
    tl.store(last + at, membrane, mask=inside)


@triton.jit
def _slope_at(x, slope, SURROGATE: tl.constexpr):  # pragma: no cover
    if SURROGATE == 0:
        scaled = 1.5707963267948966 * slope * x
        return slope / 2 / (1.0 + scaled * scaled)
    if SURROGATE == 1:
        root = 1.0 + slope * tl.abs(x)
        return 1.0 / (root * root)
    if SURROGATE == 2:
        s = 1.0 / (1.0 + tl.exp(-slope * x))
        return slope * s * (1.0 - s)
    if SURROGATE == 3:
        return tl.maximum(1.0 - slope * tl.abs(x), 0.0)
    if SURROGATE == 5:
        return tl.where(slope * tl.abs(x) < 0.5, slope, 0.0)
    return tl.zeros_like(x) + slope


@triton.jit
def _backward(
    spike_grads, last_grad, distances, first, beta, current_grads, first_grad, beta_grad, size, population, threshold,
    slope,
    T: tl.constexpr, RESET: tl.constexpr, DELAY: tl.constexpr, AT: tl.constexpr, SURROGATE: tl.constexpr, LEARN: tl.constexpr,
    BLOCK: tl.constexpr,
):  # fmt: skip  # pragma: no cover
    at = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = at < size
    decay = tl.load(beta + at % population, mask=inside, other=0.0)
    flowing = tl.load(last_grad + at, mask=inside, other=0.0)  # gradient of the membrane that leaves step t
    learned = tl.zeros_like(flowing)
    distance = tl.load(distances + (T - 1) * size + at, mask=inside, other=0.0)
    for back in range(T):
        t = T - 1 - back
        grad = tl.load(spike_grads + t * size + at, mask=inside, other=0.0).to(tl.float32)
        if RESET == 1 and not (
            DELAY and back == 0
        ):  # the state that leaves the last step is not reset yet where delayed
            flowing = flowing * (1.0 - _reached(distance, AT))
        charged_grad = grad * _slope_at(distance, slope, SURROGATE) + flowing
        tl.store(current_grads + t * size + at, charged_grad, mask=inside)
        if t > 0:
            distance = tl.load(distances + (t - 1) * size + at, mask=inside, other=0.0)
            before = distance + threshold
            was = _reached(distance, AT)
        else:
            before = tl.load(first + at, mask=inside, other=0.0)
            was = _reached(before - threshold, AT) if DELAY else tl.zeros_like(before)
        if LEARN:
            if RESET == 1:
                learned += charged_grad * before * (1.0 - was)
            elif RESET == 0 and not DELAY:
                learned += charged_grad * (before - threshold * was)
            else:
                learned += charged_grad * before
        flowing = decay * charged_grad
        if t == 0 and RESET == 1:
            flowing = flowing * (1.0 - was)
    tl.store(first_grad + at, flowing, mask=inside)
    if LEARN:
        tl.store(beta_grad + at, learned, mask=inside)


class _IntegrateAndFire(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        currents: Tensor,
        first: Tensor,
        beta: Tensor,
        threshold: float,
        reset: Reset,
        delay: bool,
        shape: Surrogate,
        learns: bool,
        inclusive: bool,
    ) -> tuple[Tensor, Tensor]:
        steps, size, population = currents.shape[0], first.numel(), beta.numel()
        currents, first, beta = currents.contiguous(), first.contiguous().float(), beta.contiguous().float()
        spikes, last = torch.empty_like(currents), torch.empty_like(first)
        keep = learns and any(ctx.needs_input_grad)
        distances = torch.empty(currents.shape if keep else (0,), dtype=torch.float32, device=currents.device)
        with torch.cuda.device_of(currents):
            _forward[(triton.cdiv(size, _BLOCK),)](
                currents, first, beta, spikes, distances, last, size, population, threshold,
                T=steps, RESET=RESETS.index(reset), DELAY=delay, AT=inclusive, KEEP=keep, BLOCK=_BLOCK,
            )  # fmt: skip
        ctx.save_for_backward(distances, first, beta)
        ctx.options = (threshold, reset, delay, shape, currents.dtype, inclusive)
        return spikes, last

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, spike_grads: Tensor, last_grad: Tensor) -> tuple[Tensor | None, ...]:
        distances, first, beta = ctx.saved_tensors
        threshold, reset, delay, shape, dtype, inclusive = ctx.options
        steps, size, population = distances.shape[0], first.numel(), beta.numel()
        current_grads = torch.empty(distances.shape, dtype=dtype, device=distances.device)
        first_grad = torch.empty_like(first)
        learn = ctx.needs_input_grad[2]
        beta_grads = torch.empty(first.shape if learn else (0,), dtype=torch.float32, device=first.device)
        with torch.cuda.device_of(distances):
            _backward[(triton.cdiv(size, _BLOCK),)](
                spike_grads.contiguous(), last_grad.contiguous(), distances, first, beta, current_grads, first_grad,
                beta_grads, size, population, threshold, shape.slope,
                T=steps, RESET=RESETS.index(reset), DELAY=delay, AT=inclusive, SURROGATE=shape.number, LEARN=learn,
                BLOCK=_BLOCK,
            )  # fmt: skip
        beta_grad = beta_grads.view(-1, population).sum(0).view_as(beta) if learn else None
        return current_grads, first_grad, beta_grad, None, None, None, None, None, None


def integrate_and_fire(
    currents: Tensor,
    membrane: Tensor,
    *,
    beta: Tensor | float,
    threshold: float,
    reset: Reset,
    reset_delay: bool,
    surrogate: Surrogate,
    inclusive: bool = False,
) -> tuple[Tensor, Tensor]:
    """Spikes `[T, B, *N]` and the last membrane `[B, *N]`, as `reference.integrate_and_fire` gives them."""
    if currents.numel() == 0:
        return torch.zeros_like(currents), membrane
    decay = torch.as_tensor(beta, dtype=torch.float32, device=currents.device)
    if decay.numel() > 1:  # beta broadcasts over [*N]; the kernel reads it at the place within a sample
        decay = decay.expand(currents.shape[2:])
    spikes, last = _IntegrateAndFire.apply(
        currents,
        membrane.expand(currents.shape[1:]),
        decay,
        float(threshold),
        reset,
        reset_delay,
        surrogate,
        torch.is_grad_enabled(),
        inclusive,
    )
    return spikes, last.to(membrane.dtype)
