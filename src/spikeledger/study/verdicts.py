"""Who costs less, and how sure that is: exact where the prices cannot turn it, else a probability, else about equal.

A verdict is made of amounts a sample, so that a price which both sides pay is one number. Several networks a side, and
several parts of the samples, may be given: what differs between them is then part of the answer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..amounts import Amount, Product, Unknown
from .joint import DRAWS, Draws, Extremes, Interval, draw, extremes

Winner = Literal["snn", "ann", ""]
#: `exact`: whatever the prices; `likely`: with a probability of 95 %; `equal`: within 10 %; `open`: none of these
Standing = Literal["exact", "likely", "equal", "open", "not given"]
Floats = NDArray[np.float64]

#: from this probability on one side is called likely to cost less
LIKELY = 0.95
#: within this factor both sides are called equal
EQUAL = 1.1
#: below this share of the cheaper side's cost no price is worth knowing better
WORTH = 0.01
#: standard errors of a 95 % interval
_SURE = 1.96


@dataclass(frozen=True, eq=False)
class Bill:
    """What one network costs a sample, and what it costs in parts of the samples, in the same order on both sides."""

    cost: Amount
    parts: tuple[Amount, ...] = ()

    @property
    def standard_error(self) -> float | None:
        """Of the nominal joules a sample, over the parts of the samples; None where there is one part."""
        return standard_error([part.nominal for part in self.parts])


@dataclass(frozen=True)
class Worth:
    """One unknown, and what knowing it better is worth.

    `share` is the expected value of perfect information on it (EVPPI: Strong, Oakley & Brennan 2014,
    doi:10.1177/0272989X12465490) over that on everything (EVPI); `at_low` and `at_high` are the probability that the
    SNN costs less with it in its lowest and in its highest tenth.
    """

    price: str
    side: Literal["ann", "snn", "both"]
    share: float
    at_low: float
    at_high: float

    @property
    def flips(self) -> bool:
        """Whether its ends make different sides likelier."""
        return (self.at_low - 0.5) * (self.at_high - 0.5) < 0

    def __str__(self) -> str:
        return f"{self.price} (P {percent(self.at_low)} where low, {percent(self.at_high)} where high)"

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "event": self.price, "side": self.side, "share": self.share, "at_low": self.at_low,
            "at_high": self.at_high, "flips": self.flips,
        }  # fmt: skip


@dataclass(frozen=True)
class Verdict:
    """Who costs less, in one line (`text`) and in numbers; `winner` is set where no price within its range turns it."""

    text: str
    standing: Standing
    winner: Winner = ""
    likely: Winner = ""  # who costs less with a probability of 95 %, where that is not certain
    ratio: Interval | None = None  # ANN / SNN, whatever the prices
    probability: float | None = None  # that the SNN costs less; None where it is certain
    ratio_95: tuple[float, float] | None = None
    distribution: str = ""
    information: float | None = None  # EVPI over the cost of the cheaper side
    decided_by: tuple[Worth, ...] = ()  # what is worth knowing better, most first
    details: tuple[str, ...] = field(default_factory=tuple)

    @property
    def given(self) -> bool:
        """Whether both sides had a price."""
        return self.standing != "not given"

    def __str__(self) -> str:
        return self.text

    def to_dict(self) -> dict[str, Any]:
        """Plain values; what is without an upper end is None there."""
        return {
            "text": self.text, "standing": self.standing, "winner": self.winner, "likely": self.likely,
            "given": self.given, "ratio": None if self.ratio is None else [self.ratio.low, _finite(self.ratio.high)],
            "probability": self.probability,
            "ratio_95": None if self.ratio_95 is None else [_finite(end) for end in self.ratio_95],
            "distribution": self.distribution, "information": self.information,
            "decided_by": [one.to_dict() for one in self.decided_by], "details": list(self.details),
        }  # fmt: skip


def not_given(reason: str) -> Verdict:
    """The verdict where a side has no joules."""
    return Verdict(f"not given: {reason}", "not given")


def verdict(
    ann: Bill | Amount | Sequence[Bill],
    snn: Bill | Amount | Sequence[Bill],
    *,
    distribution: str = "log-uniform",
    draws: int = DRAWS,
    seed: int = 0,
) -> Verdict:
    """Judge two costs a sample, or several networks a side: `verdict(ann_ledger.per_sample, snn_ledger.per_sample)`.

    `exact` if the sign of `SNN - ANN` is the same for every value of the unknowns within their ranges, for every pair of
    networks, and, where parts of the samples are given, for the inputs that were not seen too (1.96 standard errors).
    Else the unknowns are drawn, the parts drawn anew with replacement, and the networks at random.

    Args:
        distribution: of the unknowns, `log-uniform` or `log-triangular`.
    """
    anns, snns = _bills(ann), _bills(snn)
    found = [(one, other, extremes(one.cost, other.cost)) for one in anns for other in snns]
    ratios = [each.ratio for *_, each in found if each.ratio is not None]
    if not ratios:
        return Verdict("neither side costs anything", "equal")
    ratio = Interval(min(one.low for one in ratios), max(one.high for one in ratios))
    signs = {_sign(*three) for three in found}
    details = tuple(_spread(anns, snns))
    within = max(ratio.high, _inverse(ratio.low))
    if all(max(abs(each.difference.low), abs(each.difference.high)) <= 1e-12 * one.cost.high for one, _, each in found):
        return Verdict("both cost the same", "equal", ratio=ratio, details=details)
    if signs in ({1}, {-1}):
        winner: Winner = "ann" if signs == {1} else "snn"
        return Verdict(_exact(winner, ratio, _certain(anns, snns)), "exact", winner, ratio=ratio, details=details)
    drawn = _Drawn(anns, snns, distribution, draws, seed)
    shared = {
        "ratio": ratio, "probability": drawn.probability, "ratio_95": drawn.ratio_95, "distribution": distribution,
        "information": drawn.information,
    }  # fmt: skip
    worth = tuple(drawn.worth()) if drawn.information >= WORTH else ()
    details = (*_drawn_details(drawn, worth, distribution), *details)
    if within <= EQUAL:
        return Verdict(f"equal within {_up(within)}", "equal", details=details, **shared)  # type: ignore[arg-type]
    ends = f"ANN ÷ SNN {times(drawn.ratio_95[0])} to {times(drawn.ratio_95[1])}"
    chances: tuple[tuple[Winner, float], ...] = (("snn", drawn.probability), ("ann", 1 - drawn.probability))
    for side, p in chances:
        if p >= LIKELY:
            text = f"the {side.upper()} probably costs less (P {percent(p)}; {ends})"
            return Verdict(text, "likely", "", side, decided_by=worth, details=details, **shared)  # type: ignore[arg-type]
    why = f"; worth knowing: {worth[0].price}" if worth else ""
    text = f"open, P {percent(drawn.probability)} that the SNN costs less ({ends}){why}"
    return Verdict(text, "open", decided_by=worth, details=details, **shared)  # type: ignore[arg-type]


def standard_error(values: Sequence[float]) -> float | None:
    """Of the mean of some values; None where there are fewer than two."""
    return None if len(values) < 2 else float(np.std(values, ddof=1) / math.sqrt(len(values)))


def percent(share: float) -> str:
    """A probability as people read it: never 0 or 100 % of what is not sure."""
    return "< 1 %" if 0 < share < 0.01 else "> 99 %" if 0.99 < share < 1 else f"{100 * share:.0f} %"


def times(ratio: float, toward: Callable[[float], float] = round) -> str:
    """A ratio in as many digits as say something: `0.67`, `1.03`, `2.4`, `31`, `1,200`."""
    if ratio == 0 or not math.isfinite(ratio):
        return "0" if ratio == 0 else "∞"
    digits = 1 - math.floor(math.log10(ratio))
    if 0.9 < ratio < EQUAL:
        digits = 2 if abs(ratio - 1) >= 0.01 else 3 if abs(ratio - 1) >= 0.001 else 4
    scale = 10.0**digits
    # a product of floats that should be whole may lie a hair beside it
    whole = toward(round(ratio * scale, 6))
    return f"{whole / scale:,.{max(digits, 0)}f}"


class _Drawn:
    """Costs of both sides at drawn prices, drawn parts of the samples and drawn networks."""

    def __init__(self, anns: Sequence[Bill], snns: Sequence[Bill], distribution: str, draws: int, seed: int) -> None:
        costs = [bill.cost for bill in (*anns, *snns)] + [part for bill in (*anns, *snns) for part in bill.parts]
        self.products: list[Product] = list(dict.fromkeys(product for cost in costs for product in cost.terms))
        unknowns = list(dict.fromkeys(one for product in self.products for one in product))
        self.prices: Draws = draw(unknowns, distribution=distribution, size=draws, seed=seed)
        values = self.prices.products(self.products)
        chance = np.random.default_rng([seed, 1])
        # the same samples are drawn on both sides, for both sides answered the same ones
        parts = {len(bill.parts) for bill in (*anns, *snns)}
        self.weights = None
        if len(parts) == 1 and (count := parts.pop()) > 1:
            self.weights = chance.multinomial(count, [1 / count] * count, size=draws) / count
        self.sides = {"ann": anns, "snn": snns}
        self.ann, self.snn = (self._cost(bills, values, chance) for bills in (anns, snns))

    def _cost(self, bills: Sequence[Bill], values: Floats, chance: np.random.Generator) -> Floats:
        which = chance.integers(len(bills), size=len(values))
        found = np.empty(len(values))
        for index, bill in enumerate(bills):
            rows = which == index
            if self.weights is None:
                found[rows] = values[rows] @ self._factors(bill.cost)
            else:
                factors = np.array([self._factors(part) for part in bill.parts])
                found[rows] = ((self.weights[rows] @ factors) * values[rows]).sum(1)
        return found

    def _factors(self, amount: Amount) -> Floats:
        return np.array([amount.terms.get(product, 0.0) for product in self.products])

    @property
    def probability(self) -> float:
        """That the SNN costs less."""
        return float((self.snn < self.ann).mean())

    @property
    def ratio_95(self) -> tuple[float, float]:
        """The middle 95 % of ANN / SNN."""
        with np.errstate(divide="ignore", invalid="ignore"):
            ratios = np.nan_to_num(self.ann / self.snn, nan=1.0, posinf=np.inf)
        low, high = np.quantile(ratios, (0.025, 0.975), method="nearest")
        return float(low), float(high)

    @property
    def information(self) -> float:
        """EVPI: what is lost on average for not knowing the prices, over the cost of the cheaper side."""
        cheaper = min(self.ann.mean(), self.snn.mean())
        return float((cheaper - np.minimum(self.ann, self.snn).mean()) / cheaper) if cheaper > 0 else 0.0

    def worth(self, most: int = 3) -> Iterator[Worth]:
        """The unknowns whose values would turn the choice most often and most dearly, most first."""
        gain = self.ann - self.snn  # of the SNN
        total = float(np.maximum(gain, 0).mean() - max(gain.mean(), 0.0))
        if total <= 0:
            return
        found = []
        for one, drawn in self.prices.values.items():
            # the cost is linear in each unknown, the others on average: a regression on it is the conditional mean
            spread = drawn.var()
            if spread == 0:
                continue
            slope = float(((drawn - drawn.mean()) * (gain - gain.mean())).mean() / spread)
            expected = gain.mean() + slope * (drawn - drawn.mean())
            share = float(np.maximum(expected, 0).mean() - max(gain.mean(), 0.0)) / total
            if share > 0.01:
                low, high = np.quantile(drawn, (0.1, 0.9))
                at_low, at_high = (float((gain[rows] > 0).mean()) for rows in (drawn <= low, drawn >= high))
                found.append(Worth(one.name, self._payer(one), min(share, 1.0), at_low, at_high))
        yield from sorted(found, key=lambda worth: -worth.share)[:most]

    def _payer(self, one: Unknown) -> Literal["ann", "snn", "both"]:
        pays = [any(one in bill.cost.unknowns for bill in self.sides[side]) for side in ("ann", "snn")]
        return "both" if all(pays) else "ann" if pays[0] else "snn"


def _bills(given: Bill | Amount | Sequence[Bill]) -> tuple[Bill, ...]:
    if isinstance(given, Amount):
        return (Bill(given),)
    return (given,) if isinstance(given, Bill) else tuple(given)


def _sign(ann: Bill, snn: Bill, found: Extremes) -> int:
    """1 if the SNN costs more at every corner and for inputs like these, -1 if less, 0 if it hangs on something."""
    low, high = found.difference.low, found.difference.high
    sign = 1 if low > 0 else -1 if high < 0 else 0
    if sign and len(ann.parts) == len(snn.parts) > 1:
        corner = found.lowest if sign > 0 else found.highest
        pairs = zip(ann.parts, snn.parts, strict=True)
        by_part = [there.at(corner) - here.at(corner) for here, there in pairs]
        if abs(np.mean(by_part)) <= _SURE * (standard_error(by_part) or 0.0):
            return 0
    return sign


def _certain(anns: Sequence[Bill], snns: Sequence[Bill]) -> bool:
    return all(bill.cost.certain for bill in (*anns, *snns))


def _exact(winner: Winner, ratio: Interval, certain: bool) -> str:
    """`the ANN costs 1.1 to 2.4 times less, whatever the prices`."""
    low, high = (_inverse(ratio.high), _inverse(ratio.low)) if winner == "ann" else (ratio.low, ratio.high)
    why = "at these prices" if certain else "whatever the prices"
    if math.isinf(low):
        return f"the {winner.upper()} costs nothing, the other one something"
    if high <= EQUAL:
        most = _less(high)
        ends = most if _less(low) == most else f"up to {most}" if low < 1.001 else f"{_less(low)} to {most}"
        return f"the {winner.upper()} costs {ends} % less, {why}: equal within {_up(high)}"
    first, last = times(low, math.floor), times(high, math.ceil)
    if math.isclose(low, high, rel_tol=1e-6):
        size = times(low)
    else:
        size = f"at least {first}" if math.isinf(high) else f"{first} to {last}"
    return f"the {winner.upper()} costs {size} times less, {why}"


def _inverse(ratio: float) -> float:
    return 1 / ratio if ratio > 0 else math.inf


def _less(factor: float) -> str:
    """How many percent less: a factor of 1.25 is 20 % less."""
    return f"{100 * (1 - 1 / factor):.1g}"


def _up(within: float) -> str:
    """`1 %`, `10 %`: how far apart the two are at the most, rounded up."""
    return f"{max(1, math.ceil(100 * (within - 1) - 1e-9))} %"


def _spread(anns: Sequence[Bill], snns: Sequence[Bill]) -> Iterator[str]:
    """What differs between inputs, and between networks."""
    for name, bills in (("ANN", anns), ("SNN", snns)):
        errors = [bill.standard_error for bill in bills]
        if len(bills) == 1 and errors[0] and bills[0].cost.nominal:
            yield f"{name}: joules a sample ± {100 * errors[0] / bills[0].cost.nominal:.2g} % over inputs (standard error)"
        if len(bills) > 1:
            nominal = np.array([bill.cost.nominal for bill in bills])
            spread = 100 * nominal.std(ddof=1) / nominal.mean() if nominal.mean() else 0.0
            yield f"{name}: {len(bills)} networks, joules a sample vary by {spread:.2g} % (standard deviation)"


def _drawn_details(drawn: _Drawn, worth: Sequence[Worth], distribution: str) -> Iterator[str]:
    yield f"probabilities: {drawn.prices.size:,} draws, prices {distribution} within their ranges"
    if worth:
        yield f"worth knowing better: {'; '.join(f'{one}, {percent(one.share)} of the doubt' for one in worth)}"
    else:
        yield "no price is worth knowing better: not to know any costs less than 1 %"


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
