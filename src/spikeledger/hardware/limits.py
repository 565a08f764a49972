"""What a device can do and hold: power, peak rates, and the capacities that a chip simulator needs."""

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


_Count = Field(default=None, ge=1, le=1 << 50)


class Capacities(Cited):
    """What fits. None is "not limited, or not known"; `kind` and `source` say how sure that is.

    A core's weights and states are either counted (`synapses_per_core`, `neurons_per_core`) or measured in bits
    (`weight_bits_per_core`, `state_bits_per_core`); both limits hold where both are given.
    """

    neurons: int | None = _Count  # of the whole device
    synapses: int | None = _Count
    cores: int | None = _Count  # of one chip
    chips: int | None = _Count
    neurons_per_core: int | None = _Count
    synapses_per_core: int | None = _Count
    axons_in_per_core: int | None = _Count
    axons_out_per_core: int | None = _Count
    fan_in: int | None = _Count  # of one neuron
    fan_out: int | None = _Count
    weight_bits_per_core: int | None = _Count  # memory for weights
    state_bits_per_core: int | None = _Count
    weight_bits: int | None = Field(default=None, ge=1, le=64)  # of one weight, at most
    state_bits: int | None = Field(default=None, ge=1, le=64)
    bytes_per_neuron: float | None = Field(default=None, ge=0)
    bytes_per_synapse: float | None = Field(default=None, ge=0)
    memory_bytes: int | None = _Count  # of the whole device
    shares_weights: bool = False  # a convolution's kernel is stored once
    mesh: tuple[int, int] | None = None  # routers across and down one chip
    cores_per_router: int | None = _Count
    delay_steps: int | None = _Count

    def footprint(self, neurons: int, synapses: int) -> float | None:
        """Bytes that a network takes: `neurons * bytes_per_neuron + synapses * bytes_per_synapse`; None if unknown."""
        if self.bytes_per_neuron is None or self.bytes_per_synapse is None:
            return None
        return neurons * self.bytes_per_neuron + synapses * self.bytes_per_synapse
