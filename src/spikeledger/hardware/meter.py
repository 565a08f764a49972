"""Measured joules: what the machine's own meters read while something ran. Never an estimate, and never added to one.

NVIDIA boards are read through NVML (nvidia-ml-py), processor packages and memory through RAPL (zeus); both come with
`pip install 'spikeledger[measure]'`. Where there is no meter the reading says "not measured" and why.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NoReturn

from .. import units
from ..errors import InputError

#: joules since some moment in the past, by meter
Counter = Callable[[], Mapping[str, float]]


@dataclass(frozen=True)
class Measured:
    """What meters read: joules by device over some seconds; no device is no number, never zero.

    An estimate (a `Ledger`) is another type: comparing both is a study, adding them is a mistake and raises.
    """

    by_device: Mapping[str, float]
    seconds: float
    missing: tuple[str, ...] = ()  # meters that are not there, each with the reason

    @property
    def joules(self) -> float | None:
        """The sum over all meters; None where nothing was measured."""
        return sum(self.by_device.values()) if self.by_device else None

    @property
    def watts(self) -> float | None:
        """Mean power; None where nothing was measured."""
        return None if self.joules is None or self.seconds <= 0 else self.joules / self.seconds

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "joules": self.joules, "watts": self.watts, "seconds": self.seconds, "by_device": dict(self.by_device),
            "missing": list(self.missing),
        }  # fmt: skip

    def __add__(self, other: object) -> NoReturn:
        raise InputError("measured and estimated joules are never added: compare them instead")

    __radd__ = __add__

    def __str__(self) -> str:
        if self.joules is None:
            return f"not measured ({'; '.join(self.missing) or 'no meter'})"
        parts = ", ".join(f"{device} {units.joules(joules)}" for device, joules in self.by_device.items())
        gaps = f"; not measured: {'; '.join(self.missing)}" if self.missing else ""
        return f"measured {units.joules(self.joules)} in {units.si(self.seconds, 's')} ({parts}){gaps}"


@dataclass
class Meter:
    """What `metered()` hands out: its `reading` is there once the block has ended."""

    _reading: Measured | None = field(default=None, repr=False)

    @property
    def reading(self) -> Measured:
        """What was measured.

        Raises:
            InputError: the block has not ended.
        """
        if self._reading is None:
            raise InputError("the reading is there when the 'with' block has ended")
        return self._reading

    @property
    def joules(self) -> float | None:
        """The reading's joules; None where nothing was measured."""
        return self.reading.joules

    @property
    def seconds(self) -> float:
        """How long the block took."""
        return self.reading.seconds

    def __str__(self) -> str:
        return "still measuring" if self._reading is None else str(self._reading)


@contextmanager
def metered() -> Iterator[Meter]:
    """Read this machine's meters around a block: `with metered() as m: ...; print(m)`.

    Whatever else runs on the machine meanwhile is in the reading too.
    """
    counters, missing = _counters()
    meter = Meter()
    first = [counter() for counter in counters]
    started = time.perf_counter()
    try:
        yield meter
    finally:
        seconds = time.perf_counter() - started
        last = [counter() for counter in counters]
        spent = {
            name: max(after[name] - before[name], 0.0)
            for before, after in zip(first, last, strict=True)
            for name in before
            if name in after
        }
        meter._reading = Measured(spent, seconds, tuple(missing))


def _counters() -> tuple[list[Counter], list[str]]:
    """The meters of this machine, and why others are missing."""
    found: list[Counter] = []
    missing: list[str] = []
    for name, build in (("GPU", _nvml), ("CPU", _rapl)):
        try:
            found.append(build())
        except ImportError as error:
            missing.append(f"{name}: {error.name or 'a package'} is not installed (pip install 'spikeledger[measure]')")
        except Exception as error:  # a driver says no in many ways, and a program must not end for want of a meter
            missing.append(f"{name}: {' '.join(str(error).split()) or type(error).__name__}")
    return found, missing


def _nvml() -> Counter:
    import pynvml

    pynvml.nvmlInit()
    boards = [pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(pynvml.nvmlDeviceGetCount())]
    if not boards:
        raise RuntimeError("there is no NVIDIA board")

    def read() -> dict[str, float]:
        # millijoules since the driver was loaded
        return {
            f"gpu{index}": pynvml.nvmlDeviceGetTotalEnergyConsumption(board) * units.MILLI
            for index, board in enumerate(boards)
        }

    read()  # boards before Volta have no such counter, and say so now
    return read


def _rapl() -> Counter:
    from zeus.device.cpu import get_cpus

    packages = get_cpus()
    if not len(packages):
        raise RuntimeError("RAPL is not there")

    def read() -> dict[str, float]:
        book = {}
        for index in range(len(packages)):
            now = packages.get_total_energy_consumption(index)
            book[f"cpu{index}"] = now.cpu_mj * units.MILLI
            if now.dram_mj is not None:
                book[f"dram{index}"] = now.dram_mj * units.MILLI
        return book

    read()
    return read
