"""Commands are killed at random moments and lose nothing: a few times here, the many with `make test-all`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="forks")


def kill(times: int) -> None:
    """In a process of its own, which has no thread yet when it forks."""
    script = Path(__file__).with_name("kills.py")
    ran = subprocess.run(
        [sys.executable, str(script), "--kills", str(times)], capture_output=True, text=True, env={
            **os.environ, "PYTHONPATH": os.pathsep.join([str(script.parent.parent), *sys.path[1:]]),
        },
    )  # fmt: skip
    told = [json.loads(line) for line in ran.stdout.splitlines()]
    assert len(told) == 3, ran.stderr[-2000:]
    for each in told:
        assert not each["wrong"] and not each["lost"], each
        assert each["kills"] >= 1
    assert ran.returncode == 0


def test_a_few_kills_lose_nothing() -> None:
    kill(3)


@pytest.mark.slow
def test_many_kills_lose_nothing() -> None:
    kill(int(os.environ.get("SPIKELEDGER_KILLS", 300)))
