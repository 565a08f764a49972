"""Studies of the functions in the experiment that tests of trials share."""

from __future__ import annotations

from pathlib import Path


def of(study: Path, function: str, settings: str = "seed = [0, 1, 2]") -> Path:
    """A study of another function of the same file."""
    file = study.with_name(f"{function}.toml")
    file.write_text(f'experiment = "own.py:{function}"\n[settings]\n{settings}\n')
    return file
