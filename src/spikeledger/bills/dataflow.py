"""How a machine walks through a spiking layer, and what each walk reads and writes.

Technologies (profiles with memory levels) leave it open; a chip's own prices hold it already. Three machines exist:

- `event-driven`: each spike reads the weights of its synapses, and reads and writes the accumulator of every target
  (ODIN, doi:10.1109/TBCAS.2018.2880425; Loihi, doi:10.1109/MM.2018.112130359; Lemaire et al. 2022 charge this);
- `row-wise`: each spike brings rows of weights to accumulators in registers, which go to memory once a step
  (SpinalFlow, Narayanan et al. 2020, ISCA, doi:10.1109/ISCA45697.2020.00038);
- `output-stationary`: accumulators stay in registers, and the weights of *all* inputs walk by at every step, spike or
  not (Lee et al. 2022, HPCA, doi:10.1109/HPCA53966.2022.00031, who let a weight serve several steps).
"""

from __future__ import annotations

import math

from ..activity import Activity, Layer, Tally
from ..hardware.memory import access
from ..hardware.profile import Dataflow, HardwareProfile
from .lines import Line, arrived, counted_here, fan_out, kept_current, runs, size, stored, uses

DATAFLOWS: tuple[Dataflow, ...] = ("event-driven", "row-wise", "output-stationary")
#: accumulators in registers; spikes and input bits are read again for each further group of outputs (assumed)
REGISTERS = 128
#: bits that say where the next non-zero activation lies (EIE, Han et al. 2016, ISCA, doi:10.1109/ISCA.2016.30: 4 bits)
INDEX_BITS = 4


def settled(activity: Activity, profile: HardwareProfile) -> HardwareProfile:
    """The profile with its dataflow named: its own, or where it is open the one that costs this network least."""
    layers = [layer for layer in activity.layers_by_name.values() if layer.inputs == "spikes"]
    if profile.dataflow or not open_dataflow(profile) or not (layers or activity.spiking):
        return profile
    # rows cost less than single events: the same weights, and no accumulator in memory
    rows, still = (profile.model_copy(update={"dataflow": flow}) for flow in ("row-wise", "output-stationary"))
    if not layers or not all((layer.name, "dense_op") in activity.tallies for layer in layers):
        return rows
    if all(_fewer_bits(activity, layer, rows) for layer in layers):
        return rows
    return min(rows, still, key=lambda machine: decided(activity, layers, machine))


def open_dataflow(profile: HardwareProfile) -> bool:
    """Whether the prices leave open how a spiking layer is computed."""
    event_priced = profile.pays_for("weight_read", "synaptic_op")
    return bool(profile.memory) and profile.skips != "none" and profile.updates == "every_step" and not event_priced


def weights(activity: Activity, layer: Layer, profile: HardwareProfile, operations: list[Line]) -> list[Line]:
    """What a weighted layer's operations read and write."""
    lines: list[Line] = []
    for line in operations:
        lines += _graded(activity, layer, profile, line) if line.event == "mac" else _spikes(activity, layer, profile)
    if not activity.spiking and layer.inputs != "spikes":
        lines += moves(
            profile, layer, "activation_write", layer.outputs * runs(activity), _values(layer, profile),
            profile.precision.activation_bits, by="mac",
        )  # fmt: skip
    if profile.dataflow or not activity.spiking:
        lines += _arriving_input(activity, layer, profile)
    return lines


def states(activity: Activity, layer: Layer, profile: HardwareProfile) -> list[Line]:
    """The state that moves at every update of a neuron; in registers over the steps that are computed together."""
    updates = activity.tallies.get((layer.name, "neuron_update"))
    if updates is None or profile.updates == "on_event":
        return []
    variables = max(layer.state // max(layer.outputs, 1), 1)
    shared = 1 if profile.dataflow == "event-driven" else min(profile.steps_at_once, max(activity.timesteps, 1))
    # updates * variables/update / steps = variables
    moved, rows = updates.count * variables / shared, updates.per_neuron
    each = None if rows is None else rows * (variables / shared)
    bits = profile.precision.state_bits
    held = max(layer.state, layer.outputs) * bits / 8
    return [
        line
        for event in ("state_read", "state_write")
        for line in moves(profile, layer, event, moved, held, bits, by="neuron_update", rows=each)
    ]


def spikes(activity: Activity, layer: Layer, profile: HardwareProfile) -> list[Line]:
    """A population's spikes on their way into the buffer: addresses, or one bit a neuron and step."""
    sent = activity.tallies.get((layer.name, "spike")) if profile.dataflow else None
    if sent is None:
        return []
    count, bits, rows = float(sent.count), _address(layer.outputs), sent.per_neuron
    if profile.dataflow == "output-stationary":
        updates = activity.tallies.get((layer.name, "neuron_update"))
        count, bits, rows = updates.count if updates else float(layer.outputs * runs(activity)), 1, None
    note = "spikes, one bit a neuron and step" if bits == 1 else f"spikes, addresses of {bits} bits"
    held = layer.outputs * bits / 8
    return moves(profile, layer, "activation_write", count, held, bits, by="spike", rows=rows, note=note)


def moves(
    profile: HardwareProfile, layer: Layer, event: str, count: float, held: float, bits: int, *, by: str, run: int = 0,
    rows: object = None, note: str = "",
) -> list[Line]:  # fmt: skip
    """`count` accesses to a memory that holds `held` bytes: one line, or one for each level that they are shared by."""
    if event in profile.prices or not profile.memory:
        return [Line(layer.name, event, count, rows, note, by=by)]  # type: ignore[arg-type]
    lines = []
    for share, cost in access(profile.memory, held, bits, run):
        some = rows if rows is None or share == 1 else rows * share  # type: ignore[operator]
        lines.append(Line(layer.name, event, count * share, some, note, price=cost, by=by))  # type: ignore[arg-type]
    return lines


def _graded(activity: Activity, layer: Layer, profile: HardwareProfile, line: Line) -> list[Line]:
    """Multiply-accumulates: both operands are fetched, and shared by as many as the machine and the layer allow.

    A weight is used once an output position (and sample of a batch), an input once a weight that leaves it.
    """
    name, bits = layer.name, profile.precision
    of_weight = _shared(profile, uses(layer) * (1 if activity.spiking else profile.batch))
    of_input = _shared(profile, fan_out(layer))
    skips = profile.skips == "all"
    wide = bits.activation_bits + (INDEX_BITS if skips and profile.memory else 0)
    note = f"each fetched operand is used {{:.4g}} times, of at most {profile.reuse:g}"
    lines = moves(
        profile, layer, "weight_read", line.count / of_weight, stored(layer) * bits.weight_bits / 8, bits.weight_bits,
        by="mac", run=_run(layer), note=note.format(of_weight),
    )  # fmt: skip
    fetched = line.count / of_input
    lines += moves(
        profile, layer, "activation_read", fetched, _values(layer, profile), wide, by="mac", note=note.format(of_input)
    )
    if skips and "address_op" in profile.prices:
        lines.append(Line(name, "address_op", fetched, note="where the next non-zero activation lies", by="mac"))
    if kept_current(activity, layer, profile):
        held, width = layer.outputs * bits.state_bits / 8, bits.state_bits
        kept = "the current of a constant input"
        lines += moves(
            profile, layer, "state_write", layer.outputs * activity.samples, held, width, by="mac", note=kept
        )
        lines += moves(profile, layer, "state_read", layer.outputs * runs(activity), held, width, by="mac", note=kept)
    return lines


def _spikes(activity: Activity, layer: Layer, profile: HardwareProfile) -> list[Line]:
    """Accumulates, by the machine's dataflow."""
    name = layer.name
    line = activity.tallies.get((name, "synaptic_op")) or Tally(name, "synaptic_op", 0)
    bits, flow = profile.precision, profile.dataflow
    held = stored(layer) * bits.weight_bits / 8
    if not flow:
        # a chip with prices of its own, or one whose state moves only where a spike arrives
        fetched = moves(
            profile, layer, "weight_read", line.count, held, bits.weight_bits, by="synaptic_op", rows=line.per_neuron
        )
        return fetched + (_accumulators(profile, layer, line) if profile.updates == "on_event" else [])
    run, ticks = _run(layer), min(profile.steps_at_once, max(activity.timesteps, 1))
    passes = _passes(layer)
    if flow == "output-stationary":
        # all weights of each step, spike or not: dense / (uses that the array shares * steps) = fetches
        dense, each = counted_here(activity, layer, "dense_op"), _shared(profile, uses(layer)) * ticks
        lines = moves(
            profile, layer, "weight_read", dense / each, held, bits.weight_bits, by="synaptic_op",
            note=f"weights of all inputs, each fetch used {each:.4g} times",
        )  # fmt: skip
        return lines + moves(
            profile, layer, "activation_read", _places(dense, layer) * passes, size(layer) / 8, 1, by="synaptic_op",
            note="one bit an input and step",
        )  # fmt: skip
    incoming = arrived(activity, layer)
    # within the steps that are computed together, a weight is read once at most
    most = activity.total("dense_op", name) / ticks if ticks > 1 else math.inf
    once = most if 0 < most < line.count else line.count
    lines = moves(
        profile, layer, "weight_read", once, held, bits.weight_bits, by="synaptic_op", run=run,
        rows=line.per_neuron if once == line.count else None, note=f"rows of {run:,}" if run else "",
    )  # fmt: skip
    again = passes if flow == "row-wise" else 1
    wide = _address(size(layer))
    lines += moves(
        profile, layer, "activation_read", incoming * again, size(layer) * wide / 8, wide, by="synaptic_op",
        note=f"spikes that arrived, addresses of {wide} bits",
    )  # fmt: skip
    if "address_op" in profile.prices:
        lines.append(Line(name, "address_op", incoming * again, note="of a spike's row", by="synaptic_op"))
    return lines + (_accumulators(profile, layer, line) if flow == "event-driven" else [])


def _accumulators(profile: HardwareProfile, layer: Layer, line: Tally) -> list[Line]:
    """The accumulator of every target, read and written at every synaptic operation."""
    bits = profile.precision.state_bits
    return [
        one
        for event in ("state_read", "state_write")
        for one in moves(
            profile, layer, event, line.count, layer.outputs * bits / 8, bits, by="synaptic_op", rows=line.per_neuron,
            note="of the target's accumulator",
        )
    ]  # fmt: skip


def _arriving_input(activity: Activity, layer: Layer, profile: HardwareProfile) -> list[Line]:
    """The network's own input on its way into the buffer, where no layer before this one is charged for it."""
    if not profile.memory or profile.skips == "none" or layer.source != "input" or "input" in activity.layers_by_name:
        return []
    if layer.inputs == "graded":
        steps = 1 if kept_current(activity, layer, profile) or not activity.spiking else activity.timesteps
        count, bits, by = float(size(layer) * activity.samples * steps), profile.precision.activation_bits, "mac"
    elif profile.dataflow == "output-stationary":
        count, bits, by = _places(counted_here(activity, layer, "dense_op"), layer), 1, "synaptic_op"
    else:
        count, bits, by = arrived(activity, layer), _address(size(layer)), "synaptic_op"
    held = size(layer) * bits / 8
    return moves(profile, layer, "activation_write", count, held, bits, by=by, note="the network's own input")


def _fewer_bits(activity: Activity, layer: Layer, profile: HardwareProfile) -> bool:
    """Whether rows move fewer bits than all weights would, with a spike written and read as an address.

    It then costs less too: a bit of a weight never costs less than one of the smaller buffer of spikes. Any doubt is no.
    """
    bits, wide, leaving = profile.precision.weight_bits, _address(size(layer)), fan_out(layer)
    if not leaving or stored(layer) * bits < size(layer) * wide:
        return False
    each = _shared(profile, uses(layer)) * profile.steps_at_once
    done = activity.total("synaptic_op", layer.name)
    padded = bits + profile.memory[0].access_bits / max(_run(layer), 1)  # the last access of a row may be half empty
    return done * (padded + 2 * wide * _passes(layer) / leaving) <= activity.total("dense_op", layer.name) / each * bits


def decided(activity: Activity, layers: list[Layer], profile: HardwareProfile) -> float:
    """Nominal joules of what the dataflow decides in these layers: `settled` takes the machine with the least."""
    lines = [line for layer in layers for line in _spikes(activity, layer, profile)]
    names = {name for name, event in activity.tallies if event == "spike"}
    lines += [line for name in names for line in spikes(activity, activity.layers_by_name[name], profile)]
    total = 0.0
    for line in lines:
        cost = line.price or profile.prices.get(line.event)
        if cost is not None and line.event not in profile.leaves_out:
            total += line.count * cost.joules
    return total


def _places(dense: float, layer: Layer) -> float:
    """How many inputs a layer looked at in a run: `dense operations / dense fan-out`."""
    kept = (layer.weights or stored(layer)) * uses(layer)
    return dense * size(layer) / kept if kept else 0.0


def _address(places: int) -> int:
    return max(1, (places - 1).bit_length())


def _shared(profile: HardwareProfile, offered: float) -> float:
    """Operations that share a fetch: what the layer offers, as far as the machine can."""
    return max(1.0, min(profile.reuse, offered))


def _run(layer: Layer) -> int:
    """Weights in a row that one input meets: the outputs at one position."""
    return max(1, round(layer.outputs / uses(layer))) if layer.outputs else 0


def _passes(layer: Layer) -> int:
    """How often a spike is read, because only so many accumulators are in registers."""
    return max(1, math.ceil(fan_out(layer) / min(REGISTERS, max(_run(layer), 1)) - 1e-9))


def _values(layer: Layer, profile: HardwareProfile) -> float:
    """Bytes of the activations around a layer."""
    return (layer.outputs + size(layer)) * profile.precision.activation_bits / 8
