"""Files of an early 0.1 still load and still say the same; they lie in tests/old/early as that version wrote them."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import spikeledger as sl
from repository import ROOT
from spikeledger.errors import FileFormatError, SpikeLedgerError
from spikeledger.training.checkpoints import load_checkpoint

EARLY = ROOT / "tests" / "old" / "early"
#: what the early version said of its own activity
COUNTS = {
    "spike": 692, "neuron_update": 960, "active_update": 960, "synaptic_op": 5643, "dense_op": 10800, "bias_add": 960,
}  # fmt: skip


def test_an_activity() -> None:
    activity = sl.Activity.load(EARLY / "snn-activity.npz")
    assert {event: activity.total(event) for event in activity.events} == COUNTS
    assert activity.layers == ("encoder", "layers.fc1", "layers.neuron_fc1", "layers.fc2", "layers.neuron_fc2")
    assert sl.price(activity, EARLY / "profile.toml").joules == pytest.approx(8.341211120000001e-05, rel=1e-12)


def test_networks_and_a_training_run() -> None:
    run = load_checkpoint(EARLY / "run")
    assert [row.loss for row in run.history] == [1.7693390846252441, 1.701512336730957] and run.best_epoch == 2
    assert run.history[0].reading is None and run.history[0].joules_per_sample == 2.45631e-09
    for folder in ("run", "snn", "ann"):
        scores = sl.evaluate(sl.load_network(EARLY / folder), torch.rand(5, 12), torch.zeros(5, dtype=torch.int64))
        assert len(scores.predictions) == 5


def test_a_ledger() -> None:
    ledger, told = sl.Ledger.load(EARLY / "ledger.json"), json.loads((EARLY / "ledger.json").read_text())
    assert (ledger.joules, ledger.joules_low) == pytest.approx((told["joules"], told["joules_low"]), rel=1e-12)


def test_a_chip() -> None:
    network = sl.load_network(EARLY / "snn")
    early, now = (sl.place(network, device) for device in (EARLY / "chip.toml", "loihi"))
    assert (
        early.core_count == now.core_count
        and early.positions.shape == now.positions.shape
        and early.chip.name == "loihi"
    )


@pytest.mark.parametrize("path", [EARLY, EARLY / "comparison.json"], ids=["folder", "file"])
def test_a_comparison(path: Path) -> None:
    found, told = sl.Comparison.load(path), json.loads((EARLY / "comparison.json").read_text())
    assert (found.data, found.samples, len(found.matches)) == ("noise", 20, 3)
    row = found.match("loihi")
    assert row.snn.joules is not None and row.snn.joules.to_dict() == told["matches"][0]["snn"]["joules"]
    assert row.verdict.text == "ANN lower" and row.verdict.winner == "ann" and row.verdict.standing == "exact"
    assert found.match("horowitz-45nm").verdict.standing == "open"
    assert found.ledger("loihi", "snn").joules_per_sample == pytest.approx(4.17060556e-06)
    assert {event: found.activity("snn").total(event) for event in COUNTS} == COUNTS


def test_what_is_loaded_tells_what_was_saved(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.manual_seed(2)
    x, y = torch.rand(24, 10), torch.arange(24) % 4
    snn = sl.zoo.mlp(10, 7, 4, timesteps=3)
    profiles = ["seneca-22nm", "horowitz-45nm:loihi-2", "v100", "published-notebook-000-loihi"]
    made = sl.compare(sl.zoo.twin(snn), snn, (x, y), profiles=profiles, widths=False)
    found = sl.Comparison.load(made.save(tmp_path / "comparison.json"))
    assert list(found.rows()) == list(made.rows()) and found.to_latex() == made.to_latex()
    assert found.to_dict() == json.loads(json.dumps(made.to_dict()))
    for mine, theirs in zip(found.matches, made.matches, strict=True):
        assert mine.says == theirs.says and mine.to_dict()["views"] == theirs.to_dict()["views"]
    assert sl.Comparison.load(found.save(tmp_path / "again.json")).to_dict() == found.to_dict()
    for what in ("joules", "terms"):
        assert found.plot(what=what).svg() == made.plot(what=what).svg()
    html = [re.sub("picture-[0-9a-f]+", "picture", one._repr_html_()) for one in (found, made)]
    assert html[0] == html[1]
    found.show()
    assert "McNemar" in capsys.readouterr().out and len(found.to_dataframe()) == len(list(made.rows()))


def changed(change: Callable[[dict[str, Any]], None]) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        told = json.loads((EARLY / "comparison.json").read_text())
        change(told)
        (folder / "comparison.json").write_text(json.dumps(told))

    return write


BROKEN: dict[str, tuple[Callable[[Path], None], str]] = {
    "nothing there": (lambda folder: (folder / "comparison.json").unlink(), "comparison.json"),
    "no JSON": (lambda folder: (folder / "comparison.json").write_text("{"), "comparison"),
    "a ledger": (lambda folder: shutil.copy(EARLY / "ledger.json", folder / "comparison.json"), "ledger"),
    "a list": (lambda folder: (folder / "comparison.json").write_text("[1]"), "None"),
    "no matches": (changed(lambda told: told.pop("matches")), "no whole comparison"),
    "a text for a number": (changed(lambda told: told["matches"][0]["ann"]["joules"].update(low="x")), "no whole"),
    "an amount of lists": (changed(lambda told: told["matches"][0].update(ann=[])), "no whole"),
    "a winner that there is none of": (
        changed(lambda told: told["matches"][0]["views"]["static on"]["verdict"].update(winner="both")), "no whole",
    ),
    "a name that is a number": (changed(lambda told: told["matches"][0]["ann"].update(profile=3)), "no whole"),
}  # fmt: skip


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_comparison_is_one_sentence(kind: str, tmp_path: Path) -> None:
    shutil.copy(EARLY / "comparison.json", tmp_path)
    write, says = BROKEN[kind]
    write(tmp_path)
    with pytest.raises(FileFormatError, match=says) as caught:
        sl.Comparison.load(tmp_path)
    assert "\n" not in str(caught.value)


def test_what_a_file_does_not_have_is_one_sentence(tmp_path: Path) -> None:
    shutil.copy(EARLY / "comparison.json", tmp_path)
    found = sl.Comparison.load(tmp_path)
    for call in (
        lambda: found.activity("snn"), lambda: found.activity("both"), lambda: found.ledger("loihi", "x"),  # type: ignore[arg-type]
        lambda: found.ledger("lohi", "ann"), lambda: found.plot(what="opponents"), lambda: found.summry,  # type: ignore[attr-defined]
    ):  # fmt: skip
        with pytest.raises(SpikeLedgerError) as caught:
            call()
        assert "\n" not in str(caught.value)
