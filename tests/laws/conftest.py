"""Tests that wait for the counter's new room: each must fail today, and this file goes when none is left."""

from __future__ import annotations

from pathlib import Path

import pytest

#: names of tests, one a line
PENDING = set(Path(__file__).with_name("pending.txt").read_text(encoding="utf-8").split("\n"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if f"{item.path.name}::{item.name}" in PENDING:
            item.add_marker(pytest.mark.xfail(strict=True, reason="waits for the counter that follows storage"))
