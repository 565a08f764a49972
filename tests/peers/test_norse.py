"""Norse's networks, recorded as they are."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import spikeledger as sl
from peers.by_hand import agree, arrivals, fired
from recording import oracle

pytestmark = [pytest.mark.peer, pytest.mark.filterwarnings("ignore")]
norse = pytest.importorskip("norse.torch", reason="Norse is not installed")

T, B = 12, 3


class Loop(nn.Module):
    """Cells in the user's own loop; the state is passed from step to step."""

    def __init__(self, cell) -> None:
        super().__init__()
        self.fc1, self.cell, self.fc2, self.out = nn.Linear(8, 6), cell(), nn.Linear(6, 3), norse.LICell()

    def forward(self, x: Tensor) -> Tensor:
        state = leak = None
        out = []
        for step in x:
            spikes, state = self.cell(self.fc1(step), state)
            value, leak = self.out(self.fc2(spikes), leak)
            out.append(value)
        return torch.stack(out)


@pytest.mark.parametrize("cell", ["LIFCell", "LIFRefracCell", "LIFAdExCell", "LIFExCell", "LSNNCell", "IAFCell"])
def test_cells_in_a_loop(cell: str) -> None:
    torch.manual_seed(0)
    network = Loop(getattr(norse, cell))
    with torch.no_grad():
        network.fc1.weight.abs_().mul_(20)
    x = torch.rand(T, B, 8) * 3
    spikes = fired(network, (getattr(norse, cell),), lambda: network(x))
    by_hand = arrivals(network, lambda: network(x))
    activity = sl.record(network, x)
    assert (activity.samples, activity.timesteps) == (B, T)
    agree(activity, by_hand, spikes)
    assert activity.total("neuron_update") == T * B * 9
    assert activity.total("spike", "out") == 0 and not activity.layer("out").spiking


def test_sequences_and_recurrent_weights() -> None:
    torch.manual_seed(0)
    network = norse.SequentialState(nn.Linear(8, 6), norse.LIF(), norse.LIFRecurrent(6, 4), nn.Linear(4, 3))
    with torch.no_grad():
        network[0].weight.abs_().mul_(20)
        network[2].input_weights.abs_().mul_(20)
    x = torch.rand(T, B, 8) * 3
    kinds = (norse.LIF, norse.LIFRecurrent)
    spikes = fired(network, kinds, lambda: network(x))
    by_hand = arrivals(network, lambda: network(x))
    activity = sl.record(network, x)
    assert (activity.samples, activity.timesteps) == (B, T)
    agree(activity, by_hand, spikes)
    with torch.no_grad():
        first = network[1](network[0](x))[0]
        second = network[2](first)[0]
    before = torch.cat([torch.zeros_like(second[:1]), second[:-1]])
    for name, arriving in (("input_weights", first), ("recurrent_weights", before)):
        wires = oracle.linear(getattr(network[2], name).detach().numpy())
        assert activity.total("synaptic_op", f"2.{name}") == oracle.events(arriving.flatten(0, 1).numpy(), wires).sum()
    assert activity.layer("2.recurrent_weights").synapses == 4 * 3  # no neuron is connected to itself
