"""HTML that cannot be broken by a name: every plain string is escaped, only what `h` made is taken as it is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from .drawing import Picture

#: the space between a number and its unit or sign, where no line may break
_BEFORE_UNIT = re.compile(r"(?<=\d) (?=%|[afpnµmkMGT]?[JsW]\b)|(?<=[<>=]) (?=\d)")


class Html(str):
    """Text that is markup already."""

    __slots__ = ()


def h(tag: str, *content: str, **attributes: str) -> Html:
    """One element: `h("p", "a < b", id="x")`; a trailing underscore frees names such as `class_`."""
    written = "".join(f' {name.rstrip("_").replace("_", "-")}="{escape(value)}"' for name, value in attributes.items())
    return Html(f"<{tag}{written}>{joined(content)}</{tag}>")


def joined(content: Iterable[str]) -> Html:
    """Strings and elements one after the other."""
    return Html("".join(part if isinstance(part, Html) else _text(part) for part in content))


@dataclass(frozen=True)
class Section:
    """A part of the page: its anchor, its heading and what stands under it."""

    name: str
    title: str
    content: tuple[str, ...]

    def html(self) -> Html:
        """The part with its heading."""
        heading = f"{self.name}-heading"
        return h("section", h("h2", self.title, id=heading), *self.content, id=self.name, aria_labelledby=heading)

    def link(self) -> Html:
        """A way to it from the top of the page."""
        return h("a", self.title, href=f"#{self.name}")


def section(name: str, title: str, *content: str) -> Section:
    """A part of the page: `section("joules", "What it costs", paragraph, pictures)`."""
    return Section(name, title, content)


def table(
    caption: str,
    headings: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    words: Iterable[int] = (),
    below: bool = False,
) -> Html:
    """A table in a box of its own that scrolls sideways; columns in `words` hold text and may wrap, others numbers.

    With `below`, the cell after the last column is a remark: it stands under its row, and stays in sight however far
    the numbers are scrolled.
    """
    prose, columns = {0, *words}, len(headings)
    head = joined(
        h("th", name, scope="col", class_="words" if at in prose else "number") for at, name in enumerate(headings)
    )
    lines: list[Html] = []
    for row in rows:
        cells = [h("td", cell, class_="words" if at in prose else "number") for at, cell in enumerate(row[:columns])]
        lines.append(h("tr", h("th", row[0], scope="row"), *cells[1:]))
        if below:
            lines.append(h("tr", h("td", h("p", *row[columns:]), colspan=str(columns)), class_="remark"))
    top = [h("thead", h("tr", head))] if any(headings) else []
    whole = h("table", h("caption", caption), *top, h("tbody", *lines))
    return h("div", whole, class_="scroll", role="region", aria_label=f"Table: {caption}", tabindex="0")


def figure(picture: Picture, name: str) -> Html:
    """A picture with its sentence under it."""
    return h("figure", h("h3", picture.title), Html(picture.svg(name=name)), h("figcaption", picture.says))


def gallery(pictures: Iterable[Html]) -> Html:
    """Pictures one below the other on a phone, side by side where there is room."""
    return h("div", *pictures, class_="gallery")


def _text(plain: str) -> str:
    return escape(_BEFORE_UNIT.sub("\u00a0", plain))
