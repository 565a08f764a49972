"""A comparison as its file tells it, from `Comparison.load`: verdicts, tables, pictures, ledgers; files of 0.1 too.

The file has the numbers of a comparison and not the runs behind them. Where it lies in the folder that `spikeledger
compare` wrote, both activities lie beside it, and can be priced anew.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ..activity import Activity
from ..amounts import Amount
from ..arguments import checked
from ..errors import FileFormatError, InputError, unknown_name
from ..ledger import Ledger
from ..reading import LARGEST_JSON, Kind, is_folder, read_json
from ..shown import Shown
from ..writing import write_json
from . import summary
from .joint import Interval
from .matches import BreakEven, Cost, Match, View
from .verdicts import Standing, Verdict, Winner, Worth

if TYPE_CHECKING:
    import pandas

#: version of the dictionaries that `Comparison.to_dict` gives
SCHEMA = "spikeledger-comparison/1"
#: what a wrong or hostile dictionary makes the code that reads it raise
WRONG = (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError)


class Verdicts(Shown):
    """What a comparison and a saved one have in common: verdicts by device, as tables and as a file."""

    matches: tuple[Match, ...]

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values, with a versioned schema."""
        raise NotImplementedError

    @checked
    def match(self, name: str) -> Match:
        """One row by the profile's name, or `ann_profile:snn_profile`."""
        for one in self.matches:
            if one.name == name:
                return one
        raise unknown_name("profile of this comparison", name, [one.name for one in self.matches])

    @checked
    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write `to_dict()` as JSON, which `load` reads and `spikeledger show` displays."""
        return write_json(Path(path), self.to_dict())

    def to_dataframe(self) -> pandas.DataFrame:
        """One row a verdict: devices, joules a sample of both sides, their ratio, and what is said of it."""
        import pandas

        return pandas.DataFrame(list(self.rows()), columns=list(summary.HEADINGS))

    def rows(self) -> Iterator[tuple[str, ...]]:
        """Devices, joules per sample of ANN and SNN, ANN / SNN and verdict, as people read them."""
        return summary.rows(self.to_dict())

    def to_latex(self) -> str:
        """The verdicts as a LaTeX table."""
        return summary.to_latex(self.to_dict())


@dataclass(frozen=True, eq=False)
class SavedComparison(Verdicts):
    """A comparison that was read from a file; its amounts have their ranges, and no longer the prices behind them.

    Attributes:
        told: what the file says, as `Comparison.to_dict` gave it.
        matches: a row a device, without ledgers: those are `ledger(name, side)`.
        folder: where the file lies.
    """

    told: Mapping[str, Any]
    matches: tuple[Match, ...]
    folder: Path

    @property
    def data(self) -> str:
        """Name of the data set."""
        return str(self.told["data"])

    @property
    def samples(self) -> int:
        """How many samples both networks answered."""
        return int(self.told["samples"])

    def to_dict(self) -> dict[str, Any]:
        """What the file says."""
        return dict(self.told)

    def ledger(self, name: str, side: Literal["ann", "snn"]) -> Ledger:
        """What one side cost on a device of this comparison.

        Raises:
            InputError: no such device or side, or one without a price.
            ProfileError: the device's profile is not there any more.
        """
        _check_side(side)
        self.match(name)
        cost = next(one for one in self.told["matches"] if one["name"] == name)[side]
        if cost["ledger"] is None:
            raise InputError(f"the {side.upper()} has no ledger on '{name}': {cost['reason']}")
        return Ledger.from_dict(cost["ledger"])

    def activity(self, side: Literal["ann", "snn"]) -> Activity:
        """What one network did, from the file beside this one: price it on another device with `sl.price`.

        Raises:
            FileFormatError: there is no such file, or it is not whole.
        """
        _check_side(side)
        return Activity.load(self.folder / f"{side}-activity.npz")

    def __repr__(self) -> str:
        says = " ".join(summary.says(self.told))
        return f"SavedComparison({self.data}, {self.samples:,} samples; {says})"


def load(path: str | os.PathLike[str]) -> SavedComparison:
    """Read a comparison's file, or the folder that holds it.

    Raises:
        FileFormatError: missing, cut, or no comparison.
    """
    file = Path(path)
    if is_folder(file):
        file = file / "comparison.json"
    told = read_json(file, Kind("comparison", LARGEST_JSON, advice="give a folder that 'spikeledger compare' wrote"))
    schema = told.get("schema") if isinstance(told, dict) else None
    if schema != SCHEMA:
        raise FileFormatError(
            f"'{file}' says its schema is {schema!r:.60}; this release reads {SCHEMA} as a comparison"
        )
    try:
        found = SavedComparison(told, tuple(map(_match, told["matches"])), file.parent)
        said = (found.data, *summary.headlines(told), *summary.says(told), *summary.caveats(told),
                *(cell for row in found.rows() for cell in row))  # fmt: skip
        if not all(isinstance(text, str) for text in said) or found.samples < 0:
            raise TypeError("a number stands where a name belongs")
    except WRONG as error:
        raise FileFormatError(f"'{file}' is no whole comparison ({error!r:.200}): compare again") from error
    return found


def _check_side(side: str) -> None:
    if side not in ("ann", "snn"):
        raise unknown_name("side of a comparison", str(side), ("ann", "snn"))


def _match(told: Mapping[str, Any]) -> Match:
    corrected, even = told["corrected"], told["break_even"]
    return Match(
        name=str(told["name"]),
        ann=_cost(told["ann"], bool(told["as_published"])),
        snn=_cost(told["snn"], bool(told["as_published"])),
        views={str(name): _view(view) for name, view in told["views"].items()},
        break_even=None if even is None else BreakEven(
            float(even["measured"]), int(even["timesteps"]), even["ops_only"], even["full"],
            tuple((int(point["timesteps"]), point["rate"]) for point in even["curve"]), str(even["note"]),
        ),
        corrected=None if corrected is None else _match(corrected),
        correction=str(told["correction"]),
        caveats=tuple(map(str, told["caveats"])),
    )  # fmt: skip


def _cost(told: Mapping[str, Any], as_published: bool) -> Cost:
    return Cost(
        profile=str(told["profile"]), title=str(told["title"]), ledger=None, reason=str(told["reason"]),
        as_published=as_published, joules=_amount(told["joules"]),
        by_term={str(term): found for term, one in told["by_term"].items() if (found := _amount(one)) is not None},
        seconds=_amount(told["seconds"]), static_watts=_amount(told["static_watts"]),
        milliampere_hours=told["milliampere_hours"], joules_per_day=told["joules_per_day"],
        day_note=str(told["day_note"]), caveats=tuple(map(str, told["caveats"])),
    )  # fmt: skip


def _view(told: Mapping[str, Any]) -> View:
    return View(
        str(told["name"]), _amount(told["ann"]), _amount(told["snn"]), _verdict(told["verdict"], told["ratio"]),
        str(told["note"]),
    )  # fmt: skip


def _verdict(told: Mapping[str, Any], ratio: Mapping[str, float] | None) -> Verdict:
    """A verdict; one of the first files knew of disjoint ranges alone, which are exact, and of open ones."""
    winner, likely = _side(told["winner"]), _side(told.get("likely"))
    old: Standing = "not given" if not told["given"] else "exact" if winner else "open"
    between = told.get("ratio") or (None if ratio is None else [ratio["low"], ratio["high"]])
    worth = [one for one in told["decided_by"] if isinstance(one, Mapping) and "share" in one]
    ends = told.get("ratio_95")
    return Verdict(
        str(told["text"]), told.get("standing", old), winner, likely,
        None if between is None else Interval(_end(between[0]), _end(between[1])), told.get("probability"),
        None if ends is None else (_end(ends[0]), _end(ends[1])), str(told.get("distribution", "")), told.get("information"),
        tuple(Worth(str(o["event"]), o["side"], float(o["share"]), float(o["at_low"]), float(o["at_high"])) for o in worth),
        tuple(map(str, told.get("details", ()))),
    )  # fmt: skip


def _side(value: str | None) -> Winner:
    if value == "ann":
        return "ann"
    if value == "snn":
        return "snn"
    if value:
        raise ValueError(f"{value!r:.40} cannot cost less")
    return ""


def _end(value: float | None) -> float:
    """An end of an interval; what is None in JSON is without an end."""
    return float("inf") if value is None else float(value)


def _amount(told: Mapping[str, float] | None) -> Amount | None:
    return None if told is None else Amount(float(told["low"]), float(told["nominal"]), float(told["high"]))
