"""The outlook: what brains, training runs and answers need, what that follows, and where published numbers clash.

`tables()` are the tables as published and computed again, `fit()` a power law with its intervals, `project()` a further run
with its band, `check()` the contradictions of the notebook "The Cost of 1 Million Brains". Every number has its kind,
scope and source; nothing is downloaded.
"""

from __future__ import annotations

from typing import Any

from .contradictions import Contradiction, check
from .power_laws import SELECTIONS, Fit, fit, fits, select
from .projections import Projection, project
from .published_tables import Sheet, tables
from .records import LICENCES, brain, epoch, grids, queries, training

__all__ = [
    "Contradiction", "Fit", "LICENCES", "Projection", "SELECTIONS", "Sheet", "brain", "check", "epoch", "fit", "fits",
    "grids", "project", "queries", "select", "tables", "to_dict", "training",
]  # fmt: skip

SCHEMA = "spikeledger-outlook/1"


def to_dict() -> dict[str, Any]:
    """The whole outlook as plain values: sources, fits, tables, contradictions and licences."""
    return {
        "schema": SCHEMA,
        "brain": brain().model_dump(mode="json"),
        "training": [{**run.model_dump(mode="json"), "joules": run.joules} for run in training().run],
        "epoch": [{**run.model_dump(mode="json"), "joules": run.joules} for run in epoch().run],
        "queries": queries().model_dump(mode="json"),
        "grids": grids().model_dump(mode="json"),
        "fits": [one.to_dict() for one in fits()],
        "tables": {name: sheet.to_dict() for name, sheet in tables().items()},
        "contradictions": [one.to_dict() for one in check()],
        "licences": list(LICENCES),
    }
