"""What a product of bits and floats will cost, by method: which kernel a layer runs on is decided from its spikes.

The estimate counts what the kernels do (look-ups, additions, searched words) and weighs it with prices in nanoseconds
of one thread. Only their ratios matter. They are those of a common server processor, everywhere, so that the same seed
gives the same figures, but for tiles, which take part only where a processor has units for them; `remember` measures
look-ups and events on a machine once and keeps its own prices of these in the user's cache folder.
"""

from __future__ import annotations

import json
import math
import os
import platform
import time
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import torch

from ..errors import FileFormatError, InputError
from ..reading import Kind, read_json
from ..writing import closed, write_whole
from . import native as core

LANES, PASS, SUMS, WIDE, CHUNK, TOGETHER, EXPANDED = 16, 48, 512, 32, 256, 32, 2**20
#: of the methods, what the native core calls them by
METHODS = {"subsets": 0, "events": 1, "tiles": 2}
#: a processor so much faster or slower than a common one is a file that is none of ours
_MOST_SCALED = 1e4
#: the instruction set whose processors multiply tiles; the others can, too slowly to be asked
TILES = "amx"


@dataclass(frozen=True)
class Prices:
    """Nanoseconds for: a row's eight look-ups of 16 columns; a table entry; an event of 32 columns; a row's visit; a
    word that is searched for events; 32 rows of a word times 16 columns, as tiles; a word made bytes; 16 columns of an
    input made digits; a byte of digits that comes from afar, for each part of the rows; a multiply-add of the dense product."""

    lookups: float = 2.9
    entry: float = 0.5
    event: float = 0.42
    visit: float = 4.0
    searched: float = 2.8
    tile: float = 52.0
    expanded: float = 1.2
    digits: float = 5.0
    fetched: float = 0.12
    dense: float = 0.0122


PRICES = Prices()


def estimates(rows: int, inner: int, columns: int, spikes: int) -> dict[str, float]:
    """Nanoseconds of each method on one thread, for bits `[rows, inner]` with so many ones times `[inner, columns]`."""
    return _estimates(measured(), rows, inner, columns, spikes)


def _estimates(prices: Prices, rows: int, inner: int, columns: int, spikes: int) -> dict[str, float]:
    passes, narrow = math.ceil(inner / PASS), math.ceil(columns / LANES)
    words = rows * math.ceil(inner / 64)
    chunks, wide = math.ceil(inner / CHUNK), math.ceil(columns / WIDE)
    together = math.ceil(rows / TOGETHER) * math.ceil(inner / 64)
    parts = words * 64 / EXPANDED
    return {
        "subsets": narrow * passes * (rows * prices.lookups + SUMS * prices.entry),
        "events": wide * (spikes * prices.event + min(chunks * rows, spikes) * prices.visit) + words * prices.searched,
        "tiles": narrow * (together * prices.tile + inner * (prices.digits + parts * 3 * LANES * prices.fetched))
        + words * prices.expanded,
        "dense": rows * inner * columns * prices.dense,
    }


def cheapest(rows: int, inner: int, columns: int, spikes: int, *, dense: bool = False) -> str:
    """The method of the lowest estimate; the dense product takes part only where the caller has floats at hand."""
    costs = estimates(rows, inner, columns, spikes)
    if core.instruction_set() != TILES:
        del costs["tiles"]
    if not dense:
        del costs["dense"]
    return min(costs, key=costs.__getitem__)


@cache
def measured() -> Prices:
    """The prices that kernels are chosen by: those of a common processor, or what `remember` kept on this machine.

    Nothing is measured by itself: another kernel sums in another order, and the same seed must give the same figures.
    """
    if not core.instruction_set():
        return PRICES
    try:
        kept = read_json(_kept(), Kind("calibration", 1 << 16))
        factors = float(kept["subsets"]), float(kept["events"])
        if kept["machine"] == _machine() and all(1 / _MOST_SCALED < each < _MOST_SCALED for each in factors):
            return _scaled(*factors)
    except (FileFormatError, ValueError, KeyError, TypeError, OverflowError):
        pass
    return PRICES


def remember() -> Path:
    """Measure this machine once and choose kernels by that from the next process on; returns the file that keeps it."""
    if not core.instruction_set():
        raise InputError("there is nothing to calibrate: the native core was not built")
    subsets, events = calibrate()
    path = _kept()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise closed(path.parent, error) from error
    return write_whole(path, json.dumps({"machine": _machine(), "subsets": subsets, "events": events}))


def _kept() -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "spikeledger" / "calibration.json"


def _machine() -> str:
    return f"{platform.machine()} {platform.node()} {core.instruction_set()}"


def calibrate() -> tuple[float, float]:
    """How much longer look-ups and events take here than by `PRICES`: measured over estimated, the best of five."""
    rows, inner, columns = 512, 768, 64
    words = (torch.rand(rows, inner, generator=torch.Generator().manual_seed(0)) < 0.15).to(torch.float32)
    bits, dense, out = (
        torch.empty(rows * inner // 64, dtype=torch.int64),
        torch.ones(inner, columns),
        torch.empty(rows, columns),
    )
    core.pack(words, rows, inner, bits)
    expected = _estimates(PRICES, rows, inner, columns, int(words.sum()))
    found = []
    for name in ("subsets", "events"):
        best = math.inf
        for _ in range(6):
            start = time.perf_counter_ns()
            core.multiply(rows, inner, columns, bits, dense, None, out, method=METHODS[name], threads=1)
            best = min(best, time.perf_counter_ns() - start)
        # in whole octaves and not far: a disturbed measurement must not choose another kernel, and with it other
        # roundings, than the undisturbed one before it
        found.append(2.0 ** min(2, max(-2, round(math.log2(best / expected[name])))))
    return found[0], found[1]


def _scaled(subsets: float, events: float) -> Prices:
    scale = {"lookups": subsets, "entry": subsets, "event": events, "visit": events, "searched": events}
    return replace(PRICES, **{name: getattr(PRICES, name) * factor for name, factor in scale.items()})
