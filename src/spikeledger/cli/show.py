"""`spikeledger show`: a file that the package wrote, in the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from . import options

#: more than this is no ledger and no comparison of ours
LARGEST_JSON = 1 << 28


def show(
    file: Annotated[Path, typer.Argument(help="An activity (.npz), or the JSON of a ledger or comparison.")],
    json: options.Json = False,
) -> None:
    """Display an activity, a ledger or a comparison in the terminal.

    Example: spikeledger show comparison/comparison.json
    """
    import zipfile

    from ..activity import Activity
    from ..errors import FileFormatError
    from .console import print_json

    if not file.is_file():
        raise FileFormatError(f"there is no file '{file}': give an activity, a ledger or a comparison")
    if file.suffix == ".npz" or zipfile.is_zipfile(file):
        summary = activity_summary(Activity.load(file))
        print_json(summary) if json else _show_activity(summary)
        return
    found = read_json(file)
    if json:
        print_json(found)
    elif found["schema"].startswith("spikeledger-comparison/"):
        _show_comparison(found, file)
    else:
        _show_ledger(found, file)


def read_json(file: Path) -> dict[str, Any]:
    """A ledger's or comparison's dictionary; executes nothing."""
    import json

    from ..errors import FileFormatError

    known = ("spikeledger-comparison/1", "spikeledger-ledger/1")
    try:
        if file.stat().st_size > LARGEST_JSON:
            raise FileFormatError(f"'{file}' is too large for a ledger or a comparison")
        found = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise FileFormatError(f"'{file}' is neither an activity nor JSON ({error})") from error
    schema = found.get("schema") if isinstance(found, dict) else None
    if schema not in known:
        raise FileFormatError(f"'{file}' says its schema is {schema!r}; this release shows {' and '.join(known)}")
    return dict(found)


def activity_summary(activity: Any) -> dict[str, Any]:
    """Totals of an activity by layer and event, as plain values."""
    return {
        "schema": "spikeledger-activity-summary/1",
        "samples": activity.samples, "timesteps": activity.timesteps, "seconds": activity.seconds,
        "pooling": activity.pooling,
        "layers": {
            name: {
                "operator": activity.layer(name).operator,
                "events": {
                    event: count for event in activity.events if (count := activity.total(event, name))
                },
            }
            for name in activity.layers
        },
        "totals": {event: activity.total(event) for event in activity.events},
        "uncounted": [str(item) for item in activity.uncounted],
    }  # fmt: skip


def _show_activity(summary: dict[str, Any]) -> None:
    rows = [
        (name, layer["operator"], event, f"{count:,}")
        for name, layer in summary["layers"].items()
        for event, count in layer["events"].items()
    ]
    title = f"{summary['samples']:,} samples over {summary['timesteps']:,} timesteps"
    _table(
        title, ("layer", "operator", "event", "count"), rows, [f"not counted: {item}" for item in summary["uncounted"]]
    )


def _show_ledger(found: dict[str, Any], file: Path) -> None:
    from .. import units
    from ..errors import FileFormatError

    try:
        share = found["joules"] or 1.0
        rows = []
        for entry in sorted(found["entries"], key=lambda entry: -entry["joules"]):
            seconds = entry["event"] == "second"
            count = units.si(entry["count"], "s") if seconds else f"{entry['count']:,.0f}"
            part = f"{100 * entry['joules'] / share:.1f} %"
            rows.append((entry["layer"] or "(device)", entry["event"], count, units.joules(entry["joules"]), part))
        title = (
            f"{found['profile']}: estimated {units.joules(found['joules_per_sample'])} a sample, bill '{found['bill']}'"
        )
        notes = [str(text) for text in found["caveats"]]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise FileFormatError(f"'{file}' is no whole ledger ({error!r}): price the activity again") from error
    _table(title, ("layer", "event", "count", "joules", "share"), rows, notes)


def _show_comparison(found: dict[str, Any], file: Path) -> None:
    from ..errors import FileFormatError
    from ..study import summary

    try:
        list(summary.rows(found)), summary.headlines(found), summary.caveats(found)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise FileFormatError(f"'{file}' is no whole comparison ({error!r}): compare again") from error
    summary.show(found)


def _table(title: str, headings: tuple[str, ...], rows: Sequence[tuple[str, ...]], notes: Sequence[str]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=escape(title), title_justify="left", caption=escape("\n".join(notes)), caption_justify="left")
    for heading in headings:
        table.add_column(
            heading, justify="right" if heading in ("count", "joules", "share") else "left", overflow="fold"
        )
    for row in rows:
        table.add_row(*(escape(cell) for cell in row))
    Console().print(table)
