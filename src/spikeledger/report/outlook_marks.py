"""Two kinds of picture for cited numbers: a ladder of rows on one logarithmic axis, and a cloud of points with laws.

Shape says how a number came about, colour when or whose: a picture can be read in grey.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..amounts import Amount
from ..outlook.published_tables import Sheet
from .axes import Scale, across, decades, joined, upwards
from .drawing import SMALL, WIDTH, Anchor, Box, Mark, Marker, Picture, Shape, Strokes, Words, fits, shortened

#: how a number came about -> how its mark is called in a key
KINDS = ("measured", "reported", "estimated", "assumed")
_SOURCE_ROOM = 20.0


@dataclass(frozen=True)
class Figure:
    """A picture and the same numbers as a table."""

    name: str
    picture: Picture
    table: Sheet


@dataclass(frozen=True)
class Row:
    """One line of a ladder: `amount` by a source, `printed` as the document has it; either may be missing."""

    name: str
    kind: str
    amount: Amount | None = None
    printed: float | None = None
    says: str = ""


@dataclass(frozen=True)
class Point:
    """One point of a cloud."""

    x: float
    y: float
    kind: str
    role: str
    name: str
    label: str = ""
    side: str = "right"
    radius: float = 4.0


@dataclass(frozen=True)
class Law:
    """A line through a cloud from point to point; `dash` for the ends of a band.

    Its name stands above its end, or below its beginning.
    """

    points: tuple[tuple[float, float], ...]
    role: str = "ink"
    name: str = ""
    dash: tuple[float, float] | None = None
    width: float = 1.6
    above: bool = True


def mark(x: float, y: float, kind: str, role: str, title: str = "", radius: float = 4.4) -> list[Mark]:
    """The mark of a kind: full disc measured, ring reported, full diamond estimated, hollow diamond assumed."""
    shape: Shape = "disc" if kind in ("measured", "reported") else "diamond"
    found: list[Mark] = [Marker(x, y, shape, role, radius, title)]
    if kind in ("reported", "assumed"):
        found.append(Marker(x, y, shape, "surface", radius - 1.7, title))
    return found


def key(kinds: Sequence[str], y: float = 10.0, role: str = "ink") -> list[Mark]:
    """What the shapes mean, in one line."""
    found: list[Mark] = []
    at = 6.0
    for kind in kinds:
        word = "as printed" if kind == "assumed" else kind
        found += [*mark(at, y - 4, kind, role), Words(at + 9, y, word, "muted")]
        at += 27 + len(word) * SMALL * 0.58
    return found


def ladder(
    title: str,
    says: str,
    rows: Sequence[Row],
    label: Callable[[float], str],
    axis: str,
    *,
    source: str = "",
    line: tuple[float, str] | None = None,
    show: Callable[[float], str] | None = None,
    bars: bool = False,
) -> Picture:
    """Rows on one logarithmic axis: a mark at the value, a band over its range, a hollow diamond where it was printed.

    Args:
        label: writes a value under the axis; `show` writes it beside its row.
        line: an upright line through all rows, with its name.
        bars: values are lengths from the axis on, and not marks of a kind.
    """
    write = show or label
    sourced = [row.amount for row in rows if row.amount is not None]
    values = [end for one in sourced for end in (one.low, one.nominal, one.high)]
    values += [row.printed for row in rows if row.printed]
    x = decades([*values, *([line[0]] if line else [])], 8, WIDTH - 8)
    kinds = [kind for kind in KINDS if any(row.kind == kind and row.amount for row in rows)]
    if any(row.printed for row in rows):
        kinds = [*(kind for kind in kinds if kind != "assumed"), "assumed"]
    top, step = (4.0 if bars else 26.0) + (14 if line else 0), 33.0 if bars else 37.0
    bottom = top + step * len(rows)
    picture = Picture(title, says, height=bottom + 30 + (_SOURCE_ROOM if source else 0))
    if not bars:
        picture.add(*key(kinds))
    if line:
        at = x(line[0])
        picture.add(Strokes(((at, top, at, bottom),), "good", 1.4, (4, 3)))
        anchor: Anchor = "middle" if 60 < at < WIDTH - 60 else "start" if at <= 60 else "end"
        picture.add(Words(at, top - 5, line[1], "good", anchor=anchor, bold=True))
    for index, row in enumerate(rows):
        y = top + index * step
        picture.add(Strokes(tuple((x(tick), y + 18, x(tick), y + 31) for tick in x.ticks(7)), "grid"))
        both = (None if row.amount is None else row.amount.nominal, row.printed)
        said = row.says or " / ".join(write(one) for one in both if one)
        name = shortened(row.name, WIDTH - 12 - len(said) * SMALL * 0.58, 12)
        picture.add(Words(0, y + 13, name, size=12, bold=True, halo=True))
        picture.add(Words(WIDTH, y + 13, said, "muted", anchor="end", halo=True))
        middle = y + 24.5
        one = row.amount
        if one is not None and bars:
            length = max(x(one.nominal) - x(x.low), 1.5)
            picture.add(Box(x(x.low), middle - 5, length, 10, "snn", f"{row.name}: {said}", round=2))
        elif one is not None:
            if not one.certain:
                wide = max(x(one.high) - x(one.low), 2)
                picture.add(Box(x(one.low), middle - 4, wide, 8, "ann", opacity=0.35, round=2))
            if row.printed:
                picture.add(Strokes(((x(one.nominal), middle, x(row.printed), middle),), "muted", 1, (2, 2)))
            picture.add(*mark(x(one.nominal), middle, row.kind, "ann", f"{row.name}: {said}, {row.kind}"))
        if row.printed:
            picture.add(*mark(x(row.printed), middle, "assumed", "snn", f"{row.name}: {write(row.printed)} as printed"))
    picture.add(*across(x, bottom, bottom, label, most=5))
    return _closed(picture, axis, bottom + 28, source)


def behind(rows: Sequence[Row], write: Callable[[float], str]) -> Sheet:
    """The numbers of a ladder as a table."""
    listed = []
    for row in rows:
        one = row.amount
        value = "" if one is None else write(one.nominal)
        ends = "" if one is None or one.certain else f"{write(one.low)} to {write(one.high)}"
        listed.append(
            (row.name, value, ends, write(row.printed) if row.printed else "", row.kind if one else "as printed")
        )
    return Sheet("behind", "The rows", ("what", "by a source", "range", "as printed", "kind"), tuple(listed))


def cloud(
    title: str,
    says: str,
    points: Sequence[Point],
    laws: Sequence[Law],
    *,
    across_label: Callable[[float], str],
    up_label: Callable[[float], str],
    axes: tuple[str, str],
    roles: Sequence[tuple[str, str]] = (),
    years: bool = False,
    source: str = "",
    up: tuple[float, float] | None = None,
) -> Picture:
    """Points on two axes with lines of laws; the horizontal axis is logarithmic, or of years.

    Args:
        axes: what the horizontal and the vertical axis are of.
        roles: role and meaning of the colours.
        up: the ends of the vertical axis, where whole decades would be too much.
    """
    left, right, top, bottom = 64.0, WIDTH - 6, 58.0 if roles else 40.0, 300.0
    ys = [point.y for point in points] + [y for law in laws for _, y in law.points]
    xs = [point.x for point in points] + [x for law in laws for x, _ in law.points]
    x = Scale(math.floor(min(xs)), math.ceil(max(xs)), left, right, whole=True) if years else decades(xs, left, right)
    y = Scale(*up, bottom, top, log=True) if up else decades(ys, bottom, top)
    picture = Picture(title, says, height=bottom + 32 + (_SOURCE_ROOM if source else 0))
    picture.add(*key([kind for kind in KINDS if any(point.kind == kind for point in points)]))
    at = 6.0
    for role, meaning in roles:
        wide = 2 * next((point.radius for point in points if point.role == role), 5.0)
        picture.add(Box(at - wide / 2, 24 - wide / 2, wide, wide, role, round=2), Words(at + 9, 28, meaning, "muted"))
        at += 28 + len(meaning) * SMALL * 0.58
    picture.add(*upwards(y, left, right, up_label, most=6))
    picture.add(*across(x, top, bottom, across_label, most=6 if years else 5))
    for law in laws:
        line = joined([(x(one), y(other)) for one, other in law.points])
        picture.add(Strokes(line, law.role, law.width, law.dash))
    for point in points:
        picture.add(*mark(x(point.x), y(point.y), point.kind, point.role, point.name, point.radius))
    for law in laws:
        if law.name:
            picture.add(_name_of(law, x, y))
    for point in points:
        if point.label:
            right, below = "right" in point.side, "below" in point.side
            beside, under = x(point.x) + (7 if right else -7), y(point.y) + (13 if below else 4)
            picture.add(Words(beside, under, point.label, size=10.5, anchor="start" if right else "end", halo=True))
    picture.add(Words(0, top - 12, axes[1], "muted"))
    return _closed(picture, axes[0], bottom + 29, source)


def _name_of(law: Law, x: Scale, y: Scale) -> Words:
    if law.above:
        at, other = law.points[-1]
        return Words(x(at) - 4, y(other) - 6, law.name, law.role, anchor="end", bold=True, halo=True)
    at, other = law.points[0]
    return Words(x(at) + 6, y(other) + 12, law.name, law.role, bold=True, halo=True)


def _closed(picture: Picture, axis: str, y: float, source: str) -> Picture:
    picture.add(Words(WIDTH, y, axis, "muted", anchor="end"))
    if source:
        text = source if fits(source, WIDTH, 10) else shortened(source, WIDTH, 10)
        picture.add(Words(0, y + 18, text, "muted", size=10))
    return picture
