"""The course's tutorial is a notebook that opens and runs, and a page of the book."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from repository import ROOT
from spikeledger.chip import machine

nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed")
TUTORIAL = ROOT / "docs" / "tutorials" / "neuro4ml.py"


def percent() -> ModuleType:
    spec = importlib.util.spec_from_file_location("percent", ROOT / "docs" / "percent.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def notebook() -> Any:
    made = percent().read(TUTORIAL.read_text(encoding="utf-8"))
    nbformat.validate(made)
    return made


def test_every_cell_of_the_tutorial_is_in_the_notebook() -> None:
    cells = notebook().cells
    text = TUTORIAL.read_text(encoding="utf-8")
    assert len(cells) == text.count("# %%") and cells[0].source.startswith("# A chip of 1,024 neurons")
    assert not any(word in cell.source for cell in cells for word in ("ruff", "fmt: skip", "# %%"))
    code = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
    compile(code, "notebook", "exec")
    prose = [cell.source for cell in cells if cell.cell_type == "markdown"]
    assert all(not line.startswith("#  ") for cell in prose for line in cell.splitlines())


def test_the_notebook_is_written_and_the_same_each_time(tmp_path: Path) -> None:
    paths = [tmp_path / "one.ipynb", tmp_path / "more" / "two.ipynb"]
    for path in paths:
        subprocess.run(
            [sys.executable, str(ROOT / "docs" / "percent.py"), str(TUTORIAL), str(path)],
            check=True,
            capture_output=True,
        )
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert nbformat.read(paths[0], as_version=4).cells


def test_the_tutorial_is_a_page() -> None:
    assert "tutorials/neuro4ml" in (ROOT / "docs" / "index.md").read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.skipif(machine.native is None, reason="the native core was not built")
@pytest.mark.filterwarnings("ignore")  # of the notebook's machinery
def test_the_notebook_runs_and_shows_its_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed")
    pytest.importorskip("ipykernel", reason="ipykernel is not installed")
    monkeypatch.setenv("NEURO4ML_EPOCHS", "1")
    monkeypatch.setenv("NEURO4ML_SAMPLES", "10")
    made = notebook()
    nbclient.NotebookClient(made, timeout=120, kernel_name="python3").execute()
    outputs = [output for cell in made.cells if cell.cell_type == "code" for output in cell.outputs]
    assert any("Too many neurons: 1034 (max: 1024)" in output.get("text", "") for output in outputs)
    pictures = [kind for output in outputs for kind in output.get("data", {}) if kind.startswith("image/")]
    assert pictures
