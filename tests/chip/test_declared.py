"""Neurons that a user declared, on a chip: with their constants they run as torch does, without them it is said how."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import spikeledger as sl
from chip.networks import exact, spikes
from spikeledger.chip.simulate import run
from spikeledger.errors import InputError
from spikeledger.study.agreement import agreement


class Leaky(nn.Module):
    """Leaky neurons that keep their membrane, one step a call; resets by subtraction."""

    def __init__(self, beta: float | Tensor = 0.75) -> None:
        super().__init__()
        self.beta = beta
        self.membrane: Tensor | None = None

    def reset(self) -> None:
        self.membrane = None

    def forward(self, current: Tensor) -> Any:
        before = torch.zeros_like(current) if self.membrane is None else self.membrane
        membrane = self.beta * before + current
        spikes = (membrane > 1).to(current)
        self.membrane = membrane - spikes
        return spikes


def constants(neurons: Any) -> dict[str, Any]:
    return {"beta": neurons.beta, "threshold": 1.0, "reset": "subtract"}


@sl.neuron(chip=constants)
class Known(Leaky):
    pass


@sl.neuron(layout="TB", chip=constants)
class Whole(Leaky):
    def forward(self, current: Tensor) -> Any:
        self.reset()
        return torch.stack([super(Whole, self).forward(step) for step in current])


@sl.neuron(layout="BT", spikes=1, chip=constants)
class Turned(Leaky):
    """Samples first, and the membrane before the spikes."""

    def forward(self, current: Tensor) -> Any:
        self.reset()
        steps = torch.stack([super(Turned, self).forward(step) for step in current.transpose(0, 1)], 1)
        return self.membrane, steps


@sl.neuron(layout="BNT", chip=constants)
class Last(Leaky):
    """Time last."""

    def forward(self, current: Tensor) -> Any:
        self.reset()
        return torch.stack([super(Last, self).forward(step) for step in current.unbind(-1)], -1)


class Stacked(nn.Module):
    """Two layers `[T, B, N]`, in the layout of their neurons."""

    def __init__(self, kind: type[Leaky], beta: float | Tensor) -> None:
        super().__init__()
        self.first, self.one = nn.Linear(9, 12), kind(beta)
        self.second, self.other = nn.Linear(12, 5), kind(0.5)

    def fired(self, neurons: nn.Module, currents: Tensor) -> Tensor:
        if type(neurons) is Known:
            return torch.stack([neurons(step) for step in currents])
        if type(neurons) is Turned:
            return neurons(currents.transpose(0, 1))[1].transpose(0, 1)
        if type(neurons) is Last:
            return neurons(currents.permute(1, 2, 0)).permute(2, 0, 1)
        sent: Tensor = neurons(currents)
        return sent

    def forward(self, x: Tensor) -> Tensor:
        return self.fired(self.other, self.second(self.fired(self.one, self.first(x))))


@pytest.mark.parametrize("beta", [0.75, torch.linspace(0.25, 1, 12, dtype=torch.float64)], ids=["one", "each"])
@pytest.mark.parametrize("kind", [Known, Whole, Turned, Last])
def test_declared_neurons_run_as_in_torch_whatever_their_layout(kind: type[Leaky], beta: float | Tensor) -> None:
    torch.manual_seed(4)
    network, x = exact(Stacked(kind, beta)).double(), spikes(12, 6, 9).double()
    mapped = sl.map(network, x, layout="TB")
    ran = run(mapped, x.numpy(), keep=["one", "other"])
    found = agreement(ran, network, x, layout="TB")
    assert found.differing == 0 and found.spikes > 20 and found.places == 12 * 6 * 17
    assert network.one.membrane is None or kind is not Known, "it is left at rest"


@pytest.mark.parametrize(
    ("chip", "match"),
    [
        (None, r"nobody said which constants they have: declare the class with @sl\.neuron\(chip="),
        ("they forget by a power of time, which no chip here does", "they forget by a power of time"),
        (lambda neurons: "their beta is above 1", "'one' are Odd, and their beta is above 1"),
        (lambda neurons: {"beta": 0.5}, "constants of neurons 'one'"),
        (lambda neurons: {**constants(neurons), "tau": 3.0}, "constants of neurons 'one'"),
        (lambda neurons: {**constants(neurons), "reset": "half"}, "reset by 'half'"),
        (lambda neurons: {**constants(neurons), "threshold": torch.ones(12)}, "a threshold each"),
        (lambda neurons: {**constants(neurons), "beta": float("nan")}, "NaN"),
    ],
)
def test_neurons_without_constants_are_refused_by_name(chip: Any, match: str) -> None:
    @sl.neuron(chip=chip)
    class Odd(Leaky):
        pass

    stacked = Stacked(Known, 0.5)
    stacked.one = Odd()
    stacked.fired = lambda neurons, currents: torch.stack([neurons(step) for step in currents])  # type: ignore[method-assign]
    with pytest.raises(InputError, match=match):
        sl.map(stacked, torch.zeros(4, 2, 9), layout="TB")


def test_a_read_out_is_refused_and_what_is_no_neuron_is_looked_into() -> None:
    @sl.neuron(spiking=False, layout="TB")
    class ReadOut(nn.Module):
        def forward(self, current: Tensor) -> Tensor:
            return current.cumsum(0)

    with pytest.raises(InputError, match="'1' are a read-out"):
        sl.map(nn.Sequential(nn.Linear(4, 3), ReadOut()), torch.zeros(4, 2, 4))

    @sl.not_a_neuron
    class Half(nn.Module):
        def forward(self, values: Tensor) -> Tensor:
            return values * (torch.arange(3) < 2)

    network = nn.Sequential(nn.Linear(4, 3), sl.LIF(0.5), Half(), nn.Linear(3, 2), sl.LIF(0.5))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(3 * parameter.abs())
    x = spikes(6, 2, 4)
    assert sl.simulate(network, x).total("synaptic_op") == sl.record(network, x).total("synaptic_op") > 0
