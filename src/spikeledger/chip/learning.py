"""STDP on the chip: weights that change while a network runs, by what a synapse sees of its two neurons.

    rule = PairRule(increase=0.01, decrease=0.012, high=0.5)
    ran = run(net, inputs, "loihi", learning={"fc1": rule})
    weights(ran.network, "fc1")  # [out, in], as a torch.nn.Linear holds them

Every neuron leaves a trace that a spike raises and that fades; a spike meets the weight that its synapse has when it
arrives. Where learning is on, one sample runs after another, step by step in numpy, apart from the native machine, which
knows nothing of it.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, unknown_name
from ..mapping.mapped import Mapped, Projection
from ..mapping.synapses import Dense, Sparse, record_type
from ..plasticity.stdp_pairs import PairRule as PairRule
from .machine import Counts
from .precision import Grain
from .reference import advance, at_rest, deliver, no_counts

Values = NDArray[Any]


class _Plastic:
    """The synapses of one projection, with traces of both ends; rows lie by sender, `columns` find them by receiver."""

    def __init__(self, projection: Projection, rule: PairRule, dtype: Any, grain: Grain | None, seed: int) -> None:
        synapses = projection.synapses
        assert isinstance(synapses, Sparse)
        self.rule, self.delay, self.dtype = rule, projection.delay, np.dtype(dtype)
        self.starts, self.targets = synapses.starts, synapses.targets
        self.reached = synapses.records["target"].astype(np.int64)
        self.weights = synapses.records["weight"].astype(self.dtype)
        self.senders = np.repeat(np.arange(synapses.sources), np.diff(synapses.starts))
        self.columns = np.argsort(self.reached, kind="stable")
        self.column_starts = np.concatenate([[0], np.cumsum(np.bincount(self.reached, minlength=self.targets))])
        unit = grain.membrane if grain else 1.0
        self.increase, self.decrease = rule.increase / unit, rule.decrease / unit
        self.low, self.high = rule.low / unit, rule.high / unit
        self.step = grain.weight / grain.membrane if grain else 0.0
        if grain:
            most = grain.largest * self.step
            self.low, self.high = max(self.low, -most), min(self.high, most)
        self.chance = np.random.default_rng(seed)
        self.fade = math.exp(-1 / rule.tau_before), math.exp(-1 / rule.tau_after)
        self.updates = 0
        self.before, self.after = np.zeros(synapses.sources), np.zeros(synapses.targets)

    def forget(self) -> None:
        """No spike has been, as before the first step of a sample."""
        self.before[:] = self.after[:] = 0

    def deliver(self, currents: Values, source: int, value: float) -> None:
        row = slice(self.starts[source], self.starts[source + 1])
        currents[self.reached[row]] += self.weights[row] * currents.dtype.type(value)

    def learn(self, arrived: NDArray[np.int64], fired: NDArray[np.int64]) -> None:
        """Change weights after one step, by who sent what arrived and who fired."""
        self.before *= self.fade[0]
        self.after *= self.fade[1]
        for source in arrived:
            row = np.arange(self.starts[source], self.starts[source + 1])
            self._change(row, -self.decrease * self.after[self.reached[row]])
        self.before[arrived] += 1
        for target in fired:
            column = self.columns[self.column_starts[target] : self.column_starts[target + 1]]
            self._change(column, self.increase * self.before[self.senders[column]])
        self.after[fired] += 1

    def _change(self, places: NDArray[np.int64], change: NDArray[np.float64]) -> None:
        self.updates += len(places)
        wanted = self.weights[places] + change
        if self.step:
            scaled = wanted / self.step
            up = self.chance.random(len(places)) if self.rule.rounding == "stochastic" else 0.5
            # what needs no change is not rounded: its weight is a whole number of units
            wanted = np.where(change == 0, wanted, np.floor(scaled + up) * self.step)
        # a weight that began outside stays until it moves
        self.weights[places] = np.where(change == 0, self.weights[places], np.clip(wanted, self.low, self.high))

    def synapses(self, unit: float) -> Sparse:
        """The synapses as they are now, in the network's own unit; those that came to 0 still exist."""
        dtype = np.dtype(np.float64 if self.dtype == np.float64 else np.float32)
        records = np.empty(len(self.weights), record_type(dtype))
        records["target"], records["weight"] = self.reached, self.weights * unit
        return Sparse(self.starts, records, self.targets)


def plastic(network: Mapped, rules: Mapping[str, PairRule]) -> Mapped:
    """The network with single synapses in the layers that learn; one whose weight comes to 0 still exists.

    Raises:
        InputError: a layer is unknown, shares its weights, or lies behind a pooling.
    """
    known = {projection.layer for projection in network.projections}
    for name in rules.keys() - known:
        raise unknown_name("layer", name, known)
    found = {}
    for number, projection in enumerate(network.projections):
        if projection.layer in rules:
            if projection.fan is not None:
                raise InputError(
                    f"layer '{projection.layer}' lies behind a pooling or a selection, where several places share a "
                    "synapse: let a layer learn that hears neurons directly"
                )
            found[number] = _sparse(projection.synapses, projection.layer)
    return learned(network, found)


def run_learning(
    network: Mapped, inputs: Mapping[str, Values], rules: Mapping[str, PairRule], *, steps: int, samples: int,
    dtype: Any = np.float32, limit: float = 0.0, keep: Iterable[str] = (),
    grains: Mapping[str, Grain] | None = None, seed: int = 0,
) -> tuple[Counts, dict[str, int], dict[int, Sparse]]:  # fmt: skip
    """Run samples one after another while weights change.

    Args:
        network: with single synapses where it learns, as `plastic` gives it.
        rules: layer -> its rule; every projection of the layer learns.
        limit, grains: of a network in a chip's integers: the largest membrane, and the units of each population.

    Returns:
        Counts of the run, weight updates by layer, and the synapses at the end by the number of their projection.
    """
    moving = {
        number: _Plastic(
            each, rules[each.layer], dtype, grains[each.target] if grains else None, seed + number
        )
        for number, each in enumerate(network.projections)
        if each.layer in rules
    }  # fmt: skip
    counts = no_counts(network, steps, samples, keep)
    for sample in range(samples):
        sent = {name: np.zeros((steps, each.size), dtype) for name, each in network.populations.items()}
        waiting, states = at_rest(network, dtype)
        for each in moving.values():
            each.forget()
        for t in range(steps):
            for name in network.order:
                population = network.populations[name]
                if population.spiking:
                    slot = waiting[name][t % len(waiting[name])]
                    for number, each in moving.items():  # with the weight that a synapse has when a spike arrives
                        projection = network.projections[number]
                        if projection.target == name and t >= projection.delay:
                            deliver(projection, sent[projection.source][t - projection.delay], slot, each)
                    values, active = advance(population, states[name], slot, dtype, limit)
                    slot[:] = 0
                    counts.active[name] += active
                    if sample < len(counts.rasters[name]):
                        counts.rasters[name][sample, t] = values
                else:
                    values = np.asarray(inputs[name][t, sample], dtype)
                sent[name][t] = values
                for number, projection in enumerate(network.projections):
                    if projection.source == name and number not in moving:
                        slots = waiting[projection.target]
                        deliver(projection, values, slots[(t + projection.delay) % len(slots)])
            for number, each in moving.items():
                projection = network.projections[number]
                arrived = sent[projection.source][t - projection.delay] if t >= projection.delay else np.zeros(0)
                each.learn(np.flatnonzero(arrived), np.flatnonzero(sent[projection.target][t]))
        for name, trains in sent.items():
            spikes = trains != 0
            counts.spikes[name] += spikes.sum(0)
            counts.per_step[name] += spikes.sum(1)
            last = spikes[::-1][: network.reach(name)]
            counts.late[name][: len(last)] += last
    updates = {name: 0 for name in rules}
    for number, each in moving.items():
        updates[network.projections[number].layer] += each.updates
    unit = {number: grains[network.projections[number].target].membrane if grains else 1.0 for number in moving}
    return counts, updates, {number: each.synapses(unit[number]) for number, each in moving.items()}


def learned(network: Mapped, synapses: Mapping[int, Sparse]) -> Mapped:
    """The network with other synapses, by the number of their projection."""
    projections = tuple(
        dataclasses.replace(each, synapses=synapses[number]) if number in synapses else each
        for number, each in enumerate(network.projections)
    )
    return dataclasses.replace(network, projections=projections)


def weights(network: Mapped, layer: str) -> NDArray[np.float64]:
    """The weights of a layer as a matrix `[targets, sources]`, as a `torch.nn.Linear` holds them; 0 is no synapse."""
    found = [each for each in network.projections if each.layer == layer]
    if not found:
        raise unknown_name("layer", layer, {each.layer for each in network.projections})
    synapses = _sparse(found[0].synapses, layer)
    matrix = np.zeros((synapses.targets, synapses.sources))
    senders = np.repeat(np.arange(synapses.sources), np.diff(synapses.starts))
    matrix[synapses.records["target"], senders] = synapses.records["weight"]
    return matrix


def _sparse(synapses: Any, layer: str) -> Sparse:
    if isinstance(synapses, Sparse):
        return synapses
    if isinstance(synapses, Dense):
        source, target = np.nonzero(synapses.weight)
        return Sparse.from_edges(source, target, synapses.weight[source, target], synapses.sources, synapses.targets)
    raise InputError(
        f"layer '{layer}' is a convolution, whose weights many synapses share: STDP changes single synapses"
    )
