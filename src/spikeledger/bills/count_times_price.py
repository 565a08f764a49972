"""A tally with its price: one row of a ledger."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..amounts import Amount
from ..events import EVENTS, term_of
from ..hardware.profile import Price


@dataclass(frozen=True, eq=False, slots=True)
class Entry:
    """A tally with a price: one event in one layer, `joules = count * each`, with its range."""

    layer: str
    event: str
    count: float
    each: Amount  # joules of one; of a second, the watts and how sure the duration is
    price: Price | None  # None for static energy, whose price is watts
    counts: NDArray[np.int64] | NDArray[np.float64] | None = None  # of each neuron
    note: str = ""

    @property
    def per_neuron(self) -> NDArray[np.float64] | None:
        """Nominal joules of each neuron, where its events are known."""
        if self.counts is None or self.price is None:
            return None
        # events * joules/event = joules
        return np.multiply(self.counts.ravel(), self.price.joules, dtype=np.float64)

    @property
    def joules(self) -> float:
        """Nominal."""
        return self.count * self.each.nominal

    @property
    def low(self) -> float:
        """With its price at the low end."""
        return self.count * self.each.low

    @property
    def high(self) -> float:
        """With its price at the high end."""
        return self.count * self.each.high

    @property
    def term(self) -> str:
        """`operations`, `memory`, `routing` or `static`."""
        return term_of(self.event)

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> Entry:
        """An entry of a saved ledger, without its neurons and its price's source."""
        count = float(saved["count"])
        if saved["event"] not in list(EVENTS):
            raise ValueError(f"nobody counts '{saved['event']!s:.40}'")
        ends = (float(saved[end]) / (count or 1.0) for end in ("low", "joules", "high"))
        each = Amount.of(f"{saved['layer']}: {saved['event']}", *ends)
        return cls(str(saved["layer"]), str(saved["event"]), count, each, None, note=str(saved["note"]))
