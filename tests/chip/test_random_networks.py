"""Random torch networks, with all that a chip can map: simulator, torch and recorder agree to the last spike and event."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import spikeledger as sl
from chip.networks import exact, spikes
from chip.test_simulator import agree
from spikeledger.chip import machine
from spikeledger.chip.simulate import run


class Loop(nn.Module):
    """Neurons that hear themselves one step later."""

    def __init__(self, size: int, neurons: nn.Module) -> None:
        super().__init__()
        self.into, self.around, self.neurons = nn.Linear(size, 6), nn.Linear(6, 6, bias=False), neurons

    def forward(self, sequence: Tensor) -> Tensor:
        fired = sequence.new_zeros(1, sequence.shape[1], 6)
        state, found = self.neurons.rest(fired), []
        for x in sequence.split(1):
            fired, state = self.neurons(self.into(x) + self.around(fired), state)
            found.append(fired)
        return torch.cat(found)


class Skip(nn.Module):
    """Two ways into the same neurons, one of them late by some steps."""

    def __init__(self, first: nn.Module, second: nn.Module, neurons: nn.Module, delay: int) -> None:
        super().__init__()
        self.first, self.second, self.neurons, self.delay = first, second, neurons, delay

    def forward(self, sequence: Tensor) -> Tensor:
        quiet = sequence.new_zeros(self.delay, *sequence.shape[1:])
        late = torch.cat([quiet, sequence])[: len(sequence)]
        return self.neurons(self.first(sequence) + self.second(late))


def random_network(seed: int) -> tuple[nn.Module, tuple[int, ...]]:
    """Convolutions, poolings, loops, skips and delays in a random order, and the shape of one sample."""
    rng = np.random.default_rng(seed)

    def neurons() -> nn.Module:
        beta, alpha, rho = (float(number) / 8 for number in rng.integers((4, 0, 2), (9, 7, 8)))
        options = {
            "threshold": float(rng.integers(2, 5)) / 2, "reset": str(rng.choice(["subtract", "zero"])),
            "reset_delay": bool(rng.random() < 0.3), "refractory": int(rng.integers(1, 4)) if rng.random() < 0.3 else 0,
        }  # fmt: skip
        kind = rng.choice(["lif", "synaptic", "adaptive", "both"])
        if kind == "lif":
            return sl.LIF(beta, **options)
        if kind == "synaptic":
            return sl.Synaptic(alpha, beta, **options)
        return sl.AdaptiveLIF(beta, rho, 0.25, alpha=alpha if kind == "both" else None, **options)

    channels, side = int(rng.integers(1, 4)), int(rng.integers(6, 10))
    shape, layers, averaged = (
        (channels, side, side),
        [],
        False,
    )  # the recorder folds an average into one layer behind it
    for _ in range(int(rng.integers(0, 3))):
        width, pad = int(rng.integers(1, 5)), int(rng.integers(0, 2))
        stride = int(rng.integers(1, 3))
        kinds = [
            sl.over_time(nn.Conv2d(channels, width, 3, stride, pad, bias=bool(b))) for b in (rng.random() < 0.5, 0)
        ]
        late = int(rng.integers(0, 4))
        layers += [Skip(*kinds, neurons(), late)] if not averaged and rng.random() < 0.4 else [kinds[0], neurons()]
        channels, side, averaged = width, (side + 2 * pad - 3) // stride + 1, False
        if side >= 4 and (pooled := rng.choice(["max", "average", "overlapping", ""])):
            if pooled == "overlapping":
                layers.append(sl.over_time(nn.MaxPool2d(3, 2, 1)))
                side = (side - 1) // 2 + 1
            else:
                layers.append(sl.over_time(nn.MaxPool2d(2) if pooled == "max" else nn.AvgPool2d(2)))
                side, averaged = side // 2, bool(pooled == "average")
        if side < 3:
            break
    layers.append(nn.Flatten(2))
    size = channels * side * side
    for _ in range(int(rng.integers(1, 3))):
        kind = "plain" if averaged else rng.choice(["plain", "loop", "skip"])
        if kind == "loop":
            layers.append(Loop(size, neurons()))
        elif kind == "skip":
            layers.append(Skip(nn.Linear(size, 6), nn.Linear(size, 6, bias=False), neurons(), int(rng.integers(0, 4))))
        else:
            layers += [nn.Linear(size, 6), neurons()]
        size, averaged = 6, False
    return exact(nn.Sequential(*layers), seed=seed, pruned=float(rng.choice([0.0, 0.6]))).eval(), shape


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), rate=st.sampled_from([0.03, 0.2]))
def test_simulator_torch_and_recorder_agree_on_random_networks(seed: int, rate: float) -> None:
    network, shape = random_network(seed)
    inputs = spikes(8, 2, *shape, seed=seed, rate=rate)
    with torch.no_grad():
        expected = network(inputs).numpy()
    ran = run(network, inputs)
    assert np.array_equal(ran.output, expected.reshape(ran.output.shape))
    agree(ran.activity, sl.record(network, inputs))


@pytest.mark.skipif(machine.native is None, reason="the native core was not built")
def test_random_networks_are_of_every_kind() -> None:
    """The generator above is worth something only if it makes all that it says, and networks that fire."""
    seen, fired = set(), 0
    for seed in range(60):
        network, shape = random_network(seed)
        seen |= {type(module).__name__ for module in network.modules()}
        fired += bool(run(network, spikes(8, 2, *shape, seed=seed, rate=0.1)).output.any())
    assert {"Loop", "Skip", "MaxPool2d", "AvgPool2d", "Conv2d", "LIF", "Synaptic", "AdaptiveLIF"} <= seen and fired > 36
