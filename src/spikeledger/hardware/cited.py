"""Cited: a number with its range, how it came about and where it stands. Everything in a profile that counts is one."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Literal

from pydantic import BaseModel, ConfigDict, field_validator

Scope = Literal["marginal", "all_in"]
Kind = Literal["measured", "simulated", "claimed", "assumed"]

#: from the strongest to the weakest
KINDS: tuple[Kind, ...] = ("measured", "simulated", "claimed", "assumed")


class Part(BaseModel):
    """A part of a profile: frozen, and a field that it does not know is a fault."""

    model_config = ConfigDict(extra="forbid", frozen=True)


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
