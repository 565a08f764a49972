"""A network on a chip: the core of each of its parts, where each core stands, and what a spike crosses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .device import Device
from .network import Network

Ints = NDArray[np.int64]
Method = Literal["annealed", "greedy", "in_order"]
METHODS: tuple[Method, ...] = ("annealed", "greedy", "in_order")


@dataclass(frozen=True, eq=False)
class Placed:
    """Where a network lies on a chip.

    `borders` and `cores` are the slices of each population, in the machine's order, and the core of each; `positions`
    are the columns and rows of the cores' routers, int64 `[cores, 2]`; `traffic` is spikes from core to core, the last row from
    the input; `packets` and `hops` are what one spike of each neuron makes, int32 `[N]`.
    """

    network: Network
    chip: Device
    borders: Mapping[str, Ints]
    cores: Mapping[str, NDArray[np.int32]]
    positions: Ints
    traffic: NDArray[np.float64]
    packets: Mapping[str, NDArray[np.int32]]
    hops: Mapping[str, NDArray[np.int32]]
    method: Method = "annealed"
    seed: int = 0

    @property
    def core_count(self) -> int:
        """Cores that hold neurons."""
        return len(self.positions)

    @property
    def chips(self) -> int:
        """Chips that they stand on."""
        return len(np.unique(self.positions[:, 0] // self.chip.mesh.columns))

    @property
    def cost(self) -> float:
        """Packets times hops of the traffic that it was made for."""
        return way(self.traffic, self.positions)

    def neurons_by_core(self) -> Ints:
        """How many neurons each core holds, int64 `[cores]`."""
        held = np.zeros(self.core_count, np.int64)
        for name, population in self.network.populations.items():
            if population.spiking:
                np.add.at(held, self.cores[name], np.diff(self.borders[name]))
        return held

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({self.network.name!r} on {self.chip.name!r}: {self.core_count:,} cores, "
            f"{self.chips:,} chips, "
            f"packets x hops {self.cost:,.0f})"
        )


def way(traffic: NDArray[np.float64], positions: Ints) -> float:
    """Packets times hops of some traffic between cores at some positions."""
    distance = np.abs(positions[:, None] - positions[None]).sum(-1)
    return float((traffic[:-1] * distance).sum() + traffic[-1] @ positions.sum(-1))
