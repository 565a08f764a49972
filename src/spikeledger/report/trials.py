"""Finished trials as a table: the settings that differ, and the results that are single values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .. import units

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

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


def trials_table(rows: Iterable[Row], title: str) -> Table:
    """The rows for a terminal."""
    from rich.table import Table

    told = records(rows)
    names = [name for name in dict.fromkeys(name for each in told for name in each) if name != "trial"]
    table = Table(title=title, title_justify="left")
    for name in names:
        table.add_column(name, justify="right", no_wrap=True)
    for each in told:
        table.add_row(*(said(name, each.get(name)) for name in names))
    return table


def show_trials(rows: Iterable[Row], title: str, console: Console) -> None:
    """Print rows: as a table where that fits the terminal, else one paragraph a trial."""
    found = list(rows)
    table = trials_table(found, title)
    if table.__rich_measure__(console, console.options.update(max_width=10_000)).minimum <= console.width:
        console.print(table)
        return
    console.print(title, highlight=False)
    for each in records(found):
        given = {name: said(name, value) for name, value in each.items() if name != "trial"}
        told = ", ".join(f"{name} {text}" for name, text in given.items() if text)
        console.print(f"{each['trial'][:8]}  {told}", highlight=False, soft_wrap=True)


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
