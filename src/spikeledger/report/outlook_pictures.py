"""The outlook's pictures: each is drawn from cited numbers, and comes with the table of what it shows."""

from __future__ import annotations

from .. import units
from ..amounts import Amount
from ..outlook import published_tables, records
from ..outlook.contradictions import MEASURED_QUERY, US_GRID, check
from ..outlook.notebook import notebook
from ..outlook.phrases import short, times, watts
from ..outlook.projections import Projection, project
from ..outlook.published_tables import Sheet
from ..outlook.records import JOULES_PER_WH
from .outlook_clouds import by_year, efficiency, energy_by_operations, energy_by_parameters, sizes
from .outlook_marks import Figure, Row, behind, ladder

_EPOCH = "Data: Epoch AI, CC BY 4.0, selected."
_EMBER = "Data: Ember, Our World in Data (CC BY 4.0); Meta; papers."


def figures() -> list[Figure]:
    """Every picture of the outlook, in the order of its page."""
    return [
        power(), answers(), energy_by_operations(), energy_by_parameters("published"), efficiency(),
        energy_by_parameters("epoch"),
        projections(), by_year(), sizes(), carbon(), tonnes(), factors(),
    ]  # fmt: skip


def power() -> Figure:
    """Watts of brains, services and training runs."""
    book, brain = notebook(), records.brain()
    run, grok = (records.training().named(name) for name in ("GPT-4", "Grok-3"))
    given, answering = book.comparison, book.watts("GPT-4 (inference)")
    low, high = (given.queries_a_day * wh / 24 for wh in given.query_wh_range)
    service = Amount(low, (low * high) ** 0.5, high)
    rows = [
        Row("cortical computation", brain.computation.kind, brain.computation.amount, says="0.1 W of ATP"),
        Row("a brain", brain.power.kind, brain.power.amount, says="20 W (15 to 25)"),
        Row("GPT-4 answering", "assumed", printed=answering, says=f"{watts(answering)} as printed"),
        Row("the service, by its queries", "estimated", service, given.service_watts,
            f"{service.low / 1e6:.0f} to {service.high / 1e6:.0f} MW / {watts(given.service_watts)}"),
        Row("training GPT-4", run.kind, run.power, book.watts("GPT-4 (training)")),
        Row("training Grok-3 / GPT-5", grok.kind, grok.power, book.watts("GPT-5 (training, est.)")),
    ]  # fmt: skip
    low, high = (one / brain.power.watts / 1e6 for one in (service.low, service.high))
    says = (
        f"By its own number of queries the service needs {low:.1f} to {high:.1f} million brains, not one; of a brain's "
        f"20 W, {brain.computation.watts:g} W is what its cortex computes with."
    )
    picture = ladder("Power: brains, a service, two training runs", says, rows, watts, "watts, log axis", source=_EPOCH)
    return Figure("power", picture, behind(rows, watts))


def answers() -> Figure:
    """Joules of one answer, by who says so."""
    queries = records.queries()
    brain = records.brain().power
    rows = [
        Row(one.name, one.kind, one.energy, says=f"{one.wh:g} Wh, {one.kind}")
        for one in sorted(queries.query, key=lambda one: one.joules)
    ]
    token = queries.token
    rows.insert(0, Row("one token of Llama 3.1 8B", token.kind, token.energy, says=f"{token.joules:g} J, {token.kind}"))
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
    return Figure("answers", picture, behind(rows, _joules))


def projections() -> Figure:
    """The notebook's future models with the bands that such a projection has."""
    rows = []
    for model in (model for model in notebook().model if model.projected):
        for runs, whose in (("dense", "makers' runs"), ("epoch", "Epoch AI's runs")):
            one = project(parameters=model.parameters, runs=runs)
            rows.append(_projected(f"{model.name} by {whose}", one, model.joules))
    for name in ("GPT-4", "Grok-3"):
        one, run = published_tables.of_run(name), records.training().named(name)
        rows.append(_projected(f"{name} by operations", one, run.joules))
    spans = [row.amount.high / row.amount.low for row in rows if row.amount is not None]
    widest, narrow = max(spans), min(spans)
    says = (
        f"A projection from parameters spans a factor of up to {widest:,.0f}, one from operations of {narrow:.0f}: the first "
        "says nothing. Bands are those of one further run, 95 %; for GPT-4 and Grok-3 Epoch AI's estimate stands as printed."
    )
    picture = ladder("Projections and what they are worth", says, rows, _wh, "energy of one training run, log axis",
                     source="Epoch AI: watts times hours of whole servers, CC BY 4.0.")  # fmt: skip
    return Figure("projections", picture, behind(rows, _wh))


def tonnes() -> Figure:
    """Tonnes of CO2 of the table, beside the same energy on grids that exist."""
    clean, usual, world = (records.grids().named(name) for name in published_tables.GRIDS)
    rows = []
    for model in notebook().model:
        if model.tonnes is None:
            continue
        run = records.training().named(model.run) if model.run else None
        mwh = run.mwh if run else model.mwh
        low, middle, high = (mwh * grid.kg_per_kwh for grid in (clean, usual, world))
        name = f"{model.name}, {'cited' if run else 'printed'} energy"
        said = f"{middle:,.0f} t / {model.tonnes:,.0f} t"
        rows.append(Row(name, "estimated", Amount(low, middle, high), model.tonnes, said))
    says = (
        f"Marks: at {usual.kg_per_kwh:g} kg a kWh ({usual.name}); bands from {clean.name} to {world.name}. GPT-3's row is that "
        "of its grid; the later rows fit no grid cleaner than France's."
    )
    picture = ladder(
        "Tonnes of training", says, rows, lambda t: f"{t:,.0f} t", "tonnes of CO2e, log axis", source=_EMBER
    )
    return Figure("tonnes", picture, behind(rows, lambda t: f"{t:,.0f} t"))


def carbon() -> Figure:
    """The grids that the carbon table implies, beside grids."""
    implied = [
        Row(f"{model.name}'s row", "assumed", printed=model.kg_per_kwh, says=f"{model.kg_per_kwh:.3f} implied")
        for model in notebook().model if model.kg_per_kwh
    ]  # fmt: skip
    known = [
        Row(grid.name, grid.kind, grid.amount, says=f"{grid.kg_per_kwh:g}")
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
    return Figure("carbon", picture, behind([*known, *implied], lambda kg: f"{kg:.3f} kg a kWh"))


def factors() -> Figure:
    """How far apart published numbers lie from what follows from them."""
    found = sorted((one for one in check() if one.factor is not None), key=lambda one: -(one.factor or 0))
    rows = [
        Row(_SHORT.get(one.name, one.title), "estimated", Amount.exactly(one.factor or 1), says=times(one.factor or 1))
        for one in found
    ]
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


def _projected(name: str, one: Projection, printed: float) -> Row:
    return Row(name, "estimated", None if one.band is None else one.band * (1 / 3600), printed / 3600)


def _wh(watt_hours: float) -> str:
    return short(units.si(watt_hours, "Wh"))


def _joules(joules: float) -> str:
    return short(units.joules(joules))
