"""A random network of any size, for benchmarks and tests of scale: built without a loop over neurons."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .mapped import Mapped, Population, Projection
from .synapses import Sparse, record_type

_CHUNK = 1 << 16  # rows that are drawn and sorted at once


def random_network(
    neurons: int, fan_out: int = 100, *, rate: float = 0.02, delay: int = 1, weight: float = 1e-3, seed: int = 0
) -> Mapped:
    """Integrate-and-fire neurons, each with `fan_out` synapses to random others, that fire at about `rate` a step.

    A constant current of `rate` times the threshold makes each neuron fire every `1 / rate` steps, from a random phase;
    weights are drawn between `-weight` and `weight`, so that they stir the phases; no target is drawn twice.
    """
    if neurons < 1 or fan_out < 1:
        raise InputError(
            f"a random network of {neurons} neurons with {fan_out} synapses each cannot be: at least 1 of each"
        )
    if fan_out > neurons:
        raise InputError(f"{fan_out:,} synapses to different neurons need as many neurons, not {neurons:,}")
    if not 0 < rate < 1:
        raise InputError(f"the firing rate is {rate}, but must lie between 0 and 1 spikes a step")
    if neurons > 2**32 - 1 or neurons * fan_out > 2**40:
        raise InputError(
            f"{neurons:,} neurons with {fan_out:,} synapses each are more than this machine's numbers hold"
        )
    rng = np.random.default_rng(seed)
    records = np.empty(neurons * fan_out, record_type(np.float32))
    for first in range(0, neurons, _CHUNK):
        last = min(neurons, first + _CHUNK)
        targets = _different(rng, last - first, fan_out, neurons)
        part = records[first * fan_out : last * fan_out]
        part["target"] = targets.ravel()
        part["weight"] = (rng.random(targets.size, dtype=np.float32) * 2 - 1) * np.float32(weight)
    starts = np.arange(neurons + 1, dtype=np.int64) * fan_out
    population = Population(
        "neurons", (neurons,), bias=rate * 1.0, start=rng.random(neurons, dtype=np.float32), threshold=1.0
    )
    projection = Projection("neurons", "neurons", Sparse(starts, records, neurons), delay, "synapses")
    return Mapped({"neurons": population}, (projection,), "neurons", f"random {neurons:,}")


def _different(rng: np.random.Generator, rows: int, count: int, among: int) -> NDArray[np.uint32]:
    """Rows of different numbers below `among`, in ascending order, each choice as likely as any other."""
    if 2 * count > among:
        return np.sort(np.argsort(rng.random((rows, among), dtype=np.float32), axis=1)[:, :count], axis=1).astype(
            np.uint32
        )
    found: NDArray[np.uint32] = rng.integers(0, among, (rows, count), dtype=np.uint32)
    found.sort(axis=1)
    again = np.arange(rows)  # rows that may still hold a number twice: one of each pair is drawn anew
    while len(again):
        part = found[again]
        twice = np.zeros(part.shape, bool)
        twice[:, 1:] = part[:, 1:] == part[:, :-1]
        part[twice] = rng.integers(0, among, int(twice.sum()), dtype=np.uint32)
        part.sort(axis=1)
        found[again] = part
        again = again[twice.any(1)]
    return found
