"""A population in which nothing happened is one with counts of 0, and not one of which nothing is known."""

from __future__ import annotations

import torch

from spikeledger.ledger import price
from spikeledger.networks import zoo
from spikeledger.recording.record import record


def test_what_never_fired_has_counts_of_nought() -> None:
    activity = record(zoo.mlp(9, 7, 3, timesteps=4, threshold=50.0, bias=False), torch.rand(2, 9))
    for name in ("layers.neuron_fc1", "layers.neuron_fc2"):
        assert activity.tallies[name, "spike"].count == 0
    assert activity.tallies["layers.neuron_fc2", "active_update"].count == 0
    assert activity.total("neuron_update") == 2 * 4 * 10


def test_neurons_without_input_cost_nothing_where_only_input_moves_them() -> None:
    snn = zoo.mlp(9, 7, 3, timesteps=4, threshold=50.0, bias=False)
    one = price(record(snn, torch.rand(1, 9)), "seneca-22nm")
    silent = price(record(snn, torch.zeros(1, 9)), "seneca-22nm")
    charged = [entry for entry in one.entries if entry.event in ("neuron_update", "active_update")]
    assert {entry.layer for entry in charged} == {"layers.neuron_fc1"}
    assert not [entry for entry in silent.entries if entry.event in ("neuron_update", "active_update")]
