"""Pictures of what it cost: joules with ranges, where they go, and where the winner would change."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

from ..amounts import Amount
from ..errors import InputError
from ..study.breakeven import PUBLISHED_LINES
from ..study.matches import TERM_NAMES, Cost, Match
from ..study.saved import Verdicts
from .axes import Scale, across, clipped, decades, joined, upwards
from .drawing import SMALL, WIDTH, Box, Mark, Marker, Picture, Stroke, Strokes, Words, fits, shortened
from .wording import joules, listed, percent, sentence, short, spread, verdict


def plot_joules(comparison: Verdicts) -> Picture:
    """Joules a sample on each device, ANN above SNN: a mark at nominal, a band from low to high, on a log axis."""
    matches = list(comparison.matches)
    costs = [(match, kind, cost) for match in matches for kind, cost in sides(match)]
    ranges = [cost.joules for _, _, cost in costs if cost.joules is not None]
    left, right = 40.0, WIDTH - 70
    x = decades([value for each in ranges for value in (each.low, each.nominal, each.high)], left, right)
    top, block, row = 24.0, 72.0, 20.0
    bottom = top + block * len(matches) - 10
    picture = Picture("Joules a sample, by device", _who_is_lower(comparison), height=bottom + 34)
    picture.add(*key(picture.width))
    if ranges:
        picture.add(*across(x, bottom, bottom, lambda tick: joules(tick, brief=True), most=5))
    for index, match in enumerate(matches):
        y = top + index * block
        if ranges:  # the grid stops under the names
            picture.add(Strokes(tuple((x(tick), y + 20, x(tick), y + 59) for tick in x.ticks(5)), "grid"))
        said = verdict(match.verdict, brief=True)
        room = WIDTH - 12 - len(said) * SMALL * 0.58
        picture.add(Words(0, y + 13, shortened(match.name, room, 12.5), size=12.5, bold=True))
        picture.add(Words(WIDTH, y + 13, said, "muted", anchor="end"))
        for place, (kind, cost) in enumerate(sides(match)):
            _cost_row(picture, x, y + 29 + place * row, kind, cost)
    if not matches:
        picture.add(Words(0, 40, "No device was asked for.", "muted"))
    picture.add(Words(WIDTH, bottom + 30, "estimated joules a sample, log axis", "muted", anchor="end"))
    return picture


def plot_terms(comparison: Verdicts) -> Picture:
    """Where the joules go: shares of operations, memory, routing and static power, one bar for each device and side."""
    rows = [(match, kind, cost) for match, kind, cost in priced(comparison) if cost.joules and cost.joules.nominal > 0]
    height = 30.0 + 54 * len(rows)
    picture = Picture("Where the joules go", _dearest_terms(rows), height=max(height, 50))
    used = [term for term in TERM_NAMES if any(_term(cost, term) > 0 for _, _, cost in rows)]
    for index, term in enumerate(used):
        picture.add(Box(index * 92, 4, 11, 11, term, round=2), Words(index * 92 + 16, 14, term))
    for index, (match, kind, cost) in enumerate(rows):
        y = 30.0 + 54 * index
        assert cost.joules is not None
        total = cost.joules.nominal
        amount = joules(total)
        name = shortened(f"{_device(match, cost)}, {kind.upper()}", WIDTH - 12 - len(amount) * 7, 12.0)
        picture.add(Words(0, y + 12, name, size=12, bold=True), Words(WIDTH, y + 12, amount, anchor="end"))
        at, said = 0.0, []
        for term in TERM_NAMES:
            share = _term(cost, term) / total
            if share <= 0:
                continue
            wide = share * WIDTH
            note = f"{term}: {joules(_term(cost, term))} a sample, {percent(share)}"
            picture.add(Box(at, y + 17, max(wide - 1.0, 0.6), 14, term, note))
            said.append(f"{term} {percent(share)}")
            at += wide
        picture.add(Words(0, y + 43, " · ".join(said), "muted"))
    return picture


def plot_layers(match: Match, *, kinds: Sequence[str] = ("ann", "snn")) -> Picture:
    """Which layer the joules go to, on the sides of one match; static power is the device's and no layer's."""
    books = [(kind, cost, _by_layer(cost)) for kind, cost in sides(match) if kind in kinds]
    picture = Picture(f"Joules by layer: {match.name}", _dearest_layers(books))
    x = Scale(0.0, 1.0, 122.0, WIDTH - 96)
    y = 2.0
    for kind, cost, book in books:
        total = sum(value for _, value in book)
        picture.add(Words(0, y + 14, f"{kind.upper()}, {_device(match, cost)}", size=12, bold=True))
        y += 22
        if total <= 0:
            reason = cost.reason or "nothing happened that costs anything"
            picture.add(Words(0, y + 10, shortened(reason, WIDTH), "muted"))
            y += 26
            continue
        for name, value in book:
            share = value / total
            picture.add(Words(x.start - 6, y + 11, shortened(name, x.start - 8), "muted", anchor="end"))
            wide = x(share) - x.start
            picture.add(Box(x.start, y + 1, max(wide, 1.0), 12, kind, f"{name}: {joules(value)}, {percent(share)}"))
            label = f"{joules(value)}, {percent(share)}"
            picture.add(Words(x(share) + 5, y + 11, label))
            y += 18
        y += 12
    picture.height = y
    return picture


def plot_break_even(match: Match) -> Picture:
    """Below which rate the SNN costs less, over timesteps: this bill's curve, published lines, and this network.

    The rate is in spikes per synapse and *step*; limits that were published per inference fall as `limit / T`.
    """
    point = match.break_even
    if point is None:
        raise InputError(f"'{match.name}' has no break-even: {_why_no_break_even(match)}")
    left, right, top, bottom = 46.0, WIDTH - 8, 46.0, 262.0
    curve = [(float(steps), rate) for steps, rate in point.curve if rate is not None and rate > 0]
    longest = max([100.0, float(point.timesteps), *(steps for steps, _ in curve)])
    x = decades([1.0, longest], left, right)
    heights = [rate for _, rate in curve] + ([point.measured_rate] if point.measured_rate > 0 else [])
    found = decades([max(min(height, 1.0), 1e-5) for height in heights] + [0.01, 1.0], bottom, top)
    y = Scale(found.low, 1.0, bottom, top, log=True)
    picture = Picture(f"Break-even: {match.name}", _break_even_sentence(match), height=bottom + 66)
    picture.add(*across(x, top, bottom, lambda tick: f"{tick:g}"), *upwards(y, left, right, lambda tick: f"{tick:g}"))
    legend: list[tuple[str, Mark]] = []
    for line, role in zip(PUBLISHED_LINES, ("memory", "routing", "good"), strict=False):
        if line.timesteps is not None:  # published for one T: a point, and no line
            point_at = x(line.timesteps), y(line.low / line.timesteps)
            note = f"{line.label}: {short(line.low / line.timesteps)} spikes per synapse and step"
            picture.add(Marker(*point_at, "disc", "surface", 6.5), Marker(*point_at, "disc", role, 4.5, note))
            legend.append((line.label, Marker(0, 0, "disc", role, 4.5)))
            continue
        for limit in sorted({line.low, line.high}):
            strokes = _falling(limit, x, y)
            picture.add(Strokes(strokes, role, 1.8 if line.low == line.high else 1.4))
        if line.low < line.high:
            picture.add(*_band(line.low, line.high, x, y, role))
        legend.append((line.label, Strokes(((0, 0, 18, 0),), role, 4 if line.low < line.high else 1.8)))
    if point.ops_only:
        picture.add(Strokes(_falling(point.ops_only, x, y), "muted", 1.6, dash=(4, 3)))
        legend.append(("operations alone", Strokes(((0, 0, 18, 0),), "muted", 1.6, dash=(4, 3))))
    if curve:
        strokes = clipped(joined([(_log(x, steps), _log(y, rate)) for steps, rate in curve]), top, bottom)
        picture.add(Strokes(strokes, "snn", 2.6))
        legend.insert(0, ("this bill: below it the SNN costs less", Strokes(((0, 0, 18, 0),), "snn", 2.6)))
    if point.measured_rate > 0:
        at = x(point.timesteps), y(point.measured_rate)
        note = f"this network: {short(point.measured_rate)} spikes per synapse and step at T = {point.timesteps}"
        picture.add(Marker(*at, "disc", "surface", 9), Marker(*at, "diamond", "snn", 6.5, note))
        _label_beside(picture, *at, "this SNN", left, right)
    picture.add(Words(0, 12, "spikes per synapse and step", "muted"), Words(0, 28, "log axes", "muted"))
    picture.add(Words(right, bottom + 28, "timesteps T", "muted", anchor="end"))
    _legend(picture, legend, bottom + 46)
    return picture


def sides(match: Match) -> tuple[tuple[str, Cost], tuple[str, Cost]]:
    """`("ann", its cost), ("snn", its cost)`: the order in every picture and table."""
    return ("ann", match.ann), ("snn", match.snn)


def priced(comparison: Verdicts) -> Iterator[tuple[Match, str, Cost]]:
    """Each device and side once that has joules, as-published arithmetic apart."""
    seen = set()
    for match in comparison.matches:
        for kind, cost in sides(match):
            if not match.as_published and cost.joules is not None and (kind, cost.profile) not in seen:
                seen.add((kind, cost.profile))
                yield match, kind, cost


def _cost_row(picture: Picture, x: Scale, y: float, kind: str, cost: Cost) -> None:
    picture.add(Words(0, y + 4, kind.upper(), kind, bold=True))
    if cost.joules is None:
        said = f"not given: {cost.reason}"
        picture.add(Words(40, y + 4, shortened(said, WIDTH - 42), "muted", halo=True))
        return
    range_row(picture, x, y, kind, cost.joules)


def range_row(picture: Picture, x: Scale, y: float, kind: str, found: Amount) -> None:
    """An amount at a height: its mark at nominal, its band, and its number at the right rim."""
    picture.add(Words(WIDTH, y + 4, joules(found.nominal), anchor="end"))
    if found.nominal <= 0 and found.high <= 0:
        return
    if spread(found):
        start, end = x(found.low), x(found.high)
        picture.add(Box(start, y - 4, max(end - start, 1.0), 8, kind, str(found), opacity=0.35, round=3))
    picture.add(
        Marker(x(found.nominal), y, "disc" if kind == "ann" else "diamond", kind, 5, f"{kind.upper()}: {found}")
    )


def key(width: float) -> list[Marker | Words]:
    """What the marks of both sides look like, for the top of a picture."""
    return [
        Marker(6, 9, "disc", "ann", 5), Words(16, 13, "ANN"), Marker(60, 9, "diamond", "snn", 5), Words(70, 13, "SNN"),
        Words(width, 13, "mark: nominal, band: low to high", "muted", anchor="end"),
    ]  # fmt: skip


def _device(match: Match, cost: Cost) -> str:
    return cost.profile or match.name


def _term(cost: Cost, term: str) -> float:
    return cost.by_term[term].nominal if term in cost.by_term else 0.0


def _by_layer(cost: Cost, most: int = 8) -> list[tuple[str, float]]:
    """Joules a sample of each layer in the order in which they ran; static power and the smallest layers last."""
    if cost.ledger is None or cost.ledger.samples == 0:
        return []
    # joules of the run / samples = joules a sample
    book = {name: value / cost.ledger.samples for name, value in cost.ledger.by_layer().items() if value > 0}
    device = book.pop("", None)
    rows = list(book.items())
    if len(rows) > most:
        kept = set(sorted(book, key=lambda name: -book[name])[: most - 1])
        rest = [value for name, value in rows if name not in kept]
        rows = [row for row in rows if row[0] in kept] + [(f"{len(rest)} others", sum(rest))]
    return rows if device is None else [*rows, ("static power", device)]


def _who_is_lower(comparison: Verdicts) -> str:
    groups: dict[str, list[str]] = {}
    for match in comparison.matches:
        groups.setdefault(verdict(match.verdict, brief=True), []).append(match.name)
    said = [f"on {listed(names)}: {found}" for found, names in groups.items()]
    return sentence("; ".join(said)) if said else "No device was asked for."


def _dearest_terms(rows: Sequence[tuple[Match, str, Cost]]) -> str:
    groups: dict[str, list[str]] = {}
    for match, kind, cost in rows:
        term = max(TERM_NAMES, key=lambda name: _term(cost, name))
        groups.setdefault(term, []).append(f"{_device(match, cost)} ({kind.upper()})")
    what = {"operations": "operations are", "memory": "memory is", "routing": "routing is", "static": "static power is"}
    said = [f"{what[term]} the largest part on {listed(places)}" for term, places in groups.items()]
    return sentence("; ".join(said)) if said else "Nothing was priced."


def _dearest_layers(books: Sequence[tuple[str, Cost, list[tuple[str, float]]]]) -> str:
    said = []
    for kind, _, book in books:
        total = sum(value for _, value in book)
        if total > 0:
            name, value = max(book, key=lambda row: row[1])
            part = "most" if value > total / 2 else "the largest part"
            said.append(f"{part} of the {kind.upper()}'s joules goes to {name} ({percent(value / total)})")
    return sentence("; ".join(said)) if said else "Nothing was priced."


def _falling(limit: float, x: Scale, y: Scale) -> tuple[Stroke, ...]:
    """`rate = limit / T`: a straight line on log axes."""
    return clipped(((x.start, _log(y, limit / x.low), x.end, _log(y, limit / x.high)),), y.end, y.start)


def _band(low: float, high: float, x: Scale, y: Scale, role: str) -> Iterator[Mark]:
    """The area between two falling lines, as upright slices."""
    slices = 60
    wide = (x.end - x.start) / slices
    for index in range(slices):
        steps = x.low * (x.high / x.low) ** ((index + 0.5) / slices)
        upper, lower = y(high / steps), y(low / steps)
        if lower > upper:
            yield Box(x.start + index * wide, upper, wide, lower - upper, role, opacity=0.22)


def _log(scale: Scale, value: float) -> float:
    """The pixel of a value on a logarithmic scale, also outside of it."""
    share = math.log(value / scale.low) / math.log(scale.high / scale.low)
    return scale.start + share * (scale.end - scale.start)


def _legend(picture: Picture, key: Sequence[tuple[str, Mark]], y: float) -> None:
    for text, mark in key:
        assert isinstance(mark, Strokes | Marker)
        sample = (
            replace(mark, x=9, y=y - 4)
            if isinstance(mark, Marker)
            else replace(mark, segments=((0, y - 4, 18, y - 4),))
        )
        picture.add(sample, Words(24, y, text))
        y += 16
    picture.height = y - 6


def _label_beside(picture: Picture, x: float, y: float, text: str, left: float, right: float) -> None:
    room = right - x - 12
    if fits(text, room):
        picture.add(Words(x + 11, y + 4, text, "snn", bold=True, halo=True))
    elif fits(text, x - left - 12):
        picture.add(Words(x - 11, y + 4, text, "snn", anchor="end", bold=True, halo=True))
    else:
        picture.add(Words((left + right) / 2, y - 12, text, "snn", anchor="middle", bold=True, halo=True))


def _why_no_break_even(match: Match) -> str:
    if match.as_published:
        return "published arithmetic has none of its own, its corrected row has"
    return next((cost.reason for _, cost in sides(match) if cost.reason), "both sides need a price")


def _break_even_sentence(match: Match) -> str:
    point = match.break_even
    assert point is not None
    said = f"At T = {point.timesteps} this SNN receives {short(point.measured)} spikes per synapse and inference"
    if point.full is not None:
        said += f"; on {match.name} both sides would cost the same at {short(point.full)}"
    if point.ops_only is not None:
        said += ", " if point.full is not None else f"; on {match.name} both sides would cost the same, "
        said += f"counting operations alone, at {short(point.ops_only)}"
    if point.note:
        said += f"; {point.note}"
    return said + "."
