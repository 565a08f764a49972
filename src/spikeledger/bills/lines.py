"""The lines of a bill: how often each event is charged in each layer, on a machine that skips these or those zeros."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..activity import Activity, Layer
from ..amounts import Amount
from ..hardware.memory import access
from ..hardware.profile import HardwareProfile, Price, Static

#: what may happen in any layer and is charged as it was counted
_AS_COUNTED = (
    "bias_add", "activation", "pool_read", "norm_op", "elementwise", "spike", "packet", "hop", "weight_update",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Line:
    """One event in one layer, `count` times; `per_neuron`, where it is known, sums to `count`."""

    layer: str
    event: str
    count: float
    per_neuron: NDArray[np.int64] | None = None
    note: str = ""
    inexact: Amount | None = None  # the count with its range, where it is no integer that was counted (seconds)
    price: Price | None = None  # of this layer, where it depends on its size; else the profile's
    watts: Static | None = None  # what a second costs, where it is not the device's own static power


def operations(activity: Activity, profile: HardwareProfile) -> list[Line]:
    """The convention of the field: accumulates and multiply-accumulates, and nothing else."""
    return [line for layer in _weighted(activity) for line in arrivals(activity, layer, profile)]


def full(activity: Activity, profile: HardwareProfile) -> list[Line]:
    """Everything that happened: operations, neurons, memory, routing, and the time that passed.

    Each arriving value fetches its weight; a multiply-accumulate also fetches its activation, and an ordinary network
    writes each result once; both fetches are shared by `profile.reuse` operations. The membrane is read and written at
    every update of a neuron, or, on a machine that updates `on_event`, at every spike that arrives.
    """
    lines = []
    for layer in activity.layers_by_name.values():
        if layer.weighted:
            lines += _weights(activity, layer, profile)
        for event in _AS_COUNTED:
            lines += _counted(activity, layer, event)
        lines += _updates(activity, layer, profile)
    return lines + time(activity, profile)


def system(activity: Activity, profile: HardwareProfile) -> list[Line]:
    """The full bill and the host that must run beside the device, where its watts are known."""
    lines = full(activity, profile)
    if profile.host is not None:
        lines += [replace(line, layer="(host)", watts=profile.host) for line in lines if line.event == "second"]
    return lines


def time(activity: Activity, profile: HardwareProfile) -> list[Line]:
    """The seconds that the run takes: the simulated chip's own, else what the profile's timing gives."""
    if activity.seconds is not None:
        return [Line("", "second", activity.seconds, note="simulated or given")]
    timing = profile.timing
    if timing is None:
        return []
    seconds = timing.seconds(
        samples=activity.samples,
        timesteps=activity.timesteps,
        layers=len(_weighted(activity)),
        events={event: activity.total(event) for event in timing.seconds_per_event},
    )
    return [Line("", "second", seconds, inexact=timing.factor * seconds)]


def arrivals(activity: Activity, layer: Layer, profile: HardwareProfile) -> list[Line]:
    """A weighted layer's operations as the machine does them: the zeros it skips cost nothing."""
    name = layer.name
    if profile.skips == "none" or (profile.skips == "spikes" and layer.inputs == "graded"):
        return [Line(name, "mac", activity.total("dense_op", name), note="dense: zeros are multiplied too")]
    return _counted(activity, layer, "mac" if layer.inputs == "graded" else "synaptic_op")


def fetch(profile: HardwareProfile, event: str, held: float, bits: int) -> Price | None:
    """The price of one access in memory that holds `held` bytes, where the profile has levels and no price for it."""
    if event in profile.prices or not profile.memory:
        return None
    return access(profile.memory, held, bits)


def _weighted(activity: Activity) -> list[Layer]:
    return [layer for layer in activity.layers_by_name.values() if layer.weighted]


def _weights(activity: Activity, layer: Layer, profile: HardwareProfile) -> list[Line]:
    """A weighted layer: its operations and the numbers that they fetch and write."""
    bits, name = profile.precision, layer.name
    weight = fetch(
        profile, "weight_read", (layer.parameters or layer.synapses) * bits.weight_bits / 8, bits.weight_bits
    )
    values = layer.outputs + _size(layer.shape)
    value = fetch(profile, "activation_read", values * bits.activation_bits / 8, bits.activation_bits)
    lines = []
    for line in arrivals(activity, layer, profile):
        lines.append(line)
        if line.event == "mac":
            # operations * fetches/operation = fetches
            fetched, note = line.count / profile.reuse, _reuse_note(profile)
            lines.append(Line(name, "weight_read", fetched, note=note, price=weight))
            lines.append(Line(name, "activation_read", fetched, note=note, price=value))
        else:
            lines.append(Line(name, "weight_read", line.count, line.per_neuron, price=weight))
            if profile.updates == "on_event":
                state = fetch(profile, "state_read", layer.outputs * bits.state_bits / 8, bits.state_bits)
                lines.append(Line(name, "state_read", line.count, line.per_neuron, "of the target", price=state))
                lines.append(Line(name, "state_write", line.count, line.per_neuron, "of the target", price=state))
    if not activity.spiking and layer.inputs != "spikes":
        written = layer.outputs * activity.samples * max(activity.timesteps, 1)
        lines.append(Line(name, "activation_write", written, price=value))
    return lines


def _updates(activity: Activity, layer: Layer, profile: HardwareProfile) -> list[Line]:
    """Neuron updates, split where the profile has a price of its own for those with an input; each moves the state."""
    lines = _counted(activity, layer, "neuron_update")
    if not lines:
        return []
    busy = activity.tallies.get((layer.name, "active_update"))
    if profile.updates == "on_event":
        if busy is None:
            return [replace(lines[0], note="which had an input is not known: all are charged")]
        event = "active_update" if "active_update" in profile.prices else "neuron_update"
        return [Line(layer.name, event, busy.count, busy.per_neuron, "with input")]
    variables = layer.state // max(layer.outputs, 1)
    # updates * variables/update = variables
    moved = lines[0].count * variables
    each = None if lines[0].per_neuron is None else lines[0].per_neuron * variables
    if "active_update" in profile.prices and busy is not None:
        rows = None if busy.per_neuron is None else busy.per_neuron.ravel()
        idle = None if rows is None or lines[0].per_neuron is None else lines[0].per_neuron.ravel() - rows
        lines = [
            Line(layer.name, "neuron_update", lines[0].count - busy.count, idle, "without input"),
            Line(layer.name, "active_update", busy.count, rows, "with input"),
        ]
    bits = profile.precision.state_bits
    state = fetch(profile, "state_read", layer.state * bits / 8, bits)
    return [
        *lines,
        Line(layer.name, "state_read", moved, each, price=state),
        Line(layer.name, "state_write", moved, each, price=state),
    ]


def _counted(activity: Activity, layer: Layer, event: str) -> list[Line]:
    tally = activity.tallies.get((layer.name, event))
    return [] if tally is None else [Line(layer.name, event, tally.count, tally.per_neuron)]


def _reuse_note(profile: HardwareProfile) -> str:
    return f"each fetched operand is used {profile.reuse:g} times" if profile.reuse > 1 else "no operand is reused"


def _size(shape: tuple[int, ...]) -> int:
    return math.prod(shape) if shape else 0
