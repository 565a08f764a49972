"""Chapters of the book have their parts, are pages, and run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from repository import ROOT, name

CHAPTERS = sorted((ROOT / "docs" / "book").glob("*.py"))


@pytest.mark.parametrize("page", CHAPTERS, ids=name)
def test_a_chapter_has_its_parts(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for part in (
        "# **The question.**",
        "# ## Where it stands in the code",
        "# ## What to try",
        "# **Sources.**",
        "plt.",
    ):
        assert part in text, f"{name(page)} lacks '{part}'"
    assert page.stem in (page.parent / "index.md").read_text(encoding="utf-8").splitlines()
    for used in set(re.findall(r"\bsl\.(\w+)", text)):
        import spikeledger as sl

        assert hasattr(sl, used)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of drawing without a screen
@pytest.mark.parametrize("page", CHAPTERS, ids=name)
def test_a_chapter_runs(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plots = pytest.importorskip("matplotlib.pyplot", reason="matplotlib is not installed")
    plots.switch_backend("Agg")
    drawn: list[bytes] = []

    def show() -> None:
        canvas = plots.gcf().canvas
        canvas.draw()
        drawn.append(bytes(canvas.buffer_rgba()))

    monkeypatch.setattr(plots, "show", show)
    exec(compile(page.read_text(encoding="utf-8"), str(page), "exec"), {"__name__": "__main__"})
    plots.close("all")
    assert drawn and all(len(set(picture)) > 10 for picture in drawn)
