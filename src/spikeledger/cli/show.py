"""`spikeledger show`: a file that the package wrote, in the terminal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import options

if TYPE_CHECKING:
    from ..report.present import Sheet

#: what other files of ours are, and who takes them
_ELSE = {
    ".html": "a page: open it in a browser",
    ".toml": "no result: spikeledger profiles show takes a device, spikeledger study a study",
    ".safetensors": "a network's weights: give their folder to spikeledger record",
}


def show(
    file: Annotated[Path, typer.Argument(help="An activity (.npz), or the JSON of a ledger or comparison.")],
    json: options.Json = False,
) -> None:
    """Display an activity, a ledger or a comparison in the terminal.

    Example: spikeledger show comparison/comparison.json
    """
    import zipfile

    from ..activity import Activity
    from ..errors import InputError
    from ..reading import is_file, is_folder
    from .console import print_json

    if is_folder(file):
        file = _in_folder(file)
    if (else_is := _ELSE.get(file.suffix.lower())) and is_file(file):
        raise InputError(f"'{file}' is {else_is}")
    if not is_file(file):  # says why: it is missing, its name is too long, it is a pipe
        read_json(file)
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


def _in_folder(folder: Path) -> Path:
    """The file of a folder that is shown: a comparison's."""
    from ..errors import InputError
    from ..reading import is_file

    if is_file(folder / "comparison.json"):
        return folder / "comparison.json"
    if is_file(folder / "network.toml"):
        raise InputError(
            f"'{folder}' holds a network: count what it does with spikeledger record {folder} --out FILE.npz"
        )
    raise InputError(f"'{folder}' is a folder without a comparison: give a file, or the folder that compare wrote")


def read_json(file: Path) -> dict[str, Any]:
    """A ledger's or comparison's dictionary; executes nothing."""
    from ..errors import FileFormatError
    from ..reading import LARGEST_JSON, Kind
    from ..reading import read_json as read

    known = ("spikeledger-comparison/1", "spikeledger-ledger/1")
    advice = "give an activity, a ledger or a comparison"
    found = read(file, Kind("file", LARGEST_JSON, advice=advice))
    schema = found.get("schema") if isinstance(found, dict) else None
    if schema not in known:
        raise FileFormatError(f"'{file}' says its schema is {schema!r}; this release shows {' and '.join(known)}")
    return dict(found)


def activity_summary(activity: Any) -> dict[str, Any]:
    """Totals of an activity by layer and event, as plain values."""
    events = activity.events  # which looks at every tally
    return {
        "schema": "spikeledger-activity-summary/1",
        "samples": activity.samples, "timesteps": activity.timesteps, "seconds": activity.seconds,
        "pooling": activity.pooling,
        "layers": {
            name: {
                "operator": activity.layer(name).operator,
                "events": {
                    event: count for event in events if (count := activity.total(event, name))
                },
            }
            for name in activity.layers
        },
        "totals": {event: activity.total(event) for event in events},
        "uncounted": [str(item) for item in activity.uncounted],
    }  # fmt: skip


def _show(make: Callable[[dict[str, Any]], Sheet], found: dict[str, Any], file: Path) -> None:
    from ..errors import FileFormatError
    from ..report.present import show_sheet

    try:
        made = make(found)
        texts = (*made.head, *made.headings, *made.notes, *(cell for row in made.rows for cell in row))
        if not all(isinstance(text, str) for text in texts):
            raise TypeError("a number stands where a name belongs")
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
        raise FileFormatError(
            f"'{file}' is no whole {found['schema'].split('-')[1].split('/')[0]} ({error!r}): make it again"
        ) from error
    show_sheet(made)
