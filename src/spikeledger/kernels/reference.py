"""Plain torch: slow, obvious, the oracle that every other back end must agree with."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from .cells import Cells, State
from .surrogates import Surrogate


def integrate_and_fire(
    currents: Tensor,
    membrane: Tensor,
    *,
    beta: Tensor | float,
    threshold: float,
    reset: str,
    reset_delay: bool,
    surrogate: Surrogate,
    inclusive: bool = False,
) -> tuple[Tensor, Tensor]:
    """Spikes `[T, B, *N]` and the last membrane `[B, *N]` of a population; the equations are in `networks.neurons`.

    The reset carries no gradient: it is a consequence of the spike, whose gradient already flows.
    """
    spikes = []
    fired = _fired(membrane, threshold, inclusive) if reset_delay else None
    for current in currents:
        if fired is None:
            charged = beta * membrane + current
        elif reset == "subtract":
            charged = beta * membrane + current - threshold * fired
        elif reset == "zero":
            charged = beta * (membrane * (1 - fired)) + current
        else:
            charged = beta * membrane + current
        spike = _spike(charged - threshold, surrogate, inclusive)
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


def run_cells(currents: Tensor, state: State, cells: Cells) -> tuple[Tensor, tuple[Any, ...]]:
    """Spikes `[T, B, *N]` and the last state of any neuron of the family.

    A reset carries no gradient; what a spike does to the threshold, and what it sends back to its population, does.
    """
    parts: tuple[Any, ...] = state
    membrane, synapse, adaptation, waiting, fired = parts
    constants: Any = cells
    theta, beta = constants.threshold, constants.beta
    spikes = []
    for current in currents:
        if constants.own is not None:
            current = current + constants.own * fired
        if constants.weight is not None:
            current = current + fired @ constants.weight.t()
        if constants.alpha is not None:
            current = synapse = constants.alpha * synapse + current
        before = membrane
        if cells.reset_delay and cells.reset == "zero":
            before = membrane * (1 - fired.detach())
        membrane = beta * before + current
        if cells.reset_delay and cells.reset == "subtract":
            before = before - theta * fired.detach()
            membrane = membrane - theta * fired.detach()
        if waiting is not None:
            membrane = torch.where(waiting > 0, before, membrane)
        bar = theta if adaptation is None else theta + constants.strength * adaptation
        spike = _spike(membrane - bar, cells.surrogate, cells.inclusive)
        if waiting is not None:
            spike = torch.where(waiting > 0, torch.zeros_like(spike), spike)
            waiting = torch.where(spike.detach() > 0, float(cells.refractory), (waiting - 1).clamp_min(0))
        if not cells.reset_delay and cells.reset == "subtract":
            membrane = membrane - theta * spike.detach()
        elif not cells.reset_delay and cells.reset == "zero":
            membrane = membrane * (1 - spike.detach())
        if adaptation is not None:
            adaptation = constants.rho * adaptation + spike
        fired = spike if fired is not None else None
        spikes.append(spike)
    stacked = torch.stack(spikes) if spikes else torch.zeros_like(currents)
    return stacked, (membrane, synapse, adaptation, waiting, fired)


def _fired(membrane: Tensor, threshold: float, inclusive: bool) -> Tensor:
    return (membrane >= threshold if inclusive else membrane > threshold).to(membrane.dtype)


def _spike(distance: Tensor, surrogate: Surrogate, inclusive: bool) -> Tensor:
    out: Tensor = _Spike.apply(distance, surrogate, inclusive)
    return out


class _Spike(torch.autograd.Function):
    """Forward: 1 above the threshold (or at it, where that is said), else 0. Backward: the surrogate's derivative of the
    distance to it."""

    @staticmethod
    def forward(ctx, distance, surrogate, inclusive):  # type: ignore[no-untyped-def]
        ctx.save_for_backward(distance)
        ctx.surrogate = surrogate
        return (distance >= 0 if inclusive else distance > 0).to(distance.dtype)

    @staticmethod
    def backward(ctx, grad):  # type: ignore[no-untyped-def]
        (distance,) = ctx.saved_tensors
        return grad * ctx.surrogate.derivative(distance), None, None
