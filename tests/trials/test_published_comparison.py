"""The published comparison end to end: on small archives, stopped in the middle, and told as tables, figures and a page."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from repository import ROOT
from spikeledger.datasets import cifar
from spikeledger.errors import InputError
from spikeledger.report.paper_page import write_paper
from spikeledger.report.paper_sheets import NOT_RUN
from spikeledger.trials import read_study, run
from spikeledger.trials.runner import TrialsFailed

SMALL = """
name = "small"
title = "small"
experiment = "paper"
[settings]
data = "digits"
epochs = 2
train = 300
test = 40
recorded = 10
size = "S"
[[trials]]
kind = "ann"
timesteps = 1
[[trials]]
kind = ["snn", "converted"]
timesteps = 3
"""
#: a run that is killed while it writes its tenth checkpoint within an epoch
KILLED = """
import os, signal, sys
from spikeledger.trials import run
import spikeledger.training.fit
fit = sys.modules["spikeledger.training.fit"]
fit.SECONDS_BETWEEN = -1.0
count, keep = [0], fit._Run.keep_within
def counted(self, now):
    keep(self, now)
    count[0] += 1
    if count[0] == int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)
fit._Run.keep_within = counted
run(sys.argv[1], sys.argv[2])
"""


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("finished")
    file = folder / "small.toml"
    file.write_text(SMALL)
    run(file, folder / "out")
    write_paper([folder / "out"], folder / "report")
    return file, folder


def test_killed_twice_it_ends_with_the_same_tables(finished: tuple[Path, Path], tmp_path: Path) -> None:
    file, folder = finished
    for saves in (1, 3):  # in the first trial, then in a later one
        died = subprocess.run(
            [sys.executable, "-c", KILLED, str(file), str(tmp_path / "out"), str(saves)],
            env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert died.returncode == -signal.SIGKILL, died.stderr
        assert list((tmp_path / "out" / "running").iterdir())
    rows = run(file, tmp_path / "out")
    assert len(rows) == 3
    write_paper([tmp_path / "out"], tmp_path / "report")
    names = {path.name for path in (folder / "report").iterdir()} - {"times.md", "paper.html"}
    assert {"tables.md", "tables.tex", "figure-12-kwh.svg"} <= names
    for name in names:
        assert (tmp_path / "report" / name).read_bytes() == (folder / "report" / name).read_bytes(), name


def test_the_report_says_what_was_not_run(finished: tuple[Path, Path]) -> None:
    _, folder = finished
    text = (folder / "report" / "tables.md").read_text()
    table = {
        line.split(" | ")[0].removeprefix("| "): line
        for line in text.split("## ")[1].splitlines()
        if line.startswith("| ")
    }
    assert NOT_RUN in table["L, SNN, T = 50"] and "88.10 %" in table["L, SNN, T = 5"]
    assert "on digits; not at full size: 300 to train, 40 to test; 2 epochs" in table["S, ANN"]
    assert "not compared" in table["S, ANN"]
    assert "not run" in text.split("## Table 2")[1].split("## Table 3")[0]
    page = (folder / "report" / "paper.html").read_text()
    for number in (7, 8, 10, 11, 12, 13, 14, 15, 16, 17):
        assert f"Figure {number}" in page
    assert "<script" not in page and page.count("<table") == 11
    latex = (folder / "report" / "tables.tex").read_text()
    assert latex.count(r"\begin{tabular}") == 10 and "1.0736e-14" in latex and r"98.00 \%" in latex


def test_every_series_of_a_figure_has_its_own_mark_and_every_line_its_own_dash(finished: tuple[Path, Path]) -> None:
    from spikeledger.report.curves import _LOOKS
    from spikeledger.report.paper_pictures import _SERIES

    assert len({shape for _, shape, _ in _SERIES}) == len(_SERIES)
    assert len({dash for _, dash, _ in _LOOKS}) == len(_LOOKS)


def test_without_a_study_the_arithmetic_stands_alone_and_another_study_is_refused(tmp_path: Path) -> None:
    write_paper([], tmp_path / "paper")
    text = (tmp_path / "paper" / "tables.md").read_text()
    assert "1.0736e-14" in text and "cannot be rebuilt" in text and "| corrected, 12 nm | 2.76 | 21.0 |" in text
    (tmp_path / "own.py").write_text("def f(work, *, seed: int = 0):\n    return {'x': seed}\n")
    (tmp_path / "own.toml").write_text('experiment = "own.py:f"\n')
    run(tmp_path / "own.toml", tmp_path / "own")
    with pytest.raises(InputError, match=r"own\.py:f"):
        write_paper([tmp_path / "own"], tmp_path / "other")


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ('data = "digit"', "unknown data set 'digit': did you mean 'digits'"),
        ('profile = "loihhi"', "unknown profile 'loihhi': did you mean 'loihi'"),
    ],
)
def test_a_wrong_name_is_told_once_and_before_anything_is_trained(tmp_path: Path, wrong: str, sentence: str) -> None:
    (tmp_path / "small.toml").write_text(SMALL.replace('data = "digits"', wrong))
    with pytest.raises(InputError, match=sentence):
        run(tmp_path / "small.toml", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_trials_that_are_alike_are_run_once(tmp_path: Path) -> None:
    """An ANN takes one step whatever T is asked of the others, and a size without dropout has one reading."""
    (tmp_path / "small.toml").write_text(
        SMALL + '[[trials]]\nkind = ["ann", "snn"]\nreading = "literal"\ntimesteps = 3\n'
    )
    trials = read_study(tmp_path / "small.toml", {"timesteps": 4}).trials
    told = {(each.settings["kind"], each.settings["timesteps"], each.settings["reading"]) for each in trials}
    assert told == {("ann", 1, "wide"), ("snn", 4, "wide"), ("converted", 4, "wide")}
    assert len({each.key for each in trials}) == 3


def test_cifar_runs_from_its_file_on_a_small_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.default_rng(0)
    folder = tmp_path / "data" / "cifar-10" / cifar.FOLDER
    folder.mkdir(parents=True)
    for name in (*cifar.TRAIN, cifar.TEST):
        rows = draw.integers(0, 256, (10, cifar.RECORD), np.uint8)
        rows[:, 0] = np.arange(10)
        (folder / name).write_bytes(rows.tobytes())
    monkeypatch.setenv("SPIKELEDGER_DATA", str(tmp_path / "data"))
    changes = {"epochs": 1, "size": "S", "timesteps": 2, "recorded": 2, "attacked": 4, "epsilons": [[0.0, 0.1]]}
    study = read_study(ROOT / "studies" / "paper-cifar10.toml", {**changes, "recipe": "corrected"})
    assert {trial.settings["kind"] for trial in study.trials} == {"ann", "snn", "converted", "robustness"}
    run(study, tmp_path / "out")
    write_paper([tmp_path / "out"], tmp_path / "report")
    text = (tmp_path / "report" / "tables.md").read_text()
    assert "not at full size: 50 to train, 10 to test" in text.split("## Table 2")[1].split("## Table 3")[0]
    assert "Not run here" not in (tmp_path / "report" / "figure-11.svg").read_text()
    assert "Not run here" in (tmp_path / "report" / "figure-10.svg").read_text()


@pytest.mark.parametrize(("network", "side", "width"), [("mobilenet-v2", 32, 0.125), ("vgg19", 224, 0.03)])
def test_flowers_run_from_their_file_on_a_small_archive(
    network: str, side: int, width: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "data" / "flowers-102"
    (folder / "jpg").mkdir(parents=True)
    for number in range(1, 7):
        Image.new("RGB", (50, 40), (number * 40, 100, 30)).save(folder / "jpg" / f"image_{number:05d}.jpg")
    savemat(folder / "imagelabels.mat", {"labels": np.array([[1, 2, 102, 5, 5, 1]], np.uint8)})
    savemat(folder / "setid.mat", {"trnid": [[3, 1, 2, 4]], "valid": [[2]], "tstid": [[5, 6]]})
    monkeypatch.setenv("SPIKELEDGER_DATA", str(tmp_path / "data"))
    changes = {"epochs": 1, "network": network, "side": side, "width": width, "timesteps": 2, "recipe": "published",
               "recorded": 1}  # fmt: skip
    run(read_study(ROOT / "studies" / "paper-flowers102.toml", changes), tmp_path / "out")
    write_paper([tmp_path / "out"], tmp_path / "report")
    table = (tmp_path / "report" / "tables.md").read_text().split("## Table 4")[1].split("## Table 5")[0]
    line = next(each for each in table.splitlines() if each.startswith(f"| {network}, ANN"))
    assert "4 to train, 2 to test" in line and "random features" in line and f"{width:g} of its width" in line
    monkeypatch.setenv("SPIKELEDGER_DATA", str(tmp_path))
    with pytest.raises(TrialsFailed, match="was not found"):
        run(read_study(ROOT / "studies" / "paper-flowers102.toml", changes), tmp_path / "again")
