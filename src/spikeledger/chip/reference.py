"""The same run in numpy: slow, obvious, the oracle of the native machine, and what runs where there is no compiler."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..mapping.mapped import Mapped, Population, Projection
from .machine import Counts

Currents = NDArray[Any]


@dataclass(eq=False)
class State:
    """What a population keeps from step to step, each `[N]`; None for what its kind does not have."""

    membrane: Currents
    fired: NDArray[np.bool_]  # at the step before
    synapse: Currents | None = None
    adaptation: Currents | None = None
    waiting: NDArray[np.int64] | None = None
    step: int = 0  # that comes next

    @classmethod
    def rest(cls, population: Population, dtype: Any) -> State:
        """The state before the first step; a membrane that starts above the threshold has just fired."""
        membrane = np.broadcast_to(np.asarray(population.start, dtype), population.size).copy()
        fired = _reached(membrane, np.asarray(population.threshold, dtype), population)
        return cls(
            membrane, fired, np.zeros_like(membrane) if population.alpha is not None else None,
            np.zeros_like(membrane) if population.rho is not None else None,
            np.zeros(population.size, np.int64) if population.refractory else None,
        )  # fmt: skip


def no_counts(network: Mapped, steps: int, samples: int, keep: Iterable[str]) -> Counts:
    """The counts of a run that has not begun; `keep` names whole rasters."""
    counts, kept = Counts(), set(keep)
    for name, population in network.populations.items():
        counts.spikes[name], counts.active[name] = np.zeros((2, population.size), np.int64)
        counts.per_step[name] = np.zeros(steps, np.int64)
        counts.late[name] = np.zeros((network.reach(name), population.size), np.int64)
        if population.spiking:
            counts.rasters[name] = np.zeros((samples if name in kept else 1, steps, population.size), np.uint8)
    return counts


def at_rest(network: Mapped, dtype: Any) -> tuple[dict[str, Currents], dict[str, State]]:
    """Before a sample's first step: the currents under way to each population `[steps, N]`, and its state."""
    waiting = {
        name: np.zeros((1 + max((p.delay for p in network.into(name)), default=0), each.size), dtype)
        for name, each in network.populations.items()
    }
    return waiting, {name: State.rest(each, dtype) for name, each in network.populations.items()}


def run_reference(
    network: Mapped, inputs: Mapping[str, NDArray[Any]], *, steps: int, samples: int, dtype: Any = np.float32,
    limit: float = 0.0, keep: Iterable[str] = (),
) -> Counts:  # fmt: skip
    """Advance every neuron by `steps` for each sample, one spike and one synapse row after another."""
    counts = no_counts(network, steps, samples, keep)
    for sample in range(samples):
        waiting, states = at_rest(network, dtype)
        for t in range(steps):
            for name in network.order:
                population = network.populations[name]
                if population.spiking:
                    slot = waiting[name][t % len(waiting[name])]
                    values, active = advance(population, states[name], slot, dtype, limit)
                    slot[:] = 0
                    counts.active[name] += active
                    if sample < len(counts.rasters[name]):
                        counts.rasters[name][sample, t] = values
                else:
                    values = np.asarray(inputs[name][t, sample], dtype)
                counts.spikes[name] += values != 0
                counts.per_step[name][t] += np.count_nonzero(values)
                if steps - 1 - t < len(counts.late[name]):
                    counts.late[name][steps - 1 - t] += values != 0
                for projection in network.out_of(name):
                    slots = waiting[projection.target]
                    deliver(projection, values, slots[(t + projection.delay) % len(slots)])
    return counts


def advance(
    population: Population, state: State, current: Currents, dtype: Any, limit: float
) -> tuple[Currents, NDArray[np.bool_]]:
    """One step of the equations of `networks.neurons`, in place; spikes, and which neurons had an input.

    With a `limit` numbers are a chip's integers: what decays is cut to a whole one, and no state leaves the limit. An
    adaptation then counts in the membrane's unit, so that it is what a spike adds to the threshold.
    """
    theta, late = np.asarray(population.threshold, dtype), population.reset_delay

    def decayed(decay: Any, values: Currents) -> Currents:
        left = (np.asarray(decay, dtype) * values).astype(dtype)
        return np.trunc(left) if limit else left

    def held(values: Currents) -> Currents:
        return np.clip(values, -limit, limit) if limit else values

    arriving = total = current + np.asarray(population.bias, dtype)
    if state.synapse is not None:
        state.synapse = total = held(decayed(population.alpha, state.synapse) + total)
    before = state.membrane
    if late and population.reset == "zero":
        before = np.where(state.fired, 0, before)
    charged = decayed(population.beta, before) + total
    if late and population.reset == "subtract":
        taken = theta * state.fired.astype(dtype)
        before, charged = before - taken, charged - taken
    if state.waiting is not None:
        charged = np.where(state.waiting > 0, before, charged)
    charged = held(charged)
    bar: Any = theta
    if state.adaptation is not None:
        bar = theta + (state.adaptation if limit else np.asarray(population.strength, dtype) * state.adaptation)
    fired = _reached(charged, bar, population)
    if population.window is not None and not population.window[0] <= state.step < population.window[1]:
        fired = np.zeros_like(fired)
    state.step += 1
    if state.waiting is not None:
        fired &= state.waiting <= 0
        state.waiting = np.where(fired, population.refractory, np.maximum(state.waiting - 1, 0))
    if not late and population.reset == "subtract":
        charged = charged - theta * fired.astype(dtype)
    elif not late and population.reset == "zero":
        charged = np.where(fired, 0, charged)
    if state.adaptation is not None:
        raised = np.asarray(population.strength if limit else 1, dtype) * fired.astype(dtype)
        state.adaptation = held(decayed(population.rho, state.adaptation) + raised)
    state.membrane, state.fired = charged.astype(dtype), fired
    return fired.astype(dtype), arriving != 0


def _reached(membrane: Currents, bar: Any, population: Population) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = membrane >= bar if population.inclusive else membrane > bar
    return found


def deliver(projection: Projection, values: Currents, currents: Currents, synapses: Any = None) -> None:
    """Add what one step's spikes send through a projection, or through other synapses in its place."""
    synapses = projection.synapses if synapses is None else synapses
    for source in np.flatnonzero(values):
        if projection.fan is None:
            synapses.deliver(currents, int(source), values[source])
            continue
        for place, scale in zip(*projection.fan.row(int(source)), strict=True):
            synapses.deliver(currents, int(place), values[source] * scale)
