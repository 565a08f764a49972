"""A population of neurons over time, on the back end that fits: one signature, the reference's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from . import native as core
from . import reference
from .cells import RESETS, Reset, along, bar
from .choice import runs_native, runs_triton, triton
from .native import Settings
from .planes import Planes, empty_words, sends
from .refusal import once
from .surrogates import Surrogate


def integrate_and_fire(
    currents: Tensor,
    membrane: Tensor | None,
    *,
    beta: Tensor | float,
    threshold: float,
    reset: Reset,
    reset_delay: bool,
    surrogate: Surrogate,
    inclusive: bool = False,
) -> tuple[Tensor, Tensor]:
    """Spikes `[T, B, *N]` and the last membrane `[B, *N]`; a `membrane` of None is 0.

    The equations are in `networks.neurons`. Every back end gives the same spikes for the same currents.
    """
    known = surrogate.number >= 0 and currents.numel() > 0
    if not known or not runs_native(currents):
        backend: Any = triton() if known and runs_triton(currents) else reference
        beta = along(beta, currents.shape[2:])
        start = currents.new_zeros(currents.shape[1:]) if membrane is None else membrane
        found: tuple[Tensor, Tensor] = backend.integrate_and_fire(
            currents, start, beta=beta, threshold=threshold, reset=reset, reset_delay=reset_delay, surrogate=surrogate,
            inclusive=inclusive,
        )  # fmt: skip
        return found
    settings = settings_of(threshold, reset, reset_delay, surrogate, inclusive)
    flat, first, decay = _prepared(currents, membrane, beta)
    spikes, last, words = _Fire.apply(flat, first, decay, settings)
    spikes = spikes.view(currents.shape).to(currents.dtype)
    sends(spikes, Planes(words, tuple(currents.shape)))
    return spikes, last.view(currents.shape[1:]).to(currents.dtype)


def settings_of(
    threshold: float, reset: Reset, reset_delay: bool, surrogate: Surrogate, inclusive: bool = False
) -> Settings:
    """As the kernels want them; the surrogate must be one that they know."""
    level = bar(threshold, inclusive)
    return Settings(threshold, level, RESETS.index(reset), reset_delay, surrogate.number, surrogate.slope)


def fire_planes(currents: Tensor, beta: Tensor | float, settings: Settings) -> tuple[Tensor, Planes]:
    """As `integrate_and_fire` from rest, with spikes as bits only, and an empty tensor that carries their gradient."""
    flat, start, decay = _prepared(currents, None, beta)
    token, _, words = _Fire.apply(flat, start, decay, settings, False)
    return token, Planes(words, tuple(currents.shape))


def _prepared(currents: Tensor, membrane: Tensor | None, beta: Tensor | float) -> tuple[Tensor, Tensor | None, Tensor]:
    """Contiguous float32: currents `[T, B, prod(N)]`, membrane `[B, prod(N)]`, decay `[prod(N)]`."""
    shape = currents.shape
    flat = currents.to(torch.float32).reshape(*shape[:2], -1)
    start = None
    if membrane is not None:
        start = membrane.to(torch.float32).expand(shape[1:]).reshape(shape[1], -1).contiguous()
    return flat.contiguous(), start, decays(beta, shape[2:], currents.device)


def decays(beta: Tensor | float, shape: Sequence[int], device: torch.device) -> Tensor:
    """One float32 decay a neuron, `[prod(shape)]`, differentiable in `beta`."""
    if isinstance(beta, Tensor) and beta.numel() == 1 and not beta.requires_grad:
        beta = float(beta)
    if isinstance(beta, Tensor):
        fitting = along(beta.to(torch.float32), shape)
        return fitting.expand(shape).reshape(-1).contiguous()  # type: ignore[union-attr]
    return _same_decays(beta, math.prod(shape), device)


@lru_cache(maxsize=64)
def _same_decays(beta: float, count: int, device: torch.device) -> Tensor:
    """Kept from step to step, since nobody writes to it; an ordinary tensor even where one is made in inference mode."""
    with torch.inference_mode(False):
        return torch.full((count,), beta, dtype=torch.float32, device=device)


class _Fire(torch.autograd.Function):
    """Membranes are not stored: the way back computes them again from the currents, a tile at a time."""

    @staticmethod
    def forward(
        ctx: Any, currents: Tensor, start: Tensor | None, beta: Tensor, settings: Settings, dense: bool = True
    ) -> Any:
        steps, batch, width = currents.shape
        # without floats, one number stands for all of them: autograd asks for a shape, not for values
        spikes = torch.empty_like(currents) if dense else currents.new_zeros(1).expand(currents.shape)
        words = empty_words(steps * batch, width)
        last = currents.new_empty(batch, width) if dense else currents.new_empty(0)
        core.fire(
            currents, start, beta, settings, spikes=spikes if dense else None, words=words, last=last if dense else None
        )
        ctx.save_for_backward(currents, start, beta)
        ctx.settings = settings
        ctx.mark_non_differentiable(words)
        ctx.set_materialize_grads(False)
        return spikes, last, words

    @staticmethod
    def backward(ctx: Any, spikes_grad: Tensor | None, last_grad: Tensor | None, _words: Any) -> Any:
        currents, start, beta = ctx.saved_tensors
        with torch.no_grad():
            to_spikes = torch.zeros_like(currents) if spikes_grad is None else spikes_grad.contiguous()
            to_last = None if last_grad is None or not last_grad.numel() else last_grad.contiguous()
            currents_grad = torch.empty_like(currents)
            start_grad = torch.empty_like(start) if start is not None and ctx.needs_input_grad[1] else None
            beta_grad = torch.empty_like(beta) if ctx.needs_input_grad[2] else None
            core.learn(
                currents, start, beta, ctx.settings, spikes_grad=to_spikes, last_grad=to_last,
                currents_grad=currents_grad, start_grad=start_grad, beta_grad=beta_grad,
            )  # fmt: skip
        grads = once((currents_grad, start_grad, beta_grad), (currents, spikes_grad, last_grad), "a neuron")
        return (*grads, None, None)
