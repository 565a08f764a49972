"""The bill for decisions: everything that happened, on the machine that the profile describes."""

from __future__ import annotations

from dataclasses import replace

from ..activity import Activity, Layer
from ..errors import UncountedError
from ..events import TERMS
from ..hardware.profile import HardwareProfile
from . import dataflow
from .lines import Line, arrivals, counted, stored
from .static_power import leakage, seconds

#: what may happen in any layer and is charged as it was counted
_AS_COUNTED = (
    "bias_add", "activation", "pool_read", "norm_op", "elementwise", "spike", "packet", "hop", "weight_update",
)  # fmt: skip


def full(activity: Activity, profile: HardwareProfile) -> list[Line]:
    """Everything that happened: operations, neurons, memory, routing, and the time that passed.

    What each operation reads and writes is said by the machine's `dataflow` (`bills.dataflow`). Memory traffic that the
    activity itself brings, as a trace of a machine does, is charged as it was counted and is not worked out again.
    """
    lines = []
    for layer in activity.layers_by_name.values():
        here: list[Line] = []
        if layer.weighted:
            done = arrivals(activity, layer, profile)
            here += done
            here += dataflow.weights(activity, layer, profile, done)
        for event in _AS_COUNTED:
            if (layer.name, event) in activity.tallies:
                here += counted(activity, layer, event)
        if not layer.weighted or (layer.name, "neuron_update") in activity.tallies:
            here += _updates(activity, layer, profile)
            here += dataflow.states(activity, layer, profile)
        if (layer.name, "spike") in activity.tallies:
            here += dataflow.spikes(activity, layer, profile)
        lines += _traced(activity, layer, profile, here)
    return lines + seconds(activity, profile) + leakage(activity, profile, lines)


def system(activity: Activity, profile: HardwareProfile) -> list[Line]:
    """The full bill and the host that must run beside the device, where its watts are known."""
    lines = full(activity, profile)
    if profile.host is not None:
        lines += [replace(line, layer="(host)", watts=profile.host) for line in lines if line.event == "second"]
    return lines


def _traced(activity: Activity, layer: Layer, profile: HardwareProfile, lines: list[Line]) -> list[Line]:
    """A layer's lines, with the memory traffic that was counted in place of what was worked out."""
    name, tallies = layer.name, activity.tallies
    events = [event for event in TERMS["memory"] if (name, event) in tallies]
    if not events:
        return lines
    kept = [line for line in lines if line.event not in events]
    bits = profile.precision
    widths = {"weight_read": bits.weight_bits, "state_read": bits.state_bits, "state_write": bits.state_bits}
    for event in events:
        found = activity.tallies[layer.name, event]
        if event == "address_op":
            kept += counted(activity, layer, event)
            continue
        width = widths.get(event, bits.activation_bits)
        numbers = stored(layer) if event == "weight_read" else max(layer.outputs, layer.state)
        kept += dataflow.moves(
            profile, layer, event, found.count, numbers * width / 8, width, by="", rows=found.per_neuron, note="counted"
        )
    return kept


def _updates(activity: Activity, layer: Layer, profile: HardwareProfile) -> list[Line]:
    """Neuron updates, split where the profile has a price of its own for those with an input."""
    lines = counted(activity, layer, "neuron_update")
    busy = activity.tallies.get((layer.name, "active_update"))
    if not lines:
        if busy is not None and busy.count:
            raise UncountedError(
                f"layer '{layer.name}' has {busy.count:,} active updates and no count of 'neuron_update': give both"
            )
        return []
    if profile.updates == "on_event":
        if busy is None:
            return [replace(lines[0], note="which had an input is not known: all are charged")]
        event = "active_update" if "active_update" in profile.prices else "neuron_update"
        return [Line(layer.name, event, busy.count, busy.per_neuron, "with input")]
    if "active_update" in profile.prices and busy is not None:
        rows = None if busy.per_neuron is None else busy.per_neuron.ravel()
        idle = None if rows is None or lines[0].per_neuron is None else lines[0].per_neuron.ravel() - rows
        return [
            Line(layer.name, "neuron_update", lines[0].count - busy.count, idle, "without input"),
            Line(layer.name, "active_update", busy.count, rows, "with input"),
        ]
    return lines
