"""Clouds of training runs: energy against operations, parameters and years, each with its law and its band."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import log

import numpy as np

from .. import units
from ..outlook import records
from ..outlook.notebook import Model, notebook
from ..outlook.phrases import parameters, power_of_ten, short
from ..outlook.power_laws import fit, select
from ..outlook.published_tables import Sheet
from ..outlook.records import Run
from .outlook_marks import Figure, Law, Point, cloud

#: role and meaning of a year's colour
ERAS = (("static", "until 2020"), ("ann", "2021 and 2022"), ("snn", "since 2023"))
#: later years are larger too, for readers without colour
_RADII = {"static": 3.2, "ann": 4.2, "snn": 5.0}
#: ends of a prediction, and how each is drawn
_SIDES = (("nominal", "ink", None, 1.6), ("low", "muted", (3, 3), 1.0), ("high", "muted", (3, 3), 1.0))
_OURS, _EPOCH = "Makers and papers, see the sources below.", "Data: Epoch AI, CC BY 4.0, selected."


def energy_by_operations() -> Figure:
    """Training energy against operations, with the law of operations and year."""
    law = fit(("flop", "year"), "published")
    runs = select("published")
    outside = [records.training().named(name) for name in ("GPT-4", "Grok-3")]
    low, high = law.ends[0]
    lines = []
    for year, role, above in ((2020, "static", True), (2025, "snn", False)):
        ends = tuple((flop, law.predict(flop=flop, year=year).nominal / 3600) for flop in (low, high))
        lines.append(Law(ends, role, f"line of {year}", above=above))
    steps = [low * (high / low) ** (at / 8) for at in range(9)]
    for year, role, side in ((2020, "static", "high"), (2025, "snn", "low")):  # the band's outer ends
        band = tuple((flop, getattr(law.predict(flop=flop, year=year), side) / 3600) for flop in steps)
        lines.append(Law(band, role, dash=(3, 3), width=1.0))
    labels = {"GPT-3": "left", "PaLM 540B": "left", "Llama 3.1 70B": "right below"}
    points = [_point(run, run.flop, labels) for run in runs if run.flop]
    points += [Point(run.flop or 0, run.joules / 3600, "estimated", "ink", f"{run.name}, not in the fit", run.name, "left")
               for run in outside]  # fmt: skip
    nominal, least, most = law.exponent("flop")
    fall = law.fall_a_year
    assert fall is not None
    says = (
        f"Energy is linear in operations: exponent {nominal:.2f} [{least:.2f}, {most:.2f}] through {law.n} runs, and the "
        f"joules of one operation fall by {fall.nominal:.2f} [{fall.low:.2f}, {fall.high:.2f}] a year; 95 % of runs lie within "
        f"{law.factor():.1f} times the line. Dashed: the upper end of 2020 and the lower end "
        "of 2025 for one further run."
    )
    picture = cloud(
        "Training energy follows operations", says, points, lines, across_label=power_of_ten, up_label=_wh,
        axes=("floating-point operations of the run", "energy"), roles=(*ERAS, ("ink", "left out")), source=_OURS,
    )  # fmt: skip
    return Figure("operations", picture, _listed("operations", [*runs, *outside]))


def efficiency() -> Figure:
    """Joules of one operation over the years."""
    runs = [run for run in select("published") if run.flop]
    law = fit(("flop", "year"), "published")
    middle = (law.ends[0][0] * law.ends[0][1]) ** 0.5
    first, last = law.ends[1]
    years = [first + (last - first) * at / 8 for at in range(9)]
    lines = [
        Law(
            tuple((year, getattr(law.predict(flop=middle, year=year), side) / middle) for year in years),
            role,
            "",
            dash,
            width,
        )
        for side, role, dash, width in _SIDES
    ]
    points = [
        Point(
            run.year,
            _each(run),
            run.kind,
            _era(run),
            f"{run.name}: {units.joules(_each(run))} a FLOP",
            radius=_RADII[_era(run)],
        )
        for run in runs
    ]
    fall = law.fall_a_year
    assert fall is not None
    best = min(runs, key=_each)
    says = (
        f"The joules of one operation fall by {fall.nominal:.2f} a year, half every {log(2) / log(fall.nominal):.1f} years; "
        f"the best of these runs is {best.name} with {units.joules(_each(best))} a FLOP."
    )
    picture = cloud(
        "Joules of one operation", says, points, lines, across_label=lambda year: f"{year:.0f}", up_label=_joules,
        axes=("year", "joules a FLOP"), roles=ERAS, years=True, source=_OURS, up=(1e-12, 2e-11),
    )  # fmt: skip
    return Figure("efficiency", picture, _listed("efficiency", runs))


def by_year() -> Figure:
    """Training energy over the years: as printed, and as somebody answers for."""
    models = notebook().model
    points = [
        Point(model.year, model.joules / 3600, "assumed", "snn", f"{model.name} as printed",
              model.name, "right" if model.name in ("BERT-Large", "GPT-2") else "left")
        for model in models
    ]  # fmt: skip
    points += [Point(run.year, run.joules / 3600, run.kind, "ann", run.name) for run in records.training().run]
    line = Law(tuple((model.year, model.joules / 3600) for model in models), "snn", dash=(3, 3), width=1.2)
    largest = max(records.training().run, key=lambda run: run.joules)
    since = [run for run in records.training().run if run.year >= 2022]
    below = [run for run in since if run.joules * 10 < _on_the_curve(models, run.year)]
    says = (
        f"The notebook's curve ends at {_wh(models[-1].joules / 3600)} in {models[-1].year:.0f}; the largest run that anybody "
        f"estimates is {largest.name}, {_wh(largest.joules / 3600)} in {largest.year:.0f}. Of {len(since)} runs since 2022, "
        f"{len(below)} lie more than ten times below the curve."
    )
    picture = cloud(
        "Training energy by year", says, points, [line], across_label=lambda year: f"{year:.0f}", up_label=_wh,
        axes=("year", "energy"), roles=(("snn", "as printed, projections too"), ("ann", "by a source")), years=True, source=_OURS,
        up=(1e5, 1e14),
    )  # fmt: skip
    return Figure("years", picture, _dated("years", points, _wh))


def sizes() -> Figure:
    """Parameters over the years: as printed, and as known."""
    models = notebook().model
    runs = [run for run in records.training().run if run.parameters]
    points = [
        Point(model.year, model.parameters, "assumed", "snn", f"{model.name} as printed",
              model.name, "right" if model.name in ("BERT-Large", "GPT-2") else "left")
        for model in models
    ]  # fmt: skip
    points += [Point(run.year, run.parameters or 0, run.kind, "ann", run.name) for run in runs]
    line = Law(tuple((model.year, model.parameters) for model in models), "snn", dash=(3, 3), width=1.2)
    largest = max((run for run in runs if run.name != "GPT-4"), key=lambda run: run.parameters or 0)
    smaller = [run for run in runs if run.year >= 2023 and (run.parameters or 0) < 1.75e11]
    later = [run for run in runs if run.year >= 2023]
    says = (
        f"Among these runs size stopped growing: the largest that was disclosed is {largest.name}, "
        f"{parameters(largest.parameters or 0)} in {largest.year:.0f}, and of {len(later)} since 2023 {len(smaller)} are smaller "
        "than GPT-3. GPT-4's size is a rumour."
    )
    picture = cloud(
        "Parameters by year", says, points, [line], across_label=lambda year: f"{year:.0f}", up_label=parameters,
        axes=("year", "size"), roles=(("snn", "as printed"), ("ann", "by a source")), years=True, source=_OURS,
        up=(1e8, 1e15),
    )  # fmt: skip
    return Figure("sizes", picture, _dated("sizes", points, parameters))


def energy_by_parameters(runs: str) -> Figure:
    """Training energy against parameters, for the runs of their makers (`published`) or of Epoch AI (`epoch`)."""
    title, name, source = {
        "published": ("Training energy does not follow parameters", "parameters", _OURS),
        "epoch": ("The same in Epoch AI's data", "parameters-epoch", _EPOCH),
    }[runs]
    law = fit("parameters", runs)
    kept = [run for run in select(runs) if run.parameters]
    low, high = law.ends[0]
    steps = [low * (high / low) ** (at / 8) for at in range(9)]
    lines = [
        Law(tuple((size, getattr(law.predict(parameters=size), side) / 3600) for size in steps), role, "", dash, width)
        for side, role, dash, width in _SIDES
    ]
    labels = {"Switch-1.5T": "left", "GShard-600B": "left", "Llama 3.1 405B": "left", "Llama 3.1 8B": "right",
              "PaLM 540B": "left", "DeepSeek-V3": "right", "StarCoder": "right"} if runs == "published" else {}  # fmt: skip
    points = [_point(run, run.parameters, labels) for run in kept]
    nominal, least, most = law.exponent("parameters")
    says = (
        f"E ~ N^{nominal:.2f} [{least:.2f}, {most:.2f}] explains {100 * law.r2:.0f} % of the variance of {law.n} runs, and "
        f"95 % of them lie within {law.factor():.0f} times the line: "
    )
    says += (
        f"one size was trained on {_spread_at_same_size(kept):.0f} times the energy of another run, so parameters alone predict "
        "nothing."
        if runs == "published"
        else "1.3 is as good as 1, and neither tells the energy of one run."
    )
    picture = cloud(
        title, says, points, lines, across_label=parameters,
        up_label=_wh, axes=("parameters, of which some use a part", "energy"), roles=ERAS, source=source,
    )  # fmt: skip
    return Figure(name, picture, _listed(name, kept))


def _spread_at_same_size(runs: list[Run]) -> float:
    """The largest ratio of energies between runs whose parameters differ by a quarter at most."""
    return max(
        one.joules / other.joules for one in runs for other in runs
        if one.parameters and other.parameters and abs(one.parameters / other.parameters - 1) <= 0.25
    )  # fmt: skip


def _listed(name: str, runs: list[Run] | tuple[Run, ...]) -> Sheet:
    ordered = sorted(runs, key=lambda run: run.year)
    rows = tuple(
        (run.name, f"{run.year:.1f}", parameters(run.parameters) if run.parameters else "",
         f"{run.flop:.3g}" if run.flop else "", _wh(run.joules / 3600),
         units.joules(run.joules / run.flop) if run.flop else "", run.kind)
        for run in ordered
    )  # fmt: skip
    return Sheet(name, "The points", ("run", "year", "parameters", "FLOP", "energy", "a FLOP", "kind"), rows)


def _dated(name: str, points: Sequence[Point], write: Callable[[float], str]) -> Sheet:
    ordered = sorted(points, key=lambda point: point.x)
    rows = tuple((point.name, f"{point.x:.1f}", write(point.y), point.kind) for point in ordered)
    return Sheet(name, "The points", ("what", "year", "value", "kind"), rows)


def _point(run: Run, x: float | None, labels: dict[str, str]) -> Point:
    name = f"{run.name}, {run.year:.0f}: {_wh(run.joules / 3600)}, {run.kind}"
    label = run.name if run.name in labels else ""
    return Point(
        x or 0, run.joules / 3600, run.kind, _era(run), name, label, labels.get(run.name, "right"), _RADII[_era(run)]
    )


def _on_the_curve(models: Sequence[Model], year: float) -> float:
    """Joules of the printed curve in a year, straight between its points on a logarithmic axis."""
    years = [model.year for model in models]
    return float(10 ** np.interp(year, years, np.log10([model.joules for model in models])))


def _each(run: Run) -> float:
    """Joules of one operation."""
    return run.joules / (run.flop or 1)


def _era(run: Run) -> str:
    return "static" if run.year < 2021 else "ann" if run.year < 2023 else "snn"


def _wh(watt_hours: float) -> str:
    return short(units.si(watt_hours, "Wh"))


def _joules(joules: float) -> str:
    return short(units.joules(joules))
