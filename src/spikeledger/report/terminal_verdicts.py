"""The terminal: verdicts with their ranges drawn in characters, and ledgers, as rich tables."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from ..amounts import Amount
from ..printable import printable
from ..study.comparison import Comparison
from ..study.matches import Match
from ..study.one_network import OPERATIONS
from ..study.verdicts import times
from .energy import sides
from .opponents import limit
from .terminal_tables import print_table
from .wording import (
    accuracy,
    accuracy_interval,
    count,
    difference_sentence,
    joules,
    probability,
    sentence,
    short,
    span,
    verdict,
)

if TYPE_CHECKING:
    from rich.console import Console
    from rich.padding import Padding

_TRACK = 18  # characters of a range


def show(comparison: Comparison, *, details: bool = False, console: Console | None = None) -> None:
    """Print accuracy, a line for each verdict, and joules a sample; with `details` all that is behind them.

    Without them three devices fit a terminal of 24 lines and 80 columns.
    """
    from rich.console import Console
    from rich.text import Text

    out = console or Console()
    out.print(Text(f"{comparison.data}: {comparison.ann.name} against {comparison.snn.name}", style="bold"))
    out.print(_indented(_accuracy(comparison)))
    if comparison.equal_accuracy is not None:
        out.print(_indented(sentence(str(comparison.equal_accuracy))))
    for match in comparison.matches:
        out.print(_indented(match.says, style="bold"))
    if comparison.opponents is not None:
        out.print(_indented(sentence(comparison.opponents.brief)))
    _costs(comparison, out)
    if details:
        _details(comparison, out)


def _accuracy(comparison: Comparison) -> str:
    """Both accuracies, and whether chance explains the difference."""
    both = []
    for side, all_of_them in ((comparison.ann, comparison.anns), (comparison.snn, comparison.snns)):
        networks = f", median of {len(all_of_them)} networks" if len(all_of_them) > 1 else ""
        both.append(f"{side.kind.upper()} {accuracy(side.accuracy)} right{networks}")
    sure = "chance does not explain the difference" if comparison.mcnemar.differs else "the difference may be chance"
    return f"{', '.join(both)}: {sure} (McNemar p {probability(comparison.mcnemar.p)})."


def _costs(comparison: Comparison, out: Console) -> None:
    rows = []
    for match in comparison.matches:
        for row in (match, match.corrected):
            if row is None:
                continue
            amounts = ["not given" if one is None else joules(one.nominal) for one in (row.view.ann, row.view.snn)]
            rows.append((row.name, *amounts, _ends(row), verdict(row.verdict, brief=True)))
    headings = ("joules a sample", "ANN", "SNN", "ANN ÷ SNN", "verdict")
    print_table(out, headings, rows, numbers=range(1, 5), whole=range(1, 5))


def _ends(match: Match) -> str:
    ratio = match.verdict.ratio
    if ratio is None:
        return "–"
    low, high = times(ratio.low, math.floor), times(ratio.high, math.ceil)
    return low if low == high else f"{low} to {high}"


def _details(comparison: Comparison, out: Console) -> None:
    for side in (comparison.ann, comparison.snn):
        out.print(_indented(f"{side.kind.upper()}  {accuracy(side.accuracy)}  ({accuracy_interval(side)})"))
    out.print(_indented(difference_sentence(comparison.mcnemar)))
    for widths in comparison.at_widths:
        out.print(_indented(sentence(str(widths))))
    _energy(comparison, out)
    for match in comparison.matches:
        where = "" if match.same_device else f" (ANN on {match.ann.profile})"
        out.print(_indented(f"{match.name}{where}", style="bold"))
        for name, view in match.views.items():
            note = f"; {view.note}" if view.note else ""
            out.print(_indented(f"{name}: {sentence(view.verdict.text + note)}", by=4))
        corrected = [match.correction] if match.correction else []
        for text in dict.fromkeys((*match.verdict.details, *match.caveats, *corrected)):
            out.print(_indented(sentence(text), by=4))
    if comparison.opponents is not None:
        out.print(_indented(sentence(str(comparison.opponents)), style="bold"))
        steps = comparison.snn.timesteps
        lines = [line for line in comparison.opponents.lines if line.timesteps in (None, steps)]
        limits = ", ".join(f"{limit(line)} ({line.label})" for line in lines)
        measured = short(comparison.opponents.events_per_synapse)
        out.print(_indented(f"{measured} spikes per synapse; published break-even: {limits}."))
    _operations(comparison, out)


def _energy(comparison: Comparison, out: Console) -> None:
    rows = [row for match in comparison.matches for row in (match, match.corrected) if row is not None]
    found = [cost.joules for row in rows for _, cost in sides(row) if cost.joules is not None]
    ends = [value for each in found for value in (each.low, each.high) if value > 0]
    lowest, highest = (min(ends), max(ends)) if ends else (1.0, 1.0)
    caption = f"estimated joules a sample; log axis from {joules(lowest)} to {joules(highest)}"
    headings = ("device", "", "nominal", "low to high", "")
    cells = _energy_rows(rows, lowest, highest)
    print_table(out, headings, cells, numbers=(2, 3), whole=range(1, 5), drawn=4)
    out.print(_indented(caption, style="italic"))


def _energy_rows(rows: Iterable[Match], lowest: float, highest: float) -> Iterator[tuple[str, ...]]:
    for row in rows:
        for kind, cost in sides(row):
            name = row.name if kind == "ann" else ""
            if cost.joules is None:
                yield name, kind.upper(), "not given", "", ""
                continue
            track = _track(cost.joules, lowest, highest, "●" if kind == "ann" else "◆")
            yield name, kind.upper(), joules(cost.joules.nominal), span(cost.joules), track


def _track(value: Amount, lowest: float, highest: float, mark: str) -> str:
    """A range in characters on a log axis from the lowest to the highest of all."""
    if value.nominal <= 0 or lowest <= 0:
        return " " * _TRACK

    def place(number: float) -> int:
        if highest <= lowest:
            return 0
        share = math.log(max(number, lowest) / lowest) / math.log(highest / lowest)
        return min(max(round(share * (_TRACK - 1)), 0), _TRACK - 1)

    cells = [" "] * _TRACK
    for at in range(place(value.low), place(value.high) + 1):
        cells[at] = "─"
    cells[place(value.nominal)] = mark
    return "".join(cells)


def _operations(comparison: Comparison, out: Console) -> None:
    both = (comparison.ann, comparison.snn)
    rows = [
        (name.replace("_", " ").replace("macs", "MACs"), *(count(side.operations[name]) for side in both))
        for name in OPERATIONS
    ]
    rows.append(("steps", *(str(side.timesteps) for side in both)))
    print_table(out, ("a sample", "ANN", "SNN"), rows, numbers=(1, 2), whole=(1, 2))


def _indented(text: str, *, by: int = 2, style: str = "") -> Padding:
    from rich.padding import Padding
    from rich.text import Text

    # rich's markup is not read: a name with brackets stays a name
    return Padding(Text(printable(text), style=style), (0, 0, 0, by))
