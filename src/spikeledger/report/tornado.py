"""Which price decides: one bar a price, from what it gives at its low end to what it gives at its high end."""

from __future__ import annotations

from ..errors import InputError
from ..study.matches import Match
from ..study.sensitivity import Sensitivity, Swing, sensitivity
from .axes import Scale, across
from .drawing import SMALL, WIDTH, Box, Picture, Strokes, Words, shortened
from .wording import joules, sentence

#: a page shows so many prices of one device at the most
MOST_PRICES = 6


def plot_tornado(found: Match | Sensitivity, *, most: int = MOST_PRICES) -> Picture:
    """The prices that move a result most, widest first: `SNN - ANN` of a match, or whatever `sensitivity` was asked.

    Of a difference, the part of a bar below zero and the part above it have the colours of who is lower there: a bar in
    two colours turns the verdict by itself.

    Raises:
        InputError: a side of the match has no price.
    """
    ranked, share = (found, 1.0) if isinstance(found, Sensitivity) else _ranked(found)
    difference = bool(ranked.against)
    bars = [swing for swing in ranked.swings if swing.width > 0][:most]
    # joules of the run * share = joules a sample
    ends = [(sorted((swing.at_low * share, swing.at_high * share)), swing) for swing in bars]
    nominal = ranked.nominal * share
    values = [nominal, *(end for pair, _ in ends for end in pair), *([0.0] if difference else [])]
    x = Scale(min(values), max(values), 14, WIDTH - 14)
    top, tall = 28.0, 40.0
    bottom = top + tall * len(bars) - 4
    said = _says(found, ranked, nominal, bars, share)
    name = (
        found.name if isinstance(found, Match) else " against ".join(filter(None, (_profile(ranked), ranked.against)))
    )
    title = name if difference and isinstance(found, Sensitivity) else f"Which price decides: {name}"
    picture = Picture(title, said, height=max(bottom, 40) + 36)
    below, above = ("snn", "ann") if difference else ("operations", "operations")
    if difference:
        names = ("SNN", "ANN") if isinstance(found, Match) else _names(ranked)
        at = 0.0
        for role, one in zip((below, above), names, strict=True):
            one = shortened(f"{one} lower", 150)
            picture.add(Box(at, 3, 11, 11, role, round=2), Words(at + 16, 13, one))
            at += max(92.0, 30 + len(one) * SMALL * 0.58)
    line = (WIDTH, 13, "end") if not difference or isinstance(found, Match) else (0, bottom + 32, "start")
    picture.add(Words(line[0], line[1], "line: nominal prices", "muted", anchor=line[2]))  # type: ignore[arg-type]
    if not bars:
        picture.add(Words(0, top + 12, "No price in this bill has a range.", "muted"))
        return picture
    picture.add(*across(x, bottom, bottom, lambda tick: _signed(tick, brief=True), most=4))
    for index, ((low, high), swing) in enumerate(ends):
        y = top + index * tall
        amounts = f"{_signed(low)} to {_signed(high)}"
        label = shortened(_label(found, swing), WIDTH - 14 - len(amounts) * SMALL * 0.58, 12.0)
        picture.add(Words(0, y + 12, label, size=12, bold=swing.worth is not None))
        picture.add(Words(WIDTH, y + 12, amounts, "muted", anchor="end"))
        picture.add(Strokes(tuple((x(tick), y + 17, x(tick), y + 35) for tick in x.ticks(4)), "grid"))
        middle = x(min(max(0.0, low), high)) if difference else x(nominal)
        title = f"{swing.name} ({', '.join(swing.events)}), {swing.kind}: {amounts}; {swing.source}"
        if low < 0 or not difference:  # a sliver is widened: that there are two colours matters more than how much
            wide = max(middle - x(low), 2.5)
            picture.add(Box(middle - wide, y + 20, wide, 12, below, title))
        if high > 0 or not difference:
            picture.add(Box(middle, y + 20, max(x(high) - middle, 2.5), 12, above, title))
        if difference:
            picture.add(Strokes(((x(0.0), y + 17, x(0.0), y + 35),), "muted", 1.2, dash=(3, 2)))
        picture.add(Strokes(((x(nominal), y + 17, x(nominal), y + 35),), "ink", 1.8))
    what = "estimated joules" if isinstance(found, Sensitivity) else "SNN − ANN, estimated joules a sample"
    picture.add(Words(WIDTH, bottom + 32, what, "muted", anchor="end"))
    return picture


def _names(found: Sensitivity) -> tuple[str, str]:
    """What the two ledgers are called: by their devices, or, on one device, in their order."""
    return (found.profile, found.against) if found.profile != found.against else ("the first", "the second")


def _ranked(match: Match) -> tuple[Sensitivity, float]:
    if match.ann.ledger is None or match.snn.ledger is None:
        reason = next(cost.reason for cost in (match.ann, match.snn) if cost.ledger is None)
        raise InputError(f"'{match.name}' has no prices to rank: {reason}")
    ranked = sensitivity(match.snn.ledger, against=match.ann.ledger, judged=match.verdict)
    return ranked, 1 / max(match.snn.ledger.samples, 1)


def _label(found: Match | Sensitivity, swing: Swing) -> str:
    alone = found.same_device if isinstance(found, Match) else not found.against
    return swing.short if alone else swing.name


def _signed(value: float, *, brief: bool = False) -> str:
    return joules(value, brief=brief).replace("-", "−")


def _profile(ranked: Sensitivity) -> str:
    return ranked.profile


def _says(found: Match | Sensitivity, ranked: Sensitivity, nominal: float, bars: list[Swing], share: float) -> str:
    if not bars:
        return "No price in this bill has a range, so none decides."
    first = f"{_label(found, bars[0])} moves it most, by {joules(bars[0].width * share)}"
    if not ranked.against:
        return sentence(first)
    if isinstance(found, Match):
        side = "more" if nominal > 0 else "less"
        start = f"at nominal prices the SNN costs {joules(abs(nominal))} a sample {side} than the ANN"
    else:
        start = f"the difference is {_signed(nominal)} at nominal prices"
    turning = [_label(found, swing) for swing in ranked.deciding]
    if not turning:
        return sentence(f"{start}; no price is worth knowing better, though {first}")
    return sentence(f"{start}; worth knowing better: {' and '.join(turning)}")
