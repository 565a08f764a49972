"""The repository as tests see it: its root, its files, its pages."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "spikeledger"

_BUILT = {".venv", ".git", "_build", "build", "dist", "out", "runs", "comparison", "node_modules", "__pycache__"}


@cache
def files() -> tuple[Path, ...]:
    """Every file that git tracks or would; outside a checkout, every file that was not built."""
    git = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(git, capture_output=True, check=True, text=True).stdout.split("\0")
        found = [ROOT / name for name in listed if name]
    except (OSError, subprocess.CalledProcessError):
        found = [path for path in ROOT.rglob("*") if not _BUILT.intersection(path.relative_to(ROOT).parts)]
    return tuple(sorted(path for path in found if path.is_file()))


def modules() -> list[Path]:
    """Every Python file of the package."""
    return [path for path in files() if path.is_relative_to(PACKAGE) and path.suffix == ".py"]


def pages() -> list[Path]:
    """Every Markdown page."""
    return [path for path in files() if path.suffix == ".md"]


def name(path: Path) -> str:
    """A path as people write it, from the root."""
    return path.relative_to(ROOT).as_posix()
