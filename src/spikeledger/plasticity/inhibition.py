"""Lateral inhibition: neurons that silence each other, so that the one that is driven most speaks for all."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arguments import checked
from ..errors import InputError


@checked
def compete(current: ArrayLike, *, inhibition: float, decay: float = 0.9, threshold: float = 1.0) -> NDArray[np.bool_]:
    """Spikes `[T, N]` of LIF neurons, each of which takes `inhibition` off all others in the step after its spike.

        v <- decay v + current - inhibition (spikes of all - own),  v > threshold: a spike, v <- 0

    Without inhibition each follows its own current; with more of it the strongest silences the rest.
    """
    currents = np.asarray(current, np.float64)
    if currents.ndim != 2 or not np.isfinite(currents).all():
        raise InputError(f"currents are finite numbers [T, N], not {list(currents.shape)}")
    if not 0 <= decay <= 1 or not np.isfinite(inhibition) or inhibition < 0:
        raise InputError(f"a decay lies in 0 .. 1 and an inhibition is at least 0, not {decay:g} and {inhibition:g}")
    v, fired = np.zeros(currents.shape[1]), np.zeros(currents.shape[1], bool)
    spikes = np.zeros(currents.shape, bool)
    for t, now in enumerate(currents):
        v = decay * v + now - inhibition * (fired.sum() - fired)
        fired = v > threshold
        v[fired] = 0
        spikes[t] = fired
    return spikes
