"""How a study goes, on stderr: a live table where that is a terminal, else a line a trial."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .console import say

if TYPE_CHECKING:
    from rich.console import RenderableType

    from ..trials import News, Row

#: finished trials that the live table shows
SHOWN = 8


class Progress:
    """What has happened so far, and how to show it."""

    def __init__(self, total: int | None, front: Callable[[], str] | None = None) -> None:
        self.total = total
        self.began = time.monotonic()
        self.running: dict[str, float] = {}
        self.rows: list[Row] = []
        self.failed = 0
        self.note = ""
        self._front = front

    def hear(self, news: News) -> None:
        """Take in what happened."""
        key = news.trial.key
        if news.what == "began":
            self.running[key] = time.monotonic()
        else:
            self.running.pop(key, None)
        if news.what == "finished" and news.row is not None:
            self.rows.append(news.row)
        elif news.what == "failed":
            self.failed += 1
        if news.error:
            self.note = f"{news.what}: {news.error}"

    def line(self) -> str:
        """Where it stands, in a line."""
        from ..units import duration

        took = time.monotonic() - self.began
        done = len(self.rows) + self.failed
        said = f"{len(self.rows)} finished now" + (f", {self.failed} failed" if self.failed else "")
        said += f", {len(self.running)} running, {duration(took)}"
        if self.total is not None and done:
            said += f", about {duration(took / done * max(0, self.total - done))} left"
        return said

    def table(self) -> RenderableType:
        """The latest trials, what runs, and where it stands."""
        from rich.console import Group
        from rich.text import Text

        parts: list[Any] = [Text(_short(row), no_wrap=True, overflow="ellipsis") for row in self.rows[-SHOWN:]]
        if self._front is not None and self._front():
            parts.append(Text(self._front()))
        parts.append(Text(self.line()))
        if self.note:
            parts.append(Text(self.note, style="red"))
        return Group(*parts)


@contextmanager
def watching(total: int | None, front: Callable[[], str] | None = None) -> Iterator[Callable[[News], None]]:
    """A function that hears what happens and shows it.

    Args:
        total: how many trials are to run, where that is known.
        front: says in a few words what was found so far.
    """
    progress = Progress(total, front)
    if not sys.stderr.isatty():

        def tell(news: News) -> None:
            progress.hear(news)
            if news.what == "finished" and news.row is not None:
                say(f"{_short(news.row)}; {progress.line()}")
            elif news.what != "began":
                say(f"{news.what}: {news.trial.key}: {news.error}")

        yield tell
        return
    from rich.console import Console
    from rich.live import Live

    with Live(console=Console(stderr=True), get_renderable=progress.table, refresh_per_second=2, transient=True):
        yield progress.hear


def _short(row: Row) -> str:
    """A trial in a line: its key and its single results."""
    from ..report.trials import said

    return f"{row.key[:8]} " + ", ".join(
        f"{name} {said(name, value)}" for name, value in list(row.single.items())[:6]
    )
