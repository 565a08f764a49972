"""The rate code straight to bits: the same spikes as from `noise(...) < rates`, without the floats in between."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import torch
from torch import Tensor

from . import native as core
from .choice import runs_native
from .planes import Planes, empty_words

_STATE_BYTES = 5056


def noise(rates: Tensor, steps: int, generator: torch.Generator) -> Tensor:
    """Uniform numbers `[T, B, *N]`, all of one sample before those of the next: no sample's depend on its batch mates."""
    drawn = torch.rand((rates.shape[0], steps, *rates.shape[1:]), generator=generator, dtype=rates.dtype)
    return drawn.movedim(1, 0)


def rate_planes(rates: Tensor, steps: int, generator: torch.Generator) -> Planes | None:
    """Bits `[T, B, *N]` at `rates` `[B, *N]`; None where the kernel cannot run. The generator goes on as torch's would."""
    if not runs_native(rates) or rates.dtype != torch.float32 or not rates.numel() or not _knows_the_generator():
        return None
    return _draw(rates, steps, generator)


def dropout(shape: tuple[int, ...], share: float) -> Planes | None:
    """Which spikes `[T, B, *N]` dropout leaves: those where `torch.rand(T, B, *N) < 1 - share`, the next of torch's own random
    numbers; None where the kernel cannot run."""
    rows, columns = shape[0] * shape[1], math.prod(shape[2:])
    stays = rate_planes(torch.full((1, columns), 1 - share), rows, torch.default_generator)
    return None if stays is None else Planes(stays.words, shape)


def token_left(token: Tensor, stays: Planes) -> Tensor:
    """The token of what dropout left."""
    left: Tensor = _Drop.apply(token, stays)
    return left


class _Drop(torch.autograd.Function):
    """The gradient of spikes of which some were dropped: nothing for those, whether or not they fired."""

    @staticmethod
    def forward(ctx: Any, token: Tensor, stays: Planes) -> Tensor:
        ctx.stays = stays
        return token.view_as(token)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        return grad * ctx.stays.dense(), None


def draws_as_torch() -> bool:
    """Whether `dropout` has an answer, for ordinary numbers."""
    return runs_native(torch.empty(1)) and _knows_the_generator()


def _draw(rates: Tensor, steps: int, generator: torch.Generator) -> Planes:
    rates = rates.detach().contiguous()
    rows, columns = rates.shape[0], math.prod(rates.shape[1:])
    words = empty_words(steps * rows, columns)
    state = generator.get_state()
    core.rate_code(state, rates, steps, rows, columns, words)
    generator.set_state(state)
    return Planes(words, (steps, *rates.shape))


@cache
def _knows_the_generator() -> bool:
    """Whether torch draws as the kernel thinks: tried once, since the layout of its state is not promised."""
    ours, theirs = (torch.Generator().manual_seed(7) for _ in range(2))
    if ours.get_state().numel() != _STATE_BYTES:
        return False
    rates = torch.full((3, 451), 0.5)
    for steps in (1, 2):
        if not torch.equal(_draw(rates, steps, ours).dense(), (noise(rates, steps, theirs) < rates).float()):
            return False
    return torch.equal(ours.get_state(), theirs.get_state())
