"""The memory bill's addresses of an ordinary convolution: inputs, outputs, and a kernel for each input channel once."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import spikeledger as sl
from spikeledger.hardware.catalog import load_profile


@pytest.mark.parametrize(("channels", "filters", "side", "bias"), [(3, 8, 8, True), (4, 5, 6, False), (1, 2, 5, True)])
def test_addresses_of_a_convolution(channels: int, filters: int, side: int, bias: bool) -> None:
    net = nn.Sequential(nn.Conv2d(channels, filters, 3, bias=bias), nn.ReLU())
    samples = 2
    activity = sl.record(net, torch.rand(samples, channels, side, side))
    kernel = (filters * channels * 9 + filters * bias) // channels
    moved = channels * side**2 + filters * (side - 2) ** 2 + kernel
    each = load_profile("horowitz-45nm").prices["address_op"].joules
    assert sl.price(activity, "horowitz-45nm", bill="memory").by_event()["address_op"] == pytest.approx(
        samples * moved * each
    )
