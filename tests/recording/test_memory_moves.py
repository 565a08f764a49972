"""Memory that is moved, lent or written in lists is followed, and looking at it leaves no trace."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import spikeledger as sl
from spikeledger.recording.census import nonzero_elements, presence, seen_by_numpy

Keep = Callable[[Tensor, Tensor], object]


def in_turn(state: Tensor, spikes: Tensor) -> None:
    torch._foreach_zero_([state])
    torch._foreach_add_([state], [spikes])


KEEPS: dict[str, Keep] = {
    "set_": lambda state, spikes: state.set_(spikes.clone()),  # type: ignore[call-overload]
    "a list of copies": lambda state, spikes: torch._foreach_copy_([state], [spikes]),
    "lists in turn": in_turn,
}


class Loop(nn.Module):
    """Neurons whose spikes come back through weights, kept in a buffer."""

    def __init__(self, keep: Keep) -> None:
        super().__init__()
        self.fc, self.back, self.lif = nn.Linear(7, 11), nn.Linear(11, 11), sl.LIF(0.7)
        self.register_buffer("held", torch.zeros(3, 11))
        self.keep = keep
        self.seen: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        for _ in range(5):
            self.seen.append(self.held.clone())
            spikes = self.lif((9 * self.fc(x) + self.back(self.held))[None])[0]
            self.keep(self.held, spikes)
        return self.held


@pytest.mark.parametrize("how", KEEPS)
def test_a_state_is_followed_however_it_is_written(how: str) -> None:
    torch.manual_seed(4)
    network = Loop(KEEPS[how])
    with sl.recording(network) as recorder, torch.no_grad():
        network(torch.rand(3, 7))
    activity = recorder.activity(samples=3, timesteps=5)
    expected = int(sum((held != 0).sum() for held in network.seen)) * 11
    assert expected > 0
    assert activity.total("synaptic_op", "back") == expected
    assert not activity.uncounted


@pytest.mark.parametrize("view", ["before", "between"])
def test_weights_that_numpy_holds_are_looked_at_again(view: str) -> None:
    torch.manual_seed(5)
    network, x = nn.Sequential(nn.Linear(6, 8)), torch.rand(4, 6)
    held = network[0].weight.detach().numpy() if view == "before" else None
    with sl.recording(network) as recorder:
        network(x)
        (network[0].weight.detach().numpy() if held is None else held)[:5] = 0
        network(x)
    assert recorder.activity(samples=8).total("mac") == 4 * 6 * 8 + 4 * 6 * 3


def test_a_recording_leaves_memory_that_can_be_resized() -> None:
    network, x = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 2)), torch.rand(4, 6)
    sl.record(network, x)
    assert all(tensor.untyped_storage().resizable() for tensor in (x, *network.parameters()))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bool, torch.uint8])
def test_what_numpy_sees_is_what_torch_holds(dtype: torch.dtype) -> None:
    values = (torch.arange(12).reshape(3, 4) % 3).to(dtype).t()
    assert seen_by_numpy(values).tolist() == values.tolist()
    assert presence(values).tolist() == (values != 0).tolist()
    assert nonzero_elements(values) == 8
    assert values.untyped_storage().resizable()


def test_an_own_call_under_vmap_has_seen_its_input() -> None:
    torch.manual_seed(6)
    network, x = nn.Sequential(nn.Linear(6, 9), nn.ReLU(), nn.Linear(9, 2)), torch.rand(5, 6)
    with sl.recording(network) as recorder, torch.no_grad():
        torch.func.vmap(network)(x)
    activity = recorder.activity(samples=5)
    active = int((network[:2](x) != 0).sum())
    assert (activity.total("mac", "0"), activity.total("mac", "2")) == (5 * 6 * 9, active * 2)
    assert not activity.uncounted


@pytest.mark.parametrize("same", [lambda s: s + 0, lambda s: sum([s]), lambda s: 0 + s, lambda s: s - 0])
def test_nothing_added_to_spikes_leaves_them_spikes(same: Callable[[Tensor], Tensor]) -> None:
    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.lif, self.b = nn.Linear(6, 9), sl.LIF(0.8), nn.Linear(9, 4)

        def forward(self, x: Tensor) -> Tensor:
            return self.b(same(self.lif(5 * self.a(x)[None])[0])[:, 1:8] @ torch.eye(7, 9))

    torch.manual_seed(7)
    activity = sl.record(Network(), torch.rand(8, 6), layout="B")
    assert not activity.uncounted


class Watched(nn.Module):
    """Spikes of 4 steps are added and given back; what else is done with the sum is the question."""

    def __init__(self, then: Callable[[Watched, Tensor, Tensor], object]) -> None:
        super().__init__()
        torch.manual_seed(8)
        self.a, self.lif, self.b = nn.Linear(6, 8), sl.LIF(0.8), nn.Linear(8, 4)
        self.then, self.seen = then, []

    def forward(self, x: Tensor) -> object:
        spikes = self.lif(3 * self.a(x).expand(4, 3, 8))
        total = spikes[0] + spikes[1] + spikes[2] + spikes[3]
        return total, self.then(self, total, spikes)


def elementwise(then: Callable[[Watched, Tensor, Tensor], object]) -> int:
    activity = sl.record(Watched(then), torch.rand(3, 6), layout="B")
    assert not activity.uncounted
    return activity.total("elementwise")


def test_a_sum_by_which_the_network_chooses_is_paid() -> None:
    adds = 3 * 3 * 8
    factors = 3 * 8 * 4  # `3 * currents`
    idle = elementwise(lambda own, total, spikes: None)
    assert idle in (0, factors)
    winners = elementwise(
        lambda own, total, spikes: own.b(spikes[3] * torch.zeros(3, 8).scatter_(1, total.topk(2)[1], 1.0))
    )
    assert winners == idle + adds + 3 * 8
    assert elementwise(lambda own, total, spikes: spikes[0] if total.max() > 2 else spikes[1]) == idle + adds


@pytest.mark.parametrize("steady", [torch.relu, torch.tanh, lambda s: s.clamp(0, 1), lambda s: torch.nan_to_num(s)])
def test_functions_that_keep_zero_keep_spikes(steady: Callable[[Tensor], Tensor]) -> None:
    network = Watched(lambda own, total, spikes: own.b(steady(spikes[2])))
    activity = sl.record(network, torch.rand(3, 6), layout="B")
    assert not activity.uncounted
    assert activity.total("synaptic_op", "b") > 0
    assert activity.total("mac", "b") == 0


def test_what_numpy_made_is_named_only_if_it_is_used() -> None:
    def watch(own: Watched, total: Tensor, spikes: Tensor) -> None:
        own.seen.append(torch.from_numpy(total.numpy().copy()))

    def use(own: Watched, total: Tensor, spikes: Tensor) -> Tensor:
        return own.b(torch.from_numpy(total.numpy().copy()))

    x = torch.rand(3, 6)
    assert not sl.record(Watched(watch), x, layout="B").uncounted
    assert sl.record(Watched(use), x, layout="B").uncounted
