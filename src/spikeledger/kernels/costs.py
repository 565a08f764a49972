"""What a product of bits and floats will cost, by method: which kernel a layer runs on is decided from its spikes.

The estimate counts what the kernels do (look-ups, additions, listed events) and weighs it with prices in nanoseconds of
one thread. `calibrate` measures the prices on this machine; until then those of a common server processor are used.
Only their ratios matter.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

LANES, PASS, SUMS, WIDE, CHUNK = 16, 48, 512, 32, 256


@dataclass(frozen=True)
class Prices:
    """Nanoseconds for: a row's eight look-ups of 16 columns; a table entry; an event of 32 columns; a row's visit; a word
    that is searched for events; a multiply-add of the dense product."""

    lookups: float = 2.6
    entry: float = 0.5
    event: float = 0.58
    visit: float = 1.5
    searched: float = 2.8
    dense: float = 0.0122


prices = Prices()


def estimates(rows: int, inner: int, columns: int, spikes: int) -> dict[str, float]:
    """Nanoseconds of each method on one thread, for bits `[rows, inner]` with so many ones times `[inner, columns]`."""
    passes, narrow = math.ceil(inner / PASS), math.ceil(columns / LANES)
    words = rows * math.ceil(inner / 64)
    chunks, wide = math.ceil(inner / CHUNK), math.ceil(columns / WIDE)
    return {
        "subsets": narrow * passes * (rows * prices.lookups + SUMS * prices.entry),
        "events": wide * (spikes * prices.event + min(chunks * rows, spikes) * prices.visit) + words * prices.searched,
        "dense": rows * inner * columns * prices.dense,
    }


def cheapest(rows: int, inner: int, columns: int, spikes: int, *, dense: bool = False) -> str:
    """The method of the lowest estimate; the dense product takes part only where the caller has floats at hand."""
    costs = estimates(rows, inner, columns, spikes)
    if not dense:
        del costs["dense"]
    return min(costs, key=costs.__getitem__)
