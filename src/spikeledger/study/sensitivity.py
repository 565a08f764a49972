"""Which assumption decides: how far each price, within its own range, moves a total or a verdict."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from .. import units
from ..ledger import Entry, Ledger


@dataclass(frozen=True)
class Swing:
    """One price: what the total (or the difference to the other ledger) is with it at its low and at its high end."""

    profile: str
    event: str
    kind: str
    source: str
    joules: float  # what it charges in the ledger, nominal
    at_low: float
    at_high: float
    flips: bool = False  # whether it alone turns the verdict

    @property
    def width(self) -> float:
        """Joules between both ends."""
        return abs(self.at_high - self.at_low)


@dataclass(frozen=True)
class Sensitivity:
    """Every price of a ledger, the one that matters most first.

    `independent` is the range if the prices err independently (root of the summed squares, each price one error in all
    its layers); `worst_case` is the range with every price at the same end.
    """

    swings: tuple[Swing, ...]
    nominal: float
    independent: tuple[float, float]
    worst_case: tuple[float, float]
    against: str = ""  # the profile of the other ledger, where a difference is asked about
    notes: tuple[str, ...] = field(default_factory=tuple)

    @property
    def deciding(self) -> tuple[Swing, ...]:
        """The prices that alone turn the verdict; without another ledger, the one that moves the total most."""
        if self.against:
            return tuple(swing for swing in self.swings if swing.flips)
        return self.swings[:1]

    def rows(self) -> Iterator[tuple[str, str, str, str, str]]:
        """Event, kind, share and both ends, as people read them."""
        for swing in self.swings:
            share = f"{100 * swing.joules / self.nominal:.1f} %" if self.nominal and not self.against else ""
            ends = (units.joules(swing.at_low), units.joules(swing.at_high))
            yield f"{self._label(swing)}{' (decides)' if swing.flips else ''}", swing.kind, share, *ends

    def tornado(self) -> list[dict[str, Any]]:
        """The bars of a tornado picture: label, both ends and the nominal middle, widest first."""
        return [
            {"label": f"{self._label(swing)} ({swing.kind})", "low": swing.at_low, "nominal": self.nominal,
             "high": swing.at_high, "flips": swing.flips}
            for swing in self.swings
        ]  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values."""
        return {
            "nominal": self.nominal, "independent": list(self.independent), "worst_case": list(self.worst_case),
            "against": self.against, "deciding": [swing.event for swing in self.deciding], "bars": self.tornado(),
            "sources": {swing.event: swing.source for swing in self.swings},
        }  # fmt: skip

    def _label(self, swing: Swing) -> str:
        return f"{swing.profile}: {swing.event}" if self.against else swing.event

    def show(self) -> None:
        """Print the table."""
        from rich.console import Console
        from rich.table import Table

        low, high = (units.joules(value) for value in self.independent)
        table = Table(title=f"{units.joules(self.nominal)}; {low} to {high} if prices err independently")
        for heading in ("price", "kind", "share", "at its low end", "at its high end"):
            table.add_column(heading)
        for row in self.rows():
            table.add_row(*row)
        Console().print(table)


def sensitivity(ledger: Ledger, *, against: Ledger | None = None) -> Sensitivity:
    """Rank the prices of a ledger by how far their ranges move it.

    Args:
        against: another ledger; the question is then which price turns `ledger - against`. A price that both pay on the
            same profile moves both.
    """
    here, there = _by_price(ledger), _by_price(against) if against is not None else {}
    nominal = ledger.joules - (against.joules if against is not None else 0.0)
    swings = []
    below = above = low_end = high_end = 0.0
    for key in dict.fromkeys((*here, *there)):
        mine, other = here.get(key, ()), there.get(key, ())
        charged = sum(entry.joules for entry in mine)
        down = sum(entry.low - entry.joules for entry in mine) - sum(entry.low - entry.joules for entry in other)
        up = sum(entry.high - entry.joules for entry in mine) - sum(entry.high - entry.joules for entry in other)
        first = (*mine, *other)[0]
        flips = against is not None and nominal != 0 and min((nominal + down) * nominal, (nominal + up) * nominal) <= 0
        kind = first.price.kind if first.price else "static"
        source = first.price.source if first.price else first.note
        swings.append(Swing(key[0], key[1], kind, source, charged, nominal + down, nominal + up, flips))
        below, above = below + min(down, up) ** 2, above + max(down, up) ** 2
        low_end, high_end = low_end + min(down, up), high_end + max(down, up)
    swings.sort(key=lambda swing: -swing.width)
    return Sensitivity(
        tuple(swings),
        nominal,
        (nominal - math.sqrt(below), nominal + math.sqrt(above)),
        (nominal + low_end, nominal + high_end),
        against.profile.name if against is not None else "",
    )


def _by_price(ledger: Ledger) -> dict[tuple[str, str], tuple[Entry, ...]]:
    # one number in the profile is one error, in however many layers it is charged
    book: dict[tuple[str, str], list[Entry]] = {}
    for entry in ledger.entries:
        book.setdefault((ledger.profile.name, entry.event), []).append(entry)
    return {key: tuple(entries) for key, entries in book.items()}
