"""The page of one result: every entry and price stands on it, names stay text, and nothing is asked of the network."""

from __future__ import annotations

import re
from html import escape
from pathlib import Path

import numpy as np
import pytest

import spikeledger as sl
from spikeledger import units
from spikeledger.cli.app import main
from spikeledger.errors import InputError
from spikeledger.report.behaviour import plot_input
from spikeledger.study.comparison import Comparison
from spikeledger.study.counts import activity_from_events, activity_from_spikes

HOSTILE = "<script>x</script>&amp;"


@pytest.fixture
def ledger() -> sl.Ledger:
    spikes = activity_from_spikes([(784, 100), (100, 10)], [420, 17], timesteps=7, samples=3, input_spikes=5_000)
    return sl.price(spikes, "loihi")


def flat(page: str) -> str:
    """What a reader sees: no markup, and one kind of space."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page).replace("\u00a0", " "))


def test_a_bill_is_whole_on_its_page(ledger: sl.Ledger, tmp_path: Path) -> None:
    text = ledger.report(tmp_path / "bill.html").read_text("utf-8")
    seen = flat(text)
    for layer, event, count, joules, share in ledger.rows():
        assert f"{escape(layer)} {event} {count} {joules} {share}" in seen
    assert units.joules(ledger.joules_per_sample) in seen
    for event in {entry.event for entry in ledger.entries} - {"second"}:
        assert escape(ledger.profile.prices[event].source) in seen.replace("&#x27;", "'")
    for swing in sl.sensitivity(ledger).swings:
        assert swing.short in seen
    assert not re.search(r"<script|https?://(?!www\.w3\.org)", text)


@pytest.mark.parametrize("kind", ["activity", "sensitivity", "device", "account"])
def test_every_kind_of_result_has_a_page(kind: str, ledger: sl.Ledger, tmp_path: Path) -> None:
    activity = activity_from_events({HOSTILE: {"spike": 1_234, "synaptic_op": 5_678, "neuron_update": 77}})
    result = {
        "activity": activity, "sensitivity": sl.sensitivity(ledger), "device": ledger.profile,
        "account": sl.account(activity, "loihi"),
    }[kind]  # fmt: skip
    text = result.report(tmp_path / "page.html").read_text("utf-8")
    assert HOSTILE not in text and text.count("<h1>") == 1
    says = {"activity": "5,678", "sensitivity": "duration", "device": "Davies", "account": "5,678 "}[kind]
    assert (says in flat(text)) == (kind != "account") and len(flat(text)) > 300
    assert (text.count("<li>") > 5) == (kind == "account")  # its sentences are a list, and no part is empty


def test_a_comparison_has_the_page_of_its_own(ordinary: Comparison, tmp_path: Path) -> None:
    assert "A fair opponent" in ordinary.report(tmp_path / "both.html").read_text("utf-8")


def test_the_command_writes_it(ledger: sl.Ledger, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spikes = activity_from_spikes([(9, 4)], [5], timesteps=2, input_spikes=8).save(tmp_path / "a.npz")
    assert main(["price", str(spikes), "--profile", "loihi", "-o", str(tmp_path / "bill.html")]) == 0
    assert "Intel Loihi" in (tmp_path / "bill.html").read_text("utf-8")
    assert main(["price", str(spikes), "--profile", "loihi", "-o", str(tmp_path / "no" / "bill.html")]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_one_bill_is_drawn_once(ordinary: Comparison, tmp_path: Path) -> None:
    text = flat(ordinary.report(tmp_path / "both.html").read_text("utf-8"))
    bills = {(kind, cost.ledger.profile.name, cost.ledger.bill) for match in ordinary.matches if not match.as_published
             for kind, cost in (("ANN", match.ann), ("SNN", match.snn)) if cost.ledger is not None}  # fmt: skip
    for kind, device, _ in bills:
        titles = [one for one in bills if one[:2] == (kind, device)]
        assert len(re.findall(rf"{kind}, {re.escape(device)} (?=[a-z_.]+ )", text)) <= 2 * len(titles)


def test_the_input_is_drawn_as_its_spikes(tmp_path: Path) -> None:
    net = sl.zoo.build("mlp-s", (1, 3, 4), 3, timesteps=4)
    image = np.zeros((1, 1, 3, 4), np.float32)
    image[0, 0, 1, 2] = 1.0
    activity = sl.record(net, image)
    picture = plot_input(activity, "encoder")
    assert picture is not None and picture.svg().count("<rect") == 2  # the frame, and the one pixel
    assert plot_input(activity, "layers.neuron_fc1") is None
    with pytest.raises(InputError):
        plot_input(activity, "nowhere")
