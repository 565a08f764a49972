"""Synapses from one population to another, and their delay: how many steps later a spike arrives."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..activity.stored import Stored
from .synapses import Fan, Synapses


@dataclass(frozen=True, eq=False)
class Projection:
    """Synapses from one population to another; a spike of step `t` arrives in step `t + delay`.

    `fan`, where there is one, says through which places of the synapses' input each presynaptic neuron goes out: linear
    pooling, a permutation or a part. `layer` is the weighted operator that the synapses come from, and `keeps` the weights
    and biases of that operator, where there is one; several projections of one layer share them.
    """

    source: str
    target: str
    synapses: Synapses
    delay: int = 0
    layer: str = ""
    fan: Fan | None = None
    keeps: Stored | None = None
    shape: tuple[int, ...] = ()  # of the source as the operator saw it, where that is another than the population's

    @cached_property
    def stored(self) -> Stored:
        """The numbers that the layer stores: those of its operator, else one for each synapse or shared weight."""
        held = self.synapses.numbers, self.synapses.stored
        return Stored.of([held]) if self.keeps is None else self.keeps

    @cached_property
    def fan_out(self) -> NDArray[np.int64]:
        """Existing synapses that leave each presynaptic neuron, int64 `[sources]`."""
        counts = self.synapses.fan_out
        return counts if self.fan is None else self.fan.sums(counts)

    @cached_property
    def fan_in(self) -> NDArray[np.int64]:
        """Existing synapses that arrive at each neuron of the target, int64 `[targets]`."""
        weights = None if self.fan is None else self.fan.multiplicity(self.synapses.sources)
        return self.synapses.fan_in(weights)

    @property
    def count(self) -> int:
        """Existing synapses in all."""
        return int(self.fan_out.sum())
