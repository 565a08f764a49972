"""event_driven(net) is net, for random sequences of the layers that it knows."""

from __future__ import annotations

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import spikeledger as sl
from tolerance import GRADIENT


@st.composite
def sequences(draw: st.DrawFn) -> tuple[nn.Sequential, Tensor]:
    """Convolutions, linear layers, neurons, poolings, flattenings and dropout (in evaluation) in any order that fits."""
    seed = draw(st.integers(0, 999))
    torch.manual_seed(seed)
    maps = draw(st.booleans())
    shape: tuple[int, ...] = (draw(st.integers(1, 3)), 8, 8) if maps else (draw(st.integers(1, 70)),)
    first, layers = shape, list[nn.Module]()
    for _ in range(draw(st.integers(1, 7))):
        kinds = ["linear", "neurons", "neurons", "dropout", "identity"]
        if len(shape) == 3:
            kinds = ["conv", "conv", "neurons", "neurons", "max", "average", "flatten", "dropout"]
        kind = draw(st.sampled_from(kinds))
        made: nn.Module
        if kind == "linear":
            made = nn.Linear(shape[0], draw(st.integers(1, 70)), bias=draw(st.booleans()))
        elif kind == "conv":
            kernel = draw(st.integers(1, min(3, *shape[1:])))
            made = sl.over_time(
                nn.Conv2d(shape[0], draw(st.integers(1, 4)), kernel, draw(st.integers(1, 2)), draw(st.integers(0, 1)))
            )
        elif kind == "neurons":
            reset, late = draw(st.sampled_from(["subtract", "zero", "none"])), draw(st.booleans())
            options = {"threshold": draw(st.sampled_from([0.25, 1.0])), "reset": reset, "reset_delay": late}
            made = draw(st.sampled_from([lambda o=options: sl.LIF(0.5, **o), lambda o=options: sl.IF(**o)]))()
        elif kind in ("max", "average"):
            if min(shape[1:]) < 2:
                continue
            pool = nn.MaxPool2d if kind == "max" else nn.AvgPool2d
            made = sl.over_time(pool(2, draw(st.integers(1, 2))))
        elif kind == "flatten":
            made = nn.Flatten(2)
        else:
            made = nn.Dropout(draw(st.sampled_from([0.2, 0.5]))) if kind == "dropout" else nn.Identity()
        with torch.no_grad():
            shape = tuple(made.eval()(torch.zeros(1, 1, *shape)).shape[2:])
        layers.append(made)
    network = nn.Sequential(*layers)
    with torch.no_grad():
        for weight in network.parameters():
            weight.copy_((weight * 512).round() / 256)
    return network.eval(), (torch.rand(4, 2, *first) < draw(st.sampled_from([0.05, 0.4, 1.0]))).float()


@given(sequences())
@settings(max_examples=150, deadline=None)
def test_the_same_outputs_and_gradients(case: tuple[nn.Sequential, Tensor]) -> None:
    plain, x = case
    events = sl.event_driven(plain)
    with torch.no_grad():
        assert torch.equal(events(x), plain(x))
    grads = []
    for network in (plain, events):
        given_x = x.clone().requires_grad_()
        plain.zero_grad()
        network(given_x).square().sum().backward()
        grads.append([given_x.grad, *(copy.copy(weight.grad) for weight in plain.parameters())])
    for one, other in zip(*grads, strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            torch.testing.assert_close(one, other, **GRADIENT)


@pytest.mark.parametrize("widths", [(8, 6, 5, 4), (64, 65, 64, 3), (70, 1, 2, 70)])
@pytest.mark.parametrize("grad", [False, True])
def test_layers_whose_widths_do_not_fit_are_torchs_error(widths: tuple[int, int, int, int], grad: bool) -> None:
    a, b, c, d = widths
    network = sl.event_driven(nn.Sequential(nn.Linear(a, b), sl.LIF(0.9), nn.Linear(c, d), sl.LIF(0.9)))
    with torch.set_grad_enabled(grad), pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        network((torch.rand(3, 2, a) < 0.5).float())


@pytest.mark.parametrize("share", [0.5, 0.75])
@pytest.mark.parametrize("pools", [True, False])
def test_what_dropout_leaves_is_worth_as_much_more_behind_a_max_pooling(share: float, pools: bool) -> None:
    torch.manual_seed(0)
    behind = [sl.over_time(nn.MaxPool2d(2))] if pools else []
    head = nn.Linear(4 * (9 if pools else 36), 10, bias=False)
    head.weight.data.fill_(1.0)
    stem = [sl.over_time(nn.Conv2d(1, 4, 3)), sl.LIF(0.9, threshold=0.05)]
    layers = nn.Sequential(*stem, nn.Dropout(share), *behind, nn.Flatten(2), head)
    out = sl.event_driven(layers.train())((torch.rand(20, 64, 1, 8, 8) < 0.3).float())
    spikes = out.detach() / (1 / (1 - share))  # how many arrived, if each is worth 1 / (1 - p)
    assert torch.equal(spikes, spikes.round()) and bool((spikes % 2 == 1).any()) and float(spikes.max()) > 4
