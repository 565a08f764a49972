"""The package as a user gets it: built where there is no compiler, holding what it needs and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from repository import PACKAGE, files


@pytest.mark.slow  # builds in an environment of its own, with requirements from the registry
def test_a_wheel_needs_no_compiler(tmp_path: Path) -> None:
    bare = {k: v for k, v in os.environ.items() if k not in {"CC", "CXX", "CMAKE_GENERATOR", "CMAKE_ARGS"}}
    (tmp_path / "empty").mkdir()
    build = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(tmp_path), str(PACKAGE.parent.parent)]
    built = subprocess.run(build, env={**bare, "PATH": str(tmp_path / "empty")}, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("*.whl")

    with zipfile.ZipFile(wheel) as archive:
        held = set(archive.namelist())
        (record,) = [held_name for held_name in held if held_name.endswith("METADATA")]
        metadata = archive.read(record).decode()
    expected = {path.relative_to(PACKAGE.parent).as_posix() for path in files() if path.is_relative_to(PACKAGE)}
    assert {name for name in held if ".dist-info/" not in name} == expected
    assert "spikeledger/py.typed" in held
    assert "Requires-Dist: torch>=" in metadata
    assert "torch==" not in metadata
