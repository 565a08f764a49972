"""What can be looked at: a result shows, plots and draws itself, and the room `report` knows how.

The one arrow upwards, taken when somebody looks and not before: results below hold values, `rows()` and `to_dict()`, and
`report.present` has a row for each of them.
"""

from __future__ import annotations

import importlib
from typing import Any

_PRESENTER = "spikeledger.report.present"


class Shown:
    """A result that people look at."""

    __slots__ = ()

    def show(self) -> None:
        """Print it as a table."""
        importlib.import_module(_PRESENTER).show(self)

    def plot(self, **options: Any) -> Any:
        """Draw it: a picture that shows itself in a notebook and is kept with `.save(path)`."""
        return importlib.import_module(_PRESENTER).plot(self, **options)

    def _repr_html_(self) -> str:
        text: str = importlib.import_module(_PRESENTER).html(self)
        return text
