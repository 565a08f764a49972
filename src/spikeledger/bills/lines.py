"""A line of a bill, and what every bill asks: which operations a machine does that skips these or those zeros."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..activity import Activity, Layer
from ..amounts import Amount
from ..errors import UncountedError
from ..hardware.profile import HardwareProfile, Price, Static


@dataclass(eq=False, slots=True)  # not frozen: a bill makes thousands
class Line:
    """One event in one layer, `count` times; `per_neuron`, where it is known, sums to `count`."""

    layer: str
    event: str
    count: float
    per_neuron: NDArray[np.int64] | NDArray[np.float64] | None = None
    note: str = ""
    inexact: Amount | None = None  # the count with its range, where it is no integer that was counted (seconds)
    price: Price | None = None  # of this layer, where it depends on its size; else the profile's
    watts: Static | None = None  # what a second costs, where it is not the device's own static power
    by: str = ""  # the event that causes this one, whose price may hold it already


#: what is said of products with zeros, and from how many times the others on a bill of several steps says it at its foot
DENSE, _OFTEN = "dense: zeros are multiplied too", 2


def with_zeros(activity: Activity, profile: HardwareProfile, done: Mapping[str, float]) -> list[str]:
    """A sentence on the layers, and their products, in which a machine multiplies steps and places where nothing arrives."""
    many = {
        name: count
        for name, count in done.items()
        if activity.timesteps > 1 and count >= _OFTEN * activity.total("mac", name)
    }
    if not many:
        return []
    useful = sum(activity.total("mac", name) for name in many)
    return [
        f"it multiplies zeros too, silent steps among them: {sum(many.values()):,.0f} times in {', '.join(many)}, and "
        f"{useful:,.0f} of these meet none; '{profile.name}@all' skips zeros"
    ]


def operations(activity: Activity, profile: HardwareProfile) -> list[Line]:
    """The convention of the field: accumulates and multiply-accumulates, and nothing else."""
    return [line for layer in weighted(activity) for line in arrivals(activity, layer, profile)]


def arrivals(activity: Activity, layer: Layer, profile: HardwareProfile) -> list[Line]:
    """A weighted layer's operations as the machine does them: the zeros it skips cost nothing.

    A graded input of a spiking network that does not change over the steps is multiplied once on a machine that keeps
    the current (`first_layer = "once"`).

    Raises:
        UncountedError: the layer has operations, but not the kind that this machine does.
    """
    if profile.skips == "none" or (profile.skips == "spikes" and layer.inputs == "graded"):
        count = counted_here(activity, layer, "dense_op")
        lines = [Line(layer.name, "mac", count, note=DENSE)]
    else:
        event = "mac" if layer.inputs == "graded" else "synaptic_op"
        counted_here(activity, layer, event)
        lines = counted(activity, layer, event)
    if kept_current(activity, layer, profile):
        return [
            Line(layer.name, line.event, line.count / activity.timesteps, None, "once: the input is taken as constant")
            for line in lines
        ]
    return lines


def kept_current(activity: Activity, layer: Layer, profile: HardwareProfile) -> bool:
    """Whether this layer multiplies the network's own graded input once, and keeps the current for all steps."""
    direct = layer.inputs == "graded" and layer.source == "input" and activity.spiking and activity.timesteps > 1
    return direct and profile.first_layer == "once"


def counted_here(activity: Activity, layer: Layer, event: str) -> int:
    """How often an operation happened; refuses a layer whose other operations are known and this one is not."""
    tally = activity.tallies.get((layer.name, event))
    if tally is not None:
        return tally.count
    others = [
        f"{other} ({found.count:,})"
        for other in ("synaptic_op", "mac", "dense_op")
        if (found := activity.tallies.get((layer.name, other))) is not None
        and found.count
        and (event, other) != ("synaptic_op", "dense_op")  # nothing arrived: silence is no gap
    ]
    known = layer.name in {missed.layer for missed in activity.uncounted}  # said already: the total is a lower bound
    if others and not known and not (layer.inputs == "silent" and event != "dense_op"):
        raise UncountedError(
            f"layer '{layer.name}' has {' and '.join(others)} and no count of '{event}', which is what this machine does "
            f"there: give it, or choose a machine that skips other zeros (hardware.variants.skipping)"
        )
    return 0


def counted(activity: Activity, layer: Layer, event: str) -> list[Line]:
    """An event as it was counted, or nothing."""
    tally = activity.tallies.get((layer.name, event))
    return [] if tally is None else [Line(layer.name, event, tally.count, tally.per_neuron)]


def weighted(activity: Activity) -> list[Layer]:
    """The layers that multiply by stored weights."""
    return [layer for layer in activity.layers_by_name.values() if layer.weighted]


def runs(activity: Activity) -> int:
    """How often each layer ran: samples times steps."""
    return activity.samples * max(activity.timesteps, 1)


def size(layer: Layer) -> int:
    """Values that a weighted layer takes in."""
    return math.prod(layer.shape) if layer.shape else 0


def stored(layer: Layer) -> int:
    """Numbers that a weighted layer stores."""
    return layer.parameters or layer.synapses


def uses(layer: Layer) -> float:
    """In how many connections one stored weight is: 1 if fully connected, the output positions of a convolution."""
    kept = layer.nonzero_weights or layer.weights or stored(layer)
    return max(layer.synapses / kept, 1.0) if kept else 1.0


def fan_out(layer: Layer) -> float:
    """Connections that leave one input, on average; 0 where the layer does not say."""
    places = size(layer)
    return layer.synapses / places if places else 0.0


def arrived(activity: Activity, layer: Layer) -> float:
    """Spikes that reached a layer.

    By neuron, its synaptic operations over the fan-out, which says what of its source's spikes arrived. Where there are no
    counts by neuron, all spikes of its source, or its synaptic operations over the mean fan-out.
    """
    sent = activity.tallies.get((layer.source, "spike"))
    tally, fans = activity.tallies.get((layer.name, "synaptic_op")), activity.fan_outs.get(layer.name)
    if tally is not None and tally.per_neuron is not None and fans is not None and fans.size == tally.per_neuron.size:
        operations, leaving = tally.per_neuron.ravel(), fans.ravel()
        spikes = sent.per_neuron.ravel() if sent is not None and sent.per_neuron is not None else None
        if spikes is not None and spikes.size == leaving.size and (operations == spikes * leaving).all():
            return int(spikes.sum())  # each arrived at its place, also where no synapse leaves it
        return int((operations[leaving > 0] // leaving[leaving > 0]).sum())
    if sent is not None and sent.count:
        return sent.count
    leaving_each = fan_out(layer)
    return activity.total("synaptic_op", layer.name) / leaving_each if leaving_each else 0.0
