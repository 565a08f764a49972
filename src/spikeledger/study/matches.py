"""One ANN's device against one SNN's: joules with ranges, three views on static power, and a verdict on each.

The classes are here; `pairing.match` computes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ..amounts import Amount
from ..ledger import Ledger

#: the views on static power: as each device draws it, left out, and the same watts for both sides
VIEWS = ("static on", "static off", "equal static")
TERM_NAMES = ("operations", "memory", "routing", "static")


@dataclass(frozen=True)
class Cost:
    """One network on one device; without a ledger, `reason` says why."""

    profile: str
    title: str
    ledger: Ledger | None
    reason: str = ""
    joules: Amount | None = None  # per sample
    by_term: Mapping[str, Amount] = field(default_factory=dict)  # operations, memory, routing, static; per sample
    seconds: Amount | None = None  # per sample
    static_watts: Amount | None = None
    milliampere_hours: float | None = None  # of 1,000 inferences, at 3.7 V
    joules_per_day: float | None = None  # at the comparison's rate
    day_note: str = ""  # how the day was counted
    caveats: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain values; the ledger with all its entries."""
        return {
            "profile": self.profile, "title": self.title, "reason": self.reason, "joules": _plain(self.joules),
            "by_term": {term: value.to_dict() for term, value in self.by_term.items()},
            "seconds": _plain(self.seconds), "static_watts": _plain(self.static_watts),
            "milliampere_hours": self.milliampere_hours, "joules_per_day": self.joules_per_day,
            "day_note": self.day_note, "caveats": list(self.caveats),
            "kwh": None if self.ledger is None else self.ledger.kwh / max(self.ledger.samples, 1),
            "ledger": None if self.ledger is None else self.ledger.to_dict(),
        }  # fmt: skip


@dataclass(frozen=True)
class Deciding:
    """One price whose range moves `SNN - ANN`, joules per sample: with that price low and high, the rest nominal."""

    event: str
    side: Literal["ann", "snn", "both"]
    at_low: float
    at_high: float
    flips: bool

    @property
    def swing(self) -> float:
        """How far this price moves the difference, joules per sample."""
        return abs(self.at_high - self.at_low)

    def __str__(self) -> str:
        what = "the seconds and watts of static power" if self.event == "second" else f"the price of {self.event}"
        return f"{what} on {'both sides' if self.side == 'both' else f'the {self.side.upper()} side'}"


@dataclass(frozen=True)
class Verdict:
    """`SNN lower` or `ANN lower` if the ranges do not overlap, else what decides; `winner` is then empty."""

    text: str
    winner: Literal["snn", "ann", ""] = ""
    decided_by: tuple[Deciding, ...] = ()
    given: bool = True

    def __str__(self) -> str:
        return self.text

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "text": self.text, "winner": self.winner, "given": self.given,
            "decided_by": [
                {"event": one.event, "side": one.side, "at_low": one.at_low, "at_high": one.at_high, "flips": one.flips}
                for one in self.decided_by
            ],
        }  # fmt: skip


@dataclass(frozen=True)
class View:
    """Joules per sample of both sides in one view on static power."""

    name: str
    ann: Amount | None
    snn: Amount | None
    verdict: Verdict
    note: str = ""

    @property
    def ratio(self) -> Amount | None:
        """`ANN / SNN` joules: nominal, and its own low (ANN low / SNN high) and high."""
        if self.ann is None or self.snn is None or self.snn.low <= 0:
            return None
        return Amount(self.ann.low / self.snn.high, self.ann.nominal / self.snn.nominal, self.ann.high / self.snn.low)

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "name": self.name, "ann": _plain(self.ann), "snn": _plain(self.snn), "ratio": _plain(self.ratio),
            "verdict": self.verdict.to_dict(), "note": self.note,
        }  # fmt: skip


@dataclass(frozen=True)
class BreakEven:
    """At how many events per synapse and inference both sides would cost the same on this pair of devices.

    `measured` is SNN synaptic events / ANN dense MACs; `ops_only = E_mac / E_ac`; `full` scales what spikes cause in
    the SNN's ledger and keeps the rest; None where it does not exist, and `note` says why. `curve` has, for each number
    of timesteps, the events per synapse *and step* below which the SNN costs less (None: at no rate).
    """

    measured: float
    timesteps: int
    ops_only: float | None
    full: float | None
    curve: tuple[tuple[int, float | None], ...] = ()
    note: str = ""

    @property
    def measured_rate(self) -> float:
        """Measured events per synapse and step: where this network stands on the curve."""
        return self.measured / max(self.timesteps, 1)

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "measured": self.measured, "timesteps": self.timesteps, "measured_rate": self.measured_rate,
            "ops_only": self.ops_only, "full": self.full, "note": self.note,
            "curve": [{"timesteps": steps, "rate": rate} for steps, rate in self.curve],
        }  # fmt: skip


@dataclass(frozen=True)
class Match:
    """One row of a comparison: the ANN on one device against the SNN on one, which may be the same."""

    name: str  # as it was asked for: a profile, or `ann_profile:snn_profile`
    ann: Cost
    snn: Cost
    views: Mapping[str, View]  # by the names of VIEWS
    break_even: BreakEven | None = None
    corrected: Match | None = None  # of an as-published row
    correction: str = ""  # what the corrected row does instead
    caveats: tuple[str, ...] = ()

    @property
    def same_device(self) -> bool:
        """Whether both sides were priced on the same profile."""
        return self.ann.profile == self.snn.profile

    @property
    def as_published(self) -> bool:
        """Whether this row reproduces a document's arithmetic, flaws included."""
        return any(cost.profile.startswith("published-") for cost in (self.ann, self.snn))

    @property
    def verdict(self) -> Verdict:
        """The verdict with static power as each device draws it."""
        return self.views["static on"].verdict

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "name": self.name, "as_published": self.as_published, "ann": self.ann.to_dict(), "snn": self.snn.to_dict(),
            "views": {name: view.to_dict() for name, view in self.views.items()},
            "break_even": None if self.break_even is None else self.break_even.to_dict(),
            "corrected": None if self.corrected is None else self.corrected.to_dict(),
            "correction": self.correction, "caveats": list(self.caveats),
        }  # fmt: skip


def _plain(value: Amount | None) -> dict[str, float] | None:
    return None if value is None else value.to_dict()
