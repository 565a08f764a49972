"""A module that is running, and those of its events that are only totals."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Frame:
    """A module that is running. Inside a neuron nothing is booked, or (`quiet`) only products."""

    path: str
    muted: bool = False
    straight: bool = False  # a linear layer that is not listened to
    quiet: bool = False  # a neuron with weights of its own
    sums: bool = False  # neurons' own connections: what they add up are currents, which cost the synapses alone
    pairs: int = 0  # products of two activations so far in this call
    products: int = -1  # what the books had when a module began that must multiply


@dataclass
class Pointwise:
    """Events of one module that are only totals: activations, normalisation, pooling reads."""

    operator: str
    event: str
    count: int = 0
    outputs: int = 0
    nonzero: int = 0  # of the outputs of activations
