"""Chips for tests, from the tables of a file."""

from __future__ import annotations

from typing import Any

from spikeledger.chip.device import Device, load_device
from spikeledger.hardware.catalog import profile_of

CITED = {"source": "made for a test"}


def chip_of(table: dict[str, Any]) -> Device:
    """A chip of these tables."""
    return load_device(profile_of(table, "a test"))
