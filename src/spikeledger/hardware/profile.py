"""HardwareProfile: what one device charges for each event, each number with a range, a scope, a kind and a source.

The format is TOML, one file a device; `catalog.load_profile` reads it. A number without a source does not load.
"""

from __future__ import annotations

import math
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from ..events import EVENTS

Scope = Literal["marginal", "all_in"]
Kind = Literal["measured", "simulated", "claimed", "assumed"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)


class Cited(_Part):
    """A number with its range and where it comes from."""

    kind: Kind
    source: str
    note: str = ""

    @field_validator("source")
    @classmethod
    def _has_a_source(cls, source: str) -> str:
        if len(source.strip()) < 8:
            raise ValueError("a number needs a source: paper or data sheet, with its table or page")
        return source


class Price(Cited):
    """Joules of one event. `marginal` is a slope; `all_in` already holds the device's static power and routing."""

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

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        _check_range(self.low, self.joules, self.high, "joules")
        return self


class Static(Cited):
    """Watts that the device draws whatever happens, and the state in which they were measured."""

    watts: float
    low: float
    high: float
    state: str

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        _check_range(self.low, self.watts, self.high, "watts")
        return self


class Timing(Cited):
    """How long a run takes, so that static power becomes energy: the sum of the terms that are given, in seconds."""

    seconds_per_step: float = 0.0
    seconds_per_sample: float = 0.0
    seconds_per_dense_op: float = 0.0
    low_factor: float = 1.0  # the range of the whole duration, as factors
    high_factor: float = 1.0

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        for value in (self.seconds_per_step, self.seconds_per_sample, self.seconds_per_dense_op):
            if not (math.isfinite(value) and value >= 0):
                raise ValueError("durations must be finite and at least 0 seconds")
        if self.seconds_per_step + self.seconds_per_sample + self.seconds_per_dense_op == 0:
            raise ValueError(
                "a timing needs at least one of seconds_per_step, seconds_per_sample, seconds_per_dense_op"
            )
        if not 0 < self.low_factor <= 1 <= self.high_factor < math.inf:
            raise ValueError("low_factor must lie in (0, 1] and high_factor be at least 1")
        return self


class HardwareProfile(_Part):
    """One device: prices by event, static power, time, and what the device can do."""

    name: str
    title: str
    summary: str = ""
    runs: tuple[Literal["snn", "ann"], ...] = ("snn", "ann")
    #: which zeros the device does not compute: none (dense machines), those of spikes, or all
    skips: Literal["none", "spikes", "all"] = "spikes"
    bill: str = "full"
    node_nm: float | None = None
    volts: float | None = None
    caveat: str = ""
    #: events that this profile leaves out of its bill by name, with the reason that the report prints
    leaves_out: dict[str, str] = Field(default_factory=dict)
    joules_per_kwh: float = 3.6e6  # an as-published profile may carry its source's own divisor
    prices: dict[str, Price]
    static: Static | None = None
    timing: Timing | None = None

    @field_validator("prices", "leaves_out")
    @classmethod
    def _known(cls, book: dict[str, object]) -> dict[str, object]:
        unknown = [event for event in book if event not in EVENTS]
        if unknown:
            raise ValueError(f"unknown events {unknown}: see spikeledger.events")
        return book

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        both = sorted(set(self.prices) & set(self.leaves_out))
        if both:
            raise ValueError(f"{both} have a price and are left out: choose one")
        all_in = sorted(event for event, price in self.prices.items() if price.scope == "all_in")
        if all_in and self.static is not None:
            raise ValueError(
                f"the prices of {all_in} are all-in, so they hold the static power already: remove [static] or make "
                "them marginal"
            )
        if self.static is not None and self.timing is None:
            raise ValueError("[static] needs a [timing], or its watts never become joules")
        return self

    @property
    def all_in(self) -> bool:
        """Whether the prices already hold static power and routing."""
        return any(price.scope == "all_in" for price in self.prices.values())

    @property
    def included(self) -> frozenset[str]:
        """Events that another price already pays for."""
        return frozenset(event for price in self.prices.values() for event in price.includes)

    def __repr__(self) -> str:
        return f"HardwareProfile({self.name!r}, {self.title!r}, {len(self.prices)} prices)"


def _check_range(low: float, nominal: float, high: float, unit: str) -> None:
    if not all(math.isfinite(value) for value in (low, nominal, high)):
        raise ValueError(f"low, {unit} and high must be finite, not {low}, {nominal}, {high}")
    if not 0 <= low <= nominal <= high:
        raise ValueError(f"0 <= low <= {unit} <= high must hold, not {low}, {nominal}, {high}")
