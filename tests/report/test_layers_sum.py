"""A picture of the layers shows all of the joules, however many layers share a row."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import spikeledger as sl
from spikeledger.hardware.catalog import load_profile
from spikeledger.report.energy import _by_layer
from spikeledger.study.device_pairs import match


@pytest.mark.parametrize("depth", [1, 3, 4, 5, 12])
def test_rows_sum_to_the_whole(depth: int) -> None:
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for _ in range(depth):
        layers += [nn.Linear(8, 8), sl.LIF(0.9, threshold=0.3)]
    snn = sl.record(nn.Sequential(*layers), (torch.rand(5, 4, 8) < 0.5).float())
    ann = sl.record(nn.Sequential(nn.Linear(8, 8), nn.ReLU()), torch.rand(4, 8))
    for name in ("horowitz-45nm", "loihi"):
        device = load_profile(name)
        other = device if "ann" in device.runs else load_profile("v100")
        cost = match(ann, snn, other, device).snn
        rows = _by_layer(cost)
        assert cost.ledger is not None and len(rows) <= 9
        assert sum(value for _, value in rows) == pytest.approx(cost.ledger.joules / cost.ledger.samples)
