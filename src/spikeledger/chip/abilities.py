"""Hardware viability: which chips have what a neuron, a code, a connection or a learning rule needs.

What a chip has stands in its file, with a source: `[abilities]`, the `delay_steps` of its cores, and a price of a multiply.
Whether there is *room* is another question, which `fits` answers; how a membrane is reset is not judged.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from ..hardware.profile import HardwareProfile
from ..mapping.mapped import Mapped
from .device import Device, list_devices, load_device

#: what each need is, in words
NEEDS = {
    "leak": "a membrane that leaks a share of itself",
    "current": "a synaptic current that decays",
    "conductance": "synaptic conductances",
    "adaptation": "a threshold that adapts",
    "refractory": "a refractory time",
    "learning": "weights that change on the chip",
    "stdp": "pair STDP on the chip",
    "delay": "delays of synapses",
    "graded": "a price of multiplying graded values",
}

#: kind, what the book and the library call it, and what it needs of a chip
THINGS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("neuron", "integrate and fire: `sl.neurons.IF`", ()),
    ("neuron", "leaky: `sl.neurons.LIF`", ("leak",)),
    ("neuron", "with a synaptic current: `sl.neurons.Synaptic`", ("leak", "current")),
    ("neuron", "adaptive: `sl.neurons.AdaptiveLIF`", ("leak", "adaptation")),
    ("neuron", "with a refractory time: `sl.nef.LIF`", ("leak", "refractory")),
    ("neuron", "adaptive, with a refractory time: `sl.nef.AdaptiveLIF`", ("leak", "adaptation", "refractory")),
    ("neuron", "Diehl & Cook's", ("leak", "conductance", "adaptation", "refractory")),
    ("code", "rate: `sl.encoders.Rate`", ()),
    ("code", "latency: `sl.encoders.Latency`", ()),
    ("code", "delta, rises and falls as two inputs: `sl.encoders.Delta`", ()),
    ("code", "direct, and one push: `sl.encoders.Direct`, `Once`", ("graded",)),
    ("connection", "recurrent, lateral: `sl.neurons.Recurrent`", ()),
    ("connection", "delayed: `sl.neurons.Delay`", ("delay",)),
    ("learning rule", "any that the chip has", ("learning",)),
    ("learning rule", "pair STDP: `sl.plasticity.PairRule`", ("stdp",)),
    (
        "learning rule", "Diehl & Cook's: `sl.plasticity.learn`",
        ("leak", "conductance", "adaptation", "refractory", "stdp"),
    ),
)  # fmt: skip

Answer = Literal["yes", "no", "not stated"]


@dataclass(frozen=True)
class Row:
    """One thing and the answer of each chip: `yes`, `no`, or `not stated`; `missing` names what a `no` lacks."""

    kind: str
    thing: str
    needs: tuple[str, ...]
    answers: Mapping[str, Answer]
    missing: Mapping[str, tuple[str, ...]]


def viability(devices: Iterable[str | os.PathLike[str] | HardwareProfile | Device] | None = None) -> tuple[Row, ...]:
    """The table of every neuron, code, connection and learning rule, for the chips given, or all that are known.

    Raises:
        ProfileError: a device is no chip.
    """
    chips = [load_device(each) for each in (list_devices() if devices is None else devices)]
    rows = []
    for kind, thing, needs in THINGS:
        found: dict[str, dict[str, bool | None]] = {one.name: {need: has(one, need) for need in needs} for one in chips}
        missing = {chip: tuple(need for need, there in each.items() if there is False) for chip, each in found.items()}
        answers: dict[str, Answer] = {
            chip: "no" if missing[chip] else "not stated" if None in each.values() else "yes"
            for chip, each in found.items()
        }
        rows.append(Row(kind, thing, needs, answers, missing))
    return tuple(rows)


def has(chip: Device, need: str) -> bool | None:
    """Whether a chip's file says that it has something; None where it says nothing."""
    profile = chip.profile
    if need == "graded":
        return True if any("mac" in (event, *each.includes) for event, each in profile.prices.items()) else None
    if need == "delay":
        return True if chip.core.delay_steps else None
    return None if profile.abilities is None else need in profile.abilities.has


def lacks(network: Mapped, chip: Device) -> tuple[str, ...]:
    """What a mapped network needs and a chip's file says it has not, in words, with the populations that need it."""
    asked: dict[str, list[str]] = {}
    for name, one in network.populations.items():
        if one.spiking:
            for need, there in (
                ("leak", bool(np.any(np.asarray(one.beta) != 1))), ("current", one.alpha is not None),
                ("adaptation", one.rho is not None), ("refractory", one.refractory > 0),
            ):  # fmt: skip
                if there:
                    asked.setdefault(need, []).append(name)
    return tuple(
        f"{NEEDS[need]} ({', '.join(repr(name) for name in names)})"
        for need, names in asked.items()
        if has(chip, need) is False
    )


def to_dict(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """The rows as plain values."""
    return [
        {"kind": row.kind, "thing": row.thing, "needs": list(row.needs), "answers": dict(row.answers),
         "missing": {chip: list(needs) for chip, needs in row.missing.items() if needs}}
        for row in rows
    ]  # fmt: skip


def to_markdown(rows: Iterable[Row]) -> str:
    """The rows as a table, a column a chip."""
    found = list(rows)
    chips = list(found[0].answers)
    signs = {"yes": "yes", "no": "no", "not stated": "?"}
    lines = [f"| | | needs | {' | '.join(f'`{chip}`' for chip in chips)} |", "| --- " * (3 + len(chips)) + "|"]
    for row in found:
        cells = " | ".join(signs[row.answers[chip]] for chip in chips)
        lines.append(f"| {row.kind} | {row.thing} | {', '.join(row.needs) or 'nothing more'} | {cells} |")
    return "\n".join(lines)
