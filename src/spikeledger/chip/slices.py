"""Populations cut into slices that fit a core each; a slice is a range of neurons in the machine's order."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..mapping.mapped import Mapped, grain, inward
from ..mapping.synapses import Convolution
from .device import Device
from .reach import chunks, reach

Ints = NDArray[np.int64]
_PATIENCE = 12  # rounds in which a layer may grow by one slice; then by twice as many each round


@dataclass(frozen=True, eq=False)
class Slices:
    """Borders of each population's slices, what each slice takes, and which limits no cutting can meet."""

    borders: dict[str, Ints]
    neurons: dict[str, Ints] = field(default_factory=dict)  # one a slice, as all that follow
    stored: dict[str, Ints] = field(default_factory=dict)  # synapses
    memory: dict[str, NDArray[np.float64]] = field(default_factory=dict)  # bytes
    axons_in: dict[str, Ints] = field(default_factory=dict)
    axons_out: dict[str, Ints] = field(default_factory=dict)
    failures: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)  # (population, limit): needs, has


def stored_synapses(network: Mapped, name: str, chip: Device, borders: Ints) -> Ints:
    """Synapses that each slice keeps: a kernel once where the chip shares weights, else one for each connection."""
    channels = grain(network, name)
    total = np.zeros(len(borders) - 1, np.int64)
    for projection in network.into(name):
        if isinstance(projection.synapses, Convolution) and chip.core.shares_weights:
            total += projection.synapses.stored
        else:
            upto = np.concatenate([[0], np.cumsum(inward(projection.fan_in, channels))])
            total += upto[borders[1:]] - upto[borders[:-1]]
    return total


def cut(network: Mapped, chip: Device) -> Slices:
    """Few slices that keep to a core's limits, layer by layer; what cannot be kept is named.

    A limit that a single neuron breaks is met by no cutting: it is named, and does not cut its layer, since many slices
    would only break limits of the layers around it.
    """
    core = chip.core
    parts = {name: 1 for name, each in network.populations.items() if each.spiking}
    hopeless = _of_single_neurons(network, chip, parts)
    failures: dict[tuple[str, str], tuple[int, int]] = {}
    found = Slices({})
    for tries in itertools.count():
        failures.clear()
        borders = {name: _even(network, name, count) for name, count in parts.items()}
        inputs = {n: np.array([0, each.size]) for n, each in network.populations.items() if not each.spiking}
        found = Slices({**borders, **inputs}, failures=failures)
        for name, border in borders.items():
            found.neurons[name] = np.diff(border)
            found.stored[name] = stored_synapses(network, name, chip, border)
            found.memory[name] = _memory(network, name, chip, found)
        found.axons_in.update(_axons_in(network, borders) if core.axons_in else {})
        if core.axons_out:
            for name, (each, most) in _axons_out(network, borders).items():
                found.axons_out[name] = each
                if most > core.axons_out:  # of one neuron; slices only become more
                    hopeless[name, "axons_out"] = most, core.axons_out
        wanted, step = dict(parts), 2 ** max(0, tries + 1 - _PATIENCE)
        for name in parts:
            for limit, needs, has in _pressure(found, name, chip):
                if needs <= has or (name, limit) in hopeless:
                    continue
                most = network.populations[name].size
                more = min(most, max(parts[name] + step, math.ceil(parts[name] * needs / has)))
                if more == parts[name]:
                    failures[name, limit] = (needs, has)
                wanted[name] = max(wanted[name], more)
        if wanted == parts:  # comes about: parts only grow, and at the latest a layer is cut into single neurons
            break
        parts = wanted
    failures.update(hopeless)
    if core.fan_in:
        for name in parts:
            most = most_fan_in(network, name)
            if most > core.fan_in:
                failures[name, "fan_in"] = (most, core.fan_in)
    return found


def most_fan_in(network: Mapped, name: str) -> int:
    """Synapses of the neuron of a population that has most."""
    return int(_fan_in(network, name).max())


def _fan_in(network: Mapped, name: str) -> Ints:
    total = np.zeros(network.populations[name].size, np.int64)
    for projection in network.into(name):
        total += projection.fan_in
    return total


def _of_single_neurons(network: Mapped, chip: Device, names: Iterable[str]) -> dict[tuple[str, str], tuple[int, int]]:
    """The limits that the neuron with most synapses breaks alone, by population: what it needs, and what there is."""
    fullest = {name: int(np.argmax(inward(_fan_in(network, name), grain(network, name)))) for name in names}
    borders = {
        name: np.unique([0, neuron, neuron + 1, network.populations[name].size]) for name, neuron in fullest.items()
    }
    axons = _axons_in(network, borders) if chip.core.axons_in else {}
    found: dict[tuple[str, str], tuple[int, int]] = {}
    for name, border in borders.items():
        at = slice(k := int(np.searchsorted(border, fullest[name])), k + 1)
        alone = Slices({}, {name: np.ones(1, np.int64)})
        alone.stored[name] = stored_synapses(network, name, chip, border)[at]
        alone.memory[name] = _memory(network, name, chip, alone)
        if name in axons:
            alone.axons_in[name] = axons[name][at]
        found |= {(name, limit): (needs, has) for limit, needs, has in _pressure(alone, name, chip) if needs > has}
    return found


def _memory(network: Mapped, name: str, chip: Device, found: Slices) -> NDArray[np.float64]:
    each = chip.neuron_bytes(network.populations[name])
    return found.neurons[name] * each + found.stored[name] * chip.core.synapse_bytes


def _pressure(found: Slices, name: str, chip: Device) -> list[tuple[str, int, int]]:
    """What the fullest slice of a population needs of each limit, and what a core has."""
    core = chip.core
    neurons, stored = found.neurons[name], found.stored[name]
    rows = [("neurons", int(neurons.max()), core.neurons)]
    if core.synapses:
        rows.append(("synapses", int(stored.max()), core.synapses))
    if core.memory_bytes:
        rows.append(("memory_bytes", math.ceil(found.memory[name].max()), core.memory_bytes))
    if core.axons_in and name in found.axons_in:
        rows.append(("axons_in", int(found.axons_in[name].max()), core.axons_in))
    if core.axons_out and name in found.axons_out:
        rows.append(("axons_out", int(found.axons_out[name].max()), core.axons_out))
    return rows


def _even(network: Mapped, name: str, parts: int) -> Ints:
    """Borders of equal slices; whole positions where there are channels, as long as there are enough of them."""
    size, channels = network.populations[name].size, grain(network, name)
    unit = channels if parts <= size // channels else 1
    return np.unique(np.arange(parts + 1) * (size // unit) // parts * unit)


def _axons_in(network: Mapped, borders: Mapping[str, Ints]) -> dict[str, Ints]:
    """Distinct presynaptic neurons of each slice."""
    found = {name: np.zeros(len(border) - 1, np.int64) for name, border in borders.items()}
    for name, border in borders.items():
        channels = grain(network, name)
        sources = {p.source for p in network.into(name)}
        for source in sources:
            several = [p for p in network.into(name) if p.source == source]
            for first, last in chunks(network.populations[source].size, len(border) - 1):
                hit = reach(network, several[0], border, channels, first, last)
                for other in several[1:]:
                    hit |= reach(network, other, border, channels, first, last)
                found[name] += hit.sum(0)
    return found


def _axons_out(network: Mapped, borders: Mapping[str, Ints]) -> dict[str, tuple[Ints, int]]:
    """Pairs of a neuron of each slice and a slice that it sends to, and the most of one neuron."""
    found = {}
    for name, border in borders.items():
        pairs = np.zeros(network.populations[name].size, np.int64)
        for target in {p.target for p in network.out_of(name)}:
            several = [p for p in network.out_of(name) if p.target == target]
            channels = grain(network, target)
            for first, last in chunks(len(pairs), len(borders[target]) - 1):
                hit = reach(network, several[0], borders[target], channels, first, last)
                for other in several[1:]:
                    hit |= reach(network, other, borders[target], channels, first, last)
                pairs[first:last] += hit.sum(1)
        upto = np.concatenate([[0], np.cumsum(inward(pairs, grain(network, name)))])
        found[name] = upto[border[1:]] - upto[border[:-1]], int(pairs.max())
    return found
