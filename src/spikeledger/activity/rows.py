"""The rows of an account: a layer and its facts, a tally, and what nobody counted; and when two of them are the same."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError

Counts = NDArray[np.int64]
InputClass = Literal["silent", "spikes", "graded", ""]


@dataclass(frozen=True)
class Layer:
    """One weighted operator or one population of neurons, and the facts of it that a price may need.

    `inputs` is the class of what a weighted operator received over the *whole* run: `spikes` (every non-zero value has
    the same `magnitude`: accumulates), `graded` (multiply-accumulates) or `silent` (only zeros); empty for neurons.
    """

    name: str
    operator: str
    shape: tuple[int, ...] = ()  # of the population that per-neuron tallies index
    outputs: int = 0  # elements that leave the layer in one step of one sample
    synapses: int = 0  # existing connections, borders, groups and pruned weights considered
    parameters: int = 0  # numbers that are stored, zeros and biases included
    nonzero_parameters: int = 0
    weights: int = 0  # of the parameters, those that multiply
    nonzero_weights: int = 0
    state: int = 0  # state variables that are kept from step to step
    inputs: InputClass = ""
    magnitude: float = 0.0
    source: str = ""  # the layer whose output arrives here; "input" is the network's own input
    spiking: bool = False
    pools: tuple[str, ...] = ()  # poolings before it that are folded into its synapses

    @property
    def weighted(self) -> bool:
        """Whether this layer multiplies by stored weights."""
        return self.inputs != ""


@dataclass(frozen=True, eq=False)
class Tally:
    """How often one event happened in one layer; `per_neuron`, where it is kept, sums to `count`."""

    layer: str
    event: str
    count: int
    per_neuron: Counts | None = None

    def __eq__(self, other: object) -> bool:
        return same(self, other) if isinstance(other, Tally) else NotImplemented

    def __hash__(self) -> int:
        return hash((self.layer, self.event, self.count))


@dataclass(frozen=True)
class Uncounted:
    """Something that ran and that nobody counted: which operator, where, why and how often."""

    layer: str
    operator: str
    reason: str
    calls: int = 1

    def __str__(self) -> str:
        return f"{self.operator} in '{self.layer or '(outside any module)'}' ({self.calls} calls): {self.reason}"


def total_of(row: Counts) -> int:
    """The exact sum of counts, however large: int64 alone would wrap round."""
    if not row.size or int(row.max()) <= (1 << 62) // row.size:
        return int(row.sum())
    return (int((row >> 32).sum()) << 32) + int((row & 0xFFFFFFFF).sum())


def added(one: Counts, other: Counts) -> Counts:
    """Two rows of counts together.

    Raises:
        InputError: a count would be 2^63 or more, which no int64 holds.
    """
    both: Counts = one + other
    if both.size and int(both.min()) < 0:  # of two counts of at least 0 the sum wraps below 0
        raise InputError("counts of 2^63 and more would be needed for both runs together: price them one by one")
    return both


def same(one: Any, other: Any) -> bool:
    """Whether two values are equal, arrays, mappings of arrays and dataclasses with arrays included.

    Arrays are equal if shape, kind of number and every number are.
    """
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        both = isinstance(one, np.ndarray) and isinstance(other, np.ndarray)
        return both and one.dtype == other.dtype and np.array_equal(one, other)
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if dataclasses.is_dataclass(one):
        names = [field.name for field in dataclasses.fields(one) if field.compare]
        return type(one) is type(other) and all(same(getattr(one, name), getattr(other, name)) for name in names)
    return bool(one == other)
