"""The adaptive LIF neuron, stable for any input and step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arguments import checked
from ..errors import InputError
from .neurons import _above_zero


@checked
@dataclass(frozen=True)
class AdaptiveLIF:
    """LIF whose threshold `1 + w` rises by `increase` with every spike and sinks with `tau_threshold` (seconds).

    `w <- w exp(-dt / tau_threshold)` and `v <- J + (v - J) exp(-left / tau)` are exact for a current that stands still.
    The overshoot is measured from the threshold that was *crossed*, `-tau log1p(-(v - th) / (J - th))`, and kept within
    the step: a threshold that sank below the membrane was not crossed. Measured from 1, as some texts have it, it is the
    logarithm of a negative number as soon as the input changes, and the neuron is not a number for ever.
    """

    tau: float = 0.02
    refractory: float = 0.002
    tau_threshold: float = 0.2
    increase: float = 0.1

    def __post_init__(self) -> None:
        _above_zero(tau=self.tau, tau_threshold=self.tau_threshold)
        if not (np.isfinite([self.refractory, self.increase]).all() and min(self.refractory, self.increase) >= 0):
            raise InputError(
                f"the refractory time and the increase of the threshold are {self.refractory:g} s and "
                f"{self.increase:g}, but must be finite and at least 0"
            )

    @checked
    def run(
        self, current: ArrayLike, *, dt: float
    ) -> tuple[NDArray[np.bool_], NDArray[np.float64], NDArray[np.float64]]:
        """Spikes, membranes and thresholds, each `[T, N]`, of currents `[T, N]`, from rest."""
        currents = np.asarray(current, np.float64)
        if currents.ndim != 2 or not np.isfinite(currents).all():
            raise InputError(f"currents are finite numbers [T, N], not {list(currents.shape)}")
        _above_zero(dt=dt)
        v, w, waiting = (np.zeros(currents.shape[1]) for _ in range(3))
        sinking = np.exp(-dt / self.tau_threshold)
        spikes = np.zeros(currents.shape, bool)
        membranes, thresholds = np.empty_like(currents), np.empty_like(currents)
        for t, now in enumerate(currents):
            w *= sinking
            left = np.clip(dt - waiting, 0, dt)
            waiting = np.maximum(waiting - dt, 0)
            v = now + (v - now) * np.exp(-left / self.tau)
            threshold = 1 + w
            fired = v > threshold
            above, room = v[fired] - threshold[fired], now[fired] - threshold[fired]
            share = np.divide(above, room, out=np.ones_like(above), where=room > above)
            # log1p(-1) is -inf: crossed before the step began, as far as the step is long
            with np.errstate(divide="ignore"):
                over = np.clip(-self.tau * np.log1p(-share), 0, dt)
            v[fired] = 0
            waiting[fired] = np.maximum(self.refractory - over, 0)
            w[fired] += self.increase * np.exp(-over / self.tau_threshold)
            spikes[t], membranes[t], thresholds[t] = fired, v, threshold
        return spikes, membranes, thresholds
