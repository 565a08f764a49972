"""Plain torch: slow, obvious, the oracle that every other back end must agree with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from ..networks.surrogates import Surrogate


def integrate_and_fire(
    currents: Tensor,
    membrane: Tensor,
    *,
    beta: Tensor | float,
    threshold: float,
    reset: str,
    reset_delay: bool,
    surrogate: Surrogate,
) -> tuple[Tensor, Tensor]:
    """Spikes `[T, B, *N]` and the last membrane `[B, *N]` of a population; the equations are in `networks.neurons`.

    The reset carries no gradient: it is a consequence of the spike, whose gradient already flows.
    """
    spikes = []
    fired = _fired(membrane, threshold) if reset_delay else None
    for current in currents:
        if fired is None:
            charged = beta * membrane + current
        elif reset == "subtract":
            charged = beta * membrane + current - threshold * fired
        elif reset == "zero":
            charged = beta * (membrane * (1 - fired)) + current
        else:
            charged = beta * membrane + current
        spike = _spike(charged - threshold, surrogate)
        spikes.append(spike)
        if reset_delay:
            membrane, fired = charged, spike.detach()
        elif reset == "subtract":
            membrane = charged - threshold * spike.detach()
        elif reset == "zero":
            membrane = charged * (1 - spike.detach())
        else:
            membrane = charged
    return (torch.stack(spikes) if spikes else torch.zeros_like(currents)), membrane


def _fired(membrane: Tensor, threshold: float) -> Tensor:
    return (membrane > threshold).to(membrane.dtype)


def _spike(distance: Tensor, surrogate: Surrogate) -> Tensor:
    out: Tensor = _Spike.apply(distance, surrogate)
    return out


class _Spike(torch.autograd.Function):
    """Forward: 1 above the threshold, else 0. Backward: the surrogate's derivative of the distance to it."""

    @staticmethod
    def forward(ctx, distance, surrogate):  # type: ignore[no-untyped-def]
        ctx.save_for_backward(distance)
        ctx.surrogate = surrogate
        return (distance > 0).to(distance.dtype)

    @staticmethod
    def backward(ctx, grad):  # type: ignore[no-untyped-def]
        (distance,) = ctx.saved_tensors
        return grad * ctx.surrogate.derivative(distance), None
