"""Delays of any length, by neuron or by synapse: torch, the recorder and both simulators agree to the last spike."""

from __future__ import annotations

from collections import deque

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import spikeledger as sl
from chip.networks import exact, spikes
from spikeledger.chip import machine
from spikeledger.chip.simulate import run
from spikeledger.errors import InputError
from spikeledger.mapping.map import map as map_network

BACKENDS = ["reference", pytest.param("native", marks=pytest.mark.skipif(machine.native is None, reason="not built"))]


class Queue(nn.Module):
    """A loop over time that keeps what it sent in a queue, as users write it."""

    def __init__(self, delay: int) -> None:
        super().__init__()
        self.into, self.around, self.out = nn.Linear(12, 9), nn.Linear(9, 9, bias=False), nn.Linear(9, 4)
        self.hidden, self.answer, self.delay = sl.LIF(0.875), sl.LIF(0.75, reset="zero"), delay

    def forward(self, sequence: Tensor) -> Tensor:
        quiet = sequence.new_zeros(1, sequence.shape[1], 9)
        waiting = deque([quiet] * self.delay, maxlen=self.delay)
        state, last = self.hidden.rest(quiet), self.answer.rest(sequence.new_zeros(1, sequence.shape[1], 4))
        answers = []
        for x in sequence.split(1):
            fired, state = self.hidden(self.into(x) + self.around(waiting[0]), state)
            answer, last = self.answer(self.out(waiting[0]), last)
            waiting.append(fired)
            answers.append(answer)
        return torch.cat(answers)


class BySynapse(nn.Module):
    """Synapses of several delays: one linear layer for each, added up, and a skip."""

    def __init__(self, delays: tuple[int, ...]) -> None:
        super().__init__()
        self.groups = nn.ModuleList(nn.Sequential(sl.Delay(d), nn.Linear(12, 9, bias=False)) for d in delays)
        self.hidden, self.out, self.answer = sl.LIF(0.875), nn.Linear(9, 4), sl.LIF(0.75)

    def forward(self, sequence: Tensor) -> Tensor:
        total = sum(group(sequence) for group in self.groups)
        return self.answer(self.out(self.hidden(total)))


class OverTime(nn.Module):
    """Delays as a causal convolution over time, the way that they are learned."""

    def __init__(self, taps: int) -> None:
        super().__init__()
        self.kernel, self.hidden, self.taps = nn.Conv1d(12, 9, taps, bias=False), sl.LIF(0.875), taps
        self.out, self.answer = nn.Linear(9, 4), sl.LIF(0.75)

    def forward(self, sequence: Tensor) -> Tensor:
        late = nn.functional.pad(sequence.permute(1, 2, 0), (self.taps - 1, 0))
        return self.answer(self.out(self.hidden(self.kernel(late).permute(2, 0, 1))))


def row(delay: int | Tensor) -> nn.Module:
    return nn.Sequential(nn.Linear(12, 9), sl.LIF(0.875), sl.Delay(delay), nn.Linear(9, 4), sl.LIF(0.75))


def behind_a_convolution() -> nn.Module:
    return nn.Sequential(
        sl.over_time(nn.Conv2d(1, 3, 3, padding=1, bias=False)), sl.Delay(6), sl.LIF(0.875), sl.Delay(4),
        sl.over_time(nn.Conv2d(3, 2, 3, bias=False)), sl.Delay(1), sl.LIF(0.75), nn.Flatten(2),
        nn.Linear(8, 4), sl.LIF(0.75),
    )  # fmt: skip


NETWORKS = {
    "1 step": (lambda: row(1), (12,)),
    "7 steps": (lambda: row(7), (12,)),
    "13 steps": (lambda: row(13), (12,)),
    "none arrives": (lambda: row(40), (12,)),
    "by neuron": (lambda: row(torch.tensor([0, 1, 2, 3, 5, 8, 13, 5, 0])), (12,)),
    "by synapse": (lambda: BySynapse((0, 1, 4, 9)), (12,)),
    "queue of 1": (lambda: Queue(1), (12,)),
    "queue of 11": (lambda: Queue(11), (12,)),
    "over time": (lambda: OverTime(6), (12,)),
    "convolution": (behind_a_convolution, (1, 4, 4)),
}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", NETWORKS)
def test_delays_of_any_length_are_those_of_torch(name: str, backend: str) -> None:
    build, shape = NETWORKS[name]
    network = exact(build(), pruned=0.2)
    inputs = spikes(20, 2, *shape, rate=0.5)
    with torch.no_grad():
        expected = network(inputs)
    ran = run(network, inputs, backend=backend)  # type: ignore[arg-type]
    assert expected.any() or name == "none arrives"
    assert np.array_equal(ran.output, expected.numpy())
    recorded = sl.record(network, inputs)
    if name != "convolution":  # behind a layer, torch has done the operations of what arrives too late
        assert ran.activity.total("synaptic_op") == recorded.total("synaptic_op")
    assert ran.activity.total("spike") == recorded.total("spike")


def test_a_mapped_network_names_its_delays() -> None:
    mapped = map_network(exact(BySynapse((0, 3, 9))), spikes(20, 1, 12))
    assert sorted(p.delay for p in mapped.out_of("input")) == [0, 3, 9]


DELAYS = st.lists(st.integers(0, 9), min_size=3, max_size=3)


@settings(max_examples=40)
@given(DELAYS, st.integers(1, 12), st.lists(st.integers(1, 11), max_size=3), st.booleans())
def test_a_delay_holds_back_and_may_be_fed_in_parts(steps: list[int], length: int, cuts: list[int], same: bool) -> None:
    steps = [steps[0]] * 3 if same else steps
    values = torch.rand(length, 2, 3, generator=torch.Generator().manual_seed(length))
    delay = sl.Delay(steps[0] if same else torch.tensor(steps))
    expected = torch.zeros_like(values)
    for n, d in enumerate(steps):
        expected[d:, :, n] = values[: max(length - d, 0), :, n]
    assert torch.equal(delay(values), expected)
    state, parts = delay.rest(values), []
    for part in values.tensor_split(sorted({cut for cut in cuts if cut < length})):
        out, state = delay(part, state)
        parts.append(out)
    assert torch.equal(torch.cat(parts), expected)


def test_a_bias_that_begins_late_is_refused() -> None:
    network = nn.Sequential(nn.Linear(12, 4), sl.Delay(5), sl.LIF(0.75))
    with pytest.raises(InputError, match="bias must flow always"):
        map_network(network, spikes(20, 1, 12))


def test_delays_are_given_as_any_numbers_are() -> None:
    for steps in ([1, 2, 5], (1, 2, 5), np.array([1, 2, 5]), torch.tensor([1, 2, 5])):
        assert sl.Delay(steps)(torch.eye(3)[:, None]).shape == (3, 1, 3)  # type: ignore[arg-type]


@pytest.mark.parametrize("steps", [-1, 1 << 20, 0.5, float("nan"), torch.zeros(0, dtype=torch.int64)])
def test_what_is_no_delay_is_refused(steps: object) -> None:
    with pytest.raises(InputError, match=r"[Dd]elay"):
        sl.Delay(steps)  # type: ignore[arg-type]


def test_a_delay_that_does_not_fit_is_refused() -> None:
    with pytest.raises(InputError, match="do not fit"):
        sl.Delay(torch.tensor([[1, 2], [3, 4]]))(torch.zeros(3, 1, 2))
