"""What an access to memory costs, by level, size and width.

A level charges `joules` for one access of `access_bits`. A number of fewer bits costs its share of it: wide words are
packed. Whoever reads one number an access sets `access_bits` to that number's width.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

from pydantic import Field, ValidationInfo, field_validator

from ..amounts import Amount
from ..errors import InputError
from .cited import Ranged, check_range

if TYPE_CHECKING:
    from .profile import Price


class Level(Ranged):
    """One level of memory: what fits, how wide an access is and what it costs; a write is taken to cost a read."""

    NOMINAL = "joules"
    name: str
    bytes: int = Field(ge=1)
    access_bits: int = Field(ge=1, le=1 << 20)
    joules: float
    low: float
    high: float
    on_chip: bool = True
    bytes_per_second: float | None = Field(default=None, gt=0)  # at its peak, to check the joules against the watts

    @field_validator("high")
    @classmethod
    def _ordered(cls, high: float, info: ValidationInfo) -> float:
        check_range(info.data.get("low"), info.data.get("joules"), high, "joules", most=1e-3)
        return high

    def __hash__(self) -> int:
        return hash((self.name, self.bytes, self.joules))  # enough, and cheap


@lru_cache(1 << 14)  # layers of one size ask for the same price, and a bill asks for thousands
def access(levels: tuple[Level, ...], held: float, bits: int) -> Price:
    """Joules of one number of `bits` in the smallest level that holds `held` bytes; the largest where none does.

    `joules = level.joules * bits / level.access_bits`
    """
    ordered = _ordered(levels)
    level = next((level for level in ordered if level.bytes >= held), ordered[-1])
    return _price(level, level.amount, bits, f"{level.name}, {bits} of {level.access_bits} bits")


@lru_cache(1 << 14)
def interpolated(levels: tuple[Level, ...], held: float, bits: int) -> Price:
    """The same on a line through the on-chip levels, for a macro that is as large as what it holds.

    Below the smallest level its price holds, above the largest the last slope goes on. After Lemaire et al. 2022.
    """
    ordered = [level for level in _ordered(levels) if level.on_chip]
    if len(ordered) < 2 or held <= ordered[0].bytes:
        return access(tuple(ordered) or levels, held, bits)
    below, above = next(((a, b) for a, b in pairwise(ordered) if held <= b.bytes), (ordered[-2], ordered[-1]))
    # joules * bytes / bytes = joules
    share = (held - below.bytes) / (above.bytes - below.bytes)
    small, large = below.amount * (above.access_bits / below.access_bits), above.amount
    if share <= 1:
        amount = Amount.sum(((1 - share, small), (share, large)))
    else:  # beyond the largest: that level's own number, as many times as the nominal line has grown
        amount = large * max(1.0, share + (1 - share) * small.nominal / large.nominal if large.nominal else 1.0)
    note = f"{held:,.0f} bytes between {below.name} and {above.name}, {bits} of {above.access_bits} bits"
    return _price(above, amount, bits, note)


def _ordered(levels: tuple[Level, ...]) -> list[Level]:
    if not levels:
        raise InputError("the profile has no [[memory]] levels: give it some, or a price for each access")
    return sorted(levels, key=lambda level: level.bytes)


def _price(level: Level, amount: Amount, bits: int, note: str) -> Price:
    from .profile import Price

    # made from numbers that were checked when the profile was loaded
    price = Price.model_construct(
        joules=0.0, low=0.0, high=0.0, kind=level.kind, source=level.source, note=note, scope="marginal", includes=(),
        id="", made_of={}, times=(),
    )  # fmt: skip
    return price.made(amount * (bits / level.access_bits))
