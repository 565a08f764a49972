"""Connections of a population to itself: what they compute, and what they count."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import spikeledger as sl
from spikeledger.errors import InputError
from spikeledger.kernels.choice import native
from spikeledger.networks.event_driven import event_driven
from spikeledger.networks.recurrent import Lateral, OneToOne
from spikeledger.training.tap import tapped

WIDTH = 6
T, B = 12, 3


def all_to_all(neuron: sl.LIF, *, bias: bool = False) -> sl.Recurrent:
    connections = nn.Linear(WIDTH, WIDTH, bias=bias)
    with torch.no_grad():
        for part in connections.parameters():
            part.mul_(512).round_().div_(256)
        connections.weight[2, 3] = 0  # a synapse that does not exist
    return sl.Recurrent(neuron, connections)


KINDS: dict[str, Callable[[sl.LIF], sl.Recurrent]] = {
    "all to all": all_to_all,
    "with bias": lambda neuron: all_to_all(neuron, bias=True),
    "one to one": lambda neuron: sl.Recurrent.one_to_one(neuron, torch.tensor([0.5, -0.25, 0.0, 1.0, -1.0, 0.125])),
    "one for all": lambda neuron: sl.Recurrent.one_to_one(neuron, -0.5),
    "lateral": lambda neuron: sl.Recurrent.lateral(neuron, WIDTH, 0.25),
    "of one's own": lambda neuron: sl.Recurrent(neuron, nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.Tanh())),
}
NEURONS: dict[str, Callable[..., sl.LIF]] = {
    "lif": lambda: sl.LIF(0.75, learn_beta=True),
    "delayed": lambda: sl.LIF(0.75, reset_delay=True),
    "synaptic": lambda: sl.Synaptic(0.5, 0.75, refractory=1, reset="zero"),
    "adaptive": lambda: sl.AdaptiveLIF(0.75, 0.5, 0.25, learn_adaptation=True, reset_delay=True),
}


def currents(steps: int = T) -> Tensor:
    drawn = torch.randn(steps, B, WIDTH, generator=torch.Generator().manual_seed(0)) + 0.5
    return (drawn * 64).round() / 64


def by_steps(network: sl.Recurrent, inputs: Tensor) -> Tensor:
    """The equation as it stands: `I[t] + W S[t-1]`, with the population's own state passed on."""
    population = network.neuron
    state, last, sent = population.rest(inputs), torch.zeros(B, WIDTH), []
    for current in inputs:
        spikes, state = population((current + network.connections(last))[None], state)
        last = spikes[0]
        sent.append(last)
    return torch.stack(sent)


@pytest.mark.parametrize("backend", ["auto", "reference"])
@pytest.mark.parametrize("neuron", NEURONS)
@pytest.mark.parametrize("kind", KINDS)
def test_it_is_its_equation(kind: str, neuron: str, backend: str) -> None:
    torch.manual_seed(0)
    network = KINDS[kind](NEURONS[neuron]())
    found = []
    for run, where in ((network, backend), (lambda inputs: by_steps(network, inputs), "reference")):
        network.zero_grad()
        inputs = currents().requires_grad_()
        with sl.backend(where):
            spikes = run(inputs)
        (spikes * torch.linspace(-1, 2, spikes.numel()).view_as(spikes)).sum().backward()
        found.append([spikes, inputs.grad, *(part.grad.clone() for part in network.parameters())])  # type: ignore
    assert torch.equal(found[0][0], found[1][0]) and bool(found[0][0].any())
    for one, other in zip(found[0][1:], found[1][1:], strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("neuron", NEURONS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_state_carried_on_changes_nothing(kind: str, neuron: str) -> None:
    torch.manual_seed(0)
    network, inputs = KINDS[kind](NEURONS[neuron]()), currents()
    for cut in (0, 5, T):
        first, state = network(inputs[:cut], network.rest(inputs))
        second, _ = network(inputs[cut:], state)
        assert torch.equal(torch.cat([first, second]), network(inputs))


@pytest.mark.parametrize("watched", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_truncation_is_detaching_the_state(kind: str, watched: bool) -> None:
    torch.manual_seed(0)
    network = KINDS[kind](sl.Synaptic(0.5, 0.75, truncate=4))
    whole = sl.Recurrent(sl.Synaptic(0.5, 0.75), network.connections)
    handle = network.register_forward_hook(lambda *_: None) if watched else None
    first = currents().requires_grad_()
    network(first).sum().backward()
    second, state = currents().requires_grad_(), whole.rest(currents())
    for part in second.split(4):
        spikes, state = whole(part, state)
        spikes.sum().backward()
        state = state.detach()
    assert first.grad is not None and second.grad is not None
    torch.testing.assert_close(first.grad, second.grad, rtol=1e-4, atol=1e-6)
    if handle is not None:
        handle.remove()


@pytest.mark.parametrize("neuron", NEURONS)
@pytest.mark.parametrize("kind", ["all to all", "one to one", "lateral"])
def test_every_spike_that_comes_back_is_counted(kind: str, neuron: str) -> None:
    """SynOps of the connections are spikes times their fan-out; updates with an input know what came back."""
    torch.manual_seed(0)
    network = KINDS[kind](NEURONS[neuron]())
    inputs = currents()
    inputs[:, :, 4] = 0  # a neuron that gets nothing but from inside
    with torch.no_grad():
        spikes = network(inputs)
    activity = sl.record(nn.Sequential(network), inputs)
    before = torch.cat([torch.zeros_like(spikes[:1]), spikes[:-1]])
    weight: Any = network.connections.weight
    matrix = torch.diag(weight.detach()) if kind == "one to one" else weight.detach()
    fan_out = (matrix != 0).sum(0)
    assert activity.total("spike", "0.neuron") == int(spikes.sum())
    assert activity.total("synaptic_op", "0.connections") == int((before.sum((0, 1)) * fan_out).sum()) > 0
    assert activity.total("mac") == activity.total("elementwise") == 0
    assert activity.layer("0.connections").synapses == int((matrix != 0).sum())
    assert activity.total("neuron_update") == T * B * WIDTH
    driven = (inputs + before @ matrix.t()) != 0
    assert activity.total("active_update") == int(driven.sum())
    assert not activity.uncounted
    dense = WIDTH if kind == "one to one" else WIDTH**2
    assert activity.total("dense_op", "0.connections") == T * B * dense


def step_by_step(network: nn.Module, deed: Callable[[], Any]) -> Any:
    """What a deed gives while a hook looks at every step of the connections, which nothing can be fused past."""
    every = [each.connections for each in network.modules() if isinstance(each, sl.Recurrent)]
    handles = [each.register_forward_hook(lambda *_: None) for each in every]
    try:
        return deed()
    finally:
        for handle in handles:
            handle.remove()


def same(one: sl.Activity, other: sl.Activity) -> None:
    """The same account, place by place."""
    assert list(one.tallies) == list(other.tallies) and one.uncounted == other.uncounted
    for key, tally in one.tallies.items():
        assert tally.count == other.tallies[key].count, key
        assert np.array_equal(tally.per_neuron, other.tallies[key].per_neuron), key
    assert one.layers_by_name == other.layers_by_name
    assert (one.samples, one.timesteps) == (other.samples, other.timesteps)
    for name, steps in one.spikes_per_step.items():
        assert np.array_equal(steps, other.spikes_per_step[name])


def around(kind: str, neuron: str) -> nn.Sequential:
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Linear(5, WIDTH), KINDS[kind](NEURONS[neuron]()), nn.Linear(WIDTH, 3), sl.LIF(0.75))
    with torch.no_grad():
        for part in layers.parameters():
            if part.dim():
                part.mul_(256).round_().div_(256)
    return layers


@pytest.mark.parametrize(("neuron", "events"), [*((name, False) for name in NEURONS), ("lif", True)])
@pytest.mark.parametrize("kind", KINDS)
def test_a_recording_is_the_one_made_step_by_step(kind: str, neuron: str, events: bool) -> None:
    network: nn.Module = around(kind, neuron)
    network = event_driven(network) if events else network
    inputs = (torch.rand(T, 7, 5, generator=torch.Generator().manual_seed(3)) > 0.5).float()
    for options in ({}, {"batch_size": 3}):
        found = sl.record(network, inputs, **options)
        assert kind == "of one's own" or found.total("synaptic_op", "1.connections") > 0
        same(found, step_by_step(network, lambda options=options: sl.record(network, inputs, **options)))


def test_a_recording_goes_step_by_step_only_where_it_must(monkeypatch: pytest.MonkeyPatch) -> None:
    network, inputs, by_steps = around("all to all", "lif"), torch.ones(4, 2, 5), sl.Recurrent._one_by_one
    called = list[int]()
    monkeypatch.setattr(sl.Recurrent, "_one_by_one", lambda *args: called.append(1) or by_steps(*args))
    sl.record(network, inputs)
    assert bool(called) == (native() is None)
    step_by_step(network, lambda: sl.record(network, inputs))
    assert called


def test_connections_whose_forward_somebody_replaced_are_obeyed() -> None:
    network = all_to_all(sl.LIF(0.75))
    network.connections.forward = torch.zeros_like
    alone = sl.LIF(0.75)(currents())
    assert torch.equal(network(currents()), alone) and bool(alone.any())
    assert sl.record(nn.Sequential(network), currents()).total("spike", "0.neuron") == int(alone.sum())


@pytest.mark.parametrize("chunk", [1, 5, 6])
@pytest.mark.parametrize("kind", KINDS)
def test_a_loop_that_carries_the_state_on_is_counted_alike(kind: str, chunk: int) -> None:
    torch.manual_seed(0)
    network, inputs = KINDS[kind](sl.Synaptic(0.5, 0.75, truncate=4)), currents()

    def looped() -> sl.Activity:
        with sl.recording(network) as found, torch.no_grad():
            state = network.rest(inputs)
            for part in inputs.split(chunk):
                _, state = network(part, state)
        return found.activity()

    same(looped(), step_by_step(network, looped))


class Uses(nn.Module):
    """One population behind two layers, and what its states go into."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.first, self.second, self.out = (nn.Linear(WIDTH, WIDTH) for _ in range(3))
        self.inner = all_to_all(sl.LIF(0.75), bias=True)
        with torch.no_grad():
            for part in self.parameters():
                part.mul_(256).round_().div_(256) if part.dim() else None

    def forward(self, inputs: Tensor) -> Tensor:
        spikes = self.inner(self.second(self.inner(self.first(inputs))))
        again, state = self.inner(spikes, self.inner.rest(spikes))
        return self.out(state.membrane) + self.out(state.spikes) + self.out(again[-1])


def test_shared_populations_and_states_that_go_on_are_counted_alike() -> None:
    network = Uses()
    same(sl.record(network, currents()), step_by_step(network, lambda: sl.record(network, currents())))


@pytest.mark.parametrize("kind", KINDS)
def test_a_penalty_of_synaptic_operations_learns_alike(kind: str) -> None:
    network = around(kind, "lif")
    inputs = (torch.rand(T, 7, 5, generator=torch.Generator().manual_seed(3)) > 0.5).float()
    facts = sl.record(network, inputs)

    def learned() -> list[Tensor]:
        network.zero_grad()
        with tapped(network, facts) as tap:
            network(inputs)
        batch = tap.batch(7)
        batch.synops.backward()
        grads = [part.grad.clone() for part in network.parameters() if part.grad is not None]
        return [batch.synops.detach(), batch.active["1.neuron"], *grads]

    for one, other in zip(learned(), step_by_step(network, learned), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


def test_lateral_inhibition_reaches_all_others() -> None:
    network = sl.Recurrent.lateral(sl.LIF(1.0), 3, strength=2.0)
    inputs = torch.tensor([[2.0, 0.0, 0.0], [0.0, 1.5, 0.0]])[:, None]
    _, state = network(inputs, network.rest(inputs))
    assert state.membrane.tolist() == [[1.0, -0.5, -2.0]]


@pytest.mark.parametrize(
    ("deed", "says"),
    [
        (lambda: sl.Recurrent(nn.ReLU(), nn.Linear(3, 3)), "is a ReLU: give a Neuron"),
        (lambda: sl.Recurrent(sl.LIF(), nn.Linear(3, 4)), "give nn.Linear(N, N)"),
        (lambda: sl.Recurrent.all_to_all(sl.LIF(), 3)(torch.rand(2, 2, 4)), "need [T, B, 3]"),
        (lambda: sl.Recurrent.one_to_one(sl.LIF())(torch.rand(4)), "need [T, B, *N]"),
        (lambda: sl.Recurrent(sl.LIF(), nn.Flatten(0))(torch.rand(2, 2, 4)), "gave currents of shape [8]"),
        (lambda: sl.Recurrent.one_to_one(sl.LIF())(torch.rand(2, 2, 4), torch.zeros(2, 4)), "without spikes"),
        (lambda: Lateral(3, -1.0), "must be 0 or more"),
        (lambda: sl.Recurrent.one_to_one(sl.LIF(window=(2, 6))), "window=(2, 6)"),
        (lambda: sl.Recurrent(sl.LIF(), OneToOne(torch.rand(3)))(torch.rand(2, 2, 4)), "constant has the shape [3]"),
    ],
)
def test_what_cannot_be_says_so(deed: Callable[[], Any], says: str) -> None:
    with pytest.raises(InputError) as caught:
        deed()
    assert says in str(caught.value)


@pytest.mark.parametrize("kind", ["all to all", "one to one", "lateral"])
def test_a_chip_runs_it_spike_for_spike(kind: str) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Linear(5, WIDTH, bias=False), KINDS[kind](sl.LIF(0.75)), nn.Linear(WIDTH, 3), sl.LIF(0.75)
    )
    with torch.no_grad():
        for part in network[0].parameters():
            part.abs_().mul_(512).round_().div_(256)
    inputs = (torch.rand(8, 2, 5) > 0.5).float()
    recorded, simulated = sl.record(network, inputs), sl.simulate(network, inputs, "loihi")
    for layer in ("1.neuron", "3"):
        assert simulated.total("spike", layer) == recorded.total("spike", layer)
    assert simulated.total("synaptic_op") == recorded.total("synaptic_op") > 0
    assert recorded.total("spike", "1.neuron") > 0
