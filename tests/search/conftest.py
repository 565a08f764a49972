"""A search over a formula: its front is known."""

from __future__ import annotations

from pathlib import Path

import pytest

FORMULA = '''
import time
from spikeledger.errors import InputError

def formula(work, *, x: float = 0.5, y: float = 0.5, kind: str = "a", width: int = 4, epochs: int = 1,
            seed: int = 0, sleep: float = 0.0):
    """Accuracy x; joules fall with (y - 0.5)^2 and with 1 - x: the front is y = 0.5, kind a."""
    time.sleep(sleep)
    if kind == "bad":
        raise InputError("this kind does not work")
    noise = 0.001 * ((seed * 7919) % 13)
    done = work.start / "epochs"
    epochs += int(done.read_text()) if done.exists() else 0
    (work.keep / "epochs").write_text(str(epochs))
    return {"accuracy": x * (1 - 0.5 / epochs) + noise, "epochs": epochs,
            "joules": {"loihi": 1e-6 * (0.1 + x * x + 4 * (y - 0.5) ** 2 + (kind == "b")) * width}}
'''


@pytest.fixture
def search(tmp_path: Path) -> Path:
    """A file that searches it."""
    (tmp_path / "own.py").write_text(FORMULA)
    file = tmp_path / "search.toml"
    file.write_text(
        """
title = "a formula"
experiment = "own.py:formula"
[settings]
sleep = 0.0
[space]
x = { low = 0.0, high = 1.0 }
y = { low = 0.0, high = 1.0 }
kind = ["a", "b"]
width = { low = 4, high = 64, log = true }
[search]
maximise = ["accuracy"]
minimise = ["joules.loihi"]
sampler = "nsga2"
trials = 32
round = 8
confirm = 2
"""
    )
    return file
