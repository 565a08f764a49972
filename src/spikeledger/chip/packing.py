"""Slices into cores: small ones share a core as long as its limits hold."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .device import Device
from .slices import Slices


def alone(slices: Slices) -> dict[str, NDArray[np.int32]]:
    """One core a slice, layer by layer: what filling a chip in order gives."""
    cores: dict[str, NDArray[np.int32]] = {}
    used = 0
    for name, each in slices.neurons.items():
        cores[name] = np.arange(used, used + len(each), dtype=np.int32)
        used += len(each)
    return cores


def pack(slices: Slices, chip: Device) -> dict[str, NDArray[np.int32]]:
    """Cores of the slices, numbered from 0: the largest slice first, each into the first core with room for it."""
    core = chip.core
    sizes = []
    for name, neurons in slices.neurons.items():
        stored = slices.stored[name]
        columns = [
            (neurons, core.neurons), (stored, core.synapses),
            (slices.memory.get(name), core.memory_bytes),
            (slices.axons_in.get(name), core.axons_in), (slices.axons_out.get(name), core.axons_out),
        ]  # fmt: skip
        shares = np.stack(
            [np.asarray(v) / has if has and v is not None else np.zeros(len(neurons)) for v, has in columns], 1
        )
        sizes += [(name, number, share) for number, share in enumerate(shares)]
    order = sorted(range(len(sizes)), key=lambda k: (-float(sizes[k][2].max()), k))
    free = np.ones((0, 5))
    cores = {name: np.zeros(len(each), np.int32) for name, each in slices.neurons.items()}
    for k in order:
        name, number, share = sizes[k]
        room = np.flatnonzero((free >= share - 1e-9).all(1))
        if len(room):
            at = int(room[0])
        else:
            at, free = len(free), np.vstack([free, np.ones(5)])
        free[at] -= share
        cores[name][number] = at
    return cores
