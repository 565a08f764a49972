"""Counts of the zoo's networks, kept: they may only change together with a reason.

Weights and inputs are small multiples of powers of two, so that every sum is exact on every machine. To write the table
anew: `python tests/recording/test_golden.py`.
"""

from __future__ import annotations

import math
import tomllib
from pathlib import Path

import pytest
import torch

import spikeledger as sl

TABLE = Path(__file__).with_name("golden.toml")
CASES = {
    "mlp-s": (1, 28, 28),
    "mlp-m": (1, 28, 28),
    "mlp-l": (1, 28, 28),
    "cnn-s": (3, 16, 16),
    "cnn-m": (3, 16, 16),
}
EVENTS = ("spike", "synaptic_op", "mac", "dense_op", "bias_add", "neuron_update", "active_update", "pool_read")


def counts(name: str, pooling: str) -> dict[str, int]:
    shape = CASES[name]
    network = sl.zoo.build(name, shape, 10, encoder="latency", timesteps=4, neuron="if")
    with torch.no_grad():
        for number, weight in enumerate(network.parameters()):
            places = torch.arange(weight.numel(), dtype=torch.int64)
            scale = 2.0 ** -(1 + round(math.log2(max(weight[0].numel(), 1)) / 2))
            values = ((places * 7919 + number * 31) % 127 - 47).double() / 64 * scale
            weight.copy_(values.reshape(weight.shape))
    pixels = torch.arange(2 * math.prod(shape), dtype=torch.int64)
    images = ((pixels * 2654435761) % 97 / 97).reshape(2, *shape)
    activity = sl.record(network, images.float(), pooling=pooling)  # type: ignore[arg-type]
    assert not activity.uncounted
    return {event: activity.total(event) for event in EVENTS if activity.total(event)}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("pooling", ["fold", "separate"])
def test_the_zoo_counts_as_it_did(name: str, pooling: str) -> None:
    kept = tomllib.loads(TABLE.read_text())
    assert counts(name, pooling) == kept[name][pooling]


if __name__ == "__main__":
    lines = ["# Counts of the zoo's networks: 2 samples, 4 steps, latency code, IF neurons (see test_golden.py)."]
    for name in CASES:
        for pooling in ("fold", "separate"):
            rows = ", ".join(f"{event} = {count}" for event, count in counts(name, pooling).items())
            lines.append(f"{name}.{pooling} = {{ {rows} }}")
    TABLE.write_text("\n".join(lines) + "\n")
