"""Every public name has an example that runs, and a page with its docstring; events, profiles and chips have their rows."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import spikeledger as sl
from repository import ROOT
from spikeledger.chip.device import list_devices
from spikeledger.events import EVENTS

EXAMPLES = ROOT / "docs" / "reference" / "examples.py"


@pytest.fixture(scope="module")
def names() -> ModuleType:
    spec = importlib.util.spec_from_file_location("names", ROOT / "docs" / "names.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_name_has_an_example_and_no_example_is_of_a_stranger(names: ModuleType) -> None:
    cells = names.examples(EXAMPLES)
    doors = [(group, name) for group in sl._GROUPS for name in getattr(sl, group).__all__ if name not in sl.__all__]
    inside = {f"sl.{group}.{name}" for group, name in doors}
    groups = {f"sl.{group}" for group, _ in doors}
    top = {f"sl.{name}" for name in sl.__all__ if not name.startswith("_")}
    assert set(cells) - {"first"} == (top - groups) | inside
    for name, cell in cells.items():
        assert name in cell or "loaded" in cell or name == "first", f"{name} is not in its example"


def test_the_examples_run(tmp_path: Path) -> None:
    """In a process of their own, since they teach rules and neurons for good."""
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", str(EXAMPLES)], cwd=tmp_path, env={**os.environ, "MPLBACKEND": "Agg"},
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr[-2000:]


def test_a_page_says_what_the_docstring_says(names: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "names").mkdir()
    (tmp_path / "names" / "Measured.md").write_text("a name that left")
    names.write(tmp_path / "names", names.examples(EXAMPLES))
    written = {path.stem for path in (tmp_path / "names").glob("*.md")}
    assert written == {"index", *names.public()}
    assert ".. autoclass:: spikeledger.neurons.LIF" in (tmp_path / "names" / "neurons.md").read_text(encoding="utf-8")
    assert ".. autofunction:: spikeledger.nef.solve" in (tmp_path / "names" / "nef.md").read_text(encoding="utf-8")
    for name in names.public():
        assert (getattr(sl, name).__doc__ or "").strip(), f"sl.{name} says nothing of itself"


def test_events_profiles_and_chips_have_their_rows() -> None:
    glossary = (ROOT / "docs" / "reference" / "glossary.md").read_text(encoding="utf-8")
    catalogue = (ROOT / "docs" / "reference" / "profiles-catalogue.md").read_text(encoding="utf-8")
    viability = (ROOT / "docs" / "reference" / "viability.md").read_text(encoding="utf-8")
    assert not [event for event in EVENTS if f"`{event}`" not in glossary]
    assert not [profile for profile in sl.list_profiles() if f"## `{profile}`" not in catalogue]
    assert not [chip for chip in list_devices() if f"`{chip}`" not in viability]
