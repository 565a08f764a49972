"""What a command prints: JSON alone on stdout for machines, progress on stderr for people."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


def print_json(value: Any) -> None:
    """Plain values as JSON on stdout."""
    print(json.dumps(value, ensure_ascii=False, allow_nan=False, indent=2))


def say(sentence: str) -> None:
    """One line for people, on stderr."""
    print(sentence, file=sys.stderr)


@contextmanager
def progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr, where that is a terminal; the function inside takes how many are done and how many there are."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
