"""What a chip is made of: what one core holds, the mesh of cores, and, where they are published, the times of a step.

Tables `[core]`, `[mesh]`, `[seconds]` and `[abilities]` of a device's file. Every table names its source, and in `assumed`
the numbers that the source does not give.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from .cited import Sourced

_MOST_CORES = 1_000_000
_MOST_CHANNELS = 1 << 40  # of neurons, synapses, axons: more than any machine has


class Facts(Sourced):
    """Numbers of a chip with their source; `assumed` names those that the source does not give."""

    assumed: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _names_what_it_has(self) -> Self:
        strangers = [name for name in self.assumed if name not in self.model_fields_set]
        if strangers:
            raise ValueError(f"assumed names {strangers}, which are not among its numbers")
        return self


class Core(Facts):
    """What one core holds; a limit that is left out is not known to exist."""

    neurons: int = Field(gt=0, le=_MOST_CHANNELS)
    synapses: int | None = Field(None, gt=0, le=_MOST_CHANNELS)
    axons_in: int | None = Field(None, gt=0, le=_MOST_CHANNELS)  # distinct presynaptic neurons of a core
    axons_out: int | None = Field(None, gt=0, le=_MOST_CHANNELS)  # pairs of a neuron and another core that it sends to
    fan_in: int | None = Field(None, gt=0, le=_MOST_CHANNELS)  # synapses of one neuron
    delay_steps: int | None = Field(None, gt=0, le=1 << 20)  # the longest delay of a synapse
    memory_bytes: int | None = Field(None, gt=0, le=1 << 60)  # neurons and synapses together
    neuron_bytes: float = Field(0.0, ge=0, le=1e9)  # with one state variable; 0: the memory is that of synapses only
    synapse_bytes: float = Field(0.0, ge=0, le=1e9)  # of a chip with memory_bytes and without this: a weight's bits
    weight_bits: int = Field(0, ge=0, le=32)  # 0: those of the device's precision
    state_bits: int = Field(0, ge=0, le=48)
    shares_weights: bool = False  # a convolution's kernel is stored once a core
    caveat: str = ""  # what these limits leave out

    @model_validator(mode="after")
    def _has_room_for_a_number(self) -> Self:
        each = self.synapse_bytes if "synapse_bytes" in self.model_fields_set else 1.0
        if self.memory_bytes and self.memory_bytes > _MOST_CHANNELS * each:
            raise ValueError(
                f"{self.memory_bytes:,} bytes of {each:g} bytes a synapse are more synapses than any machine has"
            )
        return self

    def resolved(self, weight_bits: int, state_bits: int) -> Core:
        """The same core with the bits of a weight and of a membrane, where it does not say them."""
        weight = self.weight_bits or weight_bits
        found: dict[str, Any] = {"weight_bits": weight, "state_bits": self.state_bits or state_bits}
        if self.memory_bytes and "synapse_bytes" not in self.model_fields_set:
            found["synapse_bytes"] = weight / 8
        return self.model_copy(update=found)


class Mesh(Facts):
    """Routers of a chip as a grid, the cores at them, and how many chips work together, side by side."""

    columns: int = Field(1, gt=0, le=_MOST_CORES)
    rows: int = Field(1, gt=0, le=_MOST_CORES)
    cores_per_router: int = Field(1, gt=0, le=_MOST_CORES)
    cores: int = Field(0, ge=0, le=_MOST_CORES)  # of one chip; 0: every router has all of its cores
    chips: int = Field(1, gt=0, le=_MOST_CORES)

    @model_validator(mode="after")
    def _has_room(self) -> Self:
        most = self.columns * self.rows * self.cores_per_router
        if self.cores > most:
            raise ValueError(f"{self.cores:,} cores are more than its routers have: {most:,}")
        if not self.cores:
            object.__setattr__(self, "cores", most)
        if max(most, self.cores) * self.chips > _MOST_CORES:
            raise ValueError(f"a machine of {most * self.chips:,} cores is more than this can place")
        return self


class Seconds(Facts):
    """How long each part of a step takes; see `chip.duration` for how they make up a step."""

    synaptic_op: float = Field(0.0, ge=0, le=1e6)
    update: float = Field(0.0, ge=0, le=1e6)
    spike: float = Field(0.0, ge=0, le=1e6)
    hop: float = Field(0.0, ge=0, le=1e6)
    barrier: float = Field(0.0, ge=0, le=1e6)


#: a membrane, a synaptic current, a synaptic conductance that decays by a share of itself; a threshold (or a current) that
#: follows the neuron's own spikes; a time without spikes after a spike; weights that change while a network runs, by some
#: rule, and by pair STDP
Ability = Literal["leak", "current", "conductance", "adaptation", "refractory", "learning", "stdp"]


class Abilities(Facts):
    """What neurons and synapses of a chip can do beyond adding up weights and firing at a threshold."""

    has: tuple[Ability, ...] = ()


@dataclass(frozen=True)
class Room:
    """What one chip holds, and how many chips work together; None where no limit is published."""

    neurons: int
    synapses: int | None
    chips: int
    shares_weights: bool


def room(core: Core, mesh: Mesh) -> Room:
    """The neurons and synapses that all cores of one chip hold; a memory of neurons and synapses sets no such limit."""
    each = core.synapses
    if each is None and core.memory_bytes and not core.neuron_bytes:
        each = math.floor(core.memory_bytes / core.synapse_bytes)
    return Room(core.neurons * mesh.cores, None if each is None else each * mesh.cores, mesh.chips, core.shares_weights)
