"""How far a run is from torch: nothing in float64, next to nothing in float32, a little in a chip's integers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import spikeledger as sl
from chip.networks import Recurrent, exact, spikes
from spikeledger.chip.device import load_device
from spikeledger.chip.simulate import run
from spikeledger.errors import InputError
from spikeledger.mapping.mapped import Mapped
from spikeledger.study.agreement import agreement


def trained_by_chance() -> tuple[nn.Module, torch.Tensor]:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(64, 128), sl.LIF(0.875), nn.Linear(128, 32), sl.LIF(0.875))
    return network, spikes(40, 10, 64)


def kept(network: nn.Module, inputs: torch.Tensor) -> list[str]:
    mapped: Mapped = sl.map(network, inputs)
    return [name for name, each in mapped.populations.items() if each.spiking]


def test_the_fewer_bits_the_more_spikes_differ() -> None:
    network, inputs = trained_by_chance()
    shares = {}
    for name in ("spinnaker-2", "loihi", "odin"):  # 16, 9 and 4 bits
        ran = run(network, inputs, load_device(name), precision="chip", keep=kept(network, inputs))
        found = agreement(ran, network, inputs)
        assert found.places == 40 * 10 * 160 and found.samples == 10 and 0 <= found.same_answers <= 10
        shares[name] = found.share
    assert 0 <= shares["spinnaker-2"] < shares["loihi"] < 0.05 < shares["odin"] < 1
    single = agreement(run(network, inputs, keep=kept(network, inputs)), network, inputs)
    assert single.share < 1e-3 and single.spikes > 1000


@pytest.mark.parametrize("build", [Recurrent, lambda: sl.zoo.mlp(12, 9, 4, timesteps=6)])
def test_exact_weights_and_doubles_agree(build: object) -> None:
    network = exact(build())  # type: ignore[operator]
    inputs = spikes(9, 5, 12) if isinstance(network, Recurrent) else torch.rand(5, 12)
    network.train()
    found = agreement(run(network, inputs, seed=3), network, inputs, seed=3, batch_size=256)
    assert found.differing == 0 and found.same_answers == 5 and found.spikes > 0 and network.training
    double, wide = trained_by_chance()
    ran = run(double.double(), wide.double(), precision="float64", keep=kept(double, wide))
    exactly = agreement(ran, double, wide.double())
    assert exactly.differing == 0 and np.array_equal(exactly.answers, ran.answers())


def test_another_network_is_refused() -> None:
    network, inputs = trained_by_chance()
    with pytest.raises(InputError, match="give the network that ran"):
        agreement(run(network, inputs), Recurrent(), inputs)
