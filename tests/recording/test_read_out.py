"""What reads the answer is nobody's energy: sums of the last spikes are free if the network gives them back and goes not on."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import spikeledger as sl

STEPS, SAMPLES, HIDDEN, CLASSES = 5, 7, 11, 3


class Own(nn.Module):
    """A user's classifier: hidden and last spikes `[T, B, N]`, and what its forward makes of them."""

    def __init__(self, read: Callable[[Own, Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.fc1, self.lif1 = nn.Linear(6, HIDDEN), sl.LIF(0.9)
        self.fc2, self.lif2 = nn.Linear(HIDDEN, CLASSES), sl.LIF(0.9)
        self.more = nn.Linear(CLASSES, 2)
        self.read = read

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.lif1(self.fc1(x.expand(STEPS, *x.shape)))
        return self.read(self, hidden, self.lif2(self.fc2(hidden)))


def looped(_: Own, __: Tensor, spikes: Tensor) -> Tensor:
    total: Tensor | float = 0.0
    for step in spikes:
        total = total + step
    return total / STEPS  # type: ignore[operator]


def in_place(_: Own, __: Tensor, spikes: Tensor) -> Tensor:
    total = torch.zeros_like(spikes[0])
    for step in spikes:
        total += step
    return total


FREE = {
    "sum": lambda own, hidden, spikes: spikes.sum(0),
    "mean of stacked steps": lambda own, hidden, spikes: torch.stack(list(spikes)).mean(0),
    "loop": looped,
    "in place": in_place,
    "first spike": lambda own, hidden, spikes: sl.decoders.LatencyDecoder()(spikes),
    "counts of both layers": lambda own, hidden, spikes: (spikes.sum(0), hidden.sum(0)),
}
PAID = {
    # additions of the hidden spikes are a layer's input, those of the last ones are not
    "hidden summed into a layer": (
        lambda own, hidden, spikes: (spikes.sum(0), own.fc2(hidden.sum(0))), (STEPS - 1) * SAMPLES * HIDDEN,
    ),
    "a layer behind the sum": (lambda own, hidden, spikes: own.more(spikes.sum(0)), (STEPS - 1) * SAMPLES * CLASSES),
    "a sum that nobody reads": (lambda own, hidden, spikes: (hidden.sum(0), spikes)[1], (STEPS - 1) * SAMPLES * HIDDEN),
    "what is no spike": (
        lambda own, hidden, spikes: own.fc2(hidden).sum(0), (STEPS - 1) * SAMPLES * CLASSES,
    ),
}  # fmt: skip


@pytest.mark.parametrize("how", FREE)
def test_a_read_out_is_charged_to_nobody(how: str) -> None:
    activity = sl.record(Own(FREE[how]), 5 * torch.rand(SAMPLES, 6), layout="B")
    assert activity.total("elementwise") == 0 and activity.total("spike") > 0 and not activity.uncounted


@pytest.mark.parametrize("how", PAID)
def test_additions_that_the_network_goes_on_with_are_charged(how: str) -> None:
    read, expected = PAID[how]
    assert sl.record(Own(read), 5 * torch.rand(SAMPLES, 6), layout="B").total("elementwise") == expected


@pytest.mark.parametrize("decoder", ["rate", "latency", "population"])
def test_our_decoders_behind_a_network_are_free(decoder: str) -> None:
    network = nn.Sequential(nn.Linear(6, 4), sl.LIF(0.9), sl.decoders.decoder(decoder, neurons_per_class=2))
    activity = sl.record(network, (torch.rand(STEPS, SAMPLES, 6) < 0.7).float())
    assert activity.total("elementwise") == 0 and sl.price(activity, "loihi-2").joules > 0
