"""How the outlook writes numbers for people."""

from __future__ import annotations

import math

from .. import units
from ..amounts import Amount

_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_WORDS = {3: "thousand", 6: "million", 9: "billion", 12: "trillion"}


def wh(joules: float) -> str:
    """Joules as watt-hours: `wh(3.6e9) == "1.00 MWh"`."""
    return units.si(joules / 3600, "Wh")


def wh_range(energy: Amount) -> str:
    """Joules as watt-hours with their range: `45.5 GWh [22.8 GWh to 62.0 GWh]`."""
    ends = "" if energy.certain else f" [{wh(energy.low)} to {wh(energy.high)}]"
    return wh(energy.nominal) + ends


def watts(power: float) -> str:
    """Watts, without zeros that say nothing: `watts(2e7) == "20 MW"`."""
    return short(units.si(power, "W"))


def short(quantity: str) -> str:
    """A quantity without the zeros behind its point: `short("20.0 MW") == "20 MW"`."""
    mantissa, _, unit = quantity.partition(" ")
    return f"{mantissa.rstrip('0').rstrip('.') if '.' in mantissa else mantissa} {unit}".rstrip()


def times(factor: float) -> str:
    """A factor with the digits that matter: `times(2.104) == "2.1×"`."""
    digits = f"{factor:,.0f}" if factor >= 10 else f"{factor:.2g}" if factor >= 1.1 else f"{factor:.3g}"
    return f"{digits}×"


def parameters(number: float) -> str:
    """A size: `parameters(1.8e12) == "1.8 T"`, with B for a billion as the field has it."""
    return short(units.si(number, "")).replace(" G", " B")


def power_of_ten(number: float) -> str:
    """A number as a multiple of a power of ten: `power_of_ten(5e13) == "5×10¹³"`, `power_of_ten(1e6) == "10⁶"`."""
    exponent = math.floor(math.log10(number) + 1e-9)
    mantissa = f"{number / 10**exponent:.2g}"
    raised = "10" + str(exponent).translate(_RAISED)
    return raised if mantissa == "1" else f"{mantissa}×{raised}"


def in_words(number: float) -> str:
    """A large number in words: `in_words(2.5e9) == "2.5 billion"`."""
    exponent = min(max(math.floor(math.log10(number) / 3) * 3, 0), max(_WORDS))
    return f"{number / 10**exponent:.3g} {_WORDS[exponent]}" if exponent else f"{number:.3g}"
