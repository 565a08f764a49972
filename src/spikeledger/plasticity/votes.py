"""From spikes to answers: which class a neuron stands for, and what neurons say together."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arguments import checked
from ..errors import InputError, unknown_name

#: how neurons vote
VOTES = ("rate", "proportion")


@checked
def label_neurons(spikes: NDArray[Any], labels: NDArray[Any], *, classes: int = 10) -> NDArray[np.float64]:
    """How much of its response each neuron gives to each class, `[neurons, classes]`; rows sum to 1, or are 0.

    `share[n, c] = mean spikes of n for digits of class c / the sum of it over classes`. The labels are the only ones that
    the network ever sees: take them from digits it learned, never from those it is tested on.

    Args:
        spikes: `[B, neurons]`.
        labels: `[B]`, in 0 .. classes - 1.
    """
    spikes, labels = np.asarray(spikes), np.asarray(labels)
    if spikes.ndim != 2 or labels.shape != spikes.shape[:1] or not np.issubdtype(labels.dtype, np.integer):
        raise InputError(
            f"labels are integers, one for each digit of spikes {list(spikes.shape)}, [B, neurons], not {labels.dtype} "
            f"{list(labels.shape)}"
        )
    if labels.size and not 0 <= labels.min() <= labels.max() < classes:
        raise InputError(f"labels lie in 0 .. {classes - 1}, not in {labels.min()} .. {labels.max()}")
    means = np.zeros((spikes.shape[1], classes))
    for each in range(classes):
        if (labels == each).any():
            means[:, each] = spikes[labels == each].mean(0)
    total = means.sum(1, keepdims=True)
    return np.divide(means, total, out=np.zeros_like(means), where=total > 0)


@checked
def vote(spikes: NDArray[Any], shares: NDArray[np.float64], *, by: str = "rate") -> NDArray[np.int64]:
    """The class of each digit `[B]`, from spikes `[B, neurons]` and the shares of `label_neurons`.

    `by="rate"` (the paper's): a neuron stands for the class of its largest share, and the class wins whose neurons fired
    most on average. `by="proportion"`: every spike counts for each class by its neuron's share, and the classes'
    sums are divided by the number of neurons that stand for each.
    """
    if by not in VOTES:
        raise unknown_name("vote", by, VOTES)
    spikes = np.asarray(spikes)
    if spikes.ndim != 2 or shares.ndim != 2 or spikes.shape[1] != len(shares):
        raise InputError(
            f"spikes {list(spikes.shape)} do not fit shares {list(shares.shape)}: give [B, neurons] and [neurons, classes]"
        )
    owners = np.argmax(shares, 1)
    mine = np.eye(shares.shape[1])[owners] * (shares.sum(1) > 0)[:, None]
    size = mine.sum(0)
    weights = mine if by == "rate" else shares
    scores = np.divide(spikes @ weights, size, out=np.zeros((len(spikes), len(size))), where=size > 0)
    return np.argmax(scores, 1)
