"""How long does pricing take, by bill, for a thousand layers? Below 50 ms, without torch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from spikeledger.activity import Activity, Layer, Tally
from spikeledger.ledger import price


def thousand_layers() -> Activity:
    """500 weighted layers and 500 populations of 64 neurons."""
    layers, tallies = {}, {}
    rows = np.ones(64, np.int64)
    for index in range(500):
        weights, neurons = f"fc{index}", f"lif{index}"
        layers[weights] = Layer(weights, "linear", (64,), 64, 4096, 4160, 4160, inputs="spikes", magnitude=1.0)
        layers[neurons] = Layer(neurons, "neuron", (64,), 64, state=64, spiking=True)
        for layer, event, count in (
            (weights, "synaptic_op", 640),
            (weights, "dense_op", 4096),
            (neurons, "spike", 64),
            (neurons, "neuron_update", 640),
            (neurons, "active_update", 320),
        ):
            tallies[layer, event] = Tally(layer, event, count, rows * (count // 64))
    return Activity(layers, tallies, samples=1, timesteps=10)


@pytest.mark.parametrize("bill", ["ops-only", "memory", "full"])
def test_pricing_a_thousand_layers(benchmark: Any, bill: str) -> None:
    run = thousand_layers()
    assert benchmark(lambda: price(run, "horowitz-45nm", bill=bill).joules) > 0


def test_validation(benchmark: Any) -> None:
    from spikeledger.study.validation import validate

    assert benchmark(validate).share_inside() > 0.8
