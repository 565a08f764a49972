"""A population that fires less sends less of everything that its spikes cause, and nothing else changes."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import spikeledger as sl
from spikeledger.study.advice import quieter

FACTOR = 0.5


@pytest.mark.parametrize("chip", ["loihi", "spinnaker-2"])
def test_quieter_neurons_send_fewer_packets_over_fewer_hops(chip: str) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(20, 1500), sl.LIF(0.9, threshold=0.2), nn.Linear(1500, 5), sl.LIF(0.9, threshold=0.2))
    run = sl.simulate(net, (torch.rand(6, 4, 20) < 0.3).float(), chip)
    less = quieter(run, "1", FACTOR)
    assert run.total("packet", "1") > 100
    for layer, event in run.tallies:
        caused = (layer == "1" and event in ("spike", "packet", "hop")) or (layer == "2" and event == "synaptic_op")
        expected = run.total(event, layer) * (FACTOR if caused else 1)
        assert less.total(event, layer) == pytest.approx(expected, rel=0.01, abs=800 if caused else 0)
