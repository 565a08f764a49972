"""Spiking neurons as torch modules on `[T, B, *N]`: one equation each.

With input current `I`, membrane `V`, decay `beta` and threshold `theta`, a step is::

    H[t] = beta V[t-1] + I[t]                    charge
    S[t] = 1 if H[t] > theta else 0              fire
    V[t] = H[t] - theta S[t]   (reset="subtract")
           H[t] (1 - S[t])     (reset="zero")
           H[t]                (reset="none")

With `reset_delay=True` the reset of a spike takes effect at the next step's charge, as in snnTorch's default: the
membrane that leaves step t is `H[t]`, and `H[t+1] = beta H[t] + I[t+1] - theta S[t]` (`subtract`) or
`beta H[t] (1 - S[t]) + I[t+1]` (`zero`).
"""

from __future__ import annotations

import math
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ..errors import InputError, unknown_name
from ..kernels import integrate_and_fire
from .surrogates import Derivative, Surrogate
from .surrogates import surrogate as find_surrogate

Reset = Literal["subtract", "zero", "none"]
RESETS: tuple[Reset, ...] = ("subtract", "zero", "none")


class Neuron(nn.Module):
    """A population of spiking neurons: currents `[T, B, *N]` in, spikes (0 or 1) of the same shape out.

    Every call starts from rest, so that nothing can be forgotten between batches; to carry the state on, pass it:
    `spikes, state = neuron(currents, neuron.rest(currents))`, then `neuron(more, state)`.
    """

    #: state variables of one neuron
    state_variables = 1

    def __init__(
        self,
        *,
        threshold: float = 1.0,
        reset: Reset = "subtract",
        reset_delay: bool = False,
        surrogate: str | Surrogate | Derivative = "atan",
        slope: float | None = None,
    ) -> None:
        super().__init__()
        if reset not in RESETS:
            raise unknown_name("reset", reset, RESETS)
        if not (math.isfinite(threshold) and threshold > 0):
            raise InputError(f"a neuron's threshold is {threshold}, but must be a finite number above 0")
        self.threshold = float(threshold)
        self.reset: Reset = reset
        self.reset_delay = reset_delay
        self.surrogate = find_surrogate(surrogate, slope)

    def decay(self) -> Tensor | float:
        """What is left of the membrane after one step: `beta`, a number or a tensor that broadcasts over `[*N]`."""
        raise InputError(f"{type(self).__name__} does not say how its membrane decays: use sl.IF or sl.LIF")

    def rest(self, currents: Tensor) -> Tensor:
        """The membrane at rest for currents `[T, B, *N]`: zeros `[B, *N]`."""
        return torch.zeros_like(currents[0]) if len(currents) else currents.new_zeros(currents.shape[1:])

    def forward(self, currents: Tensor, state: Tensor | None = None) -> Any:
        """Spikes `[T, B, *N]`; with a `state` (membrane `[B, *N]`) passed, `(spikes, state)` as `nn.RNN` does."""
        if currents.dim() < 2:
            raise InputError(
                f"{type(self).__name__} got currents of shape {list(currents.shape)}, but needs [T, B, *N]: "
                "time first, then the batch"
            )
        spikes, last = integrate_and_fire(
            currents,
            state,
            beta=self.decay(),
            threshold=self.threshold,
            reset=self.reset,
            reset_delay=self.reset_delay,
            surrogate=self.surrogate,
        )
        return spikes if state is None else (spikes, last)

    def extra_repr(self) -> str:
        delay = ", reset_delay=True" if self.reset_delay else ""
        return f"threshold={self.threshold:g}, reset={self.reset}{delay}, surrogate={self.surrogate}"


class IF(Neuron):
    """Integrate and fire: `H[t] = V[t-1] + I[t]` (`beta = 1`, no leak)."""

    def decay(self) -> float:
        return 1.0


class LIF(Neuron):
    """Leaky integrate and fire: `H[t] = beta V[t-1] + I[t]`.

    Args:
        beta: decay per step in [0, 1], a number or a tensor `[*N]` of one a neuron.
        learn_beta: makes `beta` a parameter, kept inside (0, 1) by a logistic function.
    """

    def __init__(
        self,
        beta: float | Tensor = 0.9,
        *,
        learn_beta: bool = False,
        threshold: float = 1.0,
        reset: Reset = "subtract",
        reset_delay: bool = False,
        surrogate: str | Surrogate | Derivative = "atan",
        slope: float | None = None,
    ) -> None:
        super().__init__(threshold=threshold, reset=reset, reset_delay=reset_delay, surrogate=surrogate, slope=slope)
        value = torch.as_tensor(beta, dtype=torch.get_default_dtype()).detach().clone()
        if value.numel() == 0 or not bool(((value >= 0) & (value <= 1)).all()):
            raise InputError(f"a LIF neuron's beta is {beta}, but must lie in [0, 1]: it is the decay per step")
        self.learn_beta = learn_beta
        if learn_beta:
            self.beta_logit = nn.Parameter(torch.logit(value, eps=1e-4))
        else:
            self.register_buffer("fixed_beta", value)

    @property
    def beta(self) -> Tensor:
        """Decay per step, `[]` or `[*N]`."""
        if self.learn_beta:
            return torch.sigmoid(self.beta_logit)
        return self.get_buffer("fixed_beta")

    def decay(self) -> Tensor:
        return self.beta

    @classmethod
    def from_tau(cls, tau_seconds: float, dt_seconds: float, **options: Any) -> LIF:
        """The neuron of a membrane time constant at a step length: `beta = exp(-dt / tau)`, both in seconds."""
        if not (tau_seconds > 0 and dt_seconds > 0 and math.isfinite(tau_seconds) and math.isfinite(dt_seconds)):
            raise InputError(f"tau is {tau_seconds} s and dt is {dt_seconds} s, but both must be finite and above 0")
        return cls(math.exp(-dt_seconds / tau_seconds), **options)

    def extra_repr(self) -> str:
        beta = self.beta.detach()
        shown = f"{float(beta):.4g}" if beta.dim() == 0 else f"tensor{list(beta.shape)}"
        return f"beta={shown}{' (learned)' if self.learn_beta else ''}, {super().extra_repr()}"
