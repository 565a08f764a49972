"""sinabs' networks, batch first, with several spikes a step and merged axes, recorded as they are."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import spikeledger as sl
from peers.by_hand import agree, arrivals, fired

pytestmark = [pytest.mark.peer, pytest.mark.filterwarnings("ignore")]
sinabs = pytest.importorskip("sinabs", reason="sinabs is not installed")

import sinabs.activation as activation  # noqa: E402
import sinabs.layers as layers  # noqa: E402

T, B = 5, 3


def reset(model: nn.Module) -> None:
    for module in model.modules():
        if hasattr(module, "reset_states"):
            module.reset_states()


def check(model: nn.Module, x: torch.Tensor, *, several: bool = False, **options: object) -> sl.Activity:
    def run() -> None:
        reset(model)
        model(x)

    spikes = fired(model, (layers.StatefulLayer,), run)
    by_hand = arrivals(model, run)
    reset(model)
    activity = sl.record(model, x, **options)
    assert (activity.samples, activity.timesteps) == (B, T)
    if several:  # the layer behind counts each of the spikes that came at once
        by_hand["2"] = spikes["1"] * model[2].out_features
    agree(activity, by_hand, spikes)
    return activity


@pytest.mark.parametrize("single", [False, True])
def test_batch_first_with_one_or_several_spikes_a_step(single: bool) -> None:
    torch.manual_seed(0)
    how = activation.SingleSpike if single else activation.MultiSpike
    model = nn.Sequential(
        nn.Linear(8, 6),
        layers.IAF(spike_fn=how),
        nn.Linear(6, 4),
        layers.LIF(tau_mem=10.0, norm_input=False, spike_fn=how),
    )
    with torch.no_grad():
        model[0].weight.abs_().mul_(4)
        model[2].weight.abs_()
    activity = check(model, torch.rand(B, T, 8) * 3, several=True)
    assert activity.total("mac", "2") == 0
    most = int(activity.per_neuron("1").max())
    assert (most > B * T) != single


def test_merged_batch_and_time() -> None:
    torch.manual_seed(0)
    how = {"batch_size": B, "spike_fn": activation.SingleSpike}
    model = nn.Sequential(
        nn.Conv2d(1, 3, 3, padding=1), layers.IAFSqueeze(**how), nn.AvgPool2d(2), nn.Conv2d(3, 2, 3, padding=1),
        layers.IAFSqueeze(**how), nn.Flatten(), nn.Linear(32, 4), layers.IAFSqueeze(**how),
    )  # fmt: skip
    with torch.no_grad():
        for part in (model[0], model[3], model[6]):
            part.weight.abs_()
    check(model, (torch.rand(B * T, 1, 8, 8) < 0.5).float(), layout="B")


def test_recurrent_connections() -> None:
    torch.manual_seed(0)
    back = nn.Linear(6, 6, bias=False)
    model = nn.Sequential(nn.Linear(8, 6), layers.LIFRecurrent(tau_mem=10.0, rec_connect=back, norm_input=False))
    with torch.no_grad():
        model[0].weight.abs_()
    activity = check(model, torch.rand(B, T, 8) * 3)
    assert "1.rec_connect" in activity.layers
