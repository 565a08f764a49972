"""Who pays for the read-out: nobody, where sums of sent spikes are given back and no layer or neuron goes on with them.

Additions of nothing but sent spikes have a name each. A network's answer holds the names of all additions behind it: those
are read by whoever asked. A name that a layer, a neuron or the program itself went on with is part of the network and is
charged. An encoder's side is in `populations`: it only sends, and its spikes are priced as anybody's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from .origins import Origin


@dataclass
class ReadOut:
    """The additions of sent spikes so far, and which of them were given back or gone on with."""

    sums: dict[str, tuple[str, int]] = field(default_factory=dict)  # a name: its place and its additions
    answered: set[str] = field(default_factory=set)  # those that the network gave back
    spent: set[str] = field(default_factory=set)  # and those that a layer or a neuron went on with

    def name(self, place: str, operator: str, found: Sequence[Origin], count: int) -> frozenset[str]:
        """The name of additions, which may be a read-out; none if anything but sent spikes is among them."""
        if not _only_sent(found):
            return frozenset()
        name = f"{place} {operator} {'+'.join(sorted({origin.source for origin in found if origin.source}))}"
        self.sums[name] = place, self.sums.get(name, ("", 0))[1] + count
        return frozenset([name])

    def answer(self, origin: Origin | None) -> None:
        """The network gives these values back."""
        if origin is not None:
            self.answered |= origin.sums

    def spend(self, origin: Origin | None) -> None:
        """Something of the network goes on with these values: what came to them is no read-out."""
        if origin is not None and origin.sums:
            self.spent |= origin.sums

    def free(self) -> dict[str, int]:
        """Additions of each place that read the answer, which nobody pays for: they are no part of the network."""
        free: dict[str, int] = {}
        for name in self.answered - self.spent:
            place, count = self.sums[name]
            free[place] = free.get(place, 0) + count
        return free


def _only_sent(found: Sequence[Origin]) -> bool:
    """Whether values that meet are spikes that were sent, or made of nothing else."""
    moving = [origin for origin in found if origin.kind not in ("constant", "zero")]
    return bool(moving) and all(one.sums or (one.kind == "spikes" and one.suspect is None) for one in moving)
