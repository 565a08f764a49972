"""The lines of a bill: how often each event is charged in each layer, on a machine that skips these or those zeros."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..activity import Activity, Layer
from ..hardware.profile import HardwareProfile


@dataclass(frozen=True)
class Line:
    """One event in one layer, `count` times; `per_neuron`, where it is known, sums to `count`."""

    layer: str
    event: str
    count: float
    per_neuron: NDArray[np.int64] | None = None
    note: str = ""
    low: float | None = None  # the range of the count itself, where it is not exact (seconds)
    high: float | None = None


def operations(activity: Activity, profile: HardwareProfile) -> list[Line]:
    """The convention of the field: accumulates and multiply-accumulates, and nothing else."""
    return [line for layer in _weighted(activity) for line in _arrivals(activity, layer, profile)]


def full(activity: Activity, profile: HardwareProfile) -> list[Line]:
    """Everything that happened: operations, neurons, memory, routing, and the time that passed."""
    lines = []
    for layer in activity.layers_by_name.values():
        arrivals = _arrivals(activity, layer, profile) if layer.weighted else []
        lines += arrivals
        lines += [Line(layer.name, "weight_read", line.count, line.per_neuron) for line in arrivals]
        for event in (
            "bias_add", "activation", "pool_read", "norm_op", "elementwise", "spike", "packet", "hop", "weight_update",
        ):  # fmt: skip
            lines += _counted(activity, layer, event)
        lines += _updates(activity, layer, profile)
    return lines + time(activity, profile)


def time(activity: Activity, profile: HardwareProfile) -> list[Line]:
    """The seconds that the run takes: the simulated chip's own, else what the profile's timing gives."""
    if activity.seconds is not None:
        return [Line("", "second", activity.seconds, note="simulated")]
    timing = profile.timing
    if timing is None:
        return []
    seconds = activity.samples * (timing.seconds_per_sample + activity.timesteps * timing.seconds_per_step)
    seconds += activity.total("dense_op") * timing.seconds_per_dense_op
    return [Line("", "second", seconds, low=seconds * timing.low_factor, high=seconds * timing.high_factor)]


def _weighted(activity: Activity) -> list[Layer]:
    return [layer for layer in activity.layers_by_name.values() if layer.weighted]


def _arrivals(activity: Activity, layer: Layer, profile: HardwareProfile) -> list[Line]:
    """A weighted layer's operations as the machine does them: the zeros it skips cost nothing."""
    name = layer.name
    if profile.skips == "none" or (profile.skips == "spikes" and layer.inputs == "graded"):
        return [Line(name, "mac", activity.total("dense_op", name), note="dense: zeros are multiplied too")]
    event = "mac" if layer.inputs == "graded" else "synaptic_op"
    return _counted(activity, layer, event)


def _updates(activity: Activity, layer: Layer, profile: HardwareProfile) -> list[Line]:
    """Neuron updates, split where the profile has a price of its own for those with an input; each moves the state."""
    lines = _counted(activity, layer, "neuron_update")
    if not lines:
        return []
    if "active_update" in profile.prices:
        active = activity.total("active_update", layer.name)
        rows = activity.per_neuron(layer.name, "active_update").ravel()
        idle = None if lines[0].per_neuron is None else lines[0].per_neuron.ravel() - rows
        lines = [
            Line(layer.name, "neuron_update", lines[0].count - active, idle, "without input"),
            Line(layer.name, "active_update", active, rows, "with input"),
        ]
    per_update = layer.state // max(layer.outputs, 1)
    moved = activity.total("neuron_update", layer.name) * per_update
    return [*lines, Line(layer.name, "state_read", moved), Line(layer.name, "state_write", moved)]


def _counted(activity: Activity, layer: Layer, event: str) -> list[Line]:
    tally = activity.tallies.get((layer.name, event))
    return [] if tally is None else [Line(layer.name, event, tally.count, tally.per_neuron)]
