"""Which number is behind a price: identities are given, or a price is made of other numbers that have one.

A profile's `family` and the place of a number in the file are its identity, unless it says `id`. A price with `made_of`
has no number of its own: a multiply-accumulate is a multiply and the add that a synaptic operation is, so it never
costs less; another chip's price times how far it carries shares that chip's number.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from pydantic import Field, ValidationInfo, field_validator, model_validator

from ..amounts import Amount
from ..events import EVENTS
from .cited import Ranged, Scope, check_range, finite

#: more numbers than this that multiply others would make an exact interval slow, and say little
_MOST_FACTORS = 4
#: joules above which the price of one event is a slip of the unit: a whole inference of a large network costs less
_DEAREST = 1e-3


class Number(Ranged):
    """A number that prices are made of: joules, or a factor without unit."""

    value: float
    low: float
    high: float

    @field_validator("high")
    @classmethod
    def _ordered(cls, high: float, info: ValidationInfo) -> float:
        check_range(info.data.get("low"), info.data.get("value"), high, "value", most=1e6)
        return high


class Made(Ranged):
    """A number that may be made of others: `sum of how often * number`, times the numbers in `times`."""

    made_of: dict[str, float] = Field(default_factory=dict)
    times: tuple[str, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _needs_no_ends(cls, table: Any) -> Any:
        if not isinstance(table, dict) or not table.get("made_of"):
            return table
        return {**dict.fromkeys(("low", cls.NOMINAL, "high"), 0.0), **table}

    @field_validator("made_of")
    @classmethod
    def _often(cls, made_of: dict[str, float]) -> dict[str, float]:
        if not all(finite(often) and 0 <= often <= 1e9 for often in made_of.values()):
            raise ValueError("made_of says how often each number is in it: at least 0, at most 1e9")
        return made_of

    @model_validator(mode="after")
    def _times_what(self) -> Made:
        if self.times and not self.made_of:
            raise ValueError("times multiplies what made_of names: say what that is")
        return self


class Price(Made):
    """Joules of one event. `marginal` is a slope; `all_in` already holds the device's static power and routing.

    `made_of` in place of joules names the numbers, prices and memory levels that it is the sum of, each with how often:
    `{ synaptic_op = 1, "fp32 multiply" = 1 }`; `times` multiplies that by more numbers.
    """

    NOMINAL = "joules"
    joules: float
    low: float
    high: float
    scope: Scope = "marginal"
    includes: tuple[str, ...] = ()  # events that this price already pays for, such as the weight read of a synaptic_op

    @field_validator("includes")
    @classmethod
    def _known_events(cls, includes: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [event for event in includes if event not in EVENTS]
        if unknown:
            raise ValueError(f"unknown events {unknown}")
        return includes

    @field_validator("high")
    @classmethod
    def _ordered(cls, high: float, info: ValidationInfo) -> float:
        check_range(info.data.get("low"), info.data.get("joules"), high, "joules", most=_DEAREST)
        return high

    def scaled(self, factor: float, why: str) -> Price:
        """The same price times a factor, as an assumption that says why; what it is made of stays the same."""
        return self.remade(self.amount * factor, why)

    def remade(self, amount: Amount, why: str) -> Price:
        """The same price with another amount, as an assumption that says why."""
        note = f"{self.note}; {why}" if self.note else why
        return self.made(amount, kind="assumed", note=note, made_of={}, times=())


def identified(home: str, known: Mapping[str, Ranged], prices: Mapping[str, Price]) -> dict[str, Price]:
    """The same prices with an identity each, and the amounts of those that are made of `known` numbers and levels."""
    factors = {name for price in prices.values() for name in price.times}
    if len(factors) > _MOST_FACTORS:
        raise ValueError(f"prices are multiplied by {len(factors)} numbers: at most {_MOST_FACTORS} can be told apart")
    found: dict[str, Price] = {}

    def resolve(event: str, above: tuple[str, ...]) -> Price:
        if event in found:
            return found[event]
        price = prices[event]
        if event in above:
            raise ValueError(f"prices.{event} is made of itself: {' -> '.join((*above, event))}")
        if price.made_of and price._amount is None:
            amount = Amount.sum((often, part(event, name, (*above, event))) for name, often in price.made_of.items())
            for name in price.times:
                amount = amount * part(event, name, (*above, event))
            _check(event, price, amount)
            price = price.made(amount)
        else:
            price = price.named(f"{home}: {event}")
        found[event] = price
        return price

    def part(event: str, name: str, above: tuple[str, ...]) -> Amount:
        if name in known:
            return known[name].amount
        if name in prices:
            return resolve(name, above).amount
        listed = ", ".join((*known, *prices))
        raise ValueError(f"prices.{event} is made of '{name}', which is no number, level or price here: {listed}")

    return {event: resolve(event, ()) for event in prices}


def _check(event: str, price: Made, amount: Amount) -> None:
    """Refuse a sum that is absurd, or ends beside it that say otherwise."""
    check_range(amount.low, amount.nominal, amount.high, price.NOMINAL, most=_DEAREST)
    if any(len(set(product)) < len(product) for product in amount.terms):
        raise ValueError(f"prices.{event} is a number times itself: name it once, in made_of or in times")
    given = tuple(getattr(price, end) for end in ("low", price.NOMINAL, "high"))
    made = (amount.low, amount.nominal, amount.high)
    if any(given) and not all(math.isclose(a, b, rel_tol=1e-6) for a, b in zip(given, made, strict=True)):
        raise ValueError(
            f"prices.{event} is made of what gives {made}, and says {given}: leave its ends out, or mend it"
        )
