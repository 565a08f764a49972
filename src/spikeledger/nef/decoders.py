"""Decoders: the weights with which the rates of a population say a value again."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arguments import checked
from ..errors import InputError


@checked
def solve(activities: ArrayLike, targets: ArrayLike, *, noise: float = 0.1) -> NDArray[np.float64]:
    """Decoders `[N, D]` by regularised least squares, from activities `[M, N]` (Hz) and targets `[M, D]`.

        (A'A + m sigma^2 I) D = A'Y,   sigma = noise x the largest activity

    Solved in the smaller of the two spaces, of neurons or of samples. `noise` is the share of the largest rate that
    activities are expected to be wrong by: spikes are a noisy rate.

    Source: Eliasmith & Anderson 2003, chapter 2; the same as nengo's LstsqL2.
    """
    rates, values = np.asarray(activities, np.float64), np.asarray(targets, np.float64)
    if rates.ndim != 2 or values.ndim != 2 or len(rates) != len(values) or not rates.size:
        raise InputError(
            f"activities [M, N] and targets [M, D] belong to the same samples, not {list(rates.shape)} and "
            f"{list(values.shape)}"
        )
    if not (np.isfinite(rates).all() and np.isfinite(values).all()) or noise < 0:
        raise InputError("activities and targets must be finite numbers, and the noise at least 0")
    most = rates.max()
    if most <= 0:
        raise InputError("no neuron is active at any sample: give other maximum rates or intercepts")
    samples, neurons = rates.shape
    # samples * Hz^2 on the diagonal
    more = samples * (noise * most) ** 2
    if neurons <= samples:
        gram = rates.T @ rates
        np.fill_diagonal(gram, gram.diagonal() + more)
        right = rates.T @ values
    else:
        gram = rates @ rates.T
        np.fill_diagonal(gram, gram.diagonal() + more)
        right = values
    try:
        solved = np.linalg.solve(gram, right)
    except np.linalg.LinAlgError as error:
        raise InputError("neurons that are alike have no one solution without noise: give noise above 0") from error
    return np.asarray(solved if neurons <= samples else rates.T @ solved, np.float64)
