"""Who costs less, if the ranges allow to say so; and otherwise, which price decides. Prices are swung one at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from ..amounts import Amount
from .matches import Deciding, Verdict

#: (profile, event) -> joules per sample: a price is one number, so where both sides pay it, it moves both
Bill = Mapping[tuple[str, str], Amount]


def not_given(reason: str) -> Verdict:
    """The verdict where a side has no joules."""
    return Verdict(f"not given: {reason}", given=False)


def verdict(ann: Bill, snn: Bill) -> Verdict:
    """`SNN lower` or `ANN lower` only if the ranges do not overlap; else every price that alone flips the nominal sign.

    Each price goes to its low and to its high end while all others stay nominal. If none flips the sign, the one that
    moves the difference most is named.
    """
    cost_ann, cost_snn = total(ann), total(snn)
    if cost_snn.high < cost_ann.low:
        return Verdict("SNN lower", "snn")
    if cost_ann.high < cost_snn.low:
        return Verdict("ANN lower", "ann")
    swings = sorted(_swings(ann, snn), key=lambda one: -one.swing)
    if not swings or swings[0].swing == 0:
        return Verdict("the ranges overlap: both sides cost the same")
    flipping = tuple(one for one in swings if one.flips)
    if flipping:
        return Verdict(f"the ranges overlap: decided by {' or '.join(str(one) for one in flipping)}", "", flipping)
    lower = "SNN" if cost_snn.nominal < cost_ann.nominal else "ANN"
    return Verdict(
        f"the ranges overlap: decided by {swings[0]}, though the {lower} is nominally lower and no price alone turns "
        "that",
        "",
        tuple(swings[:1]),
    )


def total(bill: Bill) -> Amount:
    """The sum of all lines."""
    zero = Amount(0.0, 0.0, 0.0)
    return sum(bill.values(), zero)


def _swings(ann: Bill, snn: Bill) -> list[Deciding]:
    nominal = total(snn).nominal - total(ann).nominal
    zero = Amount(0.0, 0.0, 0.0)
    found = []
    for key in dict.fromkeys((*ann, *snn)):
        here, there = snn.get(key, zero), ann.get(key, zero)
        ends = [
            nominal + (getattr(here, end) - here.nominal) - (getattr(there, end) - there.nominal)
            for end in ("low", "high")
        ]
        side: Literal["ann", "snn", "both"] = "both" if key in ann and key in snn else "snn" if key in snn else "ann"
        flips = nominal != 0 and any(value * nominal <= 0 for value in ends)
        found.append(Deciding(key[1], side, ends[0], ends[1], flips))
    return found
