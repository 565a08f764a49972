"""Event-driven networks count their own words; the account is that of the plain network, to the last integer."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

import spikeledger as sl
from spikeledger.kernels.choice import runs_native
from spikeledger.networks.event_driven import EventDriven

pytestmark = pytest.mark.skipif(not runs_native(torch.zeros(1)), reason="the native core was not built")


def layers(shape: str) -> list[nn.Module]:
    torch.manual_seed(0)
    if shape == "perceptron":
        parts: list[nn.Module] = [nn.Linear(40, 70), sl.LIF(threshold=0.3), nn.Dropout(0.5), nn.Linear(70, 10), sl.IF()]
    elif shape == "read-out":
        parts = [nn.Linear(40, 70, bias=False), sl.LIF(threshold=0.3), nn.Linear(70, 10)]
    elif shape == "neurons first":
        parts = [sl.LIF(threshold=0.5), nn.Linear(40, 9), sl.LIF(threshold=0.1, learn_beta=True)]
    elif shape in ("wide", "wide and pooled", "wide, no neurons", "one-dimensional"):
        first = sl.over_time(nn.Conv2d(8, 48, (1, 3), padding="same", bias=False))
        second = sl.over_time(nn.Conv2d(48, 64, (1, 3), stride=2))
        parts = [nn.Unflatten(2, (8, 1, 5)), first, sl.LIF(threshold=0.4), second, sl.IF()]
        if shape == "wide and pooled":
            parts = [*parts[:3], sl.over_time(nn.MaxPool2d((1, 2), 1)), *parts[3:]]
        if shape == "wide, no neurons":
            parts = [*parts[:3], nn.Dropout(), second]
        if shape == "one-dimensional":
            parts = [nn.Unflatten(2, (8, 5)), sl.over_time(nn.Conv1d(8, 96, 3, padding=1)), sl.LIF(threshold=0.4),
                     sl.over_time(nn.Conv1d(96, 64, 3)), sl.LIF(), nn.Flatten(2), nn.Linear(192, 7)]  # fmt: skip
    else:
        conv = sl.over_time(nn.Conv2d(1, 3, 3, padding=1))
        parts = [nn.Unflatten(2, (1, 5, 8)), conv, sl.LIF(threshold=0.2), nn.Flatten(2), nn.Linear(120, 10), sl.IF()]
        if shape == "pooled":
            parts[3:5] = [sl.over_time(nn.AvgPool2d(2)), nn.Flatten(2), nn.Linear(24, 10)]
    with torch.no_grad():
        for part in parts:
            for weight in part.parameters():
                weight.copy_(torch.round(weight * 64) / 64)  # sums are exact in any order
    return parts


SHAPES = ["perceptron", "read-out", "neurons first", "convolution", "pooled"]
WIDE = ["wide", "wide and pooled", "wide, no neurons", "one-dimensional"]


@pytest.mark.parametrize("shape", SHAPES + WIDE)
@pytest.mark.parametrize("graded", [False, True])
def test_bits_count_like_floats(shape: str, graded: bool) -> None:
    x = (torch.rand(6, 5, 40, generator=torch.Generator().manual_seed(1)) < 0.3).float()
    x = x * 0.5 if graded else x
    found = []
    for kind in (nn.Sequential, EventDriven):
        network = kind(*layers(shape)).eval()
        with torch.no_grad():
            expected = network(x)
            with sl.recording(network) as recorder:
                out = network(x[:, :3])
                again = network(x[:, 3:])
        assert torch.equal(torch.cat([out, again], 1), expected)
        found.append(recorder.activity(samples=5, timesteps=6))
    plain, bits = found
    assert any(sum(tally.per_neuron) > 0 for key, tally in plain.tallies.items() if tally.per_neuron is not None)
    assert not plain.uncounted and not bits.uncounted
    assert plain.layers == bits.layers
    for name in plain.layers:
        assert dataclasses.asdict(plain.layer(name)) == dataclasses.asdict(bits.layer(name))
    assert plain.tallies.keys() == bits.tallies.keys()
    for key, tally in plain.tallies.items():
        assert tally.count == bits.tallies[key].count, key
        if tally.per_neuron is not None:
            assert np.array_equal(tally.per_neuron, bits.tallies[key].per_neuron)
    for name, row in plain.spikes_per_step.items():
        assert np.array_equal(row, bits.spikes_per_step[name])
        assert np.array_equal(plain.rasters[name], bits.rasters[name])
