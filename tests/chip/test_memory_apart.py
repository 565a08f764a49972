"""A mapped or written network has weights of its own: the module that it came from may go on to learn, and be recorded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

import spikeledger as sl
from spikeledger.networks.nir import write_nir


def convolution() -> tuple[nn.Module, torch.Tensor]:
    net = nn.Sequential(
        sl.over_time(nn.Conv2d(1, 3, 3)), sl.LIF(0.9, threshold=0.2), nn.Flatten(2), nn.Linear(48, 4), sl.LIF(0.8)
    )
    return net, (torch.rand(5, 2, 1, 6, 6) < 0.4).float()


def perceptron() -> tuple[nn.Module, torch.Tensor]:
    return nn.Sequential(nn.Linear(12, 1), sl.LIF(0.9, threshold=0.3), nn.Linear(1, 5), sl.IF()), torch.ones(4, 3, 12)


@pytest.mark.parametrize("make", [convolution, perceptron])
def test_a_mapped_network_stays_as_it_was(make: Callable[[], tuple[nn.Module, torch.Tensor]]) -> None:
    torch.manual_seed(3)
    net, spikes = make()
    mapped = sl.map(net, spikes[:, :1], layout="TB")
    before = sl.simulate(mapped, spikes.numpy())
    with torch.no_grad():
        for weight in net.parameters():
            weight.mul_(-3)
    after = sl.simulate(mapped, spikes.numpy())
    assert {k: t.count for k, t in before.tallies.items()} == {k: t.count for k, t in after.tallies.items()}


def test_mapping_and_writing_leave_the_memory_of_the_weights_to_torch(tmp_path: Path) -> None:
    net, spikes = convolution()
    sl.map(net, spikes[:, :1], layout="TB")
    flat = nn.Sequential(nn.Linear(6, 4), sl.LIF(0.9, reset="zero"))
    pytest.importorskip("nir", reason="NIR is not installed")
    write_nir(flat, tmp_path / "flat.nir", dt=1e-3)
    held = [*net.parameters(), *flat.parameters(), *net.buffers(), *flat.buffers()]
    assert len(held) >= 6 and all(tensor.untyped_storage().resizable() for tensor in held)
