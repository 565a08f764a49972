"""Networks of populations: a communication channel, functions of values, an integrator; each run brings its `Activity`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..activity import Activity, Layer, Tally
from ..arguments import checked
from ..errors import InputError
from .neurons import _above_zero
from .populations import Population, Values
from .synapses import Lowpass


@dataclass(frozen=True, eq=False)
class Run:
    """What populations did: spikes `[T, N]`, decoded values `[T, D]` behind a synapse, and the account of it."""

    spikes: tuple[NDArray[np.bool_], ...]
    values: Values
    activity: Activity


@checked
def simulate(
    one: Population, values: ArrayLike, *, dt: float = 0.001, function: Callable[[Values], Any] | None = None,
    synapse: Lowpass | None = None,
) -> Run:  # fmt: skip
    """One population that is told values `[T, D]` and read through decoders of a function of them."""
    _above_zero(dt=dt)
    spikes = one.neuron.run(one.currents(values), dt=dt)
    read = (synapse or Lowpass(0.01)).filter(spikes / dt, dt=dt) @ one.decoders(function)
    return Run((spikes,), read, _account([("population", one, spikes, None)]))


@checked
def connect(
    first: Population, second: Population, values: ArrayLike, *, dt: float = 0.001,
    function: Callable[[Values], Any] | None = None, synapse: Lowpass | None = None,
) -> Run:  # fmt: skip
    """Two populations: the second hears `function(value)` of the first, the value itself by default (a channel).

    The synapses have weights `[N second, N first] = gain (encoders decoders' / radius)`: every spike of the first is a
    synaptic operation at every neuron of the second.
    """
    _above_zero(dt=dt)
    synapse = synapse or Lowpass(0.005)
    decoders = first.decoders(function)
    if decoders.shape[1] != second.dimensions:
        raise InputError(
            f"the function gives {decoders.shape[1]} numbers, but the second population takes {second.dimensions}"
        )
    sent = first.neuron.run(first.currents(values), dt=dt)
    heard = synapse.filter(sent / dt @ decoders, dt=dt)
    # a spike of one step arrives in the next
    heard = np.concatenate([np.zeros_like(heard[:1]), heard[:-1]])
    spikes = second.neuron.run(second.currents(heard), dt=dt)
    read = Lowpass(0.01).filter(spikes / dt, dt=dt) @ second.decoders()
    return Run((sent, spikes), read, _account([("first", first, sent, None), ("second", second, spikes, "first")]))


@checked
def integrator(one: Population, rates: ArrayLike, *, dt: float = 0.001, synapse: Lowpass | None = None) -> Run:
    """A population that remembers: `dx/dt = rates`, for rates `[T, D]`, by a connection to itself.

    Through a synapse of `tau` it hears its own value and `tau rates`. What the decoders get wrong is added up too: the
    value drifts to where the decoded value is the value, by less the more neurons there are.
    """
    _above_zero(dt=dt)
    synapse = synapse or Lowpass(0.1)
    given = np.asarray(rates, np.float64)
    if given.ndim != 2 or given.shape[1] != one.dimensions:
        raise InputError(f"rates are [T, {one.dimensions}], one row a step, not {list(given.shape)}")
    decoders, keep = one.decoders(), synapse.keeps(dt)
    v, waiting, heard = np.zeros(one.neurons), np.zeros(one.neurons), np.zeros(one.dimensions)
    spikes = np.zeros((len(given), one.neurons), bool)
    for t, rate in enumerate(given):
        spikes[t] = one.neuron.step(one.currents(heard), v, waiting, dt)
        told = (spikes[t] / dt) @ decoders + synapse.tau * rate
        heard = heard * keep + told * (1 - keep)
    read = Lowpass(0.01).filter(spikes / dt, dt=dt) @ decoders
    return Run((spikes,), read, _account([("memory", one, spikes, "memory")]))


def _account(rows: list[tuple[str, Population, NDArray[np.bool_], str | None]]) -> Activity:
    """Exact counts of one sample: (name, population, spikes, who it hears); a current flows all the time, by the bias."""
    layers: dict[str, Layer] = {}
    tallies: dict[tuple[str, str], Tally] = {}
    steps: dict[str, NDArray[np.int64]] = {}
    fan_outs: dict[str, NDArray[np.int64]] = {}
    fired = {name: spikes.sum(0).astype(np.int64) for name, _, spikes, _ in rows}
    for name, one, spikes, source in rows:
        if source is not None:
            before, weights = len(fired[source]), f"{source}_to_{name}"
            links = before * one.neurons
            layers[weights] = Layer(
                weights, "linear", (before,), one.neurons, links, links, links, links, links, inputs="spikes",
                magnitude=1.0, source=source,
            )  # fmt: skip
            arrived = fired[source] * one.neurons
            tallies[weights, "synaptic_op"] = Tally(weights, "synaptic_op", int(arrived.sum()), arrived)
            fan_outs[weights] = np.full(before, one.neurons, np.int64)
        layers[name] = Layer(name, "neuron", (one.neurons,), one.neurons, state=2 * one.neurons, spiking=True)
        updates = np.full(one.neurons, len(spikes), np.int64)
        for event, row in (("spike", fired[name]), ("neuron_update", updates), ("active_update", updates)):
            tallies[name, event] = Tally(name, event, int(row.sum()), row)
        steps[name] = spikes.sum(1).astype(np.int64)
    return Activity(
        layers, tallies, samples=1, timesteps=len(rows[0][2]), spikes_per_step=steps, fan_outs=fan_outs, producer="NEF"
    )
