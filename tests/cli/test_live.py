"""`spikeledger live`: a page, or one sentence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]


def test_a_page_is_written(run: Run, tmp_path: Path) -> None:
    found = run("live", "--out", tmp_path / "live.html")
    assert found.code == 0
    assert "of 360 test samples right" in found.out
    assert (tmp_path / "live.html").read_text("utf-8").startswith("<!DOCTYPE html>")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--ann", "x"), "--ann was given alone"),
        (("--comparison", "x", "--data", "digits"), "brings its own data"),
        (("--comparison", "nowhere"), "is no comparison"),
        (("--data", "minst"), "did you mean 'mnist'"),
        (("--out", "."), "is a folder"),
        (("--profiles", "nowhere.toml"), "nowhere.toml"),
    ],
)
def test_what_cannot_be_is_one_sentence(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    found = run("live", *arguments)
    assert (found.code, found.out) == (2, "")
    assert says in found.err
    assert not list(tmp_path.iterdir())
