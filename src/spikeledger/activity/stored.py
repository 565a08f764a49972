"""What a weighted layer keeps: the same facts, whoever made the account."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

#: how many numbers an array holds, and how many of them are not zero
Held = tuple[int, int]


class Stored(NamedTuple):
    """Numbers that a layer stores, zeros included, and those that are not zero; its weights are those that multiply."""

    parameters: int = 0
    nonzero_parameters: int = 0
    weights: int = 0
    nonzero_weights: int = 0

    @classmethod
    def of(cls, weights: Iterable[Held], biases: Iterable[Held] = ()) -> Stored:
        """From each array of weights, and each of biases."""
        (w, nonzero_w), (b, nonzero_b) = (
            (sum(held for held, _ in each), sum(nonzero for _, nonzero in each))
            for each in (list(weights), list(biases))
        )
        return cls(w + b, nonzero_w + nonzero_b, w, nonzero_w)
