"""The parts of the page, from top to bottom: each takes a comparison and gives markup."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .. import units
from ..activity import Activity
from ..study.breakeven import PUBLISHED_LINES
from ..study.comparison import Comparison
from ..study.matches import VIEWS, Match, Range, View
from ..study.sides import OPERATIONS
from .behaviour import MOST_NEURONS, plot_confusion, plot_raster, plot_rates, plot_running
from .energy import plot_break_even, plot_joules, plot_layers, plot_terms, sides
from .markup import Html, figure, gallery, h, joined, section, table
from .wording import accuracy_sentence, count, difference_sentence, joules, short, span, verdict

#: the page shows so many spiking layers at the most
MOST_LAYERS = 6


def verdicts(comparison: Comparison) -> Html:
    """The answer in words, with a card for accuracy and one for each device."""
    own = [match for match in comparison.matches if not match.as_published]
    cards = [_accuracy_card(comparison), *map(_verdict_card, own)]
    return joined([h("p", tally(own), class_="answer"), h("div", *cards, class_="cards")])


def tally(matches: Sequence[Match]) -> str:
    """In one sentence: on how many devices which side costs less for sure."""
    if not matches:
        return "No device of our own was asked for, so there is no verdict on energy."
    groups: dict[str, list[str]] = {}
    for match in matches:
        groups.setdefault(verdict(match.verdict, brief=True), []).append(match.name)
    said = {
        "SNN lower": "the SNN needs less energy on", "ANN lower": "the ANN needs less energy on",
        "the ranges overlap": "the ranges overlap, so nobody wins for sure, on",
        "not given": "no verdict is given on",
    }  # fmt: skip
    text = "; ".join(f"{words} {_listed(groups[key])}" for key, words in said.items() if key in groups)
    return text[0].upper() + text[1:] + "."


def cost(comparison: Comparison) -> Html:
    """Joules a sample and where they go."""
    own = [match for match in comparison.matches if not match.as_published]
    layers = [plot_layers(match) for match in own if match.ann.ledger or match.snn.ledger]
    pictures = [plot_joules(comparison), plot_terms(comparison), *layers]
    return section(
        "joules", "What it costs",
        h("p", "All joules are estimates: exact counts of what happened, times published prices with their ranges."),
        gallery(figure(picture, f"joules-{index}") for index, picture in enumerate(pictures)),
    )  # fmt: skip


def static(comparison: Comparison) -> Html:
    """The three views on static power."""
    rows = []
    for match in comparison.matches:
        if match.as_published:
            continue
        for name in VIEWS:
            if name in match.views:
                view = match.views[name]
                said = verdict(view.verdict) + (f". {view.note[0].upper()}{view.note[1:]}" if view.note else "")
                rows.append((match.name, name, _amount(view.ann), _amount(view.snn), _ratio(view), said))
    return section(
        "static", "With and without static power",
        h("p", "Power that flows whatever happens often decides. So the same runs are judged three times: as each "
               "device draws it, without it, and with the same watts on both sides."),
        table(
            "Joules a sample in three views on static power", ("device", "static power", "ANN", "SNN", "ANN ÷ SNN", "verdict"),
            rows, words=(1, 5), wide=True,
        ),
    )  # fmt: skip


def behaviour(comparison: Comparison) -> Html:
    """Spikes and rates as they were recorded."""
    activity = comparison.snn.activity
    spiking = [name for name, layer in activity.layers_by_name.items() if layer.spiking or name in activity.rasters]
    shown = spiking[: MOST_LAYERS - 1] + spiking[-1:] if len(spiking) > MOST_LAYERS else spiking
    rasters = [plot_raster(activity, name) for name in shown if name in activity.rasters]
    rates = [plot_rates(activity, name) for name in shown]
    said = (
        f"Recorded, not simulated for show: the spikes of the first of {activity.samples:,} samples, and how often each "
        "neuron fired over all of them."
    )
    if len(shown) < len(spiking):
        said += f" {len(shown)} of {len(spiking)} layers are drawn."
    if any(activity.rasters[name].shape[-1] > MOST_NEURONS for name in shown if name in activity.rasters):
        said += f" Layers of more than {MOST_NEURONS} neurons are drawn by {MOST_NEURONS} of them, evenly chosen."
    pictures = [figure(picture, f"spikes-{index}") for index, picture in enumerate([*rasters, *rates])]
    return section("spikes", "What the neurons did", h("p", said), gallery(pictures))


def answers(comparison: Comparison) -> Html:
    """Running accuracy and confusion."""
    pictures = [
        plot_running(comparison), plot_confusion(comparison.ann, comparison.classes),
        plot_confusion(comparison.snn, comparison.classes),
    ]  # fmt: skip
    return section(
        "answers", "What they answered", h("p", difference_sentence(comparison.mcnemar)),
        gallery(figure(picture, f"answers-{index}") for index, picture in enumerate(pictures)),
    )  # fmt: skip


def break_even(comparison: Comparison) -> Html:
    """At which rate the winner changes, by device."""
    pictures, without = [], []
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
        h("p", "The fewer spikes, the cheaper the SNN. Below the thick line it costs less than the ANN at nominal prices; "
               "the other lines are limits that others have published, for other networks and devices."),
        gallery(pictures), h("ul", *without, *lines, class_="notes quiet"),
    )  # fmt: skip


def operations(comparison: Comparison) -> Html:
    """What was counted, in all and by layer; time and battery."""
    names = [name.replace("_", " ") for name in OPERATIONS]
    both = (comparison.ann, comparison.snn)
    totals = [
        (side.name, f"{side.parameters:,}", *(count(side.operations[name]) for name in OPERATIONS)) for side in both
    ]
    steps = [
        (
            side.name, str(side.timesteps),
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
            f"Time, battery (3.7 V) and joules a day at {units.si(comparison.rate_hz, 'Hz')}",
            ("device", "side", "time a sample", "mAh for 1,000 inferences", "joules a day", "how the day was counted"),
            list(_daily(comparison)), words=(1, 5), wide=True,
        ),
    )  # fmt: skip


def published(comparison: Comparison) -> Html:
    """As-published arithmetic beside the corrected row; nothing if none was asked for."""
    rows: list[tuple[str, ...]] = []
    for match in comparison.matches:
        if not match.as_published:
            continue
        rows.append((match.name, "as published", _amount(match.ann.joules), _amount(match.snn.joules), _kwh(match), verdict(match.verdict)))
        if match.corrected is not None:
            fixed = match.corrected
            note = f"{verdict(fixed.verdict)}. {match.correction}"
            rows.append((match.name, "corrected", _amount(fixed.ann.joules), _amount(fixed.snn.joules), _kwh(fixed), note))
    if not rows:
        return Html("")
    return section(
        "published", "As published, and corrected",
        h("p", "Some rows repeat the arithmetic of a published document, its flaws included, so that its figures can be "
               "found again. The corrected row stands under each."),
        table(
            "Joules a sample", ("profile", "arithmetic", "ANN", "SNN", "kWh, ANN and SNN", "verdict"), rows,
            words=(1, 5), wide=True,
        ),
    )  # fmt: skip


def _accuracy_card(comparison: Comparison) -> Html:
    test = comparison.mcnemar
    won = "" if not test.differs else "ann" if test.only_ann > test.only_snn else "snn"
    head = f"{won.upper()} more accurate" if won else "no sure difference"
    pairs = joined(
        joined([h("dt", side.kind.upper(), class_=side.kind), h("dd", accuracy_sentence(side))])
        for side in (comparison.ann, comparison.snn)
    )
    return h(
        "article", h("h3", "Accuracy"), h("p", head, class_="won"), h("dl", pairs),
        h("p", difference_sentence(test), class_="quiet"), class_=f"card {won or 'open'}",
    )  # fmt: skip


def _verdict_card(match: Match) -> Html:
    found = match.verdict
    pairs = joined(
        joined([
            h("dt", kind.upper(), class_=kind),
            h("dd", _amount(cost.joules) + (f" on {cost.profile}" if not match.same_device else "")),
        ])
        for kind, cost in sides(match)
    )  # fmt: skip
    ratio = _ratio(match.views["static on"]) if "static on" in match.views else ""
    head, _, why = found.text.partition(":")
    said = [h("p", f"{why.strip()[:1].upper()}{why.strip()[1:]}.", class_="quiet")] if why.strip() else []
    if ratio:
        said.append(h("p", f"ANN ÷ SNN: {ratio}", class_="quiet"))
    return h(
        "article", h("h3", match.name), h("p", head[:1].upper() + head[1:], class_="won"), h("dl", pairs), *said,
        class_=f"card {found.winner or 'open'}",
    )  # fmt: skip


def _layer_rows(activity: Activity) -> Iterator[tuple[str, ...]]:
    for name, layer in activity.layers_by_name.items():
        numbers = [activity.per_sample(event, name) for event in OPERATIONS.values()]
        yield (name, layer.operator, *("" if (name, event) not in activity.tallies else count(number)
               for event, number in zip(OPERATIONS.values(), numbers, strict=True)))  # fmt: skip


def _daily(comparison: Comparison) -> Iterator[tuple[str, ...]]:
    for match in comparison.matches:
        if match.as_published:
            continue
        for kind, cost in sides(match):
            if cost.joules is None:
                yield match.name, kind.upper(), "", "", "", f"not given: {cost.reason}"
                continue
            seconds = "not said" if cost.seconds is None else units.si(cost.seconds.nominal, "s")
            charge = "" if cost.milliampere_hours is None else short(cost.milliampere_hours)
            day = "" if cost.joules_per_day is None else joules(cost.joules_per_day)
            where = "" if match.same_device else f" ({cost.profile})"
            yield match.name, kind.upper() + where, seconds, charge, day, cost.day_note


def _kwh(match: Match) -> str:
    """Kilowatt-hours a sample as the row's own divisor gives them."""
    ledgers = (match.ann.ledger, match.snn.ledger)
    return " and ".join("not given" if book is None else f"{book.kwh / max(book.samples, 1):.3g}" for book in ledgers)


def _amount(value: Range | None) -> str:
    if value is None:
        return "not given"
    return joules(value.nominal) + ("" if value.low == value.high else f" ({span(value)})")


def _ratio(view: View) -> str:
    if view.ratio is None:
        return ""
    value = view.ratio
    ends = "" if value.low == value.high else f" ({short(value.low)} to {short(value.high)})"
    return short(value.nominal) + ends


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
