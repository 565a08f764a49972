"""A recording keeps counts, never activations."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import spikeledger as sl

#: outside of the modules, since a recording puts their attributes back as they were
SEEN: dict[str, list[Any]] = {}
ALIVE: dict[str, list[int]] = {}


class Probe(nn.Module):
    """Passes its input on and remembers it weakly."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        SEEN[name], ALIVE[name] = [], []

    def forward(self, values: Tensor) -> Tensor:
        gc.collect()
        ALIVE[self.name].append(sum(one() is not None for one in SEEN[self.name]))
        SEEN[self.name].append(weakref.ref(values))
        return values


@pytest.mark.parametrize("pooling", ["fold", "separate"])
def test_no_activation_outlives_its_batch(pooling: Any) -> None:
    probes = [Probe(name) for name in "abcd"]
    network = nn.Sequential(
        sl.over_time(nn.Conv2d(1, 4, 3, padding=1)), probes[0], sl.LIF(0.9, threshold=0.2), probes[1],
        sl.over_time(nn.AvgPool2d(2)), nn.Flatten(2), probes[2], nn.Linear(64, 10), sl.LIF(0.9, threshold=0.2), probes[3],
    )  # fmt: skip
    inputs = (torch.rand(5, 24, 1, 8, 8) < 0.3).float()
    activity = sl.record(network, inputs, batch_size=4, pooling=pooling)
    gc.collect()
    assert activity.total("spike") > 0
    for probe in probes:
        assert len(SEEN[probe.name]) >= 6
        assert ALIVE[probe.name][-1] <= 1  # at most the one of the batch before, which is about to go
        assert not any(one() is not None for one in SEEN[probe.name])
