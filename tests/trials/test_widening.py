"""A network that was made wider answers as it did, and its new neurons learn."""

from __future__ import annotations

import pytest
import torch

import spikeledger as sl
from spikeledger.errors import InputError
from spikeledger.trials.widening import widened


def busy(*sizes: int, seed: int = 0) -> sl.SpikingNetwork:
    """A network whose neurons all spike now and then."""
    network = sl.zoo.mlp(30, *sizes, 4, timesteps=6, seed=seed)
    with torch.no_grad():
        for weight in network.parameters():
            weight.mul_(4)
    return network


@pytest.mark.parametrize("sizes", [((12, 7), (20, 9)), ((5,), (6,)), ((8, 8), (8, 8))])
def test_it_answers_as_before(sizes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    narrow, wide = (busy(*each, seed=n) for n, each in enumerate(sizes))
    inputs = torch.rand(16, 30, generator=torch.Generator().manual_seed(1))
    narrow.reseed(3)
    before = narrow(inputs)
    assert before.sum() > 0
    grown = widened(narrow, wide)
    grown.reseed(3)
    assert before.equal(grown(inputs))


def test_new_neurons_learn() -> None:
    wide = widened(busy(6), busy(10, seed=1))
    data = sl.Dataset.from_arrays(
        "any", torch.rand(64, 30), torch.arange(64) % 4, torch.rand(8, 30), torch.arange(8) % 4
    )
    before = wide.layers.fc2.weight.detach().clone()
    sl.fit(wide, data, epochs=2, validation=0.0, profile=None, progress=False)
    moved = (wide.layers.fc2.weight - before).abs()
    assert before[:, 6:].abs().max() < 1e-5 and bool((moved[:, 6:] > 1e-3).any())


def test_another_network_is_refused() -> None:
    for other in (sl.zoo.mlp(30, 5, 4, timesteps=6), sl.zoo.mlp(30, 9, 9, 4, timesteps=6)):
        with pytest.raises(InputError, match="can become wider"):
            widened(sl.zoo.mlp(30, 6, 4, timesteps=6), other)
