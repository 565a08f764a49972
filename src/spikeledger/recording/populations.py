"""The account of one population of neurons during a run."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ..activity import Counts, InputClass, Layer, merge_class
from ..kernels.counts import Deeds, deeds
from ..kernels.planes import Planes
from ..listening.neurons import Firing
from .census import Census, census, first_sample
from .origins import Origin


@dataclass
class Population:
    """Spikes, updates and active updates of each neuron; spikes of each step; the raster of the first sample.

    An encoder is a population that only sends: it has spikes, but no updates.
    """

    path: str
    shape: tuple[int, ...]
    spiking: bool
    counts: Counts = field(init=False)  # active updates, then spikes, of each neuron
    state_variables: int = 0
    updates: int = 0  # of each neuron
    unseen: int = 0  # of the updates, those whose input was not seen: they may have been active
    raster: list[NDArray[np.uint8]] = field(default_factory=list)
    step: int = 0  # of the present run of the network
    longest: int = 0  # steps of the longest run
    size: float = 1.0  # of its latest spikes
    graded: int = 0  # calls in which it sent values of several sizes, though it was said that they are spikes
    _by_step: Counts = field(default_factory=lambda: np.zeros(32, np.int64))  # spikes; more room than steps

    def __post_init__(self) -> None:
        self.neurons = math.prod(self.shape)
        self.counts = np.zeros(2 * self.neurons, np.int64)

    @property
    def per_step(self) -> Counts:
        """Spikes of all neurons and samples at each step."""
        return self._by_step[: len(self.raster)].copy()

    def book(self, firing: Firing) -> Census | None:
        """Add one call and give the census of what it sent, over all its steps and samples; None for a read-out."""
        spikes, currents, rows = firing.spikes, firing.currents, len(firing.layout)
        shape = spikes.shape
        steps, batch = firing.extent
        if firing.state_variables > self.state_variables:
            self.state_variables = firing.state_variables
        if firing.updates:
            self.updates += steps * batch
            if currents is None or currents.shape != shape:
                # what arrives inside (recurrent weights) is not seen: every update may have had an input
                currents, self.unseen = None, self.unseen + steps * batch
        if firing.layout == "BT":
            spikes, currents = spikes.transpose(0, 1), None if currents is None else currents.transpose(0, 1)
        done = deeds(spikes, currents, rows)
        if done is None or (firing.unit is not None and done.inputs != "silent" and done.magnitude != firing.unit):
            done = _step_by_step(spikes.detach(), currents, rows, firing.unit)
        if firing.spiking:
            return self._sent(done, steps, lambda begun: first_sample(spikes, rows, begun))
        self.counts[: self.neurons] += done.counts[: self.neurons]
        self._stepped(steps)
        return None

    def book_bits(self, planes: Planes, done: Deeds, state_variables: int) -> Census:
        """The same for spikes that are bits `[T, B, *N]`, which were counted when they were made."""
        steps, batch = planes.shape[:2]
        if state_variables > self.state_variables:
            self.state_variables = state_variables
        self.updates += steps * batch
        return self._sent(done, steps, lambda begun: planes.sample(0)[begun:].numpy().astype(np.bool_))

    def sends(self, seen: Census | None, unit: float | None, rows: int, *, graded: bool = False) -> Origin:
        """The origin of spikes that were just booked, over so many steps and samples."""
        assert seen is not None
        if seen.inputs == "spikes":
            self.size = seen.magnitude
        self.graded += seen.inputs == "graded" and not graded
        return Origin("spikes", self.path, unit or self.size, None, None, seen, rows)

    def _sent(self, done: Deeds, steps: int, first: Callable[[int], NDArray[np.bool_]]) -> Census:
        """Add spikes; `first(begun)` gives the first sample's from some step on: only its first run is drawn."""
        found, both, begun = done.counts, 2 * self.neurons, self.step
        if begun + steps > len(self.raster):
            self._draw(begun + steps, first)
        self.counts += found[:both]
        self._by_step[begun : begun + steps] += found[both:]
        self._stepped(steps)
        sent = found[self.neurons : both]
        return Census(sent if len(self.shape) == 1 else sent.reshape(self.shape), done.inputs, done.magnitude)

    def _draw(self, end: int, first: Callable[[int], NDArray[np.bool_]]) -> None:
        drawn = len(self.raster)
        seen = first(drawn - self.step)
        if not seen.size:  # an empty batch has no first sample
            seen = np.zeros((end - drawn, self.neurons), np.bool_)
        self.raster.extend(seen.reshape(end - drawn, self.neurons).view(np.uint8))
        if end > len(self._by_step):
            self._by_step = np.concatenate([self._by_step, np.zeros(max(end, len(self._by_step)), np.int64)])

    def _stepped(self, steps: int) -> None:
        self.step += steps
        if self.step > self.longest:
            self.longest = self.step

    def close(self) -> tuple[Layer, list[tuple[str, int, Counts | None]]]:
        """The layer's facts and its events, `(event, count, by neuron)`."""
        neurons = self.neurons
        kind = "neuron" if self.updates else "encoder"
        layer = Layer(
            self.path, kind, self.shape, outputs=neurons, state=self.state_variables * neurons,
            spiking=self.updates > 0 and self.spiking,
        )  # fmt: skip
        spikes = self.counts[neurons:].copy()
        updates, active = np.full(neurons, self.updates, np.int64), self.counts[:neurons] + self.unseen
        return layer, [
            ("spike", int(spikes.sum()), spikes),
            ("neuron_update", self.updates * neurons, updates),
            ("active_update", int(active.sum()), active),
        ]

    def raster_array(self) -> NDArray[np.uint8]:
        """Spikes `[T, N]` of the first sample."""
        if not self.raster:
            return np.zeros((0, self.neurons), np.uint8)
        return np.stack(self.raster)


def _step_by_step(spikes: Tensor, currents: Tensor | None, rows: int, unit: float | None) -> Deeds:
    """What neurons did, for what the native core does not look at."""
    found: tuple[InputClass, float] = ("silent", 0.0)
    places = spikes.shape[rows:].numel()
    total, counts = np.zeros(places, np.int64), []
    for step in spikes if rows == 2 else (spikes,):
        one = census(step, 1, unit=unit)
        if one.inputs != "silent":
            found = merge_class(found, (one.inputs, one.magnitude))
        total += one.nonzero.ravel()
        counts.append(int(one.nonzero.sum()))
    active = np.zeros(places, np.int64) if currents is None else census(currents, rows, classify=False).nonzero.ravel()
    return Deeds(np.concatenate([active, total, np.array(counts, np.int64)]), *found)  # type: ignore[arg-type]
