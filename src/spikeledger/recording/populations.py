"""The account of one population of neurons during a run."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ..activity import Counts, InputClass, Layer, merge_class
from ..errors import InputError
from ..kernels.counts import Deeds, deeds
from .census import Census, census
from .neurons import Firing
from .tracking import presence

if TYPE_CHECKING:
    from ..kernels.planes import Planes


@dataclass
class Population:
    """Spikes, updates and active updates of each neuron; spikes of each step; the raster of the first sample.

    An encoder is a population that only sends: it has spikes, but no updates.
    """

    path: str
    shape: tuple[int, ...]
    spiking: bool
    spikes: Counts = field(init=False)  # of each neuron, flat
    active: Counts = field(init=False)  # likewise
    state_variables: int = 0
    updates: int = 0  # of each neuron
    unseen: int = 0  # of the updates, those whose input was not seen: they may have been active
    per_step: Counts = field(default_factory=lambda: np.zeros(0, np.int64))
    raster: list[NDArray[np.uint8]] = field(default_factory=list)
    step: int = 0  # of the present run of the network
    longest: int = 0  # steps of the longest run

    def __post_init__(self) -> None:
        self.spikes = np.zeros(math.prod(self.shape), np.int64)
        self.active = np.zeros(math.prod(self.shape), np.int64)

    def book(self, firing: Firing) -> Census | None:
        """Add one call and give the census of what it sent, over all its steps and samples; None for a read-out."""
        spikes, currents, rows = firing.spikes.detach(), firing.currents, len(firing.layout)
        if spikes.shape[rows:] != self.shape:
            shapes = f"{list(self.shape)} and {list(spikes.shape[rows:])}"
            raise InputError(f"neurons '{self.path}' ran with the shapes {shapes} in one recording")
        steps, batch = firing.extent
        if firing.state_variables > self.state_variables:
            self.state_variables = firing.state_variables
        if not firing.updates:
            currents = None
        elif currents is None or currents.shape != spikes.shape:
            # what arrives inside (recurrent weights) is not seen: every update may have had an input
            currents, self.unseen = None, self.unseen + steps * batch
        if firing.layout == "BT":
            spikes, currents = spikes.transpose(0, 1), None if currents is None else currents.transpose(0, 1)
        seen = deeds(spikes, currents, rows)
        if seen is None or (firing.unit is not None and seen.inputs != "silent" and seen.magnitude != firing.unit):
            seen = _step_by_step(spikes if rows == 2 else spikes[None], currents, rows, firing.unit)
        if firing.updates:
            self.updates += steps * batch
            self.active += seen.active
        if not firing.spiking:
            self._stepped(steps)
            return None
        return self._sent(seen, steps, lambda begun: spikes[begun:, :1] if rows == 2 else spikes[None, :1])

    def book_bits(self, planes: Planes, done: Deeds, state_variables: int) -> Census:
        """The same for spikes that are bits `[T, B, *N]`, which were counted when they were made."""
        steps, batch = planes.shape[:2]
        self.state_variables = max(self.state_variables, state_variables)
        self.updates += steps * batch
        self.active += done.active
        return self._sent(done, steps, lambda begun: planes.sample(0)[begun:])

    def _sent(self, done: Deeds, steps: int, first: Callable[[int], Tensor]) -> Census:
        """Add spikes; `first(begun)` gives the first sample's from some step on: only its first run is drawn."""
        begun, end = self.step, self.step + steps
        drawn = len(self.per_step)
        if end > drawn:
            rows = np.zeros((end - drawn, self.spikes.size), np.uint8)
            one = presence(first(max(drawn - begun, 0))).cpu().numpy()
            if one.size:  # an empty batch has no first sample
                rows[:] = one.reshape(rows.shape)
            self.raster += list(rows)
            self.per_step = np.concatenate([self.per_step, np.zeros(end - drawn, np.int64)])
        self.per_step[begun:end] += done.steps
        self.spikes += done.spikes
        self._stepped(steps)
        return Census(done.spikes.reshape(self.shape), done.inputs, done.magnitude)

    def _stepped(self, steps: int) -> None:
        self.step += steps
        self.longest = max(self.longest, self.step)

    def close(self) -> tuple[Layer, list[tuple[str, int, Counts | None]]]:
        """The layer's facts and its events, `(event, count, by neuron)`."""
        neurons = int(np.prod(self.shape))
        kind = "neuron" if self.updates else "encoder"
        layer = Layer(
            self.path, kind, self.shape, outputs=neurons, state=self.state_variables * neurons,
            spiking=self.updates > 0 and self.spiking,
        )  # fmt: skip
        updates, active = np.full(neurons, self.updates, np.int64), self.active + self.unseen
        return layer, [
            ("spike", int(self.spikes.sum()), self.spikes),
            ("neuron_update", self.updates * neurons, updates),
            ("active_update", int(active.sum()), active),
        ]

    def raster_array(self) -> NDArray[np.uint8]:
        """Spikes `[T, N]` of the first sample."""
        if not self.raster:
            return np.zeros((0, int(np.prod(self.shape))), np.uint8)
        return np.stack(self.raster)


def _step_by_step(spikes: Tensor, currents: Tensor | None, rows: int, unit: float | None) -> Deeds:
    """What neurons did, from `[T, B, *N]`, for what the native core does not look at."""
    found: tuple[InputClass, float] = ("silent", 0.0)
    places = spikes.shape[2:].numel()
    total, counts = np.zeros(places, np.int64), []
    for step in spikes:
        one = census(step, 1, unit=unit)
        if one.inputs != "silent":
            found = merge_class(found, (one.inputs, one.magnitude))
        total += one.nonzero.ravel()
        counts.append(int(one.nonzero.sum()))
    active = np.zeros(places, np.int64) if currents is None else census(currents, rows, classify=False).nonzero.ravel()
    return Deeds(active, total, np.array(counts, np.int64), *found)  # type: ignore[arg-type]
