"""A network that makes its steps by itself takes samples alone: nothing has to be said, and no axis is guessed wrong."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import spikeledger as sl
from spikeledger.errors import InputError


class OwnLoop(nn.Module):
    """Shows a sample to its first layer at every step, as tutorials do."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.steps = steps
        self.first, self.last = nn.Linear(6, 9), nn.Linear(9, 4, bias=False)
        self.hidden, self.out = sl.neurons.LIF(0.75), sl.neurons.LIF(0.875)
        with torch.no_grad():
            self.first.weight.mul_(4), self.last.weight.mul_(5)

    def forward(self, x: Tensor) -> Tensor:
        state, answer, sent = self.hidden.rest(x.new_zeros(1, len(x), 9)), self.out.rest(x.new_zeros(1, len(x), 4)), []
        for _ in range(self.steps):
            spikes, state = self.hidden(self.first(x)[None], state)
            fired, answer = self.out(self.last(spikes), answer)
            sent.append(fired[0])
        return torch.stack(sent)


@pytest.mark.parametrize("shape", [None, (1, 6), (5, 6), (3, 1, 6)])
def test_it_is_mapped_by_whatever_is_given_of_it(shape: tuple[int, ...] | None) -> None:
    mapped = sl.map(OwnLoop(5), None if shape is None else torch.zeros(shape))
    assert (mapped.neurons, mapped.synapses, mapped.layout, mapped.own_steps) == (13, 6 * 9 + 9 * 4, "B", 5)


def test_it_is_simulated_as_it_runs() -> None:
    network, x = OwnLoop(7), torch.rand(5, 6)
    simulated, spikes = sl.simulate(network, x, "loihi"), network(x)
    recorded = sl.record(network, x, layout="B")
    assert (simulated.samples, simulated.timesteps) == (5, 7)
    assert simulated.total("spike", "out") == int(spikes.sum()) > 0
    for event in ("spike", "synaptic_op", "mac"):
        assert simulated.total(event) == recorded.total(event) > 0, event


def test_a_layout_that_was_said_is_not_guessed_again() -> None:
    with pytest.raises(InputError, match="layout"):
        sl.map(OwnLoop(4), torch.zeros(3, 1, 6), layout="TB")
