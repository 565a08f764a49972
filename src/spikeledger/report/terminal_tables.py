"""A table in a terminal of any width: side by side where its words fit, else row by row; no name is broken, or read as markup."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING

from ..printable import printable

if TYPE_CHECKING:
    from rich.console import Console

#: a table whose cells fold into more lines than so is shown row by row
_MOST_LINES = 4


def print_table(
    out: Console,
    headings: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    numbers: Collection[int] = (),
    whole: Collection[int] = (),
    drawn: int | None = None,
) -> None:
    """Print rows under their headings.

    Args:
        numbers: columns that stand to the right.
        whole: columns whose cells stand in one line each.
        drawn: a column that holds a picture, which is left out where there is no room for it.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    heads, cells = [printable(one) for one in headings], [[printable(one) for one in row] for row in rows]
    widths = _widths(heads, cells, whole, out.width)
    if widths is None and drawn is not None:
        heads, *cells = ([*row[:drawn], *row[drawn + 1 :]] for row in (heads, *cells))
        widths = _widths(heads, cells, whole, out.width)
    if widths is None:
        _row_by_row(out, heads, cells)
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for at, (name, width) in enumerate(zip(heads, widths, strict=True)):
        table.add_column(Text(name), justify="right" if at in numbers else "left", width=width, overflow="fold")
    for row in cells:
        table.add_row(*map(Text, row))
    out.print(table)


def _widths(heads: Sequence[str], rows: Sequence[Sequence[str]], whole: Collection[int], room: int) -> list[int] | None:
    """The width of each column, none narrower than its longest word; None where they do not fit side by side."""
    from rich.cells import cell_len

    columns = list(zip(heads, *rows, strict=True))
    full = [max(map(cell_len, column)) for column in columns]
    words = [max(cell_len(word) for cell in column for word in (cell.split() or [""])) for column in columns]
    needed = [wide if at in whole else word for at, (wide, word) in enumerate(zip(full, words, strict=True))]
    spare, wanted = room - 3 * len(columns) - sum(needed), sum(full) - sum(needed)
    if spare < 0 or spare * _MOST_LINES < wanted:
        return None
    share = min(spare / wanted, 1.0) if wanted else 0.0  # what is left goes to the columns that fold
    return [least + int((most - least) * share) for least, most in zip(needed, full, strict=True)]


def _row_by_row(out: Console, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.padding import Padding
    from rich.text import Text

    for first, *others in rows:
        if first:
            name = f"{heads[0]}:" if " " in heads[0] else heads[0]
            out.print(Text(_held(f"{name} {first}".strip(), out.width), style="bold"))
        said = [f"{name} {cell}".strip() for name, cell in zip(heads[1:], others, strict=True) if cell]
        if said:
            out.print(Padding(Text(_held("; ".join(said), out.width - 2)), (0, 0, 0, 2)))


def _held(text: str, room: int) -> str:
    """The same with its middle left out of each word that no line holds: names differ at both ends."""
    from rich.cells import cell_len

    most = max(room, 8) - 1
    words = (
        word if cell_len(word) <= most else f"{word[: most // 2]}…{word[len(word) - (most - most // 2 - 1) :]}"
        for word in text.split(" ")
    )
    return " ".join(words)
