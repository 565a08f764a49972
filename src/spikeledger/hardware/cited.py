"""Cited: a number with its range, how it came about and where it stands. Everything in a profile that counts is one."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, get_origin

from pydantic import BaseModel, ConfigDict, PrivateAttr, ValidationError, ValidationInfo, field_validator

from ..amounts import Amount
from ..errors import CallError, ProfileError

if TYPE_CHECKING:
    from pydantic._internal._model_construction import ModelMetaclass
else:
    ModelMetaclass = type(BaseModel)

Scope = Literal["marginal", "all_in"]
Kind = Literal["measured", "simulated", "claimed", "assumed"]

#: from the strongest to the weakest
KINDS: tuple[Kind, ...] = ("measured", "simulated", "claimed", "assumed")


#: pydantic's kinds of fault that its own words say badly -> ours
_SAID = {
    "extra_forbidden": "there is no such field", "missing": "it is missing", "tuple_type": "give a list, such as ['snn']",
    "model_type": "give a table of its own", "dict_type": "give a table of its own",
    "float_parsing": "give a number in SI units, without them", "float_type": "give a number in SI units, without them",
    "finite_number": "give a finite number", "string_type": "give text, in quotes", "too_short": "name at least one",
}  # fmt: skip


def faults(error: ValidationError) -> list[str]:
    """Every fault that pydantic found, each with its place."""
    return [
        f"{'.'.join(str(part) for part in fault['loc']) or 'profile'}: "
        + _SAID.get(fault["type"], fault["msg"].removeprefix("Value error, "))
        for fault in error.errors()
    ]


class _Retelling(ModelMetaclass):
    """Makes parts that a user writes out in Python; what is wrong with one is our sentence and not pydantic's table."""

    def __call__(cls, *args: Any, **fields: Any) -> Any:
        if args:
            raise CallError(f"sl.{cls.__name__} takes its fields by name: {cls.__name__}({', '.join(_asked(cls))})")
        try:
            return super().__call__(**fields)
        except ValidationError as error:
            raise ProfileError(f"this {cls.__name__} cannot be: {'; '.join(faults(error))}") from error


def _asked(kind: Any) -> list[str]:
    return [f"{name}=..." for name, field in kind.model_fields.items() if field.is_required()]


class Part(BaseModel, metaclass=_Retelling):
    """A part of a profile: frozen, and a field that it does not know is a fault."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _true_is_no_number(cls, value: Any, info: ValidationInfo) -> Any:
        kind = cls.model_fields[str(info.field_name)].annotation
        given = value.values() if isinstance(value, dict) and get_origin(kind) is dict else (value,)
        if kind is not bool and any(isinstance(one, bool) for one in given):
            raise ValueError("true and false are no numbers: give the number itself")
        return value


class Sourced(Part):
    """Facts and where they come from."""

    source: str
    note: str = ""

    @field_validator("source")
    @classmethod
    def _has_a_source(cls, source: str) -> str:
        if len(source.strip()) < 8:
            raise ValueError("a number needs a source: paper or data sheet, with its table or page")
        return source


class Cited(Sourced):
    """A number with its range, how it came about and where it comes from."""

    kind: Kind


class Ranged(Cited):
    """A cited number with a low and a high end, and an identity: the number behind it, not what it is charged for.

    `id` names that number. Without one it is the profile's family and the place in the file ("45 nm: SRAM 8 KB"), and
    whoever changes a profile keeps it: two prices with one id and the same ends are one number, which moves both sides
    of a comparison together.
    """

    id: str = ""
    #: the field that holds the nominal value
    NOMINAL: ClassVar[str] = "value"
    #: what it is made of, where that is more than itself
    _amount: Amount | None = PrivateAttr(None)

    @property
    def amount(self) -> Amount:
        """The number with its ends, and the unknowns that it is made of."""
        if self._amount is None:
            low, nominal, high = (getattr(self, name) for name in ("low", self.NOMINAL, "high"))
            object.__setattr__(self, "_amount", Amount.of(self.id, low, nominal, high))
        assert self._amount is not None
        return self._amount

    def named(self, name: str) -> Self:
        """The same number with an identity, unless it has one."""
        return self if self.id or self._amount is not None else self.model_copy(update={"id": name})

    def made(self, amount: Amount, **update: Any) -> Self:
        """The same part with another amount."""
        ends = {"low": amount.low, self.NOMINAL: amount.nominal, "high": amount.high}
        copy = self.model_copy(update={**ends, **update})
        object.__setattr__(copy, "_amount", amount)
        return copy


def worst_kind(kinds: Iterable[Kind]) -> Kind:
    """The weakest of some kinds; nothing at all is assumed."""
    return max(kinds, key=KINDS.index, default="assumed")


def finite(value: float) -> bool:
    """Whether a number is one."""
    return math.isfinite(value)


def check_range(low: float | None, nominal: float | None, high: float, unit: str, *, most: float) -> None:
    """Refuse `low <= nominal <= high` that does not hold; what was refused on its own account is None and passes."""
    if low is None or nominal is None:
        return
    if not all(finite(value) for value in (low, nominal, high)):
        raise ValueError(f"low, {unit} and high must be finite, not {low}, {nominal}, {high}")
    if not 0 <= low <= nominal <= high:
        raise ValueError(f"0 <= low <= {unit} <= high must hold, not {low}, {nominal}, {high}")
    if high > most:
        raise ValueError(f"{high} {unit} is absurd (at most {most:g}): units are SI, 23.6 pJ is 23.6e-12")
