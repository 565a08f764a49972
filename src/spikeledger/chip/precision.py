"""The same network in a chip's integers: weights of few bits, a membrane that saturates, a decay that rounds down."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..mapping.mapped import Array, Mapped, Population
from ..mapping.synapses import Convolution, Dense, Sparse, Synapses, record_type
from .device import Device

_DECAY_STEPS = 4096  # a decay is a 12-bit fraction
_MEMBRANE_SHIFT = 6  # a membrane has this many more bits than a weight, as far as its own bits allow


@dataclass(frozen=True)
class Grain:
    """What one step of a weight and one of a membrane are worth, and the largest integer that a weight holds."""

    weight: float
    membrane: float
    largest: int


def grains(network: Mapped, chip: Device, room: Mapping[str, float] | None = None) -> dict[str, Grain]:
    """The units of each population: `weight = largest incoming weight / (2^(weight_bits - 1) - 1)`.

    Membranes count in `weight / 2^shift`, as far as the threshold leaves room. `room` is the largest weight that a layer
    may come to while it learns.
    """
    most = 2 ** (chip.core.weight_bits - 1) - 1 or 1
    limit = float(2 ** (chip.core.state_bits - 1) - 1)
    found = {}
    for name, population in network.populations.items():
        largest = max(
            (
                max(p.synapses.largest, (room or {}).get(p.layer, 0.0))
                * (float(np.abs(p.fan.scales).max()) if p.fan else 1.0)
                for p in network.into(name)
            ),
            default=0.0,
        )
        unit = largest / most if largest else population.threshold / most
        shift = _MEMBRANE_SHIFT
        while shift > 0 and population.threshold / unit * 2**shift > limit / 2:
            shift -= 1
        found[name] = Grain(unit, unit / 2**shift, most)
    return found


def fixed_point(
    network: Mapped, chip: Device, units: Mapping[str, Grain] | None = None, room: Mapping[str, float] | None = None
) -> tuple[Mapped, float]:
    """The network with integer weights, thresholds and biases in float64, and the largest membrane that the chip holds.

    Integers count in the units of `grains`; a synaptic current and an adaptation have the membrane's unit and bits. All
    sums stay exact integers, so a run is what the chip's adders would give. A weight that rounds to 0 is no synapse any
    more, but in the layers of `room`, which learn.
    """
    limit = float(2 ** (chip.core.state_bits - 1) - 1)
    units = grains(network, chip, room) if units is None else units
    populations: dict[str, Population] = {}
    for name, population in network.populations.items():
        unit = units[name].membrane
        if not population.spiking:
            populations[name] = population
            continue
        threshold = max(float(np.rint(population.threshold / unit)), 1.0)
        if threshold > limit:
            raise InputError(
                f"the threshold of '{name}' is {threshold:,.0f} units of its smallest weight, but '{chip.name}' holds "
                f"membranes up to {limit:,.0f}: scale its weights up or use float32"
            )
        populations[name] = dataclasses.replace(
            population, threshold=threshold, bias=np.rint(np.asarray(population.bias, np.float64) / unit),
            start=np.rint(np.asarray(population.start, np.float64) / unit),
            strength=np.rint(np.asarray(population.strength, np.float64) / unit),
            beta=_fraction(population.beta),
            alpha=None if population.alpha is None else _fraction(population.alpha),
            rho=None if population.rho is None else _fraction(population.rho),
        )  # fmt: skip
    projections = []
    for projection in network.projections:
        grain, fan = units[projection.target], projection.fan
        if fan is not None:  # pooling is folded into the weights' unit
            factor = float(np.abs(fan.scales).max()) or 1.0
            fan = dataclasses.replace(fan, scales=fan.scales / factor)
        else:
            factor = 1.0
        learns = projection.layer in (room or {})
        synapses = _rounded(projection.synapses, factor, grain.weight, grain.membrane, learns=learns)
        projections.append(dataclasses.replace(projection, synapses=synapses, fan=fan))
    return Mapped(populations, tuple(projections), network.output, network.name), limit


def _fraction(decay: float | Array) -> NDArray[np.float64]:
    return np.floor(np.asarray(decay, np.float64) * _DECAY_STEPS + 0.5) / _DECAY_STEPS


def _rounded(synapses: Synapses, factor: float, coarse: float, unit: float, *, learns: bool) -> Synapses:
    def integers(weight: np.ndarray) -> np.ndarray:
        # weight / coarse is rounded to the weight's bits; coarse / unit is a power of two
        return np.rint(weight.astype(np.float64) * factor / coarse) * (coarse / unit)

    if isinstance(synapses, Sparse):
        records = np.empty(len(synapses.records), record_type(np.float64))
        records["target"], records["weight"] = synapses.records["target"], integers(synapses.records["weight"])
        if learns:
            return Sparse(synapses.starts, records, synapses.targets, synapses.dense_ops)
        kept = records["weight"] != 0
        starts = np.concatenate([[0], np.cumsum(kept)])[synapses.starts]
        return Sparse(starts, records[kept], synapses.targets, synapses.dense_ops)
    if isinstance(synapses, Dense):
        return Dense(integers(synapses.weight))
    assert isinstance(synapses, Convolution)
    return Convolution(
        integers(synapses.weight),
        synapses.in_shape,
        synapses.stride,
        synapses.padding,
        synapses.dilation,
        synapses.groups,
    )
