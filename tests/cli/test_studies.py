"""`spikeledger study` and `spikeledger search`: from a file to rows, a front, a page and another device."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import spikeledger as sl
from spikeledger.trials import open_runner

Run = Callable[..., Any]

STUDY = """
title = "widths"
experiment = "network"
[settings]
data = "digits"
train = 200
test = 50
held_out = 100
recorded = 50
epochs = 1
timesteps = 2
"""
SPACE = """
[space]
width = [4, 8, 16]
sparsity = { low = 0.0, high = 0.8 }
neuron = ["lif", "if"]
[search]
maximise = ["accuracy"]
minimise = ["joules.loihi"]
constraints = ["misfit.published-exercise-001 <= 0"]
sampler = "nsga2"
trials = 6
round = 3
rungs = [{ epochs = 1 }, { epochs = 1 }]
confirm = 2
"""


def test_a_study_is_run_told_of_and_shown(run: Run, tmp_path: Path) -> None:
    file, out = tmp_path / "widths.toml", tmp_path / "out"
    file.write_text(STUDY)
    ran = run("study", "run", file, "--out", out, "--set", "width=[4, 8]", "--set", "neuron=if", "--json")
    assert ran.code == 0 and ran.err.count(" finished now") == 2
    rows = json.loads(ran.out)["trials"]
    assert [row["identity"]["settings"]["width"] for row in rows] == [4, 8]
    assert all(row["values"]["latency"]["loihi"] > 0 for row in rows)  # SENECA's profile states no times
    assert all(set(row["values"]["latency"]) == {"loihi"} for row in rows)
    assert run("study", "run", file, "--out", out, "--set", "width=[4, 8]", "--set", "neuron=if").err == ""
    told = run("study", "status", out)
    assert "widths: 2 of 2 trials are finished" in told.out
    shown = run("study", "show", out)
    assert rows[0]["key"][:8] in shown.out or "width" in shown.out
    assert json.loads(run("study", "show", out, "--json").out)["trials"] == rows
    failed = run("study", "run", file, "--out", out, "--set", "width=16", "--set", 'profiles=["horowitz-45nm", "lohi"]')
    assert failed.code == 2 and failed.err == "spikeledger: unknown profile 'lohi': did you mean 'loihi'?\n"
    failed = run("study", "run", file, "--out", out, "--set", "width=16", "--set", "held_out=5000")
    assert failed.code == 2 and "held_out is 5000" in failed.err and "Traceback" not in failed.err
    told = run("study", "status", out, "--json")
    state = json.loads(told.out)
    assert state["finished"] == 0 and state["other_trials"] == 2 and len(state["failed"]) == 1
    assert "2 more are of other settings" in run("study", "status", out).out


def test_a_search_writes_its_page_its_pictures_and_its_networks(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    file, out = tmp_path / "widths.toml", tmp_path / "out"
    file.write_text(STUDY.replace("epochs = 1\n", 'chips = ["published-exercise-001"]\n') + SPACE)
    ran = run("search", file, "--out", out, "--json")
    assert ran.code == 0, ran.err
    told = json.loads(ran.out)
    assert told["tried"] == 12 and told["points"] and set(told["hypervolume"]) == {"nsga2", "random"}
    page = (out / "search.html").read_text()
    assert "<script" not in page and "Leaderboard" in page and "widths" in page
    for name in ("front", "hypervolume"):
        assert (out / f"{name}.png").read_bytes()[:4] == b"\x89PNG" and "<svg" in (out / f"{name}.svg").read_text()
    ahead = [point for point in told["points"] if point["place"] == "front"]
    assert len(list((out / "front").iterdir())) == len(ahead) and all(point["seeds"] == 2 for point in ahead)
    assert isinstance(sl.load_network(out / "front" / "01" / "network"), sl.SpikingNetwork)
    shown = run("search", "show", out, "--optuna", tmp_path / "study.log")
    assert shown.code == 0 and "are on the front" in shown.out and (tmp_path / "study.log").stat().st_size > 1000
    again = json.loads(run("search", "reprice", out, "--profile", "seneca-22nm", "--json").out)
    by_key = {point["trial"]: point for point in told["points"]}
    assert len(again["points"]) == len(by_key) and again["pairs"] == len(by_key) * (len(by_key) - 1) // 2
    for point in again["points"]:
        activity = sl.Activity.load(out / "files" / point["key"] / "activity.npz")
        assert point["joules"] == pytest.approx(sl.price(activity, "seneca-22nm").joules_per_sample, rel=1e-12)
        assert point["before"] == pytest.approx(sl.price(activity, "loihi").joules_per_sample, rel=1e-12)
    assert "are in another order on seneca-22nm" in run("search", "reprice", out, "--profile", "seneca-22nm").out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("study", "run", "none.toml"), "there is no study"),
        (("study", "run", "a.toml", "--set", "epochs"), "needs a name and a value"),
        (("study", "run", "a.toml", "--set", "epoch=3"), "did you mean 'epochs'"),
        (("study", "run", "a.toml", "--cluster", "local"), "must be local:N"),
        (("study", "run", "a.toml", "--threads", "0"), "at least 1"),
        (("study", "run", "a.toml", "--out", "busy"), "another run is at work"),
        (("study", "status", "nowhere"), "is no study's folder"),
        (("study", "show", "a.toml"), "is no study's folder"),
        (("search", "a.toml"), "is empty"),
        (("search", "show", "busy"), "holds no search"),
        (("search", "reprice", "busy", "--profile", "loihi"), "holds no search"),
    ],
)
def test_bad_input_is_one_sentence(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.toml").write_text(STUDY)
    with open_runner("busy"):
        ran = run(*arguments)
    assert ran.code == 2 and said in ran.err and ran.err.count("\n") == 1 and not ran.out


def test_the_published_comparison_is_written_without_a_study_and_refused_of_another(run: Run, tmp_path: Path) -> None:
    told = run("study", "report", "--out", tmp_path / "paper", "--json")
    assert told.code == 0 and json.loads(told.out)["page"].endswith("paper.html")
    assert "not run" in (tmp_path / "paper" / "tables.md").read_text()
    assert run("study", "report", tmp_path / "none").code == 2
