"""Event-driven networks count their own words; the account is that of the plain network, to the last integer."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.modules import module as hooks

import spikeledger as sl
from spikeledger.kernels.choice import runs_native
from spikeledger.networks.event_driven import EventDriven
from spikeledger.recording.recorder import Recorder

pytestmark = pytest.mark.skipif(not runs_native(torch.zeros(1)), reason="the native core was not built")


def layers(shape: str) -> list[nn.Module]:
    torch.manual_seed(0)
    if shape == "perceptron":
        parts: list[nn.Module] = [nn.Linear(40, 70), sl.LIF(threshold=0.3), nn.Dropout(0.5), nn.Linear(70, 10), sl.IF()]
    elif shape == "read-out":
        parts = [nn.Linear(40, 70, bias=False), sl.LIF(threshold=0.3), nn.Linear(70, 10)]
    elif shape == "neurons first":
        parts = [sl.LIF(threshold=0.5), nn.Linear(40, 9), sl.LIF(threshold=0.1, learn_beta=True)]
    elif shape in ("wide", "wide and pooled", "wide, no neurons", "one-dimensional"):
        first = sl.over_time(nn.Conv2d(8, 48, (1, 3), padding="same", bias=False))
        second = sl.over_time(nn.Conv2d(48, 64, (1, 3), stride=2))
        parts = [nn.Unflatten(2, (8, 1, 5)), first, sl.LIF(threshold=0.4), second, sl.IF()]
        if shape == "wide and pooled":
            parts = [*parts[:3], sl.over_time(nn.MaxPool2d((1, 2), 1)), *parts[3:]]
        if shape == "wide, no neurons":
            parts = [*parts[:3], nn.Dropout(), second]
        if shape == "one-dimensional":
            parts = [nn.Unflatten(2, (8, 5)), sl.over_time(nn.Conv1d(8, 96, 3, padding=1)), sl.LIF(threshold=0.4),
                     sl.over_time(nn.Conv1d(96, 64, 3)), sl.LIF(), nn.Flatten(2), nn.Linear(192, 7)]  # fmt: skip
    else:
        conv = sl.over_time(nn.Conv2d(1, 3, 3, padding=1))
        parts = [nn.Unflatten(2, (1, 5, 8)), conv, sl.LIF(threshold=0.2), nn.Flatten(2), nn.Linear(120, 10), sl.IF()]
        if shape == "pooled":
            parts[3:5] = [sl.over_time(nn.AvgPool2d(2)), nn.Flatten(2), nn.Linear(24, 10)]
    with torch.no_grad():
        for part in parts:
            for weight in part.parameters():
                weight.copy_(torch.round(weight * 64) / 64)  # sums are exact in any order
    return parts


SHAPES = ["perceptron", "read-out", "neurons first", "convolution", "pooled"]
WIDE = ["wide", "wide and pooled", "wide, no neurons", "one-dimensional"]


@pytest.mark.parametrize("shape", SHAPES + WIDE)
@pytest.mark.parametrize("graded", [False, True])
def test_bits_count_like_floats(shape: str, graded: bool) -> None:
    x = (torch.rand(6, 5, 40, generator=torch.Generator().manual_seed(1)) < 0.3).float()
    x = x * 0.5 if graded else x
    found = []
    for kind in (nn.Sequential, EventDriven):
        network = kind(*layers(shape)).eval()
        with torch.no_grad():
            expected = network(x)
            with sl.recording(network) as recorder:
                out = network(x[:, :3])
                again = network(x[:, 3:])
        assert torch.equal(torch.cat([out, again], 1), expected)
        found.append(recorder.activity(samples=5, timesteps=6))
    plain, bits = found
    assert any(sum(tally.per_neuron) > 0 for key, tally in plain.tallies.items() if tally.per_neuron is not None)
    assert not plain.uncounted and not bits.uncounted
    assert plain.layers == bits.layers
    for name in plain.layers:
        assert dataclasses.asdict(plain.layer(name)) == dataclasses.asdict(bits.layer(name))
    assert plain.tallies.keys() == bits.tallies.keys()
    for key, tally in plain.tallies.items():
        assert tally.count == bits.tallies[key].count, key
        if tally.per_neuron is not None:
            assert np.array_equal(tally.per_neuron, bits.tallies[key].per_neuron)
    for name, row in plain.spikes_per_step.items():
        assert np.array_equal(row, bits.spikes_per_step[name])
        assert np.array_equal(plain.rasters[name], bits.rasters[name])


Deed = Callable[[nn.Sequential], object]


def call(seed: int, batch: int = 5, rate: float = 0.3, worth: float = 1.0) -> Deed:
    """Run a network on spikes `[6, B, 40]`."""
    x = (torch.rand(6, batch, 40, generator=torch.Generator().manual_seed(seed)) < rate).float() * worth
    return lambda network: network(x)


@torch.no_grad()
def changed(network: nn.Sequential) -> None:
    """Weights that become others, in place, none of them zero before or after."""
    network[2].weight.mul_(2)


@torch.no_grad()
def pruned(network: nn.Sequential) -> None:
    """Half of the weights become zero, in place."""
    network[0].weight[::2] = 0


def replaced(network: nn.Sequential) -> None:
    """Another parameter in the place of one, pruned otherwise."""
    weight = network[2].weight.detach().clone()
    weight[:, ::3] = 0
    network[2].weight = nn.Parameter(weight)


def without_bias(network: nn.Sequential) -> None:
    network[0].bias = None


def failed(network: nn.Sequential) -> None:
    """A call that raises: it has nothing to add but to what ran before it did."""
    with pytest.raises(RuntimeError):
        network(torch.zeros(6, 5, 41))


def elsewhere(network: nn.Sequential) -> None:
    """Another network, which nobody records."""
    EventDriven(nn.Linear(40, 70), sl.LIF(), nn.Linear(70, 10), sl.LIF()).eval()(torch.ones(6, 5, 40))


RUNS: dict[str, list[Deed]] = {
    "calls like one another": [call(1), call(2), call(3), call(3)],
    "a weight changes": [call(1), call(2), changed, call(3), call(4)],
    "weights are pruned": [call(1), call(2), pruned, call(3), call(4), pruned, call(5)],
    "another batch": [call(1), call(2), call(3, batch=3), call(4, batch=3), call(5)],
    "nothing arrives at times": [call(1, rate=0), call(2, rate=0), call(3), call(4, rate=0)],
    "nothing ever arrives": [call(1, rate=0), call(2, rate=0)],
    "graded values in between": [call(1), call(2), call(3, worth=0.5), call(4)],
    "no bias any more": [call(1), call(2), without_bias, call(3), call(4)],
    "another network in between": [call(1), elsewhere, call(2), elsewhere, call(3)],
    "a call that fails": [call(1), call(2), failed, call(3)],
}


def perceptron(kind: type[nn.Sequential]) -> nn.Sequential:
    return kind(*(part for part in layers("perceptron") if not isinstance(part, nn.Dropout))).eval()


def counted(recorder: Recorder, samples: int) -> tuple[object, ...]:
    """All that an account says, to be compared."""
    found = recorder.activity(samples=samples, timesteps=6)
    rows = {key: None if one.per_neuron is None else one.per_neuron.tolist() for key, one in found.tallies.items()}
    return (
        {key: one.count for key, one in found.tallies.items()}, rows,
        {name: dataclasses.asdict(found.layer(name)) for name in found.layers},
        {name: row.tolist() for name, row in found.spikes_per_step.items()},
        {name: row.tolist() for name, row in found.rasters.items()}, found.uncounted,
    )  # fmt: skip


def samples_of(run: list[Deed]) -> int:
    """How many samples the calls of a run show."""
    seen = [0]

    class Shown(nn.Sequential):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            seen[0] += x.shape[1] if x.shape[-1] == 40 else 0
            return super().forward(x)

    shown = perceptron(Shown)
    for deed in run:
        deed(shown)
    return seen[0]


@pytest.mark.parametrize("learns", [False, True])
@pytest.mark.parametrize("paused", [False, True])
@pytest.mark.parametrize("name", RUNS)
def test_run_after_run_counts_like_floats(name: str, paused: bool, learns: bool) -> None:
    """Whatever happens between the calls, and whether the recording goes on through it or pauses after each."""
    run, found = RUNS[name], []
    samples = samples_of(run)
    for kind in (nn.Sequential, EventDriven):
        network = perceptron(kind)
        recorder = Recorder(network)
        with torch.set_grad_enabled(learns), contextlib.ExitStack() as stack:
            if not paused:
                stack.enter_context(recorder.active())
            for deed in run:
                with recorder.active() if paused else contextlib.nullcontext():
                    deed(network)
        found.append(counted(recorder, samples))
    assert found[0] == found[1]


def test_an_account_may_be_asked_for_between_calls_and_again() -> None:
    found = []
    for kind in (nn.Sequential, EventDriven):
        network = perceptron(kind)
        asked = []
        with torch.no_grad(), sl.recording(network) as recorder:
            for seed in range(1, 5):
                call(seed)(network)
                asked += [counted(recorder, 5 * seed), counted(recorder, 5 * seed)]
                assert asked[-1] == asked[-2]
        found.append(asked)
    assert found[0] == found[1]


def test_a_long_recording_is_the_sum_of_short_ones() -> None:
    network = perceptron(EventDriven)
    short = []
    with torch.no_grad():
        with sl.recording(network) as long:
            for seed in range(1, 6):
                call(seed)(network)
        for seed in range(1, 6):
            with sl.recording(network) as one:
                call(seed)(network)
            short.append(one.activity(samples=5, timesteps=6))
    whole = long.activity(samples=25, timesteps=6)
    for key, tally in whole.tallies.items():
        assert tally.count == sum(one.tallies[key].count for one in short if key in one.tallies), key
        if tally.per_neuron is not None:
            parts = [one.tallies[key].per_neuron for one in short if key in one.tallies]
            assert np.array_equal(tally.per_neuron, np.sum(parts, 0)), key
    for name, row in whole.spikes_per_step.items():
        assert np.array_equal(row, np.sum([one.spikes_per_step[name] for one in short], 0))
        assert np.array_equal(whole.rasters[name], short[0].rasters[name])


def test_recordings_within_one_another_count_the_same() -> None:
    found = []
    for kind in (nn.Sequential, EventDriven):
        network = perceptron(kind)
        with torch.no_grad(), sl.recording(network) as outer:
            call(1)(network)
            with sl.recording(network) as inner:
                call(2)(network)
                call(3)(network)
            call(4)(network)
        found.append((counted(outer, 20), counted(inner, 10)))
    assert found[0] == found[1]


def test_a_recorder_that_counts_already_counts_nothing_twice() -> None:
    network = perceptron(EventDriven)
    recorder = Recorder(network)
    with torch.no_grad(), recorder.active():
        call(1)(network)
        with recorder.active():
            call(2)(network)
        call(3)(network)
    other = Recorder(network)
    with torch.no_grad(), other.active():
        for seed in (1, 2, 3):
            call(seed)(network)
    assert counted(recorder, 15) == counted(other, 15)


def test_recordings_leave_no_hook_behind() -> None:
    places = (
        hooks._global_forward_pre_hooks, hooks._global_forward_hooks, hooks._global_forward_hooks_always_called,
    )  # fmt: skip
    before = [dict(place) for place in places]
    recorder = Recorder(perceptron(EventDriven))
    for _ in range(2):
        with pytest.raises(KeyError), recorder.active():
            raise KeyError
        with recorder.active(), recorder.active():
            pass
    assert [dict(place) for place in places] == before
