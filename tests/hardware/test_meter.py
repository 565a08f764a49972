"""Meters: what is there is read, what is not there is said, and a reading is never an estimate."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import pytest

import spikeledger as sl
from spikeledger.errors import InputError
from spikeledger.hardware.meter import Measured, metered


def module(name: str, **names: object) -> ModuleType:
    made = ModuleType(name)
    made.__dict__.update(names)
    return made


@pytest.fixture
def no_meters(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("pynvml", "zeus", "zeus.device", "zeus.device.cpu"):
        monkeypatch.setitem(sys.modules, name, None)


def board(monkeypatch: pytest.MonkeyPatch, readings: list[int]) -> None:
    fake = module(
        "pynvml", nvmlInit=lambda: None, nvmlDeviceGetCount=lambda: 1, nvmlDeviceGetHandleByIndex=lambda index: index,
        nvmlDeviceGetTotalEnergyConsumption=lambda handle: readings.pop(0) if len(readings) > 1 else readings[0],
    )  # fmt: skip
    monkeypatch.setitem(sys.modules, "pynvml", fake)


def test_without_a_meter_nothing_is_measured(no_meters: None) -> None:
    with metered() as meter:
        assert str(meter) == "still measuring"
        with pytest.raises(InputError, match="has ended"):
            _ = meter.reading
    assert meter.joules is None
    assert meter.reading.watts is None
    assert meter.seconds > 0
    assert str(meter).startswith("not measured (GPU: pynvml is not installed")
    assert meter.reading.to_dict()["joules"] is None


def test_a_board_is_read_before_and_after(no_meters: None, monkeypatch: pytest.MonkeyPatch) -> None:
    board(monkeypatch, [500, 1000, 3500])  # the first proves that the counter is there
    with sl.metered() as meter:
        pass
    assert meter.reading.by_device == {"gpu0": pytest.approx(2.5)}
    assert meter.joules == pytest.approx(2.5)
    assert "measured 2.50 J" in str(meter)
    assert "not measured: CPU" in str(meter)


def test_packages_and_memory_are_read(no_meters: None, monkeypatch: pytest.MonkeyPatch) -> None:
    readings = iter([(0.0, None), (1000.0, None), (4000.0, None)])

    class Packages:
        def __len__(self) -> int:
            return 1

        def get_total_energy_consumption(self, index: int) -> SimpleNamespace:
            cpu, dram = next(readings)
            return SimpleNamespace(cpu_mj=cpu, dram_mj=dram)

    for name in ("zeus", "zeus.device"):
        monkeypatch.setitem(sys.modules, name, module(name))
    monkeypatch.setitem(sys.modules, "zeus.device.cpu", module("zeus.device.cpu", get_cpus=Packages))
    with metered() as meter:
        pass
    assert meter.reading.by_device == {"cpu0": pytest.approx(3.0)}


def test_a_driver_that_refuses_is_a_reason(no_meters: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise RuntimeError("Driver Not Loaded")

    monkeypatch.setitem(sys.modules, "pynvml", module("pynvml", nvmlInit=refuse))
    with metered() as meter:
        pass
    assert "Driver Not Loaded" in str(meter)


def test_the_reading_survives_an_error_in_the_block(no_meters: None) -> None:
    with pytest.raises(ZeroDivisionError), metered() as meter:
        _ = 1 / 0
    assert meter.joules is None


def test_measured_and_estimated_are_never_added() -> None:
    measured = Measured({"gpu0": 1.0}, 1.0)
    for add in (lambda: measured + 1.0, lambda: 1.0 + measured, lambda: sum([measured])):
        with pytest.raises(InputError, match="never added"):
            add()
