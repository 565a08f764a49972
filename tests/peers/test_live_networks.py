"""The live page replays and serves networks of other libraries: what they answer and count is what a recording says."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import livepages
from spikeledger.live.stage import replay
from spikeledger.live.takes import take
from spikeledger.recording.record import record

pytestmark = pytest.mark.peer
STEPS = 5


def snntorch() -> nn.Module:
    snn = pytest.importorskip("snntorch")

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc1, self.lif1 = nn.Linear(64, 20), snn.Leaky(beta=0.9, threshold=0.3)
            self.fc2, self.lif2 = nn.Linear(20, 10), snn.Leaky(beta=0.9, threshold=0.3)

        def forward(self, x: Tensor) -> Tensor:
            first, second, out = self.lif1.init_leaky(), self.lif2.init_leaky(), []
            for _ in range(STEPS):
                spikes, first = self.lif1(self.fc1(x.flatten(1)), first)
                spikes, second = self.lif2(self.fc2(spikes), second)
                out.append(spikes)
            return torch.stack(out)

    return Network()


def spikingjelly() -> nn.Module:
    neuron = pytest.importorskip("spikingjelly.activation_based.neuron")

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc1, self.if1 = nn.Linear(64, 20), neuron.IFNode(v_threshold=0.3)
            self.fc2, self.if2 = nn.Linear(20, 10), neuron.IFNode(v_threshold=0.3)

        def forward(self, x: Tensor) -> Tensor:
            return torch.stack([self.if2(self.fc2(self.if1(self.fc1(x.flatten(1))))) for _ in range(STEPS)])

    return Network()


@pytest.mark.parametrize("make", [snntorch, spikingjelly])
def test_networks_of_others_are_replayed(make: Any) -> None:
    torch.manual_seed(3)
    network, data = make(), livepages.digits()
    found = take(network, data.test_inputs[4], seed=1)
    want = record(network, data.test_inputs[4:5], seed=1)
    assert found.timesteps == STEPS and found.by_step
    counts = {key: int(row[-1]) for key, row in found.counts.items() if row[-1]}
    assert counts == {f"{a}|{b}": tally.count for (a, b), tally in want.tallies.items() if tally.count}
    # the answer is the class that fired most, and a second take finds the network at rest again
    spikes = want.per_neuron(want.layers[-1]).ravel()
    assert found.answers[-1] == int(spikes.argmax())
    assert take(network, data.test_inputs[4], seed=1).answers == found.answers
    ann = nn.Sequential(nn.Flatten(), nn.Linear(64, 20), nn.ReLU(), nn.Linear(20, 10))
    document = replay(ann, network, data, shown=4, catalogue=["horowitz-45nm", "loihi"])
    assert len(document.values["takes"]) == 4
    told = document.values["prices"]["sides"]["snn"]
    assert [one["name"] for one in told["profiles"]] == ["horowitz-45nm"]
    assert "receives values of any size" in told["refused"]["loihi"]  # pixels go into the first layer as they are
