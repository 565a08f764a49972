"""Checked against silicon: published activity priced, beside what a meter read. `validate()` is our own report card.

The prices are those of the catalogue; nothing here is tuned to a row, and each row says how independent it is.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from statistics import median
from typing import Any

from .. import units
from ..ledger import price
from .counts import activity_from_spikes
from .measurements import Basis, Measurement, PublishedCount, measurements, published_counts

SCHEMA = 1


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

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "name": self.name, "device": self.device, "measured": self.measured, "low": self.low,
            "nominal": self.nominal, "high": self.high, "inside": self.inside, "ratio": self.ratio,
            "basis": self.basis, "source": self.source, "assumes": self.assumes,
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


@dataclass(frozen=True)
class Validation:
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
        return tuple(dict.fromkeys(point.device for point in self.points))

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

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values."""
        return {
            "schema": f"spikeledger-validation/{SCHEMA}",
            "points": [point.to_dict() for point in self.points],
            "counts": [{**vars(count), "same": count.same} for count in self.counts],
            "share_inside": self.share_inside(), "share_within_twice": self.share_within_twice,
            "median_spread": self.median_spread, "devices": list(self.devices), "sentence": self.sentence(),
        }  # fmt: skip

    def rows(self) -> Iterator[tuple[str, str, str, str, str, str]]:
        """What, measured, predicted, its range, predicted over measured, basis."""
        for point in self.points:
            spread = f"{units.joules(point.low)} to {units.joules(point.high)}"
            hit = f"{point.ratio:.2f}" + ("" if point.inside else " (outside)")
            yield point.name, units.joules(point.measured), units.joules(point.nominal), spread, hit, point.basis

    def markdown(self) -> str:
        """The page of the docs."""
        lines = [
            "# Checked against silicon", "",
            "Made by `spikeledger validate --markdown`; do not edit. Published activity is priced with the catalogue's",
            "own profiles and laid beside what was measured. No price is tuned to a row.", "",
            f"**Result.** {self.sentence()}.", "",
            "*independent*: the prices come from another publication or chip. *held out*: they were fitted to other",
            "points of the same series. *same source*: prices and measurement share a publication; such a row checks",
            "arithmetic, not foresight.", "",
            "| what | measured | predicted | range | predicted / measured | basis |",
            "| --- | --- | --- | --- | --- | --- |",
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

    def show(self) -> None:
        """Print the table."""
        from rich.console import Console
        from rich.table import Table

        console = Console()
        table = Table()
        for heading in ("what", "measured", "predicted", "range", "predicted / measured", "basis"):
            table.add_column(heading)
        for row in self.rows():
            table.add_row(*row)
        console.print(table)
        for point in self.points:
            if not point.inside:
                console.print(f"outside: {point.name}: {point.assumes}", markup=False, highlight=False)
        for count in self.counts:
            verdict = "same" if count.same else f"counted {count.counted:,}"
            console.print(f"{count.name}: {count.published:,} dense operations published, {verdict}", highlight=False)
        console.print(self.sentence(), highlight=False)

    def _count(self, basis: str) -> int:
        return sum(point.basis == basis for point in self.points)


def validate(points: Iterable[Measurement] | None = None) -> Validation:
    """Predict published measurements from published activity, and say how far off that is."""
    chosen = measurements() if points is None else points
    return Validation(tuple(_point(one) for one in chosen), tuple(_checked(one) for one in published_counts()))


def _point(one: Measurement) -> Point:
    # whatever the device has no price for is a part of what stays unexplained, and named
    ledger = price(one.activity, one.profile, allow_uncounted=True)
    if one.dynamic:
        ledger = ledger.without("static")
    return Point(
        one.name, one.device, one.joules, ledger.joules_low, ledger.joules, ledger.joules_high, one.basis, one.source,
        one.assumes,
    )  # fmt: skip


def _checked(one: PublishedCount) -> CheckedCount:
    activity = activity_from_spikes(list(one.layer_sizes), [0] * len(one.layer_sizes), timesteps=1, input_spikes=0)
    return CheckedCount(one.name, one.operations, activity.total("dense_op"), one.source)
