"""Finished trials as a table: the settings that differ, and the results that are single values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .. import units
from ..printable import printable
from .terminal_tables import print_table

if TYPE_CHECKING:
    from rich.console import Console

    from ..trials import Row


def differing(settings: Sequence[Mapping[str, Any]]) -> list[str]:
    """Settings that are not the same everywhere, in their order."""
    names = dict.fromkeys(name for each in settings for name in each)
    return [name for name in names if len({repr(each.get(name)) for each in settings}) > 1]


def records(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """One dictionary a row: its key, the settings that differ, its results, and the seconds it took."""
    found = list(rows)
    names = differing([row.settings for row in found])
    return [
        {
            "trial": row.key,
            **{name: row.settings.get(name) for name in names},
            **row.single,
            "seconds": row.seconds,
        }
        for row in found
    ]


def show_trials(rows: Iterable[Row], title: str, console: Console) -> None:
    """Print one row a trial under the names of its settings and results."""
    from rich.text import Text

    told = records(rows)
    names = list(dict.fromkeys(name for each in told for name in each)) or ["trial"]
    console.print(Text(printable(title), style="bold"))
    cells = [[said(name, each.get(name))[: 8 if name == "trial" else None] for name in names] for each in told]
    print_table(console, names, cells, numbers=range(1, len(names)), whole=range(len(names)))


def said(name: str, value: Any) -> str:
    """A value as people read it: joules with their prefix, other numbers with four digits."""
    if value is None:
        return ""
    if isinstance(value, float):
        if name.startswith("joules"):
            return units.joules(value)
        if name.startswith("latency"):
            return units.si(value, "s")
        if "accuracy" in name:
            return f"{100 * value:.2f} %"
        return f"{value:.1f}" if name == "seconds" else f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
