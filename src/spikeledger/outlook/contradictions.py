"""Where published numbers do not fit each other: each is computed again, here, from the numbers as printed.

A check returns nothing where the numbers agree, so a corrected document passes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from .. import units
from ..arguments import checked
from . import records
from .notebook import Model, Notebook, notebook
from .phrases import in_words, parameters, power_of_ten, watts, wh

#: relative difference that rounding explains: three digits are printed at most
ROUNDING = 0.05
SECONDS_PER_YEAR = 365.25 * units.SECONDS_PER_DAY
MEASURED_QUERY = "Gemini Apps, median text prompt"
US_GRID = "US (Meta)"


@dataclass(frozen=True)
class Contradiction:
    """Two numbers of one document that cannot both hold, or one that its own source does not bear.

    `factor` is the larger number over the smaller one; it is None where words are wrong and not numbers.
    """

    name: str
    title: str
    where: str
    printed: str
    computed: str
    factor: float | None
    says: str

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


@checked
def check(book: Notebook | None = None) -> list[Contradiction]:
    """Contradictions of the notebook's numbers, or of another document in the same form; empty where all agree."""
    given = notebook() if book is None else book
    return [found for each in CHECKS for found in each(given)]


def _training_of_gpt4(book: Notebook) -> Iterator[Contradiction]:
    run = records.training().named("GPT-4")
    if run.hours is None:
        return
    table, history, drawn = book.comparison.training_gwh, book.named("GPT-4").mwh / 1e3, book.watts("GPT-4 (training)")
    of_power = drawn * run.hours / 1e9  # W h = Wh; / 1e9 = GWh
    values = (table, history, of_power)
    if _differ(min(values), max(values)):
        yield Contradiction(
            "gpt4-training", "GPT-4's training has three energies", "table 1, history, figure 1",
            f"{table:.0f} GWh; {history:.0f} GWh; {drawn / 1e6:.0f} MW",
            f"{of_power:.0f} GWh at {drawn / 1e6:.0f} MW for {run.hours:,.0f} h; "
            f"{history * 1e9 / run.hours / 1e6:.0f} MW for {history:.0f} GWh",
            max(values) / min(values),
            f"Epoch AI's estimate of the same run is {run.mwh / 1e3:.1f} GWh, "
            f"{run.mwh * 1e6 / run.hours / 1e6:.1f} MW for {run.hours:,.0f} hours.",
        )  # fmt: skip


def _energy_of_runs(book: Notebook) -> Iterator[Contradiction]:
    for model in book.model:
        run = records.training().named(model.run) if model.run else None
        if run is not None and run.published and _differ(model.joules, run.joules):
            yield Contradiction(
                f"energy-{model.name.lower()}", f"{model.name} needed another energy", "history",
                wh(model.joules), wh(run.joules), _factor(model.joules, run.joules), f"{run.source}: {run.scope}.",
            )  # fmt: skip


def _power_of_service(book: Notebook) -> Iterator[Contradiction]:
    given = book.comparison
    # queries/day * Wh / (24 h/day) = W
    low, high = (given.queries_a_day * wh / 24 for wh in given.query_wh_range)
    printed_low, printed_high = given.service_watts_range
    if _differ(low, printed_low) or _differ(high, printed_high):
        yield Contradiction(
            "service-power", "The service's power does not follow from its queries", "table 1, note c",
            f"{printed_low / 1e6:.0f} to {printed_high / 1e6:.0f} MW",
            f"{low / 1e6:.0f} to {high / 1e6:.0f} MW",
            math.sqrt(_factor(low, printed_low) * _factor(high, printed_high)),
            f"{in_words(given.queries_a_day)} queries times {given.query_wh_range[0]:g} to {given.query_wh_range[1]:g} Wh "
            f"in 24 hours are {low / given.brain_watts / 1e6:.1f} to {high / given.brain_watts / 1e6:.1f} million brains "
            f"of {given.brain_watts:.0f} W, not {given.brains / 1e6:.0f}.",
        )  # fmt: skip


def _power_of_inference(book: Notebook) -> Iterator[Contradiction]:
    drawn, told = book.watts("GPT-4 (inference)"), book.comparison.service_watts
    if _differ(drawn, told):
        yield Contradiction(
            "inference-power", "GPT-4 answers on two powers", "figure 1, table 1",
            f"{watts(drawn)} beside a brain", f"{watts(told)} in the table", _factor(drawn, told),
            "One may be a server and the other the service: neither says so, and both stand beside one brain.",
        )  # fmt: skip


def _energy_of_query(book: Notebook) -> Iterator[Contradiction]:
    given = book.comparison
    low, high = (wh * records.JOULES_PER_WH for wh in given.query_wh_range)
    measured = next(one for one in records.queries().query if one.name == MEASURED_QUERY)
    if given.query_joules > measured.joules * (1 + ROUNDING) or _differ(given.query_joules, (low + high) / 2):
        yield Contradiction(
            "query-energy", "One query is the upper end of its own range", "table 1",
            f"{given.query_joules:,.0f} J, more than a minute of a brain",
            f"{low:,.0f} to {high:,.0f} J; {measured.joules:,.0f} J measured",
            _factor(given.query_joules, measured.joules),
            f"The only measured median, {measured.wh:g} Wh ({measured.source.split(',')[0]}), is "
            f"{measured.joules / given.brain_watts:.0f} s of {given.brain_watts:.0f} W.",
        )  # fmt: skip


def _carbon_of_rows(book: Notebook) -> Iterator[Contradiction]:
    rows = [(model, model.kg_per_kwh) for model in book.model if model.kg_per_kwh is not None]
    values = [value for _, value in rows]
    if rows and _differ(min(values), max(values)):
        grid = records.grids().named(US_GRID)
        listed = ", ".join(f"{model.name} {value:.3f}" for model, value in rows)
        again = ", ".join(
            f"{model.name} {model.mwh * grid.kg_per_kwh:,.0f} t"
            for model, value in rows
            if _differ(value, grid.kg_per_kwh, 0.2)
        )
        yield Contradiction(
            "carbon", "One table uses several grids", "carbon",
            f"'measured emissions': {listed} kg a kWh", f"at {grid.kg_per_kwh:g} kg a kWh: {again}",
            max(values) / min(values),
            "Tonnes divided by the energy that the same document gives; a kilowatt-hour does not get cleaner by row.",
        )  # fmt: skip


def _claims_of_law(book: Notebook) -> Iterator[Contradiction]:
    law = book.scaling
    wrong = [(step, told, step**law.exponent) for step, told in law.claims if _differ(told, step**law.exponent)]
    if wrong:
        yield Contradiction(
            "law-claims", "The law does not give its own examples", "scaling law",
            ", ".join(f"{step:g}× → {told:g}×" for step, told, _ in wrong),
            ", ".join(f"{step:g}× → {again:.4g}×" for step, _, again in wrong),
            max(_factor(told, again) for _, told, again in wrong), f"A step to the power of {law.exponent:g}.",
        )  # fmt: skip
    if law.called == "linear" and law.exponent != 1:
        yield Contradiction(
            "law-linear", "A power law is called linear", "scaling law", f"'this linear scaling', exponent "
            f"{law.exponent:g}", f"ten times the size costs {10**law.exponent:.3g} times, not 10", 10 ** (law.exponent - 1),
            "Energy is linear in operations, which is another statement.",
        )  # fmt: skip


def _law_of_projections(book: Notebook) -> Iterator[Contradiction]:
    rows = sorted(book.model, key=lambda model: model.parameters)
    steps = [(a, b) for a, b in pairwise(rows) if b.projected]
    found = [(a, b, b.mwh / a.mwh, (b.parameters / a.parameters) ** book.scaling.exponent) for a, b in steps]
    wrong = [each for each in found if _differ(each[2], each[3])]
    if wrong:
        yield Contradiction(
            "projections-law", "The projections do not follow the law", "projections",
            ", ".join(f"{a.name} → {b.name} {told:.3g}×" for a, b, told, _ in wrong),
            ", ".join(
                f"{again:.3g}× (its own step: exponent {_exponent([a, b]):.3g})" for a, b, _, again in wrong
            ),
            max(_factor(told, again) for _, _, told, again in wrong),
            f"Both are said to be projected with exponent {book.scaling.exponent:g}.",
        )  # fmt: skip


def _exponent_of_history(book: Notebook) -> Iterator[Contradiction]:
    history = [model for model in book.model if not model.projected]
    own = _exponent(history)
    if round(own, 1) != book.scaling.exponent:
        yield Contradiction(
            "history-exponent", "The history has another exponent", "history, scaling law",
            f"{book.scaling.exponent:g}, 'empirically observed'",
            f"{own:.4g} through its {len(history)} points, {_exponent(book.model):.4g} with its projections",
            _factor(own, book.scaling.exponent),
            f"With the published energies of the same models it is {cited_exponent(book):.3g}: see "
            "the fits for what parameters can tell.",
        )  # fmt: skip


def _references(book: Notebook) -> Iterator[Contradiction]:
    for at, reference in enumerate(book.reference, 1):
        if reference.title != reference.real_title:
            yield Contradiction(
                f"reference-{at}", f"A source that says something else: {reference.cited_as}", "references",
                reference.title, reference.real_title, None, f"{reference.source}.",
            )  # fmt: skip


def _energy_of_childhood(book: Notebook) -> Iterator[Contradiction]:
    given, power = book.comparison, records.brain().power
    # W * years * s/year = J; / (J/kWh) = kWh
    kwh = {one: one * given.brain_years * SECONDS_PER_YEAR / units.JOULES_PER_KWH
           for one in (power.low, given.brain_kwh_watts, power.high)}  # fmt: skip
    own = kwh[given.brain_kwh_watts]
    if round(own, -2) != given.brain_kwh:
        yield Contradiction(
            "childhood", "A childhood's energy is rounded the wrong way", "table 1, note b",
            f"{given.brain_kwh:,.0f} kWh from {given.brain_kwh_watts:.0f} W and {given.brain_years:.0f} years",
            f"{own:,.0f} kWh; {kwh[power.low]:,.0f} to {kwh[power.high]:,.0f} with {power.low:.0f} to {power.high:.0f} W",
            _factor(own, given.brain_kwh),
            f"The same table takes {given.brain_watts:.0f} W for the brain two rows on; body and teachers are in neither.",
        )  # fmt: skip


def _unsourced(book: Notebook) -> Iterator[Contradiction]:
    run = records.training().named("Llama 3.1 405B")
    given, power = book.brain, records.brain().power.watts
    if run.flop is None:
        return
    own = (given.operations_a_second / power) / (run.flop / run.joules)  # (operations/J) / (FLOP/J)
    if _differ(own, given.times_more_efficient):
        yield Contradiction(
            "brain-efficiency", "The brain's advantage does not follow from its operations", "part 3",
            f"{power_of_ten(given.times_more_efficient)} times more efficient, "
            f"{power_of_ten(given.operations_a_second)} operations a second",
            f"{own:.0f} times, by its own operations", _factor(own, given.times_more_efficient),
            f"{power_of_ten(given.operations_a_second / power)} operations a joule against "
            f"{power_of_ten(run.flop / run.joules)} FLOP a joule of {run.name}. "
            f"Operations of a brain are assumed, not counted; so is 'SNN energy ~ n^{book.scaling.snn_exponent:g}', which has no "
            "source and is not drawn here.",
        )  # fmt: skip


def _coal(book: Notebook) -> Iterator[Contradiction]:
    model, plant = book.named(book.coal.model), records.grids().coal_plant
    tonnes = plant.kg(book.coal.months / 12 * SECONDS_PER_YEAR) / 1e3
    if model.tonnes is not None and model.tonnes < tonnes:
        yield Contradiction(
            "coal-plant", f"{model.name} would not emit more than a coal plant", "carbon",
            f"more than {book.coal.months:.0f} months of one plant: {model.tonnes / 1e6:.2g} Mt",
            f"{tonnes / 1e6:.2f} Mt for {plant.watts / 1e6:.0f} MW at {plant.load:.0%}", tonnes / model.tonnes,
            f"{plant.source.capitalize()}; at {records.grids().named(US_GRID).kg_per_kwh:g} kg a kWh its "
            f"{model.mwh / 1e3:,.0f} GWh would be "
            f"{model.mwh * records.grids().named(US_GRID).kg_per_kwh / 1e6:.1f} Mt, and the sentence would hold.",
        )  # fmt: skip


def _intelligence(book: Notebook) -> Iterator[Contradiction]:
    drawn = {bar.name.split(" (")[0]: bar.intelligence for bar in book.power}
    means = {name: 100 * float(np.mean(scores)) for name, scores in book.facets.of().items()}
    wrong = [name for name, mean in means.items() if name in drawn and _differ(drawn[name], mean)]
    if wrong:
        yield Contradiction(
            "intelligence", "The scores are not the mean that they are said to be", "figure 1, scores",
            ", ".join(f"{name} {drawn[name]:.0f}" for name in wrong),
            ", ".join(f"{name} {means[name]:.1f}" for name in wrong),
            max(_factor(drawn[name], means[name]) for name in wrong),
            "Scores above 1 are taken as 1. They have no source and are not drawn here.",
        )  # fmt: skip


def _limit(book: Notebook) -> Iterator[Contradiction]:
    beyond = [model for model in book.model if model.projected and model.parameters > book.scaling.limit_parameters]
    for model in beyond:
        yield Contradiction(
            f"limit-{model.name.lower()}", f"{model.name} lies beyond the limit that is drawn for it",
            "scaling law, projections", f"physical limits around {parameters(book.scaling.limit_parameters)} parameters",
            f"{model.name} is projected with {parameters(model.parameters)}", model.parameters / book.scaling.limit_parameters,
            "No reason is given for the limit.",
        )  # fmt: skip


CHECKS: tuple[Callable[[Notebook], Iterable[Contradiction]], ...] = (
    _training_of_gpt4, _energy_of_runs, _power_of_service, _power_of_inference, _energy_of_query, _carbon_of_rows,
    _claims_of_law, _law_of_projections, _exponent_of_history, _references, _energy_of_childhood, _unsourced, _coal,
    _intelligence, _limit,
)  # fmt: skip


def cited_exponent(book: Notebook | None = None) -> float:
    """The exponent of the notebook's models with the energies of `training.toml` instead of its own."""
    given = notebook() if book is None else book
    known = [(model.parameters, records.training().named(model.run).joules) for model in given.model if model.run]
    return _slope(known)


def _exponent(models: Sequence[Model]) -> float:
    return _slope([(model.parameters, model.joules) for model in models])


def _slope(points: Sequence[tuple[float, float]]) -> float:
    x, y = np.log10(np.array(points)).T
    return float(np.polyfit(x, y, 1)[0])


def _factor(a: float, b: float) -> float:
    return max(a, b) / min(a, b)


def _differ(a: float, b: float, most: float = ROUNDING) -> bool:
    return _factor(a, b) > 1 + most
