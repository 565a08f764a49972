"""compare(ann, snn, data) -> Comparison: accuracy, operations, joules, and a verdict that survives the ranges."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..activity import Activity
from ..errors import InputError, UnpricedError, unknown_name
from ..hardware.profile import HardwareProfile
from .accuracy import McNemar, mcnemar
from .matches import Match
from .opponent import Opponents, fair_opponents
from .pairing import check_rate, match, pair
from .sides import Side

if TYPE_CHECKING:
    from torch import nn

    from ..datasets import Dataset

#: version of the dictionaries that `Comparison.to_dict` gives
SCHEMA = "spikeledger-comparison/1"
DEFAULT_PROFILES = ("horowitz-45nm", "loihi", "v100")


@dataclass(frozen=True, eq=False)
class Comparison:
    """An ANN against an SNN on the same samples: who is right how often, and who costs less on which device."""

    data: str  # name of the data set
    classes: tuple[str, ...]
    ann: Side
    snn: Side
    mcnemar: McNemar
    matches: tuple[Match, ...]  # one a profile or pair, in the order asked for
    rate_hz: float
    seed: int
    opponents: Opponents | None = None  # the ANN as anybody would build it; None where `fair` finds no fair price

    @property
    def samples(self) -> int:
        """How many samples both networks answered."""
        return self.ann.samples

    def match(self, name: str) -> Match:
        """One row by the profile's name, or `ann_profile:snn_profile`."""
        for one in self.matches:
            if one.name == name:
                return one
        raise unknown_name("profile of this comparison", name, [one.name for one in self.matches])

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values, with a versioned schema."""
        return {
            "schema": SCHEMA, "data": self.data, "classes": list(self.classes), "samples": self.samples,
            "seed": self.seed, "rate_hz": self.rate_hz, "ann": self.ann.to_dict(), "snn": self.snn.to_dict(),
            "mcnemar": {"only_ann": self.mcnemar.only_ann, "only_snn": self.mcnemar.only_snn, "p": self.mcnemar.p},
            "matches": [one.to_dict() for one in self.matches],
            "opponents": None if self.opponents is None else self.opponents.to_dict(),
        }  # fmt: skip

    def rows(self) -> Iterator[tuple[str, ...]]:
        """Devices, joules per sample of ANN and SNN, ANN / SNN and verdict, as people read them."""
        from .summary import rows

        return rows(self.to_dict())

    def show(self) -> None:
        """Print a plain table."""
        from .summary import show

        show(self.to_dict())

    def _repr_html_(self) -> str:
        from .summary import html

        return html(self.to_dict())

    def __repr__(self) -> str:
        return (
            f"Comparison({self.data}, {self.samples:,} samples: "
            f"ANN {self.ann.accuracy:.2%}, SNN {self.snn.accuracy:.2%}; "
            + "; ".join(f"{one.name}: {one.verdict}" for one in self.matches)
            + ")"
        )


def compare(
    ann: nn.Module,
    snn: nn.Module,
    data: Dataset,
    *,
    profiles: Sequence[str | HardwareProfile] = DEFAULT_PROFILES,
    samples: int | None = None,
    rate_hz: float = 1.0,
    bill: str | None = None,
    seed: int = 0,
    opponent: str | HardwareProfile | None = None,
    allow_uncounted: bool = False,
    batch_size: int = 512,
    names: tuple[str, str] = ("ANN", "SNN"),
    progress: Callable[[int, int], None] | None = None,
) -> Comparison:
    """Run both networks on the test samples of a data set, count, price and judge: `compare(ann, snn, data)`.

    Args:
        ann: an ordinary network; takes samples `[B, *N]`, gives scores `[B, classes]`.
        snn: a spiking network.
        data: a data set; its test samples are used.
        profiles: names, files or profiles, or `"ann_profile:snn_profile"` to price the two on different devices.
        samples: how many test samples, drawn with `seed`; all of them by default.
        rate_hz: inferences per second, for the joules of a day.
        bill: which events are charged; each profile's own by default (as-published ones always keep theirs).
        opponent: where the ANN is priced if a profile runs no ANN; by default the first one in `profiles` that does.
        allow_uncounted: price although something was not counted; the totals are then lower bounds.
        progress: called with samples done and samples in all, of both networks together.

    Raises:
        InputError: networks swapped, samples that do not fit them, unknown names.
        ProfileError: a profile that does not load.
    """
    from .observing import observe

    check_rate(rate_hz)
    if isinstance(profiles, (str, HardwareProfile)):
        profiles = [profiles]
    pairs = pair(profiles, opponent)
    part = data if samples is None else data.subset(test=samples, seed=seed)
    count = len(part.test_labels)
    sides = []
    for index, (network, kind) in enumerate(((ann, "ann"), (snn, "snn"))):
        note = None if progress is None else (lambda done, total, at=index * count: progress(at + done, 2 * count))
        sides.append(
            observe(
                network, part.test_inputs, part.test_labels, kind="snn" if kind == "snn" else "ann", name=names[index],
                classes=len(part.classes), seed=seed, batch_size=batch_size, progress=note,
            )
        )  # fmt: skip
    if sides[0].activity.spiking and not sides[1].activity.spiking:
        raise InputError("the first network has spiking neurons and the second has none: call compare(ann, snn, data)")
    return Comparison(
        data=part.name, classes=tuple(part.classes), ann=sides[0], snn=sides[1],
        mcnemar=mcnemar(sides[0].right, sides[1].right),
        matches=tuple(
            match(
                sides[0].activity, sides[1].activity, ann_device, snn_device, name=name, bill=bill, rate_hz=rate_hz,
                allow_uncounted=allow_uncounted,
            )
            for name, ann_device, snn_device in pairs
        ),
        rate_hz=rate_hz, seed=seed,
        opponents=fair(sides[0].activity, sides[1].activity, allow_uncounted=allow_uncounted),
    )  # fmt: skip


def fair(ann: Activity, snn: Activity, *, allow_uncounted: bool = False) -> Opponents | None:
    """The fair opponents of a comparison, on the whole bill of their own profiles, whatever bill it was asked for.

    None where there are none: the first network is spiking or has no weights, or something was not counted and lower
    bounds were not asked for.
    """
    if ann.spiking or not ann.total("dense_op") or ((ann.uncounted or snn.uncounted) and not allow_uncounted):
        return None
    try:
        return fair_opponents(ann, snn)
    except UnpricedError:
        return None
