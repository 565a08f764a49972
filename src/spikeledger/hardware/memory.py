"""What an access to memory costs, by level, size, width and how many numbers are read in a row.

A level charges `joules` for one access of `access_bits`. Numbers that lie in a row are read together, in whole
accesses: 128 numbers of 8 bits are 16 accesses of 64 bits, and one alone is a whole one. Whoever reads one number an
access sets `access_bits` to that number's width. What does not fit a level lies in the next one, share by share.
"""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import pairwise

from pydantic import Field, ValidationInfo, field_validator

from ..amounts import Amount
from ..errors import InputError
from .cited import Ranged, check_range
from .identities import Price


class Level(Ranged):
    """One level of memory: what fits, how wide an access is and what it costs; a write is taken to cost a read."""

    NOMINAL = "joules"
    name: str
    bytes: int = Field(ge=1, le=1 << 60)
    access_bits: int = Field(ge=1, le=1 << 20)
    burst_bits: int = Field(default=0, ge=0, le=1 << 20)  # the least that is moved at once; 0: one access
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
        return self.bytes  # enough, and cheap


@lru_cache(1 << 14)  # layers of one size ask for the same price, and a bill asks for thousands
def access(levels: tuple[Level, ...], held: float, bits: int, run: int = 0) -> tuple[tuple[float, Price], ...]:
    """Joules of one number of `bits` out of `held` bytes, as pairs of a share and a price: one pair a level.

    The smallest level that holds everything has all of it. Where no level on the chip does, the largest one there is
    full and the rest lies off the chip, or where it must: `share = level.bytes / held`.

    `joules = level.joules * ceil(run * bits / burst) * burst / run / level.access_bits`, `burst` the bits that are moved
    at once; `run` numbers lie in a row, 0 stands for so many that nothing is moved in vain.
    """
    ordered = _ordered(levels)
    fits = [level for level in ordered if level.bytes >= held]
    chip = [level for level in ordered if level.on_chip and level.bytes < held]
    # a larger memory on the chip holds all of it: no need to leave
    if fits and (fits[0].on_chip or not chip):
        return ((1.0, _of_run(fits[0], bits, run)),)
    if not chip:
        return ((1.0, _of_run(ordered[-1], bits, run)),)
    inside, outside = chip[-1], fits[0] if fits else ordered[-1]
    share = inside.bytes / held
    if outside is inside:
        return ((1.0, _of_run(inside, bits, run)),)
    return ((share, _of_run(inside, bits, run)), (1 - share, _of_run(outside, bits, run)))


@lru_cache(1 << 14)
def interpolated(levels: tuple[Level, ...], held: float, bits: int) -> Price:
    """Joules of one packed number on a line through the on-chip levels, for a macro as large as what it holds.

    Below the smallest level its price holds, above the largest the last slope goes on. After Lemaire et al. 2022.
    """
    ordered = [level for level in _ordered(levels) if level.on_chip]
    if len(ordered) < 2 or held <= ordered[0].bytes:
        return _of_run(ordered[0], bits, 0) if ordered else access(levels, held, bits)[-1][1]
    below, above = next(((a, b) for a, b in pairwise(ordered) if held <= b.bytes), (ordered[-2], ordered[-1]))
    # joules * bytes / bytes = joules
    share = (held - below.bytes) / (above.bytes - below.bytes) if above.bytes > below.bytes else 1.0
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


def _of_run(level: Level, bits: int, run: int) -> Price:
    """One number of `bits` where `run` of them lie in a row."""
    burst = max(level.burst_bits, level.access_bits)
    # bits/number, with what the last burst moves in vain
    moved = math.ceil(run * bits / burst) * burst / run if run else bits
    note = f"{level.name}, {moved:.4g} of {level.access_bits} bits"
    return _price(level, level.amount, moved, note)


def _price(level: Level, amount: Amount, bits: float, note: str) -> Price:
    # made from numbers that were checked when the profile was loaded
    price = Price.model_construct(
        joules=0.0, low=0.0, high=0.0, kind=level.kind, source=level.source, note=note, scope="marginal", includes=(),
        id="", made_of={}, times=(),
    )  # fmt: skip
    return price.made(amount * (bits / level.access_bits))
