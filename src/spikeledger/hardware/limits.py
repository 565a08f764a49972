"""The most that a device can do: power and peak rates of its profile, and the room that its chip's file gives."""

from __future__ import annotations

import functools
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources

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


@dataclass(frozen=True)
class Room:
    """What one chip holds, and how many chips work together; None where no limit is published."""

    neurons: int
    synapses: int | None
    chips: int
    shares_weights: bool


def room_of(profile: str) -> Room | None:
    """The room on the chip that a profile prices, from the chip's own file; None for what is no chip.

    `profile` may be a variant: what stands behind `@` does not change the room.
    """
    return _rooms().get(profile.split("@")[0])


@functools.cache
def _rooms() -> Mapping[str, Room]:
    found = {}
    for item in (resources.files("spikeledger") / "chip" / "chips").iterdir():
        if not item.name.endswith(".toml"):
            continue
        table = tomllib.loads(item.read_text("utf-8"))
        core, mesh = table["core"], table.get("mesh", {})
        cores = mesh.get("cores") or math.prod(mesh.get(side, 1) for side in ("columns", "rows", "cores_per_router"))
        each, bits = core.get("synapses"), core.get("weight_bits", 8)
        if each is None and core.get("memory_bytes") and not core.get("neuron_bytes"):
            each = int(core["memory_bytes"] / core.get("synapse_bytes", bits / 8))
        found[table.get("profile", "")] = Room(
            core["neurons"] * cores, None if each is None else each * cores, mesh.get("chips", 1),
            bool(core.get("shares_weights")),
        )  # fmt: skip
    found.pop("", None)
    return found
