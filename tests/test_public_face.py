"""What users do with the package that it was not made for: each kind works or is one sentence, and never a traceback."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import spikeledger as sl
from spikeledger.errors import SpikeLedgerError


class Tried:
    """Small things that every row may use."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.net = sl.zoo.mlp(12, 9, 3, timesteps=4)
        self.ann = sl.zoo.twin(self.net)
        self.plain = nn.Sequential(nn.Linear(12, 9), nn.ReLU(), nn.Linear(9, 3))
        self.x, self.y = torch.rand(30, 12), torch.arange(30) % 3
        self.data = sl.Dataset.from_arrays("mine", self.x, self.y, self.x, self.y)
        self.loader = DataLoader(TensorDataset(self.x, self.y), batch_size=7)
        self.activity = sl.record(self.net, self.x)
        self.ledger = sl.price(self.activity, "loihi")


@pytest.fixture(scope="module")
def tried() -> Tried:
    return Tried()


def compared(t: Tried, data: Any, **options: Any) -> sl.Comparison:
    return sl.compare(t.ann, t.net, data, profiles=["loihi"], widths=False, **options)


#: what users have, and the number that must come out however it is given
WORKS: dict[str, tuple[Callable[[Tried], Any], Callable[[Tried], Any]]] = {
    "record numpy": (lambda t: sl.record(t.net, t.x.numpy()), lambda t: t.activity.total("synaptic_op")),
    "record a list": (lambda t: sl.record(t.net, t.x.tolist()), lambda t: t.activity.total("synaptic_op")),
    "record a pair": (lambda t: sl.record(t.net, (t.x, t.y)), lambda t: t.activity.total("synaptic_op")),
    "record a data set": (lambda t: sl.record(t.net, t.data), lambda t: t.activity.total("synaptic_op")),
    "record a torch data set": (
        lambda t: sl.record(t.plain, TensorDataset(t.x, t.y)), lambda t: sl.record(t.plain, t.x).total("synaptic_op"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("how", WORKS)
def test_the_same_samples_are_counted_alike_however_they_are_given(tried: Tried, how: str) -> None:
    given, expected = WORKS[how]
    assert given(tried).total("synaptic_op") == expected(tried)


@pytest.mark.parametrize("form", ["data", "pair", "loader", "torch data set", "numpy"])
def test_data_sets_have_many_forms(tried: Tried, form: str) -> None:
    given = {
        "data": tried.data, "pair": (tried.x, tried.y), "loader": tried.loader, "torch data set": tried.loader.dataset,
        "numpy": (tried.x.numpy(), tried.y.numpy()),
    }[form]  # fmt: skip
    expected = sl.evaluate(tried.net, tried.x, tried.y)
    assert sl.evaluate(tried.net, given).accuracy == expected.accuracy
    assert compared(tried, given).snn.accuracy == compared(tried, tried.data).snn.accuracy


def test_words_of_the_field_are_understood(tried: Tried) -> None:
    options: dict[str, Any] = {"lr": 0.01, "n_epochs": 1, "bs": 16, "progress": False}
    network = sl.zoo.mlp(12, 8, 3, T=6)
    assert network.timesteps == 6 and sl.encoders.Rate(T=7).timesteps == 7
    assert len(sl.fit(network, tried.loader, criterion=nn.CrossEntropyLoss(), **options).history) == 1
    assert sl.price(tried.activity, hardware="loihi").joules == tried.ledger.joules
    assert sl.price(tried.activity, device="loihi").joules == tried.ledger.joules
    assert sl.compare(tried.ann, tried.net, tried.data, device="loihi", widths=False).matches[0].name == "loihi"


#: a call that cannot be -> words of the sentence
REFUSED: dict[str, tuple[Callable[[Tried], Any], str]] = {
    "wrong shape": (lambda t: sl.record(t.net, torch.rand(4, 11)), "cannot run on inputs of shape"),
    "half precision": (lambda t: sl.record(nn.Linear(12, 2).half(), t.x), "cannot run on inputs"),
    "a text": (lambda t: sl.record(t.net, "digits"), "load it first"),
    "a class": (lambda t: sl.record(nn.Linear, t.x), "not its class"),
    "swapped": (lambda t: sl.record(t.x, t.net), "takes a torch module"),
    "steps as text": (lambda t: sl.record(t.net, t.x, timesteps="5"), "a whole number"),
    "own steps contradicted": (lambda t: sl.record(t.net, t.x, timesteps=10), "makes 4 steps of each sample itself"),
    "no profile": (lambda t: sl.price(t.activity), "without profile: call sl.price(activity, profile"),
    "several profiles": (lambda t: sl.price(t.activity, ["loihi", "v100"]), "takes one device"),
    "a profile of prices alone": (lambda t: sl.price(t.activity, {"mac": 1e-12}), "takes a device"),
    "a network priced": (lambda t: sl.price(t.net, "loihi"), "record it first"),
    "a file that is none": (lambda t: sl.price("nowhere.npz", "loihi"), "nowhere.npz"),
    "an activity in place of a ledger": (lambda t: sl.sensitivity(t.activity), "price it first"),
    "ledgers in place of activities": (lambda t: sl.fair_opponents(t.ledger, t.ledger), "record it first"),
    "no data": (lambda t: sl.compare(t.ann, t.net), "without data"),
    "activities compared": (lambda t: sl.compare(t.activity, t.activity, t.data), "takes a torch module"),
    "a device to train on": (lambda t: sl.fit(t.net, t.data, device="cuda"), "network.to('cuda')"),
    "two SNNs": (lambda t: sl.compare(t.net, t.net, t.data, profiles=["loihi"]), "sl.sensitivity(sl.price"),
    "two ANNs": (lambda t: sl.compare(t.ann, t.plain, t.data, profiles=["v100"]), "neither network has spiking"),
    "T of a bill": (lambda t: sl.price(t.activity, "loihi", T=4), "a network has its steps"),
    "T of training": (lambda t: sl.fit(t.net, t.data, num_steps=4), "a network has its steps"),
    "T of a neuron": (lambda t: sl.LIF(T=4), "a network has its steps"),
    "a threshold elsewhere": (lambda t: sl.IF(v_threshold=4), "say threshold="),
    "a few samples to train on": (lambda t: sl.fit(t.net, t.data, n_samples=4), "data.subset(train="),
    "a few samples of a set": (lambda t: sl.load_dataset("digits", samples=4), "data.subset(train="),
    "a rate to price at": (lambda t: sl.price(t.activity, "loihi", lr=1), "sl.fit takes learning_rate="),
    "a GPU to compare on": (lambda t: sl.compare(t.ann, t.net, t.data, device=torch.device("cpu")), "network.to('cuda')"),
    "an optimiser": (lambda t: sl.fit(t.net, t.data, optimizer="sgd"), "learning_rate"),
    "a time constant": (lambda t: sl.LIF(tau=2.0), "from_tau"),
    "a twin of an ANN": (lambda t: sl.zoo.twin(t.plain), "has no twin"),
    "a chip of an ANN": (lambda t: sl.map(t.plain, t.x[:1]), "does not run on|no spiking neurons"),
    "arguments turned": (lambda t: sl.simulate(t.net, "loihi", t.x), "takes samples"),
    "a GPU as a chip": (lambda t: sl.fits(t.net, "v100"), "no chip to place"),
    "ledgers in an order": (lambda t: t.ledger < t.ledger, "ranges"),
    "a sum of two devices": (lambda t: t.ledger + sl.price(t.activity, "loihi-2"), "cannot be added"),
    "an attribute of a result": (lambda t: t.activity.sumary, "did you mean .summary|it has|did you mean"),
    "a part of a data set": (lambda t: t.data.test, "test_inputs"),
    "a name of old": (lambda t: sl.load_chip, "sl.load_profile"),
    "a typing error": (lambda t: sl.recrod, "sl.record"),
    "a loader without labels": (lambda t: sl.evaluate(t.net, DataLoader(t.x)), "needs to be (inputs, labels)"),
}  # fmt: skip


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_is_one_sentence(tried: Tried, kind: str) -> None:
    call, says = REFUSED[kind]
    with pytest.raises(SpikeLedgerError) as caught:
        call(tried)
    sentence = str(caught.value)
    assert any(words in sentence for words in says.split("|")), sentence
    assert "\n" not in sentence and len(sentence) < 700


def test_results_show_plot_and_are_kept(tried: Tried, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    comparison = compared(tried, tried.data)
    for result, words in ((tried.activity, "neuron_fc1"), (tried.ledger, "loihi"), (comparison, "McNemar")):
        result.show()
        assert words in capsys.readouterr().out
        assert "<table>" in result._repr_html_() and "<svg" in result._repr_html_()
        assert result.plot().save(tmp_path / "one.png").stat().st_size > 1000
    frame = tried.activity.to_dataframe()
    assert frame[frame.event == "spike"]["count"].sum() == tried.activity.total("spike")
    assert len(comparison.to_dataframe()) == 1
    again = sl.Ledger.load(tried.ledger.save(tmp_path / "ledger.json"))
    assert again.joules == pytest.approx(tried.ledger.joules, rel=1e-12)
    assert again.by_layer() == pytest.approx(tried.ledger.by_layer()) and again.joules_high > again.joules
    assert (tried.ledger + tried.ledger).joules_per_sample == pytest.approx(tried.ledger.joules_per_sample)
    assert comparison.save(tmp_path / "comparison.json").is_file() and comparison.report(tmp_path / "r.html").is_file()
    assert pickle.loads(pickle.dumps(tried.activity)).total("spike") == tried.activity.total("spike")


#: result -> how it is made, what it can do besides showing itself, and a word of what it shows
RESULTS: dict[str, tuple[Callable[[Tried], Any], set[str], str]] = {
    "activity": (lambda t: t.activity, {"plot", "to_dataframe", "save", "load", "+"}, "layers.neuron_fc1"),
    "ledger": (lambda t: t.ledger, {"plot", "to_dataframe", "to_dict", "save", "load", "+"}, "loihi"),
    "comparison": (lambda t: compared(t, t.data), {"plot", "to_dataframe", "to_dict", "save", "load"}, "McNemar"),
    "fit": (
        lambda t: sl.fit(sl.zoo.mlp(12, 5, 3), t.data, epochs=1, progress=False), {"plot", "to_dataframe", "to_dict"}, "epoch",
    ),
    "monitor": (lambda t: looked_at(sl.EnergyMonitor(t.net), t.x), {"plot", "to_dataframe"}, "recorded"),
    "account": (lambda t: sl.account(t.activity, "loihi"), {"to_dict"}, "loihi"),
    "sensitivity": (lambda t: sl.sensitivity(t.ledger), {"plot", "to_dict"}, "independently"),
    "validation": (lambda t: sl.validate(), {"to_dict"}, "measured"),
    "opponents": (lambda t: sl.fair_opponents(sl.record(t.ann, t.x), t.activity), {"to_dict"}, "spikes per synapse"),
    "device": (lambda t: sl.load_profile("loihi"), set(), "synaptic_op"),
}  # fmt: skip


def looked_at(monitor: sl.EnergyMonitor, x: Any) -> sl.EnergyMonitor:
    monitor.step(x)
    return monitor


@pytest.mark.parametrize("kind", RESULTS)
def test_every_result_can_be_looked_at(
    tried: Tried, kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    make, can, word = RESULTS[kind]
    result = make(tried)
    for columns in ("50", "120"):
        monkeypatch.setenv("COLUMNS", columns)
        result.show()
        out = capsys.readouterr().out
        assert word in " ".join(out.split()) and max(map(len, out.splitlines())) <= int(columns)
    assert "<table>" in result._repr_html_()
    assert "\n" not in repr(result) and len(repr(result)) < 1000, "its repr is a wall of text"
    if "plot" in can:
        assert "<svg" in result._repr_html_() and result.plot().save(tmp_path / "one.svg").stat().st_size > 500
    if "to_dataframe" in can:
        assert len(result.to_dataframe()) > 0
    if "to_dict" in can:
        assert result.to_dict()
    if "load" in can:
        again = type(result).load(result.save(tmp_path / f"kept.{'npz' if kind == 'activity' else 'json'}"))
        again.show()
        assert word in capsys.readouterr().out
    if "+" in can:
        assert (result + result).samples == 2 * result.samples
    assert {name for name in ("plot", "to_dataframe", "to_dict", "save") if name in can} <= set(dir(type(result)))


def test_a_layer_may_be_priced_on_a_host(tried: Tried) -> None:
    direct = sl.record(sl.zoo.mlp(12, 9, 3, timesteps=4, encoder="direct"), tried.x)
    with pytest.raises(SpikeLedgerError) as caught:
        sl.price(direct, "loihi")
    assert "layers.fc1" in str(caught.value) and "pixels" in str(caught.value) and "elsewhere=" in str(caught.value)
    assert "--elsewhere layers.fc1=horowitz-45nm" in caught.value.shell and "leave_out=" not in caught.value.shell
    hosted = sl.price(direct, "loihi", elsewhere={"layers.fc1": "horowitz-45nm"})
    alone = sl.price(direct.only(["layers.fc1"]), "horowitz-45nm")
    rest = sl.price(direct.only([name for name in direct.layers if name != "layers.fc1"]), "loihi")
    assert hosted.joules == pytest.approx(alone.joules + rest.joules)
    assert any("priced on 'horowitz-45nm'" in text for text in hosted.caveats)


def test_arrays_may_be_of_any_kind(tried: Tried) -> None:
    for kind in (np.float64, np.float16, np.uint8, bool):
        assert sl.record(tried.net, tried.x.numpy().astype(kind)).samples == 30


def test_names_of_groups_are_the_same_objects_at_the_top_and_not_shown_there() -> None:
    shown = set(dir(sl))
    assert shown == {name for name in sl.__all__ if not name.startswith("_")}
    plain = {name for name in shown if not isinstance(getattr(sl, name), ModuleType)}
    assert len(plain) <= 26 and len(shown) <= 40
    for group in sl._GROUPS:
        for name in set(getattr(sl, group).__all__) - shown:
            assert getattr(sl, name) is getattr(getattr(sl, group), name), name
    with pytest.raises(SpikeLedgerError, match=r"try sl\.neurons\.AdaptiveLIF"):
        _ = sl.AdaptivLIF
    with pytest.raises(SpikeLedgerError, match=r"try sl\.questions\.validate"):
        _ = sl.questions.valdate
