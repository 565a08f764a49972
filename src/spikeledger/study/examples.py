"""Samples to look at beside two networks' answers: the first, those that only one got right, and those that none did."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .one_network import Side

if TYPE_CHECKING:
    from torch import Tensor

#: so many are kept at most, and so many of each kind before the next kind's turn
MOST, EACH = 8, 3


@dataclass(frozen=True, eq=False)
class Example:
    """One test sample as it was given, its class, and what both networks answered."""

    number: int  # among the test samples, from 0
    values: NDArray[np.float32]  # [*N], or [T, *N] of a sequence
    truth: int
    ann: int
    snn: int
    sequence: bool = False


def examples(inputs: Tensor, ann: Side, snn: Side, *, sequences: bool = False) -> tuple[Example, ...]:
    """At most `MOST` of the test samples `[samples, *N]`, and fewer where the two agree on nearly all."""
    first = np.arange(len(inputs)) == 0
    kinds = (first, ann.right & ~snn.right, snn.right & ~ann.right, ~ann.right & ~snn.right)
    found = dict.fromkeys(int(number) for kind in kinds for number in np.flatnonzero(kind)[:EACH])
    return tuple(
        Example(
            number, np.asarray(inputs[number].detach().cpu(), np.float32), int(ann.labels[number]),
            int(ann.predictions[number]), int(snn.predictions[number]), sequences,
        )
        for number in list(found)[:MOST]
    )  # fmt: skip
