"""The layer schedule's law: every count is `clip(floor(T z / theta + 1/2), 0, T)`, and the answer is the quantised ANN's."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import spikeledger as sl
from spikeledger.conversion.build import Plan, spiking
from spikeledger.conversion.graph import Step, one, values_of
from spikeledger.conversion.reading import read
from spikeledger.networks.neurons import Neuron


def counted(network: nn.Module, samples: Tensor) -> tuple[dict[str, Tensor], Tensor]:
    """Spikes of each population, step by step, and the network's scores."""
    found: dict[str, Tensor] = {}
    hooks = [
        module.register_forward_hook(
            lambda module, args, out, name=name: found.__setitem__(name.split(".")[-1], out.sum(0).long())
        )
        for name, module in network.named_modules()
        if isinstance(module, Neuron)
    ]
    with torch.no_grad():
        scores = network.scores(samples)
    for hook in hooks:
        hook.remove()
    return found, scores


def whole_numbers(seed: int) -> nn.Sequential:
    """A network whose every sum is a multiple of 1/8 and small, so that nothing is rounded and ties are real."""
    draw = torch.Generator().manual_seed(seed)
    ann = nn.Sequential(
        nn.Conv2d(2, 6, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 8, 3), nn.ReLU(), nn.Flatten(),
        nn.Linear(8 * 9, 20), nn.ReLU(), nn.Linear(20, 4),
    )  # fmt: skip
    with torch.no_grad():
        for each in ann.parameters():
            each.copy_(torch.randint(-3, 4, each.shape, generator=draw) / 4)
    return ann.eval()


@settings(max_examples=12, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 10_000),
    steps=st.sampled_from([1, 2, 4, 8]),
    doubled=st.lists(st.integers(0, 3), min_size=3, max_size=3),
)
def test_every_count_is_the_closed_form_ties_included(seed: int, steps: int, doubled: list[int]) -> None:
    ann = whole_numbers(seed)
    samples = torch.randint(0, 5, (60, 2, 10, 10), generator=torch.Generator().manual_seed(seed)) / 4
    graph = read(ann, samples)
    thetas = {name: torch.tensor(2.0**power) for name, power in zip(graph.relus, doubled, strict=True)}
    network = spiking(graph, thetas, Plan(steps))
    found, scores = counted(network, samples)

    def fired(step: Step, z: Tensor) -> Tensor:
        theta = thetas[step.name]
        return torch.clip(torch.floor(steps * z.double() / theta + 0.5), 0, steps).to(z.dtype) * theta / steps

    checked = 0
    for step, inputs, made in values_of(graph, samples, fired):
        if step.kind == "relu":
            expected = (fired(step, inputs[0]) * steps / thetas[step.name]).long()
            assert torch.equal(found[step.name], expected)
            checked += expected.numel()
        last = made
    assert checked > 9_000
    torch.testing.assert_close(scores, last)


@pytest.mark.parametrize("granularity", ["layer", "channel"])
@pytest.mark.parametrize("coding", ["direct", "spikes"])
def test_with_real_weights_too(granularity: str, coding: str) -> None:
    torch.manual_seed(3)
    ann = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU6(), nn.MaxPool2d(2), nn.Conv2d(8, 8, 3), nn.ReLU(),
        nn.AvgPool2d(2), nn.Flatten(), nn.Linear(32, 16), nn.ReLU(), nn.Linear(16, 5),
    ).eval()  # fmt: skip
    samples = torch.rand(200, 1, 12, 12)
    network = sl.convert(ann, samples, timesteps=6, method="least_squares", granularity=granularity, input=coding)
    found, scores = counted(network, samples)
    expected = network.conversion.counts(samples)
    total = 0
    for name, counts in expected.items():
        assert torch.equal(found[name], counts)
        total += counts.numel()
    assert total > 100_000  # 0 exceptions
    torch.testing.assert_close(scores, network.conversion.scores(samples), atol=1e-4, rtol=1e-4)
    assert torch.equal(scores.argmax(1), network.conversion.scores(samples).argmax(1))


def test_strict_neurons_break_the_law_and_inclusive_ones_do_not() -> None:
    currents = torch.tensor([0.5, 1.0, 1.5]).expand(1, 1, 3)
    strict = sl.IF(initial=0.5)(currents)
    inclusive = sl.IF(initial=0.5, inclusive=True)(currents)
    assert strict.flatten().tolist() == [0, 1, 1]
    assert inclusive.flatten().tolist() == [1, 1, 1]


def test_pooled_spikes_are_never_two_in_a_step_and_are_the_largest_total() -> None:
    from spikeledger.networks.wiring import TotalMax

    spikes = (torch.rand(9, 4, 3, 8, 8, generator=torch.Generator().manual_seed(1)) < 0.3).float()
    pooled = TotalMax(nn.MaxPool2d(2))(spikes)
    assert set(pooled.unique().tolist()) <= {0.0, 1.0}
    assert torch.equal(pooled.sum(0), nn.MaxPool2d(2)(spikes.sum(0)))


def test_one_step_knows_its_deeds() -> None:
    step = Step("sum", "add", ["a", "b", "c"])
    ones = [torch.ones(2, 3)] * 3
    assert one(step, ones, lambda step, z: z).unique().tolist() == [3.0]
