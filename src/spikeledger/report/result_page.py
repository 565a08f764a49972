"""A page for one result, `ledger.report("bill.html")`: what it says, its picture and table, and what it stands on."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .. import __version__
from ..errors import InputError
from ..hardware.profile import HardwareProfile
from ..ledger import Ledger
from ..study.comparison import Comparison
from ..study.sensitivity import sensitivity
from ..writing import write_whole
from . import present, provenance
from .markup import Html, Section, figure, gallery, h, joined, section, table
from .page import write_page
from .shell import brand, check_page, document
from .wording import sentence


def write(result: Any, path: str | os.PathLike[str]) -> Path:
    """Write the page of any result to one HTML file, by way of a temporary name.

    Raises:
        InputError: a kind of thing that has no page.
    """
    return write_page(result, path) if isinstance(result, Comparison) else write_whole(check_page(path), page(result))


def page(result: Any) -> str:
    """The page of one result as text; a comparison has one of its own, see `page.page`."""
    found = present.sheet(result)
    title = f"What it costs: {result.profile.title}" if isinstance(result, Ledger) else type(result).__name__
    about = [h("p", line) for line in found.head[: None if isinstance(result, Ledger) else 1]]
    if isinstance(result, Ledger):
        about.append(h("p", "Estimated: exact counts of what happened, times published prices with their ranges."))
    parts = list(_parts(result, found))
    links = h("nav", h("ul", *(h("li", part.link()) for part in parts)), aria_label="On this page")
    head = h("header", brand(), h("h1", title), *about, links)
    foot = h("footer", f"Made by SpikeLedger {__version__}. Joules are estimates unless a meter is named.")
    return document(title, joined([head, h("main", *(part.html() for part in parts)), foot]))


def _parts(result: Any, found: present.Sheet) -> Iterator[Section]:
    if not isinstance(result, Ledger):
        told = [*_notes(found.head[1:]), *_shown(result, found, found.head[0], "result"), *_notes(found.notes)]
        if told:
            yield section("result", "What was found", *told)
        return
    yield section("bill", "Where the joules go", gallery(_shown(result, found, found.notes[0], "bill")))
    deciding = sensitivity(result)
    swings = present.sheet(deciding)
    yield section("deciding", "Which price decides", *_shown(deciding, swings, swings.head[0], "deciding"))
    events = {entry.event for entry in result.entries}
    yield section("prices", "Every price, and where it comes from", *provenance.listed(result.profile, events))
    caveats = tuple(text for text in result.caveats if text.lower() != result.profile.caveat.lower())
    if caveats:
        yield section("caveats", "Caveats", *_notes(caveats))


def _shown(result: Any, found: present.Sheet, caption: str, name: str) -> Iterator[Html]:
    """The picture of a result, where it has one, and its table."""
    if not isinstance(result, HardwareProfile):
        with contextlib.suppress(InputError):  # of a kind that has none, or with nothing to draw
            yield figure(present.plot(result), name)
    if found.rows:
        words = [at for at, heading in enumerate(found.headings) if heading not in present.NUMBERS]
        yield table(caption, found.headings, found.rows, words=words)


def _notes(notes: tuple[str, ...]) -> list[Html]:
    return [h("ul", *(h("li", sentence(text)) for text in notes), class_="notes")] if notes else []
