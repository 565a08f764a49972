"""Activities from plain counts: exact, checked, and scaled without losing a spike."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikeledger.activity import Activity, Layer
from spikeledger.errors import InputError
from spikeledger.study.counts import activity_from_events, activity_from_spikes, scaled


def test_spikes_of_fully_connected_layers() -> None:
    run = activity_from_spikes(
        [(6, 4), (4, 2)], [[1, 0, 2, 3], 5], timesteps=10, input_spikes=7, layer_names=["a", "b"]
    )
    assert run.layers == ("a.weight", "a", "b.weight", "b")
    assert run.total("synaptic_op", "a.weight") == 7 * 4
    assert run.per_neuron("b.weight", "synaptic_op").tolist() == [2, 0, 4, 6]
    assert run.total("neuron_update") == 60
    assert run.total("dense_op") == (24 + 8) * 10
    assert run.layer("b.weight").source == "a"
    assert not run.uncounted


def test_pruned_layers_have_a_smaller_fan_out() -> None:
    run = activity_from_spikes([(10, 10)], [0], timesteps=1, input_spikes=10, synapses=[50])
    assert run.total("synaptic_op") == 50
    for spikes, arriving in (([1] * 6, 15), (6, 15), ([5, 0, 0, 0, 0, 0], 12), ([1, 1, 1, 0, 0, 0], 7)):  # 2.5 each
        late = activity_from_spikes([(2, 6), (6, 4)], [spikes, 0], timesteps=9, input_spikes=0, synapses=[12, 15])
        assert abs(late.total("synaptic_op", "layer1.weight") - arriving) <= (arriving != 15)


def test_counts_beyond_what_floats_hold_are_exact() -> None:
    spikes = 2**53 + 3
    run = activity_from_spikes([(1, 5), (5, 3)], [spikes, 1], timesteps=2**54, input_spikes=0)
    assert run.total("synaptic_op", "layer1.weight") == spikes * 3
    assert scaled(run, lambda layer, event: 1.0) == run


def test_what_is_not_given_is_not_zero() -> None:
    run = activity_from_spikes([(10, 10)], [3], timesteps=1)
    assert "spikes of the input" in str(run.uncounted[0])
    assert (("layer0.weight", "synaptic_op")) not in run.tallies


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (dict(layer_sizes=[], spike_counts=[]), "at least one layer"),
        (dict(layer_sizes=[(2, 2)], spike_counts=[1, 2]), "do not belong together"),
        (dict(layer_sizes=[(2, 2), (2, 2)], spike_counts=[1, 2], layer_names=["a", "a"]), "do not belong together"),
        (dict(layer_sizes=[(2, 2)], spike_counts=[-1]), "negative"),
        (dict(layer_sizes=[(2, 2)], spike_counts=[[1, 2, 3]]), "2 neurons and 3 spike counts"),
        (dict(layer_sizes=[(2, 2)], spike_counts=[7], timesteps=3), "cannot fire 7 times"),
        (dict(layer_sizes=[(2, 2)], spike_counts=[float("nan")]), "a count is an integer"),
        (dict(layer_sizes=[(2, 2)], spike_counts=["3"]), "a count is an integer"),
        (dict(layer_sizes=[(0, 2)], spike_counts=[0]), "at least 1"),
        (dict(layer_sizes=[(2, 2)], spike_counts=[0], timesteps=0), "at least 1 timestep"),
        (dict(layer_sizes=[(2, 2)], spike_counts=[0], synapses=[5]), "at most 4 synapses"),
        (dict(layer_sizes=[(2, 2)], spike_counts=[0], synapses=[]), "one for every layer"),
    ],
)  # fmt: skip
def test_what_cannot_be(arguments: dict[str, object], says: str) -> None:
    with pytest.raises(InputError, match=says):
        activity_from_spikes(**{"timesteps": 3, **arguments})  # type: ignore[arg-type]


def test_events_guess_the_kind_of_a_layer_and_take_its_facts() -> None:
    run = activity_from_events(
        {"w": {"synaptic_op": 3}, "m": {"mac": 2}, "n": {"neuron_update": [4, 4]}, "e": {"spike": 1}}
    )
    assert [run.layer(name).inputs for name in run.layers] == ["spikes", "graded", "", ""]
    assert run.layer("n").spiking and not run.layer("e").spiking
    facts = Layer("w", "conv2d", synapses=9, inputs="spikes")
    assert activity_from_events({"w": {"synaptic_op": 3}}, layers={"w": facts}).layer("w") is facts


def test_activities_from_counts_can_be_saved(tmp_path: object) -> None:
    run = activity_from_spikes([(6, 4)], [[1, 0, 2, 3]], timesteps=10, input_spikes=7)
    again = Activity.load(run.save(f"{tmp_path}/run.npz"))
    assert again.total("synaptic_op") == 28


@given(st.lists(st.integers(0, 50), min_size=1, max_size=9), st.floats(0, 3))
def test_scaling_keeps_integers_and_sums(rows: list[int], factor: float) -> None:
    run = activity_from_events({"n": {"spike": rows, "neuron_update": 50 * len(rows)}}, timesteps=50)
    less = scaled(run, lambda layer, event: factor if event == "spike" else 1.0)
    exact = np.array(rows) * factor
    assert less.total("spike") == less.per_neuron("n").sum()
    assert abs(less.total("spike") - exact.sum()) <= 0.5 + 1e-9  # however few spikes each neuron has
    assert (np.abs(less.per_neuron("n") - exact) <= 1 + 1e-9).all()
    assert less.total("neuron_update") == run.total("neuron_update")
