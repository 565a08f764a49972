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

With `truncate=K` gradients stop at every K-th step, as if the state was detached there.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import InputError, unknown_name
from ..kernels import integrate_and_fire
from ..kernels.cells import RESETS, Cells, Reset, State
from ..kernels.family import run
from ..kernels.planes import untouched
from ..kernels.surrogates import Derivative, Surrogate
from ..kernels.surrogates import surrogate as find_surrogate
from ..listening.ear import called


class Neuron(nn.Module):
    """A population of spiking neurons: currents `[T, B, *N]` in, spikes (0 or 1) of the same shape out.

    Every call starts from rest, so that nothing can be forgotten between batches; to carry the state on, pass it:
    `spikes, state = neuron(currents, neuron.rest(currents))`, then `neuron(more, state)`. The state of plain IF and LIF
    is their membrane `[B, *N]`, that of all others a `State` of such tensors.

    Args:
        threshold: above 0; a membrane above it fires.
        reset: what a spike takes from the membrane: the threshold (`subtract`), all (`zero`), nothing (`none`).
        reset_delay: whether it is taken at the next step.
        refractory: steps for which a neuron waits after a spike.
        truncate: steps after which gradients stop; None: never.
        surrogate: what stands in for the spike's derivative, by name, or a function of membrane minus threshold.
        slope: of the named surrogate.
    """

    def __init__(
        self,
        *,
        threshold: float = 1.0,
        reset: Reset = "subtract",
        reset_delay: bool = False,
        refractory: int = 0,
        truncate: int | None = None,
        surrogate: str | Surrogate | Derivative = "atan",
        slope: float | None = None,
    ) -> None:
        super().__init__()
        if reset not in RESETS:
            raise unknown_name("reset", reset, RESETS)
        if not (math.isfinite(threshold) and threshold > 0):
            raise InputError(f"a neuron's threshold is {threshold}, but must be a finite number above 0")
        if not (isinstance(refractory, int) and refractory >= 0):
            raise InputError(
                f"a neuron's refractory period is {refractory}, but must be a whole number of steps, 0 or more"
            )
        if truncate is not None and not (isinstance(truncate, int) and truncate > 0):
            raise InputError(f"gradients are to stop after {truncate} steps, but it must be a whole number, 1 or more")
        self.threshold = float(threshold)
        self.reset: Reset = reset
        self.reset_delay = reset_delay
        self.refractory = refractory
        self.truncate = truncate
        self.surrogate = find_surrogate(surrogate, slope)

    @property
    def state_variables(self) -> int:
        """State variables of one neuron: its membrane, and its refractory counter where it has one."""
        return 1 + (self.refractory > 0)

    @property
    def plain(self) -> bool:
        """Whether it is a membrane and nothing else, so that the fused kernels of IF and LIF are its own."""
        return type(self) in (IF, LIF) and not self.refractory

    def decay(self) -> Tensor | float:
        """What is left of the membrane after one step: `beta`, a number or a tensor that broadcasts over `[*N]`."""
        raise InputError(f"{type(self).__name__} does not say how its membrane decays: use sl.IF or sl.LIF")

    def cells(self) -> Cells:
        """The constants that the kernels of the whole family want."""
        return Cells(
            self.threshold, self.reset, self.reset_delay, self.surrogate, self.decay(), refractory=self.refractory
        )

    def rest(self, currents: Tensor) -> Any:
        """The state at rest for currents `[T, B, *N]`: zeros `[B, *N]`, one for each state variable."""
        zeros = torch.zeros_like(currents[0]) if len(currents) else currents.new_zeros(currents.shape[1:])
        return zeros if self.plain else self.cells().rest(zeros)

    @called
    @untouched
    def forward(self, currents: Tensor, state: Any = None) -> Any:
        """Spikes `[T, B, *N]`; with a `state` as of `rest` passed, `(spikes, state)` as `nn.RNN` does."""
        if currents.dim() < 2:
            raise InputError(
                f"{type(self).__name__} got currents of shape {list(currents.shape)}, but needs [T, B, *N]: "
                "time first, then the batch"
            )
        spikes, last = in_parts(self._steps, currents, state, self.truncate)
        return spikes if state is None else (spikes, last)

    def _steps(self, currents: Tensor, state: Any) -> tuple[Tensor, Any]:
        if not self.plain:
            start = self.rest(currents) if state is None else _as_state(state, type(self).__name__)
            return run(currents, start, self.cells())
        return integrate_and_fire(
            currents,
            state,
            beta=self.decay(),
            threshold=self.threshold,
            reset=self.reset,
            reset_delay=self.reset_delay,
            surrogate=self.surrogate,
        )

    def extra_repr(self) -> str:
        more = ", reset_delay=True" if self.reset_delay else ""
        more += f", refractory={self.refractory}" if self.refractory else ""
        more += f", truncate={self.truncate}" if self.truncate else ""
        return f"threshold={self.threshold:g}, reset={self.reset}{more}, surrogate={self.surrogate}"

    def _keep(self, name: str, value: float | Tensor, *, learn: bool) -> None:
        """Keep a decay per step: in [0, 1] as given, or a parameter inside (0, 1) by a logistic function."""
        kept = torch.as_tensor(value, dtype=torch.get_default_dtype()).detach().clone()
        if kept.numel() == 0 or not bool(((kept >= 0) & (kept <= 1)).all()):
            raise InputError(
                f"a {type(self).__name__} neuron's {name} is {value}, but must lie in [0, 1]: it is a decay per step"
            )
        if learn:
            self.register_parameter(f"{name}_logit", nn.Parameter(torch.logit(kept, eps=1e-4)))
        else:
            self.register_buffer(f"fixed_{name}", kept)

    def _kept(self, name: str) -> Tensor:
        logit = self._parameters.get(f"{name}_logit")
        fixed: Tensor = getattr(self, f"fixed_{name}") if logit is None else torch.sigmoid(logit)
        return fixed


def in_parts(
    run: Callable[[Tensor, Any], tuple[Tensor, Any]], currents: Tensor, state: Any, truncate: int | None
) -> tuple[Tensor, Any]:
    """Run currents `[T, ...]`, with the state cut off from its past after every `truncate` steps."""
    if not truncate or truncate >= len(currents):
        return run(currents, state)
    sent: list[Tensor] = []
    for part in currents.split(truncate):
        spikes, state = run(part, state.detach() if sent else state)
        sent.append(spikes)
    return torch.cat(sent), state


def _as_state(state: Any, kind: str) -> State:
    if isinstance(state, State):
        return state
    raise InputError(
        f"the state of a {kind} here is a State, not a {type(state).__name__}: take it from rest(currents)"
    )


def _decay(tau_seconds: float, dt_seconds: float) -> float:
    if not (tau_seconds > 0 and dt_seconds > 0 and math.isfinite(tau_seconds) and math.isfinite(dt_seconds)):
        raise InputError(f"tau is {tau_seconds} s and dt is {dt_seconds} s, but both must be finite and above 0")
    return math.exp(-dt_seconds / tau_seconds)


def _shown(value: Tensor, learned: bool) -> str:
    number = f"{float(value.detach()):.4g}" if value.dim() == 0 else f"tensor{list(value.shape)}"
    return f"{number}{' (learned)' if learned else ''}"


class IF(Neuron):
    """Integrate and fire: `H[t] = V[t-1] + I[t]` (`beta = 1`, no leak)."""

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
        return f"beta={_shown(self.beta, self.learn_beta)}, {super().extra_repr()}"


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
        return f"alpha={_shown(self.alpha, self.learn_alpha)}, {super().extra_repr()}"


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
        rho, strength = (_shown(value, self.learn_adaptation) for value in (self.rho, self.strength))
        return f"rho={rho}, strength={strength}, {super().extra_repr()}"
