"""Recordings side by side: in threads, nested, one after the other for long; each as if it were alone, and no trace."""

from __future__ import annotations

import gc
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.modules import module as torch_hooks

import spikeledger as sl
from spikeledger import Activity
from spikeledger.networks import event_driven

EVENTS = ("spike", "neuron_update", "active_update", "synaptic_op", "mac", "dense_op", "bias_add", "elementwise")


@pytest.fixture(autouse=True)
def afresh() -> Iterator[None]:
    """What one test leaves behind is not the next one's fault."""
    yield
    for name in dir(torch_hooks):
        if name.startswith("_global_") and name.endswith("hooks"):
            getattr(torch_hooks, name).clear()
    if hasattr(event_driven, "watcher"):
        event_driven.watcher = None


class Loop(nn.Module):
    """Single steps with functional products, in a module of another library's kind."""

    def __init__(self) -> None:
        super().__init__()
        self.weight, self.out = nn.Parameter(torch.rand(9, 12) - 0.2), nn.Linear(9, 4)
        self.neurons = sl.LIF(0.9, threshold=0.3)

    def forward(self, sequence: Tensor) -> Tensor:
        hidden = torch.stack([nn.functional.linear(x, self.weight) for x in sequence])
        return self.out(self.neurons(hidden))


def networks() -> list[tuple[nn.Module, Tensor, dict[str, Any]]]:
    """Eight networks of different kinds, with inputs."""
    torch.manual_seed(0)
    spikes = (torch.rand(5, 6, 12) < 0.4).float()
    maps = (torch.rand(3, 4, 1, 8, 8) < 0.4).float()
    sequence = [nn.Linear(12, 20), sl.LIF(0.9, threshold=0.3), nn.Linear(20, 5), sl.IF(threshold=0.3)]
    convolution = [
        sl.over_time(nn.Conv2d(1, 3, 3)), sl.LIF(0.9, threshold=0.1), sl.over_time(nn.AvgPool2d(2)), nn.Flatten(2),
        nn.Linear(27, 4), sl.LIF(0.9),
    ]  # fmt: skip
    return [
        (sl.zoo.mlp(12, 24, 4, timesteps=5, seed=1), torch.rand(40, 12), {"batch_size": 7}),
        (sl.zoo.mlp(12, 33, 4, timesteps=5, seed=2), torch.rand(30, 12), {"batch_size": 8}),
        (nn.Sequential(*sequence), spikes, {"layout": "TB"}),
        (sl.event_driven(nn.Sequential(*sequence)), spikes, {"layout": "TB", "batch_size": 2}),
        (nn.Sequential(*convolution), maps, {"layout": "TB"}),
        (nn.Sequential(nn.Linear(12, 9), nn.ReLU(), nn.Linear(9, 4)), torch.rand(20, 12), {"layout": "B", "batch_size": 6}),
        (Loop(), spikes, {"layout": "TB"}),
        (nn.Sequential(nn.LSTM(12, 8, batch_first=True)), torch.rand(4, 5, 12), {"layout": "BT"}),
    ]  # fmt: skip


def counts(activity: Activity) -> dict[Any, Any]:
    rows = {k: (t.count, None if t.per_neuron is None else t.per_neuron.tolist()) for k, t in activity.tallies.items()}
    return {**rows, "extent": (activity.samples, activity.timesteps), "missed": [str(u) for u in activity.uncounted]}


@contextmanager
def hurried() -> Iterator[None]:
    """Threads take turns as often as Python lets them."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def together(works: list[Callable[[], None]]) -> None:
    """Run in threads that begin at once; the first error is raised here."""
    barrier, errors = threading.Barrier(len(works)), list[BaseException]()

    def begin(work: Callable[[], None]) -> None:
        barrier.wait()
        try:
            work()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=begin, args=(work,)) for work in works]
    with hurried():
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    if errors:
        raise errors[0]


def no_trace() -> None:
    """Nothing of a recording is left in torch or in us."""
    for name in dir(torch_hooks):
        if name.startswith("_global_") and name.endswith("hooks"):
            assert not getattr(torch_hooks, name), name
    assert torch._C._len_torch_dispatch_stack() == 0
    assert torch._C._len_torch_function_stack() == 0
    assert getattr(event_driven, "watcher", None) is None
    assert torch.is_grad_enabled() and not torch.is_inference_mode_enabled()


def recorded_at_once(rounds: int) -> None:
    cases = networks()
    alone = [counts(sl.record(net, x, **options)) for net, x, options in cases]
    wrong: list[tuple[int, int]] = []

    def repeat(index: int) -> Callable[[], None]:
        net, x, options = cases[index]

        def work() -> None:
            for turn in range(rounds):
                if counts(sl.record(net, x, **options)) != alone[index]:
                    wrong.append((index, turn))

        return work

    together([repeat(index) for index in range(len(cases))])
    assert wrong == []
    no_trace()
    assert [counts(sl.record(net, x, **options)) for net, x, options in cases] == alone


def test_eight_threads_record_eight_networks_as_if_each_were_alone() -> None:
    recorded_at_once(12)


@pytest.mark.slow
def test_eight_threads_record_eight_networks_two_hundred_times() -> None:
    recorded_at_once(200)


def test_own_loops_in_threads_keep_to_themselves() -> None:
    cases = [case for case in networks() if "TB" in case[2].values()]
    alone = []
    for net, x, _ in cases:
        with sl.recording(net) as rec, torch.no_grad():
            net(x)
        alone.append(counts(rec.activity()))
    wrong: list[int] = []

    def repeat(index: int) -> Callable[[], None]:
        net, x, _ = cases[index]

        def work() -> None:
            for _ in range(12):
                with sl.recording(net) as rec, torch.no_grad():
                    net(x)
                    time.sleep(0)
                if counts(rec.activity()) != alone[index]:
                    wrong.append(index)

        return work

    together([repeat(index) for index in range(len(cases))])
    assert wrong == []
    no_trace()


def test_a_network_that_runs_unrecorded_beside_a_recording_is_not_counted_and_not_disturbed() -> None:
    (one, x, options), (other, y, _) = networks()[2:4]
    alone, answer = counts(sl.record(one, x, **options)), other(y)
    done = threading.Event()
    wrong: list[str] = []

    def answering() -> None:
        while not done.is_set():
            with torch.no_grad():
                if not torch.equal(other(y), answer):
                    wrong.append("another answer")

    def recording() -> None:
        try:
            for _ in range(60):
                if counts(sl.record(one, x, **options)) != alone:
                    wrong.append("another count")
        finally:
            done.set()

    together([answering, recording])
    assert wrong == []
    no_trace()


def test_the_same_network_may_answer_in_another_thread_while_it_is_recorded() -> None:
    net, x, options = networks()[2]
    alone = counts(sl.record(net, x, **options))
    done = threading.Event()
    wrong: list[str] = []

    def answering() -> None:
        while not done.is_set():
            with torch.no_grad():
                net(x[:, :2])

    def recording() -> None:
        try:
            for _ in range(60):
                if counts(sl.record(net, x, **options)) != alone:
                    wrong.append("another count")
        finally:
            done.set()

    together([answering, recording])
    assert wrong == []
    no_trace()


def test_a_part_recorded_inside_the_whole_changes_neither() -> None:
    net, x, _ = networks()[2]
    part = nn.Sequential(net[0], net[1])
    with torch.no_grad():
        hidden = counts(sl.record(part, x, layout="TB"))
        whole = counts(sl.record(net, x, layout="TB"))
        with sl.recording(net) as outer, sl.recording(part) as inner:
            net(x)
    assert counts(outer.activity()) == whole
    found = counts(inner.activity(samples=6, timesteps=5))
    assert {k: v for k, v in found.items() if k != "missed"} == {k: v for k, v in hidden.items() if k != "missed"}
    no_trace()


def test_recordings_that_do_not_end_in_the_order_of_their_beginning() -> None:
    net, x, _ = networks()[2]
    other, y, _ = networks()[4]
    first, second = sl.recording(net), sl.recording(other)
    with torch.no_grad():
        a = first.__enter__()
        b = second.__enter__()
        net(x)
        first.__exit__(None, None, None)
        other(y)
        second.__exit__(None, None, None)
        assert counts(a.activity()) == counts(sl.record(net, x, layout="TB"))
        assert counts(b.activity()) == counts(sl.record(other, y, layout="TB"))
    no_trace()


def test_what_another_network_does_in_a_recording_is_its_own() -> None:
    class Undeclared(nn.Module):
        """Neurons that nobody declared, in plain arithmetic."""

        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(8, 8)

        def forward(self, x: Tensor) -> Tensor:
            membrane, out = torch.zeros_like(x[0]), []
            for current in self.layer(x):
                membrane = 0.9 * membrane + current
                spikes = (membrane > 0.5).float()
                membrane = membrane - 0.5 * spikes
                out.append(nn.functional.max_pool1d(spikes, 2))
            return torch.stack(out)

    net, x, _ = networks()[4]
    with torch.no_grad(), sl.recording(net) as rec:
        Undeclared()(torch.rand(6, 3, 8))
        net(x)
    assert counts(rec.activity()) == counts(sl.record(net, x, layout="TB"))
    assert any("nobody said" in str(u) for u in sl.record(Undeclared(), torch.rand(6, 3, 8), layout="TB").uncounted)


def test_an_error_in_the_middle_leaves_nothing() -> None:
    class Breaks(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            raise ValueError("in the middle")

    for net in (
        nn.Sequential(nn.Linear(12, 3), Breaks()),
        sl.event_driven(nn.Sequential(nn.Linear(12, 3), sl.LIF(), Breaks())),
    ):
        with pytest.raises(ValueError, match="in the middle"):
            sl.record(net, torch.rand(5, 2, 12), layout="TB")
        no_trace()


def resident() -> int:
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * 4096


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads what Linux says of a process")
def test_ten_thousand_recordings_take_no_more_memory_than_a_few() -> None:
    cases = networks()

    def some(number: int) -> None:
        for turn in range(number):
            net, x, options = cases[turn % len(cases)]
            sl.record(net, x, **options)

    some(1000)  # rules, kernels' rooms and torch's own memory are there
    gc.collect()
    before, objects = resident(), len(gc.get_objects())
    some(10_000)
    gc.collect()
    assert resident() - before < 8 << 20
    assert len(gc.get_objects()) - objects < 1000
    no_trace()


def test_who_runs_a_network_beside_its_recording_changes_no_count() -> None:
    network, images = sl.zoo.mlp(12, 24, 4, timesteps=5, seed=1), torch.rand(60, 12)
    alone, stop, answered = sl.record(network, images), threading.Event(), []

    def answer() -> None:
        while not stop.is_set():
            with torch.no_grad():
                answered.append(network(images[:7]))

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        while not answered:
            pass
        found = [sl.record(network, images, batch_size=13) for _ in range(20)]
    finally:
        stop.set()
        thread.join()
    assert all(one == alone for one in found)
