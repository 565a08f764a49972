"""The same run in numpy: slow, obvious, the oracle of the native machine, and what runs where there is no compiler."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .machine import Counts
from .network import Network, Population, Projection

Currents = NDArray[Any]


def run_reference(
    network: Network, inputs: Mapping[str, NDArray[Any]], *, steps: int, samples: int, dtype: Any = np.float32,
    limit: float = 0.0, keep: Iterable[str] = (),
) -> Counts:  # fmt: skip
    """Advance every neuron by `steps` for each sample, one spike and one synapse row after another."""
    counts = Counts()
    kept = set(keep)
    depth = {name: max((p.delay for p in network.out_of(name)), default=0) for name in network.order}
    for name, population in network.populations.items():
        counts.spikes[name], counts.active[name] = np.zeros((2, population.size), np.int64)
        counts.per_step[name] = np.zeros(steps, np.int64)
        counts.late[name] = np.zeros((depth[name], population.size), np.int64)
        if population.spiking:
            counts.rasters[name] = np.zeros((samples if name in kept else 1, steps, population.size), np.uint8)
    for sample in range(samples):
        waiting = {
            name: np.zeros((1 + max((p.delay for p in network.into(name)), default=0), each.size), dtype)
            for name, each in network.populations.items()
        }
        membranes = {
            name: np.broadcast_to(np.asarray(each.start, dtype), each.size).copy()
            for name, each in network.populations.items()
        }
        for t in range(steps):
            for name in network.order:
                population = network.populations[name]
                if population.spiking:
                    slot = waiting[name][t % len(waiting[name])]
                    values, active = advance(population, membranes[name], slot, dtype, limit)
                    slot[:] = 0
                    counts.active[name] += active
                    if sample < len(counts.rasters[name]):
                        counts.rasters[name][sample, t] = values
                else:
                    values = np.asarray(inputs[name][t, sample], dtype)
                counts.spikes[name] += values != 0
                counts.per_step[name][t] += np.count_nonzero(values)
                if steps - 1 - t < depth[name]:
                    counts.late[name][steps - 1 - t] += values != 0
                for projection in network.out_of(name):
                    slots = waiting[projection.target]
                    deliver(projection, values, slots[(t + projection.delay) % len(slots)])
    return counts


def advance(
    population: Population, membrane: Currents, current: Currents, dtype: Any, limit: float
) -> tuple[Currents, NDArray[np.bool_]]:
    """One step of the equations of `networks.neurons`, in place; spikes, and which neurons had an input."""
    beta, theta = np.asarray(population.beta, dtype), np.asarray(population.threshold, dtype)
    total = current + np.asarray(population.bias, dtype)
    was = membrane > theta
    delayed = population.reset_delay
    kept = np.where(was, 0, membrane) if delayed and population.reset == "zero" else membrane
    decayed = (beta * kept).astype(dtype)
    charged = (np.trunc(decayed) if limit else decayed) + total
    if delayed and population.reset == "subtract":
        charged = charged - theta * was.astype(dtype)
    if limit:
        charged = np.clip(charged, -limit, limit)
    fired = charged > theta
    if not delayed and population.reset == "subtract":
        charged = charged - theta * fired.astype(dtype)
    elif not delayed and population.reset == "zero":
        charged = np.where(fired, 0, charged)
    membrane[:] = charged
    return fired.astype(dtype), total != 0


def deliver(projection: Projection, values: Currents, currents: Currents, synapses: Any = None) -> None:
    """Add what one step's spikes send through a projection, or through other synapses in its place."""
    synapses = projection.synapses if synapses is None else synapses
    for source in np.flatnonzero(values):
        if projection.fan is None:
            synapses.deliver(currents, int(source), values[source])
            continue
        for place, scale in zip(*projection.fan.row(int(source)), strict=True):
            synapses.deliver(currents, int(place), values[source] * scale)
