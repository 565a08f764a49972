"""A picture as a short list of marks in pixels: written as SVG, or replayed through matplotlib for PNG and PDF.

Marks name *roles* (`ink`, `ann`, `static`), never colours, so that one picture fits a light and a dark page.
Pictures are drawn for the width of a phone; wider pages put them side by side instead of stretching them.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ..errors import InputError
from ..writing import write_whole
from .colours import ROLES, roles_css

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MatplotlibFigure

Anchor = Literal["start", "middle", "end"]
Shape = Literal["disc", "diamond", "square", "triangle"]
Stroke = tuple[float, float, float, float]  # x1, y1, x2, y2

WIDTH = 360.0  # pixels: a phone's page without its margins
SMALL, NORMAL = 11.5, 12.5  # letter heights in pixels
_HEADROOM = 26.0  # for the title of a picture that stands alone


@dataclass(frozen=True)
class Box:
    """A filled rectangle; `title` is what a pointer over it, or a screen reader, is told."""

    x: float
    y: float
    width: float
    height: float
    role: str
    title: str = ""
    opacity: float = 1.0
    round: float = 0.0

    def svg(self) -> str:
        """This mark as an SVG element."""
        extra = f' rx="{_n(self.round)}"' if self.round else ""
        extra += f' opacity="{self.opacity:.2f}"' if self.opacity < 1 else ""
        place = f'x="{_n(self.x)}" y="{_n(self.y)}" width="{_n(self.width)}" height="{_n(self.height)}"'
        return _titled(f'<rect class="f-{self.role}" {place}{extra}', "rect", self.title)

    def paint(self, axes: Any) -> None:
        """This mark on matplotlib axes that are in pixels."""
        from matplotlib.patches import Rectangle

        colour = ROLES[self.role][0]
        axes.add_patch(Rectangle((self.x, self.y), self.width, self.height, color=colour, alpha=self.opacity, lw=0))


@dataclass(frozen=True)
class Strokes:
    """Separate straight strokes `(x1, y1, x2, y2)` of one pen; or one joined line through them."""

    segments: tuple[Stroke, ...]
    role: str
    width: float = 1.0
    dash: tuple[float, float] | None = None
    opacity: float = 1.0

    def svg(self) -> str:
        """This mark as an SVG element."""
        parts, at = [], None
        for x1, y1, x2, y2 in self.segments:
            if (x1, y1) != at:
                parts.append(f"M{_n(x1)} {_n(y1)}")
            parts.append(f"H{_n(x2)}" if y1 == y2 else f"L{_n(x2)} {_n(y2)}")
            at = (x2, y2)
        extra = f' stroke-dasharray="{_n(self.dash[0])} {_n(self.dash[1])}"' if self.dash else ""
        extra += f' opacity="{self.opacity:.2f}"' if self.opacity < 1 else ""
        return f'<path class="s s-{self.role}" stroke-width="{_n(self.width)}"{extra} d="{"".join(parts)}"/>'

    def paint(self, axes: Any) -> None:
        """This mark on matplotlib axes that are in pixels."""
        from matplotlib.collections import LineCollection

        style: Any = (0, tuple(length / self.width for length in self.dash)) if self.dash else "solid"
        lines = [((x1, y1), (x2, y2)) for x1, y1, x2, y2 in self.segments]
        colour = ROLES[self.role][0]
        axes.add_collection(
            LineCollection(lines, colors=colour, linewidths=self.width, linestyles=style, alpha=self.opacity)
        )


@dataclass(frozen=True)
class Marker:
    """One point of data; sides differ in shape and not only in colour."""

    x: float
    y: float
    shape: Shape
    role: str
    radius: float = 5.0
    title: str = ""

    def svg(self) -> str:
        """This mark as an SVG element."""
        x, y, r = self.x, self.y, self.radius
        if self.shape == "disc":
            head = f'<circle class="f-{self.role}" cx="{_n(x)}" cy="{_n(y)}" r="{_n(r)}"'
            return _titled(head, "circle", self.title)
        points = " ".join(f"{_n(px)},{_n(py)}" for px, py in self._corners())
        return _titled(f'<polygon class="f-{self.role}" points="{points}"', "polygon", self.title)

    def paint(self, axes: Any) -> None:
        """This mark on matplotlib axes that are in pixels."""
        from matplotlib.patches import Circle, Polygon

        colour = ROLES[self.role][0]
        patch = Circle((self.x, self.y), self.radius) if self.shape == "disc" else Polygon(self._corners())
        patch.set(color=colour, lw=0)
        axes.add_patch(patch)

    def _corners(self) -> list[tuple[float, float]]:
        if self.shape == "square":
            x, y, r = self.x, self.y, self.radius * 0.9
            return [(x - r, y - r), (x + r, y - r), (x + r, y + r), (x - r, y + r)]
        x, y, r = self.x, self.y, self.radius * 1.25
        if self.shape == "triangle":
            return [(x, y - r), (x + r, y + 0.8 * r), (x - r, y + 0.8 * r)]
        return [(x, y - r), (x + r, y), (x, y + r), (x - r, y)]


@dataclass(frozen=True)
class Words:
    """One line of text; `y` is its base line."""

    x: float
    y: float
    text: str
    role: str = "ink"
    size: float = SMALL
    anchor: Anchor = "start"
    bold: bool = False
    upward: bool = False
    halo: bool = False  # keeps lines behind it out of its letters

    def svg(self) -> str:
        """This mark as an SVG element."""
        extra = "" if self.anchor == "start" else f' text-anchor="{self.anchor}"'
        extra += ' font-weight="600"' if self.bold else ""
        extra += f' transform="rotate(-90 {_n(self.x)} {_n(self.y)})"' if self.upward else ""
        place = f'x="{_n(self.x)}" y="{_n(self.y)}" font-size="{_n(self.size)}"'
        kind = f"f-{self.role} halo" if self.halo else f"f-{self.role}"
        return f'<text class="{kind}" {place}{extra}>{escape(self.text)}</text>'

    def paint(self, axes: Any) -> None:
        """This mark on matplotlib axes that are in pixels."""
        side = {"start": "left", "middle": "center", "end": "right"}[self.anchor]
        written = axes.text(
            self.x, self.y, self.text.replace("$", r"\$"), color=ROLES[self.role][0], fontsize=self.size * 0.9, ha=side,
            va="baseline", weight="bold" if self.bold else "normal", rotation=90 if self.upward else 0,
            rotation_mode="anchor", parse_math=False,
        )  # fmt: skip
        if self.halo:
            from matplotlib.patheffects import withStroke

            written.set_path_effects([withStroke(linewidth=4, foreground=ROLES["surface"][0])])


Mark = Box | Strokes | Marker | Words


@dataclass
class Picture:
    """A titled list of marks that shows itself in a notebook, on the page (`svg()`) and as a file (`save()`).

    `says` is the one plain sentence that a reader should take away; it is computed from the same numbers.
    """

    title: str
    says: str
    width: float = WIDTH
    height: float = 100.0
    marks: list[Mark] = field(default_factory=list)

    def add(self, *marks: Mark) -> None:
        """Put marks on top of those that are there."""
        self.marks.extend(marks)

    def svg(self, *, name: str = "picture", alone: bool = False) -> str:
        """The picture as an SVG element; `alone` carries its own colours, otherwise the page's `roles_css` gives them.

        `name` makes the identifiers of its title and description unique on a page.
        """
        x, y, width, height = self._frame() if alone else (0.0, 0.0, self.width, self.height)
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" class="picture" role="img" viewBox="{_n(x)} {_n(y)} {_n(width)} '
            f'{_n(height)}" width="{_n(width)}" height="{_n(height)}" '
            f'aria-labelledby="{name}-title {name}-says">'
            f'<title id="{name}-title">{escape(self.title)}</title><desc id="{name}-says">{escape(self.says)}</desc>'
        )
        if alone:
            back = Box(x, y, width, height, "surface", round=6)
            head += f"<style>{roles_css('.picture')}</style>{back.svg()}{self._headline().svg()}"
        return head + "".join(mark.svg() for mark in self.marks) + "</svg>"

    def to_matplotlib(self) -> MatplotlibFigure:
        """The same marks as a matplotlib figure at 72 pixels an inch, in the light colours."""
        from matplotlib.figure import Figure as MatplotlibFigure

        x, y, width, height = self._frame()
        figure = MatplotlibFigure(figsize=(width / 72, height / 72), facecolor=ROLES["surface"][0])
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set(xlim=(x, x + width), ylim=(y + height, y))
        axes.axis("off")
        painted, behind = 0, len(axes.get_children())  # spines and the like stand behind what was painted
        for order, mark in enumerate((self._headline(), *self.marks)):
            mark.paint(axes)
            fresh = axes.get_children()[painted:-behind]
            for artist in fresh:  # what comes later lies above, as in SVG, and not every line above every shape
                artist.set_zorder(order)
            painted += len(fresh)
        return figure

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the picture as `.svg` (light and dark), `.png` or `.pdf`, by way of a temporary name."""
        target = Path(path)
        kind = target.suffix.lower()
        if kind not in (".svg", ".png", ".pdf"):
            raise InputError(f"a picture cannot be saved as '{target.name}': end the name in .svg, .png or .pdf")

        def write(file: Any) -> None:
            if kind == ".svg":
                file.write(self.svg(alone=True).encode())
            else:
                self.to_matplotlib().savefig(file, format=kind[1:], dpi=216)

        return write_whole(target, write)

    def _frame(self) -> tuple[float, float, float, float]:
        """Left, top, width and height with the title and a margin: what a picture without a page around it needs."""
        return -12.0, -_HEADROOM - 8, self.width + 24, self.height + _HEADROOM + 16

    def _headline(self) -> Words:
        return Words(0, -14, shortened(self.title, self.width, NORMAL + 1), size=NORMAL + 1, bold=True)

    def _repr_html_(self) -> str:
        # two pictures in one notebook need different identifiers
        return self.svg(name=f"picture-{id(self):x}", alone=True) + f"<p>{escape(self.says)}</p>"

    def __repr__(self) -> str:
        return f"Picture({self.title!r}: {self.says})"


def fits(text: str, pixels: float, size: float = SMALL) -> bool:
    """Whether a text is sure to fit: letters of the fonts in question are 0.58 of their height wide on average."""
    return len(text) * size * 0.58 <= pixels


def shortened(text: str, pixels: float, size: float = SMALL) -> str:
    """A text that fits, its middle left out if need be: names differ at both ends."""
    room = max(int(pixels / (size * 0.58)), 3)
    if len(text) <= room:
        return text
    head = room // 2
    return text[:head] + "…" + text[len(text) - (room - 1 - head) :]


def _titled(head: str, tag: str, title: str) -> str:
    return f"{head}><title>{escape(title)}</title></{tag}>" if title else f"{head}/>"


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
