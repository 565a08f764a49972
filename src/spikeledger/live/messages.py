"""What a page may ask a server for: two questions, and nothing else is a question."""

from __future__ import annotations

import json
from dataclasses import dataclass

from ..errors import InputError

#: characters of one message; a drawing of 64 x 64 levels has some 30,000
LONGEST = 65_536
#: numbers that a message may hold: seeds and turns
_MOST = 2**31


@dataclass(frozen=True)
class Asked:
    """One question: a sample of the data by its place, or a drawing `[height * width]` in 0..1."""

    turn: int
    seed: int
    sample: int = -1
    pixels: tuple[float, ...] = ()


def asked(text: str, *, samples: int, pixels: int) -> Asked:
    """Read a message; `samples` are how many there are, `pixels` how many a drawing has (0: there are no drawings).

    Raises:
        InputError: anything that is not one of the two questions, in one sentence.
    """
    if len(text) > LONGEST:
        raise InputError(f"a message of {len(text):,} characters: at most {LONGEST:,} are read")
    try:
        found = json.loads(text, parse_constant=_none)
    except (ValueError, RecursionError) as error:
        raise InputError("a message that is no JSON") from error
    if not isinstance(found, dict):
        raise InputError("a message that is no JSON object")
    kind = found.get("ask")
    fields = {"sample": {"ask", "turn", "seed", "sample"}, "drawing": {"ask", "turn", "seed", "pixels"}}
    if not isinstance(kind, str) or kind not in fields or set(found) != fields[kind]:
        raise InputError(
            "a question needs to be {ask: sample, turn, seed, sample} or {ask: drawing, turn, seed, pixels}"
        )
    turn, seed = _whole(found["turn"], "turn", _MOST), _whole(found["seed"], "seed", _MOST)
    if kind == "sample":
        return Asked(turn, seed, sample=_whole(found["sample"], "sample", samples))
    values = found["pixels"]
    if not pixels:
        raise InputError("these networks read no drawings")
    if not isinstance(values, list) or len(values) != pixels:
        raise InputError(f"a drawing needs {pixels} numbers")
    if not all(isinstance(one, int | float) and not isinstance(one, bool) and 0 <= one <= 1 for one in values):
        raise InputError("a drawing needs numbers in 0..1")
    return Asked(turn, seed, pixels=tuple(map(float, values)))


def turn_of(text: str) -> int | None:
    """Which question a refused message was, where it says so."""
    try:
        return _whole(json.loads(text, parse_constant=_none)["turn"], "turn", _MOST)
    except (ValueError, RecursionError, KeyError, TypeError, InputError):
        return None


def _whole(value: object, name: str, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < most:
        raise InputError(f"{name} needs to be a whole number from 0 to below {most:,}")
    return value


def _none(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")
