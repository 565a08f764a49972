"""Axes are never guessed in silence: steps that contradict a network are refused, and one call of neurons is said."""

from __future__ import annotations

import warnings

import pytest
import torch
from torch import Tensor, nn

import spikeledger as sl
from spikeledger.errors import InputError


class Once(nn.Module):
    """One step a call, the state kept inside; `inner` steps in each call."""

    def __init__(self, inner: int = 1) -> None:
        super().__init__()
        self.fc, self.lif, self.inner, self.state = nn.Linear(6, 4), sl.LIF(0.9), inner, None

    def reset_state(self) -> None:
        """Rest."""
        self.state = None

    def forward(self, x: Tensor) -> Tensor:
        current = self.fc(x).expand(self.inner, *x.shape[:-1], 4)
        state = self.lif.rest(current) if self.state is None else self.state
        spikes, self.state = self.lif(current, state)
        return spikes[-1]


def test_sequences_with_turned_axes_are_refused() -> None:
    network = sl.SpikingNetwork(nn.Sequential(nn.Linear(5, 3), sl.LIF()), encoder=None, timesteps=8)
    x = torch.rand(20, 8, 5)
    with pytest.raises(InputError, match=r"timesteps=8, which is axis 1.*transpose"):
        sl.record(network, x)
    activity = sl.record(network, x.transpose(0, 1))
    assert (activity.samples, activity.timesteps, activity.total("neuron_update")) == (20, 8, 20 * 8 * 3)


def test_steps_that_a_network_makes_itself_are_not_said_again() -> None:
    network = sl.zoo.mlp(6, 5, 3, timesteps=7)
    for options in ({"timesteps": 1}, {"timesteps": 7}, {"step_by_step": True}):
        with pytest.raises(InputError, match="makes 7 steps of each sample itself"):
            sl.record(network, torch.rand(9, 6), **options)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="took 3 steps in each call"):
        sl.record(Once(3), torch.rand(9, 6), timesteps=4)


def test_steps_of_a_network_that_takes_one_a_call() -> None:
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("always")
        shown = sl.record(Once(), torch.rand(9, 6), timesteps=4)
    assert (shown.samples, shown.timesteps, shown.total("neuron_update")) == (9, 4, 9 * 4 * 4)
    stepped = sl.record(Once(), torch.rand(5, 9, 6), step_by_step=True)
    assert (stepped.samples, stepped.timesteps, stepped.total("neuron_update")) == (9, 5, 9 * 5 * 4)
