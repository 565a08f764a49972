"""What a chip's file says: what one core holds, the mesh of cores, and, where they are published, the times of a step.

This is the one place of such limits; the bits of a weight and of a membrane are those of the profile that prices the chip.
Every table of numbers names its source, and in `assumed` the numbers that the source does not give.
"""

from __future__ import annotations

import math
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from ..hardware.catalog import load_profile
from ..hardware.cited import Part, Sourced
from .network import Network, Population

_WEIGHT_BITS, _STATE_BITS = 8, 24  # of a chip that says nothing and names no profile


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

    neurons: int = Field(gt=0)
    synapses: int | None = Field(None, gt=0)
    axons_in: int | None = Field(None, gt=0)  # distinct presynaptic neurons of a core
    axons_out: int | None = Field(None, gt=0)  # pairs of a neuron and another core that it sends to
    fan_in: int | None = Field(None, gt=0)  # synapses of one neuron
    delay_steps: int | None = Field(None, gt=0)  # the longest delay of a synapse
    memory_bytes: int | None = Field(None, gt=0)  # neurons and synapses together
    neuron_bytes: float = Field(0.0, ge=0)  # with one state variable; 0: the memory is that of synapses only
    synapse_bytes: float = Field(0.0, ge=0)  # of a chip with memory_bytes and without this: the bits of a weight
    weight_bits: int = Field(0, ge=0, le=32)  # 0: those of the profile
    state_bits: int = Field(0, ge=0, le=48)
    shares_weights: bool = False  # a convolution's kernel is stored once a core


class Mesh(Facts):
    """Routers of a chip as a grid, the cores at them, and how many chips work together, side by side."""

    columns: int = Field(1, gt=0)
    rows: int = Field(1, gt=0)
    cores_per_router: int = Field(1, gt=0)
    cores: int = Field(0, ge=0)  # of one chip; 0: every router has all of its cores
    chips: int = Field(1, gt=0)

    @model_validator(mode="before")
    @classmethod
    def _counted(cls, given: Any) -> Any:
        if not isinstance(given, dict) or given.get("cores"):
            return given
        sides = [given.get(name, 1) for name in ("columns", "rows", "cores_per_router")]
        return {**given, "cores": math.prod(sides)} if all(isinstance(side, int) for side in sides) else given

    @model_validator(mode="after")
    def _has_room(self) -> Self:
        most = self.columns * self.rows * self.cores_per_router
        if self.cores > most:
            raise ValueError(f"{self.cores:,} cores are more than its routers have: {most:,}")
        return self


class Seconds(Facts):
    """How long each part of a step takes; see `duration` for how they make up a step."""

    synaptic_op: float = Field(0.0, ge=0)
    update: float = Field(0.0, ge=0)
    spike: float = Field(0.0, ge=0)
    hop: float = Field(0.0, ge=0)
    barrier: float = Field(0.0, ge=0)


class Device(Part):
    """One chip as its file says: a core, how cores are joined, how long a step takes, which profile prices its events."""

    name: str
    title: str
    profile: str = ""
    caveat: str = ""
    wording: Literal["full", "exercise"] = "full"  # the exercise has error texts of its own
    core: Core
    mesh: Mesh
    seconds: Seconds | None = None

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        if self.mesh.cores * self.mesh.chips > 1_000_000:
            raise ValueError(f"a machine of {self.mesh.cores * self.mesh.chips:,} cores is more than this can place")
        bits = load_profile(self.profile).precision if self.profile else None
        weight = self.core.weight_bits or (bits.weight_bits if bits else _WEIGHT_BITS)
        found: dict[str, Any] = {
            "weight_bits": weight,
            "state_bits": self.core.state_bits or (bits.state_bits if bits else _STATE_BITS),
        }
        if self.core.memory_bytes and "synapse_bytes" not in self.core.model_fields_set:
            found["synapse_bytes"] = weight / 8
        object.__setattr__(self, "core", self.core.model_copy(update=found))
        return self

    def neuron_bytes(self, population: Population) -> float:
        """Bytes of one neuron: `neuron_bytes + (state variables - 1) x state_bits / 8`, where the chip counts any."""
        more = (population.state_variables - 1) * self.core.state_bits / 8
        return self.core.neuron_bytes + more if self.core.neuron_bytes else 0.0

    def memory_bytes(self, network: Network) -> float:
        """Bytes that a network takes: `neurons x bytes of a neuron + synapses x synapse_bytes`."""
        stored = network.stored_weights if self.core.shares_weights else network.synapses
        neurons = sum(each.size * self.neuron_bytes(each) for each in network.populations.values() if each.spiking)
        return neurons + stored * self.core.synapse_bytes

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, {self.title!r}, {self.mesh.cores:,} cores x {self.mesh.chips:,} chips)"
