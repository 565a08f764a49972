"""The exercise's study file and its notebook run, on a small data set, to the end."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from repository import ROOT
from spikeledger.chip import machine
from spikeledger.errors import FileFormatError, InputError
from spikeledger.study.neuro4ml import run_study

STUDY = ROOT / "studies" / "neuro4ml.toml"
SMALL = {"data": {"samples": 20, "classes": 3, "dimensions": 1}, "training": {"epochs": 2}}
needs_native = pytest.mark.skipif(machine.native is None, reason="the native core was not built")


@needs_native
def test_the_study_runs_alike_for_alike_seeds() -> None:
    first, second = run_study(STUDY, **SMALL), run_study(STUDY, **SMALL)
    assert [e.accuracy for e in first.history] == [e.accuracy for e in second.history]
    assert first.scores == second.scores and set(first.scores) == {"batch", "sample", "fan_out"}
    assert len(first.to_dict()["epochs"]) == 2


def test_a_study_with_a_slip_is_told_of_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="did you mean 'epochs'"):
        run_study(STUDY, training={"epoch": 3})
    with pytest.raises(InputError, match="must be a number"):
        run_study(STUDY, data={"seed": "42"})
    with pytest.raises(FileFormatError):
        run_study(tmp_path / "missing.toml")


@needs_native
def test_the_notebook_runs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("NEURO4ML_EPOCHS", "1")
    monkeypatch.setenv("NEURO4ML_SAMPLES", "10")
    runpy.run_path(str(ROOT / "docs" / "tutorials" / "neuro4ml.py"))
    out = capsys.readouterr().out
    assert "Too many neurons: 1034 (max: 1024)" in out and "Too many synapses: 70656 (max: 65536)" in out
