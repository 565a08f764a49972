"""A small experiment in a file of its own, and a study of it."""

from __future__ import annotations

from pathlib import Path

import pytest

EXPERIMENT = '''
import os, time
from spikeledger.errors import InputError
from spikeledger.trials import experiment

def begins(settings):
    return None if settings["step"] == 0 else {**settings, "step": settings["step"] - 1}

@experiment(start=begins)
def chain(work, *, seed: int = 0, step: int = 0, width: float = 1.0, names: str = ""):
    """Each step adds its seed to what the step before it kept."""
    before = int((work.start / "sum" / "n.txt").read_text()) if step else 0
    (work.keep / "sum").mkdir()
    (work.keep / "sum" / "n.txt").write_text(str(before + seed))
    return {"sum": before + seed, "wide": {"twice": 2 * width}}

def fails(work, *, seed: int = 0, how: str = "sentence"):
    if seed == 1:
        if how == "sentence":
            raise InputError("a seed of 1 brings bad luck: take another")
        if how == "bug":
            return {"x": 1 / 0}
        if how == "nan":
            return {"x": float("nan")}
        if how == "list":
            return [1]
        if how == "exit":
            raise SystemExit(3)
        if how == "deep":
            return {"x": __import__("functools").reduce(lambda inner, _: [inner], range(10_000), 1)}
        if how == "half":
            raise ValueError("\\ud800\\nsecond line")
        os.kill(os.getpid(), 9)
    return {"seed": seed}

def resumes(work, *, seed: int = 0):
    """Dies twice, and goes on each time from what is in its own folder."""
    done = work.folder / "done.txt"
    steps = int(done.read_text()) if done.exists() else 0
    done.write_text(str(steps + 1))
    if steps < 2:
        os.kill(os.getpid(), 9)
    return {"steps": steps + 1}

def threads(work, *, seed: int = 0):
    import torch
    return {"threads": torch.get_num_threads()}
'''


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """Three seeds of three steps each, every step beginning with the one before."""
    (tmp_path / "own.py").write_text(EXPERIMENT)
    file = tmp_path / "study.toml"
    file.write_text('experiment = "own.py:chain"\n[settings]\nseed = [1, 2, 3]\nstep = 2\n')
    return file
