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

With `refractory=R` a neuron that fired waits for the next R steps: its membrane is held, without leak and without
input, and it does not fire; a delayed reset still happens at the first of them. Its synaptic current and the adaptation
of its threshold, which are not the membrane's, go on.

With `inclusive=True` a membrane at the threshold fires too (`H[t] >= theta`), as in the floor functions of conversion.
`initial` is `V[-1]`, the membrane before the first step. With `window=(a, b)` a neuron charges at every step, and fires
at steps a to b - 1 alone.

With `truncate=K` gradients stop at every K-th step, as if the state was detached there.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..arguments import checked
from ..errors import InputError
from ..kernels.cells import Cells
from .population import Neuron as Neuron
from .population import in_parts as in_parts
from .population import shown


def _decay(tau_seconds: float, dt_seconds: float) -> float:
    if not (tau_seconds > 0 and dt_seconds > 0 and math.isfinite(tau_seconds) and math.isfinite(dt_seconds)):
        raise InputError(f"tau is {tau_seconds} s and dt is {dt_seconds} s, but both must be finite and above 0")
    return math.exp(-dt_seconds / tau_seconds)


class IF(Neuron):
    """Integrate and fire: `H[t] = V[t-1] + I[t]` (`beta = 1`, no leak)."""

    fused = True  # by the kernels of plain neurons; what is derived from it is not

    def decay(self) -> float:
        return 1.0


class LIF(Neuron):
    """Leaky integrate and fire: `H[t] = beta V[t-1] + I[t]`; with `learn_beta=True` the parametric LIF neuron of Fang
    et al. (2021, doi:10.1109/ICCV48922.2021.00266).

    Args:
        beta: decay per step in [0, 1]: a number, one a channel `[C]`, or one a neuron `[*N]`.
        learn_beta: makes `beta` a parameter, kept inside (0, 1) by a logistic function.
        options: those of every neuron.
    """

    fused = True

    @checked
    def __init__(self, beta: float | Tensor = 0.9, *, learn_beta: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self.learn_beta = learn_beta
        self._keep("beta", beta, learn=learn_beta)

    @property
    def beta(self) -> Tensor:
        """Decay per step, `[]` or as given."""
        return self._kept("beta")

    def decay(self) -> Tensor:
        return self.beta

    @classmethod
    def from_tau(cls, tau_seconds: float, dt_seconds: float, **options: Any) -> LIF:
        """The neuron of a membrane time constant at a step length: `beta = exp(-dt / tau)`, both in seconds."""
        return cls(_decay(tau_seconds, dt_seconds), **options)

    @classmethod
    def heterogeneous(
        cls,
        *shape: int,
        tau_seconds: float = 20e-3,
        dt_seconds: float = 1e-3,
        order: float = 3.0,
        seed: int = 0,
        **options: Any,
    ) -> LIF:
        """Neurons of different time constants: `tau ~ Gamma(order, tau_seconds / order)`, `beta = exp(-dt / tau)`.

        Mixed time constants make training more stable and more robust, learned or not (Perez-Nieves et al. 2021,
        doi:10.1038/s41467-021-26022-3, who draw them from a gamma distribution of order 3).

        Args:
            shape: of the neurons `[*N]`, or `[C]` for one a channel.
            tau_seconds: mean of the time constants.
            order: of the distribution; the larger, the less they differ.
        """
        _decay(tau_seconds, dt_seconds)
        if not (shape and order > 0):
            raise InputError(
                f"neurons of shape {list(shape)} and order {order} were asked for, but both must be above 0"
            )
        rng = np.random.default_rng(seed)
        tau = np.maximum(rng.gamma(order, tau_seconds / order, shape), np.finfo(np.float32).tiny)
        return cls(torch.from_numpy(np.exp(-dt_seconds / tau)), **options)

    def extra_repr(self) -> str:
        return f"beta={shown(self.beta, self.learn_beta)}, {super().extra_repr()}"


class Synaptic(LIF):
    """Second-order, current-based leaky integrate and fire: input arrives through a synapse that leaks too::

        I_syn[t] = alpha I_syn[t-1] + I[t]
        H[t]     = beta V[t-1] + I_syn[t]

    Args:
        alpha: decay of the synaptic current per step in [0, 1]: a number, one a channel, or one a neuron.
        beta: decay of the membrane.
        learn_alpha, learn_beta: make them parameters, kept inside (0, 1) by a logistic function.
        options: those of every neuron.
    """

    @checked
    def __init__(
        self,
        alpha: float | Tensor = 0.8,
        beta: float | Tensor = 0.9,
        *,
        learn_alpha: bool = False,
        learn_beta: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(beta, learn_beta=learn_beta, **options)
        self.learn_alpha = learn_alpha
        self._keep("alpha", alpha, learn=learn_alpha)

    @property
    def alpha(self) -> Tensor:
        """Decay of the synaptic current per step, `[]` or as given."""
        return self._kept("alpha")

    @property
    def state_variables(self) -> int:
        return 1 + super().state_variables

    def cells(self) -> Cells:
        return super().cells()._replace(alpha=self.alpha)

    @classmethod
    def from_taus(cls, synapse_seconds: float, membrane_seconds: float, dt_seconds: float, **options: Any) -> Synaptic:
        """The neuron of two time constants at a step length: decays `exp(-dt / tau)`, all in seconds."""
        return cls(_decay(synapse_seconds, dt_seconds), _decay(membrane_seconds, dt_seconds), **options)

    def extra_repr(self) -> str:
        return f"alpha={shown(self.alpha, self.learn_alpha)}, {super().extra_repr()}"


class AdaptiveLIF(LIF):
    """Leaky integrate and fire whose threshold rises with each spike and falls back::

        S[t] = 1 if H[t] > theta + strength A[t-1] else 0
        A[t] = rho A[t-1] + S[t]

    The ALIF neuron of Bellec et al. (2018, arXiv:1803.09574; in the form of 2020, doi:10.1038/s41467-020-17236-y, whose
    reset subtracts `theta`, as here). It cannot run away: with `strength >= 0` and `rho < 1` the threshold stays between
    `theta` and `theta + strength / (1 - rho)`. Gradients flow through the adaptation: it is what remembers.

    Args:
        beta: decay of the membrane.
        rho: decay of the adaptation per step in [0, 1): a number, one a channel, or one a neuron.
        strength: by how much a spike raises the threshold, 0 or more, likewise.
        alpha: decay of a synaptic current, as in `Synaptic`; None: input reaches the membrane at once.
        learn_beta: makes `beta` a parameter, kept inside (0, 1).
        learn_adaptation: makes `rho` (inside (0, 1)) and `strength` (above 0, by a softplus) parameters.
        options: those of every neuron.
    """

    @checked
    def __init__(
        self,
        beta: float | Tensor = 0.9,
        rho: float | Tensor = 0.97,
        strength: float | Tensor = 0.2,
        *,
        alpha: float | Tensor | None = None,
        learn_beta: bool = False,
        learn_adaptation: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(beta, learn_beta=learn_beta, **options)
        self.learn_adaptation = learn_adaptation
        self._keep("rho", rho, learn=learn_adaptation)
        if not learn_adaptation and bool((self.rho == 1).any()):
            raise InputError(
                "an adaptation with rho 1 never falls back, and its threshold would grow for ever: choose less"
            )
        kept = torch.as_tensor(strength, dtype=torch.get_default_dtype()).detach().clone()
        if kept.numel() == 0 or not bool(((kept >= 0) & kept.isfinite()).all()):
            raise InputError(f"an adaptation's strength is {strength}, but must be 0 or more: it raises the threshold")
        if learn_adaptation:
            self.strength_root = nn.Parameter(torch.log(torch.expm1(kept.clamp_min(1e-4))))
        else:
            self.register_buffer("fixed_strength", kept)
        self.has_synapse = alpha is not None
        if alpha is not None:
            self._keep("alpha", alpha, learn=False)

    @property
    def rho(self) -> Tensor:
        """Decay of the adaptation per step, `[]` or as given."""
        return self._kept("rho")

    @property
    def strength(self) -> Tensor:
        """By how much a spike raises the threshold, `[]` or as given."""
        return (
            nn.functional.softplus(self.strength_root) if self.learn_adaptation else self.get_buffer("fixed_strength")
        )

    @property
    def alpha(self) -> Tensor | None:
        """Decay of the synaptic current per step; None where there is none."""
        return self._kept("alpha") if self.has_synapse else None

    @property
    def state_variables(self) -> int:
        return 1 + self.has_synapse + super().state_variables

    def cells(self) -> Cells:
        return super().cells()._replace(rho=self.rho, strength=self.strength, alpha=self.alpha)

    def extra_repr(self) -> str:
        rho, strength = (shown(value, self.learn_adaptation) for value in (self.rho, self.strength))
        return f"rho={rho}, strength={strength}, {super().extra_repr()}"
