"""The outlook's tables: what was published beside what follows from cited numbers, as rows of text for any reader."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import units
from . import records
from .contradictions import MEASURED_QUERY, SECONDS_PER_YEAR, US_GRID
from .notebook import notebook
from .phrases import in_words, parameters, times, watts, wh, wh_range
from .power_laws import SELECTIONS, Fit, fits, select
from .projections import Projection, project

#: grids of the carbon table, from clean to dirty
GRIDS = ("France 2023", US_GRID, "World 2024")


@dataclass(frozen=True)
class Sheet:
    """A table: headings, rows as long as the headings, and what a reader has to know beside them.

    `words` are the columns that hold sentences; the first column names the row.
    """

    name: str
    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""
    words: tuple[int, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        rows = [dict(zip(self.headings, row, strict=True)) for row in self.rows]
        return {"title": self.title, "note": self.note, "rows": rows}


def tables() -> dict[str, Sheet]:
    """Every table by name: first those of the notebook as published and corrected, then the sources."""
    sheets = (
        comparison(), power(), history(), scaling(), projections(), carbon(), intelligence(), differences(),
        laws(), accounts(), runs(), answers(), brains(), electricity(),
    )  # fmt: skip
    return {sheet.name: sheet for sheet in sheets}


def comparison() -> Sheet:
    """GPT-4 beside a brain: training, power, one answer."""
    given, power = notebook().comparison, records.brain().power
    run, measured = records.training().named("GPT-4"), _measured()
    low, high = run.energy.low / 3600, run.energy.high / 3600
    kwh = [
        watts * given.brain_years * SECONDS_PER_YEAR / units.JOULES_PER_KWH
        for watts in (power.low, power.watts, power.high)
    ]
    ratios = [times(low / (kwh[2] * 1e3)), times(high / (kwh[0] * 1e3))]
    service = [given.queries_a_day * each / 24 for each in (*given.query_wh_range, measured.wh)]
    seconds = [measured.joules / one for one in (power.high, power.watts, power.low)]
    rows = (
        ("Training of GPT-4", f"~{given.training_gwh:.0f} GWh", wh_range(run.energy),
         "estimated by Epoch AI; its maker has published nothing"),
        (f"A brain's {given.brain_years:.0f} years", f"~{given.brain_kwh:,.0f} kWh",
         f"{kwh[1]:,.0f} kWh [{kwh[0]:,.0f} to {kwh[2]:,.0f}]", "20 W [15 to 25] all the time; body and teachers left out"),
        ("Training over childhood", f">{given.training_over_brain:,.0f}×", f"{ratios[0]} to {ratios[1]}",
         "one final run against one brain that serves one person; the model serves millions"),
        ("Power of the service", f"~{given.service_watts / 1e6:.0f} MW", f"{service[0] / 1e6:.0f} to {service[1] / 1e6:.0f} MW",
         f"its own {in_words(given.queries_a_day)} queries a day; {service[2] / 1e6:.0f} MW at another maker's measured median"),
        ("Brains that need as much", f"{given.brains / 1e6:.0f} million",
         f"{service[0] / power.watts / 1e6:.1f} to {service[1] / power.watts / 1e6:.1f} million", "of 20 W"),
        ("One answer", f"~{given.query_joules:,.0f} J", f"{measured.joules:,.0f} J [{measured.energy.low:,.0f} to "
         f"{measured.energy.high:,.0f}]", f"measured median, {measured.name}; low: accelerators alone"),
        ("A brain meanwhile", "more than a minute", f"{seconds[1]:.0f} s [{seconds[0]:.0f} to {seconds[2]:.0f}]",
         "how long a brain lives on the energy of one answer"),
    )  # fmt: skip
    return Sheet(
        "comparison", "GPT-4 and a brain", ("quantity", "as published", "computed again", "what it is"), rows,
        "Ranges are those of the sources. Operations of a brain are not counted by anybody: no row compares them.", (3,),
    )  # fmt: skip


def power() -> Sheet:
    """The bars of the first figure."""
    given, brain = notebook(), records.brain()
    run, grok = records.training().named("GPT-4"), records.training().named("Grok-3")
    again = {
        "Human brain": f"{brain.power.watts:.0f} W [{brain.power.low:.0f} to {brain.power.high:.0f}]",
        "GPT-4 (training)": f"{_watts(run)}, estimated",
        "GPT-5 (training, est.)": f"no source; Grok-3 {_watts(grok)}, estimated",
    }
    rows = [(bar.name, watts(bar.watts), again.get(bar.name, "no source")) for bar in given.power]
    rows.append(
        ("Cortical computation", "not given", f"{brain.computation.watts:g} W of ATP, {brain.computation.kind}")
    )
    return Sheet(
        "power", "Power, figure 1", ("system", "as published", "by a source"), tuple(rows), brain.computation.note
    )


def history() -> Sheet:
    """Training energies of the history, beside those that somebody answers for."""
    rows = []
    for model in (model for model in notebook().model if not model.projected):
        run = records.training().named(model.run) if model.run else None
        cited = f"{wh(run.joules)}, {run.kind}" if run else "no source found"
        factor = times(max(model.joules, run.joules) / min(model.joules, run.joules)) if run else ""
        source = run.source if run else f"printed reference: {model.reference}"
        rows.append(
            (model.name, f"{model.year:.0f}", parameters(model.parameters), wh(model.joules), cited, factor, source)
        )
    return Sheet(
        "history", "History of training energy",
        ("model", "year", "parameters", "as published", "by a source", "apart", "source"), tuple(rows), words=(6,),
    )  # fmt: skip


def scaling() -> Sheet:
    """What the law says, and what it is said to say."""
    law = notebook().scaling
    rows = [
        (
            f"{step:g}× the parameters",
            f"{told:g}×",
            f"{step**law.exponent:.4g}×",
            f"{step:g}× for {step:g}× the operations",
        )
        for step, told in law.claims
    ]
    return Sheet(
        "scaling", f"The law E = k N^{law.exponent:g}", ("step", "as published", "by the law itself", "by operations"),
        tuple(rows), "Energy is linear in operations within its interval. How many operations a size gets is a recipe: with "
        "optimal N ~ C^0.73 (Kaplan et al. 2020) C ~ N^1.37, with N ~ C^0.5 (Hoffmann et al. 2022) C ~ N^2, on as many "
        "tokens C ~ N; an exponent of parameters is that of the recipe.",
    )  # fmt: skip


def projections() -> Sheet:
    """The notebook's future models, by laws that know their own error."""
    rows = []
    for model in (model for model in notebook().model if model.projected):
        by = [project(parameters=model.parameters, runs=runs) for runs in ("dense", "epoch")]
        beyond = ", ".join(f"{one.beyond:.1f}" for one in by)
        rows.append((model.name, parameters(model.parameters), wh(model.joules), *(_band(one) for one in by), beyond))
    return Sheet(
        "projections", "Projections by parameters",
        ("model", "parameters", "as published", "dense runs as published", "Epoch AI's runs", "decades beyond"), tuple(rows),
        "In brackets the 95 % band of one further run. Bands so wide mean that parameters alone predict nothing; without "
        "them these numbers would not be printed. By operations: GPT-4 " + _band(of_run("GPT-4"))
        + ", Grok-3 " + _band(of_run("Grok-3")) + "; Epoch AI's watts times hours, of whole servers, are "
        + " and ".join(wh(records.training().named(name).joules) for name in ("GPT-4", "Grok-3")) + ".",
    )  # fmt: skip


def carbon() -> Sheet:
    """Tonnes as printed, the grid that they imply, and tonnes on grids that exist."""
    grids = [records.grids().named(name) for name in GRIDS]
    rows = []
    for model in (model for model in notebook().model if model.tonnes is not None and model.cars is not None):
        run = records.training().named(model.run) if model.run else None
        mwh, whose = (run.mwh, "cited") if run else (model.mwh, "printed")
        again = (f"{mwh * grid.kg_per_kwh:,.0f} t" for grid in grids)
        rows.append(
            (model.name, f"{model.tonnes:,.0f} t", f"{model.cars:,.0f} cars", f"{model.kg_per_kwh:.3f}",
             f"{wh(mwh * records.JOULES_PER_MWH)}, {whose}", *again)
        )  # fmt: skip
    car = records.grids().car
    return Sheet(
        "carbon", "Carbon of training",
        ("model", "as published", "for a year", "kg a kWh", "energy",
         *(f"{grid.name}, {grid.kg_per_kwh:g}" for grid in grids)),
        tuple(rows), f"Cars are right: about {car.kg_a_year / 1e3:.1f} t of CO2 a year each. The grids that the rows imply are "
        "not one grid.",
    )  # fmt: skip


def intelligence() -> Sheet:
    """The scores of the first figure, and the mean that they are said to be."""
    book = notebook()
    facets, systems = book.facets, book.facets.of()
    drawn = {bar.name.split(" (")[0]: bar.intelligence for bar in book.power}
    rows = [(name, "1.0", *(facets.printed[system][at] for system in systems)) for at, name in enumerate(facets.names)]
    rows.append(("mean, in per cent", "100", *(f"{100 * float(np.mean(scores)):.1f}" for scores in systems.values())))
    rows.append(("drawn in figure 1", "100", *(f"{drawn[system]:.0f}" for system in systems)))
    return Sheet(
        "intelligence", "'Intelligence'", ("facet", "human", *systems), tuple(rows),
        "No row has a source, so intelligence for a watt is not drawn here. Scores above 1 count as 1 in the mean.",
    )  # fmt: skip


def differences() -> Sheet:
    """What the notebook says of ANNs and SNNs in general."""
    said = {
        "Information encoding": "depends on timesteps and rates: count it for two networks",
        "Computation": "synaptic operations are counted, exactly, for a network and its data",
        "Activity": "recorded per layer and neuron",
        "Hardware": "static power is a switch of the bill: most of a large factor is that",
    }
    rows = tuple((row.aspect, row.ann, row.snn, row.impact, said[row.aspect]) for row in notebook().difference)
    return Sheet(
        "differences", "ANNs and SNNs", ("aspect", "ANN", "SNN", "impact, as published", "what can be known"), rows,
        "None of the factors has a source. `spikeledger compare` counts and prices a pair of networks instead.",
        (1, 2, 3, 4),
    )  # fmt: skip


def laws() -> Sheet:
    """Every fit with its intervals."""
    apart = [theirs.joules / run.joules for run, theirs in twice()]
    return Sheet(
        "fits", "What training energy follows",
        ("runs", "law of", "n", "exponent", "falls a year by", "sd, decades", "95 % within", "R2"),
        tuple(_law(one) for one in fits()),
        "N: parameters. Least squares on logarithms; in brackets 95 % intervals of Student's t. 'Epoch' is watts times "
        "hours of whole "
        f"servers, {times(min(apart))} to {times(max(apart))} what makers give for the same run, and stays apart. "
        + "; ".join(f"{name}: {len(select(name))} {sentence}" for name, sentence in SELECTIONS.items()) + ".",
    )  # fmt: skip


def twice() -> list[tuple[records.Run, records.Run]]:
    """Runs that their makers and Epoch AI both give an energy for: theirs, and Epoch AI's."""
    epochs = {run.name: run for run in records.epoch().run}
    return [(run, epochs[run.epoch]) for run in records.training().run if run.epoch in epochs]


def accounts() -> Sheet:
    """The same run, by its makers and by Epoch AI."""
    rows = [
        (run.name, wh(run.joules), run.scope, wh(theirs.joules), times(theirs.joules / run.joules))
        for run, theirs in twice()
    ]
    return Sheet(
        "accounts", "One run, two accounts", ("run", "as published", "its boundary", "Epoch AI, whole servers", "ratio"),
        tuple(rows), "Accelerators alone, rated watts, whole servers, data centres: a boundary is worth a factor of two.", (2,),
    )  # fmt: skip


def runs() -> Sheet:
    """Every training run with its source."""
    rows = tuple(
        (
            run.name, f"{run.year:.1f}", _size(run.parameters) + (f", {_size(run.active)} active" if run.active else ""),
            f"{run.flop:.3g}" if run.flop else "", wh_range(run.energy),
            run.kind + (", metered" if run.metered else ""),
            ". ".join(part for part in (run.scope, f"{run.source} ({_SEEN[run.checked]})", run.note) if part),
        )
        for run in sorted(records.training().run, key=lambda run: run.year)
    )  # fmt: skip
    return Sheet(
        "training", "Training runs and their sources",
        ("run", "year", "parameters", "FLOP", "energy", "kind", "scope and source"),
        rows, "Hours times rated watts are 'reported': they confirm hours, not joules.", (6,),
    )  # fmt: skip


def answers() -> Sheet:
    """Energy of one answer, by those who say so."""
    rows = [
        (one.name, f"{one.wh:g} Wh" + (f" [{one.low:g} to {one.high:g}]" if one.low != one.high and one.high else ""),
         f"{one.joules:,.0f} J", one.kind,
         ". ".join(part for part in (one.scope, f"{one.source} ({_SEEN[one.checked]})", one.note) if part))
        for one in sorted(records.queries().query, key=lambda one: records.KINDS.index(one.kind))
    ]  # fmt: skip
    token, cycle = records.queries().token, records.queries().life_cycle
    rows.append((token.name, f"{token.joules / 3600:.2g} Wh", f"{token.joules:g} J [{token.low:g} to {token.high:g}]",
                 token.kind, f"{token.scope}. {token.source}. {token.note}"))  # fmt: skip
    rows.append(
        (cycle.name, "not given", f"{cycle.kg_co2e * 1e3:g} g CO2e", cycle.kind, f"{cycle.scope}. {cycle.source}")
    )
    return Sheet(
        "queries", "One answer", ("what", "as given", "joules", "kind", "scope and source"), tuple(rows), words=(4,)
    )


def brains() -> Sheet:
    """What a brain needs, with sources."""
    brain = records.brain()
    rows = (
        ("power", f"{brain.power.watts:g} W [{brain.power.low:g} to {brain.power.high:g}]", brain.power.kind,
         f"{brain.power.source} ({_SEEN[brain.power.checked]}). {brain.power.note}"),
        ("cortical computation", f"{brain.computation.watts:g} W of ATP", brain.computation.kind,
         f"{brain.computation.source} ({_SEEN[brain.computation.checked]})"),
        ("neurons", f"{brain.neurons.count / 1e9:.1f} billion [{brain.neurons.low / 1e9:.0f} to {brain.neurons.high / 1e9:.1f}]",
         brain.neurons.kind, f"{brain.neurons.source} ({_SEEN[brain.neurons.checked]})"),
        ("a child's brain", f"{brain.childhood.share_of_resting:.0%} of the body at rest", brain.childhood.kind,
         f"{brain.childhood.source} ({_SEEN[brain.childhood.checked]})"),
    )  # fmt: skip
    return Sheet("brain", "Brains", ("what", "value", "kind", "source"), rows, words=(3,))


def electricity() -> Sheet:
    """Carbon of a kilowatt-hour, and what it is compared with."""
    grids = records.grids()
    rows = [
        (grid.name, f"{grid.kg_per_kwh:g} kg a kWh" + (f" [{grid.low:g} to {grid.high:g}]" if grid.low else ""),
         ". ".join(p for p in (f"{grid.source} ({_SEEN[grid.checked]})", grid.note) if p))
        for grid in grids.grid
    ]  # fmt: skip
    plant, car = grids.coal_plant, grids.car
    rows.append(
        (
            "coal plant",
            f"{plant.watts / 1e6:g} MW, {plant.load:.0%}, {plant.kg_per_kwh:g} kg a kWh",
            f"{plant.source}. {plant.note}",
        )
    )
    rows.append(("car", f"{car.kg_a_year / 1e3:g} t a year", f"{car.source} ({_SEEN[car.checked]})"))
    return Sheet("grids", "Electricity", ("what", "carbon", "source"), tuple(rows), words=(2,))


def of_run(name: str) -> Projection:
    """A known run by the law of operations and year."""
    run = records.training().named(name)
    return project(flop=run.flop, year=run.year)


_SEEN = {"read": "text read", "quoted": "read where it is quoted", "press": "from the press"}


def _measured() -> records.Query:
    return next(one for one in records.queries().query if one.name == MEASURED_QUERY)


def _law(one: Fit) -> tuple[str, ...]:
    main = one.of[0]
    nominal, low, high = one.exponent(main)
    fall = one.fall_a_year
    falls = f"{fall.nominal:.2f}× [{fall.low:.2f}, {fall.high:.2f}]" if fall else ""
    of = {"flop": "FLOP, year", "parameters": "N"}[main]
    return (one.runs, of, str(one.n), f"{nominal:.2f} [{low:.2f}, {high:.2f}]", falls, f"{one.sd:.2f}",
            times(one.factor()), f"{one.r2:.2f}")  # fmt: skip


def _band(one: Projection) -> str:
    return wh(one.joules) if one.band is None else wh_range(one.band)


def _watts(run: records.Run) -> str:
    if run.power is None:
        return "not known"
    ends = "" if run.power.certain else f" [{watts(run.power.low)} to {watts(run.power.high)}]"
    return watts(run.power.nominal) + ends


def _size(number: float | None) -> str:
    return "" if number is None else parameters(number)
