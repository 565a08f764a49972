"""What did happen: exact integer counts, by layer, event and neuron. Needs numpy and nothing else.

An `Activity` is made by the recorder (a software run) or by the chip simulator (a mapped run). It can be saved, added
to another one of the same network, and priced later, on a machine without torch.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..arguments import checked
from ..errors import CallError, InputError, of_kind, unknown_name
from ..events import EVENTS
from ..shown import Shown
from ..units import plural
from .files import read, write
from .rows import Counts, InputClass, Layer, Tally, Uncounted, added, same, total_of

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True, eq=False)
class Activity(Shown):
    """The exact account of a run: `samples` inputs over `timesteps` steps each."""

    layers_by_name: Mapping[str, Layer]
    tallies: Mapping[tuple[str, str], Tally]
    samples: int
    timesteps: int
    uncounted: tuple[Uncounted, ...] = ()
    spikes_per_step: Mapping[str, Counts] = field(default_factory=dict)  # layer -> [T], summed over samples and neurons
    rasters: Mapping[str, NDArray[np.uint8]] = field(default_factory=dict)  # layer -> [T, N] of the first sample
    fan_outs: Mapping[str, Counts] = field(default_factory=dict)  # weighted layer -> synapses that leave each place
    nonzero_activations: Mapping[str, int] = field(default_factory=dict)  # layer -> non-zero outputs of non-linearities
    seconds: float | None = None  # only a simulated chip knows how long the run takes
    producer: str = "recorded"
    backend: str = ""
    pooling: str = "fold"
    chips: int = 1  # that drew static power for these seconds; only a placed network stands on more than one

    def __post_init__(self) -> None:
        if self.chips < 1:
            raise InputError(f"a run needs at least 1 chip, not {self.chips}")
        if self.samples < 0 or self.timesteps < 0:
            raise InputError(
                f"an activity needs samples and timesteps of at least 0, not {self.samples}, {self.timesteps}"
            )
        for tally in self.tallies.values():
            _check_tally(tally, self.layers_by_name)

    def __eq__(self, other: object) -> bool:
        return same(self, other) if isinstance(other, Activity) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # it holds mappings, as a dict does

    @property
    def layers(self) -> tuple[str, ...]:
        """Module paths of the weighted operators and neurons, in the order in which they ran."""
        return tuple(self.layers_by_name)

    @property
    def events(self) -> tuple[str, ...]:
        """The events that happened at all, in the order of `events.EVENTS`."""
        seen = {event for (_, event), tally in self.tallies.items() if tally.count}
        return tuple(event for event in EVENTS if event in seen)

    @property
    def spiking(self) -> bool:
        """Whether any layer is a population of spiking neurons."""
        return any(layer.spiking for layer in self.layers_by_name.values())

    def layer(self, name: str) -> Layer:
        """The facts of one layer."""
        if not isinstance(name, str) or name not in self.layers_by_name:
            raise unknown_name("layer", name, self.layers_by_name)
        return self.layers_by_name[name]

    def total(self, event: str, layer: str | None = None) -> int:
        """How often an event happened, in one layer or in all: an exact integer; 0 where it could not happen."""
        if not isinstance(event, str) or event not in EVENTS:
            raise unknown_name("event", event, EVENTS)
        if layer is not None:
            self.layer(layer)
            tally = self.tallies.get((layer, event))
            return tally.count if tally else 0
        return sum(tally.count for (_, name), tally in self.tallies.items() if name == event)

    def per_sample(self, event: str, layer: str | None = None) -> float:
        """`total / samples`: the only average here, and it names its denominator."""
        return self.total(event, layer) / self.samples if self.samples else 0.0

    def per_neuron(self, layer: str, event: str = "spike") -> Counts:
        """Events of each neuron, `int64 [*N]`; for `synaptic_op` and `mac` by the *presynaptic* neuron."""
        if not isinstance(event, str) or event not in EVENTS:
            raise unknown_name("event", event, EVENTS)
        facts = self.layer(layer)
        tally = self.tallies.get((layer, event))
        if tally is None:
            return np.zeros(facts.shape, np.int64)
        if tally.per_neuron is None:
            raise InputError(
                f"'{event}' of layer '{layer}' is kept as a total only: ask for total('{event}', '{layer}')"
            )
        size = int(np.prod(facts.shape)) if facts.shape else -1
        return tally.per_neuron.reshape(facts.shape) if size == tally.per_neuron.size else tally.per_neuron

    def fan_out(self, layer: str) -> Counts:
        """Existing synapses that leave each place before a weighted layer, int64 like `per_neuron` (latest weights).

        Behind an overlapping pooling that was folded, only places that sent anything were looked at; others have 0.
        """
        facts = self.layer(layer)
        if layer not in self.fan_outs:
            raise InputError(f"layer '{layer}' ({facts.operator}) has no stored weights, so no fan-out")
        return self.fan_outs[layer]

    @property
    def analog_layers(self) -> tuple[str, ...]:
        """The weighted layers that multiplied the network's own graded input: a spiking chip has to encode it first."""
        rows = self.layers_by_name.values()
        return tuple(layer.name for layer in rows if layer.source == "input" and layer.inputs == "graded")

    def rate(self, layer: str | None = None) -> float:
        """Spikes per neuron and step of one population, or of all that have updates: `spikes / neuron_updates`."""
        if layer is None:
            own = [
                name for name, one in self.layers_by_name.items() if one.spiking and self.total("neuron_update", name)
            ]
            steps = sum(self.total("neuron_update", name) for name in own)
            return sum(self.total("spike", name) for name in own) / steps if steps else 0.0
        updates = self.total("neuron_update", layer)
        return self.total("spike", layer) / updates if updates else 0.0

    def __add__(self, other: object) -> Activity:
        """The account of both runs together: other samples of the same network over the same number of steps."""
        if not isinstance(other, Activity):
            raise CallError(f"an activity and {of_kind(other)} cannot be added: record both runs")
        if self.timesteps != other.timesteps:
            raise InputError(
                f"activities of {self.timesteps} and {other.timesteps} timesteps cannot be added: "
                "record both with the same number, or join them in time with a.then(b)"
            )
        steps = {name: added(self.spikes_per_step[name], other.spikes_per_step[name]) for name in self.spikes_per_step}
        return _merge(self, other, samples=self.samples + other.samples, timesteps=self.timesteps, steps=steps)

    def __radd__(self, other: object) -> Activity:
        """So that `sum(activities)` adds them, from its 0 on."""
        return self if type(other) is int and other == 0 else self + other

    @checked
    def then(self, other: Activity) -> Activity:
        """The account of both runs one after the other: the same samples, later steps."""
        if self.samples != other.samples:
            raise InputError(f"runs of {self.samples} and {other.samples} samples cannot follow each other in time")
        steps = {
            name: np.concatenate([self.spikes_per_step[name], other.spikes_per_step[name]])
            for name in self.spikes_per_step
        }
        return _merge(self, other, samples=self.samples, timesteps=self.timesteps + other.timesteps, steps=steps)

    @checked
    def only(self, layers: Iterable[str]) -> Activity:
        """The part of the account that belongs to some layers."""
        keep = dict.fromkeys(self.layer(name).name for name in layers)
        return dataclasses.replace(
            self,
            layers_by_name={name: self.layers_by_name[name] for name in keep},
            tallies={key: tally for key, tally in self.tallies.items() if key[0] in keep},
            spikes_per_step={name: row for name, row in self.spikes_per_step.items() if name in keep},
            rasters={name: row for name, row in self.rasters.items() if name in keep},
            fan_outs={name: row for name, row in self.fan_outs.items() if name in keep},
            nonzero_activations={name: n for name, n in self.nonzero_activations.items() if name in keep},
        )

    def to_dataframe(self) -> pandas.DataFrame:
        """One row a layer and event: layer, operator, event, count (int64)."""
        import pandas

        rows = [(name, self.layers_by_name[name].operator, event, tally.count) for (name, event), tally in
                self.tallies.items() if name in self.layers_by_name]  # fmt: skip
        return pandas.DataFrame(rows, columns=["layer", "operator", "event", "count"])

    @checked
    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the account to one file (`.npz`, uncompressed), by way of a temporary name."""
        return write({field.name: getattr(self, field.name) for field in dataclasses.fields(self)}, Path(path))

    @classmethod
    @checked
    def load(cls, path: str | os.PathLike[str]) -> Activity:
        """Read an account written by `save`; executes nothing and allocates no more than the file is long."""
        return read(Path(path), cls)

    def __repr__(self) -> str:
        said = [plural(len(self.layers), "layer"), f"samples={self.samples:,}", f"timesteps={self.timesteps}"]
        said += [f"{event}={self.total(event):,}" for event in ("spike", "synaptic_op", "mac") if event in self.events]
        said += [f"{len(self.uncounted)} uncounted"] * bool(self.uncounted)
        return f"Activity({', '.join(said)})"


def merge_class(a: tuple[InputClass, float], b: tuple[InputClass, float]) -> tuple[InputClass, float]:
    """The class and magnitude of a layer over two runs: silence yields, two different magnitudes are graded."""
    if a == b or b[0] == "silent":
        return a
    return b if a[0] == "silent" else ("graded", 0.0)


def arrival(inputs: InputClass) -> str:
    """The event that an arriving value is: a graded one multiplies (`mac`), a spike only adds (`synaptic_op`)."""
    return "mac" if inputs == "graded" else "synaptic_op"


def _check_tally(tally: Tally, layers: Mapping[str, Layer]) -> None:
    if tally.event not in EVENTS:
        raise unknown_name("event", tally.event, EVENTS)
    if tally.layer not in layers:
        raise unknown_name("layer", tally.layer, layers)
    if not isinstance(tally.count, int) or isinstance(tally.count, bool) or not 0 <= tally.count < 1 << 63:
        raise InputError(
            f"'{tally.event}' of layer '{tally.layer}' is {tally.count!r:.40}: a count is an integer from 0 to below 2^63"
        )
    if tally.per_neuron is not None:
        if tally.per_neuron.dtype != np.int64:
            raise InputError(f"per-neuron counts of '{tally.layer}' are {tally.per_neuron.dtype}, not int64")
        if tally.per_neuron.size and int(tally.per_neuron.min()) < 0:
            raise InputError(f"per-neuron counts of '{tally.layer}' hold a negative number")
        if total_of(tally.per_neuron) != tally.count:
            raise InputError(f"per-neuron counts of '{tally.layer}' do not sum to their total of {tally.count}")


def _merge(a: Activity, b: Activity, *, samples: int, timesteps: int, steps: Mapping[str, Counts]) -> Activity:
    if set(a.layers) != set(b.layers):
        raise InputError(
            f"activities of different networks cannot be joined: one has the layers {', '.join(a.layers)}, "
            f"the other {', '.join(b.layers)}"
        )
    if a.pooling != b.pooling:
        raise InputError(f"one activity has pooling='{a.pooling}', the other '{b.pooling}': record both alike")
    if a.chips != b.chips:
        raise InputError(f"one activity ran on {a.chips} chips, the other on {b.chips}: price each, and add the joules")
    layers: dict[str, Layer] = {}
    for name, first in a.layers_by_name.items():
        second = b.layers_by_name[name]
        inputs, magnitude = merge_class((first.inputs, first.magnitude), (second.inputs, second.magnitude))
        layers[name] = dataclasses.replace(first, inputs=inputs, magnitude=magnitude)
    tallies: dict[tuple[str, str], Tally] = {}
    for run in (a, b):
        for tally in run.tallies.values():
            event = arrival(layers[tally.layer].inputs) if tally.event in ("synaptic_op", "mac") else tally.event
            key = (tally.layer, event)
            before = tallies.get(key)
            if before is None:
                tallies[key] = dataclasses.replace(tally, event=event)
                continue
            rows = None
            if before.per_neuron is not None and tally.per_neuron is not None:
                if before.per_neuron.shape != tally.per_neuron.shape:
                    raise InputError(f"layer '{tally.layer}' has another shape in the two activities")
                rows = added(before.per_neuron, tally.per_neuron)
            tallies[key] = Tally(tally.layer, event, before.count + tally.count, rows)
    missed: dict[tuple[str, str, str], Uncounted] = {}
    for item in (*a.uncounted, *b.uncounted):
        place = (item.layer, item.operator, item.reason)
        calls = item.calls + (missed[place].calls if place in missed else 0)
        missed[place] = dataclasses.replace(item, calls=calls)
    nonzero = {
        name: a.nonzero_activations.get(name, 0) + b.nonzero_activations.get(name, 0)
        for name in (*a.nonzero_activations, *b.nonzero_activations)
    }
    return Activity(
        layers_by_name=layers, tallies=tallies, samples=samples, timesteps=timesteps, uncounted=tuple(missed.values()),
        fan_outs={**a.fan_outs, **b.fan_outs}, nonzero_activations=nonzero,
        spikes_per_step=steps, rasters=a.rasters, producer=a.producer, backend=a.backend, pooling=a.pooling,
        seconds=None if a.seconds is None or b.seconds is None else a.seconds + b.seconds, chips=a.chips,
    )  # fmt: skip
