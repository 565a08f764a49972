"""Spikes that are written: into buffers, views and slices; the mapped network is the torch network, or it is refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import spikeledger as sl
from chip.networks import exact, spikes
from spikeledger.errors import InputError

HIDDEN = 10


def silenced_slice(s: Tensor) -> Tensor:
    s[..., 2:5] = 0
    return s


def silenced_view(s: Tensor) -> Tensor:
    s.view(-1, HIDDEN)[:, ::3].zero_()
    return s


def silenced_data(s: Tensor) -> Tensor:
    s.data[..., 1] = 0
    return s


def masked_in_place(s: Tensor) -> Tensor:
    return s.mul_((torch.arange(HIDDEN) % 2 == 0).float()).masked_fill_(torch.arange(HIDDEN) == 4, 0.0)


def step_by_step(s: Tensor) -> Tensor:
    kept = torch.zeros_like(s)
    for t in range(len(s)):
        kept[t] = s[t]
    return kept


def late_by_a_slice(s: Tensor) -> Tensor:
    kept = torch.zeros_like(s)
    kept[1:] = s[:-1]
    return kept


def reversed_by_index(s: Tensor) -> Tensor:
    return torch.zeros_like(s).index_copy_(-1, torch.arange(HIDDEN).flip(0), s)


def scattered(s: Tensor) -> Tensor:
    return torch.zeros_like(s).scatter_(-1, torch.arange(HIDDEN).roll(3).expand_as(s).contiguous(), s)


def halves_in_a_larger_buffer(s: Tensor) -> Tensor:
    kept = s.new_zeros(*s.shape[:-1], 2 * HIDDEN)
    kept[..., :5], kept[..., 15:] = s[..., 5:], s[..., :5] * 2
    return kept[..., 5:].roll(5, -1)[..., :HIDDEN] + kept[..., :HIDDEN]


def added_in_place(s: Tensor) -> Tensor:
    kept = torch.zeros_like(s)
    kept += s
    kept[..., :4].add_(s[..., 6:])
    return kept


def overwritten(s: Tensor) -> Tensor:
    kept = s.clone()
    kept.zero_()
    kept[..., 3:] = s[..., 3:]
    return kept


def filled(s: Tensor) -> Tensor:
    return s.index_fill(-1, torch.tensor([0, 7]), 0.0)


WRITERS = [
    silenced_slice, silenced_view, silenced_data, masked_in_place, step_by_step, late_by_a_slice, reversed_by_index,
    scattered, halves_in_a_larger_buffer, added_in_place, overwritten, filled,
]  # fmt: skip


class Written(nn.Module):
    def __init__(self, write: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.write = write
        self.first, self.one = nn.Linear(7, HIDDEN, bias=False), sl.LIF(0.5, threshold=0.5)
        self.second, self.two = nn.Linear(HIDDEN, 5), sl.LIF(0.75, threshold=0.5)

    def forward(self, x: Tensor) -> Tensor:
        return self.two(self.second(self.write(self.one(self.first(x)))))


@pytest.mark.parametrize("write", WRITERS, ids=lambda write: write.__name__)
def test_what_is_written_is_mapped(write: Callable[[Tensor], Tensor]) -> None:
    network = exact(Written(write), seed=3)
    x = spikes(9, 2, 7)
    with torch.no_grad():
        arrived: list[Tensor] = []
        handle = network.second.register_forward_pre_hook(lambda m, a: arrived.append(a[0].clone()))
        answer = network(x)
        handle.remove()
    assert int(answer.sum()) > 5
    activity = sl.simulate(network, x)
    assert activity.total("spike", "two") == int(answer.sum())
    met = (arrived[0] != 0).double() @ (network.second.weight != 0).double().T
    if write is not added_in_place and write is not halves_in_a_larger_buffer:  # where spikes meet in one value
        assert activity.total("synaptic_op", "second") == int(met.sum())


def went_on_if_any(s: Tensor) -> Tensor:
    return s if bool(s.any()) else torch.zeros_like(s)


def those_that_fired(s: Tensor) -> Tensor:
    kept = torch.zeros_like(s)
    for place in s.nonzero():
        kept[tuple(place)] = 1
    return kept


def by_a_sum(s: Tensor) -> Tensor:
    return s * (1 if float(s.sum()) > 3 else 0)


def chosen_by_spikes(s: Tensor) -> Tensor:
    return torch.where(s > 0, s, torch.ones_like(s))


def summed_into_places(s: Tensor) -> Tensor:
    return torch.zeros_like(s).index_add_(-1, torch.zeros(HIDDEN, dtype=torch.long), s)


@pytest.mark.parametrize(
    ("write", "says"),
    [
        (went_on_if_any, "asks spikes or currents for a number"),
        (those_that_fired, "asks spikes or currents for a number"),
        (by_a_sum, "asks spikes or currents for a number"),
        (chosen_by_spikes, "spikes"),
        (summed_into_places, "applies index_add to spikes"),
    ],
)
def test_what_depends_on_the_spikes_themselves_is_refused(write: Callable[[Tensor], Tensor], says: str) -> None:
    with pytest.raises(InputError, match=says):
        sl.simulate(exact(Written(write)), spikes(6, 1, 7))
