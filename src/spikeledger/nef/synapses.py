"""Synapses: what a spike is after it has arrived."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arguments import checked
from ..errors import InputError
from .neurons import _above_zero


@checked
@dataclass(frozen=True)
class Lowpass:
    """An exponential synapse, `y <- y a + x (1 - a)` with `a = exp(-dt / tau)`: exact for an input that stands still.

    A spike is an input of `1 / dt` for one step, so that its area is 1 for any step. `tau` in seconds; 0 lets all pass.
    """

    tau: float = 0.005

    def __post_init__(self) -> None:
        if not (math.isfinite(self.tau) and self.tau >= 0):
            raise InputError(f"tau is {self.tau:g} s, but must be at least 0 s")

    def keeps(self, dt: float) -> float:
        """What is left of the past after a step."""
        _above_zero(dt=dt)
        return math.exp(-dt / self.tau) if self.tau else 0.0

    @checked
    def filter(self, values: ArrayLike, *, dt: float) -> NDArray[np.float64]:
        """Filtered values `[T, ...]`; each step's own value is in it."""
        given, keep = np.asarray(values, np.float64), self.keeps(dt)
        y, out = np.zeros(given.shape[1:]), np.empty_like(given)
        for t, now in enumerate(given):
            y = y * keep + now * (1 - keep)
            out[t] = y
        return out
