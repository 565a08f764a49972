"""One ANN's device against one SNN's: joules with ranges, three views on static power, and a verdict on each.

The classes are here; `pairing.match` computes them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..amounts import Amount
from ..ledger import Ledger
from .verdicts import Verdict, standard_error

#: the views on static power: as each device draws it, left out, and the same watts for both sides
VIEWS = ("static on", "static off", "equal static")
TERM_NAMES = ("operations", "memory", "routing", "static")


@dataclass(frozen=True, eq=False)
class Priced:
    """One network's ledger, and those of parts of its samples."""

    ledger: Ledger
    parts: tuple[Ledger, ...] = ()


@dataclass(frozen=True, eq=False)
class Cost:
    """One side on one device: a network, or several alike; without a ledger, `reason` says why."""

    profile: str
    title: str
    ledger: Ledger | None  # of all networks of the side together
    reason: str = ""
    networks: tuple[Priced, ...] = ()
    as_published: bool = False  # a document's arithmetic, flaws included
    joules: Amount | None = None  # per sample
    by_term: Mapping[str, Amount] = field(default_factory=dict)  # operations, memory, routing, static; per sample
    seconds: Amount | None = None  # per sample
    static_watts: Amount | None = None
    milliampere_hours: float | None = None  # of 1,000 inferences, at 3.7 V
    joules_per_day: float | None = None  # at the comparison's rate
    day_note: str = ""  # how the day was counted
    caveats: tuple[str, ...] = ()

    @property
    def standard_error(self) -> float | None:
        """Of the nominal joules a sample, over inputs, or over networks where there are several; None if not known."""
        if len(self.networks) > 1:
            return standard_error([one.ledger.per_sample.nominal for one in self.networks])
        return standard_error([part.per_sample.nominal for one in self.networks for part in one.parts])

    def to_dict(self) -> dict[str, Any]:
        """Plain values; the ledger with all its entries."""
        return {
            "profile": self.profile, "title": self.title, "reason": self.reason, "joules": _plain(self.joules),
            "standard_error": self.standard_error, "networks": len(self.networks),
            "by_term": {term: value.to_dict() for term, value in self.by_term.items()},
            "seconds": _plain(self.seconds), "static_watts": _plain(self.static_watts),
            "milliampere_hours": self.milliampere_hours, "joules_per_day": self.joules_per_day,
            "day_note": self.day_note, "caveats": list(self.caveats),
            "kwh": None if self.ledger is None else self.ledger.kwh / max(self.ledger.samples, 1),
            "ledger": None if self.ledger is None else self.ledger.to_dict(),
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
        """`ANN / SNN` joules: nominal, and its exact ends, each price being one number on both sides."""
        ends = self.verdict.ratio
        if self.ann is None or self.snn is None or ends is None or math.isinf(ends.high) or not self.snn.nominal:
            return None
        return Amount(ends.low, self.ann.nominal / self.snn.nominal, ends.high)

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


@dataclass(frozen=True, eq=False)
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
        return self.ann.as_published or self.snn.as_published

    @property
    def view(self) -> View:
        """The view that the verdict is taken from: static power as each device draws it, or left out where a side has none."""
        on, off = (self.views[name] for name in VIEWS[:2])
        return off if off.verdict.given and not on.verdict.given else on

    @property
    def verdict(self) -> Verdict:
        """Who costs less, in that view."""
        return self.view.verdict

    @property
    def says(self) -> str:
        """The one line to remember: `On v100 the ANN costs 1.1 to 2.4 times less, whatever the prices.`"""
        where = f"On {self.snn.profile}" if self.same_device else f"On {self.snn.profile} against {self.ann.profile}"
        apart = ", static power apart" if self.view.name == "static off" else ""
        told = self.verdict.standing in ("exact", "likely")  # a sentence of its own
        return f"{where}{apart}{(',' if apart else '') if told else ':'} {self.verdict.text}."

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "name": self.name, "says": self.says, "view": self.view.name, "as_published": self.as_published,
            "ann": self.ann.to_dict(), "snn": self.snn.to_dict(),
            "views": {name: view.to_dict() for name, view in self.views.items()},
            "break_even": None if self.break_even is None else self.break_even.to_dict(),
            "corrected": None if self.corrected is None else self.corrected.to_dict(),
            "correction": self.correction, "caveats": list(self.caveats),
        }  # fmt: skip


def _plain(value: Amount | None) -> dict[str, float] | None:
    return None if value is None else value.to_dict()
