"""Which events are charged: a bill turns an activity into lines, and the profile prices each line.

`BILLS` holds every bill by name: `ops-only` (the convention: AC and MAC, nothing else), `memory` (after Lemaire et
al. 2022), `full` (all that happened, by the machine's dataflow), `system` (with the host), and the arithmetic of
published documents, flaws included, that `published` keeps.
"""

from __future__ import annotations

from collections.abc import Callable

from ..activity import Activity
from ..hardware.profile import HardwareProfile
from .dataflow import DATAFLOWS, settled
from .lines import Line, operations
from .memory import memory
from .published import conference_paper, conference_paper_corrected, exercise, notebook, tutorial
from .whole import full, system

Bill = Callable[[Activity, HardwareProfile], list[Line]]

BILLS: dict[str, Bill] = {
    "ops-only": operations,
    "memory": memory,
    "full": full,
    "system": system,
    "published-notebook-000": notebook,
    "published-exercise-001": exercise,
    "published-paper-002": conference_paper,
    "corrected-paper-002": conference_paper_corrected,
    "published-tutorial-003": tutorial,
}
#: the bills that ask how a machine walks through a layer
BY_DATAFLOW = ("full", "system")

__all__ = ["BILLS", "BY_DATAFLOW", "DATAFLOWS", "Bill", "Line", "settled"]
