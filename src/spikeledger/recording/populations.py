"""The account of one population of neurons during a run."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..activity import Layer
from ..errors import InputError
from .neurons import Firing


@dataclass
class Population:
    """Spikes, updates and active updates of each neuron; spikes of each step; the raster of the first sample.

    An encoder is a population that only sends: it has spikes, but no updates.
    """

    path: str
    shape: tuple[int, ...]
    state_variables: int
    spikes: Tensor = field(init=False)
    active: Tensor = field(init=False)
    updates: int = 0  # of each neuron
    per_step: list[int] = field(default_factory=list)
    raster: list[Tensor] = field(default_factory=list)
    step: int = 0  # of the present run of the network

    def __post_init__(self) -> None:
        self.spikes = torch.zeros(self.shape, dtype=torch.int64)
        self.active = torch.zeros(self.shape, dtype=torch.int64)

    def book(self, firing: Firing) -> None:
        """Add one call: spikes `[T, B, *N]`, and the currents that caused them."""
        steps, batch, *shape = firing.spikes.shape
        if tuple(shape) != self.shape:
            raise InputError(
                f"neurons '{self.path}' ran with the shapes {list(self.shape)} and {shape} in one recording"
            )
        fired = firing.spikes.detach() != 0
        by_step = fired.sum(1, dtype=torch.int64)
        self.spikes += by_step.sum(0)
        if firing.currents is not None:
            self.active += (firing.currents.detach() != 0).sum((0, 1), dtype=torch.int64)
            self.updates += steps * batch
        for step, count in enumerate(by_step.flatten(1).sum(1).tolist(), start=self.step):
            if step == len(self.per_step):
                self.per_step.append(0)
                self.raster.append(fired[step - self.step, 0].flatten().to(torch.uint8))
            self.per_step[step] += count
        self.step += steps

    def close(self) -> tuple[Layer, list[tuple[str, int, Tensor | None]]]:
        """The layer's facts and its events, `(event, count, by neuron)`."""
        neurons = int(np.prod(self.shape))
        kind = "neuron" if self.updates else "encoder"
        layer = Layer(
            self.path, kind, self.shape, outputs=neurons, state=self.state_variables * neurons, spiking=self.updates > 0
        )
        updates = torch.full(self.shape, self.updates, dtype=torch.int64)
        return layer, [
            ("spike", int(self.spikes.sum()), self.spikes),
            ("neuron_update", self.updates * neurons, updates),
            ("active_update", int(self.active.sum()), self.active),
        ]

    def raster_array(self) -> NDArray[np.uint8]:
        """Spikes `[T, N]` of the first sample."""
        return torch.stack(self.raster).numpy()
