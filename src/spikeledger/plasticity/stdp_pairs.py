"""STDP: how a synapse changes with what it sees of its two neurons, by pairs of spikes and by traces."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, unknown_name


@dataclass(frozen=True)
class PairRule:
    """Pair STDP with traces: every pair of a sender's and a receiver's spike counts.

        x <- x exp(-1 / tau_before) + arriving spike,  y <- y exp(-1 / tau_after) + own spike
        a spike arrives:       w <- w - decrease y     (of the steps before this one)
        the receiver fires:    w <- w + increase x     (this step's arrivals among them: they came first)

    Weights stay in `low .. high`. Times are in steps. In a chip's integers a change is rounded to its weight's unit, up
    or down by chance (`stochastic`, so that changes below a unit are not lost) or to the `nearest`.

    Source: traces after Morrison, Diesmann & Gerstner 2008, Biol. Cybern. 98:459; the constants are those of Song,
    Miller & Abbott 2000, Nat. Neurosci. 3:919, for weights up to 1 and steps of 1 ms (both quoted from memory).
    """

    increase: float = 0.005
    decrease: float = 0.00525
    tau_before: float = 20.0
    tau_after: float = 20.0
    low: float = 0.0
    high: float = 1.0
    rounding: Literal["stochastic", "nearest"] = "stochastic"

    def __post_init__(self) -> None:
        for what in ("increase", "decrease", "tau_before", "tau_after", "low", "high"):
            if not math.isfinite(getattr(self, what)):
                raise InputError(f"the {what} of a learning rule is {getattr(self, what)}, but must be a finite number")
        if min(self.tau_before, self.tau_after) <= 0:
            raise InputError(f"traces fade with times above 0 steps, not {self.tau_before:g} and {self.tau_after:g}")
        if self.low > self.high:
            raise InputError(f"weights cannot stay in {self.low:g} .. {self.high:g}: give low below high")
        if self.rounding not in ("stochastic", "nearest"):
            raise unknown_name("rounding", self.rounding, ("stochastic", "nearest"))


def window(rule: PairRule, lag: Any) -> NDArray[np.float64]:
    """The change of a weight by one pair, for lags `after - before` in steps: `increase exp(-lag / tau_before)` where the
    sender fired first or in the same step (its spike came first), `-decrease exp(lag / tau_after)` where it fired later."""
    lags = np.asarray(lag, np.float64)
    up = rule.increase * np.exp(-np.maximum(lags, 0) / rule.tau_before)
    down = -rule.decrease * np.exp(np.minimum(lags, 0) / rule.tau_after)
    return np.where(lags >= 0, up, down)


def by_pairs(rule: PairRule, before: Any, after: Any) -> float:
    """The whole change of a weight that meets no bound: the sum of `window` over all pairs of spikes, `[T]` each."""
    senders, receivers = (np.flatnonzero(each) for each in _trains(before, after))
    return float(window(rule, receivers[:, None] - senders[None, :]).sum())


def by_traces(rule: PairRule, before: Any, after: Any, *, start: float = 0.5) -> NDArray[np.float64]:
    """The weight after each step `[T]`, from two traces that a synapse keeps: what `by_pairs` says, in constant memory.

    x <- x exp(-1 / tau_before) + sender,  y <- y exp(-1 / tau_after)
    w <- clip(w - decrease y, low, high) where the sender fired, then clip(w + increase x, low, high) where the
    receiver did; y <- y + receiver
    """
    senders, receivers = _trains(before, after)
    x = y = 0.0
    w, out = float(start), np.empty(len(senders))
    for t, (sent, fired) in enumerate(zip(senders, receivers, strict=True)):
        x = x * math.exp(-1 / rule.tau_before) + sent
        y *= math.exp(-1 / rule.tau_after)
        if sent:
            w = min(max(w - rule.decrease * y, rule.low), rule.high)
        if fired:
            w = min(max(w + rule.increase * x, rule.low), rule.high)
        y += fired
        out[t] = w
    return out


def _trains(before: Any, after: Any) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    first, second = (np.asarray(each) != 0 for each in (before, after))
    if first.ndim != 1 or first.shape != second.shape:
        raise InputError(
            f"two trains of spikes [T] of the same steps are needed, not {list(first.shape)} and {list(second.shape)}"
        )
    return first, second
