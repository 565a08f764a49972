"""Networks of equal accuracy: of several networks a side, the cheapest that are good enough, at the widths of their devices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from torch import nn

from .. import units
from ..errors import InputError
from ..hardware.catalog import load_profile
from ..hardware.profile import HardwareProfile
from .widths import at_width

if TYPE_CHECKING:
    from ..datasets import Dataset


@dataclass(frozen=True)
class Candidate:
    """One network of a side: what it answers and costs at the width of its device."""

    name: str
    accuracy: float
    joules: float  # a sample


@dataclass(frozen=True)
class EqualAccuracy:
    """The cheapest network of each side within some points of the accuracy that both sides reach."""

    ann: Candidate
    snn: Candidate
    accuracy: float  # that the better networks of both sides reach
    points: float
    anns: tuple[Candidate, ...]
    snns: tuple[Candidate, ...]
    profile: str  # that they are priced on, or `ann_profile:snn_profile`

    @property
    def ratio(self) -> float:
        """SNN / ANN joules a sample."""
        return self.snn.joules / self.ann.joules

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {**asdict(self), "ratio": self.ratio, "says": str(self)}

    def __str__(self) -> str:
        return (
            f"within {self.points:g} points of {100 * self.accuracy:.2f} %, which both sides reach at the widths of "
            f"{self.profile}, "
            f"the cheapest ANN is {self.ann.name} ({100 * self.ann.accuracy:.2f} %, {units.joules(self.ann.joules)} a sample) "
            f"and the cheapest SNN {self.snn.name} ({100 * self.snn.accuracy:.2f} %, {units.joules(self.snn.joules)}): "
            f"SNN / ANN {self.ratio:.3g}"
        )


def equal_accuracy(
    anns: Mapping[str, nn.Module],
    snns: Mapping[str, nn.Module],
    data: Dataset,
    *,
    profile: str | HardwareProfile,
    opponent: str | HardwareProfile | None = None,
    points: float = 1.0,
    samples: int | None = None,
    bill: str | None = None,
    seed: int = 0,
) -> EqualAccuracy:
    """Compare the cheapest networks that are good enough: `equal_accuracy({"s": ann}, {"T=2": a, "T=5": b}, data,
    profile="horowitz-45nm-int8")`.

    Every network is measured at the width of its device. Both sides reach `min(best ANN, best SNN)`; of each side the
    cheapest network within `points` percentage points of that is taken.

    Args:
        profile: where the spiking networks are priced, and the ordinary ones unless `opponent` is given.
    """
    from ..ledger import price
    from .device_pairs import check_points
    from .observing import observe

    if not anns or not snns:
        raise InputError("a side has no network: give at least one of each")
    check_points(points)
    part = data if samples is None else data.subset(test=samples, seed=seed)
    machines = load_profile(opponent or profile), load_profile(profile)
    found: list[list[Candidate]] = []
    for kind, networks, machine in zip(("ann", "snn"), (anns, snns), machines, strict=True):
        found.append([])
        for name, network in networks.items():
            side = observe(
                network, part.test_inputs, part.test_labels, kind="ann" if kind == "ann" else "snn", name=name,
                classes=len(part.classes), seed=seed,
            )  # fmt: skip
            answers = at_width(network, part, machine.precision, seed=seed)
            joules = price(side.activity, machine, bill=bill).joules_per_sample
            found[-1].append(Candidate(name, answers.accuracy, joules))
    return cheapest(found[0], found[1], points, machines[0], machines[1])


def cheapest(
    anns: Sequence[Candidate],
    snns: Sequence[Candidate],
    points: float,
    ann_device: HardwareProfile,
    snn_device: HardwareProfile,
) -> EqualAccuracy:
    """Of each side the candidate of the fewest joules within `points` of `min(best ANN, best SNN)`."""
    reached = min(max(one.accuracy for one in side) for side in (anns, snns))
    ann, snn = (
        min((one for one in side if one.accuracy >= reached - points / 100 - 1e-12), key=lambda one: one.joules)
        for side in (anns, snns)
    )
    where = dict.fromkeys((ann_device.name, snn_device.name))
    return EqualAccuracy(ann, snn, reached, points, tuple(anns), tuple(snns), ":".join(where))
