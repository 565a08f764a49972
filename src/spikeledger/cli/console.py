"""What a command prints: JSON alone on stdout for machines, progress on stderr for people."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from ..printable import printable


def print_json(value: Any) -> None:
    """Plain values as JSON on stdout."""
    print(json.dumps(value, ensure_ascii=False, allow_nan=False, indent=2))


def say(sentence: str) -> None:
    """One line for people, on stderr."""
    print(_lines(printable(sentence), sys.stderr), file=sys.stderr)


def tell(text: str) -> None:
    """Text for people, on stdout."""
    print(_lines(printable(text), sys.stdout))


def _lines(text: str, stream: TextIO) -> str:
    """Text in lines that break between words, where a terminal would break within them; for a pipe as it is."""
    if not stream.isatty():
        return text
    import shutil
    import textwrap

    room = max(shutil.get_terminal_size().columns, 20)
    found = []
    for line in text.splitlines():
        inward = line[: len(line) - len(line.lstrip())] + "  "
        whole = len(line) <= room
        found += [line] if whole else textwrap.wrap(
            line, room, subsequent_indent=inward, break_long_words=False, break_on_hyphens=False
        )  # fmt: skip
    return "\n".join(found)


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


def evidence(device: Any) -> list[str]:
    """Kinds of evidence that a profile's prices rest on, the strongest first."""
    kinds = {price.kind for price in device.prices.values()}
    return [kind for kind in ("measured", "simulated", "claimed", "assumed") if kind in kinds]


def span(device: Any) -> str:
    """Nominal price and range of a synaptic operation, or of what the device charges instead."""
    from .. import units

    event = next((event for event in ("synaptic_op", "mac", "spike") if event in device.prices), "")
    if not event:
        return "power times time"
    price = device.prices[event]
    ends = f" ({units.joules(price.low)} to {units.joules(price.high)})" if price.low != price.high else ""
    return f"{event} {units.joules(price.joules)}{ends}"
