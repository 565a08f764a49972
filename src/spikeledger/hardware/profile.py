"""HardwareProfile: one device, what it charges for each event, and, of a chip, its cores; each number with its source.

The format is TOML, one file a device; `catalog.load_profile` reads it. A number without a source does not load, nor
does a device whose own bandwidth times its own price would melt it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from ..amounts import Amount
from ..events import EVENTS
from ..shown import Showing
from .cited import Cited, Kind, Part, Ranged, Scope, check_range, finite, worst_kind
from .cores import Abilities, Core, Mesh, Room, Seconds, room
from .identities import Number, Price, identified
from .limits import Limits
from .memory import Level

__all__ = [
    "Dataflow",
    "HardwareProfile",
    "Kind",
    "Leak",
    "Level",
    "Limits",
    "Number",
    "Precision",
    "Price",
    "Scope",
    "State",
    "Static",
    "Timing",
]

#: how a spiking layer is computed: see `bills.dataflow`; empty where prices leave nothing open
Dataflow = Literal["", "event-driven", "row-wise", "output-stationary"]


_CHIP_BITS = 8, 24  # of a weight and of a membrane, where a chip says nothing


class Static(Ranged):
    """Watts that the device draws whatever happens, and the state in which they were measured.

    Where the clock matters, `watts` hold at `clock_hertz` and change by `watts_per_hertz`, between the clocks at which
    they were measured, `clock_low` and `clock_high`.
    """

    NOMINAL = "watts"
    watts: float
    low: float
    high: float
    state: str
    clock_hertz: float | None = None
    watts_per_hertz: float = 0.0
    clock_low: float | None = None
    clock_high: float | None = None

    @field_validator("state")
    @classmethod
    def _says_its_state(cls, state: str) -> str:
        if not state.strip():
            raise ValueError("say in which state the watts were measured: off, idle after boot, programmed, running")
        return state

    @field_validator("high")
    @classmethod
    def _ordered(cls, high: float, info: ValidationInfo) -> float:
        check_range(info.data.get("low"), info.data.get("watts"), high, "watts", most=1e9)
        return high


class Timing(Cited):
    """How long a run takes, so that static power becomes energy: the sum of the terms that are given, in seconds.

    `samples (per_sample + T (per_step + per_barrier)) + samples / batch (per_batch + launches per_layer) + sum of
    events / utilisation`, with a launch for each layer, or for each layer and step
    """

    seconds_per_step: float = 0.0
    seconds_per_barrier: float = (
        0.0  # the cores agree that a step is over; a chip simulator adds its busiest core's work
    )
    seconds_per_sample: float = 0.0
    seconds_per_batch: float = 0.0
    seconds_per_layer: float = 0.0  # of each launch: starting a kernel, calling a library
    #: a launch for each weighted layer of a batch (`fused`: all steps in one kernel), or for each layer and step
    launches: Literal["fused", "by_step"] = "fused"
    seconds_per_event: dict[str, float] = Field(default_factory=dict)  # of the whole device at its peak
    batch: int = Field(default=1, ge=1, le=1 << 30)
    utilisation: float = Field(default=1.0, ge=1e-9, le=1)
    low_factor: float = 1.0  # the range of the whole duration, as factors
    high_factor: float = 1.0
    id: str = ""  # which clockwork this is: variants of one board share its range

    @model_validator(mode="before")
    @classmethod
    def _as_in_version_0_1(cls, table: Any) -> Any:
        """The first profiles knew the seconds of one event only, by a name of its own."""
        if isinstance(table, dict) and "seconds_per_dense_op" in table and "seconds_per_event" not in table:
            table = dict(table)
            table["seconds_per_event"] = {"dense_op": table.pop("seconds_per_dense_op")}
        return table

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        unknown = [event for event in self.seconds_per_event if event not in EVENTS]
        if unknown:
            raise ValueError(f"unknown events {unknown} in seconds_per_event")
        terms = [self.seconds_per_step, self.seconds_per_barrier, self.seconds_per_sample, self.seconds_per_batch]
        terms += [self.seconds_per_layer]
        terms += self.seconds_per_event.values()
        if not all(finite(value) and 0 <= value <= 1e6 for value in terms):
            raise ValueError("durations must be finite, at least 0 and at most a million seconds")
        if not any(terms):
            raise ValueError(
                "a timing needs at least one duration: seconds_per_step, _barrier, _sample, _batch, _event"
            )
        if not (0 < self.low_factor <= 1 <= self.high_factor <= 1e9):
            raise ValueError("low_factor must lie in (0, 1] and high_factor from 1 to a thousand million")
        return self

    @property
    def factor(self) -> Amount:
        """The range of every duration, as one unknown factor of nominally 1."""
        return Amount.of(self.id or "duration", self.low_factor, 1.0, self.high_factor)

    @property
    def seconds_per_dense_op(self) -> float:
        """Of one dense multiply-accumulate as the device is used, not at its peak."""
        return self.seconds_per_event.get("dense_op", 0.0) / self.utilisation

    def seconds(self, *, samples: int, timesteps: int, layers: int, events: Mapping[str, float]) -> float:
        """The time of a run; batches are full, as in a part of a longer run."""
        seconds = samples * (self.seconds_per_sample + timesteps * (self.seconds_per_step + self.seconds_per_barrier))
        launches = layers * (timesteps if self.launches == "by_step" else 1)
        seconds += samples / self.batch * (self.seconds_per_batch + launches * self.seconds_per_layer)
        for event, duration in self.seconds_per_event.items():
            seconds += events.get(event, 0.0) * duration / self.utilisation
        return seconds


class Precision(Part):
    """Bits of the numbers that the prices hold for."""

    arithmetic: Literal["float", "integer", "analog"] = "float"
    weight_bits: int = Field(default=32, ge=1, le=64)
    activation_bits: int = Field(default=32, ge=1, le=64)
    state_bits: int = Field(default=32, ge=1, le=64)


class Leak(Ranged):
    """Watts that each held byte leaks, and how fast the machine computes, so that they become joules."""

    NOMINAL = "watts_per_byte"
    watts_per_byte: float
    low: float
    high: float
    operations_per_second: float = Field(gt=0, le=1e18)

    @field_validator("high")
    @classmethod
    def _ordered(cls, high: float, info: ValidationInfo) -> float:
        check_range(info.data.get("low"), info.data.get("watts_per_byte"), high, "watts_per_byte", most=1.0)
        return high


class State(Part):
    """The same device in another state, on another board or at another voltage: what differs there."""

    title: str
    caveat: str = ""
    volts: float | None = Field(default=None, gt=0, le=100)
    prices: dict[str, Price] = Field(default_factory=dict)
    memory: tuple[Level, ...] = ()
    static: Static | None = None
    timing: Timing | None = None
    limits: Limits | None = None


class HardwareProfile(Showing, Part):
    """One device: prices by event, static power, time, memory, how much it can do, and, of a chip, what fits on it."""

    name: str
    title: str
    summary: str = ""
    runs: tuple[Literal["snn", "ann"], ...] = Field(default=("snn", "ann"), min_length=1)
    #: which zeros the device does not compute: none (dense machines), those of spikes, or all
    skips: Literal["none", "spikes", "all"] = "spikes"
    #: when the membrane moves: dense in T (`every_step`), or only where a spike arrives (`on_event`)
    updates: Literal["every_step", "on_event"] = "every_step"
    bill: str = "full"
    node_nm: float | None = Field(default=None, gt=0, le=1e6)
    volts: float | None = Field(default=None, gt=0, le=100)
    caveat: str = ""
    #: what its numbers belong to, where that is more than this profile: the same number under one name is one number
    family: str = ""
    as_published: bool = False  # reproduces a document's arithmetic, flaws included
    #: how many operations share one fetched weight or activation at most; a layer may offer less; 1 is none
    reuse: float = Field(default=1.0, ge=1, le=1e9)
    #: samples of an ordinary network that share a fetched weight, as far as `reuse` goes
    batch: int = Field(default=1, ge=1, le=1 << 30)
    #: how a machine with memories walks through a spiking layer; empty: the cheapest one (`bills.dataflow`)
    dataflow: Dataflow = ""
    #: a constant graded input is multiplied at `each_step`, or `once`, and its current is kept
    first_layer: Literal["each_step", "once"] = "each_step"
    #: steps of a sample that share a fetched weight and the potentials in registers (tick batching)
    steps_at_once: int = Field(default=1, ge=1, le=1 << 20)
    leak: Leak | None = None
    #: by name: `load_profile("loihi@boot")` is the device in its state `boot`
    states: dict[str, State] = Field(default_factory=dict)
    #: events that this profile leaves out of its bill by name, with the reason that the report prints
    leaves_out: dict[str, str] = Field(default_factory=dict)
    joules_per_kwh: float = Field(
        default=3.6e6, ge=1, le=1e12
    )  # an as-published profile may carry its source's own divisor
    precision: Precision = Precision()
    #: numbers that several prices are made of: the energy of a multiply, how far another chip's prices carry
    numbers: dict[str, Number] = Field(default_factory=dict)
    prices: dict[str, Price] = Field(default_factory=dict)  # a chip may have none
    memory: tuple[Level, ...] = ()
    static: Static | None = None
    host: Static | None = None  # what must run beside the device and is not part of `static`
    timing: Timing | None = None
    limits: Limits | None = None
    #: of a chip: what a core holds, how cores are joined, how long each part of a step takes
    core: Core | None = None
    mesh: Mesh | None = None
    seconds: Seconds | None = None
    #: of a chip: what its neurons and synapses can do; None where its file does not say
    abilities: Abilities | None = None

    @field_validator("prices", "leaves_out")
    @classmethod
    def _known(cls, book: dict[str, object]) -> dict[str, object]:
        unknown = [event for event in book if event not in EVENTS]
        if unknown:
            raise ValueError(f"unknown events {unknown}: see spikeledger.events")
        return book

    @model_validator(mode="after")
    def _chip(self) -> Self:
        """A core without bits of its own has those of the device; cores stand in a mesh, and a mesh is of cores."""
        if (self.core is None) != (self.mesh is None):
            raise ValueError("[core] and [mesh] belong together: a chip needs both")
        if self.core is None:
            if self.seconds is not None:
                raise ValueError("[seconds] are of a chip: give its [core] and [mesh] too")
            if not self.prices and "prices" not in self.model_fields_set:
                raise ValueError("prices: Field required; only a chip, with [core] and [mesh], may have none")
            return self
        said = bool(self.prices) or "precision" in self.model_fields_set
        bits = (self.precision.weight_bits, self.precision.state_bits) if said else _CHIP_BITS
        object.__setattr__(self, "core", self.core.resolved(*bits))
        return self

    @model_validator(mode="after")
    def _identified(self) -> Self:
        """Give every number its identity, and work out what is made of others."""
        home = self.family or self.name
        numbers = {name: number.named(f"{home}: {name}") for name, number in self.numbers.items()}
        memory = tuple(level.named(f"{home}: {level.name}") for level in self.memory)
        known: dict[str, Ranged] = {level.name: level for level in memory} | dict(numbers)
        found: dict[str, Any] = {"numbers": numbers, "memory": memory, "prices": identified(home, known, self.prices)}
        for name, label in (
            ("static", "static power"), ("host", "power of the host"), ("timing", "duration"), ("leak", "leakage"),
        ):  # fmt: skip
            part = getattr(self, name)
            if part is not None and not part.id:
                found[name] = part.model_copy(update={"id": f"{home}: {label}"})
        for name, value in found.items():
            object.__setattr__(self, name, value)
        return self

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        faults = []
        both = sorted(set(self.prices) & set(self.leaves_out))
        if both:
            faults.append(f"{both} have a price and are left out: choose one")
        all_in = sorted(event for event, price in self.prices.items() if price.scope == "all_in")
        if all_in and self.static is not None:
            faults.append(
                f"the prices of {all_in} are all-in, so they hold the static power already: remove [static] or make "
                "them marginal"
            )
        if all_in and ("packet" in self.prices or "hop" in self.prices):
            faults.append(f"the prices of {all_in} are all-in, so they hold the routing already: remove packet and hop")
        if self.static is not None and self.timing is None:
            faults.append("[static] needs a [timing], or its watts never become joules")
        if not self.as_published:
            faults += self.implausible
        if faults:
            raise ValueError("; ".join(faults))
        return self

    @property
    def implausible(self) -> tuple[str, ...]:
        """What this device could not do: its own rates times its own prices above its own power."""
        if self.limits is None:
            return ()
        drawn = {
            f"{event} at {rate:.3g} a second": rate * self.prices[event].joules
            for event, rate in self.limits.events_per_second.items()
            if event in self.prices
        }
        for level in self.memory:
            if level.bytes_per_second:
                joules_per_byte = 8 * level.joules / level.access_bits
                drawn[f"{level.name} at {level.bytes_per_second:.3g} bytes a second"] = (
                    level.bytes_per_second * joules_per_byte
                )
        return tuple(
            f"{what} would draw {watts:,.0f} W, and the device has {self.limits.watts:,.0f} W"
            for what, watts in drawn.items()
            if watts > self.limits.watts
        )

    @property
    def room(self) -> Room | None:
        """What one chip holds; None of what is no chip."""
        return None if self.core is None or self.mesh is None else room(self.core, self.mesh)

    @property
    def all_in(self) -> bool:
        """Whether the prices already hold static power and routing."""
        return any(price.scope == "all_in" for price in self.prices.values())

    @property
    def included(self) -> frozenset[str]:
        """Events that another price already pays for."""
        return frozenset(event for price in self.prices.values() for event in price.includes)

    def pays_for(self, event: str, by: str = "") -> bool:
        """Whether a price holds this event already: that of the event `by` which caused it, else any price.

        Where the cause has no price of its own, those that pay for the cause are asked.
        """
        if not by:
            return event in self.included
        cause = self.prices.get(by)
        payers = [cause] if cause is not None else [one for one in self.prices.values() if by in one.includes]
        return any(event in one.includes for one in payers)

    @property
    def kind(self) -> Kind:
        """The weakest kind among its numbers: a chain is as good as that."""
        parts: list[Cited | None] = [*self.prices.values(), *self.memory, self.static]
        return worst_kind(part.kind for part in parts if part is not None)

    def cited(self) -> list[tuple[str, Cited]]:
        """Every part that carries numbers, with its path in the file."""
        parts: list[tuple[str, Cited]] = [(f"prices.{event}", price) for event, price in self.prices.items()]
        parts += [(f"numbers.{name}", number) for name, number in self.numbers.items()]
        parts += [(f"memory.{level.name}", level) for level in self.memory]
        named = {
            "static": self.static,
            "host": self.host,
            "timing": self.timing,
            "limits": self.limits,
            "leak": self.leak,
        }
        parts += [(name, part) for name, part in named.items() if part is not None]
        for name, state in self.states.items():
            parts += [(f"states.{name}.prices.{event}", price) for event, price in state.prices.items()]
            parts += [(f"states.{name}.memory.{level.name}", level) for level in state.memory]
            changed = {"static": state.static, "timing": state.timing, "limits": state.limits}
            parts += [(f"states.{name}.{part}", one) for part, one in changed.items() if one is not None]
        return parts

    def behind(self) -> dict[str, Cited]:
        """By its identity, each number with a range that this profile charges, and where it comes from."""
        ranged: list[Ranged] = [*self.numbers.values(), *self.prices.values(), *self.memory]
        ranged += [part for part in (self.static, self.host) if part is not None]
        found: dict[str, Cited] = {part.id: part for part in ranged if part.id}
        return found if self.timing is None else {**found, self.timing.id: self.timing}

    def __repr__(self) -> str:
        return f"HardwareProfile({self.name!r}, {self.title!r}, {len(self.prices)} prices)"

    __str__ = __repr__
