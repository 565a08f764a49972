"""How each result is shown: as a sheet for terminal and notebook, and as a picture. One row a kind of result.

A sheet is a headline, a table and notes; whoever draws it, in characters or as HTML, escapes what stands in it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import Any

from .. import units
from ..activity import Activity
from ..errors import CallError, InputError, unknown_name
from ..hardware.profile import HardwareProfile
from ..ledger import Ledger
from ..printable import printable
from ..study import summary
from ..study.accountant import Account
from ..study.comparison import Comparison
from ..study.opponent import Opponents
from ..study.saved import SavedComparison
from ..study.sensitivity import Sensitivity
from ..study.validation import HEADINGS as POINTS
from ..study.validation import NOT_SHOWN, Validation
from ..training.history import EnergyReading, Fit, Readings
from . import training, wording
from .terminal_tables import print_table

#: headings under which numbers stand
NUMBERS = frozenset(
    ["count", "joules", "share", "neurons", "synapses", "joules a sample", "range", "spikes", "each", "SynOps", "loss",
     "train", "validation", "test", "epoch", "step", "took"]
)  # fmt: skip


@dataclass(frozen=True)
class Sheet:
    """What is said before a table, the table, and what is said after it."""

    head: tuple[str, ...]
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()


def sheet(result: Any) -> Sheet:
    """A result, or the dictionary of a saved comparison or ledger, as a sheet.

    Raises:
        InputError: a kind of thing that has none.
    """
    for kind, make in _SHEETS.items():
        if isinstance(result, kind):
            return make(result)
    raise InputError(f"a {type(result).__name__} has no table: give {', '.join(kind.__name__ for kind in _SHEETS)}")


def show(result: Any) -> None:
    """Print a result."""
    show_sheet(sheet(result))


def show_sheet(found: Sheet) -> None:
    """Print a sheet: what it says, its table and its notes."""
    from rich.console import Console
    from rich.text import Text

    out = Console()
    for index, line in enumerate(found.head):
        out.print(Text(printable(line), style="" if index else "bold"))
    if found.rows:
        numbers = [at for at, heading in enumerate(found.headings) if heading in NUMBERS]
        print_table(out, found.headings, found.rows, numbers=numbers)
    for line in found.notes:
        out.print(Text(printable(line)))


def html(result: Any) -> str:
    """A result as HTML, for notebooks: its picture, if it has one, above its table."""
    found = sheet(result)
    head = "".join(f"<th>{escape(name)}</th>" for name in found.headings)
    body = "".join("<tr>" + "".join(f"<td>{_cell(cell)}</td>" for cell in row) + "</tr>" for row in found.rows)
    before = "".join(f"<p>{_cell(line)}</p>" for line in found.head)
    after = "".join(f"<p><small>{_cell(line)}</small></p>" for line in found.notes)
    picture = ""
    if isinstance(result, tuple(_PICTURES)):
        try:
            picture = plot(result)._repr_html_()
        except InputError:  # nothing to draw: no spikes were kept, or no joules
            picture = ""
    return f"{before}{picture}<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{after}"


def plot(result: Any, *which: Any, **options: Any) -> Any:
    """The picture of a result.

    Raises:
        InputError: a kind of thing that has none, or nothing to draw.
    """
    for kind, draw in _PICTURES.items():
        if isinstance(result, kind):
            signature = inspect.signature(draw)
            try:
                signature.bind(result, *which, **options)
            except TypeError as error:
                known = ", ".join(list(signature.parameters)[1:]) or "nothing"
                raise CallError(
                    f"{type(result).__name__}.plot cannot be called so ({error}): it takes {known}"
                ) from None
            return draw(result, *which, **options)
    raise InputError(f"a {type(result).__name__} has no picture: give {', '.join(kind.__name__ for kind in _PICTURES)}")


def _cell(text: str) -> str:
    return escape(printable(text))


def _activity(activity: Activity) -> Sheet:
    rows, happened = [], activity.events  # which looks at every tally
    for name, layer in activity.layers_by_name.items():
        events = [event for event in happened if activity.total(event, name)]
        for event in events or [""]:
            count = f"{activity.total(event, name):,}" if event else "0"
            synapses = f"{layer.synapses:,}" if layer.synapses else ""
            rows.append((name, layer.operator, f"{layer.outputs:,}", synapses, event or "nothing", count))
    head = f"{activity.samples:,} samples over {activity.timesteps:,} timesteps, {activity.producer}"
    notes = [f"not counted: {one}" for one in activity.uncounted]
    return Sheet((head,), ("layer", "operator", "neurons", "synapses", "event", "count"), tuple(rows), tuple(notes))


def _ledger(ledger: Ledger) -> Sheet:
    samples = f"counts and joules of all {ledger.samples:,} samples: {units.joules(ledger.joules)} together"
    return Sheet((ledger.headline(),), ("layer", "event", "count", "joules", "share"), tuple(ledger.rows()),
                 (samples, *ledger.caveats))  # fmt: skip


def _account(account: Account) -> Sheet:
    return Sheet(tuple(account.summary().splitlines()), (), ())


def _comparison(comparison: Comparison | SavedComparison) -> Sheet:
    return of_comparison(comparison.to_dict())


def of_comparison(saved: dict[str, Any]) -> Sheet:
    """The sheet of a comparison's dictionary, and so of a file."""
    lines = (*summary.headlines(saved), *summary.says(saved))
    return Sheet(tuple(lines), summary.HEADINGS, tuple(summary.rows(saved)), tuple(summary.caveats(saved)))


def of_ledger(saved: dict[str, Any]) -> Sheet:
    """The sheet of a ledger's dictionary, and so of a file."""
    whole, rows = saved["joules"] or 1.0, []
    for entry in saved["entries"]:
        for name, kinds in (("layer", (str,)), ("event", (str,)), ("count", (int, float)), ("joules", (int, float))):
            if type(entry[name]) not in kinds:
                raise TypeError(f"{entry[name]!r:.40} stands where a {name} belongs")
    for entry in sorted(saved["entries"], key=lambda entry: -entry["joules"]):
        count = units.si(entry["count"], "s") if entry["event"] == "second" else f"{entry['count']:,.0f}"
        share = f"{100 * entry['joules'] / whole:.1f} %"
        rows.append(
            (str(entry["layer"] or "(device)"), str(entry["event"]), count, units.joules(entry["joules"]), share)
        )
    head = f"{saved['profile']}: estimated {units.joules(saved['joules_per_sample'])} a sample, bill '{saved['bill']}'"
    return Sheet((head,), ("layer", "event", "count", "joules", "share"), tuple(rows),
                 tuple(str(text) for text in saved["caveats"]))  # fmt: skip


def _device(device: HardwareProfile) -> Sheet:
    """A device's card: every number with its range, evidence and source."""
    said = (f"{device.name}: {device.title}", device.summary, device.caveat,
            f"runs {', '.join(device.runs)}; bill '{device.bill}'")  # fmt: skip
    notes = tuple(f"not charged: {event} ({reason})" for event, reason in device.leaves_out.items())
    return Sheet(tuple(text for text in said if text), ("event", "price", "range", "evidence", "source"),
                 tuple(_card(device)), notes)  # fmt: skip


def _card(device: HardwareProfile) -> list[tuple[str, str, str, str, str]]:
    """Event, price, range, evidence and source of each number, as people read them."""
    rows = [
        (
            event, units.joules(price.joules), f"{units.joules(price.low)} to {units.joules(price.high)}",
            f"{price.scope}, {price.kind}", f"{price.source}. {price.note}".removesuffix(". "),
        )
        for event, price in device.prices.items()
    ]  # fmt: skip
    rows += [
        (
            f"memory {level.name}, {level.access_bits} bits", units.joules(level.joules),
            f"{units.joules(level.low)} to {units.joules(level.high)}", level.kind,
            f"{level.source}. {level.note}".removesuffix(". "),
        )
        for level in device.memory
    ]  # fmt: skip
    for name in ("static", "host"):
        watts = getattr(device, name)
        if watts is not None:
            rows.append(
                (
                    name, units.si(watts.watts, "W"), f"{units.si(watts.low, 'W')} to {units.si(watts.high, 'W')}",
                    watts.kind, f"{watts.source}. {watts.state}",
                )
            )  # fmt: skip
    timing: Any = device.timing
    for what in ("step", "barrier", "sample", "batch", "layer", "dense_op") if timing is not None else ():
        seconds = getattr(timing, f"seconds_per_{what}")
        if seconds:
            spread = f"{units.si(seconds * timing.low_factor, 's')} to {units.si(seconds * timing.high_factor, 's')}"
            rows.append((f"second per {what}", units.si(seconds, "s"), spread, timing.kind, timing.source))
    if device.limits is not None:
        rows.append(
            ("power limit", units.si(device.limits.watts, "W"), "at most", device.limits.kind, device.limits.source)
        )
    return rows


def _sensitivity(found: Sensitivity) -> Sheet:
    low, high = (units.joules(value) for value in found.independent)
    head = f"{units.joules(found.nominal)} for all samples; {low} to {high} if prices err independently"
    return Sheet((head,), ("number", "kind", "share", "at its low end", "at its high end"), tuple(found.rows()),
                 found.notes)  # fmt: skip


def _opponents(found: Opponents) -> Sheet:
    head = f"{found.events_per_synapse:.3f} spikes per synapse and inference"
    notes = []
    for line in found.lines:
        band = f"{line.low:g}" if line.low == line.high else f"{line.low:g} to {line.high:g}"
        notes.append(f"published break-even: {band} spikes per synapse ({line.label})")
    headings = ("network", "how", "joules a sample", "range")
    return Sheet((head, str(found)), headings, tuple(found.table()), tuple(notes))


def _validation(found: Validation) -> Sheet:
    notes = [f"outside: {point.name}: {point.assumes}" for point in found.points if not point.inside]
    for count in found.counts:
        verdict = "same" if count.same else f"counted {count.counted:,}"
        notes.append(f"{count.name}: {count.published:,} dense operations published, {verdict}")
    return Sheet(
        (f"{NOT_SHOWN}.",), tuple(POINTS), tuple(found.rows()), (*notes, found.sentence(), found.against_null())
    )


def _fit(run: Fit) -> Sheet:
    """One row an epoch."""
    rows = tuple(
        (
            str(row.number), f"{row.loss:.4f}", wording.percent(row.train_accuracy),
            "" if row.validation_accuracy is None else wording.percent(row.validation_accuracy),
            wording.percent(row.test_accuracy),
            "" if row.joules_per_sample is None else units.joules(row.joules_per_sample), _range(row.reading),
            "" if row.reading is None or row.reading.synops_per_sample is None
            else f"{row.reading.synops_per_sample:,.0f}",
        )
        for row in run.history
    )  # fmt: skip
    notes = tuple(dict.fromkeys(row.reading.unpriced for row in run.history if row.reading and row.reading.unpriced))
    headings = ("epoch", "loss", "train", "validation", "test", "joules a sample", "range", "SynOps")
    where = f"; joules estimated on {run.profile}" if run.profile else ""
    kept = f"the weights are those of epoch {run.best_epoch}" if run.best_epoch else "no epoch was finished"
    return Sheet(
        (f"{len(run.history)} epochs{', stopped' if run.stopped else ''}; {kept}{where}",), headings, rows, notes
    )


def _monitor(monitor: Readings) -> Sheet:
    """One row a reading."""
    rows = tuple(
        (
            str(one.number), "" if one.joules_per_sample is None else units.joules(one.joules_per_sample), _range(one),
            *("" if count is None else f"{count:,.0f}" for count in (one.spikes_per_sample, one.synops_per_sample)),
            f"{one.seconds:.3f} s",
        )
        for one in monitor.history
    )  # fmt: skip
    where = f", joules estimated on {monitor.profile}" if monitor.profile else ""
    head = f"{monitor.steps} steps, {len(monitor.history)} recorded in {monitor.seconds:.2f} s{where}"
    notes = tuple(dict.fromkeys(one.unpriced for one in monitor.history if one.unpriced))
    return Sheet((head,), ("step", "joules a sample", "range", "spikes", "SynOps", "took"), rows, notes)


def _range(reading: EnergyReading | None) -> str:
    if reading is None or reading.joules_low is None or reading.joules_high is None:
        return ""
    return f"{units.joules(reading.joules_low)} to {units.joules(reading.joules_high)}"


_SHEETS: dict[type, Callable[[Any], Sheet]] = {
    HardwareProfile: _device, Activity: _activity, Ledger: _ledger, Comparison: _comparison,
    SavedComparison: _comparison, Account: _account,
    Sensitivity: _sensitivity,
    Opponents: _opponents, Validation: _validation, Fit: _fit, Readings: _monitor,
}  # fmt: skip


def _plot_activity(activity: Activity, layer: str = "", **options: Any) -> Any:
    """The raster of a layer, the last one with spikes unless it is named."""
    from .behaviour import plot_raster

    known = list(activity.rasters)
    if not layer and not known:
        raise InputError("no spikes were kept, so there is no raster to draw: record a spiking network")
    return plot_raster(activity, layer or known[-1], **options)


def _plot_ledger(ledger: Ledger) -> Any:
    from .ledgers import plot_ledger

    return plot_ledger(ledger)


def _plot_comparison(comparison: Comparison, what: str = "joules") -> Any:
    from . import figures

    known = {"joules": figures.plot_joules, "terms": figures.plot_terms, "running": figures.plot_running,
             "opponents": figures.plot_opponents, "boards": figures.plot_boards, "limits": figures.plot_limits,
             "training": lambda one: training.plot_runs(one.runs), "samples": _plot_samples}  # fmt: skip
    if what not in known:
        raise unknown_name("picture of a comparison", what, known)
    return known[what](comparison)


def _plot_samples(comparison: Comparison) -> Any:
    from .samples import plot_examples

    found = plot_examples(comparison)
    if found is None:
        raise InputError("samples of one axis, or of a comparison that was put together from parts, have no picture")
    return found


def _plot_saved(saved: SavedComparison, what: str = "joules") -> Any:
    from . import figures

    known = {"joules": figures.plot_joules, "terms": figures.plot_terms}
    if what not in known:
        raise unknown_name("picture of a saved comparison", what, known)
    return known[what](saved)


def _plot_sensitivity(found: Sensitivity, **options: Any) -> Any:
    from .tornado import plot_tornado

    return plot_tornado(found, **options)


_PICTURES: dict[type, Callable[..., Any]] = {
    Activity: _plot_activity, Ledger: _plot_ledger, Comparison: _plot_comparison, SavedComparison: _plot_saved,
    Sensitivity: _plot_sensitivity,
    Fit: training.plot_fit, Readings: training.plot_monitor,
}  # fmt: skip
