"""A fair opponent: the ordinary network priced as well as anybody would build it, beside the spiking one.

Dense and zero-skipping, in fp32, fp16, int8 and with 8-bit weights and the ceil(log2(T + 1)) bits of an activation that
T steps of spikes can carry, each fetched operand used as often as the layer and a small array allow, on the same
technology; and on real GPUs and CPUs at batch 1 and at a full batch. The spiking network stands there in every dataflow,
and on boards with a launch for all steps or for each. After Yan, Bai, Tang & Wong (arXiv:2409.08290, version 4) and
Dampfhoffer et al. (doi:10.1109/TETCI.2022.3214509). What the opponent answers at its width: `study.widths`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .. import units
from ..activity import Activity
from ..amounts import Amount
from ..bills import DATAFLOWS
from ..bills.dataflow import open_dataflow
from ..errors import InputError, UncountedError
from ..hardware.catalog import load_profile
from ..hardware.profile import HardwareProfile
from ..hardware.variants import (
    at_batch,
    at_bits,
    by_step,
    once_at_first,
    skipping,
    with_dataflow,
    with_reuse,
)  # fmt: skip
from ..ledger import Ledger, price
from ..shown import Shown
from .breakeven import PUBLISHED_LINES, PublishedLine, events_per_synapse
from .verdicts import Verdict, verdict

#: the same technology at other widths
PRECISIONS: Mapping[str, str | HardwareProfile] = {
    "fp32": "horowitz-45nm",
    "fp16": "horowitz-45nm-fp16",
    "int8": "horowitz-45nm-int8",
}
#: an operand is fetched once for at most this many operations: 1 is none, 16 a small systolic array
REUSES = (1.0, 16.0)
#: share of the peak that a GPU reaches with one sample in flight
_ALONE = 0.01


@dataclass(frozen=True)
class Opponent:
    """One way to run the ordinary network (or the spiking one), and what a sample costs there."""

    label: str
    network: str  # "ann" or "snn"
    precision: str
    zeros: str
    reuse: float
    ledger: Ledger

    @property
    def joules(self) -> Amount:
        """Joules a sample."""
        return self.ledger.per_sample

    @property
    def on_board(self) -> bool:
        """Whether it runs on a device that draws static power, and not on a technology's operations alone."""
        return self.ledger.profile.static is not None

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "label": self.label, "network": self.network, "precision": self.precision, "zeros": self.zeros,
            "reuse": self.reuse, "profile": self.ledger.profile.name, "joules": self.joules.nominal,
            "low": self.joules.low, "high": self.joules.high,
        }  # fmt: skip


@dataclass(frozen=True, repr=False)
class Opponents(Shown):
    """All of them, with the spiking network's own events per synapse and the lines that others published."""

    rows: tuple[Opponent, ...]
    snn: tuple[Opponent, ...]
    events_per_synapse: float
    bits: int
    lines: tuple[PublishedLine, ...] = PUBLISHED_LINES

    @property
    def best(self) -> Opponent:
        """The opponent that costs least a sample on the technology: the one to beat."""
        alike = [row for row in self.rows if not row.on_board]
        return min(alike or self.rows, key=lambda row: row.ledger.joules_per_sample)

    @property
    def twins(self) -> tuple[Opponent, ...]:
        """The spiking network on the technology at each width, in the dataflow that costs it least there."""
        found: dict[str, Opponent] = {}
        for row in self.snn:
            before = found.get(row.precision, row)
            if not row.on_board:
                found[row.precision] = min(before, row, key=lambda one: one.ledger.joules_per_sample)
        return tuple(found.values())

    @property
    def twin(self) -> Opponent:
        """The spiking network at the width of the best opponent, in the dataflow that costs it least."""
        same = [row for row in self.twins if row.precision == self.best.precision]
        return min(same or self.twins or self.snn, key=lambda row: row.ledger.joules_per_sample)

    @property
    def verdict(self) -> Verdict:
        """Who costs less, the best opponent or the spiking network at its width, each price being one for both."""
        return verdict(self.best.joules, self.twin.joules)

    @property
    def brief(self) -> str:
        """The same in a line."""
        label = self.best.label.replace(", ", " ")
        return f"against the cheapest fair opponent ({label}): {self.verdict}"

    def __str__(self) -> str:
        return (
            f"the cheapest fair opponent ({self.best.label}) costs {self.best.joules} a sample, the SNN in "
            f"{self.twin.precision} {self.twin.joules}: {self.verdict}"
        )

    def __repr__(self) -> str:
        return f"Opponents({self})"

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values."""
        return {
            "events_per_synapse": self.events_per_synapse, "bits": self.bits, "best": self.best.label,
            "verdict": self.verdict.text, "judged": self.verdict.to_dict(), "says": str(self),
            "opponents": [row.to_dict() for row in self.rows], "snn": [row.to_dict() for row in self.snn],
            "published_lines": [vars(line) for line in self.lines],
        }  # fmt: skip

    def table(self) -> Iterator[tuple[str, str, str, str]]:
        """Network, how it runs, joules a sample and their range, as people read them."""
        for row in (*self.snn, *self.rows):
            numbers = row.to_dict()
            spread = f"{units.joules(numbers['low'])} to {units.joules(numbers['high'])}"
            yield row.network.upper(), row.label, units.joules(numbers["joules"]), spread


def fair_opponents(
    ann: Activity,
    snn: Activity,
    *,
    technology: Mapping[str, str | HardwareProfile] = PRECISIONS,
    boards: Sequence[str | HardwareProfile] = ("v100", "xeon-e5-2630"),
    reuses: Sequence[float] = REUSES,
) -> Opponents:
    """Price an ordinary network in every fair way, and its spiking twin on the same technology at the same widths.

    Args:
        ann: activity of the ordinary network (with `dense_op` and `mac`).
        snn: activity of the spiking one; its timesteps give the bits of the matched width.
        technology: profiles of one node by width; the matched width is scaled from `int8`, where there is one.
        boards: GPUs and CPUs, each priced at its own batch and at batch 1.
    """
    if ann.spiking or not ann.total("dense_op"):
        raise InputError("the opponent is an ordinary network with weights: record it, not a spiking one")
    bits = math.ceil(math.log2(max(snn.timesteps, 1) + 1))
    widths = {name: load_profile(profile) for name, profile in technology.items()}
    if "int8" in widths and bits < 8:
        widths[f"int8x{bits}"] = at_bits(widths["int8"], 8, activations=bits)
    rows: list[Opponent] = []
    spiking: list[Opponent] = []
    for name, device in widths.items():
        spiking += _in_every_dataflow(snn, name, device)
        for reuse in reuses:
            for zeros, words in (("none", "dense"), ("all", "zero-skipping")):
                machine = with_reuse(skipping(device, zeros), reuse)  # type: ignore[arg-type]
                label = f"{name}, {words}, " + (f"operands used up to {reuse:g} times" if reuse > 1 else "no reuse")
                rows.append(Opponent(label, "ann", name, words, reuse, _total(ann, machine)))
    for board in boards:
        device = load_profile(board)
        alone = at_batch(device, 1, utilisation=min(_ALONE, device.timing.utilisation) if device.timing else None)
        for machine in (device, alone) if device.timing and device.timing.batch > 1 else (device,):
            batch = machine.timing.batch if machine.timing else 1
            label = f"{machine.title.split(', batch')[0]}, batch {batch}"
            precision = f"{device.precision.arithmetic}{device.precision.weight_bits}"
            rows.append(Opponent(label, "ann", precision, "dense", 1.0, _total(ann, machine)))
            launched = [("all steps in a launch", machine)]
            if machine.timing and machine.timing.seconds_per_layer:
                launched.append(("a launch each step", by_step(machine)))
            for words, one in launched:
                spiking.append(Opponent(f"{label}, {words}", "snn", precision, "none", 1.0, _total(snn, one)))
    return Opponents(tuple(rows), tuple(spiking), events_per_synapse(ann, snn), bits)


def _in_every_dataflow(snn: Activity, name: str, device: HardwareProfile) -> Iterator[Opponent]:
    """The spiking network on a technology, by dataflow; with a constant graded input multiplied once, too."""
    kept = snn.analog_layers and snn.timesteps > 1
    for machine in (device, once_at_first(device)) if kept else (device,):
        once = ", first layer once" if machine is not device else ""
        for flow in DATAFLOWS if open_dataflow(machine) else ("",):
            one = with_dataflow(machine, flow) if flow else machine
            try:
                ledger = _total(snn, one)
            except UncountedError:
                continue  # dense operations of a layer are not known
            yield Opponent(f"{name}, {flow or 'its own dataflow'}{once}", "snn", name, "spikes", 1.0, ledger)


def _total(activity: Activity, device: HardwareProfile) -> Ledger:
    return price(activity, device, allow_uncounted=True)
