"""Accuracy against joules where several networks of a side stand: which of them nobody beats in both."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ..study.comparison import Comparison
from .axes import Scale, across, decades, joined, upwards
from .drawing import WIDTH, Marker, Picture, Strokes, Words
from .wording import accuracy, joules, listed, plural

_LEFT, _TOP, _BOTTOM = 46.0, 30.0, 210.0
#: joules that differ by less than so many times stand on a straight axis
_NEAR = 8


class Stand(NamedTuple):
    """Where one network stands."""

    kind: str  # "ann" or "snn"
    name: str
    joules: float  # a sample, nominal
    accuracy: float


def plot_trades(comparison: Comparison) -> Iterator[Picture]:
    """Networks among which equal accuracy was looked for, or on each device those of a side that has several."""
    found = comparison.equal_accuracy
    if found is not None:
        both = (("ann", found.anns), ("snn", found.snns))
        yield plot_trade(
            found.profile, [Stand(kind, o.name, o.joules, o.accuracy) for kind, side in both for o in side]
        )
        return
    if max(len(comparison.anns), len(comparison.snns)) < 2:
        return
    for match in comparison.matches:
        both_sides = (("ann", comparison.anns, match.ann), ("snn", comparison.snns, match.snn))
        stands = [
            Stand(kind, one.name, priced.ledger.per_sample.nominal, one.accuracy)
            for kind, sides, cost in both_sides
            for one, priced in zip(sides, cost.networks, strict=False)
        ]
        if stands and not match.as_published:
            yield plot_trade(match.name, stands)


def plot_trade(device: str, stands: Sequence[Stand]) -> Picture:
    """A mark a network; the line joins those that no other beats in both accuracy and joules."""
    front = not_beaten(stands)
    who = listed([f"{one.name} ({accuracy(one.accuracy)}, {joules(one.joules)})" for one in front[:4]])
    says = f"Of {plural(len(stands), 'network')} none beats {who} in both" + (
        ", nor some more." if len(front) > 4 else "."
    )
    picture = Picture(f"Accuracy and joules on {device}", says, height=_BOTTOM + 40)
    spent = [one.joules for one in stands]
    near = max(spent) < _NEAR * min(spent)
    x = Scale(0.9 * min(spent), 1.1 * max(spent), _LEFT, WIDTH - 10) if near else decades(spent, _LEFT, WIDTH - 10)
    low, high = min(one.accuracy for one in stands), max(one.accuracy for one in stands)
    room = max((high - low) * 0.12, 0.005)
    y = Scale(max(low - room, 0.0), min(high + room, 1.0), _BOTTOM, _TOP)
    picture.add(*across(x, _TOP, _BOTTOM, lambda tick: joules(tick, brief=True), most=5))
    picture.add(*upwards(y, _LEFT, WIDTH - 10, lambda tick: f"{100 * tick:.3g} %"))
    picture.add(Strokes(joined([(x(one.joules), y(one.accuracy)) for one in front]), "good", 1.4))
    for one in stands:
        note = f"{one.name}: {accuracy(one.accuracy)}, {joules(one.joules)} a sample"
        picture.add(
            Marker(x(one.joules), y(one.accuracy), "disc" if one.kind == "ann" else "diamond", one.kind, 4.5, note)
        )
    picture.add(
        Marker(6, 8, "disc", "ann", 4.5),
        Words(16, 12, "ANN"),
        Marker(66, 8, "diamond", "snn", 4.5),
        Words(76, 12, "SNN"),
    )
    picture.add(
        Words(WIDTH, _BOTTOM + 30, f"estimated joules a sample{'' if near else ', log axis'}", "muted", anchor="end")
    )
    picture.add(Words(WIDTH, 12, "right answers, upwards", "muted", anchor="end"))
    return picture


def not_beaten(stands: Sequence[Stand]) -> list[Stand]:
    """Those that no other is at least as accurate as, for at most as many joules, and better in one; cheapest first."""
    front: list[Stand] = []
    for one in sorted(stands, key=lambda one: (one.joules, -one.accuracy)):
        if not front or one.accuracy > front[-1].accuracy:
            front.append(one)
    return front
