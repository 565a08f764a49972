"""Kernels are chosen by fixed prices unless a user calibrates: the same seed gives the same figures everywhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from spikeledger.cli.app import main
from spikeledger.kernels import costs
from spikeledger.kernels.choice import native

pytestmark = pytest.mark.skipif(native() is None, reason="the native core is not built")


def test_nothing_is_measured_by_itself_and_what_is_remembered_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    costs.measured.cache_clear()
    try:
        assert costs.measured() == costs.PRICES
        assert list(tmp_path.iterdir()) == []
        monkeypatch.setattr(costs, "calibrate", lambda: (2.0, 0.5))
        kept = costs.remember()
        costs.measured.cache_clear()
        assert costs.measured().lookups == 2 * costs.PRICES.lookups
        assert costs.measured().event == 0.5 * costs.PRICES.event
        kept.write_text("{", encoding="utf-8")
        costs.measured.cache_clear()
        assert costs.measured() == costs.PRICES
    finally:
        costs.measured.cache_clear()


def test_a_command_calibrates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(costs, "calibrate", lambda: (1.0, 1.0))
    assert main(["calibrate"]) == 0
    (kept,) = tmp_path.rglob("*.json")
    assert str(kept) in capsys.readouterr().out
