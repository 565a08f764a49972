"""One self-contained page: `write_page(comparison, "report.html")`. No script, no font and no image from elsewhere."""

from __future__ import annotations

import os
from pathlib import Path

from .. import __version__
from ..study.comparison import Comparison
from ..writing import write_whole
from . import opponents, parts, provenance
from .markup import h, joined
from .shell import brand, check_page, document


def write_page(comparison: Comparison, path: str | os.PathLike[str], *, command: str = "", live: str = "") -> Path:
    """Write the page of a comparison to one HTML file, by way of a temporary name.

    Args:
        command: the command line that made the comparison, printed under "Do it again".
        live: the file beside it in which both networks run, to link to; empty where there is none.
    """
    return write_whole(check_page(path), page(comparison, command=command, live=live))


def page(comparison: Comparison, *, command: str = "", live: str = "") -> str:
    """The page of a comparison as text."""
    title = f"{comparison.data}: {comparison.ann.name} against {comparison.snn.name}"
    drawn = [
        parts.cost(comparison), parts.static(comparison), parts.deciding(comparison),
        opponents.opponent(comparison), parts.break_even(comparison), parts.behaviour(comparison),
        parts.answers(comparison), parts.training(comparison), parts.operations(comparison), parts.published(comparison),
        provenance.prices(comparison), provenance.caveats(comparison),
        provenance.again(comparison, command),
    ]  # fmt: skip
    shown = [part for part in drawn if part is not None]
    names = (h("span", comparison.ann.name), " against ", h("span", comparison.snn.name))
    beside = [h("a", "Watch both networks at work", href=live)] if live else []
    links = h(
        "nav",
        h("ul", *(h("li", link) for link in (*beside, *(part.link() for part in shown)))),
        aria_label="On this page",
    )
    head = h("header", brand(), h("h1", f"{comparison.data}: ", *names), parts.verdicts(comparison), links)
    foot = h("footer", f"Made by SpikeLedger {__version__}. All joules on this page are estimates.")
    return document(title, joined([head, h("main", *(part.html() for part in shown)), foot]))
