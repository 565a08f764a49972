"""Trials and studies: settings in, result out, run once, kept, on one machine or on many.

`read_study(file)` says what is to be run, `run(file, folder)` runs what is missing, and `Store(folder).rows` are the
results. An experiment is a plain function of plain settings: `@experiment`.
"""

from __future__ import annotations

from .experiments import Work, experiment
from .runner import News, Stopped, TrialsFailed, open_runner, run
from .store import Row, Store
from .study import Study, read_study
from .trial import Trial

__all__ = [
    "News", "Row", "Stopped", "Store", "Study", "Trial", "TrialsFailed", "Work", "experiment", "open_runner",
    "read_study", "run",
]  # fmt: skip
