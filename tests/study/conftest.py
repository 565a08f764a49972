"""Small activities made by hand, so that a law can be tried on any counts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from spikeledger.activity import Activity, Layer, Tally


def activity(*, samples: int, timesteps: int, spiking: bool, **counts: int) -> Activity:
    """One weighted layer `fc` and one population behind it, with these counts."""
    fc = Layer("fc", "linear", (4,), outputs=3, synapses=12, parameters=15, inputs="spikes" if spiking else "graded")
    behind = Layer("behind", "neuron" if spiking else "activation", (3,), outputs=3, state=3, spiking=spiking)
    homes = {"spike": "behind", "neuron_update": "behind", "active_update": "behind", "activation": "behind"}
    tallies = {}
    for event, count in counts.items():
        layer = homes.get(event, "fc")
        rows = np.array([count, 0, 0], np.int64) if layer == "behind" else None
        tallies[layer, event] = Tally(layer, event, count, rows)
    return Activity({"fc": fc, "behind": behind}, tallies, samples=samples, timesteps=timesteps)


@pytest.fixture
def make_ann() -> Callable[..., Activity]:
    def make(samples: int = 10, macs: int = 12, **counts: int) -> Activity:
        dense = {"dense_op": samples * macs, "mac": samples * macs // 2, "activation": 3 * samples}
        return activity(samples=samples, timesteps=1, spiking=False, **{**dense, **counts})

    return make


@pytest.fixture
def make_snn() -> Callable[..., Activity]:
    def make(samples: int = 10, timesteps: int = 5, synaptic_ops: int = 240, spikes: int = 40) -> Activity:
        steps = samples * timesteps
        return activity(
            samples=samples, timesteps=timesteps, spiking=True, dense_op=12 * steps, synaptic_op=synaptic_ops,
            neuron_update=3 * steps, active_update=2 * steps, spike=spikes,
        )  # fmt: skip

    return make


@pytest.fixture(scope="session")
def digits() -> Any:
    from spikeledger.datasets import load_dataset

    return load_dataset("digits").subset(train=200, test=60)
