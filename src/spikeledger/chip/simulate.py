"""simulate(network, inputs, device) -> Activity: what a chip would do, step by step.

    activity = sl.simulate(net, data.test_inputs[:100], "loihi")
    ledger = sl.price(activity, "loihi")

Spikes are those of the torch network wherever sums are exact; in float32 the order of additions differs, and a neuron
that stands within a rounding error of its threshold may answer differently.
"""

from __future__ import annotations

import inspect
import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..activity import Activity, InputClass, Layer, Tally, arrival
from ..activity.stored import Stored
from ..errors import InputError, unknown_name
from ..hardware.profile import HardwareProfile
from ..mapping.map import map as map_network
from ..mapping.mapped import Mapped
from ..mapping.synapses import Convolution
from . import machine
from .device import Device, load_device
from .duration import Duration, duration, way_seconds
from .learning import PairRule, learned, plastic, run_learning
from .machine import Counts, Machine
from .placement import Placement, place
from .precision import fixed_point, grains
from .reference import run_reference

if TYPE_CHECKING:
    from torch import nn

    from ..listening.neurons import Layout

Rule = Literal["fan_out", "published"]
Precision = Literal["float32", "float64", "chip"]
RULES: tuple[Rule, ...] = ("fan_out", "published")
BACKENDS = ("auto", "native", "reference")
PRECISIONS: tuple[Precision, ...] = ("float32", "float64", "chip")


@dataclass(frozen=True, eq=False)
class Run:
    """One simulated run: the account, the answer, and what each core did.

    `output` are the spikes of the output population, uint8 `[T, B, N]`; `core_*` are int64 `[T, cores]` and `packets`
    and `hops` int64 `[T]`, all summed over the samples; they are None without a chip.
    """

    activity: Activity
    output: NDArray[np.uint8]
    placement: Placement | None = None
    core_synapses: NDArray[np.int64] | None = None
    core_spikes: NDArray[np.int64] | None = None
    packets: NDArray[np.int64] | None = None
    hops: NDArray[np.int64] | None = None
    rasters: Mapping[str, NDArray[np.uint8]] = field(default_factory=dict)  # population -> [T, B, N]
    network: Mapped | None = None  # as it is after the run: with the weights that it learned

    @property
    def duration(self) -> Duration | None:
        """Seconds of a step, of a sample, and from the first input to the last answer; None if nothing is known."""
        return duration(self.placement, self.activity) if self.placement is not None else None

    def answers(self) -> NDArray[np.int64]:
        """The output neuron that spikes most, `[B]`."""
        return np.argmax(self.output.sum(0, dtype=np.int64), axis=-1)


def simulate(
    network: nn.Module | Mapped | Placement,
    inputs: Any,
    device: str | os.PathLike[str] | HardwareProfile | Device | None = None,
    *,
    rule: Rule = "fan_out",
    **options: Any,
) -> Activity:
    """Map a network onto a chip, run it, and give the account of the run.

    Args:
        network: a torch module with spiking neurons, a mapped network, or a placement, which has its device.
        inputs: what the torch module takes; for a network made by hand, values `[T, B, *N]`; a dict of them by input.
        device: a profile that is a chip, by name or file; without one there are no cores, packets or seconds.
        rule: `fan_out` counts each spike through each existing synapse that it leaves by; `published` is the rule of
            the Neuro4ML exercise, a layer's own spikes times its incoming synapses, input not counted.
        options: as for `run`.

    Raises:
        CapacityError: the network does not fit the chip.
        InputError: the network has something that a chip cannot do.
    """
    return run(network, inputs, device, rule=rule, **options).activity


def run(
    network: nn.Module | Mapped | Placement,
    inputs: Any,
    device: str | os.PathLike[str] | HardwareProfile | Device | None = None,
    *,
    rule: Rule = "fan_out",
    precision: Precision = "float32",
    backend: Literal["auto", "native", "reference"] = "auto",
    threads: int = 1,
    layout: Layout | None = None,
    seed: int = 0,
    keep: Iterable[str] = (),
    learning: Iterable[str] | Mapping[str, PairRule] = (),
) -> Run:
    """The same as `simulate`, with the answer and each core's work.

    Args:
        precision: `float32`, `float64`, or `chip` for weights and membranes of the chip's own bits.
        backend: `native`, or `reference`, which is slow and keeps no account of single cores, so that packets and hops
            are known but not seconds; by default the native core where it was built.
        threads: of the native core; the result does not depend on it.
        seed: of the encoder's random numbers.
        keep: populations whose spikes are kept for all samples.
        learning: layers and the `PairRule` by which their weights change from step to step and sample to sample, as
            `learning.py` does it; the result's `network` has them as they are at the end. Names alone count the
            `weight_update`s of pair STDP while the weights stand still: a spike updates every synapse that it arrives
            by, and every synapse of the neuron that sends it.
    """
    for what, given, known in (("rule", rule, RULES), ("precision", precision, PRECISIONS)):
        if given not in known:
            raise unknown_name(what, given, known)
    if backend not in BACKENDS:
        raise unknown_name("back end of a chip", backend, BACKENDS)
    mapped = map_network(network, _shape_only(inputs), layout=layout)
    keep = (keep,) if isinstance(keep, str) else tuple(keep)
    for name in keep:
        if name not in mapped.populations:
            raise unknown_name("population", name, mapped.populations)
    values = arriving(mapped, inputs, seed=seed)
    placement = _placed(network, mapped, device)
    chip = placement.chip if placement is not None else None
    rules = learning if isinstance(learning, Mapping) else {}
    mapped = plastic(mapped, rules) if rules else mapped
    dtype, limit, running = np.dtype(np.float64 if precision != "float32" else np.float32), 0.0, mapped
    units = None
    if precision == "chip":
        if chip is None:
            raise InputError("precision='chip' needs a device: name one")
        room = {layer: max(abs(rule.low), abs(rule.high)) for layer, rule in rules.items()}
        units = grains(mapped, chip, room)
        running, limit = fixed_point(mapped, chip, units, room)
    steps, samples = next(iter(values.values())).shape[:2]
    books = {name: values[name].reshape(steps, samples, -1) for name in running.inputs}
    kept = {running.output, *keep}
    updates, after = None, mapped
    if rules:
        counts, updates, changed = run_learning(
            running, books, rules, steps=steps, samples=samples, dtype=dtype, limit=limit, keep=kept, grains=units,
            seed=seed,
        )  # fmt: skip
        after = learned(mapped, changed)
    elif backend == "reference" or (backend == "auto" and machine.native is None):
        counts = run_reference(running, books, steps=steps, samples=samples, dtype=dtype, limit=limit, keep=kept)
    else:
        ready_to_run = Machine(running, placement, dtype=dtype, limit=limit)
        counts = ready_to_run.run(books, steps=steps, samples=samples, threads=threads, keep=kept)
    rasters = {name: counts.rasters[name].swapaxes(0, 1) for name in kept}
    activity = account(
        running,
        counts,
        values,
        steps,
        samples,
        rule=rule,
        placement=placement,
        learning=frozenset(learning),
        updates=updates,
    )
    return Run(
        activity, rasters[running.output], placement,
        counts.core_synapses, counts.core_spikes, counts.packets, counts.hops, rasters, after,
    )  # fmt: skip


#: what users call takes what `run` takes, and says so
simulate.__signature__ = inspect.signature(run).replace(return_annotation="Activity")  # type: ignore[attr-defined]


def _placed(network: Any, mapped: Mapped, device: Any) -> Placement | None:
    """Where the network lies: what was placed stays there."""
    if not isinstance(network, Placement):
        return None if device is None else place(mapped, device)
    if device is not None and load_device(device).name != network.chip.name:
        raise InputError(
            f"the network was placed on '{network.chip.name}' and cannot run on '{load_device(device).name}': leave the "
            "device out, or place it there"
        )
    return network


def _shape_only(inputs: Any) -> Any:
    return None if isinstance(inputs, Mapping) else inputs


def arriving(mapped: Mapped, inputs: Any, *, seed: int) -> dict[str, NDArray[Any]]:
    """Values `[T, B, *N]` that arrive at each input, encoded if the network was mapped from a module with an encoder."""
    if mapped.source is None or isinstance(inputs, Mapping):
        return _given(mapped, inputs)
    from ..mapping.sequences import sequences

    if hasattr(inputs, "__array__"):
        _finite(np.asarray(inputs))  # a code makes silence of what is no number
    sequence = sequences(mapped.source, inputs, layout=mapped.layout, seed=seed, own_steps=mapped.own_steps)
    return dict.fromkeys(mapped.inputs or ("input",), _finite(sequence.detach().cpu().numpy()))


def _given(network: Mapped, inputs: Any) -> dict[str, NDArray[Any]]:
    """Values by input, of one length and number of samples."""
    if isinstance(inputs, Mapping):
        for name in inputs.keys() - set(network.inputs):
            raise unknown_name("input", str(name), network.inputs)
        given = {name: np.asarray(values) for name, values in inputs.items()}
    else:
        given = dict.fromkeys(network.inputs[:1] or ("input",), np.asarray(inputs))
    missing = [name for name in network.inputs if name not in given]
    if missing:
        raise InputError(
            f"the network has the inputs {', '.join(network.inputs)}, but nothing was given for {', '.join(missing)}: "
            "give a dict with values [T, B, *N] for each"
        )
    for name, values in given.items():
        shape = network.populations[name].shape if name in network.populations else values.shape[2:]
        if values.ndim < 2 or math.prod(values.shape[2:]) != math.prod(shape):
            expected = ", ".join(map(str, shape))
            raise InputError(f"inputs have the shape {list(values.shape)}, but must be [T, B, {expected}]")
    if len({values.shape[:2] for values in given.values()}) != 1:
        sizes = ", ".join(f"'{name}' {list(values.shape[:2])}" for name, values in given.items())
        raise InputError(f"all inputs need the same steps and samples [T, B]: {sizes}")
    return {name: _finite(values) for name, values in given.items()}


def account(
    network: Mapped, counts: Counts, values: Mapping[str, NDArray[Any]], steps: int, samples: int, *, rule: Rule = "fan_out",
    placement: Placement | None = None,
    learning: frozenset[str] = frozenset(), updates: Mapping[str, int] | None = None,
) -> Activity:  # fmt: skip
    """The `Activity` of a run: spikes times fan-out, and what moved over the mesh.

    A bias is part of its neuron's update here, and is not counted on its own.
    """
    known = {projection.layer for projection in network.projections}
    for name in learning - known:
        raise unknown_name("layer", name, known)
    layers: dict[str, Layer] = {}
    tallies: dict[tuple[str, str], Tally] = {}
    fans: dict[str, NDArray[np.int64]] = {}

    def add(layer: str, event: str, rows: NDArray[np.int64] | None, count: int | None = None) -> None:
        total = int(rows.sum()) if rows is not None else int(count or 0)
        before = tallies.get((layer, event))
        if before is not None:
            total += before.count
            same = rows is not None and before.per_neuron is not None and before.per_neuron.shape == rows.shape
            rows = before.per_neuron + rows if same else None  # type: ignore[operator]
        if total:
            tallies[layer, event] = Tally(layer, event, total, rows)

    for name in network.order:
        population = network.populations[name]
        for projection in network.into(name):
            source = network.populations[projection.source]
            inputs: InputClass
            inputs, magnitude = ("spikes", 1.0) if source.spiking else _class(values[source.name])
            if source.spiking and not counts.spikes[source.name].any():
                inputs, magnitude = "silent", 0.0
            synapses = projection.synapses
            before, shape = layers.get(projection.layer), projection.shape or source.shape
            layers[projection.layer] = Layer(
                projection.layer, "conv2d" if isinstance(synapses, Convolution) else "linear", shape,
                outputs=population.size, synapses=projection.count + (before.synapses if before else 0),
                inputs=inputs, magnitude=magnitude, source=source.name, **_stored(network, projection.layer)._asdict(),
            )  # fmt: skip
            fans[projection.layer] = projection.fan_out.reshape(shape)
            add(projection.layer, "dense_op", None, synapses.dense * steps * samples)
            arrived = counts.spikes[source.name] - counts.late[source.name][: projection.delay].sum(0)
            if projection.layer in learning and updates is None:
                own = int(counts.spikes[name] @ projection.fan_in)
                add(projection.layer, "weight_update", None, int(arrived @ projection.fan_out) + own)
            if rule == "fan_out":
                add(projection.layer, arrival(inputs), arrived * projection.fan_out)
            else:
                add(projection.layer, "synaptic_op", None, int(counts.spikes[name] @ projection.fan_in))
        if population.spiking:
            layers[name] = Layer(
                name,
                "neuron",
                population.shape,
                outputs=population.size,
                state=population.state_variables * population.size,
                spiking=True,
            )
            add(name, "spike", counts.spikes[name])
            add(name, "neuron_update", np.full(population.size, steps * samples))
            add(name, "active_update", counts.active[name])
        elif placement is not None:
            layers.setdefault(name, Layer(name, "input", population.shape, outputs=population.size))
        if placement is not None and name in placement.packets:
            add(name, "packet", counts.spikes[name] * placement.packets[name])
            add(name, "hop", counts.spikes[name] * placement.hops[name])
    for layer, count in (updates or {}).items():
        add(layer, "weight_update", None, count)
    seconds = None
    if counts.seconds is not None and placement is not None and placement.chip.seconds is not None:
        seconds = float(counts.seconds.sum()) + steps * samples * way_seconds(placement)
    return Activity(
        layers, tallies, samples, steps, (),
        {n: c for n, c in counts.per_step.items() if network.populations[n].spiking},
        {n: r[0] for n, r in counts.rasters.items()},
        seconds=seconds,
        producer="simulated", backend=f"chip {placement.chip.name}" if placement else "chip",
        chips=placement.chips if placement else 1, fan_outs=fans,
    )  # fmt: skip


def _stored(network: Mapped, layer: str) -> Stored:
    """What a layer keeps; its projections over other delays or from other sources share it."""
    parts = {id(each.keeps or each.synapses): each.stored for each in network.projections if each.layer == layer}
    operators = [each.keeps for each in network.projections if each.layer == layer and each.keeps is not None]
    return operators[0] if operators else Stored(*map(sum, zip(*parts.values(), strict=True)))


def _class(values: NDArray[Any]) -> tuple[InputClass, float]:
    sizes = np.abs(values[values != 0])
    if not len(sizes):
        return "silent", 0.0
    same = bool(np.all(sizes == sizes[0]))
    return ("spikes", float(sizes[0])) if same else ("graded", 0.0)


def _finite(values: NDArray[Any]) -> NDArray[Any]:
    if not np.issubdtype(values.dtype, np.number) and values.dtype != np.bool_:
        raise InputError(f"inputs hold {values.dtype}, not numbers")
    if not np.isfinite(values).all():
        raise InputError(
            f"the inputs hold {int((~np.isfinite(values)).sum()):,} values that are NaN or infinite: clean them"
        )
    return values
