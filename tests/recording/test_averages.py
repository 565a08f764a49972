"""Averages of spikes over places fold into the synapses behind them, however they are written; those over time do not."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import spikeledger as sl


class Averaged(nn.Module):
    """Spikes, an average of them, and weights."""

    def __init__(self, average: Any, inputs: int, outputs: int) -> None:
        super().__init__()
        self.neurons, self.average, self.head = sl.neurons.IF(), average, nn.Linear(inputs, outputs, bias=False)
        self.head.weight.data = torch.arange(inputs * outputs).reshape(outputs, inputs) % 3 - 1.0

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.head(self.average(self.neurons(x)))
        return found


def strong(*shape: int) -> Tensor:
    """Inputs that make half of the neurons fire."""
    return 2 * (torch.rand(shape, generator=torch.Generator().manual_seed(0)) < 0.5).float()


_MEANS: dict[
    str, tuple[Any, Any]
] = {  # of spikes [T, B, 3, 4, 2]: what is averaged, and the average that holds a place
    "all places": (lambda z: z.mean((-2, -1)), lambda c, i, j: c),
    "kept axes": (lambda z: z.mean((3, 4), keepdim=True).flatten(2), lambda c, i, j: c),
    "one after the other": (lambda z: z.mean(-1).mean(3), lambda c, i, j: c),
    "flattened": (lambda z: z.flatten(3).mean(3), lambda c, i, j: c),
    "steps and samples merged": (lambda z: z.flatten(0, 1).flatten(2).mean(-1), lambda c, i, j: c),
    "tokens": (lambda z: z.flatten(3).transpose(2, 3).mean(2), lambda c, i, j: c),
    "rows": (lambda z: z.mean(-1).flatten(2), lambda c, i, j: 4 * c + i),
    "columns, turned": (lambda z: z.mean(3).transpose(2, 3).flatten(2), lambda c, i, j: 3 * j + c),
    "windows by shape": (lambda z: z.unflatten(3, (2, 2)).mean(4).mean(-1).flatten(2), lambda c, i, j: 2 * c + i // 2),
    "steps stacked": (lambda z: torch.stack(list(z)).mean((3, 4)), lambda c, i, j: c),
}


@pytest.mark.parametrize("name", _MEANS)
def test_an_average_over_places_folds_however_it_is_written(name: str) -> None:
    average, window = _MEANS[name]
    x = strong(3, 2, 3, 4, 2)
    spikes = sl.neurons.IF()(x)
    network = Averaged(average, average(spikes).shape[-1], 5)
    activity = sl.record(network, x, layout="TB")
    fan_out = (network.head.weight != 0).sum(0)
    by_hand = sum(int(fan_out[window(c, i, j)]) for _, _, c, i, j in spikes.nonzero().tolist())
    assert by_hand > 0
    assert (activity.total("synaptic_op"), activity.total("mac"), activity.total("pool_read")) == (by_hand, 0, 0)


@pytest.mark.parametrize(
    ("average", "shape"),
    [
        (lambda z: z.mean(0), (5, 2, 7)),
        (lambda z: z.permute(1, 2, 0).mean(-1), (5, 2, 7)),
        (lambda z: z.permute(1, 2, 3, 4, 0).mean(-1).flatten(1), (5, 3, 2, 2, 4)),
        (lambda z: z.mean(1), (5, 2, 7)),
    ],
)
def test_an_average_over_time_or_samples_is_no_pooling(average: Any, shape: tuple[int, ...]) -> None:
    x = strong(*shape)
    rates = average(sl.neurons.IF()(x))
    network = Averaged(average, rates.shape[-1], 4)
    activity = sl.record(network, x, layout="TB")
    fan_out = (network.head.weight != 0).sum(0)
    assert activity.total("mac") == int(((rates != 0).reshape(-1, rates.shape[-1]).sum(0) * fan_out).sum()) > 0
