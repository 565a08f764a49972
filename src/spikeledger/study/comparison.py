"""compare(ann, snn, data) -> Comparison: accuracy, operations and joules of both, and a verdict that survives the ranges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .accuracy import McNemar
from .matches import Match
from .sides import Side

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

    @property
    def samples(self) -> int:
        """How many samples both networks answered."""
        return self.ann.samples

    def match(self, name: str) -> Match:
        """One row by the profile's name, or `ann_profile:snn_profile`."""
        from ..errors import unknown_name

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
        }  # fmt: skip
