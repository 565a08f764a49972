"""What training hears: whatever moves spikes between layers, a penalty pays the recorder's count, with its gradient."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import spikeledger as sl
from spikeledger.errors import InputError
from spikeledger.kernels import choice
from spikeledger.training.tap import tapped

WIDTH = 14
BACKENDS = ["reference", *(["cpu"] if choice.native() is not None else [])]
_MASK = (torch.arange(WIDTH) % 3 != 0).float()
_ORDER = torch.randperm(WIDTH, generator=torch.Generator().manual_seed(3))

#: what a network may do with the spikes `[T, B, 14]` of one layer before the next
MOVERS: dict[str, Callable[[Tensor], Tensor]] = {
    "none": lambda s: s,
    "seen otherwise": lambda s: s.view(*s.shape[:2], 7, 2).flatten(2),
    "permuted": lambda s: s[..., _ORDER],
    "flipped": lambda s: s.flip(-1),
    "rolled": lambda s: s.roll(5, -1),
    "shuffled channels": lambda s: s.unflatten(-1, (2, 7)).transpose(-1, -2).flatten(-2),
    "masked": lambda s: s * _MASK,
    "cut and padded": lambda s: nn.functional.pad(s[..., 2:-3], (3, 2)),
    "a step later": lambda s: torch.cat([torch.zeros_like(s[:1]), s[:-1]]),
    "worth a half": lambda s: s * 0.5,
    "inhibiting": lambda s: -s,
    "of both signs": lambda s: s * (2 * _MASK - 1),
    "without a gradient": lambda s: s.detach(),
    "written in place": lambda s: s.clone().index_fill_(-1, torch.tensor([1, 4]), 0.0),
}


class Moved(nn.Module):
    """Three layers, with something between each two; event-driven where that is asked for."""

    def __init__(self, ways: list[str], seed: int, *, events: bool) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.ways = ways
        blocks = [nn.Sequential(nn.Linear(WIDTH, WIDTH), sl.LIF(0.9)) for _ in range(len(ways) + 1)]
        with torch.no_grad():
            for block in blocks:
                block[0].weight.mul_(5 * (torch.rand(WIDTH, WIDTH) < 0.6))
        self.blocks = nn.ModuleList(sl.event_driven(block) if events else block for block in blocks)
        self.arrived: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        self.arrived = [x]
        for block, way in zip(self.blocks, [*self.ways, None], strict=True):
            x = block(x)
            if way is not None:
                x = MOVERS[way](x)
                self.arrived.append(x)
        return x

    def dense_count(self) -> Tensor:
        """The same count written out: sizes of one spike, by hand."""
        parts = []
        for block, values in zip(self.blocks, self.arrived, strict=True):
            size = values.detach().abs().max().clamp_min(1e-9)
            values = values.abs() if values.min() < 0 < values.max() else values * (-1 if values.min() < 0 else 1)
            parts.append(((values / size).sum((0, 1)) * (block[0].weight != 0).sum(0)).sum())
        return torch.stack(parts).sum()


def gradients(network: nn.Module, loss: Tensor) -> list[Tensor]:
    found = torch.autograd.grad(loss, list(network.parameters()), allow_unused=True)
    return [torch.zeros(1) if each is None else each for each in found]


@pytest.mark.parametrize("backend", BACKENDS)
@given(
    ways=st.lists(st.sampled_from(sorted(MOVERS)), min_size=1, max_size=3),
    seed=st.integers(0, 3),
    events=st.booleans(),
)
@settings(max_examples=25, deadline=None)
def test_a_penalty_is_the_recorders_count_and_its_gradient_the_dense_one(
    backend: str, ways: list[str], seed: int, events: bool
) -> None:
    network = Moved(ways, seed, events=events)
    x = (torch.rand(4, 5, WIDTH, generator=torch.Generator().manual_seed(seed)) < 0.5).float()
    with sl.backend(backend):
        facts = sl.record(network, x[:, :3])
        activity = sl.record(network, x)
        with tapped(network, facts) as tap:
            network(x)
        synops = tap.batch(x.shape[1]).synops
        found = gradients(network, synops) if synops.requires_grad else []
    if any(each.inputs == "graded" for each in facts.layers_by_name.values()):  # silent, or of a single spike
        return
    assert float(synops.detach()) == activity.total("synaptic_op")
    with sl.backend("reference"):
        network(x)
        dense = network.dense_count()
        if dense.requires_grad:
            assert synops.requires_grad
            for one, other in zip(found, gradients(network, dense), strict=True):
                torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


def test_dropped_spikes_are_not_paid_though_nothing_was_dropped_in_the_recording() -> None:
    class Dropped(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.drop, self.second = nn.Linear(9, 40), nn.Dropout(0.5), nn.Linear(40, 6, bias=False)
            self.one, self.other = sl.LIF(0.9), sl.LIF(0.9)

        def forward(self, x: Tensor) -> Tensor:
            self.left = self.drop(self.one(3 * self.first(x)))
            return self.other(self.second(self.left))

    network, x = Dropped(), (torch.rand(5, 4, 9) < 0.6).float()
    facts = sl.record(network, x)
    network.train()
    with tapped(network, facts) as tap:
        network(x)
    assert float(tap.batch(4).count("synaptic_op", "second").detach()) == 6 * int((network.left != 0).sum()) > 0


@pytest.mark.parametrize("events", [False, True])
def test_average_pooling_folds_where_nothing_moved_and_is_refused_by_name_where_something_did(events: bool) -> None:
    class Pooled(nn.Module):
        def __init__(self, moves: bool) -> None:
            super().__init__()
            self.moves = moves
            self.conv = nn.Sequential(sl.over_time(nn.Conv2d(1, 2, 3, padding=1)), sl.LIF(0.9))
            self.pool, self.fc, self.lif = sl.over_time(nn.AvgPool2d(2)), nn.Linear(2 * 9, 5), sl.LIF(0.9)

        def forward(self, x: Tensor) -> Tensor:
            s = self.conv(x)
            return self.lif(self.fc(self.pool(s.flip(-1) if self.moves else s).flatten(2)))

    x = (torch.rand(4, 3, 1, 6, 6) < 0.5).float()
    for moves in (False, True):
        torch.manual_seed(1)
        network: nn.Module = Pooled(moves)
        with torch.no_grad():
            network.conv[0].module.weight.abs_()  # type: ignore[index, union-attr, operator]
            network.fc.weight[:, ::2] = 0  # type: ignore[union-attr, index]
        network = sl.event_driven(network) if events else network
        facts = sl.record(network, x)
        assert facts.layer("fc").inputs == "spikes" and facts.layer("fc").pools == ("pool.module",)
        with tapped(network, facts) as tap:
            network(x)
        if moves:
            with pytest.raises(InputError, match="'fc'"):
                tap.batch(3)
        else:
            assert float(tap.batch(3).synops.detach()) == facts.total("synaptic_op")


def test_neurons_of_one_step_a_call_are_counted_by_neuron() -> None:
    @sl.neuron(layout="B")
    class Step(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.membrane: Tensor | float = 0.0

        def reset(self) -> None:
            self.membrane = 0.0

        def forward(self, current: Tensor) -> Tensor:
            self.membrane = 0.8 * self.membrane + current
            spikes = (self.membrane > 1).float() + 0 * current
            self.membrane = self.membrane - spikes
            return spikes

    class Stepped(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.one, self.second, self.other = nn.Linear(8, 11), Step(), nn.Linear(11, 3), Step()

        def forward(self, x: Tensor) -> Tensor:
            return torch.stack([self.other(self.second(self.one(2 * self.first(step)).flip(-1))) for step in x])

    network, x = Stepped(), (torch.rand(6, 4, 8) < 0.5).float()
    with torch.no_grad():
        network.second.weight[:, :4] = 0
    facts = sl.record(network, x, layout="TB")
    network.one.reset(), network.other.reset()
    with tapped(network, facts) as tap:
        network(x)
    batch = tap.batch(4)
    assert float(batch.synops.detach()) == facts.total("synaptic_op")
    assert batch.spikes["one"].tolist() == facts.per_neuron("one").tolist()


def test_a_layer_written_as_a_function_is_followed_by_its_source_or_refused() -> None:
    class Written(nn.Module):
        def __init__(self, moves: bool) -> None:
            super().__init__()
            self.fc, self.lif, self.out = nn.Linear(9, 12), sl.LIF(0.9), sl.LIF(0.9)
            self.weight, self.moves = nn.Parameter(torch.randn(5, 12)), moves

        def forward(self, x: Tensor) -> Tensor:
            s = self.lif(3 * self.fc(x))
            return self.out(nn.functional.linear(s[..., torch.arange(12) ^ 1] if self.moves else s, self.weight))

    x = (torch.rand(5, 4, 9) < 0.6).float()
    for moves in (False, True):
        torch.manual_seed(0)
        network = Written(moves)
        facts = sl.record(network, x)
        with tapped(network, facts) as tap:
            network(x)
        if moves:
            with pytest.raises(InputError, match="'weight'"):
                tap.batch(4)
        else:
            assert float(tap.batch(4).synops.detach()) == facts.total("synaptic_op")


def test_circular_padding_is_what_arrives() -> None:
    network = nn.Sequential(
        sl.over_time(nn.Conv2d(1, 2, 3, padding=1)), sl.LIF(0.9),
        sl.over_time(nn.Conv2d(2, 3, 3, padding=1, padding_mode="circular", bias=False)), sl.LIF(0.9),
    )  # fmt: skip
    with torch.no_grad():
        network[0].module.weight.abs_()
    x = (torch.rand(4, 2, 1, 5, 5) < 0.6).float()
    facts = sl.record(network, x)
    with tapped(network, facts) as tap:
        network(x)
    assert float(tap.batch(2).synops.detach()) == facts.total("synaptic_op") > 0
