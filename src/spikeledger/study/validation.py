"""Checked against silicon: published activity priced, beside what a meter read. `validate()` is our own report card.

The prices are those of the catalogue; nothing here is tuned to a row. Each row says what it was given, how much of its
prediction comes from events, how independent it is, and what a model that knows no event would have said.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from statistics import median
from typing import Any

from .. import units
from ..errors import InputError
from ..ledger import price
from ..shown import Shown
from .counts import activity_from_spikes
from .measurements import Basis, Measurement, PublishedCount, measurements, published_counts

SCHEMA = 2
#: share of measured values that the ranges are asked to miss at most, in the interval score
ALPHA = 0.1
#: the range of the model that knows no event: its nominal value over and times this
_NULL_FACTOR = 2.0
#: what the table does not show, above everything that it does
NOT_SHOWN = (
    "This table does not show that joules of a network are right: most rows are handed the measured time, in many of "
    "them static power is most of the prediction, and where prices and measurement share a source it checks arithmetic"
)
HEADINGS = (
    "what",
    "measured",
    "predicted",
    "range",
    "predicted / measured",
    "given",
    "by events",
    "basis",
    "no events",
)


@dataclass(frozen=True)
class Point:
    """One measurement and its prediction, in joules."""

    name: str
    device: str
    measured: float
    low: float
    nominal: float
    high: float
    basis: Basis
    source: str
    assumes: str = ""
    given: str = ""  # what the prediction was handed: the time, the operations, or both
    event_share: float = 0.0  # of the nominal prediction, what is not static power
    null: float = 0.0  # what nominal static power alone would be; 0 where it is no part of what was measured

    @property
    def inside(self) -> bool:
        """Whether the measured value lies in the predicted range."""
        return self.low <= self.measured <= self.high

    @property
    def ratio(self) -> float:
        """Predicted (nominal) over measured."""
        return self.nominal / self.measured

    @property
    def within_twice(self) -> bool:
        """Whether the nominal prediction is within a factor of 2."""
        return 0.5 <= self.ratio <= 2.0

    @property
    def spread(self) -> float:
        """High over low: how much the prediction says at all."""
        return self.high / self.low if self.low else math.inf

    @property
    def score(self) -> float:
        """The interval score on log10, smaller is better: `log10(high / low) + 2 / alpha * decades outside`.

        Source: Gneiting and Raftery 2007, doi:10.1198/016214506000001437, eq. 43.
        """
        return _score(self.low, self.measured, self.high)

    @property
    def null_inside(self) -> bool:
        """Whether static power alone, over and times 2, holds the measured value."""
        return self.null / _NULL_FACTOR <= self.measured <= self.null * _NULL_FACTOR

    @property
    def null_score(self) -> float | None:
        """The interval score of static power alone; None where it predicts nothing."""
        return _score(self.null / _NULL_FACTOR, self.measured, self.null * _NULL_FACTOR) if self.null else None

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "name": self.name, "device": self.device, "measured": self.measured, "low": self.low,
            "nominal": self.nominal, "high": self.high, "inside": self.inside, "ratio": self.ratio,
            "basis": self.basis, "source": self.source, "assumes": self.assumes, "given": self.given,
            "event_share": self.event_share, "score": self.score, "null": self.null, "null_inside": self.null_inside,
            "null_score": self.null_score,
        }  # fmt: skip


@dataclass(frozen=True)
class CheckedCount:
    """A published operation count and ours."""

    name: str
    published: int
    counted: int
    source: str

    @property
    def same(self) -> bool:
        """Whether they agree to the last operation."""
        return self.published == self.counted


@dataclass(frozen=True, repr=False)
class Validation(Shown):
    """The report card: points in joules, and operation counts."""

    points: tuple[Point, ...]
    counts: tuple[CheckedCount, ...] = ()

    def share_inside(self, basis: Basis | None = None) -> float:
        """Share of measured values inside the predicted range, of all points or of those with one basis."""
        chosen = [point.inside for point in self.points if basis in (None, point.basis)]
        return sum(chosen) / len(chosen) if chosen else 0.0

    @property
    def share_within_twice(self) -> float:
        """Share of nominal predictions within a factor of 2."""
        return sum(point.within_twice for point in self.points) / len(self.points)

    @property
    def median_spread(self) -> float:
        """Median of high over low."""
        return median(point.spread for point in self.points)

    @property
    def devices(self) -> tuple[str, ...]:
        """Which devices are covered."""
        return tuple(dict.fromkeys(point.device.split("@")[0] for point in self.points))

    @property
    def score(self) -> float:
        """Mean interval score."""
        return sum(point.score for point in self.points) / len(self.points)

    @property
    def by_events(self) -> tuple[Point, ...]:
        """The rows in which events are at least half of the prediction: those that say something about prices."""
        return tuple(point for point in self.points if point.event_share >= 0.5)

    def sentence(self) -> str:
        """The result in one line."""
        by_basis = ", ".join(
            f"{basis}: {sum(p.inside for p in self.points if p.basis == basis)} of {self._count(basis)}"
            for basis in ("independent", "held out", "same source")
            if self._count(basis)
        )
        return (
            f"{sum(point.inside for point in self.points)} of {len(self.points)} measured values on "
            f"{len(self.devices)} devices lie inside the predicted range ({by_basis}); "
            f"{100 * self.share_within_twice:.0f} % of the nominal predictions are within a factor of 2; "
            f"the median range is {self.median_spread:.1f} times from low to high"
        )

    def against_null(self) -> str:
        """The same beside a model that prices no event, in one line."""
        both = [(point.score, point.null_score) for point in self.points if point.null_score is not None]
        ours, null = (sum(column) / len(both) for column in zip(*both, strict=True)) if both else (0.0, 0.0)
        events = self.by_events
        return (
            f"static power alone, over and times {_NULL_FACTOR:g}, holds {sum(p.null_inside for p in self.points)} of "
            f"{len(self.points)}; on the {len(both)} rows where it says anything its mean interval score is {null:.2f}, "
            f"ours {ours:.2f} (smaller is better); events are at least half of the prediction in {len(events)} rows, "
            f"{sum(p.inside for p in events)} of them inside, {sum(p.basis != 'same source' for p in events)} not from "
            f"the same source, of which static power alone holds "
            f"{sum(p.null_inside for p in events if p.basis != 'same source')}"
        )

    def __repr__(self) -> str:
        return f"Validation({self.sentence()})"

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values."""
        return {
            "schema": f"spikeledger-validation/{SCHEMA}",
            "points": [point.to_dict() for point in self.points],
            "counts": [{**vars(count), "same": count.same} for count in self.counts],
            "share_inside": self.share_inside(), "share_within_twice": self.share_within_twice,
            "median_spread": self.median_spread, "devices": list(self.devices), "sentence": self.sentence(),
            "not_shown": NOT_SHOWN, "score": self.score, "against_null": self.against_null(),
        }  # fmt: skip

    def rows(self) -> Iterator[tuple[str, ...]]:
        """What, measured, predicted, its range, their ratio, what was given, by events, basis, static power alone."""
        for point in self.points:
            spread = f"{units.joules(point.low)} to {units.joules(point.high)}"
            hit = f"{point.ratio:.2f}" + ("" if point.inside else " (outside)")
            null = "nothing" if not point.null else "inside" if point.null_inside else "outside"
            yield (
                point.name, units.joules(point.measured), units.joules(point.nominal), spread, hit, point.given,
                f"{100 * point.event_share:.0f} %", point.basis, null,
            )  # fmt: skip

    def markdown(self) -> str:
        """The page of the docs."""
        lines = [
            "# Checked against silicon", "",
            f"**{NOT_SHOWN}.**", "",
            "Made by `spikeledger validate --markdown`; do not edit. Published activity is priced with the catalogue's",
            "own profiles and laid beside what was measured. No price is tuned to a row.", "",
            f"**Result.** {self.sentence()}.", "",
            f"**Beside a model that prices no event.** {self.against_null()}.", "",
            "*Given*: what the prediction was handed. *By events*: the share of it that is not static power times time.",
            "*Independent*: every price and every end of its range comes from another publication or chip. *Held out*:",
            "they were fitted to other points of the same series, or come from the same group. *Same source*: any end of",
            "any range that the row uses came from this measurement. *No events*: whether static power alone, over and",
            "times 2, holds the measured value. The interval score is `log10(high / low) + 2/alpha * decades outside`,",
            f"alpha = {ALPHA:g} (Gneiting and Raftery 2007, doi:10.1198/016214506000001437): wide ranges cost, and so do",
            "misses.", "",
            f"| {' | '.join(HEADINGS)} |", f"|{' --- |' * len(HEADINGS)}",
        ]  # fmt: skip
        lines += [f"| {' | '.join(row)} |" for row in self.rows()]
        lines += ["", "## What each row assumes, and where it stands", ""]
        lines += [f"- {p.name}: {p.assumes or 'nothing beyond the profile'}. {p.source}" for p in self.points]
        lines += ["", "## Operation counts", "", "| network | published | counted | |", "| --- | --- | --- | --- |"]
        for count in self.counts:
            verdict = "same" if count.same else "different"
            lines.append(f"| {count.name} | {count.published:,} | {count.counted:,} | {verdict} |")
        sources = sorted({count.source.split(":")[0] for count in self.counts})
        return "\n".join([*lines, "", f"Source: {'; '.join(sources)}.", ""])

    def _count(self, basis: str) -> int:
        return sum(point.basis == basis for point in self.points)


def validate(points: Iterable[Measurement] | None = None) -> Validation:
    """Predict published measurements from published activity, and say how far off that is."""
    chosen = measurements() if points is None else tuple(points)
    if not chosen:
        raise InputError("no measurement was given to validate by: leave points out for all that are known")
    return Validation(tuple(_point(one) for one in chosen), tuple(_checked(one) for one in published_counts()))


def _point(one: Measurement) -> Point:
    # whatever the device has no price for is a part of what stays unexplained, and named
    ledger = price(one.activity, one.profile, allow_uncounted=True)
    static = 0.0 if one.dynamic else sum(entry.joules for entry in ledger.entries if entry.term == "static")
    if one.dynamic:
        ledger = ledger.without("static")
    low, nominal, high = ledger.joules_low, ledger.joules, ledger.joules_high
    share = 1 - static / nominal if nominal else 0.0
    return Point(
        one.name, one.device, one.joules, low, nominal, high, one.basis, one.source, one.assumes, one.given,
        share, static,
    )  # fmt: skip


def _score(low: float, measured: float, high: float) -> float:
    outside = max(math.log10(low / measured), math.log10(measured / high), 0.0)
    return math.log10(high / low) + 2 / ALPHA * outside


def _checked(one: PublishedCount) -> CheckedCount:
    activity = activity_from_spikes(list(one.layer_sizes), [0] * len(one.layer_sizes), timesteps=1, input_spikes=0)
    return CheckedCount(one.name, one.operations, activity.total("dense_op"), one.source)
