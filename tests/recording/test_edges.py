"""Where counts change from call to call: weights made anew, poolings that only some readers fold, inputs out of sight."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import spikeledger as sl


class Remasked(nn.Module):
    """Weights that a mask leaves at one step and takes away at the next, like a network that rewires itself."""

    def __init__(self, period: int) -> None:
        super().__init__()
        self.period = period
        self.weight = nn.Parameter(torch.ones(5, 7))
        self.register_buffer("all_there", torch.ones(5, 7))
        self.register_buffer("a_third", (torch.arange(35).view(5, 7) % 3 == 0).float())
        self.neurons = sl.LIF(0.9)

    def forward(self, sequence: Tensor) -> Tensor:
        masks = [self.all_there if t % self.period == 0 else self.a_third for t in range(len(sequence))]
        currents = [F.linear(x, self.weight * mask) for x, mask in zip(sequence, masks, strict=True)]
        return self.neurons(torch.stack(currents))


def test_weights_that_are_made_anew_at_every_step_are_looked_at_anew() -> None:
    for period in (1, 2, 3):
        activity = sl.record(Remasked(period), torch.ones(6, 2, 7), layout="TB")
        whole = len(range(0, 6, period))
        assert activity.total("synaptic_op") == 2 * (35 * whole + 12 * (6 - whole))
        assert not activity.uncounted


class TwoReaders(nn.Module):
    """Pooled spikes are read by two layers; the second one is graded once it has read something else too."""

    def __init__(self, graded: bool) -> None:
        super().__init__()
        self.graded = graded
        self.spikes, self.pool = sl.LIF(0.0, threshold=0.5), sl.over_time(nn.AvgPool2d(2))
        self.one, self.other = nn.Linear(4, 3, bias=False), nn.Linear(4, 5, bias=False)
        self.first, self.second = sl.LIF(0.9), sl.LIF(0.9)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        pooled = self.pool(self.spikes(images)).flatten(2)
        first, currents = self.first(self.one(pooled)), self.other(pooled)
        if self.graded:
            currents = currents + self.other(torch.linspace(0.1, 1, pooled.numel()).view_as(pooled))
        return first, self.second(currents)


def test_a_pooling_folds_for_all_its_readers_or_for_none() -> None:
    images = torch.ones(3, 2, 1, 4, 4)  # every neuron fires: pooled values are all 1
    folded = sl.record(TwoReaders(False), images, layout="TB")
    assert folded.total("synaptic_op", "one") == 3 * 2 * 16 * 3
    assert folded.total("synaptic_op", "other") == 3 * 2 * 16 * 5
    assert folded.total("pool_read") == 0
    apart = sl.record(TwoReaders(True), images, layout="TB")
    assert apart.total("synaptic_op", "one") == 3 * 2 * 4 * 3
    assert apart.total("mac", "other") == 2 * 3 * 2 * 4 * 5
    assert apart.total("pool_read") == 3 * 2 * 16


class TwoPools(nn.Module):
    """Two poolings in a chain of readers: one that cannot fold keeps another from folding."""

    def __init__(self) -> None:
        super().__init__()
        self.spikes = sl.IF(threshold=0.5)
        self.pool, self.again = sl.over_time(nn.AvgPool2d(2)), sl.over_time(nn.AvgPool2d(2))
        self.near, self.far, self.mixed = (nn.Linear(n, 2, bias=False) for n in (16, 4, 4))
        self.out = sl.IF()

    def forward(self, images: Tensor) -> Tensor:
        once = self.pool(self.spikes(images))
        twice = self.again(once)
        ramp = torch.linspace(0.1, 1, 4)
        return self.out(self.near(once.flatten(2)) + self.far(twice.flatten(2)) + self.mixed(twice.flatten(2) + ramp))


def test_a_pooling_that_cannot_fold_spoils_those_before_it_and_their_other_readers() -> None:
    activity = sl.record(TwoPools(), torch.ones(2, 1, 1, 8, 8), layout="TB")
    assert activity.total("pool_read") == 2 * (64 + 16)
    assert activity.total("synaptic_op", "near") == 2 * 16 * 2
    assert activity.total("synaptic_op", "far") == 2 * 4 * 2
    assert activity.total("mac", "mixed") == 2 * 4 * 2


@sl.neuron
class Around(nn.Module):
    """A neuron with its own weights: its input is not of its neurons' shape."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.membrane = nn.Linear(6, 9), torch.zeros(())

    def forward(self, x: Tensor) -> Tensor:
        self.membrane = 0.5 * self.membrane + self.inner(x)
        spikes = (self.membrane > 0.1).float()
        self.membrane = self.membrane - spikes
        return spikes


def test_updates_whose_input_is_not_seen_count_as_active() -> None:
    activity = sl.record(nn.Sequential(Around()), torch.rand(4, 3, 6), step_by_step=True)
    assert activity.total("neuron_update") == activity.total("active_update") == 4 * 3 * 9
    assert (activity.per_neuron("0", "active_update") == 12).all()


class Written(nn.Module):
    """Halves of the neurons are silenced by numpy, whose writes nobody hears."""

    def forward(self, spikes: Tensor) -> Tensor:
        spikes.numpy()[..., ::2] = 0
        return spikes


def test_spikes_that_numpy_writes_into_are_looked_at_again() -> None:
    torch.manual_seed(4)
    x = (torch.rand(5, 3, 20) < 0.4).float()
    network = nn.Sequential(nn.Linear(20, 14), sl.LIF(0.8, threshold=0.2), Written(), nn.Linear(14, 9))
    with torch.no_grad():
        left = network[:3](x)
        sent = sl.record(network, x, layout="TB").total("synaptic_op", "3")
    assert sent == int(left.sum()) * 9 > 0


class Direct(nn.Module):
    """Its neurons' `forward` is called, in place of the neurons."""

    def __init__(self, direct: bool) -> None:
        super().__init__()
        self.fc, self.lif, self.out = nn.Linear(12, 7), sl.LIF(0.9, threshold=0.3), nn.Linear(7, 2)
        self.direct = direct

    def forward(self, x: Tensor) -> Tensor:
        currents = self.fc(x)
        found: Tensor = self.out(self.lif.forward(currents) if self.direct else self.lif(currents))
        return found


def test_neurons_whose_forward_is_called_count_as_if_they_were() -> None:
    x = (torch.rand(6, 5, 12) < 0.7).float()
    called, direct = Direct(False), Direct(True)
    direct.load_state_dict(called.state_dict())
    expected = sl.record(called, x, layout="TB")
    assert expected.total("spike") > 0
    assert sl.record(direct, x, layout="TB") == expected


def test_a_compiler_that_wakes_up_while_it_is_recorded() -> None:
    """`torch.cond` imports torch's compiler, which then must not trace the recorder."""
    code = """
import sys, torch, spikeledger as sl
from torch import nn
class Branch(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.other = nn.Linear(4, 3), nn.Linear(4, 3)
    def forward(self, x):
        return torch.cond(x.sum() > 0, lambda a: self.one(a), lambda a: self.other(a), (x,))
before = list(sys.meta_path)
network = Branch()
assert "torch._dynamo" not in sys.modules
found = sl.record(network, torch.rand(2, 4), layout="B")
assert "torch._dynamo" in sys.modules and before == [one for one in sys.meta_path if one in before]
print(found.total("mac"), found.total("mac", "one"), len(found.uncounted))
compiled = torch.compile(lambda x: x + 1, backend="eager")
compiled(torch.ones(2)); print(torch._dynamo.utils.counters["frames"]["total"] > 0)
"""
    if not hasattr(torch.compiler, "set_stance"):
        pytest.skip("this torch has no stance for its compiler")
    ran = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, timeout=300)
    assert ran.stdout.split() == ["24", "24", "0", "True"], ran.stderr


class OfRockpool(nn.Module):
    """Rockpool's modules answer `modules()` and `parameters()` with dictionaries of names."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.lif, self.out = nn.Linear(6, 5), sl.LIF(0.9, threshold=0.2), nn.Linear(5, 3)

    def modules(self) -> Any:
        return dict(self.named_children())

    def parameters(self, recurse: bool = True) -> Any:
        return dict(self.named_parameters())

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.out(self.lif(self.fc(x)))
        return found


def test_a_module_whose_lists_are_dictionaries_is_recorded() -> None:
    x = (torch.rand(4, 3, 6, generator=torch.Generator().manual_seed(2)) < 0.5).float()
    network = OfRockpool()
    activity = sl.record(network, x, layout="TB")
    assert activity.total("synaptic_op", "fc") == int(x.sum()) * 5
    assert activity.total("synaptic_op", "out") == activity.total("spike", "lif") * 3 > 0
