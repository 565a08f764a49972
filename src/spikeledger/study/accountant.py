"""The accountant: which layer and which neuron spends the energy, what one spike costs, and what would save some.

`account(activity, profile)` prices what happened; `account_spikes(...)` starts from layer sizes and spike counts. A
neuron that stays silent costs nothing dynamic under a price for each spike; where a device updates it anyway, the
account says so.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import units
from ..activity import Activity
from ..errors import InputError
from ..events import term_of
from ..hardware.profile import HardwareProfile
from ..ledger import Ledger, price
from ..shown import Shown
from .advice import Advice, NeuronShare, advise
from .counts import Count, activity_from_spikes

#: share of the total above which one neuron is named
DOMINANT_NEURON = 0.1
#: layers without neurons that are listed one by one
MOST_OTHERS = 8


@dataclass(frozen=True)
class LayerShare:
    """What one layer of neurons spent: its own updates and spikes, and the synapses through which its spikes leave.

    `joules_per_spike` is None where it never fired. `caused` is what its neurons' spikes cost elsewhere: it is
    charged here and nowhere else.
    """

    name: str
    neurons: int
    spikes: int
    joules: float
    caused: float
    share: float
    joules_per_neuron: NDArray[np.float64] = field(repr=False)

    @property
    def joules_per_spike(self) -> float | None:
        """Energy over spikes."""
        return self.joules / self.spikes if self.spikes else None

    @property
    def silent(self) -> int:
        """Neurons whose energy is zero."""
        row = self.joules_per_neuron
        return self.neurons * int(row[0] == 0) if row.strides == (0,) else int((row == 0).sum())


@dataclass(frozen=True)
class Account(Shown):
    """Where the joules went, by layer and neuron, and what would save some of them."""

    ledger: Ledger
    layers: tuple[LayerShare, ...]
    rest: float  # dynamic joules that no population of neurons caused: the network's own input, graded operators
    static: float
    neurons: tuple[NeuronShare, ...]  # above `DOMINANT_NEURON` of the dynamic energy
    advice: tuple[Advice, ...]
    notes: tuple[str, ...] = ()
    others: tuple[
        tuple[str, str, float], ...
    ] = ()  # what `rest` consists of: layer, what feeds it, joules; dearest first

    @property
    def joules(self) -> float:
        """Everything, static power included."""
        return self.ledger.joules

    @property
    def dominant(self) -> LayerShare | None:
        """The population that costs most; None where none spent anything. See `dearest` for all layers."""
        dearest = max(self.layers, key=lambda layer: layer.joules, default=None)
        return dearest if dearest is not None and dearest.joules > 0 else None

    @property
    def dearest(self) -> tuple[str, float] | None:
        """The layer that costs most, fed by neurons or by the input, and its share of the dynamic energy."""
        dynamic = self.joules - self.static
        paid = [(one.name, one.joules) for one in self.layers] + [(name, joules) for name, _, joules in self.others]
        name, joules = max(paid, key=lambda each: each[1], default=("", 0.0))
        return (name, joules / dynamic) if joules > 0 and dynamic else None

    @property
    def joules_per_spike(self) -> float | None:
        """Dynamic energy over all spikes; None without a spike."""
        spikes = sum(layer.spikes for layer in self.layers)
        return (self.joules - self.static) / spikes if spikes else None

    def layer(self, name: str) -> LayerShare:
        """The share of one layer."""
        for one in self.layers:
            if one.name == name:
                return one
        raise InputError(f"the account has no layer '{name}': {', '.join(one.name for one in self.layers)}")

    def summary(self) -> str:
        """A few lines for people."""
        dynamic = self.joules - self.static
        samples, whole = (
            self.ledger.samples,
            "" if not self.static else "; shares of layers are of all but static power",
        )
        lines = [f"Energy account ({self.ledger.profile.name}, estimated, all {samples:,} samples{whole}):"]
        for one in self.layers:
            each = "silent" if one.joules_per_spike is None else f"{units.joules(one.joules_per_spike)}/spike"
            lines.append(
                f"  {one.name}: {one.spikes:,} spikes, {each} = {units.joules(one.joules)} ({100 * one.share:.1f} %)"
            )
        for name, source, joules in self.others[:MOST_OTHERS]:
            fed = f", fed by {'the input' if source in ('input', 'encoder') else source}" if source else ""
            part = 100 * joules / dynamic if dynamic else 0.0  # a device may charge nothing for what happened
            lines.append(f"  {name}{fed}: {units.joules(joules)} ({part:.1f} %)")
        if self.others[MOST_OTHERS:]:
            left = sum(joules for *_, joules in self.others[MOST_OTHERS:])
            lines.append(f"  {len(self.others) - MOST_OTHERS} other layers without neurons: {units.joules(left)}")
        if self.static:
            lines.append(
                f"  static power: {units.joules(self.static)} ({100 * self.static / self.joules:.1f} % of the total)"
            )
        each = f", {units.joules(self.joules / samples)} a sample" if samples else ""
        lines.append(f"  total: {units.joules(self.joules)}{each}")
        if self.dearest is not None:
            lines.append(f"  dominant layer: {self.dearest[0]} ({100 * self.dearest[1]:.1f} %)")
        lines += [
            f"  neuron {one.index} of {one.layer} alone takes {100 * one.share:.1f} % ({one.spikes:,} spikes)"
            for one in self.neurons
        ]
        lines += [f"  advice: {one}" for one in self.advice]
        lines += [f"  note: {text}" for text in (*self.notes, *self.ledger.caveats)]
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values."""
        return {
            "profile": self.ledger.profile.name, "bill": self.ledger.bill, "joules": self.joules, "static": self.static,
            "rest": self.rest, "dominant": None if self.dearest is None else self.dearest[0],
            "others": [{"name": name, "source": source, "joules": joules} for name, source, joules in self.others],
            "layers": [
                {"name": one.name, "neurons": one.neurons, "spikes": one.spikes, "joules": one.joules,
                 "share": one.share, "joules_per_spike": one.joules_per_spike, "silent": one.silent}
                for one in self.layers
            ],
            "neurons": [vars(one) for one in self.neurons], "advice": [one.to_dict() for one in self.advice],
            "notes": [*self.notes, *self.ledger.caveats],
        }  # fmt: skip

    def __repr__(self) -> str:
        return f"Account({self.ledger.profile.name!r}, {units.joules(self.joules)}, {len(self.layers)} layers)"


def account(
    activity: Activity,
    profile: str | os.PathLike[str] | HardwareProfile,
    *,
    bill: str | None = None,
    leave_out: Iterable[str] = (),
) -> Account:
    """Who spent the energy of a run.

    A layer pays for its own neurons (updates, spikes, state) and for the synapses behind it through which its spikes
    leave. Energy of static power is shared out to nobody. What was not counted (the spikes of an input that is not
    known, say) is left out and noted.
    """
    ledger = price(activity, profile, bill=bill, leave_out=leave_out, allow_uncounted=True)
    names = [name for name, layer in activity.layers_by_name.items() if layer.spiking]
    sizes = {name: max(activity.layer(name).outputs, 1) for name in names}
    # one number for all neurons alike, an array once they differ: what a file claims allocates nothing
    rows: dict[str, NDArray[np.float64]] = {name: np.zeros((), np.float64) for name in names}
    caused = dict.fromkeys(names, 0.0)
    static = 0.0
    others: dict[str, float] = {}
    notes = [str(item) for item in activity.uncounted]
    for entry in ledger.entries:
        payer = _payer(activity, entry.layer)
        if term_of(entry.event) == "static":
            static += entry.joules
        elif payer not in rows:
            others[entry.layer] = others.get(entry.layer, 0.0) + entry.joules
        else:
            given = entry.per_neuron
            if given is None or given.size != sizes[payer]:
                rows[payer] = rows[payer] + entry.joules / sizes[payer] * _by_spikes(activity, payer)
            else:
                rows[payer] = rows[payer] + given.ravel()
            if entry.layer != payer:
                caused[payer] += entry.joules
    dynamic = ledger.joules - static
    shares = []
    for name, row in rows.items():
        joules = float(row.sum() if row.ndim else row * sizes[name])
        spikes = activity.total("spike", name)
        share = joules / dynamic if dynamic else 0.0
        shares.append(
            LayerShare(name, sizes[name], spikes, joules, caused[name], share, np.broadcast_to(row, (sizes[name],)))
        )
        if spikes == 0 and joules > 0:
            notes.append(
                f"'{name}' never fired and still takes {units.joules(joules)}: this device updates silent neurons"
            )
    if static > 0.5 * ledger.joules:
        share = 100 * static / ledger.joules
        notes.append(f"static power is {share:.0f} % of the total: fewer spikes do not change that, a shorter run does")
    dominant = tuple(_dominant(activity, shares, dynamic))
    facts = activity.layers_by_name
    parts = [(name or "device", facts[name].source if name in facts else "", joules) for name, joules in others.items()]
    return Account(
        ledger, tuple(shares), sum(others.values()), static, dominant, tuple(advise(activity, ledger, dominant)),
        tuple(notes), tuple(sorted(parts, key=lambda part: -part[2])),
    )  # fmt: skip


def account_spikes(
    layer_sizes: Sequence[tuple[int, int]],
    spike_counts: Sequence[Count],
    profile: str | os.PathLike[str] | HardwareProfile,
    *,
    timesteps: int,
    layer_names: Sequence[str] | None = None,
    input_spikes: int | None = None,
    samples: int = 1,
    bill: str | None = None,
    leave_out: Iterable[str] = (),
) -> Account:
    """The account of layers whose spikes were counted: `account_spikes([(784, 256)], [5000], "loihi", timesteps=9)`."""
    activity = activity_from_spikes(
        layer_sizes, spike_counts, timesteps=timesteps, samples=samples, layer_names=layer_names,
        input_spikes=input_spikes,
    )  # fmt: skip
    return account(activity, profile, bill=bill, leave_out=leave_out)


def _payer(activity: Activity, layer: str) -> str:
    """The population that an entry is charged to: a weighted layer's spikes come from its source."""
    facts = activity.layers_by_name.get(layer)
    return facts.source if facts is not None and facts.weighted else layer


def _by_spikes(activity: Activity, name: str) -> NDArray[np.float64]:
    """Weights with mean 1 that share a layer's total among its neurons by their spikes; alike where unknown."""
    tally = activity.tallies.get((name, "spike"))
    neurons = max(activity.layer(name).outputs, 1)
    if tally is None or tally.per_neuron is None or tally.per_neuron.size != neurons or tally.count == 0:
        return np.ones(())
    return tally.per_neuron.ravel().astype(np.float64) * (neurons / tally.count)


def _dominant(activity: Activity, layers: list[LayerShare], dynamic: float) -> Iterator[NeuronShare]:
    for one in layers:
        tally = activity.tallies.get((one.name, "spike"))
        if tally is None or tally.per_neuron is None or tally.per_neuron.size != one.neurons or not dynamic:
            continue  # which neuron fired is not known
        spikes = tally.per_neuron.ravel()
        for index in np.flatnonzero(one.joules_per_neuron > DOMINANT_NEURON * dynamic):
            joules = float(one.joules_per_neuron[index])
            yield NeuronShare(one.name, int(index), joules, joules / dynamic, int(spikes[index]))
