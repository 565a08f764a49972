"""`spikeledger show`: a file that the package wrote, in the terminal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import options

if TYPE_CHECKING:
    from ..report.present import Sheet

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
        activity = Activity.load(file)
        print_json(activity_summary(activity)) if json else activity.show()
        return
    found = read_json(file)
    if json:
        print_json(found)
        return
    from ..report.present import of_comparison, of_ledger

    _show(of_comparison if found["schema"].startswith("spikeledger-comparison/") else of_ledger, found, file)


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


def _show(make: Callable[[dict[str, Any]], Sheet], found: dict[str, Any], file: Path) -> None:
    from ..errors import FileFormatError
    from ..report.present import show_sheet

    try:
        made = make(found)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
        raise FileFormatError(
            f"'{file}' is no whole {found['schema'].split('-')[1].split('/')[0]} ({error!r}): make it again"
        ) from error
    show_sheet(made)
