"""Recorded and simulated runs of one network agree in the facts of every layer, so that a bill cannot tell them apart."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import spikeledger as sl
from chip.networks import exact, spikes
from spikeledger.activity import footprint

FACTS = ("outputs", "weights", "nonzero_weights", "parameters", "nonzero_parameters", "synapses", "inputs", "magnitude",
         "source", "shape", "state", "spiking", "weighted")  # fmt: skip


class ByHand(nn.Module):
    """A product with a bias that is added afterwards, beside one without."""

    def __init__(self) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.zeros(6, 9)), nn.Parameter(torch.zeros(6))
        self.neurons, self.out, self.last = sl.LIF(0.5), nn.Linear(6, 3, bias=False), sl.LIF(0.5)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.out(self.neurons(x @ self.weight.t() + self.bias)))


def perceptron(bias: bool) -> nn.Module:
    return nn.Sequential(nn.Linear(9, 12, bias=bias), sl.LIF(0.5), nn.Linear(12, 4, bias=bias), sl.IF())


def convolution(groups: int) -> nn.Module:
    return nn.Sequential(
        sl.over_time(nn.Conv2d(2, 4, 3, padding=1, groups=groups)), sl.LIF(0.5), nn.Flatten(2),
        nn.Linear(4 * 25, 3, bias=False), sl.LIF(0.5),
    )  # fmt: skip


CASES: dict[str, tuple[Any, tuple[int, ...]]] = {
    "perceptron": (lambda: perceptron(True), (9,)),
    "no bias": (lambda: perceptron(False), (9,)),
    "convolution": (lambda: convolution(1), (2, 5, 5)),
    "grouped": (lambda: convolution(2), (2, 5, 5)),
    "by hand": (ByHand, (9,)),
    "recurrent": (
        lambda: nn.Sequential(nn.Linear(9, 5), sl.Recurrent.all_to_all(sl.LIF(0.5), 5), nn.Linear(5, 2), sl.LIF(0.5)),
        (9,),
    ),
}


#: waits for the counter that follows storage: today it does not say who sends to a recurrent layer


@pytest.mark.parametrize("pruned", [0.0, 0.6, 0.95])
@pytest.mark.parametrize("name", list(CASES))
def test_facts_are_the_same(name: str, pruned: float) -> None:
    build, shape = CASES[name]
    network = exact(build(), seed=1, pruned=pruned)
    x = spikes(6, 3, *shape)
    recorded, simulated = sl.record(network, x, layout="TB"), sl.simulate(network, x)
    weighted = [layer for layer in recorded.layers if recorded.layer(layer).weighted]
    assert len(weighted) >= 2
    for layer in weighted:
        one, other = recorded.layer(layer), simulated.layer(layer)
        assert {f: getattr(one, f) for f in FACTS} == {f: getattr(other, f) for f in FACTS}, layer
        assert (recorded.fan_out(layer) == simulated.fan_out(layer)).all()
    assert footprint.connection_sparsity(recorded) == footprint.connection_sparsity(simulated)
    assert footprint.parameter_bytes(recorded) == footprint.parameter_bytes(simulated)


@pytest.mark.parametrize(
    ("name", "bill"),
    [*(("no bias", bill) for bill in ("ops-only", "full", "memory")), ("recurrent", "ops-only"), ("recurrent", "full")],
)
def test_a_bill_cannot_tell_who_made_the_account(name: str, bill: Any) -> None:
    build, shape = CASES[name]
    network = exact(build(), seed=1, pruned=0.6)
    for module in network.modules():
        if getattr(module, "bias", None) is not None:
            module.bias = None
    x = spikes(6, 3, *shape)
    recorded, simulated = sl.record(network, x, layout="TB"), sl.simulate(network, x)
    prices = [sl.price(each, "horowitz-45nm", bill=bill, allow_uncounted=True).joules for each in (recorded, simulated)]
    assert prices[0] == pytest.approx(prices[1], rel=1e-12)
