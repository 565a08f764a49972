"""The parts of the page, one function each: takes a comparison and gives markup; `page` puts them in order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .. import units
from ..activity import Activity
from ..amounts import Amount
from ..study.breakeven import PUBLISHED_LINES
from ..study.comparison import Comparison
from ..study.matches import VIEWS, Match, View
from ..study.one_network import OPERATIONS, Side
from .accuracy_against_joules import plot_trades
from .behaviour import MOST_NEURONS, plot_confusion, plot_input, plot_raster, plot_rates, plot_running
from .energy import plot_break_even, plot_joules, plot_layers, plot_terms, sides
from .markup import Html, Section, figure, gallery, h, joined, section, table
from .samples import plot_examples
from .tornado import plot_tornado
from .training import plot_runs
from .wording import (
    accuracy,
    accuracy_interval,
    count,
    difference_sentence,
    joules,
    sentence,
    short,
    span,
    spread,
    verdict,
)

#: the page shows so many spiking layers at the most
MOST_LAYERS = 6


def verdicts(comparison: Comparison) -> Html:
    """The answer, a line a device, with a card for accuracy and one for each device."""
    own = [match for match in comparison.matches if not match.as_published]
    cards = [_accuracy_card(comparison), *map(_verdict_card, own)]
    lines = [h("li", match.says, class_=match.verdict.winner or match.verdict.likely or "open") for match in own]
    if not own:
        lines = [h("li", "No device of our own was asked for, so there is no verdict on energy.", class_="open")]
    if comparison.opponents is not None:
        fair = comparison.opponents
        lines.append(h("li", h("a", sentence(fair.brief), href="#opponent"), class_=fair.verdict.winner or "open"))
    about = (
        f"What one sample of {comparison.data} costs an ordinary network (ANN) and a spiking one (SNN), estimated on devices "
        "by name: exact counts of what happened, times published prices. A range says how far the prices may be off."
    )
    return joined([h("p", about), h("ul", *lines, class_="answers"), h("div", *cards, class_="cards")])


def cost(comparison: Comparison) -> Section:
    """Joules a sample and where they go."""
    own = [match for match in comparison.matches if not match.as_published]
    layers = [plot_layers(match, kinds=kinds) for match, kinds in _once(own)]
    pictures = [plot_joules(comparison), plot_terms(comparison)]
    return section(
        "joules", "What it costs",
        h("p", "All joules are estimates: exact counts of what happened, times published prices with their ranges."),
        gallery(figure(picture, f"joules-{index}") for index, picture in enumerate(pictures)),
        gallery(figure(picture, f"layers-{index}") for index, picture in enumerate([*layers, *plot_trades(comparison)])),
    )  # fmt: skip


def _once(matches: list[Match]) -> Iterator[tuple[Match, list[str]]]:
    """The sides of each match that were priced and are not drawn yet: an ANN meets several chips with one bill."""
    seen: set[tuple[str, str, str]] = set()
    for match in matches:
        books = [(kind, cost.ledger) for kind, cost in sides(match) if cost.ledger is not None]
        new = {kind: (kind, ledger.profile.name, ledger.bill) for kind, ledger in books}
        kinds = [kind for kind, key in new.items() if key not in seen]
        seen.update(new.values())
        if kinds:
            yield match, kinds


def static(comparison: Comparison) -> Section:
    """The three views on static power."""
    rows = []
    for match in comparison.matches:
        if match.as_published:
            continue
        alike: dict[tuple[Any, ...], list[str]] = {}  # views that give the same are one row
        for name in (name for name in VIEWS if name in match.views):
            found = match.views[name]
            alike.setdefault((found.ann, found.snn, found.verdict.text), []).append(name)
        for names in alike.values():
            view = match.views[names[0]]
            said = sentence(verdict(view.verdict)) + (f" {sentence(view.note)}" if view.note else "")
            device = joined([match.name, h("small", ", ".join(names))])
            rows.append((device, _cell(view.ann), _cell(view.snn), _ratio(view), said))
    return section(
        "static", "With and without static power",
        h("p", "Power that flows whatever happens often decides. So the same runs are judged three times: as each "
               "device draws it, without it, and with the same watts on both sides."),
        table(
            "Joules a sample in three views on static power", ("device", "ANN", "SNN", "ANN ÷ SNN"), rows, below=True,
        ),
    )  # fmt: skip


def deciding(comparison: Comparison) -> Section:
    """Which price decides on each device."""
    own = [match for match in comparison.matches if not match.as_published and match.ann.ledger and match.snn.ledger]
    said = (
        "Each price has a range, and is one number on both sides. A bar shows where the difference between SNN and ANN "
        "goes if that one number is at its low or its high end and all others stay nominal. A bar in two colours turns "
        "the nominal sign by itself; whether it is worth knowing better hangs on how likely that is."
    )
    return section(
        "deciding", "Which assumption decides",
        h("p", said if own else "No device prices both networks, so there is no difference to turn."),
        gallery(figure(plot_tornado(match), f"deciding-{index}") for index, match in enumerate(own)),
    )  # fmt: skip


def behaviour(comparison: Comparison) -> Section:
    """Spikes and rates as they were recorded."""
    activity = comparison.snn.activity
    spiking = [name for name, layer in activity.layers_by_name.items() if layer.spiking or name in activity.rasters]
    shown = spiking[: MOST_LAYERS - 1] + spiking[-1:] if len(spiking) > MOST_LAYERS else spiking
    rasters = [plot_raster(activity, name) for name in shown if name in activity.rasters]
    rates = [plot_rates(activity, name) for name in shown]
    seen = [plot_input(activity, name) for name in shown[:1] if name in activity.rasters]
    said = (
        f"Recorded, not made up for show: the spikes of the first of {activity.samples:,} samples, and how often "
        "each neuron fired over all of them."
    )
    if len(shown) < len(spiking):
        said += f" {len(shown)} of {len(spiking)} layers are drawn."
    if any(activity.rasters[name].shape[-1] > MOST_NEURONS for name in shown if name in activity.rasters):
        said += f" Layers of more than {MOST_NEURONS} neurons are drawn by {MOST_NEURONS} of them, evenly chosen."
    return section(
        "spikes", "What the neurons did", h("p", said),
        gallery(figure(picture, f"spikes-{index}") for index, picture in enumerate([*filter(None, seen), *rasters])),
        gallery(figure(picture, f"rates-{index}") for index, picture in enumerate(rates)),
    )  # fmt: skip


def answers(comparison: Comparison) -> Section:
    """Samples with their answers, running accuracy and confusion."""
    pictures = [
        plot_examples(comparison), plot_running(comparison), plot_confusion(comparison.ann, comparison.classes),
        plot_confusion(comparison.snn, comparison.classes),
    ]  # fmt: skip
    return section(
        "answers", "What they answered", h("p", difference_sentence(comparison.mcnemar)),
        gallery(figure(picture, f"answers-{index}") for index, picture in enumerate(filter(None, pictures))),
    )  # fmt: skip


def training(comparison: Comparison) -> Section | None:
    """Loss and right answers by epoch of both networks; None where no run was given."""
    runs = {name: run for name, run in comparison.runs.items() if run.history}
    if not runs:
        return None
    return section(
        "training", "How they were trained",
        gallery(figure(plot_runs(runs, what), f"training-{what}") for what in ("accuracy", "loss")),
    )  # fmt: skip


def break_even(comparison: Comparison) -> Section:
    """At which rate the winner changes, by device."""
    pictures: list[Html] = []
    without: list[Html] = []
    for match in comparison.matches:
        point = match.break_even
        if point is not None and (point.curve or point.ops_only):
            pictures.append(figure(plot_break_even(match), f"even-{len(pictures)}"))
        elif not match.as_published:
            why = point.note if point is not None else match.verdict.text
            without.append(h("li", f"{match.name}: no break-even; {why}."))
    lines = [h("li", f"{line.label}: {line.source}.") for line in PUBLISHED_LINES]
    return section(
        "break-even", "Where the winner changes",
        h("p", "The fewer spikes, the cheaper the SNN. Below the thick line it costs less than the ANN at nominal "
               "prices; the other lines, and the point, are limits that others have published for other networks and "
               "devices."),
        gallery(pictures), h("ul", *without, *lines, class_="notes quiet"),
    )  # fmt: skip


def operations(comparison: Comparison) -> Section:
    """What was counted, in all and by layer; time and battery."""
    names = [name.replace("_", " ").replace("macs", "MACs") for name in OPERATIONS]
    rate = "1 inference" if comparison.rate_hz == 1 else f"{comparison.rate_hz:g} inferences"
    both = (comparison.ann, comparison.snn)
    totals = [
        (_who(side), f"{side.parameters:,}", *(count(side.operations[name]) for name in OPERATIONS)) for side in both
    ]
    steps = [
        (
            _who(side), str(side.timesteps),
            "answers once" if side.mean_decision_step is None else short(side.mean_decision_step),
        )
        for side in both
    ]  # fmt: skip
    return section(
        "counts", "What was counted",
        table("Operations a sample", ("network", "parameters", *names), totals),
        *(
            table(
                f"{side.kind.upper()}, by layer: operations a sample",
                ("layer", "operator", *names), list(_layer_rows(side.activity)), words=(1,),
            )
            for side in both
        ),
        table("Latency in steps", ("network", "timesteps", "mean step of the last change of mind"), steps),
        table(
            f"Time, battery ({units.BATTERY_VOLTS} V), and joules a day at {rate} a second",
            ("device", "time a sample", "mAh for 1,000 inferences", "joules a day"), list(_daily(comparison)), below=True,
        ),
    )  # fmt: skip


def published(comparison: Comparison) -> Section | None:
    """As-published arithmetic beside the corrected row; None if none was asked for."""
    rows: list[tuple[str, ...]] = []
    notes: list[Html] = []
    for match in comparison.matches:
        if not match.as_published:
            continue
        for name, row in (("as published", match), ("corrected", match.corrected)):
            if row is not None:
                amounts = [_cell(cost.joules) for _, cost in sides(row)]
                rows.append(
                    (joined([match.name, h("small", name)]), *amounts, *_kwh(row), sentence(verdict(row.verdict)))
                )
        notes.append(h("li", h("strong", match.name), ": ", sentence(match.correction or "; ".join(match.caveats))))
    if not rows:
        return None
    return section(
        "published", "As published, and corrected",
        h("p", "Some rows repeat the arithmetic of a published document, its flaws included, so that its figures can "
               "be found again. The corrected row stands under each."),
        table(
            "Joules and kilowatt-hours a sample",
            ("profile", "ANN", "SNN", "ANN, kWh", "SNN, kWh"), rows, below=True,
        ),
        h("ul", *notes, class_="notes quiet"),
    )  # fmt: skip


def _accuracy_card(comparison: Comparison) -> Html:
    test = comparison.mcnemar
    won = "" if not test.differs else "ann" if test.only_ann > test.only_snn else "snn"
    head = f"{won.upper()} more accurate" if won else "no sure difference"
    found = comparison.equal_accuracy
    chosen = [] if found is None else [h("p", sentence(str(found)), class_="quiet")]
    pairs = joined(
        joined(
            [
                h("dt", side.kind.upper(), class_=side.kind),
                h("dd", accuracy(side.accuracy), h("small", accuracy_interval(side))),
            ]
        )
        for side in (comparison.ann, comparison.snn)
    )
    return h(
        "article", h("h3", "Accuracy"), h("p", sentence(head)[:-1], class_="won"), h("dl", pairs),
        h("p", difference_sentence(test), class_="quiet"), *chosen, class_=f"card {won or 'open'}",
    )  # fmt: skip


def _verdict_card(match: Match) -> Html:
    found = match.verdict
    pairs = joined(
        joined([
            h("dt", kind.upper(), class_=kind),
            h("dd", _cell(cost.joules), *([] if match.same_device else [h("small", f"on {cost.profile}")])),
        ])
        for kind, cost in sides(match)
    )  # fmt: skip
    said = []
    ratio = match.view.ratio
    if ratio is not None:
        ends = "" if not spread(ratio) else f" ({short(ratio.low)} to {short(ratio.high)})"
        said.append(h("p", f"ANN ÷ SNN: {short(ratio.nominal)}{ends}", class_="quiet"))
    if match.view.name != "static on":
        said.append(h("p", f"Judged with {match.view.name}: {match.views['static on'].verdict.text}.", class_="quiet"))
    if found.details:
        said.append(h("details", h("summary", "How sure"), *(h("p", sentence(text)) for text in found.details)))
    return h(
        "article", h("h3", match.name), h("p", sentence(verdict(found, brief=True))[:-1], class_="won"),
        h("dl", pairs), *said, class_=f"card {found.winner or found.likely or 'open'}",
    )  # fmt: skip


def _who(side: Side) -> Html:
    return joined([side.kind.upper(), h("small", side.name)])


def _layer_rows(activity: Activity) -> Iterator[tuple[str, ...]]:
    for name, layer in activity.layers_by_name.items():
        numbers = [activity.per_sample(event, name) for event in OPERATIONS.values()]
        yield (name, layer.operator, *("–" if (name, event) not in activity.tallies else count(number)
               for event, number in zip(OPERATIONS.values(), numbers, strict=True)))  # fmt: skip


def _daily(comparison: Comparison) -> Iterator[tuple[str, ...]]:
    for match in comparison.matches:
        if match.as_published:
            continue
        for kind, cost in sides(match):
            where = kind.upper() if match.same_device else f"{kind.upper()} on {cost.profile}"
            name = joined([match.name, h("small", where)])
            if cost.joules is None:
                yield name, "–", "–", "–", f"not given: {cost.reason}"
                continue
            seconds = "not said" if cost.seconds is None else units.si(cost.seconds.nominal, "s")
            charge = "–" if cost.milliampere_hours is None else short(cost.milliampere_hours)
            day = "–" if cost.joules_per_day is None else joules(cost.joules_per_day)
            yield name, seconds, charge, day, cost.day_note


def _kwh(match: Match) -> list[str]:
    """Kilowatt-hours a sample of both sides, as the row's own divisor gives them."""
    ledgers = (match.ann.ledger, match.snn.ledger)
    return ["not given" if book is None else short(book.kwh / max(book.samples, 1)) for book in ledgers]


def _cell(value: Amount | None) -> str:
    """An amount for a table: the range in small letters under it."""
    if value is None:
        return "not given"
    if not spread(value):
        return joules(value.nominal)
    return joined([joules(value.nominal), h("small", span(value))])


def _ratio(view: View) -> str:
    if view.ratio is None:
        return "–"
    value = view.ratio
    if not spread(value):
        return short(value.nominal)
    return joined([short(value.nominal), " ", h("small", f"{short(value.low)} to {short(value.high)}")])
