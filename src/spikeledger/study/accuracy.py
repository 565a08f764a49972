"""How good the answers are, and whether the difference between two networks could be chance."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError

#: standard normal quantile of a two-sided 95 % interval
Z_95 = 1.959963984540054


@dataclass(frozen=True)
class McNemar:
    """McNemar's exact test on paired answers: samples that only one network got right, and how likely that split is.

    `p = min(1, 2 sum_{k <= min(b, c)} C(b + c, k) / 2^(b + c))`, two-sided, of `b` and `c` samples that only the ANN
    and only the SNN got right. Source: McNemar 1947, doi:10.1007/BF02295996, in its exact binomial form.
    """

    only_ann: int
    only_snn: int
    p: float

    @property
    def differs(self) -> bool:
        """Whether the difference is significant at 5 %."""
        return self.p < 0.05


def mcnemar(ann_right: NDArray[np.bool_], snn_right: NDArray[np.bool_]) -> McNemar:
    """McNemar's exact test for two networks' right answers `[samples]` on the same samples."""
    if ann_right.shape != snn_right.shape:
        raise InputError(f"paired answers are needed, but there are {ann_right.size} and {snn_right.size}")
    only_ann, only_snn = int((ann_right & ~snn_right).sum()), int((snn_right & ~ann_right).sum())
    split, way, ways = only_ann + only_snn, 1, 0
    for k in range(min(only_ann, only_snn) + 1):
        ways += way
        way = way * (split - k) // (k + 1)  # C(n, k) -> C(n, k + 1), exact in integers
    return McNemar(only_ann, only_snn, float(min(1.0, (2 * ways << 64) // (1 << split) / 2**64)))


def wilson(right: int, samples: int) -> tuple[float, float]:
    """95 % Wilson score interval of a share: `(p + z²/2n ± z sqrt(p(1-p)/n + z²/4n²)) / (1 + z²/n)`.

    Source: Wilson 1927, doi:10.1080/01621459.1927.10502953.
    """
    if not 0 <= right <= samples or samples == 0:
        raise InputError(f"{right} right answers of {samples} samples have no share: give at least one sample")
    share, squared = right / samples, Z_95**2 / samples
    centre = share + squared / 2
    spread = Z_95 * math.sqrt(share * (1 - share) / samples + squared / (4 * samples))
    return max(0.0, (centre - spread) / (1 + squared)), min(1.0, (centre + spread) / (1 + squared))


def confusion(labels: NDArray[np.int64], answers: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    """How often each class `[truth, answer]` was answered: int64 `[classes, classes]`."""
    table = np.zeros((classes, classes), np.int64)
    np.add.at(table, (labels, answers), 1)
    return table


def decision_step(by_step: NDArray[np.int64]) -> float:
    """Mean step (from 1) from which on a sample's answer did not change any more, of answers `[T, samples]`."""
    changed = by_step != by_step[-1]
    steps = np.arange(1, len(by_step) + 1)[:, None]
    return float((np.where(changed, steps, 0).max(0) + 1).mean())
