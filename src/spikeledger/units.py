"""SI constants and how quantities are written: storage is always SI, prefixes exist for people only.

The one place where ``1e-12`` is written.
"""

from __future__ import annotations

import math

PICO = 1e-12
NANO = 1e-9
MICRO = 1e-6
MILLI = 1e-3

JOULES_PER_KWH = 3.6e6
SECONDS_PER_DAY = 86_400.0
#: volts of a lithium-ion cell, nominal: what turns joules into battery milliampere-hours
BATTERY_VOLTS = 3.7

_PREFIXES = {
    -24: "y", -21: "z", -18: "a", -15: "f", -12: "p", -9: "n", -6: "µ", -3: "m",
    0: "", 3: "k", 6: "M", 9: "G", 12: "T", 15: "P", 18: "E",
}  # fmt: skip


def si(value: float, unit: str, digits: int = 3) -> str:
    """Write a quantity with an SI prefix and ``digits`` significant digits: ``si(8.3e-11, "J") == "83.0 pJ"``."""
    if value == 0:
        return f"0 {unit}".rstrip()
    if not math.isfinite(value):
        return f"{value} {unit}".rstrip()
    exponent = math.floor(math.log10(abs(value)) / 3) * 3
    exponent = min(max(exponent, min(_PREFIXES)), max(_PREFIXES))
    mantissa = f"{value / 10.0**exponent:.{digits}g}"
    if "e" in mantissa or abs(float(mantissa)) >= 1000:  # 999.96 rounds up into the next prefix
        exponent = min(exponent + 3, max(_PREFIXES))
        mantissa = f"{value / 10.0**exponent:.{digits}g}"
    if "e" not in mantissa:
        whole = len(mantissa.lstrip("-").split(".")[0])
        mantissa = f"{value / 10.0**exponent:.{max(digits - whole, 0)}f}"
    return f"{mantissa} {_PREFIXES[exponent]}{unit}".rstrip()


def joules(value: float) -> str:
    """Write joules for people: ``joules(8.3e-11) == "83.0 pJ"``."""
    return si(value, "J")


def plural(number: int, noun: str) -> str:
    """`1 spike`, `1,330 spikes`."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def kwh(value_joules: float) -> float:
    """Kilowatt-hours of some joules: ``E / 3.6e6``."""
    return value_joules / JOULES_PER_KWH


def battery_milliampere_hours(value_joules: float) -> float:
    """Charge that some joules take from a lithium-ion cell: ``E / (3.7 V * 3.6 C/mAh)``."""
    return value_joules / (BATTERY_VOLTS * 3.6)


def duration(seconds: float) -> str:
    """A time as people say it: `40 s`, `12 min`, `3 h 20 min`, `2 d 4 h`."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 100:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min"
    return f"{hours // 24} d {hours % 24} h"
