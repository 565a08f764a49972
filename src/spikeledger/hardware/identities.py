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
from .cited import Ranged, check_range, finite
from .memory import Level

#: more numbers than this that multiply others would make an exact interval slow, and say little
_MOST_FACTORS = 4


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


def identified(
    home: str, numbers: Mapping[str, Number], prices: Mapping[str, Made], memory: tuple[Level, ...]
) -> dict[str, Any]:
    """The same tables with an identity for every number, and the amounts of what is made of others."""
    named = {name: number.named(f"{home}: {name}") for name, number in numbers.items()}
    levels = tuple(level.named(f"{home}: {level.name}") for level in memory)
    known: dict[str, Ranged] = {level.name: level for level in levels} | dict(named)
    factors = {name for price in prices.values() for name in price.times}
    if len(factors) > _MOST_FACTORS:
        raise ValueError(f"prices are multiplied by {len(factors)} numbers: at most {_MOST_FACTORS} can be told apart")
    found: dict[str, Made] = {}

    def resolve(event: str, above: tuple[str, ...]) -> Made:
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

    return {"numbers": named, "memory": levels, "prices": {event: resolve(event, ()) for event in prices}}


def _check(event: str, price: Made, amount: Amount) -> None:
    """Refuse a sum that is absurd, or ends beside it that say otherwise."""
    check_range(amount.low, amount.nominal, amount.high, price.NOMINAL, most=1e-3)
    given = tuple(getattr(price, end) for end in ("low", price.NOMINAL, "high"))
    made = (amount.low, amount.nominal, amount.high)
    if any(given) and not all(math.isclose(a, b, rel_tol=1e-6) for a, b in zip(given, made, strict=True)):
        raise ValueError(
            f"prices.{event} is made of what gives {made}, and says {given}: leave its ends out, or mend it"
        )
