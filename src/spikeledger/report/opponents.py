"""The fair opponent: the ANN as anybody would build it beside the SNN, and spikes per synapse beside published limits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..amounts import Amount
from ..errors import InputError
from ..study.breakeven import PublishedLine
from ..study.comparison import Comparison
from ..study.opponent import Opponent, Opponents
from ..study.verdicts import verdict as judge
from .axes import across, decades
from .drawing import WIDTH, Box, Marker, Picture, Strokes, Words, shortened
from .energy import key, range_row
from .markup import Html, Section, figure, gallery, h, joined, section, table
from .wording import joules, sentence, short, span, spread
from .wording import verdict as brief


def plot_opponents(comparison: Comparison) -> Picture:
    """On one technology, at each width: the SNN in its cheapest dataflow, the plain ANN and the cheapest ANN."""
    found = _opponents(comparison)
    blocks = [
        (spiking, *_plain_and_cheapest(rows))
        for spiking in found.twins
        if (rows := [row for row in found.rows if _twins(row, spiking)])
    ]
    if not blocks:
        raise InputError("no width has both networks on one technology: leave fair_opponents its technology")
    x = decades([end for block in blocks for row in block for end in _ends(row.joules)], 92.0, WIDTH - 66)
    top, tall, row_tall = 26.0, 78.0, 17.0
    bottom = top + tall * len(blocks) - 8
    picture = Picture("One technology, at each width", _built(blocks), height=bottom + 34)
    picture.add(*key(WIDTH), *across(x, bottom, bottom, lambda tick: joules(tick, brief=True), most=5))
    for index, (spiking, *ordinary) in enumerate(blocks):
        y = top + index * tall
        walked = f"{spiking.precision} · SNN {_how(spiking)}"
        picture.add(Words(0, y + 13, shortened(walked, WIDTH, 12.5), size=12.5, bold=True))
        picture.add(Strokes(tuple((x(tick), y + 20, x(tick), y + tall - 8) for tick in x.ticks(5)), "grid"))
        names = ("SNN", "ANN, plain", "ANN, at best")
        for place, (name, row) in enumerate(zip(names, (spiking, *ordinary), strict=True)):
            height = y + 28 + place * row_tall
            picture.add(Words(0, height + 4, name, row.network, bold=True))
            range_row(picture, x, height, row.network, row.joules)
    picture.add(Words(WIDTH, bottom + 30, "estimated joules a sample, log axis", "muted", anchor="end"))
    return picture


def plot_boards(comparison: Comparison) -> Picture:
    """The ANN on real boards, in batches and alone, beside the SNN on the devices of this comparison."""
    rows = list(_boards(comparison))
    if not rows:
        raise InputError("no board was priced: name one, such as fair_opponents(ann, snn, boards=['v100'])")
    x = decades([end for _, _, cost in rows for end in _ends(cost)], 40.0, WIDTH - 66)
    top, tall = 26.0, 44.0
    bottom = top + tall * len(rows) - 6
    cheapest = min(rows, key=lambda row: row[2].nominal)
    says = (
        f"The lowest of these at nominal prices is the {cheapest[0].upper()} on {cheapest[1]}, {cheapest[2]} a sample"
    )
    picture = Picture("On boards and chips", sentence(says), height=bottom + 34)
    picture.add(*key(WIDTH), *across(x, bottom, bottom, lambda tick: joules(tick, brief=True), most=5))
    for index, (kind, name, cost) in enumerate(rows):
        y = top + index * tall
        picture.add(Words(0, y + 12, shortened(name, WIDTH, 12.0), size=12))
        picture.add(Strokes(tuple((x(tick), y + 18, x(tick), y + 36) for tick in x.ticks(5)), "grid"))
        picture.add(Words(0, y + 31, kind.upper(), kind, bold=True))
        range_row(picture, x, y + 27, kind, cost)
    picture.add(Words(WIDTH, bottom + 30, "estimated joules a sample, log axis", "muted", anchor="end"))
    return picture


def plot_limits(comparison: Comparison) -> Picture:
    """Spikes per synapse and inference that arrived, beside the limits below which others found that an SNN pays."""
    found, steps = _opponents(comparison), comparison.snn.timesteps
    measured = found.events_per_synapse
    x = decades([0.1, 10.0, measured, *(end for line in found.lines for end in (line.low, line.high))], 6, WIDTH - 6)
    top, tall = 44.0, 42.0
    bottom = top + tall * len(found.lines)
    places = "; ".join(f"{line.label}: {_place(measured, line, steps)}" for line in found.lines)
    says = f"This SNN receives {short(measured)} spikes per synapse and inference at T = {steps}; {places}"
    picture = Picture("Spikes per synapse", sentence(says), height=bottom + 42)
    picture.add(*across(x, top, bottom, lambda tick: f"{tick:g}"))
    if measured > 0:
        at = x(measured)
        side = ("start", 0.0) if at < 60 else ("end", WIDTH) if at > WIDTH - 60 else ("middle", at)
        words = Words(side[1], 13, f"this SNN: {short(measured)}", "snn", anchor=side[0], bold=True)  # type: ignore[arg-type]
        picture.add(
            Strokes(((at, 36, at, bottom),), "snn", 1.6, dash=(4, 3)), Marker(at, 28, "diamond", "snn", 6), words
        )
    for index, line in enumerate(found.lines):
        y = top + index * tall
        picture.add(Words(0, y + 15, line.label, halo=True), Words(WIDTH, y + 15, limit(line), anchor="end", halo=True))
        if line.low < line.high:
            picture.add(Box(x(line.low), y + 21, x(line.high) - x(line.low), 12, "muted", line.source, 0.6, 3))
        else:
            picture.add(Marker(x(line.low), y + 27, "disc", "muted", 5, line.source))
    picture.add(Words(WIDTH, bottom + 32, "spikes per synapse and inference, log axis", "muted", anchor="end"))
    return picture


def opponent(comparison: Comparison) -> Section:
    """The section: every fair way to run the ANN, and where published limits lie."""
    if comparison.opponents is None:
        why = "the first network has no weights that are used once, or something was not counted or has no price"
        return section("opponent", "A fair opponent", h("p", f"Not given: {why}."))
    found, steps = comparison.opponents, comparison.snn.timesteps
    boards = list(_boards(comparison))
    pictures = [plot_opponents(comparison), *([plot_boards(comparison)] if boards else []), plot_limits(comparison)]
    limits = [
        (
            line.label,
            limit(line),
            short(found.events_per_synapse),
            sentence(_place(found.events_per_synapse, line, steps)),
        )
        for line in found.lines
    ]
    return section(
        "opponent", "A fair opponent",
        h("p", "An SNN easily beats an ANN that nobody would build. So the same ANN is priced on one technology as well "
               f"as it can be: in fewer bits (int{found.bits} holds what {steps} steps of spikes can say), skipping "
               "zeros, and using each operand more than once after it is fetched. The SNN is priced at each width too, in every "
               "dataflow that is open to it."),
        h("p", f"{sentence(str(found))}"),
        gallery(figure(picture, f"opponent-{index}") for index, picture in enumerate(pictures)),
        h("p", "Plain: dense, and every operand fetched for every use. At best: the cheapest of that width in the "
               "table. The SNN: the cheapest of its dataflows at that width.", class_="quiet"),
        table(
            f"Joules a sample on one technology: {found.twin.ledger.profile.title.split(',')[0]}",
            ("network", *(row.precision for row in found.twins)), list(_rows(found)),
        ),
        table(
            "Joules a sample on boards and chips", ("runs on", "network", "nominal", "low to high"),
            [(_split(name), kind.upper(), joules(cost.nominal), span(cost)) for kind, name, cost in boards],
        ) if boards else "",
        table(
            "Spikes per synapse and inference, beside published limits",
            ("limit", "published", "this SNN", "where it stands"), limits, words=(3,),
        ),
    )  # fmt: skip


def _opponents(comparison: Comparison) -> Opponents:
    if comparison.opponents is None:
        raise InputError("this comparison has no fair opponents: both networks have to be counted whole, an ANN first")
    return comparison.opponents


def _twins(row: Opponent, spiking: Opponent) -> bool:
    return not row.on_board and row.precision == spiking.precision


def _plain_and_cheapest(rows: Sequence[Opponent]) -> tuple[Opponent, Opponent]:
    plain = next(row for row in rows if row.zeros == "dense" and row.reuse == min(each.reuse for each in rows))
    return plain, min(rows, key=lambda row: row.joules.nominal)


def _boards(comparison: Comparison) -> Iterator[tuple[str, str, Amount]]:
    """Side, device and cost: the opponents' boards, then the SNN there and on every device that draws static power."""
    found = _opponents(comparison)
    seen = set()
    for row in (*found.rows, *found.snn):
        if row.on_board:
            seen.add(row.ledger.profile.name)
            yield row.network, row.label, row.joules
    for match in comparison.matches:
        cost = match.snn
        if match.as_published or cost.joules is None or cost.ledger is None or cost.profile in seen:
            continue
        if cost.ledger.profile.static is not None or cost.ledger.profile.all_in:
            seen.add(cost.profile)
            timing = cost.ledger.profile.timing
            batch = f", batch {timing.batch}" if timing is not None and timing.batch > 1 else ""
            yield "snn", f"{cost.title.split(', batch')[0]}{batch}", cost.joules


def _rows(found: Opponents) -> Iterator[tuple[str | Html, ...]]:
    """One row a dataflow of the SNN, then one a way of running the ANN; one column a width."""
    widths = {row.precision: row for row in found.twins}
    for how in dict.fromkeys(_how(row) for row in found.snn if not row.on_board):
        alike = {row.precision: row for row in found.snn if not row.on_board and _how(row) == how}
        yield f"SNN, {how}", *(_cell(alike[width].joules) if width in alike else "–" for width in widths)
    for zeros, reuse in dict.fromkeys((row.zeros, row.reuse) for row in found.rows if not row.on_board):
        cells = []
        for spiking in widths.values():
            rows = [row for row in found.rows if _twins(row, spiking) and (row.zeros, row.reuse) == (zeros, reuse)]
            cells.append(
                joined(part for row in rows for part in (_cell(row.joules), h("small", _beside(row, spiking))))
            )
        used = f"operands used up to {reuse:g} times" if reuse > 1 else "no operand reused"
        yield joined(["ANN, ", zeros, h("small", used)]), *cells


def _how(row: Opponent) -> str:
    """How it runs, its width left out: the dataflow of the spiking network."""
    return row.label.removeprefix(f"{row.precision}, ")


def _beside(ann: Opponent, snn: Opponent) -> str:
    ratio = f"{short(ann.joules.nominal / snn.joules.nominal)} × SNN, " if snn.joules.nominal > 0 else ""
    return ratio + brief(judge(ann.joules, snn.joules), brief=True)


def _built(blocks: Sequence[tuple[Opponent, Opponent, Opponent]]) -> str:
    """What building the ANN well changes, over all widths."""
    paid = [block for block in blocks if block[0].joules.nominal > 0]
    if not paid:
        return "The SNN costs nothing here, so there is nothing to beat."
    said = []
    for at in (1, 2):
        shares = [block[at].joules.nominal / block[0].joules.nominal for block in paid]
        low, high = short(min(shares)), short(max(shares))
        said.append(f"{low if low == high else f'{low} to {high}'} times")
    return (
        f"Built plainly, the ANN costs {said[0]} what the SNN of the same width does at nominal prices; at its best, "
        f"{said[1]}."
    )


def _cell(value: Amount) -> Html:
    return joined([joules(value.nominal), h("small", span(value))] if spread(value) else [joules(value.nominal)])


def _split(name: str) -> Html:
    device, _, how = name.partition(", ")
    return joined([device, h("small", how)] if how else [device])


def _ends(value: Amount) -> tuple[float, float, float]:
    return value.low, value.nominal, value.high


def limit(line: PublishedLine) -> str:
    """A published limit as people read it: a number, or a band."""
    return f"{line.low:g}" if line.low == line.high else f"{line.low:g} to {line.high:g}"


def _place(measured: float, line: PublishedLine, timesteps: int) -> str:
    """Where a network stands to a published limit."""
    if line.timesteps is not None and line.timesteps != timesteps:
        return f"was found at T = {line.timesteps} and says nothing of T = {timesteps}"
    if measured < line.low:
        return "below it, in favour of the SNN"
    return "above it, in favour of the ANN" if measured > line.high else "inside the band, so it depends"
