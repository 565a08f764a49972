"""One self-contained page: `write_page(comparison, "report.html")`. No script, no font and no image from elsewhere."""

from __future__ import annotations

import os
from html import escape
from importlib import resources
from pathlib import Path
from urllib.parse import quote

from .. import __version__
from ..study.comparison import Comparison
from ..writing import write_whole
from . import opponents, provenance, sections
from .drawing import roles_css
from .markup import Html, h, joined

#: the page may show itself and nothing else, wherever it is opened
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
_ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" width="24" height="24" fill="none" stroke="#c24e00" '
    'stroke-width="2.4" stroke-linecap="round" stroke-linejoin="round"{extra}>'
    '<path d="M2 17h6l2-12 3 14 2-8 2 6h5"/></svg>'
)


def write_page(comparison: Comparison, path: str | os.PathLike[str], *, command: str = "") -> Path:
    """Write the page of a comparison to one HTML file, by way of a temporary name.

    Args:
        command: the command line that made the comparison, printed under "Do it again".
    """
    return write_whole(Path(path), page(comparison, command=command))


def page(comparison: Comparison, *, command: str = "") -> str:
    """The page of a comparison as text."""
    title = f"{comparison.data}: {comparison.ann.name} against {comparison.snn.name}"
    drawn = [
        sections.cost(comparison), sections.static(comparison), sections.deciding(comparison),
        opponents.opponent(comparison), sections.break_even(comparison), sections.behaviour(comparison),
        sections.answers(comparison), sections.operations(comparison), sections.published(comparison),
        provenance.prices(comparison), provenance.caveats(comparison),
        provenance.again(comparison, command),
    ]  # fmt: skip
    parts = [part for part in drawn if part is not None]
    brand = h("div", Html(_ICON.format(extra=' aria-hidden="true"')), "SpikeLedger", class_="brand")
    names = (h("span", comparison.ann.name), " against ", h("span", comparison.snn.name))
    links = h("nav", h("ul", *(h("li", part.link()) for part in parts)), aria_label="On this page")
    head = h("header", brand, h("h1", f"{comparison.data}: ", *names), sections.verdicts(comparison), links)
    foot = h("footer", f"Made by SpikeLedger {__version__}. All joules on this page are estimates.")
    body = joined([head, h("main", *(part.html() for part in parts)), foot])
    style = roles_css() + resources.files(__package__).joinpath("page.css").read_text("utf-8")
    icon = "data:image/svg+xml," + quote(_ICON.format(extra=""))
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)} | SpikeLedger</title>'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta name="color-scheme" content="light dark"><link rel="icon" href="{icon}">'
        f"<style>{style}</style></head><body>{body}</body></html>\n"
    )
