"""Does it fit? Every limit that a network breaks on a chip, by how much, in which layer, and what would help."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, overload

import numpy as np

from ..errors import CapacityError
from ..hardware.profile import HardwareProfile
from ..mapping.map import map as map_network
from ..mapping.mapped import Mapped
from .abilities import lacks
from .device import Device, list_devices, load_device
from .packing import pack
from .slices import Slices, cut, most_fan_in

_HELP = {
    "neurons": "make it narrower, or pick a chip with more cores",
    "synapses": "prune, share weights, or pick a chip with more",
    "memory_bytes": "prune, use fewer bits, or pick a chip with more memory a core",
    "axons_in": "prune or make the layer before it narrower: cutting this one brings no fewer senders to a neuron",
    "axons_out": "make the layer behind it smaller, so that it lies on fewer cores",
    "fan_in": "prune, or split the layer before it into groups",
    "cores": "make the network smaller, or use more chips",
    "delay_steps": "shorten the delay, or pass the spike on through a neuron on the way",
}
_WORDS = {
    "neurons": "neurons", "synapses": "synapses", "memory_bytes": "bytes of memory", "axons_in": "input axons",
    "axons_out": "output axons", "fan_in": "synapses at one neuron", "cores": "cores",
    "delay_steps": "steps of delay at one synapse",
}  # fmt: skip


@dataclass(frozen=True)
class Shortage:
    """One limit that fails: `needs` of it where the chip has `has`; `layer` is empty for the whole chip."""

    limit: str
    needs: int
    has: int
    layer: str = ""
    assumed: bool = False  # the chip's source does not give this limit

    @property
    def excess(self) -> float:
        """How many times as much is needed as there is."""
        return self.needs / self.has

    @property
    def help(self) -> str:
        """What would mend it."""
        return _HELP[self.limit]

    def __str__(self) -> str:
        where = f"layer '{self.layer}' needs" if self.layer else "the network needs"
        one = self.limit in ("fan_in", "delay_steps")  # of one neuron or synapse, wherever it lies
        scope = "" if one else " in one core" if self.layer else " on the chip"
        sure = " (assumed)" if self.assumed else ""
        return f"{where} {self.needs:,} {_WORDS[self.limit]}{scope}, and there are {self.has:,}{sure}: {self.help}"


@dataclass(frozen=True, eq=False)
class Viability:
    """Whether a network fits a chip, what it takes of it, and what binds most."""

    chip: Device
    network: Mapped
    shortages: tuple[Shortage, ...]
    cores: int
    binding: str  # the limit of which the fullest core uses most
    share: float  # how much of it
    memory_bytes: float
    lacks: tuple[str, ...] = ()  # what its neurons need, and the chip's file says that it has not; no matter of room

    @property
    def fits(self) -> bool:
        """Whether no limit fails."""
        return not self.shortages

    @property
    def chips(self) -> int:
        """Chips that the cores take."""
        return -(-self.cores // self.chip.mesh.cores)

    def demand(self) -> None:
        """Raise what fails.

        Raises:
            CapacityError: the network does not fit.
        """
        if self.fits:
            return
        first = self.shortages[0]
        more = f" (and {len(self.shortages) - 1} more limits fail)" if len(self.shortages) > 1 else ""
        raise CapacityError(f"'{self.network.name}' does not fit '{self.chip.name}': {first}{more}")

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values."""
        return {
            "chip": self.chip.name, "title": self.chip.title, "fits": self.fits, "neurons": self.network.neurons,
            "synapses": self.network.synapses, "stored_weights": self.network.stored_weights, "cores": self.cores,
            "chips": self.chips, "binding": self.binding, "share": self.share, "memory_bytes": self.memory_bytes,
            "shortages": [
                {"limit": s.limit, "layer": s.layer, "needs": s.needs, "has": s.has, "excess": s.excess,
                 "assumed": s.assumed, "help": s.help}
                for s in self.shortages
            ],
            "lacks": list(self.lacks), "caveat": self.chip.core.caveat,
        }  # fmt: skip

    def __str__(self) -> str:
        return f"{self._room}. By its file it has not: {'; '.join(self.lacks)}" if self.lacks else self._room

    @property
    def _room(self) -> str:
        if self.fits:
            mesh, limit = self.chip.mesh, "an assumed" if self.binding in self.chip.core.assumed else "the"
            used = f"{self.cores:,} of {mesh.cores:,} cores"
            if self.chips > 1:
                used = f"{self.cores:,} cores, {self.chips:,} of {mesh.chips:,} chips of {mesh.cores:,}"
            return (
                f"{self.chip.name}: fits on {used}; binds most: {_WORDS[self.binding]} ({100 * self.share:.0f} % of "
                f"{limit} limit)"
            )
        return f"{self.chip.name}: does not fit. " + "; ".join(str(each) for each in self.shortages)


@overload
def fits(
    network: Any, device: str | os.PathLike[str] | HardwareProfile | Device, *, inputs: Any = None
) -> Viability: ...
@overload
def fits(network: Any, device: Iterable[Any] | None = None, *, inputs: Any = None) -> list[Viability]: ...
def fits(network: Any, device: Any = None, *, inputs: Any = None) -> Viability | list[Viability]:
    """Whether a network fits a device: cores and chips that it takes, what binds, and every limit that fails.

    Args:
        network: a torch module, a mapped network or a placement.
        device: a profile that is a chip, by name or file, or several of them; all that are known if it is left out.
        inputs: samples of a torch module, for their shape; see `map`.

    Raises:
        ProfileError: the device is no chip.
        InputError: the network cannot be mapped.
    """
    if device is None and isinstance(getattr(network, "chip", None), Device):  # a placement has one
        device = network.chip
    mapped = map_network(network, inputs)
    if device is None or isinstance(device, list | tuple):
        return [_fits(mapped, load_device(each)) for each in (list_devices() if device is None else device)]
    return _fits(mapped, load_device(device))


def _fits(network: Mapped, chip: Device) -> Viability:
    found = _counted(network, chip)
    unsure = {*chip.core.assumed, "cores"} if {"cores", "chips"} & {*chip.mesh.assumed} else {*chip.core.assumed}
    marked = (replace(each, assumed=each.limit in unsure) for each in found.shortages)
    return replace(found, shortages=tuple(marked), lacks=lacks(network, chip))


def _counted(network: Mapped, chip: Device) -> Viability:
    core, single = chip.core, chip.mesh.cores * chip.mesh.chips == 1
    shortages = _late(network, core.delay_steps)
    if single:  # nothing can be spread: the limits are those of the whole network
        taken = _taken(network, chip)
        shortages += [Shortage(limit, needs, has) for limit, needs, has in taken if needs > has]
        if core.fan_in:
            for name, each in network.populations.items():
                most = most_fan_in(network, name) if each.spiking else 0
                if most > core.fan_in:
                    shortages.append(Shortage("fan_in", most, core.fan_in, name))
        binding, share = max(((limit, needs / has) for limit, needs, has in taken), key=lambda row: row[1])
        return Viability(chip, network, tuple(shortages), 1, binding, share, chip.memory_bytes(network))
    slices = cut(network, chip)
    shortages += [Shortage(limit, needs, has, layer) for (layer, limit), (needs, has) in slices.failures.items()]
    cores = sum(len(each) for each in slices.neurons.values())
    packed = packed_cores(slices, chip)
    if packed > chip.mesh.cores * chip.mesh.chips:
        shortages.append(Shortage("cores", packed, chip.mesh.cores * chip.mesh.chips))
    binding, share = _binding(slices, chip)
    return Viability(chip, network, tuple(shortages), min(cores, packed), binding, share, chip.memory_bytes(network))


def _taken(network: Mapped, chip: Device) -> list[tuple[str, int, int]]:
    """What a network takes of a chip of one core, of each limit that the core has: `(limit, needs, has)`."""
    core, senders = chip.core, 0
    if core.axons_in:
        leaving = {name: sum(each.fan_out for each in network.out_of(name)) for name in network.populations}
        senders = sum(int(np.count_nonzero(each)) for each in leaving.values())
    rows = (
        ("neurons", network.neurons, core.neurons),
        ("synapses", network.stored_weights if core.shares_weights else network.synapses, core.synapses),
        ("memory_bytes", math.ceil(chip.memory_bytes(network)), core.memory_bytes), ("axons_in", senders, core.axons_in),
    )  # fmt: skip
    return [(limit, needs, has) for limit, needs, has in rows if has is not None]


def _late(network: Mapped, most: int | None) -> list[Shortage]:
    """Layers whose spikes are under way for longer than a synapse can hold them."""
    longest: dict[str, int] = {}
    for projection in network.projections:
        longest[projection.layer] = max(longest.get(projection.layer, 0), projection.delay)
    return [Shortage("delay_steps", each, most, layer) for layer, each in longest.items() if most and each > most]


def packed_cores(slices: Slices, chip: Device) -> int:
    """Cores that are left when small slices share one."""
    return int(max((each.max() for each in pack(slices, chip).values()), default=-1)) + 1


def _binding(slices: Slices, chip: Device) -> tuple[str, float]:
    core = chip.core
    used: dict[str, float] = {}
    for name, neurons in slices.neurons.items():
        stored = slices.stored[name]
        for limit, values, has in (
            ("neurons", neurons, core.neurons), ("synapses", stored, core.synapses),
            ("memory_bytes", slices.memory[name], core.memory_bytes), ("axons_in", slices.axons_in.get(name), core.axons_in),
            ("axons_out", slices.axons_out.get(name), core.axons_out),
        ):  # fmt: skip
            if has and values is not None:
                used[limit] = max(used.get(limit, 0.0), float(np.max(values)) / has)
    binding = max(used, key=lambda limit: used[limit])
    return binding, used[binding]
