"""The bill of Lemaire et al. 2022: operations, memory and addresses, each memory as large as what it holds.

E. Lemaire, L. Cordone, A. Castagnetti, P.-E. Novac, J. Courtois, B. Miramond, "An analytical estimation of spiking
neural networks energy efficiency", ICONIP 2022, doi:10.1007/978-3-031-30105-6_48, arXiv:2210.13107. Their published
erratum is applied: the fully connected layer's accumulates have no factor N_in too many, and the reset is counted.
Where they take ceil(kernel/stride) squared synapses for each spike, borders included, the exact counts stand here.
"""

from __future__ import annotations

from ..activity import Activity, Counts, Layer
from ..hardware.memory import interpolated
from ..hardware.profile import HardwareProfile, Price
from .lines import Line, arrivals, arrived, counted_here, size


def memory(activity: Activity, profile: HardwareProfile) -> list[Line]:
    """`E = E_operations + E_memory + E_addresses`; no static power, no routing.

    Spiking: each spike that arrives is read once, each of its synapses reads a weight and reads and writes a
    potential; each neuron reads and writes its potential at every step and multiplies by the leak; each spike is
    written and resets. A spike is moved as one activation.

    Ordinary: every multiply-accumulate reads both operands
    (no reuse, the opposite bias), every result is written once.
    """
    lines: list[Line] = []
    for layer in activity.layers_by_name.values():
        if layer.weighted:
            lines += _spiking(activity, layer, profile) if activity.spiking else _ordinary(activity, layer, profile)
        elif layer.spiking:
            lines += _population(activity, layer, profile)
    return lines


def _spiking(activity: Activity, layer: Layer, profile: HardwareProfile) -> list[Line]:
    name, weights, _, state = _prices(layer, profile)
    inputs = _buffer(profile, size(layer) or layer.outputs, profile.precision.activation_bits)
    lines = []
    for line in arrivals(activity, layer, profile):
        came = line.count if line.event == "mac" else arrived(activity, layer)
        lines += [
            line,
            Line(name, "weight_read", line.count, line.per_neuron, price=weights, by=line.event),
            Line(name, "activation_read", came, note="values that arrived", price=inputs, by=line.event),
            Line(name, "state_read", line.count, line.per_neuron, "of the target", price=state, by=line.event),
            Line(name, "state_write", line.count, line.per_neuron, "of the target", price=state, by=line.event),
            Line(name, "address_op", line.count, line.per_neuron, "of weights and potentials"),
        ]
        if _convolves(layer) and "address_op" in profile.prices:
            pair = profile.prices["address_op"].scaled(32, "an int32 multiply and add, 3.1 + 0.1 pJ against 0.1 pJ")
            lines.append(Line(name, "address_op", 2 * came, note="row and column of each spike", price=pair))
    return [*lines, *_biases(activity, layer, weights)]


def _ordinary(activity: Activity, layer: Layer, profile: HardwareProfile) -> list[Line]:
    name, weights, values, _ = _prices(layer, profile)
    products = counted_here(activity, layer, "dense_op" if profile.skips != "all" else "mac")
    runs = activity.samples * max(activity.timesteps, 1)
    kernel = layer.parameters // max(layer.shape[0], 1) if _convolves(layer) else layer.parameters
    moved = size(layer) + layer.outputs + kernel
    return [
        Line(name, "mac", products),
        Line(name, "weight_read", products / profile.reuse, price=weights, by="mac"),
        Line(name, "activation_read", products / profile.reuse, price=values, by="mac"),
        Line(name, "activation_write", layer.outputs * runs, price=values, by="mac"),
        Line(name, "address_op", moved * runs, note="of inputs, outputs and weights"),
        *_biases(activity, layer, weights),
    ]


def _biases(activity: Activity, layer: Layer, weights: Price | None) -> list[Line]:
    added = activity.total("bias_add", layer.name)
    return [Line(layer.name, "bias_add", added), Line(layer.name, "weight_read", added, note="biases", price=weights)]


def _population(activity: Activity, layer: Layer, profile: HardwareProfile) -> list[Line]:
    name = layer.name
    updates, rows = _tally(activity, name, "neuron_update")
    spikes, fired = _tally(activity, name, "spike")
    state = _buffer(profile, layer.state or layer.outputs, profile.precision.state_bits)
    out = _buffer(profile, layer.outputs, profile.precision.activation_bits)
    return [
        Line(name, "neuron_update", updates, rows, "leak: one multiply-accumulate", price=profile.prices.get("mac")),
        Line(name, "state_read", updates, rows, price=state, by="neuron_update"),
        Line(name, "state_write", updates, rows, price=state, by="neuron_update"),
        Line(name, "elementwise", spikes, fired, "reset"),
        Line(name, "activation_write", spikes, fired, price=out, by="spike"),
    ]


def _tally(activity: Activity, layer: str, event: str) -> tuple[int, Counts | None]:
    tally = activity.tallies.get((layer, event))
    return (0, None) if tally is None else (tally.count, tally.per_neuron)


def _prices(layer: Layer, profile: HardwareProfile) -> tuple[str, Price | None, Price | None, Price | None]:
    """The layer's name and what a weight, an activation and a potential cost in buffers of its size."""
    bits = profile.precision
    return (
        layer.name,
        _buffer(profile, layer.parameters or layer.synapses, bits.weight_bits),
        _buffer(profile, size(layer) + layer.outputs, bits.activation_bits),
        _buffer(profile, layer.outputs, bits.state_bits),
    )


def _buffer(profile: HardwareProfile, numbers: int, bits: int) -> Price | None:
    return interpolated(profile.memory, numbers * bits / 8, bits) if profile.memory else None


def _convolves(layer: Layer) -> bool:
    return layer.operator.startswith("conv") and bool(layer.shape)
