"""The published comparison's figures 7 to 17, with ours: every series has a mark or a dash of its own, so they read in grey."""

from __future__ import annotations

from collections.abc import Sequence

from ..stress.compare import Robustness
from ..study import paper, paper_scores
from .axes import across, decades
from .curves import Line, curves
from .drawing import SMALL, WIDTH, Marker, Picture, Shape, Strokes, Words
from .paper_sheets import NOT_RUN, Trials, counted_kwh, small

#: what stands in a row of dots: its name, its mark and its role; earlier ones are larger, so that none hides another
_SERIES: tuple[tuple[str, Shape, str], ...] = (
    ("as published", "diamond", "static"), ("its arithmetic", "square", "ann"), ("corrected, rates assumed", "disc", "snn"),
    ("counted here", "triangle", "good"),
)  # fmt: skip
_SIZES = (7.5, 4.5, 4.0, 4.0)
#: number -> title, table of its values, first letters of their rows
_ENERGY = {
    12: ("SNNs on MNIST", 6, lambda row: "SNN" in row), 13: ("ANNs on MNIST", 6, lambda row: "SNN" not in row),
    14: ("SNNs on CIFAR-10", 7, lambda row: "SNN" in row), 15: ("ANNs on CIFAR-10", 7, lambda row: "SNN" not in row),
    16: ("MobileNetV2, before and after", 5, lambda row: "Mobile" in row),
    17: ("VGG19, before and after", 5, lambda row: "VGG" in row),
}  # fmt: skip
#: number -> data and what is done to it
_STRESS = {7: ("mnist", "noise"), 8: ("cifar-10", "noise"), 10: ("mnist", "attack"), 11: ("cifar-10", "attack")}


def paper_pictures(trials: Trials) -> dict[str, Picture]:
    """Every figure by its name; those of trials that were not run hold the published values alone, or say so."""
    found: dict[str, Picture] = {}
    for number, (data, what) in _STRESS.items():
        rows = trials.find(data, "S", "robustness", 0, "corrected") or trials.find(
            data, "S", "robustness", 0, "published"
        )
        title = f"Figure {number}: {'noise' if what == 'noise' else 'FGSM'} on {data}"
        if not rows:
            found[f"figure-{number:02}"] = _missing(title)
            continue
        told = Robustness.from_dict(rows[0].values["robustness"])
        told_small = small(rows[0], data)
        make = _noise if what == "noise" else _attacks
        found[f"figure-{number:02}"] = make(title, told, told_small)
    for number, (title, table, belongs) in _ENERGY.items():
        lines = [line for line in paper.lines(table) if belongs(line.row.name)]
        found[f"figure-{number}-operations"] = _operations(f"Figure {number}: operations of {title}", lines, trials)
        found[f"figure-{number}-kwh"] = _kwh(f"Figure {number}: kWh of {title}", lines, trials)
    return found


def _missing(title: str) -> Picture:
    picture = Picture(
        title, "Not run here. The published figure is a picture whose values are nowhere stated.", height=40
    )
    picture.add(Words(0, 20, NOT_RUN, "muted"))
    return picture


def _noise(title: str, found: Robustness, told: str) -> Picture:
    lines = []
    for name in found.clean:
        rows = found.curve(name, "gaussian")
        if rows:
            x = (0.0, *(row.level for row in rows))
            lines.append(Line(name, x, (found.clean[name], *(row.accuracy for row in rows))))
    says = f"Gaussian noise on {found.samples:,} test samples, the same for all{told}. Theirs states no level."
    return curves(title, says, lines, across_is="standard deviation", upwards_is="right answers")


def _attacks(title: str, found: Robustness, told: str) -> Picture:
    wanted = (
        ("ANN, FGSM", "ANN", "fgsm", "own gradient"), ("SNN, no gradient (naive)", "SNN", "naive", "none"),
        ("SNN, FGSM straight through", "SNN", "fgsm", "own gradient"), ("SNN, PGD", "SNN", "pgd", "own gradient"),
    )  # fmt: skip
    lines = []
    for label, network, kind, way in wanted:
        rows = found.curve(network, kind, way)
        if rows:
            lines.append(Line(label, tuple(row.level for row in rows), tuple(row.accuracy for row in rows)))
    levels = sorted({row.level for row in found.rows if row.kind == "fgsm"})
    for network in ("SNN", "converted"):
        if levels and network in found.clean:
            worst = tuple(found.worst(network, level) for level in levels)
            lines.append(Line(f"{network}, worst of all honest", tuple(levels), worst))
    says = found.said[0].upper() + found.said[1:] + (f" {told.strip()[1:-1].capitalize()}." if told else "")
    return curves(title, says, lines, across_is="epsilon", upwards_is="right answers")


def _operations(title: str, lines: Sequence[paper.Line], trials: Trials) -> Picture:
    rows = []
    for line in lines:
        published = max(paper_scores.OPERATIONS[line.row.table, line.row.name])
        theirs = line.row.timesteps * line.row.neurons or line.row.macs or None
        right = (
            None
            if line.corrected is None
            else line.corrected * 3.6e6 / (paper.ACCUMULATE if line.row.timesteps else paper.MULTIPLY)
        )
        counted = _counted(line, trials)
        rows.append((line.row.name, (published, theirs, right, counted and counted[0] + counted[1])))
    return _dots(title, rows, "operations a sample", "operations")


def _kwh(title: str, lines: Sequence[paper.Line], trials: Trials) -> Picture:
    rows = []
    for line in lines:
        counted = _counted(line, trials)
        rows.append((line.row.name, (line.as_published, line.its_arithmetic, line.corrected, counted and counted[2])))
    return _dots(title, rows, "kWh a sample, at their prices for 12 nm", "kWh")


def _counted(line: paper.Line, trials: Trials) -> tuple[float, float, float] | None:
    return counted_kwh(trials.counted(*paper_scores.network_of(line.row.table, line.row.name)))


def _dots(title: str, rows: Sequence[tuple[str, Sequence[float | None]]], across_is: str, unit: str) -> Picture:
    """One line a row on a logarithmic axis, a mark a series."""
    every = [value for _, values in rows for value in values if value]
    left, row_high = 92.0, 24.0
    bottom = 12 + row_high * len(rows)
    x = decades(every, left, WIDTH - 10)
    most = max(
        (max(a / b, b / a), name) for name, values in rows for a, b in [(values[0], values[2])] if a and b
    ) if any(values[0] and values[2] for _, values in rows) else None  # fmt: skip
    off = (
        f"{most[1]} is off by {most[0]:.3g} times as published"
        if most
        else "nothing here can be corrected from what is stated"
    )
    counted = "" if any(values[3] for _, values in rows) else " Counted here: not run."
    picture = Picture(title, f"{off}, in {unit}.{counted}", height=bottom + 40 + 17 * 2)
    picture.add(*across(x, 8, bottom, lambda tick: f"{tick:.0e}".replace("e-0", "e-").replace("e+0", "e"), most=5))
    for number, (name, values) in enumerate(rows):
        y = 8 + row_high * (number + 0.5)
        picture.add(Words(left - 8, y + 4, name, anchor="end"), Strokes(((left, y, WIDTH - 10, y),), "grid"))
        for (series, shape, role), size, value in zip(_SERIES, _SIZES, values, strict=True):
            if value:
                picture.add(Marker(x(value), y, shape, role, size, f"{name}, {series}: {value:.4g} {unit}"))
    picture.add(Words(WIDTH, bottom + 30, across_is, "muted", anchor="end"))
    for number, (series, shape, role) in enumerate(_SERIES):
        at, top = (number % 2) * WIDTH / 2, bottom + 48 + 17 * (number // 2)
        picture.add(Marker(at + 6, top - 4, shape, role, 4.5), Words(at + 16, top, series, size=SMALL))
    return picture
