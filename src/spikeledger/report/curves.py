"""Curves with bands: accuracy against a level or T. Lines differ in dash and mark as well as in colour, so they read in grey."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .axes import Scale, across, decades, joined, upwards
from .drawing import WIDTH, Box, Marker, Picture, Strokes, Words
from .wording import joules

if TYPE_CHECKING:
    from ..stress.compare import Robustness
    from ..study.conversions import OverSteps

#: colour, dash and mark of each line, in the order of the lines
_LOOKS = (
    ("ann", None, "disc"), ("snn", (6.0, 3.0), "diamond"), ("good", (2.0, 2.0), "disc"), ("routing", (8.0, 2.0), "diamond"),
    ("memory", (4.0, 2.0), "disc"), ("static", (1.0, 3.0), "diamond"),
)  # fmt: skip
_LEFT, _TOP, _TALL = 46.0, 30.0, 190.0


@dataclass(frozen=True)
class Line:
    """One curve, with its band where it has one."""

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()


def curves(
    title: str,
    says: str,
    lines: Sequence[Line],
    *,
    across_is: str,
    upwards_is: str,
    y: Scale | None = None,
    label: Callable[[float], str] | None = None,
) -> Picture:
    """Lines over one horizontal axis; `y` runs from 0 to 100 % by default, and `label` writes its numbers."""
    bottom = _TOP + _TALL
    rows = -(-len(lines) // 2)
    picture = Picture(title, says, height=bottom + 40 + 16 * rows)
    points = [value for line in lines for value in line.x] or [0.0, 1.0]
    x = Scale(min(points), max(points), _LEFT, WIDTH - 10, whole=all(value == int(value) for value in points))
    y = y or Scale(0.0, 1.0, bottom, _TOP)
    label = label or (joules if y.log else lambda tick: f"{100 * tick:g} %")
    picture.add(*upwards(y, _LEFT, WIDTH - 10, label))
    picture.add(*across(x, bottom, bottom, lambda tick: f"{tick:g}"))
    for number, line in enumerate(lines):
        role, dash, shape = _LOOKS[number % len(_LOOKS)]
        for k in range(len(line.low)):  # the interval at each point
            at = x(line.x[k])
            picture.add(
                Box(at - 2.5, y(line.high[k]), 5, max(y(line.low[k]) - y(line.high[k]), 0.5), role, opacity=0.3)
            )
        picture.add(Strokes(joined([(x(a), y(b)) for a, b in zip(line.x, line.y, strict=True)]), role, 1.6, dash=dash))
        picture.add(*(Marker(x(a), y(b), shape, role) for a, b in zip(line.x, line.y, strict=True)))  # type: ignore[arg-type]
        left, top = (number % 2) * WIDTH / 2, bottom + 40 + 16 * (number // 2)
        picture.add(
            Strokes(((left, top - 4, left + 22, top - 4),), role, 1.6, dash=dash), Words(left + 28, top, line.name)
        )
        picture.add(Marker(left + 11, top - 4, shape, role))  # type: ignore[arg-type]
    picture.add(Words(0, 14, upwards_is, "muted"), Words(WIDTH, bottom + 28, across_is, "muted", anchor="end"))
    return picture


def plot_noise(found: Robustness, kind: str) -> Picture:
    """How often each network is right under one kind of noise, by its level; bars are 95 % intervals of the samples."""
    lines = [_line(name, found, name, kind, "") for name in found.clean if found.curve(name, kind)]
    said = f"{found.samples:,} samples, the same for all."
    return curves(f"Under {kind.replace('_', ' ')}", said, lines, across_is="level", upwards_is="right answers")


def plot_attacks(found: Robustness, network: str) -> Picture:
    """What each attack leaves of one network's answers, by epsilon, the naive one beside the honest ones."""
    wanted = [
        ("naive", "none", "naive: no gradient"),
        ("fgsm", "own gradient", "FGSM"),
        ("pgd", "own gradient", "PGD, 10 steps"),
    ]
    lines = [_line(label, found, network, kind, way) for kind, way, label in wanted if found.curve(network, kind, way)]
    levels = sorted(
        {row.level for row in found.rows if row.network == network and row.kind in ("fgsm", "pgd", "transfer")}
    )
    if levels:
        worst = tuple(found.worst(network, level) for level in levels)
        lines.append(Line("worst of all honest", tuple(levels), worst))
    return curves(f"{network} under attack", found.said, lines, across_is="epsilon", upwards_is="right answers")


def _line(label: str, found: Robustness, network: str, kind: str, way: str) -> Line:
    rows = found.curve(network, kind, way)
    x, y, low, high = (tuple(getattr(row, each) for row in rows) for each in ("level", "accuracy", "low", "high"))
    return Line(label, x, y, low, high)


def plot_conversion_accuracy(found: OverSteps) -> Picture:
    """Accuracy against T, and the ANN's."""
    steps = tuple(float(row.timesteps) for row in found.rows)
    lines = [
        Line("SNN", steps, tuple(row.accuracy for row in found.rows)),
        Line("ANN", steps, (found.ann_accuracy,) * len(steps)),
        Line("rate error of all layers", steps, tuple(min(row.rate_error, 1.0) for row in found.rows)),
    ]
    return curves("What conversion keeps", found.said, lines, across_is="T", upwards_is="right answers; error")


def plot_conversion_joules(found: OverSteps) -> Picture:
    """Joules a sample against T, with the first layer kept and computed again, beside the ANN that skips zeros."""
    steps = tuple(float(row.timesteps) for row in found.rows)
    lines = [
        Line("SNN, first layer kept", steps, tuple(row.joules for row in found.rows)),
        Line("ANN, skips zeros", steps, (found.ann_joules,) * len(steps)),
        Line("SNN, computed each step", steps, tuple(row.joules_recomputed for row in found.rows)),
    ]
    every = [value for line in lines for value in line.y]
    scale = decades(every, _TOP + _TALL, _TOP)
    return curves(
        f"What it costs on {found.profile}", found.said, lines, across_is="T", upwards_is="joules a sample", y=scale
    )
