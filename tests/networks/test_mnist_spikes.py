"""Sums in another order may turn a spike that was near its threshold: how many do, in a network trained on MNIST."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

import spikeledger as sl
from spikeledger.errors import DataError
from spikeledger.kernels.choice import native

pytestmark = [pytest.mark.slow, pytest.mark.skipif(native() is None, reason="the native core is not built")]

MOST = 1e-4  # share of the spikes of hidden and output neurons
IMAGES = 1000


def differing(layers: nn.Sequential, sequence: Tensor) -> tuple[int, int]:
    """Neurons and steps at which plain torch and events differ, and spikes of plain torch, hidden layer and output."""
    different = spikes = 0
    for depth in (2, 4):
        with torch.no_grad():
            events = sl.event_driven(nn.Sequential(*list(layers)[:depth]))(sequence)
            with sl.backend("reference"):
                plain = nn.Sequential(*list(layers)[:depth])(sequence)
        different += int((events != plain).sum())
        spikes += int(plain.sum())
    return different, spikes


def test_of_a_trained_networks_spikes_almost_all_are_the_references() -> None:
    try:
        data = sl.load_dataset("mnist")
    except DataError as error:
        pytest.skip(str(error))
    network = sl.zoo.build("mlp-s", (1, 28, 28), 10, timesteps=20)
    few = replace(data, train_inputs=data.train_inputs[:6000], train_labels=data.train_labels[:6000])
    sl.fit(network, few, epochs=1, progress=False)
    network.reseed(0)
    assert network.encoder is not None
    sequence = network.encoder(data.test_inputs[:IMAGES]).flatten(2)
    dense = nn.Sequential(*(layer for layer in network.layers if not isinstance(layer, nn.Flatten)))
    different, spikes = differing(dense, sequence)
    print(f"{different} of {spikes:,} spikes differ")
    assert spikes > 100_000
    assert different <= MOST * spikes
