"""What the memory bill reads: one activation a spike that arrives, whatever happened to the source's spikes on the way."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import spikeledger as sl

WAYS: dict[str, Callable[[Tensor], Tensor]] = {
    "all": lambda s: s,
    "half of the channels": lambda s: s[:, :, ::2],
    "turned around": lambda s: s.flip(-1),
    "masked": lambda s: s * (torch.arange(7) > 2),
    "nothing": lambda s: s * 0,
}


class Two(nn.Module):
    def __init__(self, way: str) -> None:
        super().__init__()
        self.way, width = WAYS[way], 3 if way == "half of the channels" else 6
        self.one, self.lif = sl.over_time(nn.Conv2d(2, 6, 3, padding=1)), sl.LIF(0.9)
        self.two, self.out = sl.over_time(nn.Conv2d(width, 4, 3, padding=1)), sl.LIF(0.9)

    def forward(self, x: Tensor) -> Tensor:
        self.arrived = self.way(self.lif(self.one(x)))
        return self.out(self.two(self.arrived))


@pytest.mark.parametrize("pruned", [False, True])
@pytest.mark.parametrize("way", WAYS)
def test_one_activation_is_read_for_each_spike_that_arrives(way: str, pruned: bool) -> None:
    torch.manual_seed(5)
    network, x = Two(way), (torch.rand(4, 3, 2, 7, 7) < 0.4).float()
    with torch.no_grad():
        network.one.module.weight.abs_()
        if pruned:  # no whole input is cut off: each map of weights keeps its middle
            network.two.module.weight[..., 0, :] = 0
    activity = sl.record(network, x)
    network(x)
    entries = sl.price(activity, "horowitz-45nm", bill="memory").entries
    read = [entry.count for entry in entries if entry.layer == "two.module" and entry.event == "activation_read"]
    assert sum(read) == int((network.arrived != 0).sum())


def test_spikes_at_places_without_a_synapse_arrive_too() -> None:
    torch.manual_seed(5)
    network = nn.Sequential(nn.Linear(8, 12), sl.LIF(0.9), nn.Linear(12, 4), sl.LIF(0.9))
    with torch.no_grad():
        network[0].weight.abs_()
        network[2].weight[:, :5] = 0
    activity = sl.record(network, (torch.rand(6, 5, 8) < 0.5).float())
    entries = sl.price(activity, "horowitz-45nm", bill="memory").entries
    read = [entry.count for entry in entries if entry.layer == "2" and entry.event == "activation_read"]
    assert sum(read) == activity.total("spike", "1") > activity.total("synaptic_op", "2") / 4


def test_a_machine_that_multiplies_silent_steps_says_so_at_the_foot_of_the_bill() -> None:
    torch.manual_seed(0)
    ann = torch.nn.Sequential(torch.nn.Linear(9, 7), torch.nn.ReLU(), torch.nn.Linear(7, 3))
    activity = sl.record(sl.convert(ann, torch.rand(20, 9), timesteps=6, method="max"), torch.rand(5, 9))
    said = [text for text in sl.price(activity, "horowitz-45nm").caveats if "silent steps" in text]
    assert said == [  # one push of 9 values for 5 samples, and six steps that a dense machine goes through
        "it multiplies zeros too, silent steps among them: 1,890 times in layers._0, and 315 of these meet none; "
        "'horowitz-45nm@all' skips zeros"
    ]
    assert not any("silent steps" in text for text in sl.price(activity, "horowitz-45nm@all").caveats)
    assert not any(
        "silent steps" in text for text in sl.price(sl.record(ann, torch.rand(5, 9)), "horowitz-45nm").caveats
    )
