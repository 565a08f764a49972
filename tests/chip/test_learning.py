"""STDP in the simulator: each weight as a plain loop over single synapses and pairs would have it."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from torch import nn

import spikeledger as sl
from chip.networks import exact, random_graph, spikes
from spikeledger.chip.device import load_device
from spikeledger.chip.learning import PairRule, weights
from spikeledger.chip.precision import grains
from spikeledger.chip.simulate import run
from spikeledger.errors import InputError
from spikeledger.mapping.mapped import Mapped, Population, Projection
from spikeledger.mapping.synapses import Dense, Sparse


def pair(delay: int = 0, weight: float = 0.5) -> Mapped:
    """One input `a` that is watched by one neuron, which only `b` can make fire."""
    populations = {
        "input": Population("input", (2,), "input"),
        "out": Population("out", (1,), beta=0.0, threshold=5.0, reset="zero"),
    }
    loud = Projection("input", "out", Dense(np.array([[0.0], [9.0]])), 0, "loud")
    return Mapped(
        populations, (Projection("input", "out", Dense(np.array([[weight], [0.0]])), delay, "w"), loud), "out"
    )


def after(sent: list[int], fired: list[int], rule: PairRule, delay: int = 0, steps: int = 60) -> float:
    inputs = np.zeros((steps, 1, 2))
    inputs[sent, 0, 0] = 1
    inputs[fired, 0, 1] = 1
    ran = run(pair(delay), inputs, precision="float64", learning={"w": rule})
    assert ran.output[:, 0, 0].nonzero()[0].tolist() == fired
    assert ran.network is not None
    return float(weights(ran.network, "w")[0, 0]) - 0.5


@pytest.mark.parametrize("delay", [0, 3])
@pytest.mark.parametrize("gap", [0, 1, 5, 20])
def test_a_pair_changes_the_weight_by_its_distance(gap: int, delay: int) -> None:
    rule = PairRule(0.03, 0.02, tau_before=10.0, tau_after=15.0)
    up = after([10], [10 + delay + gap], rule, delay)
    assert up == pytest.approx(0.03 * math.exp(-gap / 10), rel=1e-12)
    if gap:
        down = after([10 + gap], [10 + delay], rule, delay)
        assert down == pytest.approx(-0.02 * math.exp(-gap / 15), rel=1e-12)


def test_all_pairs_count_and_weights_stay_in_their_range() -> None:
    rule = PairRule(0.03, 0.02, 10.0, 10.0)
    wanted = 0.03 * (math.exp(-0.5) + math.exp(-0.2)) - 0.02 * math.exp(-0.4)
    assert after([10, 13, 19], [15], rule) == pytest.approx(wanted, rel=1e-12)
    strong = PairRule(2.0, 2.0, 10.0, 10.0, low=0.2, high=0.7)
    assert after([10], [11], strong) == pytest.approx(0.2)
    assert after([11], [10], strong) == pytest.approx(-0.3)
    assert after([10], [], strong) == after([], [10], strong) == 0.0


def plain(
    network: Mapped, inputs: np.ndarray, rules: dict[str, PairRule]
) -> tuple[dict[str, dict], dict[str, int], dict]:
    """The whole run again, one synapse and one number after another."""
    steps, samples, _ = inputs.shape
    held = {}
    for number, p in enumerate(network.projections):
        synapses = p.synapses
        assert isinstance(synapses, Sparse)
        for i in range(synapses.sources):
            for record in synapses.records[synapses.starts[i] : synapses.starts[i + 1]]:
                held[number, i, int(record["target"])] = float(record["weight"])
    updates = dict.fromkeys(rules, 0)
    fired: dict[tuple[int, str, int], list[bool]] = {}
    for sample in range(samples):
        membrane = {
            name: [float(v) for v in np.broadcast_to(each.start, each.size)]
            for name, each in network.populations.items()
        }
        sent = {name: [[False] * each.size for _ in range(steps)] for name, each in network.populations.items()}
        before = {number: [0.0] * p.synapses.sources for number, p in enumerate(network.projections)}
        behind = {number: [0.0] * p.synapses.targets for number, p in enumerate(network.projections)}
        for t in range(steps):
            for name in network.order:
                each = network.populations[name]
                if not each.spiking:
                    sent[name][t] = [bool(v) for v in inputs[t, sample]]
                    continue
                beta, bias = np.broadcast_to(each.beta, each.size), np.broadcast_to(each.bias, each.size)
                for j in range(each.size):
                    current = 0.0
                    for (number, i, target), weight in held.items():
                        p = network.projections[number]
                        if p.target == name and target == j and t >= p.delay and sent[p.source][t - p.delay][i]:
                            current += weight
                    v, theta = membrane[name][j], each.threshold
                    was = v > theta
                    kept = 0.0 if was and each.reset_delay and each.reset == "zero" else v
                    v = float(beta[j]) * kept + (current + float(bias[j]))
                    if each.reset_delay and each.reset == "subtract" and was:
                        v -= theta
                    now = v > theta
                    if now and not each.reset_delay:
                        v = v - theta if each.reset == "subtract" else 0.0 if each.reset == "zero" else v
                    membrane[name][j], sent[name][t][j] = v, now
            for number, p in enumerate(network.projections):
                if p.layer not in rules:
                    continue
                rule = rules[p.layer]
                before[number] = [x * math.exp(-1 / rule.tau_before) for x in before[number]]
                behind[number] = [y * math.exp(-1 / rule.tau_after) for y in behind[number]]
                arrived = sent[p.source][t - p.delay] if t >= p.delay else [False] * p.synapses.sources
                for key in held:
                    if key[0] == number and arrived[key[1]]:
                        updates[p.layer] += 1
                        change = -rule.decrease * behind[number][key[2]]
                        held[key] = min(max(held[key] + change, rule.low), rule.high) if change else held[key]
                before[number] = [x + a for x, a in zip(before[number], arrived, strict=True)]
                for key in held:
                    if key[0] == number and sent[p.target][t][key[2]]:
                        updates[p.layer] += 1
                        change = rule.increase * before[number][key[1]]
                        held[key] = min(max(held[key] + change, rule.low), rule.high) if change else held[key]
                behind[number] = [y + b for y, b in zip(behind[number], sent[p.target][t], strict=True)]
        for name, trains in sent.items():
            for t in range(steps):
                fired[sample, name, t] = trains[t]
    return held, updates, fired  # type: ignore[return-value]


@settings(max_examples=12, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(seed=st.integers(0, 10**6), increase=st.floats(-0.2, 0.4), decrease=st.floats(-0.2, 0.4), tau=st.floats(0.5, 30))
def test_learning_is_the_plain_loop(seed: int, increase: float, decrease: float, tau: float) -> None:
    network = random_graph(seed, dtype=np.float64)
    inputs = (np.random.default_rng(seed).random((7, 2, network.populations["input"].size)) < 0.5).astype(float)
    rules = {network.projections[0].layer: PairRule(increase, decrease, tau, 2 * tau, -0.75, 0.875)}
    rules[network.projections[-1].layer] = PairRule(decrease, increase, low=-1.0)
    ran = run(network, inputs, precision="float64", learning=rules, keep=list(network.populations)[1:])
    held, updates, fired = plain(network, inputs, rules)
    for name, raster in ran.rasters.items():
        for (sample, source, t), row in fired.items():
            if source == name:
                assert raster[t, sample].astype(bool).tolist() == row
    assert ran.network is not None
    for (number, i, j), weight in held.items():
        synapses = ran.network.projections[number].synapses
        assert isinstance(synapses, Sparse)
        row = synapses.records[synapses.starts[i] : synapses.starts[i + 1]]
        assert float(row["weight"][row["target"] == j][0]) == pytest.approx(weight, rel=1e-9, abs=1e-12)
    for layer, count in updates.items():
        assert ran.activity.total("weight_update", layer) == count


def learner() -> tuple[nn.Module, torch.Tensor]:
    network = exact(nn.Sequential(nn.Linear(12, 9), sl.LIF(0.875), nn.Linear(9, 4), sl.LIF(0.75)), pruned=0.3)
    return network, spikes(20, 3, 12)


def test_without_change_a_learning_run_is_the_native_one() -> None:
    network, inputs = learner()
    still = PairRule(0.0, 0.0)
    learning, plain_run = run(network, inputs, learning={"0": still}), run(network, inputs)
    assert np.array_equal(learning.output, plain_run.output)
    for event in ("spike", "synaptic_op", "neuron_update", "active_update"):
        assert learning.activity.total(event) == plain_run.activity.total(event)
    assert learning.network is not None
    assert np.array_equal(weights(learning.network, "0"), network[0].weight.detach().numpy())
    counted = run(network, inputs, learning=["0"]).activity
    assert learning.activity.total("weight_update") == counted.total("weight_update") > 0


def test_weights_change_where_learning_is_on_and_go_on_from_there() -> None:
    network, inputs = learner()
    ran = run(network, inputs, "loihi", learning={"2": PairRule(0.02, 0.01)})
    assert ran.network is not None
    before, now = network[2].weight.detach().numpy(), weights(ran.network, "2")
    assert not np.array_equal(before, now) and np.all(now[before == 0] == 0)
    assert np.array_equal(weights(ran.network, "0"), network[0].weight.detach().numpy())
    again = run(ran.network, inputs.numpy())
    with torch.no_grad():
        network[2].weight.copy_(torch.from_numpy(now))
        assert np.array_equal(network(inputs).numpy(), again.output)
    ledger = sl.price(ran.activity, "loihi")
    updates = [entry for entry in ledger.entries if entry.event == "weight_update"]
    # Davies et al. 2018, Table 2: 120 pJ an update
    assert sum(entry.joules for entry in updates) == pytest.approx(120e-12 * ran.activity.total("weight_update"))


def test_on_the_chip_weights_are_whole_numbers_of_its_unit() -> None:
    network, inputs = learner()
    chip = load_device("odin")  # 4 bits
    rule = PairRule(0.04, 0.03, low=-0.6, high=0.6)
    coarse = run(network, inputs, chip, learning={"0": rule}, precision="chip")
    assert coarse.network is not None
    found, start = weights(coarse.network, "0"), network[0].weight.detach().numpy()
    mapped = sl.map(network, inputs)
    grain = grains(mapped, chip, {"0": 0.6})["1"]
    integers = found / grain.weight
    assert np.allclose(integers, np.rint(integers), atol=1e-4) and np.abs(integers).max() <= 7
    assert np.abs(found - np.rint(start / grain.weight) * grain.weight).max() > grain.weight / 2
    same = run(network, inputs, chip, learning={"0": rule}, precision="chip")
    assert same.network is not None and np.array_equal(weights(same.network, "0"), found)
    tiny = dataclasses.replace(rule, increase=0.001, decrease=0.0, rounding="nearest")
    lost = run(network, inputs, chip, learning={"0": tiny}, precision="chip")
    assert lost.network is not None  # changes below half a unit are lost to the nearest, and kept on average by chance
    assert np.allclose(weights(lost.network, "0"), np.rint(start / grain.weight) * grain.weight, atol=1e-6)
    kept = run(
        network, inputs, chip, learning={"0": dataclasses.replace(tiny, rounding="stochastic")}, precision="chip"
    )
    assert kept.network is not None and weights(kept.network, "0").sum() > weights(lost.network, "0").sum()


def test_what_cannot_learn_is_told() -> None:
    network, inputs = learner()
    with pytest.raises(InputError, match="unknown layer 'fc9'"):
        run(network, inputs, learning={"fc9": PairRule()})
    pictures = exact(nn.Sequential(sl.over_time(nn.Conv2d(1, 2, 3)), sl.LIF(0.5), sl.over_time(nn.AvgPool2d(2)),
                                   nn.Flatten(2), nn.Linear(8, 3), sl.LIF(0.5)))  # fmt: skip
    with pytest.raises(InputError, match="is a convolution"):
        run(pictures, spikes(4, 1, 1, 6, 6), learning={"0.module": PairRule()})
    with pytest.raises(InputError, match="behind a pooling"):
        run(pictures, spikes(4, 1, 1, 6, 6), learning={"4": PairRule()})
    for wrong in ({"tau_before": 0.0}, {"low": 2.0}, {"increase": math.nan}, {"rounding": "up"}):
        with pytest.raises(InputError):
            PairRule(**wrong)  # type: ignore[arg-type]
