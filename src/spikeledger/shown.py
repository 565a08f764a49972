"""What can be looked at: a result shows, plots and draws itself, and the room `report` knows how.

The one arrow upwards, taken when somebody looks and not before: results below hold values, `rows()` and `to_dict()`, and
`report.present` has a row for each of them.
"""

from __future__ import annotations

import difflib
import importlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .arguments import checked
from .errors import CallError, UnknownAttribute, of_kind

_PRESENTER = "spikeledger.report.present"
_PAGES = "spikeledger.report.result_page"

_OTHERWISE = {"summary": "show", "print": "show", "df": "to_dataframe", "as_dict": "to_dict", "figure": "plot"}


def _names(kind: type) -> list[str]:
    """What people may ask of one."""
    return [one for one in dir(kind) if not one.startswith("_")]


class Showing:
    """What shows itself."""

    __slots__ = ()

    def show(self) -> None:
        """Print it as a table."""
        importlib.import_module(_PRESENTER).show(self)

    def plot(self, *which: Any, **options: Any) -> Any:
        """Draw it: a picture that shows itself in a notebook and is kept with `.save(path)`; which one, where it has several."""
        return importlib.import_module(_PRESENTER).plot(self, *which, **options)

    @checked
    def report(self, path: str | os.PathLike[str] = "report.html") -> Path:
        """Write its page: one file with pictures, tables and sources, for any browser."""
        written: Path = importlib.import_module(_PAGES).write(self, path)
        return written

    def _repr_html_(self) -> str:
        text: str = importlib.import_module(_PRESENTER).html(self)
        return text


class Shown(Showing):
    """A result that people look at: no number and no list, but with values that are."""

    __slots__ = ()

    if not TYPE_CHECKING:

        def _refuse(self, *_: Any) -> Any:
            raise CallError(
                f"{of_kind(self)} is no number and no list, so that it cannot be calculated with, ordered, indexed or "
                f"counted: take what it has, {', '.join(_names(type(self)))}"
            )

        __lt__ = __le__ = __gt__ = __ge__ = _refuse
        __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = __pow__ = _refuse
        __neg__ = __abs__ = __float__ = __int__ = __round__ = _refuse
        __getitem__ = __iter__ = __len__ = __contains__ = _refuse

        def __bool__(self) -> bool:
            return True

        def __getattr__(self, name: str) -> Any:
            """Asked for what there is none of: the nearest names that there are."""
            if name.startswith("_"):
                raise AttributeError(name)
            known = _names(type(self))
            near = difflib.get_close_matches(_OTHERWISE.get(name, name), known, n=1, cutoff=0.5)
            hint = f"did you mean .{near[0]}?" if near else f"it has {', '.join(known)}"
            raise UnknownAttribute(f"{type(self).__name__} has no '{name}': {hint}")
