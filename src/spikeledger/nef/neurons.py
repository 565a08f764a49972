"""One neuron: the leaky integrator by Euler and exactly, and LIF with refractory time and overshoot."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arguments import checked
from ..errors import InputError, unknown_name

Values = NDArray[np.float64]


@checked
def leaky_integrator(
    current: ArrayLike, *, dt: float, tau: float, start: float = 0.0, method: Literal["euler", "exact"] = "exact"
) -> Values:
    """A leaky bucket: `tau dv/dt = current - v`, for currents `[T]` or `[T, N]` that stand still within a step.

    `euler`: `v <- v + dt / tau (current - v)`, which overshoots where `dt > tau` and grows without end where
    `dt > 2 tau`. `exact`: `v <- current + (v - current) exp(-dt / tau)`, right for any step.

    Args:
        dt, tau: seconds.
    """
    currents = np.asarray(current, np.float64)
    if currents.ndim == 0 or not np.isfinite(currents).all():
        raise InputError("a current is finite numbers [T] or [T, N]: one value or one row a step")
    _above_zero(dt=dt, tau=tau)
    shares = {"euler": dt / tau, "exact": -math.expm1(-dt / tau)}
    if method not in shares:
        raise unknown_name("method", method, shares)
    v, out = np.full(currents.shape[1:], start, np.float64), np.empty_like(currents)
    for t, now in enumerate(currents):
        v = v + (now - v) * shares[method]
        out[t] = v
    return out


@checked
@dataclass(frozen=True)
class LIF:
    """Leaky integrate-and-fire with threshold 1: `tau dv/dt = J - v`; at 1 a spike, then 0 for the refractory time.

    The moment at which the threshold was crossed within a step is worked out, and the refractory time begins there: so
    rates do not depend on the step. These are the equations of nengo's LIF. Times are in seconds.

    Source: Eliasmith & Anderson 2003, Neural Engineering, chapter 4.
    """

    tau: float = 0.02
    refractory: float = 0.002

    def __post_init__(self) -> None:
        _above_zero(tau=self.tau)
        if not (math.isfinite(self.refractory) and self.refractory >= 0):
            raise InputError(f"the refractory time is {self.refractory:g} s, but must be at least 0 s")

    @checked
    def rate(self, current: ArrayLike) -> Values:
        """Spikes a second at a constant current: `1 / (refractory + tau log1p(1 / (J - 1)))`, and 0 where `J <= 1`."""
        over = np.asarray(current, np.float64) - 1
        rates = np.zeros_like(over)
        above = over > 0
        rates[above] = 1 / (self.refractory + self.tau * np.log1p(1 / over[above]))
        return rates

    @checked
    def gain_bias(self, max_rates: ArrayLike, intercepts: ArrayLike) -> tuple[Values, Values]:
        """Gain and bias `[N]` with which `rate(gain x + bias)` begins at the intercept and is the maximum at `x = 1`.

        Raises:
            InputError: a rate that the refractory time forbids, or an intercept of 1 or more.
        """
        rates, starts = np.asarray(max_rates, np.float64), np.asarray(intercepts, np.float64)
        limit = 1 / self.refractory if self.refractory else math.inf
        if not ((rates > 0) & (rates < limit)).all():
            raise InputError(
                f"maximum rates must lie between 0 and {limit:g} Hz, where a refractory time of {self.refractory:g} s "
                f"ends; given were {rates.min():g} to {rates.max():g} Hz"
            )
        if not (starts < 1).all():
            raise InputError(f"intercepts must lie below 1, where rates are largest, not at {starts.max():g}")
        most = 1 / -np.expm1((self.refractory - 1 / rates) / self.tau)
        gain = (1 - most) / (starts - 1)
        return gain, 1 - gain * starts

    def step(self, current: Values, v: Values, waiting: Values, dt: float) -> NDArray[np.bool_]:
        """Advance membranes and refractory times `[N]` in place by a step; who fired."""
        waiting -= dt
        left = np.clip(dt - waiting, 0, dt)
        v -= (current - v) * np.expm1(-left / self.tau)
        fired = v > 1
        # how long ago the threshold was crossed
        crossed = dt + self.tau * np.log1p(-(v[fired] - 1) / (current[fired] - 1))
        v[v < 0] = 0
        v[fired] = 0
        waiting[fired] = self.refractory + crossed
        return fired

    @checked
    def run(self, current: ArrayLike, *, dt: float) -> NDArray[np.bool_]:
        """Spikes `[T, N]` of currents `[T, N]`, from rest."""
        currents = np.asarray(current, np.float64)
        if currents.ndim != 2 or not np.isfinite(currents).all():
            raise InputError(f"currents are finite numbers [T, N], not {list(currents.shape)}")
        _above_zero(dt=dt)
        v, waiting = np.zeros(currents.shape[1]), np.zeros(currents.shape[1])
        return np.array([self.step(now, v, waiting, dt) for now in currents]).reshape(currents.shape)


def _above_zero(**times: float) -> None:
    for name, value in times.items():
        if not (math.isfinite(value) and value > 0):
            raise InputError(f"{name} is {value:g} s, but must be a finite time above 0 s")
