"""From values to pixels: straight and logarithmic scales, their grid lines and labels, and lines cut to their frame."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from .drawing import SMALL, WIDTH, Mark, Stroke, Strokes, Words


@dataclass(frozen=True)
class Scale:
    """From a value to a pixel, straight or logarithmic: `x = scale(value)`."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False
    whole: bool = False  # label whole numbers only: counts

    def __call__(self, value: float) -> float:
        """The pixel of a value; values outside stand at the rim."""
        low, high, value = (self._bend(number) for number in (self.low, self.high, value))
        share = (value - low) / (high - low) if high > low else 0.5
        return self.start + min(max(share, 0.0), 1.0) * (self.end - self.start)

    def ticks(self, most: int = 6) -> list[float]:
        """Round values to label, `most` of them at the most."""
        if self.log:
            first, last = math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9)
            every = max(1, math.ceil((last - first + 1) / most))
            return [10.0**power for power in range(first, last + 1, every)]
        span = self.high - self.low
        if span <= 0:
            return [self.low]
        step = 10 ** math.floor(math.log10(span / most))
        steps = (1, 2, 5, 10, 20) if self.whole else (1, 2, 2.5, 5, 10, 20)
        step *= next(factor for factor in steps if span / (step * factor) <= most)
        step = max(step, 1.0) if self.whole else step
        first, digits = math.ceil(self.low / step - 1e-9), 12 - math.floor(math.log10(step))
        return [round(index * step, digits) for index in range(first, math.floor(self.high / step + 1e-9) + 1)]

    def _bend(self, value: float) -> float:
        return math.log10(max(value, self.low)) if self.log else value


def decades(values: Sequence[float], start: float, end: float) -> Scale:
    """A logarithmic scale over whole decades that holds every positive value."""
    positive = [value for value in values if value > 0 and math.isfinite(value)] or [1.0]
    low, high = math.floor(math.log10(min(positive)) + 1e-9), math.ceil(math.log10(max(positive)) - 1e-9)
    return Scale(10.0**low, 10.0 ** max(high, low + 1), start, end, log=True)


def across(x: Scale, top: float, bottom: float, label: Callable[[float], str], *, most: int = 6) -> list[Mark]:
    """Grid lines and labels of a horizontal axis between two heights; labels stand below."""
    ticks = x.ticks(most)
    lines = tuple((x(tick), top, x(tick), bottom) for tick in ticks)
    grid = [Strokes(lines, "grid")] if top < bottom else []
    return [*grid, *(_tick(x, tick, bottom + 14, label(tick)) for tick in ticks)]


def upwards(y: Scale, left: float, right: float, label: Callable[[float], str], *, most: int = 5) -> list[Mark]:
    """Grid lines and labels of a vertical axis between two sides; labels stand to the left."""
    ticks = y.ticks(most)
    lines = tuple((left, y(tick), right, y(tick)) for tick in ticks)
    names = [Words(left - 6, y(tick) + 4, label(tick), "muted", anchor="end") for tick in ticks]
    return [Strokes(lines, "grid"), *names]


def joined(points: Sequence[tuple[float, float]]) -> tuple[Stroke, ...]:
    """The strokes of one line through points."""
    return tuple((*first, *second) for first, second in pairwise(points))


def clipped(strokes: Sequence[Stroke], top: float, bottom: float) -> tuple[Stroke, ...]:
    """The parts of strokes that lie between two heights."""
    kept = []
    for x1, y1, x2, y2 in strokes:
        inside = [0.0, 1.0] if y1 == y2 else sorted(((top - y1) / (y2 - y1), (bottom - y1) / (y2 - y1)))
        start, end = max(inside[0], 0.0), min(inside[1], 1.0)
        if start < end and not (y1 == y2 and not top <= y1 <= bottom):
            wide, high = x2 - x1, y2 - y1
            kept.append((x1 + start * wide, y1 + start * high, x1 + end * wide, y1 + end * high))
    return tuple(kept)


def _tick(x: Scale, tick: float, y: float, text: str) -> Words:
    # the outermost labels lean inwards, so that nothing is cut off at the rim
    half = len(text) * SMALL * 0.29
    if x(tick) - half < 0:
        return Words(0, y, text, "muted")
    if x(tick) + half > WIDTH:
        return Words(WIDTH, y, text, "muted", anchor="end")
    return Words(x(tick), y, text, "muted", anchor="middle")
