"""The study of energy budgets: the same path on few digits, and, marked slow, what it must show on MNIST."""

from __future__ import annotations

import json
import os
import runpy
import sys
from pathlib import Path

import pytest

import spikeledger as sl
from spikeledger.datasets.catalog import load_dataset
from spikeledger.errors import FileFormatError, InputError
from spikeledger.study.energy_budget import Trained, read_study, reversals, run_study

STUDY = Path(__file__).parents[2] / "studies" / "energy_budget.toml"
DEVICES = ("seneca-22nm", "horowitz-45nm")
DIGITS = load_dataset("digits").subset(train=1200, test=200, seed=0)
CHANGES = {"training": {"epochs": 10, "budget_epochs": 10}, "budgets": {"shares": [0.3]}}


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Trained]]:
    """Two encoders, two devices and a budget on the digits of scikit-learn."""
    folder = tmp_path_factory.mktemp("study")
    return folder, run_study(STUDY, folder, data=DIGITS, **CHANGES)


def test_every_network_is_there_and_budgets_are_kept(few: tuple[Path, list[Trained]]) -> None:
    _, rows = few
    assert len({row.name for row in rows}) == len(rows) == 2 * (2 + 2)
    for row in rows:
        assert row.accuracy > 0.7, row
        assert set(row.joules) == set(DEVICES)
        if row.budget is not None:
            assert row.joules[row.profile] == pytest.approx(row.budget, rel=0.05), row
    before = {row.encoder: row for row in rows if row.stage == "before"}
    for row in rows:
        if row.stage == "budget" and row.encoder == "rate":
            assert row.synops < 0.6 * before["rate"].synops
        if row.stage == "budget" and row.profile == "horowitz-45nm" and row.encoder == "direct":
            assert row.macs > 0.9 * before["direct"].macs  # it multiplies zeros too: there is nothing to save there


def test_the_devices_prefer_different_networks(few: tuple[Path, list[Trained]]) -> None:
    _, rows = few
    turned, pairs = reversals(rows, *DEVICES)
    assert pairs == len(rows) * (len(rows) - 1) // 2
    assert turned > 0
    assert reversals(rows, DEVICES[0], DEVICES[0])[0] == 0


def test_what_is_done_is_not_done_again(few: tuple[Path, list[Trained]]) -> None:
    folder, rows = few
    trained: list[Trained] = []
    again = run_study(STUDY, folder, data=DIGITS, progress=trained.append, **CHANGES)
    assert again == rows and not trained
    (folder / f"{rows[0].name}.json").write_text("{}")
    with pytest.raises(FileFormatError, match="remove it"):
        run_study(STUDY, folder, data=DIGITS, **CHANGES)


def test_the_command_writes_a_table_and_a_picture(
    few: tuple[Path, list[Trained]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = runpy.run_path(str(STUDY.with_suffix(".py")))
    script["draw"](few[1], list(DEVICES), tmp_path / "picture.png")
    assert (tmp_path / "picture.png").read_bytes()[:4] == b"\x89PNG"
    assert "SynOps" in script["line"](few[1][0])
    monkeypatch.setattr(sys, "argv", ["energy_budget.py", "--study", str(tmp_path / "none.toml")])
    with pytest.raises(FileFormatError):
        script["main"]()


def test_settings_are_checked() -> None:
    assert read_study(STUDY)["network"]["timesteps"] == 5
    with pytest.raises(InputError, match="section of a study"):
        read_study(STUDY, trainig={})
    with pytest.raises(InputError, match=r"setting of \[training\]"):
        read_study(STUDY, training={"epoch": 1})
    with pytest.raises(InputError, match="shares above 0 and below 1"):
        read_study(STUDY, budgets={"shares": [2]})


@pytest.mark.slow
@pytest.mark.skipif("SPIKELEDGER_DATA" not in os.environ, reason="needs MNIST in SPIKELEDGER_DATA")
def test_what_it_must_show_on_mnist(tmp_path: Path) -> None:
    """Direct: 10 times fewer SynOps for 0.3 points; rate: 4 times fewer for 0.5."""
    for encoder, device, share, fewer, points in (
        ("direct", "horowitz-45nm", 0.1, 10, 0.3), ("rate", "seneca-22nm", 0.25, 4, 0.5),
    ):  # fmt: skip
        rows = run_study(
            STUDY, tmp_path, network={"encoders": [encoder]}, budgets={"profiles": [device], "shares": [share]}
        )
        before, after, budget = rows
        assert before.stage == "before" and after.stage == "after"
        assert budget.synops < max(before.synops, after.synops) / fewer
        assert budget.accuracy > max(before.accuracy, after.accuracy) - points / 100, json.dumps(
            [str(row) for row in rows]
        )
        assert isinstance(sl.load_network(tmp_path / f"{encoder}-0"), sl.SpikingNetwork)
