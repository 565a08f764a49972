"""The exercise's study file and its notebook run, on a small data set, to the end."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from repository import ROOT
from spikeledger.chip import machine
from spikeledger.trials import run

STUDY = ROOT / "studies" / "neuro4ml.toml"
SMALL = {"samples": 20, "classes": 3, "dimensions": 1, "epochs": 2}
needs_native = pytest.mark.skipif(machine.native is None, reason="the native core was not built")


@needs_native
def test_the_study_runs_alike_for_alike_seeds(tmp_path: Path) -> None:
    (first,), (second,) = (run(STUDY, tmp_path / name, changes=SMALL) for name in "ab")
    assert first.values == second.values and first.key == second.key
    assert set(first.values["scores"]) == {"batch", "sample", "fan_out"} and len(first.values["epochs"]) == 2


@needs_native
def test_the_notebook_runs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("NEURO4ML_EPOCHS", "1")
    monkeypatch.setenv("NEURO4ML_SAMPLES", "10")
    runpy.run_path(str(ROOT / "docs" / "tutorials" / "neuro4ml.py"))
    out = capsys.readouterr().out
    assert "Too many neurons: 1034 (max: 1024)" in out and "Too many synapses: 70656 (max: 65536)" in out
