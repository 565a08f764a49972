"""Chapters of the book have their parts, are pages, and run."""

from __future__ import annotations

import importlib.util
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


def test_chapters_are_numbered_from_0_to_30_in_the_order_of_the_index() -> None:
    folder = ROOT / "docs" / "book"
    listed = [
        line
        for line in (folder / "index.md").read_text(encoding="utf-8").splitlines()
        if (folder / f"{line}.py").exists()
    ]
    titles = [
        re.search(r"^# # (\d+) ", (folder / f"{one}.py").read_text(encoding="utf-8"), re.MULTILINE) for one in listed
    ]
    assert [int(found[1]) for found in titles if found] == list(range(31))
    assert sorted(listed) == [page.stem for page in CHAPTERS]


def test_a_notebook_leaves_out_what_only_a_page_can_show(tmp_path: Path) -> None:
    nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed")
    spec = importlib.util.spec_from_file_location("percent", ROOT / "docs" / "percent.py")
    assert spec and spec.loader
    percent = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(percent)
    for page in CHAPTERS:
        percent.write(page, tmp_path / "one.ipynb")
        made = nbformat.read(tmp_path / "one.ipynb", as_version=4)
        nbformat.validate(made)
        words = "\n".join(cell.source for cell in made.cells if cell.cell_type == "markdown")
        assert "```{" not in words and words.startswith("# ") and all(cell.source for cell in made.cells)


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
