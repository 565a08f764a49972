"""The outlook's pictures: each is drawn from cited numbers, and comes with the table of what it shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .. import units
from ..outlook import records, sheets
from ..outlook.contradictions import MEASURED_QUERY, US_GRID, check
from ..outlook.notebook import Model, notebook
from ..outlook.phrases import parameters, power_of_ten, short, times, watts
from ..outlook.power_laws import fit, select
from ..outlook.projections import Projection, project
from ..outlook.records import JOULES_PER_WH, Run
from ..outlook.sheets import Sheet
from .drawing import Picture
from .outlook_marks import Law, Point, Row, cloud, ladder

#: role and meaning of a year's colour
ERAS = (("static", "until 2020"), ("ann", "2021 and 2022"), ("snn", "since 2023"))
_OURS, _EPOCH = "Makers and papers, see the sources below.", "Data: Epoch AI, CC BY 4.0, selected."
_EMBER = "Data: Ember, Our World in Data (CC BY 4.0); Meta; papers."


@dataclass(frozen=True)
class Figure:
    """A picture and the same numbers as a table."""

    name: str
    picture: Picture
    table: Sheet


def figures() -> list[Figure]:
    """Every picture of the outlook, in the order of its page."""
    return [
        power(), answers(), energy_by_operations(), energy_by_parameters(), energy_by_parameters_epoch(), efficiency(),
        projections(), by_year(), sizes(), carbon(), tonnes(), factors(),
    ]  # fmt: skip


def power() -> Figure:
    """Watts of brains, services and training runs."""
    book, brain = notebook(), records.brain()
    run, grok = (records.training().named(name) for name in ("GPT-4", "Grok-3"))
    given, answering = book.comparison, book.watts("GPT-4 (inference)")
    service = [given.queries_a_day * wh / 24 for wh in given.query_wh_range]
    rows = [
        Row("cortical computation", brain.computation.kind, brain.computation.watts, says="0.1 W of ATP"),
        Row("a brain", brain.power.kind, brain.power.watts, brain.power.low, brain.power.high, says="20 W (15 to 25)"),
        Row("GPT-4 answering", "assumed", printed=answering, says=f"{watts(answering)} as printed"),
        Row("the service, by its queries", "estimated", (service[0] * service[1]) ** 0.5, *service,
            printed=given.service_watts, says=f"{service[0] / 1e6:.0f} to {service[1] / 1e6:.0f} MW / 20 MW"),
        Row("training GPT-4", run.kind, _watts(run, run.joules), _watts(run, run.low), _watts(run, run.high),
            book.watts("GPT-4 (training)")),
        Row("training Grok-3 / GPT-5", grok.kind, _watts(grok, grok.joules), printed=book.watts("GPT-5 (training, est.)")),
    ]  # fmt: skip
    low, high = (watts / brain.power.watts / 1e6 for watts in service)
    says = (
        f"By its own number of queries the service needs {low:.1f} to {high:.1f} million brains, not one; of a brain's "
        f"20 W, {brain.computation.watts:g} W is what its cortex computes with."
    )
    picture = ladder("Power: brains, a service, two training runs", says, rows, watts, "watts, log axis", source=_EPOCH)
    return Figure("power", picture, sheets.power())


def answers() -> Figure:
    """Joules of one answer, by who says so."""
    queries = records.queries()
    brain = records.brain().power
    rows = [
        Row(one.name, one.kind, one.joules, *one.span, says=f"{one.wh:g} Wh, {one.kind}")
        for one in sorted(queries.query, key=lambda one: one.joules)
    ]
    rows.insert(0, Row("one token of Llama 3.1 8B", queries.token.kind, queries.token.joules, queries.token.low,
                       queries.token.high, says=f"{queries.token.joules:g} J, {queries.token.kind}"))  # fmt: skip
    printed = notebook().comparison.query_joules
    rows.append(
        Row("the notebook's query", "assumed", printed=printed, says=f"{printed / JOULES_PER_WH:g} Wh as printed")
    )
    measured = next(one for one in queries.query if one.name == MEASURED_QUERY)
    spread = max(one.joules for one in queries.query) / min(one.joules for one in queries.query)
    says = (
        f"What people say of one answer spans a factor of {spread:.0f}; the measured median, {measured.joules:.0f} J, is "
        f"{measured.joules / brain.watts:.0f} seconds of a brain."
    )
    minute = brain.watts * 60
    picture = ladder(
        "Energy of one answer", says, rows, _joules, "joules, log axis", line=(minute, "a minute of a brain")
    )
    return Figure("answers", picture, sheets.answers())


def energy_by_operations() -> Figure:
    """Training energy against operations, with the law of operations and year."""
    law = fit(("flop", "year"), "published")
    runs = select("published")
    outside = [records.training().named(name) for name in ("GPT-4", "Grok-3")]
    low, high = law.ends[0]
    lines = []
    for year, role, above in ((2020, "static", True), (2025, "snn", False)):
        ends = tuple((flop, law.predict(flop=flop, year=year)[0] / 3600) for flop in (low, high))
        lines.append(Law(ends, role, f"line of {year}", above=above))
    steps = [low * (high / low) ** (at / 8) for at in range(9)]
    for year, role, side in ((2020, "static", 2), (2025, "snn", 1)):  # the outer ends of the band of one further run
        band = tuple((flop, law.predict(flop=flop, year=year)[side] / 3600) for flop in steps)
        lines.append(Law(band, role, dash=(3, 3), width=1.0))
    labels = {"GPT-3": "left", "PaLM 540B": "left", "Llama 3.1 405B": "right below", "Llama 4 Maverick": "right below"}
    points = [_point(run, run.flop, labels) for run in runs if run.flop]
    points += [Point(run.flop or 0, run.joules / 3600, "estimated", "ink", f"{run.name}, not in the fit", run.name, "left")
               for run in outside]  # fmt: skip
    nominal, least, most = law.exponent("flop")
    fall = law.fall_a_year
    assert fall is not None
    says = (
        f"Energy is linear in operations: exponent {nominal:.2f} [{least:.2f}, {most:.2f}] through {law.n} runs, and the "
        f"joules of one operation fall by {fall[0]:.2f} [{fall[1]:.2f}, {fall[2]:.2f}] a year; 95 % of runs lie within "
        f"{law.factor():.1f} times the line. Dashed: the upper end of 2020 and the lower end "
        "of 2025 for one further run."
    )
    picture = cloud(
        "Training energy follows operations", says, points, lines, across_label=power_of_ten, up_label=_wh,
        axes=("floating-point operations of the run", "energy"), roles=(*ERAS, ("ink", "left out")), source=_OURS,
    )  # fmt: skip
    return Figure("operations", picture, _listed("operations", [*runs, *outside]))


def energy_by_parameters() -> Figure:
    """The same runs against their parameters."""
    return _by_parameters("published", "Training energy does not follow parameters", "parameters", _OURS)


def energy_by_parameters_epoch() -> Figure:
    """Epoch AI's runs against their parameters."""
    return _by_parameters("epoch", "The same in Epoch AI's data", "parameters-epoch", _EPOCH)


def efficiency() -> Figure:
    """Joules of one operation over the years."""
    runs = [run for run in select("published") if run.flop]
    law = fit(("flop", "year"), "published")
    middle = (law.ends[0][0] * law.ends[0][1]) ** 0.5
    first, last = law.ends[1]
    years = [first + (last - first) * at / 8 for at in range(9)]
    lines = [
        Law(tuple((year, law.predict(flop=middle, year=year)[side] / middle) for year in years), *style)
        for side, style in ((0, ("ink", "")), (1, ("muted", "", (3, 3), 1.0)), (2, ("muted", "", (3, 3), 1.0)))
    ]
    points = [
        Point(run.year, _each(run), run.kind, _era(run), f"{run.name}: {units.joules(_each(run))} a FLOP")
        for run in runs
    ]
    fall = law.fall_a_year
    assert fall is not None
    best = min(runs, key=_each)
    says = (
        f"The joules of one operation fall by {fall[0]:.2f} a year, half every {0.30103 / -law.exponent('year')[0]:.1f} years; "
        f"the best of these runs is {best.name} with {units.joules(_each(best))} a FLOP."
    )
    picture = cloud(
        "Joules of one operation", says, points, lines, across_label=lambda year: f"{year:.0f}", up_label=_joules,
        axes=("year", "joules a FLOP"), roles=ERAS, years=True, source=_OURS, up=(1e-12, 2e-11),
    )  # fmt: skip
    return Figure("efficiency", picture, _listed("efficiency", runs))


def projections() -> Figure:
    """The notebook's future models with the bands that such a projection has."""
    rows = []
    for model in (model for model in notebook().model if model.projected):
        for runs, whose in (("dense", "makers' runs"), ("epoch", "Epoch AI's runs")):
            one = project(parameters=model.parameters, runs=runs)
            rows.append(_projected(f"{model.name} by {whose}", one, model.joules))
    for name in ("GPT-4", "Grok-3"):
        one, run = sheets.of_run(name), records.training().named(name)
        rows.append(_projected(f"{name} by operations", one, run.joules))
    widest = max((row.high or 1) / (row.low or 1) for row in rows)
    narrow = min((row.high or 1) / (row.low or 1) for row in rows)
    says = (
        f"A projection from parameters spans a factor of up to {widest:,.0f}, one from operations of {narrow:.0f}: the first says "
        "nothing. Bands are those of one further run, 95 %; for GPT-4 and Grok-3 Epoch AI's estimate stands as printed."
    )
    picture = ladder("Projections and what they are worth", says, rows, _wh, "energy of one training run, log axis",
                     source="Epoch AI: watts times hours of whole servers, CC BY 4.0.")  # fmt: skip
    return Figure("projections", picture, sheets.projections())


def by_year() -> Figure:
    """Training energy over the years: as printed, and as somebody answers for."""
    models = notebook().model
    points = [
        Point(model.year, model.joules / 3600, "assumed", "snn", f"{model.name}: {_wh(model.joules / 3600)} as printed",
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
    return Figure("years", picture, sheets.history())


def sizes() -> Figure:
    """Parameters over the years: as printed, and as known."""
    models = notebook().model
    runs = [run for run in records.training().run if run.parameters]
    points = [
        Point(model.year, model.parameters, "assumed", "snn", f"{model.name}: {parameters(model.parameters)} as printed",
              model.name, "right" if model.name in ("BERT-Large", "GPT-2") else "left")
        for model in models
    ]  # fmt: skip
    points += [
        Point(run.year, run.parameters or 0, run.kind, "ann", f"{run.name}: {parameters(run.parameters or 0)}")
        for run in runs
    ]
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
    return Figure("sizes", picture, _listed("sizes", runs))


def tonnes() -> Figure:
    """Tonnes of CO2 of the table, beside the same energy on grids that exist."""
    clean, usual, world = (records.grids().named(name) for name in sheets.GRIDS)
    rows = []
    for model in notebook().model:
        if model.tonnes is None:
            continue
        run = records.training().named(model.run) if model.run else None
        mwh = run.mwh if run else model.mwh
        low, middle, high = (mwh * grid.kg_per_kwh for grid in (clean, usual, world))
        rows.append(Row(f"{model.name}, {'cited' if run else 'printed'} energy", "estimated", middle, low, high, model.tonnes,
                        f"{middle:,.0f} t / {model.tonnes:,.0f} t"))  # fmt: skip
    says = (
        f"Marks: at {usual.kg_per_kwh:g} kg a kWh ({usual.name}); bands from {clean.name} to {world.name}. GPT-3's row is that "
        "of its grid; the later rows fit no grid cleaner than France's."
    )
    picture = ladder(
        "Tonnes of training", says, rows, lambda t: f"{t:,.0f} t", "tonnes of CO2e, log axis", source=_EMBER
    )
    return Figure("tonnes", picture, sheets.carbon())


def carbon() -> Figure:
    """The grids that the carbon table implies, beside grids."""
    implied = [
        Row(f"{model.name}'s row", "assumed", printed=model.kg_per_kwh, says=f"{model.kg_per_kwh:.3f} implied")
        for model in notebook().model if model.kg_per_kwh
    ]  # fmt: skip
    known = [
        Row(grid.name, grid.kind, grid.kg_per_kwh, grid.low, grid.high, says=f"{grid.kg_per_kwh:g}")
        for grid in records.grids().grid if not grid.name.startswith("GPT-3")
    ]  # fmt: skip
    values = [row.printed for row in implied if row.printed]
    says = (
        f"The rows of one carbon table imply grids {max(values) / min(values):.1f} times apart: GPT-3's is that of the US, "
        f"the others' is cleaner than France's. At {records.grids().named(US_GRID).kg_per_kwh:g} kg a kWh GPT-4's 50 GWh are "
        f"{notebook().named('GPT-4').mwh * records.grids().named(US_GRID).kg_per_kwh:,.0f} t."
    )
    picture = ladder("Carbon of a kilowatt-hour", says, [*known, *implied], lambda kg: f"{kg:g}", "kg of CO2e a kWh, log axis",
                     source=_EMBER)  # fmt: skip
    return Figure("carbon", picture, sheets.carbon())


def factors() -> Figure:
    """How far apart published numbers lie from what follows from them."""
    found = sorted((one for one in check() if one.factor is not None), key=lambda one: -(one.factor or 0))
    rows = [Row(_SHORT.get(one.name, one.title), "estimated", one.factor, says=times(one.factor or 1)) for one in found]
    says = (
        f"{len(found)} numbers of the notebook, and by what factor each is away from what its own or its sources' numbers "
        f"give; {sum(1 for one in found if (one.factor or 0) > 2)} are more than twofold."
    )
    picture = ladder("How far apart", says, rows, lambda factor: f"{factor:,.0f}×", "factor, log axis", bars=True)
    table = Sheet(
        "factors", "Factors", ("contradiction", "as printed", "computed again", "factor"),
        tuple((one.title, one.printed, one.computed, times(one.factor or 1)) for one in found), words=(1, 2),
    )  # fmt: skip
    return Figure("factors", picture, table)


_SHORT = {
    "gpt4-training": "GPT-4's training, 3 energies", "service-power": "power of the service",
    "inference-power": "GPT-4 answering, 2 powers", "query-energy": "energy of one query",
    "carbon": "grids of one table", "law-claims": "the law's own examples", "law-linear": "'linear', exponent 1.3",
    "projections-law": "projections against the law", "history-exponent": "exponent of the history",
    "childhood": "energy of a childhood", "brain-efficiency": "'10⁶ times more efficient'",
    "coal-plant": "GPT-6 and a coal plant", "intelligence": "intelligence scores", "limit-gpt-6": "GPT-6 and the limit",
    "energy-palm": "PaLM's energy",
}  # fmt: skip


def _by_parameters(runs: str, title: str, name: str, source: str) -> Figure:
    law = fit("parameters", runs)
    kept = [run for run in select(runs) if run.parameters]
    low, high = law.ends[0]
    steps = [low * (high / low) ** (at / 8) for at in range(9)]
    lines = [
        Law(tuple((size, law.predict(parameters=size)[side] / 3600) for size in steps), role, "", dash, width)
        for side, role, dash, width in ((0, "ink", None, 1.6), (1, "muted", (3, 3), 1.0), (2, "muted", (3, 3), 1.0))
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


def _projected(name: str, one: Projection, printed: float) -> Row:
    low, high = (None if end is None else end / 3600 for end in (one.low, one.high))
    return Row(name, "estimated", one.joules / 3600, low, high, printed / 3600)


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


def _point(run: Run, x: float | None, labels: dict[str, str]) -> Point:
    name = f"{run.name}, {run.year:.0f}: {_wh(run.joules / 3600)}, {run.kind}"
    label = run.name if run.name in labels else ""
    return Point(x or 0, run.joules / 3600, run.kind, _era(run), name, label, labels.get(run.name, "right"))


def _on_the_curve(models: Sequence[Model], year: float) -> float:
    """Joules of the printed curve in a year, straight between its points on a logarithmic axis."""
    years = [model.year for model in models]
    return float(10 ** np.interp(year, years, np.log10([model.joules for model in models])))


def _each(run: Run) -> float:
    """Joules of one operation."""
    return run.joules / (run.flop or 1)


def _era(run: Run) -> str:
    return "static" if run.year < 2021 else "ann" if run.year < 2023 else "snn"


def _watts(run: Run, joules: float) -> float:
    return joules / ((run.hours or 1) * 3600)


def _wh(watt_hours: float) -> str:
    return short(units.si(watt_hours, "Wh"))


def _joules(joules: float) -> str:
    return short(units.joules(joules))
