"""The outlook in the terminal, as tables and sentences."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from ..outlook.contradictions import Contradiction
from ..outlook.phrases import times
from ..outlook.published_tables import Sheet
from .terminal_tables import print_table

if TYPE_CHECKING:
    from rich.console import Console


def show_sheets(sheets: Iterable[Sheet], *, console: Console | None = None) -> None:
    """Print tables with their notes."""
    from rich.console import Console
    from rich.padding import Padding
    from rich.text import Text

    out = console or Console()
    for sheet in sheets:
        out.print(Text(sheet.title, style="bold"))
        print_table(out, sheet.headings, sheet.rows)
        if sheet.note:
            out.print(Padding(Text(sheet.note, style="dim"), (0, 0, 1, 0)))


def show_contradictions(found: Sequence[Contradiction], *, console: Console | None = None) -> None:
    """Print contradictions one after the other: what is printed, what follows, how far apart."""
    from rich.console import Console
    from rich.padding import Padding
    from rich.text import Text

    out = console or Console()
    for at, one in enumerate(found, 1):
        apart = f" ({times(one.factor)})" if one.factor else ""
        out.print(Text(f"{at}. {one.title}{apart}", style="bold"))
        for text in (
            f"{one.where}: {one.printed}",
            f"{'computed again' if one.factor else 'in fact'}: {one.computed}",
            one.says,
        ):
            out.print(Padding(Text(text), (0, 0, 0, 4)))
