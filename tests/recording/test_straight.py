"""Linear layers that are not listened to count like those that are; whatever is not plain is listened to."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import prune
from torch.utils._python_dispatch import TorchDispatchMode

import spikeledger as sl
from spikeledger.listening.hooks import Listener, listen
from spikeledger.recording import recorder as listening
from spikeledger.recording.bits import multiplies_once


class Passing(TorchDispatchMode):
    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return func(*args, **(kwargs or {}))


def network() -> nn.Sequential:
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Linear(9, 7), sl.LIF(threshold=0.2), nn.Flatten(0, 1), nn.Linear(7, 5, bias=False), nn.ReLU()
    )
    net.append(nn.Linear(5, 5))
    net.append(net[-1])  # one layer, twice
    return net


def inputs() -> torch.Tensor:
    return (torch.rand(4, 3, 9, generator=torch.Generator().manual_seed(1)) < 0.3).float()


def as_it_is(net: nn.Sequential) -> None:
    pass


def pruned(net: nn.Sequential) -> None:
    prune.random_unstructured(net[3], "weight", 0.5)


def zeroed(net: nn.Sequential) -> None:
    with torch.no_grad():
        net[3].weight[:, 2] = 0


def hooked(net: nn.Sequential) -> None:
    net[3].register_forward_pre_hook(lambda module, args: (args[0] * 0.5,))


def replaced(net: nn.Sequential) -> None:
    net[3].forward = lambda x: nn.functional.linear(nn.functional.linear(x, net[3].weight), torch.eye(5))  # type: ignore


def raising(net: nn.Sequential) -> None:
    net[5].in_features = net[6].in_features  # the next line makes its product impossible
    net[5].weight = nn.Parameter(torch.ones(5, 4))


CASES = [as_it_is, pruned, zeroed, hooked, replaced, raising]


@pytest.mark.parametrize("change", CASES)
@pytest.mark.parametrize("gradients", [False, True])
def test_straight_or_not_the_account_is_the_same(
    change: Callable[[nn.Sequential], None], gradients: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    accounts = []
    for straight in (True, False):
        if not straight:
            monkeypatch.setattr(listening, "multiplies_once", lambda module, args: False)
        net = network()
        change(net)
        with torch.set_grad_enabled(gradients), sl.recording(net) as recorder:
            try:
                out = net(inputs())
            except RuntimeError:
                assert change is raising
            else:
                with torch.no_grad():
                    again = torch.tanh(out)  # listened to again
        assert torch._C._len_torch_dispatch_stack() == 0
        if change is not raising:
            assert out.requires_grad is gradients and again.shape == out.shape
        accounts.append(recorder.activity(samples=3, timesteps=4))
    one, other = accounts
    assert one.layers == other.layers and one.uncounted == other.uncounted
    for name in one.layers:
        assert one.layer(name) == other.layer(name)
    assert one.tallies.keys() == other.tallies.keys()
    for key, tally in one.tallies.items():
        assert tally.count == other.tallies[key].count, key
        assert np.array_equal(tally.per_neuron, other.tallies[key].per_neuron), key


def test_only_what_is_plain_goes_straight() -> None:
    layer, x = nn.Linear(3, 2), torch.ones(4, 3)
    with listen(Listener()):  # stands for the recorder
        assert multiplies_once(layer, (x,))
        assert not multiplies_once(layer, (x[None],)) and not multiplies_once(layer, (x.double(),))
        assert not multiplies_once(nn.Identity(), (x,)) and not multiplies_once(nn.Bilinear(3, 3, 2), (x, x))
        with Passing():
            assert not multiplies_once(layer, (x,))
        with torch.autocast("cpu"):
            assert not multiplies_once(layer, (x,))
        with torch.device("cpu"):  # a function mode
            assert not multiplies_once(layer, (x,))
        torch.vmap(lambda row: _never(layer, row) or row)(x[None])
        layer.register_forward_hook(lambda *_: None)
        assert not multiplies_once(layer, (x,))


def _never(layer: nn.Linear, row: torch.Tensor) -> None:
    assert not multiplies_once(layer, (row,))
