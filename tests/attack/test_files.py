"""Damaged files of every kind end in an answer or one sentence: a few here, the many with `make test-all`.

`SPIKELEDGER_ATTACK=1000000 python -m pytest -m slow tests/attack/test_files.py` reads as many as one has time for.
"""

from __future__ import annotations

import os
import sys

import pytest

from attack.files import attack
from attack.loaders import LOADERS

#: of all loaders together
FEW, MANY = 1500, int(os.environ.get("SPIKELEDGER_ATTACK", 50_000))
SHARES = sum(loader.share for loader in LOADERS.values())

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks Linux for time and memory")


def assert_nothing_escapes(name: str, files: int, first: int = 0) -> None:
    found = attack(name, -(-files * LOADERS[name].share // SHARES), first)
    if not found.files:
        pytest.skip(f"{LOADERS[name].needs} is not installed")
    assert not found.escaped, str(found)


@pytest.mark.parametrize("name", LOADERS)
def test_a_few_damaged_files_are_refused_or_read(name: str) -> None:
    assert_nothing_escapes(name, FEW)


@pytest.mark.slow
@pytest.mark.parametrize("name", LOADERS)
def test_many_damaged_files_are_refused_or_read(name: str) -> None:
    assert_nothing_escapes(name, MANY, FEW)
