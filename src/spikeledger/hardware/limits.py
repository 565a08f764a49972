"""The most that a device can do in a second: its power and its peak rates."""

from __future__ import annotations

from pydantic import Field, model_validator

from ..events import EVENTS
from .cited import Cited, finite


class Limits(Cited):
    """The power that the device may draw and the events that it can do in a second: prices are checked against them."""

    watts: float = Field(gt=0, le=1e9)
    events_per_second: dict[str, float] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _known(self) -> Limits:
        unknown = [event for event in self.events_per_second if event not in EVENTS]
        if unknown:
            raise ValueError(f"unknown events {unknown} in events_per_second")
        if not all(finite(rate) and rate > 0 for rate in self.events_per_second.values()):
            raise ValueError("rates in events_per_second must be finite and positive")
        return self
