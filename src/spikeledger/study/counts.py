"""An activity from plain counts: what a paper, a log or a chip reports, without a network to run.

`activity_from_spikes` takes what people have (layer sizes and spikes); `activity_from_events` takes any event.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..activity import Activity, Counts, InputClass, Layer, Tally, Uncounted
from ..errors import InputError, of_kind

#: one count, or one for each neuron
Count = int | Sequence[int] | NDArray[np.integer]


def activity_from_events(
    events: Mapping[str, Mapping[str, Count]],
    *,
    samples: int = 1,
    timesteps: int = 1,
    layers: Mapping[str, Layer] | None = None,
    seconds: float | None = None,
    producer: str = "given counts",
) -> Activity:
    """An activity from `{layer: {event: count}}`; a count may be a number or one for each neuron.

    `layers` gives the facts of a layer where a price asks for them (synapses, parameters, outputs); what is not given
    is derived from the events: a layer with `synaptic_op`, `mac` or `dense_op` is weighted, one with `neuron_update`
    spikes.
    """
    _some(samples, timesteps)
    facts: dict[str, Layer] = {}
    tallies: dict[tuple[str, str], Tally] = {}
    for name, book in events.items():
        if not isinstance(book, Mapping):
            raise InputError(f"layer '{name}' has {of_kind(book)}: give its counts by event, {{'spike': 120}}")
        facts[name] = (layers or {}).get(name) or _guess(name, book)
        for event, given in book.items():
            count, rows = _count(name, event, given)
            tallies[name, event] = Tally(name, event, count, rows)
    return Activity(facts, tallies, samples=samples, timesteps=timesteps, seconds=seconds, producer=producer)


def activity_from_spikes(
    layer_sizes: Sequence[tuple[int, int]],
    spike_counts: Sequence[Count],
    *,
    timesteps: int,
    samples: int = 1,
    layer_names: Sequence[str] | None = None,
    input_spikes: int | None = None,
    synapses: Sequence[int] | None = None,
    state_variables: int = 1,
) -> Activity:
    """An activity from the spikes of fully connected layers: `layer_sizes=[(784, 256), (256, 10)]`, spikes of each.

    `synaptic_op = spikes of the layer before * its fan-out`; `neuron_update = neurons * timesteps * samples`.

    Args:
        spike_counts: spikes of each layer in the whole run, or a sequence with those of each neuron.
        input_spikes: spikes of the network's own input; if not given, what they caused is listed as uncounted.
        synapses: existing synapses of each layer, where it is pruned; all by default.

    Raises:
        InputError: lengths that do not agree, negative or impossible counts.
    """
    names = list(layer_names) if layer_names is not None else [f"layer{index}" for index in range(len(layer_sizes))]
    if not layer_sizes:
        raise InputError("an account needs at least one layer: give layer_sizes=[(inputs, outputs), ...]")
    if not len(layer_sizes) == len(spike_counts) == len(names) == len(set(names)):
        raise InputError(
            f"{len(layer_sizes)} layer sizes, {len(spike_counts)} spike counts and {len(set(names))} different names "
            "do not belong together: give one of each for every layer"
        )
    if synapses is not None and len(synapses) != len(names):
        raise InputError(f"{len(synapses)} synapse counts for {len(names)} layers: give one for every layer")
    _some(samples, timesteps)
    events: dict[str, dict[str, Count]] = {}
    facts: dict[str, Layer] = {}
    before: tuple[str, Count | None] = ("input", input_spikes)
    for index, (name, (inputs, outputs)) in enumerate(zip(names, layer_sizes, strict=True)):
        if inputs < 1 or outputs < 1:
            raise InputError(f"layer '{name}' has {inputs} inputs and {outputs} outputs: both are at least 1")
        dense = inputs * outputs
        exist = dense if synapses is None else synapses[index]
        if not 0 <= exist <= dense:
            raise InputError(f"layer '{name}' has at most {dense:,} synapses, not {exist:,}")
        spikes, rows = _count(name, "spike", spike_counts[index])
        if rows is not None and rows.size != outputs:
            raise InputError(f"layer '{name}' has {outputs} neurons and {rows.size} spike counts")
        if spikes > outputs * timesteps * samples:
            raise InputError(f"layer '{name}' cannot fire {spikes:,} times: {outputs} neurons, {timesteps} steps")
        weights = f"{name}.weight"
        events[weights] = {"dense_op": dense * timesteps * samples}
        if before[1] is not None:
            events[weights]["synaptic_op"] = _arriving(before[1], exist, inputs)
        updates = np.full(outputs, timesteps * samples, np.int64)
        events[name] = {"spike": spike_counts[index], "neuron_update": updates}
        facts[weights] = Layer(
            weights, "linear", (inputs,), outputs, exist, dense, exist, inputs="spikes", magnitude=1.0, source=before[0]
        )
        facts[name] = Layer(
            name, "neuron", (outputs,), outputs, state=outputs * state_variables, source=weights, spiking=True
        )
        before = (name, spike_counts[index])
    activity = activity_from_events(events, samples=samples, timesteps=timesteps, layers=facts)
    if input_spikes is None:
        missing = Uncounted(f"{names[0]}.weight", "linear", "the spikes of the input were not given")
        activity = replace(activity, uncounted=(missing,))
    return activity


def _some(samples: int, timesteps: int) -> None:
    if timesteps < 1 or samples < 1:
        raise InputError(f"a run has at least 1 timestep and 1 sample, not {timesteps} and {samples}")


def scaled(activity: Activity, factor: Callable[[str, str], float | NDArray[np.float64]]) -> Activity:
    """The same run with other counts: `factor(layer, event)` multiplies a tally; rows may have a factor each.

    Counts stay integers, and per-neuron tallies keep summing to their total, which is the exact product, rounded: what
    is lost to rounding at one neuron is made good at the next.
    """
    tallies: dict[tuple[str, str], Tally] = {}
    for key, tally in activity.tallies.items():
        by, rows = factor(*key), tally.per_neuron
        if not isinstance(by, np.ndarray) and (rows is None or by == int(by)):
            whole = None if rows is None else rows * int(by)
            count = tally.count * int(by) if by == int(by) else round(tally.count * by)
            tallies[key] = replace(tally, count=count, per_neuron=whole)
        elif rows is None:
            raise InputError(f"'{key[1]}' of layer '{key[0]}' is kept as a total, so it takes one factor")
        else:  # whole numbers whose running sums are the exact ones, each rounded
            changed = np.diff(np.rint(np.cumsum(rows.ravel() * by)), prepend=0.0).astype(np.int64)
            tallies[key] = replace(tally, count=int(changed.sum()), per_neuron=changed.reshape(rows.shape))
    return replace(activity, tallies=tallies)


def _arriving(spikes: Count, synapses: int, inputs: int) -> Count:
    """Spikes times the mean fan-out, exact where every input has the same, else with an exact total that is rounded."""
    rows = np.asarray(spikes)
    large = rows.size and int(rows.max()) * rows.size * synapses >= 1 << 61
    # running sums times the mean fan-out, rounded: what is lost at one neuron is made good at the next
    upto = (2 * np.cumsum(rows.astype(object if large else np.int64)) * synapses + inputs) // (2 * inputs)
    found = np.diff(upto, prepend=0)
    return int(found[0]) if rows.ndim == 0 else found.astype(np.int64).reshape(rows.shape)


def _count(layer: str, event: str, given: Count) -> tuple[int, Counts | None]:
    array = np.asarray(given)
    whole = np.issubdtype(array.dtype, np.integer)
    if not whole and array.dtype.kind == "f" and np.isfinite(array).all() and (array == np.floor(array)).all():
        whole = bool((np.abs(array) < 2**53).all())
    if not whole:
        raise InputError(f"'{event}' of layer '{layer}' is {given!r}: a count is an integer")
    if array.size and int(array.min()) < 0:
        raise InputError(f"'{event}' of layer '{layer}' is negative: a count is at least 0")
    rows = array.astype(np.int64)
    if rows.ndim == 0:
        return int(array), None
    return int(rows.sum()), rows


def _guess(name: str, book: Mapping[str, Count]) -> Layer:
    inputs: InputClass = ""
    if "mac" in book or ("dense_op" in book and "synaptic_op" not in book):
        inputs = "graded"
    elif "synaptic_op" in book:
        inputs = "spikes"
    spiking = "neuron_update" in book
    rows = next((np.asarray(given) for given in book.values() if np.ndim(given) > 0), None)
    outputs = 1 if rows is None else int(math.prod(rows.shape))
    operator = "neuron" if spiking else "encoder" if not inputs else "linear"
    return Layer(name, operator, (outputs,), outputs, inputs=inputs, state=outputs if spiking else 0, spiking=spiking)
