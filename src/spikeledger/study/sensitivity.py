"""Which assumption decides: how far each number, within its own range, moves a total or a verdict.

A number is what has an identity: one memory, one adder, one board's watts, in however many layers and events it is
charged, and on both sides where both pay it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from .. import units
from ..amounts import Amount, Unknown
from ..hardware.cited import Cited
from ..ledger import Ledger
from ..shown import Shown
from .joint import extremes
from .verdicts import Verdict, Worth, verdict


@dataclass(frozen=True)
class Swing:
    """One number: what the total (or the difference to the other ledger) is with it at its low and at its high end."""

    name: str
    kind: str
    source: str
    events: tuple[str, ...]  # what it is charged for
    joules: float  # what it charges in the ledger, nominal
    at_low: float
    at_high: float
    flips: bool = False  # whether it alone turns the nominal sign
    worth: Worth | None = None  # what knowing it better is worth, where the verdict hangs on it

    @property
    def width(self) -> float:
        """Joules between both ends."""
        return abs(self.at_high - self.at_low)

    @property
    def short(self) -> str:
        """Its name without the profile or the family that it belongs to."""
        return self.name.partition(": ")[2] or self.name


@dataclass(frozen=True, repr=False)
class Sensitivity(Shown):
    """Every number of a ledger that has a range, the one that matters most first.

    `independent` is the range if the numbers err independently (root of the summed squares, each one error wherever it
    is charged); `worst_case` is the exact range, whatever they are.
    """

    swings: tuple[Swing, ...]
    nominal: float
    independent: tuple[float, float]
    worst_case: tuple[float, float]
    profile: str = ""
    against: str = ""  # the profile of the other ledger, where a difference is asked about
    verdict: Verdict | None = None  # who costs less a sample; `snn` is the ledger, `ann` the one that it is against
    notes: tuple[str, ...] = field(default_factory=tuple)

    @property
    def deciding(self) -> tuple[Swing, ...]:
        """The numbers that are worth knowing better; without another ledger, the one that moves the total most."""
        if self.against:
            return tuple(sorted((one for one in self.swings if one.worth), key=lambda one: -_share(one)))
        return self.swings[:1]

    def rows(self) -> Iterator[tuple[str, str, str, str, str]]:
        """Number, kind, share and both ends, as people read them."""
        for swing in self.swings:
            share = f"{100 * swing.joules / self.nominal:.1f} %" if self.nominal and not self.against else ""
            ends = (units.joules(swing.at_low), units.joules(swing.at_high))
            yield f"{swing.name}{' (decides)' if swing.worth else ''}", swing.kind, share, *ends

    def tornado(self) -> list[dict[str, Any]]:
        """The bars of a tornado picture: label, both ends and the nominal middle, widest first."""
        return [
            {"label": f"{swing.name} ({swing.kind})", "low": swing.at_low, "nominal": self.nominal,
             "high": swing.at_high, "flips": swing.flips}
            for swing in self.swings
        ]  # fmt: skip

    def __repr__(self) -> str:
        low, high = (units.joules(value) for value in self.independent)
        return f"Sensitivity({units.joules(self.nominal)}, {low} to {high} if prices err independently)"

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values."""
        return {
            "nominal": self.nominal, "independent": list(self.independent), "worst_case": list(self.worst_case),
            "against": self.against, "deciding": [swing.name for swing in self.deciding], "bars": self.tornado(),
            "sources": {swing.name: swing.source for swing in self.swings},
            "events": {swing.name: list(swing.events) for swing in self.swings},
            "verdict": None if self.verdict is None else self.verdict.to_dict(), "notes": list(self.notes),
        }  # fmt: skip


def sensitivity(
    ledger: Ledger, *, against: Ledger | None = None, distribution: str = "log-uniform", judged: Verdict | None = None
) -> Sensitivity:
    """Rank the numbers of a ledger by how far their ranges move it.

    Args:
        against: another ledger; the question is then which number turns `ledger - against`, and how likely that is. A
            number that both pay moves both.
        distribution: how numbers lie within their ranges, `log-uniform` or `log-triangular`.
        judged: the verdict on both, where a comparison has made it: what decides is then what decides there.
    """
    here, there = ledger.amount, against.amount if against is not None else Amount.exactly(0.0)
    nominal = here.nominal - there.nominal
    found = judged
    if found is None and against is not None:
        found = verdict(against.per_sample, ledger.per_sample, distribution=distribution)
    worth = {one.price: one for one in found.decided_by} if found is not None else {}
    events = _events(ledger, against)
    sources = {**(against.profile.behind() if against is not None else {}), **ledger.profile.behind()}
    swings = []
    below = above = 0.0
    for one in dict.fromkeys((*here.unknowns, *there.unknowns)):
        at_low, at_high = (here.at({one: end}) - there.at({one: end}) for end in (one.low, one.high))
        flips = against is not None and nominal != 0 and min(at_low * nominal, at_high * nominal) <= 0
        cited = sources.get(one.name)
        swings.append(
            Swing(
                one.name, _kind(cited), cited.source if cited else "", events.get(one, ()),
                here.nominal - here.at({one: 0.0}), at_low, at_high, flips, worth.get(one.name),
            )
        )  # fmt: skip
        below += min(at_low - nominal, at_high - nominal) ** 2
        above += max(at_low - nominal, at_high - nominal) ** 2
    swings.sort(key=lambda swing: -swing.width)
    ends = extremes(there, here).difference
    return Sensitivity(
        tuple(swings), nominal, (nominal - math.sqrt(below), nominal + math.sqrt(above)), (ends.low, ends.high),
        ledger.profile.name, against.profile.name if against is not None else "", found,
        () if found is None or against is None else _notes(found, ledger, against),
    )  # fmt: skip


def _notes(found: Verdict, ledger: Ledger, against: Ledger) -> tuple[str, ...]:
    """The verdict and its details, with the ledgers in the place of networks."""
    names = {"SNN": f"'{ledger.profile.name}'", "ANN": f"'{against.profile.name}'"}

    def told(text: str) -> str:
        for word, name in names.items():
            text = text.replace(f"the {word} ", f"{name} ").replace(word, name)
        return text

    return tuple(map(told, (found.text, *found.details)))


def _events(*ledgers: Ledger | None) -> dict[Unknown, tuple[str, ...]]:
    found: dict[Unknown, dict[str, None]] = {}
    for ledger in ledgers:
        for entry in ledger.entries if ledger is not None else ():
            for one in entry.each.unknowns:
                found.setdefault(one, {})[entry.event] = None
    return {one: tuple(names) for one, names in found.items()}


def _kind(cited: Cited | None) -> str:
    return cited.kind if cited is not None else "assumed"


def _share(swing: Swing) -> float:
    return swing.worth.share if swing.worth is not None else 0.0
