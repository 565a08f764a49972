"""The outlook as one self-contained page: `write_outlook("outlook.html")`."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from .. import __version__
from ..outlook import check, fit, tables
from ..outlook.contradictions import Contradiction
from ..outlook.phrases import times
from ..outlook.published_tables import Sheet
from ..outlook.records import LICENCES, brain
from ..writing import write_whole
from .markup import Html, Section, gallery, h, joined, section
from .markup import figure as pictured
from .markup import table as listed
from .outlook_marks import Figure
from .outlook_pictures import figures
from .shell import brand, document


def write_outlook(path: str | os.PathLike[str]) -> Path:
    """Write the page to one HTML file, by way of a temporary name."""
    return write_whole(Path(path), outlook_page())


def outlook_page() -> str:
    """The page as text: pictures, each with its numbers, the tables, the contradictions, the sources."""
    drawn = {one.name: one for one in figures()}
    sheets = tables()
    found = check()
    parts = [
        section(
            "brain", "A brain and GPT-4",
            h("p", "Two things that share no boundary: a brain's watts include its upkeep and its wires, a service's include "
                   "idle machines and cooling, and one serves a person where the other serves millions."),
            gallery([_shown(drawn["power"]), _shown(drawn["answers"])]),
            h("h3", "The first table, computed again"),
            h("p", sheets["comparison"].note, class_="quiet"),
            _cards((row[0], row[1], "computed", row[2], "", row[3]) for row in sheets["comparison"].rows),
        ),
        section(
            "law", "What training energy follows",
            h("p", "Operations and the year of the machine, and nothing else is needed. How many operations a size gets is a "
                   "recipe that changes from year to year, so an exponent of parameters is not a law: " + _families() + "."),
            gallery(_shown(drawn[name]) for name in ("operations", "parameters")),
            gallery(_shown(drawn[name]) for name in ("efficiency", "parameters-epoch")),
            _table(sheets["fits"]), _table(sheets["scaling"]), _folded(sheets["accounts"]),
        ),
        section(
            "future", "Projections",
            h("p", "A projection is worth its band. More than one decade beyond its runs it is not given without one."),
            gallery(_shown(drawn[name]) for name in ("projections", "years", "sizes")),
            _table(sheets["projections"]), _table(sheets["history"]),
        ),
        section("carbon", "Carbon", gallery([_shown(drawn["carbon"]), _shown(drawn["tonnes"])]), _table(sheets["carbon"])),
        section(
            "contradictions", "Where published numbers clash",
            h("p", f"{len(found)} places of the notebook 'The Cost of 1 Million Brains', each computed again from the numbers "
                   "as printed."),
            gallery([_shown(drawn["factors"])]),
            _cards((f"{at}. {one.title}", one.printed, "computed" if one.factor else "in fact", one.computed,
                    times(one.factor) if one.factor else "", one.says)
                   for at, one in enumerate(found, 1)),
        ),
        section(
            "unsourced", "What has no source",
            h("p", "These tables are reproduced, and not drawn: nothing that can be looked up stands behind them."),
            _folded(sheets["intelligence"]), _folded(sheets["differences"]), _folded(sheets["power"]),
        ),
        section(
            "sources", "Every number and its source",
            h("p", "Measured: a meter or telemetry. Reported: the maker's own arithmetic, hours times rated watts. Estimated: a "
                   "third party, or an assumed number in it. Assumed: nobody answers for it."),
            *(_folded(sheets[name]) for name in ("training", "queries", "brain", "grids")),
        ),
        section("licences", "Licences", h("ul", *(h("li", text) for text in LICENCES), class_="notes")),
        section("again", "Do it again", h("pre", h("code", "spikeledger outlook --out FOLDER"))),
    ]  # fmt: skip
    return document("The outlook", joined([_head(parts, found), h("main", *(part.html() for part in parts)), _foot()]))


def _head(parts: list[Section], found: list[Contradiction]) -> Html:
    law = fit()
    nominal, low, high = law.exponent("flop")
    fall = law.fall_a_year
    assert fall is not None
    links = h("nav", h("ul", *(h("li", part.link()) for part in parts)), aria_label="On this page")
    says = (
        f"A brain needs {brain().power.watts:.0f} W. The energy of training a model is linear in its operations (exponent "
        f"{nominal:.2f}, 95 % interval {low:.2f} to {high:.2f}), and an operation needs {fall.nominal:.2f} times less each year; "
        f"parameters alone predict nothing. Of the numbers that a well-known comparison quotes, {len(found)} clash with each "
        "other or with their sources."
    )
    title = h("h1", h("span", "What a brain needs,"), " ", h("span", "what a model needs"))
    return h("header", brand(), title, h("p", says, class_="answer"), links)


def _foot() -> Html:
    return h(
        "footer", f"Made by SpikeLedger {__version__}. No number on this page was measured by us; each has its source."
    )


def _shown(one: Figure) -> Html:
    whole = pictured(one.picture, f"picture-{one.name}")
    inside = h(
        "details", h("summary", "As numbers"), _table(one.table, f"{one.picture.title}: {one.table.title.lower()}")
    )
    return Html(whole.removesuffix("</figure>") + inside + "</figure>")


def _table(sheet: Sheet, caption: str = "") -> Html:
    box = listed(caption or sheet.title, sheet.headings, sheet.rows, words=_words(sheet))
    return joined([box, h("p", sheet.note, class_="quiet")]) if sheet.note and not caption else box


def _folded(sheet: Sheet) -> Html:
    return h("details", h("summary", sheet.title), _table(sheet))


def _words(sheet: Sheet) -> tuple[int, ...]:
    """Columns of text: those that are declared, and those in which a cell is long."""
    long = (at for at in range(len(sheet.headings)) if any(len(row[at]) > 26 for row in sheet.rows))
    return tuple({*sheet.words, *long})


def _cards(rows: Iterable[tuple[str, str, str, str, str, str]]) -> Html:
    """What is printed beside what follows, a card each: title, as printed, how it follows, what, factor, remark."""
    cards = []
    for title, printed, how, again, apart, remark in rows:
        pairs = [("printed", printed), (how, again), *([("apart", apart)] if apart else [])]
        told = h("dl", *(part for name, value in pairs for part in (h("dt", name), h("dd", value))))
        cards.append(h("div", h("h3", title), told, h("p", h("small", remark)), class_="card open"))
    return h("div", *cards, class_="cards")


def _families() -> str:
    given = [
        f"{name} gives {fit('parameters', name).exponent('parameters')[0]:.2f}"
        for name in ("LLaMA", "Llama 2", "Llama 3.1")
    ]
    return ", ".join(given)
