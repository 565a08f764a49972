"""Networks as counts: one spiking, one ordinary, with the facts that bills ask for."""

from __future__ import annotations

import numpy as np
import pytest

from spikeledger.activity import Activity, Layer
from spikeledger.study.counts import activity_from_events, activity_from_spikes


@pytest.fixture
def snn() -> Activity:
    """20-8-4 over 5 steps and 2 samples."""
    rows = np.arange(8) * 2
    return activity_from_spikes(
        [(20, 8), (8, 4)], [rows, [1, 2, 3, 4]], timesteps=5, samples=2, input_spikes=30, layer_names=["hidden", "out"]
    )


@pytest.fixture
def ann() -> Activity:
    """20-8-4 with a quarter of its activations not zero."""
    layers = {
        "fc1": Layer("fc1", "linear", (20,), 8, 160, 168, 168, inputs="graded"),
        "relu": Layer("relu", "activation", (8,), 8),
        "fc2": Layer("fc2", "linear", (8,), 4, 32, 36, 36, inputs="graded"),
    }
    events = {
        "fc1": {"dense_op": 320, "mac": 80, "bias_add": 16},
        "relu": {"activation": 16},
        "fc2": {"dense_op": 64, "mac": 16, "bias_add": 8},
    }
    return activity_from_events(events, samples=2, layers=layers)
