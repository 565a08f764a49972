"""Users' hooks are put back whoever ends first, and masks made on the spot leave weights weights."""

from __future__ import annotations

import threading

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

import spikeledger as sl


class Triangle(nn.Module):
    """A weight without what is above the diagonal."""

    def forward(self, weight: Tensor) -> Tensor:
        return weight * torch.ones_like(weight).tril()


def test_a_mask_made_on_the_spot_makes_a_weight() -> None:
    torch.manual_seed(0)
    x, net = torch.rand(4, 6), nn.Sequential(nn.Linear(6, 3))
    parametrize.register_parametrization(net[0], "weight", Triangle())
    plain = nn.Sequential(nn.Linear(6, 3))
    with torch.no_grad():
        plain[0].weight.copy_(net[0].weight)
        plain[0].bias.copy_(net[0].bias)
    found, expected = sl.record(net, x), sl.record(plain, x)
    assert not found.uncounted
    for event in ("mac", "dense_op", "bias_add"):
        assert found.total(event) == expected.total(event) > 0
    weighted = [layer for layer in found.layers_by_name.values() if layer.weighted]
    assert [layer.nonzero_weights for layer in weighted] == [expected.layer("0").nonzero_weights] == [6]


@pytest.mark.parametrize("first_ends_first", [True, False])
def test_hooks_stand_where_they_stood_whoever_ends_first(first_ends_first: bool) -> None:
    net = nn.Sequential(nn.Linear(3, 2))

    def monitor(module: nn.Module, args: object, output: Tensor) -> None:
        output @ output.mT

    handle = net[0].register_forward_hook(monitor)
    first, second = sl.recording(net), sl.recording(net)
    a, b = first.__enter__(), second.__enter__()
    net(torch.rand(4, 3))
    for one in (first, second) if first_ends_first else (second, first):
        one.__exit__(None, None, None)
    assert net[0]._forward_hooks[handle.id] is monitor
    assert a.activity().total("dense_op") == b.activity().total("dense_op") == 24


def test_hooks_that_run_in_another_thread_are_no_affair_of_a_recording() -> None:
    net, seen = nn.Sequential(nn.Linear(3, 2)), []
    inside, done = threading.Event(), threading.Event()

    def monitor(module: nn.Module, args: object, output: Tensor) -> None:
        seen.append(threading.get_ident())
        if seen[-1] != here:
            inside.set()
            done.wait(10)

    here = threading.get_ident()
    net[0].register_forward_hook(monitor)
    with sl.recording(net) as recorder:
        other = threading.Thread(target=net, args=(torch.rand(4, 3),))
        other.start()
        assert inside.wait(10)  # it stands in the hook while we count
        net(torch.rand(4, 3))
        done.set()
        other.join()
    assert recorder.activity().total("dense_op") == 24 and len(seen) == 2
