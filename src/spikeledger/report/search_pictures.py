"""A search in pictures: its front with what is doubtful, hypervolume beside random search, and which settings matter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from .axes import Scale, across, decades, joined, upwards
from .drawing import SMALL, WIDTH, Box, Marker, Picture, Shape, Strokes, Words, shortened
from .trials import said

if TYPE_CHECKING:
    from ..search.findings import Course, Findings, Influence, Point

_LEFT, _TOP, _BOTTOM = 46.0, 34.0, 250.0

#: a share of what an objective does below which a forest has explained nothing
SAYS_LITTLE = 0.2


def plot_front(found: Findings, across_name: str | None = None, up_name: str | None = None) -> Picture:
    """Two objectives of every point: the front joined, points that may be on it hollow, all others small.

    Args:
        across_name: the objective along the bottom; the first that is made small by default.
        up_name: the objective upwards; the first one by default.
    """
    aims = found.search.aims
    up_name = up_name or (aims.maximise or aims.minimise)[0]
    across_name = across_name or next((name for name in aims.minimise if name != up_name), aims.objectives[-1])
    ahead, doubtful = found.front, [each for each in found.points if each.place == "doubtful"]
    behind = [each for each in found.points if each.place == "behind"]
    says = f"{len(ahead)} of {len(found.points)} networks are on the front"
    if doubtful:
        says += f", and {len(doubtful)} more may be: seeds differ by more than they are behind"
    top = next((each for each in ahead if each.knee), None)
    if top is not None:
        says += f"; at its knee stand {_both(top, up_name, across_name)}"
    picture = Picture(f"The front: {up_name} and {across_name}", says + ".", height=_BOTTOM + 40)
    if not found.points:
        return picture
    x = decades([each.values[across_name] for each in found.points], _LEFT, WIDTH - 4)
    y = _upright([each.values[up_name] for each in found.points])
    share = "accuracy" in up_name
    picture.add(*across(x, _TOP, _BOTTOM, lambda tick: said(across_name, tick), most=5))
    picture.add(*upwards(y, _LEFT, WIDTH - 4, lambda tick: f"{100 * tick:.3g} %" if share else f"{tick:.3g}"))
    for point in behind:
        at = x(point.values[across_name]), y(point.values[up_name])
        picture.add(Marker(*at, "disc", "static" if point.tried.arm != "random" else "ann", 2.0, _title(point)))
    for point in doubtful:
        at = x(point.values[across_name]), y(point.values[up_name])
        picture.add(Marker(*at, "disc", "snn", 4.2, _title(point)), Marker(*at, "disc", "surface", 2.6))
    picture.add(Strokes(joined([(x(along), y(up)) for along, up in _rim(ahead, across_name, up_name)]), "snn", 1.4))
    for point in ahead:
        px, py = x(point.values[across_name]), y(point.values[up_name])
        if point.deviations:
            value, spread = point.values[up_name], point.deviations[up_name]
            picture.add(Strokes(((px, y(value - spread), px, y(value + spread)),), "snn", 1.2))
        picture.add(Marker(px, py, "diamond", "good" if point.knee else "snn", 5.0, _title(point)))
    shown: dict[str, tuple[tuple[Shape, str, float], ...]] = {
        "front, ± seeds" if any(each.deviations for each in ahead) else "front": (("diamond", "snn", 4.5),),
        "knee": (("diamond", "good", 4.5),) if top is not None else (),
        "may be on it": (("disc", "snn", 4.2), ("disc", "surface", 2.6)) if doubtful else (),
        "behind": (("disc", "static", 2.4),) if any(each.tried.arm != "random" for each in behind) else (),
        "random's": (("disc", "ann", 2.4),) if any(each.tried.arm == "random" for each in behind) else (),
    }
    start = 6.0
    for label, marks in ((label, marks) for label, marks in shown.items() if marks):
        picture.add(*(Marker(start, 6, *mark) for mark in marks), Words(start + 8, 10, label, "muted"))
        start += 22 + 0.58 * SMALL * len(label)
    picture.add(Words(WIDTH - 4, _BOTTOM + 32, f"{across_name}, a sample", "muted", anchor="end"))
    picture.add(Words(0, _TOP - 8, up_name, "muted"))
    return picture


def plot_courses(courses: tuple[Course, ...]) -> Picture:
    """The hypervolume of each arm over the minutes of CPU that it spent."""
    ends = {each.arm: each.volumes[-1] for each in courses}
    says = "; ".join(f"{arm} ends at {volume:.4g}" for arm, volume in ends.items())
    bottom = 184.0
    picture = Picture("Hypervolume as the budget is spent", says + ".", height=bottom + 40)
    if not courses:
        return picture
    x = Scale(0, max(max(each.minutes[-1] for each in courses), 1e-6), _LEFT, WIDTH - 4)
    y = Scale(0, max(max(max(ends.values()), 1e-9), 1e-9) * 1.05, bottom, _TOP)
    picture.add(*across(x, _TOP, bottom, lambda tick: f"{tick:g}"))
    picture.add(*upwards(y, _LEFT, WIDTH - 4, lambda tick: f"{tick:.3g}"))
    for at, course in enumerate(courses):
        role = "ann" if course.arm == "random" else "snn"
        steps: list[tuple[float, float]] = []
        for minute, volume in zip(course.minutes, course.volumes, strict=True):
            if steps:
                steps.append((x(minute), steps[-1][1]))
            steps.append((x(minute), y(volume)))
        picture.add(Strokes(joined(steps), role, 2.0, dash=(5, 3) if role == "ann" else None))
        picture.add(Strokes(((120.0 * at, 6, 120.0 * at + 20, 6),), role, 2.0, dash=(5, 3) if role == "ann" else None))
        picture.add(Words(120.0 * at + 26, 10, course.arm, "muted"))
    picture.add(Words(WIDTH - 4, bottom + 32, "minutes of CPU", "muted", anchor="end"))
    return picture


def plot_influence(influence: Influence, *, most: int = 10) -> Picture:
    """Which settings moved an objective: one bar a setting."""
    shown: Mapping[str, float] = dict(list(influence.shares.items())[:most])
    first = next(iter(shown), "")
    says = (
        f"{first} moved {influence.objective} most; a forest explains {100 * max(influence.explained, 0):.0f} % of it"
    )
    if influence.explained < SAYS_LITTLE:
        says = (
            f"Nothing can be said of what moves {influence.objective}: a forest explains "
            f"{100 * max(influence.explained, 0):.0f} % of it, so these bars are chance"
        )
    elif influence.explained < 0.5:
        says += ", so this says little"
    says += "."
    picture = Picture(f"What moves {influence.objective}", says, height=8 + 22 * len(shown))
    left = 112.0
    x = Scale(0, max([*shown.values(), 1e-9]), left, WIDTH - 44)
    for at, (name, share) in enumerate(shown.items()):
        y = 4 + 22 * at
        picture.add(Words(left - 8, y + 12, shortened(name, left - 10), anchor="end"))
        picture.add(Box(left, y + 2, max(x(share) - left, 0.5), 14, "operations", f"{name}: {share:.2f}"))
        picture.add(Words(x(share) + 5, y + 13, f"{100 * share:.0f} %", "muted"))
    return picture


def _rim(ahead: list[Point], across_name: str, up_name: str) -> list[tuple[float, float]]:
    """The front's points that lead in the two objectives of a picture: with three, not all of them do."""
    rim: list[tuple[float, float]] = []
    for along, up in sorted((each.values[across_name], each.values[up_name]) for each in ahead):
        if not rim or up > rim[-1][1]:
            rim.append((along, up))
    return rim


def _upright(values: list[float]) -> Scale:
    low, high = min(values), max(values)
    room = (high - low) * 0.06 or 0.01
    return Scale(low - room, high + room, _BOTTOM, _TOP)


def _both(point: Point, up: str, along: str) -> str:
    return f"{said(up, point.values[up])} and {said(along, point.values[along])}"


def _title(point: Point) -> str:
    values = ", ".join(f"{name} {said(name, value)}" for name, value in point.values.items())
    chosen = ", ".join(f"{name} {said(name, value)}" for name, value in point.tried.chosen.items())
    return f"{values}; {chosen}"
