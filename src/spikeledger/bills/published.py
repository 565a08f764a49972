"""The arithmetic of published documents, flaws included: each bill's docstring says what is wrong with it.

They exist to reproduce what was printed. Profiles that use them carry a caveat, which every report prints.
"""

from __future__ import annotations

from ..activity import Activity, Layer
from ..hardware.profile import HardwareProfile
from .lines import Line


def conference_paper(activity: Activity, profile: HardwareProfile) -> list[Line]:
    """Cassetta, Di Trani & Cavalagli (2023): `E = T (E_ac AC + E_mac MAC)` per inference.

    Their AC are neuron updates (already summed over T, then multiplied by T again), not synaptic operations; a count
    below 1 is printed as 1 by the counter they used; and kWh divide by 3.6e5 instead of 3.6e6 (the profile's
    `joules_per_kwh`). For an ANN, T is 1 and MAC are the weights' dense operations plus activations and pooling reads.
    """
    if activity.spiking:
        steps, accumulates, multiplies = activity.timesteps, activity.total("neuron_update"), 0
    else:
        steps, accumulates = 1, 0
        multiplies = activity.total("dense_op") + activity.total("activation") + activity.total("pool_read")
    return [
        Line("", "synaptic_op", steps * max(accumulates, activity.samples), note="neuron updates, times T once more"),
        Line("", "mac", steps * max(multiplies, activity.samples), note="times T once more"),
    ]


def conference_paper_corrected(activity: Activity, profile: HardwareProfile) -> list[Line]:
    """The same prices for what happened: an AC for each synaptic operation and neuron update, T once, 3.6e6 J a kWh."""
    lines = []
    for layer in activity.layers_by_name.values():
        if layer.weighted:
            graded = layer.inputs == "graded"
            event = "mac" if graded else "synaptic_op"
            count = activity.total("dense_op" if graded else event, layer.name)
            lines.append(Line(layer.name, event, count))
        updates = activity.total("neuron_update", layer.name)
        if updates:
            lines.append(Line(layer.name, "synaptic_op", updates, note="neuron updates, at the price of an AC"))
    return lines


def exercise(activity: Activity, profile: HardwareProfile) -> list[Line]:
    """Neuro4ML, week 8: `E = 0.1 nJ updates + 0.5 pJ events`.

    Events are spikes of a layer times its own *incoming* weights.

    A spike leaves through outgoing synapses: the rule counts fan-in where fan-out is meant, leaves the input's spikes
    out, and does not multiply neuron updates by the samples of a batch.
    """
    lines = []
    before: Layer | None = None
    for layer in activity.layers_by_name.values():
        if layer.weighted:
            before = layer
        if not layer.spiking:
            continue
        updates = activity.total("neuron_update", layer.name) // max(activity.samples, 1)
        lines.append(Line(layer.name, "neuron_update", updates, note="of one sample, whatever the batch"))
        if before is not None:
            # spikes * synapses / neurons = spikes * fan-in
            events = activity.total("spike", layer.name) * before.synapses / max(layer.outputs, 1)
            lines.append(Line(layer.name, "synaptic_op", events, note="own spikes times incoming synapses"))
    return lines


def tutorial(activity: Activity, profile: HardwareProfile) -> list[Line]:
    """sc-neurocore, tutorial 72: each spike of a layer pays every price of the table once.

    No fan-out, no update without a spike, no static power: a layer that is silent costs nothing, however large it is.
    """
    lines = []
    for layer in activity.layers_by_name.values():
        if layer.spiking:
            tally = activity.tallies.get((layer.name, "spike"))
            rows = None if tally is None else tally.per_neuron
            spikes = activity.total("spike", layer.name)
            lines += [Line(layer.name, event, spikes, rows, "once a spike") for event in profile.prices]
    return lines


def notebook(activity: Activity, profile: HardwareProfile) -> list[Line]:
    """The notebook "The cost of 1 million brains": `E = events + 4 bytes per activation + watts x 1 ms per sample`.

    Synaptic operations are charged at its price of a spike; the bytes are those of activations only although it calls
    them weights; and a step, a sample or a whole run all take 1 ms, so its static power decides the result.
    """
    lines = []
    for layer in activity.layers_by_name.values():
        if layer.weighted and not activity.spiking:
            lines.append(Line(layer.name, "mac", activity.total("dense_op", layer.name)))
        if layer.weighted and activity.spiking:
            arrived = activity.total("synaptic_op", layer.name) + activity.total("mac", layer.name)
            lines.append(Line(layer.name, "synaptic_op", arrived, note="at the price of a spike"))
        if layer.operator in ("neuron", "encoder"):
            lines.append(Line(layer.name, "spike", activity.total("spike", layer.name)))
    values = sum(layer.outputs for layer in activity.layers_by_name.values() if layer.weighted)
    first = next((layer for layer in activity.layers_by_name.values() if layer.weighted), None)
    if first is not None:
        values += _size(first.shape)
    if activity.spiking:  # it counts one value a spike
        lines.append(Line("", "activation_read", activity.total("spike"), note="4 bytes each"))
    else:
        lines.append(Line("", "activation_read", 2 * values * activity.samples, note="4 bytes each, in and out"))
    if profile.timing is not None:
        lines.append(Line("", "second", activity.samples * profile.timing.seconds_per_sample))
    return lines


def _size(shape: tuple[int, ...]) -> int:
    size = 1
    for axis in shape:
        size *= axis
    return size
