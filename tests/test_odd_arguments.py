"""Each argument of the public calls, replaced by odd values one at a time: an answer, or one sentence; never a raw error.

The calls below are right as they stand; `test_misuse.py` has the odd calls that people really make.
"""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import spikeledger as sl
from spikeledger.errors import SpikeLedgerError

#: by how they are told; a few for each run of the suite, all with `make test-all`
FEW: dict[str, Any] = {
    "None": None, "text": "x", "-1": -1, "nan": float("nan"), "an object": object(), "a list of text": ["x"],
    "huge": 10**30, "an array": np.zeros((2, 3)),
}  # fmt: skip
MORE: dict[str, Any] = {
    "0": 0, "2.5": 2.5, "inf": float("inf"), "True": True, "[]": [], "{}": {}, "bytes": b"x", "1e300": 1e300,
    "a tensor": torch.tensor([1, 2]), "a dict": {"x": 1}, "()": (), "a path": Path("nowhere"), "no text": "",
    "2**62": 2**62,
}  # fmt: skip
#: what runs for ever where it is asked for long enough, as it should
ENDLESS = {("fit", "epochs"), ("robustness", "draws")}


@functools.cache
def right() -> dict[str, tuple[Callable[..., Any], dict[str, Any]]]:
    """Calls that are right, each with arguments by name."""
    torch.manual_seed(0)
    net, x = sl.zoo.mlp(6, 5, 3, timesteps=3), torch.rand(9, 6)
    ann, y = sl.zoo.twin(net), torch.arange(9) % 3
    data = sl.datasets.Dataset.from_arrays("mine", x, y, x[:5], y[:5])
    act, ann_act = sl.record(net, x), sl.record(ann, x)
    led, rule, pop = sl.price(act, "loihi"), sl.plasticity.PairRule(), sl.nef.population(20)
    cook = sl.plasticity.DiehlCook.random(5, inputs=16, constants=sl.plasticity.Constants(shown_seconds=0.01))
    images, steps, half = np.zeros((2, 16), np.uint8), np.zeros((5, 1)), np.ones((3, 2))
    plasticity, nef, learning, losses, outlook = sl.plasticity, sl.nef, sl.learning, sl.losses, sl.outlook
    layers = nn.Sequential(nn.Linear(6, 3), sl.neurons.LIF())
    calls = [
        (sl.SpikingNetwork, {"layers": layers, "encoder": "rate", "timesteps": 3}), (sl.record, {"network": net, "data": x}),
        (sl.evaluate, {"network": net, "inputs": x, "labels": y}), (sl.EnergyMonitor, {"network": net}),
        (sl.load_profile, {"name_or_path": "loihi"}), (sl.price, {"activity": act, "profile": "loihi"}),
        (sl.map, {"network": net}), (sl.fits, {"network": net, "device": "loihi"}),
        (sl.place, {"network": net, "device": "loihi"}),
        (sl.simulate, {"network": net, "inputs": x[:2], "device": "loihi"}),
        (sl.account, {"activity": act, "profile": "loihi"}), (sl.sensitivity, {"ledger": led}),
        (sl.neurons.IF, {}), (sl.neurons.LIF, {}), (sl.neurons.Synaptic, {}), (sl.neurons.AdaptiveLIF, {}),
        (sl.neurons.Recurrent, {"neuron": sl.neurons.LIF(), "connections": nn.Linear(3, 3)}),
        (sl.neurons.Delay, {"steps": 2}), (sl.neurons.over_time, {"module": nn.Linear(3, 3)}),
        (learning.prune, {"network": net, "fraction": 0.5}), (learning.Pruning, {"fraction": 0.5}),
        (sl.counting.activity_from_events, {"events": {"fc": {"mac": 5}}}),
        (sl.counting.activity_from_spikes, {"layer_sizes": [(6, 5)], "spike_counts": [7], "timesteps": 3}),
        (sl.counting.account_spikes, {"layer_sizes": [(6, 5)], "spike_counts": [7], "profile": "loihi", "timesteps": 3}),
        (sl.devices.check_profile, {"profile": "loihi"}), (sl.questions.fair_opponents, {"ann": ann_act, "snn": act}),
        (nef.population, {"neurons": 20}), (nef.connect, {"first": pop, "second": pop, "values": steps}),
        (nef.integrator, {"one": pop, "rates": steps}), (nef.simulate, {"one": pop, "values": steps}),
        (nef.leaky_integrator, {"current": steps, "dt": 0.001, "tau": 0.02}),
        (nef.solve, {"activities": np.ones((9, 4)), "targets": np.ones((9, 1))}), (nef.LIF, {}), (nef.AdaptiveLIF, {}),
        (nef.Lowpass, {"tau": 0.005}), (plasticity.PairRule, {}), (plasticity.Constants, {}),
        (plasticity.DiehlCook, {"weights": cook.weights, "theta_millivolts": cook.theta_millivolts}),
        (plasticity.DiehlCook.random, {"neurons": 5}), (plasticity.learn, {"network": cook, "images": images}),
        (plasticity.by_pairs, {"rule": rule, "before": [0, 1], "after": [1, 0]}),
        (plasticity.by_traces, {"rule": rule, "before": [0, 1], "after": [1, 0]}),
        (plasticity.window, {"rule": rule, "lag": [1.0]}), (plasticity.compete, {"current": half, "inhibition": 1.0}),
        (plasticity.label_neurons, {"spikes": half, "labels": np.array([0, 1, 2])}),
        (plasticity.vote, {"spikes": half, "shares": np.ones((2, 10))}),
        (plasticity.respond, {"network": cook, "images": images}), (outlook.fit, {}), (outlook.select, {}),
        (outlook.project, {"parameters": 1e9}), (outlook.check, {}), (data.subset, {"train": 5, "test": 3}),
        (sl.zoo.twin, {"network": net}), (sl.encoders.Rate, {"timesteps": 3}), (sl.encoders.Delta, {"timesteps": 3}),
        (sl.encoders.Once, {"timesteps": 3}), (sl.decoders.MembraneDecoder, {"classes": 3}),
        (losses.joules, {"profile": "loihi", "target": 1e-7}), (losses.spike_rate, {"target": 0.1}),
        (losses.synops, {"target": 5.0}), (losses.mean_square_to, {"right": 1.0, "wrong": 0.0}),
        (losses.loss, {"name": "rate"}), (sl.neurons.surrogates.atan, {}),
        (sl.neurons.surrogates.surrogate, {"name": "atan"}), (act.total, {"event": "spike"}),
        (act.layer, {"name": "layers.fc1"}), (act.only, {"layers": ["layers.fc1"]}), (act.then, {"other": act}),
        (act.per_neuron, {"layer": "layers.fc1"}), (sl.Ledger.from_dict, {"saved": led.to_dict()}),
    ]  # fmt: skip
    many = [
        (sl.fit, {"network": net, "data": data, "epochs": 1, "progress": False}),
        (sl.compare, {"ann": ann, "snn": net, "data": data, "profiles": ["loihi"], "widths": False}),
        (sl.convert, {"ann": ann, "calibration": x, "timesteps": 4}),
        (sl.robustness, {"networks": {"a": net}, "data": data, "noise": ["gaussian"], "attacks": [], "epsilons": [0.1]}),
        (sl.zoo.build, {"name": "mlp-s", "input_shape": 6, "classes": 3}),
    ]  # fmt: skip
    named = {f"{call.__module__.partition('.')[2]}.{call.__qualname__}": (call, given) for call, given in calls}
    return named | {f"long: {call.__name__}": (call, given) for call, given in many}


def odd(call: Callable[..., Any], given: dict[str, Any], values: dict[str, Any]) -> Iterator[tuple[str, str, Any]]:
    for name, one in inspect.signature(call).parameters.items():
        if one.kind in (one.VAR_KEYWORD, one.VAR_POSITIONAL):
            continue
        for label, value in values.items():
            if (call.__name__, name) not in ENDLESS or "2**62" not in label:
                yield name, label, value


def ask(key: str, values: dict[str, Any]) -> None:
    call, given = right()[key]
    raw = []
    for name, label, value in odd(call, given, values):
        kept = {one: copy.deepcopy(thing) if isinstance(thing, nn.Module) else thing for one, thing in given.items()}
        try:
            repr(call(**{**kept, name: value}))
        except SpikeLedgerError as error:
            assert 20 < len(str(error)) < 1500 and "\n" not in str(error), error
        except Exception as error:
            raw.append(f"{name}={label}: {error!r:.150}")
    assert not raw, raw


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("key", [key for key in right() if not key.startswith("long")])
def test_odd_arguments_are_answered_in_a_sentence(key: str) -> None:
    ask(key, FEW)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("key", list(right()))
def test_more_odd_arguments(key: str) -> None:
    ask(key, {**FEW, **MORE} if key.startswith("long") else MORE)


#: what is no number and no list says what it has instead
OPERATORS: dict[str, Callable[[Any], Any]] = {
    "a < b": lambda one: one < one, "a >= b": lambda one: one >= one, "a - b": lambda one: one - one,
    "a * 2": lambda one: one * 2, "2 * a": lambda one: 2 * one, "a / 2": lambda one: one / 2, "-a": lambda one: -one,
    "abs(a)": abs, "float(a)": float, "int(a)": int, "round(a)": round, "a[0]": lambda one: one[0],
    "a['fc1']": lambda one: one["fc1"], "list(a)": list, "len(a)": len, "'x' in a": lambda one: "x" in one,
    "a ** 2": lambda one: one**2,
}  # fmt: skip


@pytest.mark.parametrize("way", OPERATORS)
@pytest.mark.parametrize("kind", ["activity", "ledger", "sensitivity", "account"])
def test_a_result_is_no_number_and_no_list(kind: str, way: str) -> None:
    act = sl.counting.activity_from_events({"fc": {"synaptic_op": 5, "spike": 2}})
    led = sl.price(act, "loihi")
    made = {"activity": act, "ledger": led, "sensitivity": sl.sensitivity(led), "account": sl.account(act, "loihi")}
    with pytest.raises(SpikeLedgerError) as caught:
        OPERATORS[way](made[kind])
    assert "\n" not in str(caught.value) and len(str(caught.value)) > 40
    assert bool(made[kind]) and made[kind] == made[kind]


def test_adam_says_how_it_is_made() -> None:
    for wrong in (None, [], nn.Linear(2, 3)):
        with pytest.raises(SpikeLedgerError, match=r"network\.parameters"):
            sl.learning.Adam(wrong)  # type: ignore[arg-type]
    for options in ({"lr": -1}, {"lr": "fast"}, {"beta": 0.9}):
        with pytest.raises(SpikeLedgerError, match="cannot be made so"):
            sl.learning.Adam(nn.Linear(2, 3).parameters(), **options)  # type: ignore[arg-type]


def test_what_no_memory_holds_is_a_sentence() -> None:
    with pytest.raises(SpikeLedgerError, match="takes 16,777,216 at most"):
        sl.zoo.mlp(6, 3, timesteps=10**13)
    with pytest.raises(SpikeLedgerError, match="memory holds"):
        sl.nef.population(2**61)


def test_samples_of_another_shape_are_told_before_the_first_attack() -> None:
    nets = {"mine": sl.zoo.mlp(6, 5, 3, timesteps=3)}
    with pytest.raises(SpikeLedgerError, match=r"'mine' cannot take samples of shape \[7\]"):
        sl.robustness(nets, (torch.rand(4, 7), torch.zeros(4, dtype=torch.long)), noise=[], attacks=["fgsm"])
    with pytest.raises(SpikeLedgerError, match="answers 3 classes"):
        sl.robustness(nets, (torch.rand(4, 6), torch.full((4,), 5)), noise=[], attacks=["fgsm"])
