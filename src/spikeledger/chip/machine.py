"""A network made ready to run on the native machine; `reference.py` is the same in numpy, and its oracle."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, unknown_name
from ..mapping.mapped import Mapped, Population, Projection, grain, inward, outward
from ..mapping.synapses import Convolution, Dense, Sparse, record_type

if TYPE_CHECKING:
    from .placement import Placement

try:
    from . import _native as _found  # type: ignore[attr-defined,unused-ignore]

    native: ModuleType | None = _found
except ImportError:  # no compiler where it was installed
    native = None

RESETS = ("subtract", "zero", "none")
_MOST_SLICES = 16  # of a population whose sparse rows are counted by a table, however short these are
# steps after which sparse rows are laid out in 4 bytes a synapse, where their weights are few: what that costs comes back in
# about 150
SHORT_AFTER = 256


@dataclass(eq=False)
class Counts:
    """What one run did, as plain arrays, by population; `late[k]` are the spikes of the last step but `k`."""

    spikes: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    active: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    per_step: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    late: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    rasters: dict[str, NDArray[np.uint8]] = field(default_factory=dict)  # [samples, T, N]
    core_synapses: NDArray[np.int64] | None = None  # [T, cores]
    core_spikes: NDArray[np.int64] | None = None
    packets: NDArray[np.int64] | None = None  # [T]
    hops: NDArray[np.int64] | None = None
    seconds: NDArray[np.float64] | None = None  # [T], summed over samples


_MOST_THREADS = 16  # or as many as the machine has cores


class Machine:
    """A network, and where it lies, in the layout of the native core; it runs many inputs, one call after another."""

    def __init__(
        self, network: Mapped, placement: Placement | None = None, *, dtype: Any = np.float32, limit: float = 0.0
    ) -> None:
        if native is None:
            raise InputError("the native core was not built: use backend='reference', or install with a C++ compiler")
        self.network, self.placement, self.dtype = network, placement, np.dtype(dtype)
        self._machine = {"f4": native.MachineFloat32, "f8": native.MachineFloat64}[self.dtype.str[1:]]()
        self._machine.short_after = SHORT_AFTER
        self._number = {name: number for number, name in enumerate(network.order)}
        self._grain = {name: grain(network, name) for name in network.order}
        self._depth = {name: network.reach(name) for name in network.order}
        for name in network.order:
            self._add(network.populations[name], limit)
        counted = {name: self._place(name) for name in network.order} if placement else {}
        for projection in network.projections:
            self._connect(projection, placement is not None and not counted[projection.target])

    def run(
        self, inputs: Mapping[str, NDArray[Any]], *, steps: int, samples: int, threads: int = 1,
        keep: Iterable[str] = (), rasters: bool = True,
    ) -> Counts:  # fmt: skip
        """Advance every neuron by `steps` for each sample; `inputs` are `[T, B, N]`, `keep` names whole rasters."""
        if threads < 1:
            raise InputError(f"a run needs at least 1 thread, not {threads}")
        threads = min(threads, max(_MOST_THREADS, os.cpu_count() or 1))  # those that wait cost the others their cores
        counts = Counts()
        kept, held = set(keep), []
        active: dict[str, NDArray[np.int32]] = {}
        if steps * samples >= 2**31:
            raise InputError(f"{steps:,} steps of {samples:,} samples are too many for one run: split it")
        for name, number in self._number.items():
            size = self.network.populations[name].size
            counts.spikes[name], active[name] = np.zeros(size, np.int64), np.zeros(size, np.int32)
            counts.per_step[name] = np.zeros(steps, np.int64)
            counts.late[name] = np.zeros((self._depth[name], size), np.int64)
            spiking = self.network.populations[name].spiking
            raster = None
            if spiking and (rasters or name in kept):
                raster = counts.rasters[name] = np.zeros((samples if name in kept else 1, steps, size), np.uint8)
            values = None if spiking else np.ascontiguousarray(inputs[name], self.dtype)
            held.append(values)  # the machine reads it where it is
            self._machine.results(
                number, counts.spikes[name], active[name], counts.per_step[name], counts.late[name], raster,
                name in kept, values,
            )  # fmt: skip
        if self.placement is not None:
            self._account(counts, steps)
        self._machine.run(steps, samples, threads)
        counts.active = {name: each.astype(np.int64) for name, each in active.items()}
        for name, channels in self._grain.items():
            if channels > 1:
                for book in (counts.spikes, counts.active, counts.late, counts.rasters):
                    if name in book:
                        book[name] = outward(book[name], channels)
        return counts

    def _add(self, population: Population, limit: float) -> None:
        channels = self._grain[population.name]
        plain = population.state_variables == 1  # its constants may be one number; those of all others are one a neuron
        facts, more = (
            [
                None if value is None else np.ascontiguousarray(inward(self._each(value, population, plain), channels))
                for value in values
            ]
            for values in (
                (population.beta, population.bias, population.start),
                (population.alpha, population.rho, None if population.rho is None else population.strength),
            )
        )
        threshold = self.dtype.type(population.threshold)
        bar = np.nextafter(threshold, self.dtype.type(-np.inf)) if population.inclusive else threshold
        self._machine.add_population(
            population.size, not population.spiking, channels, *facts, population.threshold, bar,
            *(population.window or (0, 2**62)),
            RESETS.index(population.reset), population.reset_delay, limit, *more, min(population.refractory, 2**31 - 1),
        )  # fmt: skip

    def _each(self, value: Any, population: Population, plain: bool) -> NDArray[Any]:
        array = np.atleast_1d(np.asarray(value, self.dtype))
        return array if plain else np.broadcast_to(array, population.size)

    def _place(self, name: str) -> bool:
        """Say which parts of a population lie on which cores; whether its arrivals are counted one by one."""
        assert self.placement is not None
        slices, cores = self.placement.borders[name], self.placement.cores[name]
        channels, into = self._grain[name], self.network.into(name)
        cut = bool(np.any(slices % channels))
        rows = [p.synapses for p in into if isinstance(p.synapses, Sparse)]
        # a row's part of a table is a byte a slice; where that is more than the row has synapses, each is counted as it
        # arrives
        most = min((synapses.stored // max(synapses.sources, 1) for synapses in rows), default=0)
        counted = (bool(rows) and len(cores) > max(_MOST_SLICES, most)) or cut
        slice_of = (np.searchsorted(slices, np.arange(0, slices[-1], channels), "right") - 1).astype(np.int32)
        packets, hops = self.placement.packets.get(name), self.placement.hops.get(name)
        self._machine.place(
            self._number[name], counted, slices, cores, slice_of,
            None if packets is None else np.ascontiguousarray(inward(packets, channels)),
            None if hops is None else np.ascontiguousarray(inward(hops, channels)),
        )  # fmt: skip
        return counted

    def _connect(self, projection: Projection, tabled: bool) -> None:
        synapses, channels = projection.synapses, self._grain[projection.target]
        fan = projection.fan
        given: dict[str, Any] = {"sources": synapses.sources}
        if fan is not None:
            given.update(
                fan_starts=fan.starts, fan_places=fan.places, fan_scales=np.ascontiguousarray(fan.scales, self.dtype)
            )
        slices = None
        if tabled:
            assert self.placement is not None
            slices = self.placement.borders[projection.target]
        if isinstance(synapses, Sparse):
            records = self._records(synapses, channels)
            given.update(kind=0, starts=synapses.starts, records=records.view(np.uint8).reshape(-1))
            if slices is not None:
                slice_of = (np.searchsorted(slices, np.arange(slices[-1]), "right") - 1).astype(np.int32)
                assert native is not None
                for kind, name in ((np.uint8, "few_counts"), (np.uint32, "counts")):
                    table = np.zeros((synapses.sources, len(slices) - 1), kind)
                    if native.count_slices(
                        synapses.starts, given["records"], records.dtype.itemsize, slice_of, len(slices) - 1, table
                    ):
                        given[name] = table
                        break
        elif isinstance(synapses, Dense):
            weight = np.ascontiguousarray(inward(synapses.weight, channels), self.dtype)
            given.update(kind=1, weight=weight)
            if slices is not None:
                # an empty slice does not exist, so reduceat adds up exactly each slice
                given.update(
                    counts=np.add.reduceat((weight != 0).astype(np.uint32), slices[:-1], axis=1, dtype=np.uint32)
                )
        elif isinstance(synapses, Convolution):
            given.update(self._convolution(synapses, slices is not None))
        else:
            raise unknown_name("kind of synapses", type(synapses).__name__, ("Sparse", "Dense", "Convolution"))
        self._machine.connect(
            self._number[projection.source], self._number[projection.target], projection.delay, **given
        )

    def _records(self, synapses: Sparse, channels: int) -> NDArray[np.void]:
        if channels == 1 and synapses.records.dtype == record_type(self.dtype):
            return synapses.records
        records = np.empty(len(synapses.records), record_type(self.dtype))
        target = synapses.records["target"].astype(np.int64)
        if channels > 1:
            positions = synapses.targets // channels
            target = target % positions * channels + target // positions
            row = np.repeat(np.arange(synapses.sources), synapses.fan_out)
            order = np.lexsort((target, row))
            records["target"], records["weight"] = target[order], synapses.records["weight"][order]
        else:
            records["target"], records["weight"] = target, synapses.records["weight"]
        return records

    def _convolution(self, synapses: Convolution, tabled: bool) -> dict[str, Any]:
        out, inside, high, wide = synapses.weight.shape
        groups = synapses.groups
        # [out, in / groups, kh, kw] -> [in, kh, kw, out / groups]
        weight = synapses.weight.reshape(groups, out // groups, inside, high, wide).transpose(0, 2, 3, 4, 1)
        given: dict[str, Any] = {"kind": 2, "weight": np.ascontiguousarray(weight, self.dtype)}
        if tabled:
            given["counts"] = np.count_nonzero(weight, axis=-1).astype(np.uint32)
        pairs = zip(synapses.stride, synapses.padding, synapses.dilation, strict=True)
        given["conv"] = [
            *synapses.in_shape,
            *synapses.out_shape,
            high,
            wide,
            *(n for three in zip(*pairs, strict=True) for n in three),
            groups,
        ]
        return given

    def _account(self, counts: Counts, steps: int) -> None:
        assert self.placement is not None
        cores = self.placement.core_count
        counts.core_synapses, counts.core_spikes = (
            np.zeros((steps, cores), np.int64),
            np.zeros((steps, cores), np.int64),
        )
        counts.packets, counts.hops = np.zeros(steps, np.int64), np.zeros(steps, np.int64)
        counts.seconds = np.zeros(steps)
        time = self.placement.chip.seconds
        updates = np.ascontiguousarray(self.placement.neurons_by_core() * (time.update if time else 0.0))
        coefficients = (time.synaptic_op, time.spike, time.barrier) if time else (0.0, 0.0, 0.0)
        self._machine.account(
            counts.core_synapses,
            counts.core_spikes,
            counts.packets,
            counts.hops,
            counts.seconds,
            updates,
            *coefficients,
        )
