"""Amounts: a low, a nominal and a high end, and the numbers behind them, so that what two sides share stays shared.

`Unknown` is a number of which only a range is known: the energy of one access to an SRAM, the idle watts of a board.
`Amount` is a sum of products of unknowns, each times a factor that is known:

`amount = sum over k of factor_k * (product of unknowns)_k`

Its ends are those with every unknown at the same end. Amounts add and multiply, and remember what they are made of:
two amounts that hang on one unknown move together (JCGM 100:2008, 5.2: correlated input quantities).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from . import units
from .errors import InputError

_ANONYMOUS = itertools.count()


@dataclass(frozen=True, slots=True)
class Unknown:
    """A number within a range; its name and its ends together are its identity, so equal unknowns are one."""

    name: str
    low: float
    nominal: float
    high: float

    def __hash__(self) -> int:
        return hash((self.name, self.nominal))


#: a product of unknowns, in the order of their names; the empty one is 1
Product = tuple[Unknown, ...]

#: the terms of an amount that is no sum of others
_OWN: Mapping[Product, float] = MappingProxyType({})


@dataclass(frozen=True)
class Amount:
    """A quantity of at least 0 with its low and high end, and the `terms` that it is the sum of.

    Without terms it stands for itself: an unknown that no other amount shares, or a known number where its ends agree.
    """

    low: float
    nominal: float
    high: float
    terms: Mapping[Product, float] = field(default_factory=lambda: _OWN, compare=False, repr=False)

    def __post_init__(self) -> None:
        if self.terms is _OWN:
            object.__setattr__(self, "terms", _own_terms("", self.low, self.nominal, self.high))

    @classmethod
    def of(cls, name: str, low: float, nominal: float, high: float) -> Amount:
        """The amount that is one unknown of this name."""
        return cls(low, nominal, high, _own_terms(name, low, nominal, high))

    @classmethod
    def exactly(cls, value: float) -> Amount:
        """A known number."""
        return cls(value, value, value, {(): value} if value else {})

    @classmethod
    def from_terms(cls, terms: Mapping[Product, float]) -> Amount:
        """The sum of these products, each times its factor."""
        low, nominal, high = (
            sum(factor * math.prod(getattr(one, end) for one in product) for product, factor in terms.items())
            for end in ("low", "nominal", "high")
        )
        return cls(low, nominal, high, dict(terms))

    @classmethod
    def sum(cls, parts: Iterable[tuple[float, Amount]]) -> Amount:
        """`sum of factor * amount`, in one pass."""
        low = nominal = high = 0.0
        terms: dict[Product, float] = {}
        for factor, part in parts:
            low, nominal, high = low + factor * part.low, nominal + factor * part.nominal, high + factor * part.high
            for product, weight in part.terms.items():
                terms[product] = terms.get(product, 0.0) + factor * weight
        return cls(low, nominal, high, terms)

    def __add__(self, other: Amount) -> Amount:
        return Amount.sum(((1.0, self), (1.0, other)))

    def __mul__(self, other: float | Amount) -> Amount:
        """Times a known factor of at least 0, or times another amount, end by end."""
        if isinstance(other, Amount):
            terms: dict[Product, float] = {}
            for (left, a), (right, b) in itertools.product(self.terms.items(), other.terms.items()):
                product = tuple(sorted((*left, *right), key=lambda one: one.name))
                terms[product] = terms.get(product, 0.0) + a * b
            return Amount(self.low * other.low, self.nominal * other.nominal, self.high * other.high, terms)
        if not (other >= 0 and math.isfinite(other)):
            raise InputError(f"an amount was multiplied by {other}: a factor is a number of at least 0")
        terms = {product: weight * other for product, weight in self.terms.items()}
        return Amount(self.low * other, self.nominal * other, self.high * other, terms)

    __rmul__ = __mul__

    @property
    def unknowns(self) -> tuple[Unknown, ...]:
        """What it hangs on, each once."""
        return tuple(dict.fromkeys(one for product in self.terms for one in product))

    def at(self, values: Mapping[Unknown, float]) -> float:
        """Its value where unknowns have these values, and their nominal ones where none is given."""
        return sum(
            factor * math.prod(values.get(one, one.nominal) for one in product)
            for product, factor in self.terms.items()
        )

    @property
    def certain(self) -> bool:
        """Whether low and high agree, up to the rounding of a sum."""
        return math.isclose(self.low, self.high, rel_tol=1e-9)

    def to_dict(self) -> dict[str, float]:
        """Its three ends as plain values."""
        return {"low": self.low, "nominal": self.nominal, "high": self.high}

    def __str__(self) -> str:
        """As joules, as most amounts are."""
        if self.certain:
            return units.joules(self.nominal)
        return f"{units.joules(self.nominal)} ({units.joules(self.low)} to {units.joules(self.high)})"


def _own_terms(name: str, low: float, nominal: float, high: float) -> dict[Product, float]:
    if low == nominal == high:
        return {(): nominal} if nominal else {}
    return {(Unknown(name or f"(unnamed {next(_ANONYMOUS)})", low, nominal, high),): 1.0}
