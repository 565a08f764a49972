"""The account of one population of neurons during a run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..activity import Counts, InputClass, Layer, merge_class
from ..errors import InputError
from ..kernels.counts import look
from .census import Census, census
from .neurons import Firing


@dataclass
class Population:
    """Spikes, updates and active updates of each neuron; spikes of each step; the raster of the first sample.

    An encoder is a population that only sends: it has spikes, but no updates.
    """

    path: str
    shape: tuple[int, ...]
    spiking: bool
    spikes: Counts = field(init=False)
    active: Counts = field(init=False)
    state_variables: int = 0
    updates: int = 0  # of each neuron
    per_step: list[int] = field(default_factory=list)
    raster: list[NDArray[np.uint8]] = field(default_factory=list)
    step: int = 0  # of the present run of the network
    longest: int = 0  # steps of the longest run

    def __post_init__(self) -> None:
        self.spikes = np.zeros(self.shape, np.int64)
        self.active = np.zeros(self.shape, np.int64)

    def book(self, firing: Firing) -> Census | None:
        """Add one call and give the census of what it sent, over all its steps and samples; None for a read-out."""
        steps, batch, *shape = firing.spikes.shape
        if tuple(shape) != self.shape:
            raise InputError(
                f"neurons '{self.path}' ran with the shapes {list(self.shape)} and {shape} in one recording"
            )
        self.state_variables = max(self.state_variables, firing.state_variables)
        if firing.updates:
            self.updates += steps * batch
            currents = firing.currents
            if currents is not None and currents.shape == firing.spikes.shape:
                self.active += census(currents, 2, classify=False).nonzero
            else:  # what arrives inside (recurrent weights) is not seen: every update may have had an input
                self.active += steps * batch
        seen = self._fired(firing, steps, batch) if firing.spiking else None
        self.step += steps
        self.longest = max(self.longest, self.step)
        return seen

    def book_bits(self, planes: Any, active: Tensor, state_variables: int) -> Census:
        """The same for spikes that are bits `[T, B, *N]`: their kernel counts them, and the currents `[*N]`."""
        steps, batch = planes.shape[:2]
        self.state_variables = max(self.state_variables, state_variables)
        self.updates += steps * batch
        self.active += active.numpy()
        counts: Counts = planes.per_neuron().numpy()
        self.spikes += counts
        if self.step + steps > len(self.per_step):  # only the first sample's first run is drawn
            rows = planes.sample(0).to(torch.uint8).numpy()
            self.raster += list(rows[len(self.per_step) - self.step :])
            self.per_step += [0] * (self.step + steps - len(self.per_step))
        for step, count in enumerate(planes.per_step(), start=self.step):
            self.per_step[step] += count
        self.step += steps
        self.longest = max(self.longest, self.step)
        return Census(counts, "spikes", 1.0) if counts.any() else Census(counts, "silent", 0.0)

    def _fired(self, firing: Firing, steps: int, batch: int) -> Census | None:
        spikes = firing.spikes.detach()
        seen = look(spikes, 2, by_step=True)
        if seen is not None and (firing.unit is None or seen.inputs == "silent" or seen.magnitude == firing.unit):
            begun = len(self.per_step) - self.step  # steps that another batch had before: only the first's is drawn
            if begun < steps:
                drawn = spikes.numpy()[begun:, 0].reshape(steps - begun, -1)
                self.raster += list(np.not_equal(drawn, 0).view(np.uint8))
                self.per_step += [0] * (steps - begun)
            for at, count in enumerate(seen.steps.tolist(), start=self.step):
                self.per_step[at] += count
            counts = seen.places.reshape(self.shape)
            self.spikes += counts
            return Census(counts, seen.inputs, seen.magnitude)
        return self._fired_by_step(firing, spikes, steps, batch)

    def _fired_by_step(self, firing: Firing, spikes: Tensor, steps: int, batch: int) -> Census | None:
        found: tuple[InputClass, float] = ("silent", 0.0)
        total: Counts | None = None
        for step in range(steps):
            one = census(spikes[step], 1, unit=firing.unit)
            counts = one.nonzero
            if one.inputs != "silent":
                found = merge_class(found, (one.inputs, one.magnitude))
            total = counts if total is None else total + counts
            at = self.step + step
            if at == len(self.per_step):
                self.per_step.append(0)
                first = spikes[step, 0] if batch else torch.zeros(self.shape)
                self.raster.append((first != 0).flatten().to(torch.uint8).cpu().numpy())
            self.per_step[at] += int(counts.sum())
        if total is None:
            return None
        self.spikes += total
        return Census(total, found[0], found[1])

    def close(self) -> tuple[Layer, list[tuple[str, int, Counts | None]]]:
        """The layer's facts and its events, `(event, count, by neuron)`."""
        neurons = int(np.prod(self.shape))
        kind = "neuron" if self.updates else "encoder"
        layer = Layer(
            self.path, kind, self.shape, outputs=neurons, state=self.state_variables * neurons,
            spiking=self.updates > 0 and self.spiking,
        )  # fmt: skip
        updates = np.full(self.shape, self.updates, np.int64)
        return layer, [
            ("spike", int(self.spikes.sum()), self.spikes),
            ("neuron_update", self.updates * neurons, updates),
            ("active_update", int(self.active.sum()), self.active),
        ]

    def raster_array(self) -> NDArray[np.uint8]:
        """Spikes `[T, N]` of the first sample."""
        if not self.raster:
            return np.zeros((0, int(np.prod(self.shape))), np.uint8)
        return np.stack(self.raster)
