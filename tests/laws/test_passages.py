"""Whatever happens to spikes between layers, and however the network is called, the counts equal the brute force."""

from __future__ import annotations

import copy
import os
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from hypothesis import given, note, settings
from hypothesis import strategies as st
from torch import Tensor

import spikeledger as sl
from laws import random_networks
from laws.brute_force import Truth, brute_force
from laws.passages import BATCH, OPERATORS, STEPS
from laws.random_networks import (
    INPUTS,
    LAYERS,
    NEURONS,
    STATES,
    Network,
    build,
    described,
    inputs_for,
    networks,
)
from spikeledger import Activity
from spikeledger.errors import InputError

sl.not_a_neuron(random_networks.Passage)
sl.not_a_neuron(random_networks.Recurrent)


def complaints(activity: Activity, truth: Truth, *, excused: bool = True, prefix: str = "") -> list[str]:
    """Where the account differs from the brute force; a place that it names itself is excused."""
    named = {one.layer for one in activity.uncounted} if excused else set()
    found = [] if excused else [f"named: {one}" for one in activity.uncounted]
    rest = {event: activity.total(event) for event in ("synaptic_op", "mac")}
    for plain, allowed in truth.layers.items():
        path = prefix + plain
        there = path in activity.layers_by_name
        got = tuple(activity.total(event, path) if there else 0 for event in rest)
        rest = {event: rest[event] - count for event, count in zip(rest, got, strict=True)}
        index = plain.split(".")[1]
        if got not in allowed and not named & {path, f"layers.{index}", f"passages.{index}", ""}:
            found.append(f"{path}: {got} in place of {' or '.join(map(str, sorted(allowed)))}")
    for path, expected in truth.neurons.items():
        got = tuple(activity.total(event, prefix + path) for event in ("spike", "neuron_update", "active_update"))
        if got != expected:
            found.append(f"{path}: {got} spikes, updates, active ones in place of {expected}")
    if any(rest.values()):
        found.append(f"besides these layers: {rest}")
    return found


# -- each operator, state and layer by itself --------------------------------------------------------------------------


def agree(shape: tuple[int, ...], stages: list[Any], seed: int, *, graded: bool = False, pooling: Any = "fold") -> None:
    network = build(shape, stages, seed)
    x = inputs_for(shape, seed, graded)
    truth = brute_force(network, [x], pooling=pooling)
    found = complaints(sl.record(network, x, layout="TB", pooling=pooling), truth, excused=False)
    assert not found, f"{found} in {described(network)}"


def first(shape: tuple[int, ...], neurons: str) -> tuple[list[str], str, str, None]:
    return [], "conv zeros" if len(shape) == 3 else "linear linear", neurons, None


@pytest.mark.parametrize("neurons", ["LIF", "declared", "several"])
@pytest.mark.parametrize("name", OPERATORS)
def test_spikes_that_pass_one_operator(name: str, neurons: str) -> None:
    for shape in INPUTS:
        for seed in range(2) if OPERATORS[name].fits(shape) else ():
            agree(shape, [first(shape, neurons), ([name], "linear linear", None, None)], seed)
            agree(shape, [([name], "linear linear", None, None)], seed)


@pytest.mark.parametrize("neurons", ["LIF", "several"])
@pytest.mark.parametrize("name", OPERATORS)
def test_spikes_that_are_averaged_before_or_behind_an_operator(name: str, neurons: str) -> None:
    for pool in ("averaged", "averaged_where_windows_overlap", "averaged_globally"):
        for names in ([pool, name], [name, pool]):
            shape = (2, 5, 5)
            stages = [first(shape, neurons), (names, "linear linear", None, None)]
            for pooling in ("fold", "separate"):
                agree(shape, stages, 1, pooling=pooling)


@pytest.mark.parametrize("name", [name for name in OPERATORS if "padded" in name])
def test_vectors_that_are_padded_before_more_happens(name: str) -> None:
    """`[T, B, N]` padded along N looks like `[B, C, L]`: which axes are rows is only known behind the padding."""
    for seed in range(4):
        for behind in ("averaged_along_a_line", "concatenated_with_itself"):
            agree((7,), [first((7,), "LIF"), ([name, behind], "linear linear", None, None)], seed)


@pytest.mark.parametrize("neurons", ["several", "halves"])
@pytest.mark.parametrize("name", [name for name, one in OPERATORS.items() if one.kind in ("masks", "scales")])
def test_vectors_of_several_spikes_that_are_padded_and_then_gated(name: str, neurons: str) -> None:
    for seed in range(4):
        for names in (["padded_with_nothing", name], ["concatenated_with_itself", "padded_with_nothing", name]):
            agree((5,), [first((5,), neurons), (names, "linear linear", None, None)], seed)


@pytest.mark.parametrize("neurons", ["LIF", "several"])
@pytest.mark.parametrize("state", STATES)
def test_spikes_that_are_kept_in_a_buffer_are_no_weights(state: str, neurons: str) -> None:
    for shape in INPUTS:
        for seed in range(2):
            agree(shape, [first(shape, neurons), ([], "linear linear", None, state)], seed)


@pytest.mark.parametrize("neurons", NEURONS)
@pytest.mark.parametrize("layer", LAYERS)
def test_layers(layer: str, neurons: str) -> None:
    for graded in (False, True):
        agree((2, 4, 4), [([], layer, neurons, None), ([], layer, None, None)], 1, graded=graded)
        agree((2, 5, 5), [first((2, 5, 5), neurons), (["averaged"], layer, None, None)], 1, graded=graded)


# -- random sequences, called in random ways ---------------------------------------------------------------------------

Way = Callable[[Network, Tensor], tuple[Activity, list[Tensor]]]


def account(recorder: Any, calls: int) -> Activity:
    """What a recorder of one's own loop says; told how many samples there were where it asks."""
    try:
        found: Activity = recorder.activity()
    except InputError as error:
        assert "samples" in str(error)
        found = recorder.activity(samples=BATCH * calls, timesteps=STEPS)
    return found


def own_loop(call: Callable[[Network, Tensor], Any], times: int = 1) -> Way:
    def way(network: Network, x: Tensor) -> tuple[Activity, list[Tensor]]:
        calls = [x, x.flip(0)][:times]
        with sl.recording(network) as recorder:
            for one in calls:
                call(network, one)
        return account(recorder, times), calls

    return way


def without_gradients(network: Network, x: Tensor) -> Any:
    with torch.no_grad():
        return network(x)


def in_inference_mode(network: Network, x: Tensor) -> Any:
    with torch.inference_mode():
        return network(x.clone())


def in_a_thread(network: Network, x: Tensor) -> tuple[Activity, list[Tensor]]:
    found: list[Any] = []

    def work() -> None:
        try:
            found.append(sl.record(network, x, layout="TB"))
        except Exception as error:
            found.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    if isinstance(found[0], Exception):
        raise found[0]
    return found[0], [x]


def batches(x: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """As a loader gives them: inputs with labels."""
    yield x[:, :1], torch.zeros(1)
    yield x[:, 1:], torch.zeros(x.shape[1] - 1)


def recorded_in_inference_mode(network: Network, x: Tensor) -> tuple[Activity, list[Tensor]]:
    with torch.inference_mode():
        return sl.record(network, x, layout="TB"), [x]


WAYS: dict[str, Way] = {
    "whole": lambda n, x: (sl.record(n, x, layout="TB"), [x]),
    "one by one": lambda n, x: (sl.record(n, x, layout="TB", batch_size=1), list(x.split(1, 1))),
    "from a loader": lambda n, x: (sl.record(n, batches(x), layout="TB"), [x[:, :1], x[:, 1:]]),
    "twice": lambda n, x: (sl.record(n, x, layout="TB") and sl.record(n, x, layout="TB"), [x]),
    "own loop": own_loop(without_gradients),
    "own loop, with gradients": own_loop(lambda n, x: n(x)),
    "own loop, two calls": own_loop(without_gradients, 2),
    "own loop, forward": own_loop(lambda n, x: n.forward(x)),
    "own loop, forward, two calls": own_loop(lambda n, x: n.forward(x), 2),
    "own loop, keywords": own_loop(lambda n, x: n(values=x)),
    "own loop, inference mode": own_loop(in_inference_mode),
    "in inference mode": recorded_in_inference_mode,
    "in a thread": in_a_thread,
}


def law(case: tuple[Network, Tensor], way: str) -> None:
    network, x = case
    note(f"{described(network)} {way}")
    alike = copy.deepcopy(network)
    try:
        activity, calls = WAYS[way](network, x)
    except RuntimeError as error:
        if "with gradients" in way and "in-place" in str(error).replace("inplace", "in-place"):
            return  # torch itself refuses to write there
        raise
    found = complaints(activity, brute_force(alike, calls))
    if len(network.neurons) and (activity.samples, activity.timesteps) != (sum(c.shape[1] for c in calls), STEPS):
        found.append(f"{activity.samples} samples of {activity.timesteps} steps")
    assert not found, f"{found} in {described(network)}"


@given(networks(), st.sampled_from(sorted(WAYS)))
@settings(max_examples=300, deadline=None)
def test_random_passages_called_in_random_ways(case: tuple[Network, Tensor], way: str) -> None:
    law(case, way)


@pytest.mark.slow
@given(networks(), st.sampled_from(sorted(WAYS)))
@settings(max_examples=int(os.environ.get("SPIKELEDGER_NETWORKS", 20_000)), deadline=None)
def test_many_random_passages(case: tuple[Network, Tensor], way: str) -> None:
    law(case, way)


@given(networks())
@settings(max_examples=60, deadline=None)
def test_random_passages_without_folding(case: tuple[Network, Tensor]) -> None:
    network, x = case
    found = complaints(
        sl.record(network, x, layout="TB", pooling="separate"), brute_force(network, [x], pooling="separate")
    )
    assert not found, f"{found} in {described(network)}"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's compiler instantiates autograd functions
@pytest.mark.parametrize(
    "names", [["stored_step_by_step", "masked"], ["averaged", "flattened"], ["rolled"], ["largest"]]
)
def test_compiled_networks_count_like_plain_ones_and_stay_compiled(names: list[str]) -> None:
    shape = (2, 4, 4)
    network = build(shape, [first(shape, "declared"), (names, "linear linear", "declared", None)], 1)
    x = inputs_for(shape, 1, False)
    ran: list[int] = []

    def backend(graph: Any, inputs: Any) -> Any:
        def call(*values: Any) -> Any:
            ran.append(1)
            return graph.forward(*values)

        return call

    truth = brute_force(network, [x])
    torch._dynamo.reset()
    compiled = torch.compile(network, backend=backend)
    graphs = []
    with torch.no_grad():
        for _ in range(3):
            before = len(ran)
            compiled(x)
            graphs.append(len(ran) - before)
    activity = sl.record(compiled, x, layout="TB")
    with torch.no_grad():
        before = len(ran)
        compiled(x)
    torch._dynamo.reset()
    assert not complaints(activity, truth, excused=False, prefix="_orig_mod.")
    assert len(ran) - before == graphs[-1] > 0
