"""What training makes small: losses by name, and penalties on rates, synaptic operations and joules.

`sl.fit(net, data, loss="first_spike", penalties=[sl.losses.joules("loihi", target=1e-7)])`
"""

from __future__ import annotations

from .named import (
    LOSSES,
    SHARPNESS,
    SPIKE_LOSSES,
    Loss,
    count_cross_entropy,
    count_mean_square,
    first_spike_cross_entropy,
    loss,
    mean_square,
    mean_square_to,
    membrane_maximum,
    rate_cross_entropy,
    reads_membranes,
)
from .penalties import Penalty, joules, spike_rate, synops

__all__ = [
    "LOSSES",
    "SHARPNESS",
    "SPIKE_LOSSES",
    "Loss",
    "Penalty",
    "count_cross_entropy",
    "count_mean_square",
    "first_spike_cross_entropy",
    "joules",
    "loss",
    "mean_square",
    "mean_square_to",
    "membrane_maximum",
    "rate_cross_entropy",
    "reads_membranes",
    "spike_rate",
    "synops",
]
