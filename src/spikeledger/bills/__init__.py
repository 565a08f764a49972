"""Which events are charged: a bill turns an activity into lines, and the profile prices each line.

`BILLS` holds every bill by name: `ops-only` (the convention: AC and MAC, nothing else), `full` (all that happened), and
the arithmetic of published documents, flaws included, that `published` keeps.
"""

from __future__ import annotations

from collections.abc import Callable

from ..activity import Activity
from ..hardware.profile import HardwareProfile
from .lines import Line, full, operations
from .published import conference_paper, notebook

Bill = Callable[[Activity, HardwareProfile], list[Line]]

BILLS: dict[str, Bill] = {
    "ops-only": operations,
    "full": full,
    "published-paper-002": conference_paper,
    "published-notebook-000": notebook,
}

__all__ = ["BILLS", "Bill", "Line"]
