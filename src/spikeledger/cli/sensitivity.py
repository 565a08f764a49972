"""`spikeledger sensitivity`: which price decides a total, or the difference between two devices. Needs no torch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..errors import InputError
from . import folders, options


def sensitivity(
    activity: Annotated[Path, typer.Argument(help="File that 'spikeledger record' wrote.", metavar="ACTIVITY")],
    profile: Annotated[str, typer.Option(help="Device: a name of 'spikeledger profiles', or a TOML file.")],
    against: Annotated[str | None, typer.Option(help="Another device: which price turns the difference to it?")] = None,
    other: Annotated[
        Path | None, typer.Option(help="Activity to price on that other device; the same one by default.")
    ] = None,
    bill: options.Bill = None,
    picture: Annotated[Path | None, typer.Option(help="Write the tornado picture: a .png, .svg or .pdf file.")] = None,
    distribution: options.Distribution = "log-uniform",
    allow_uncounted: options.AllowUncounted = False,
    json: options.Json = False,
) -> None:
    """Rank the prices by how far their ranges move the result, and name those that turn it.

    Example: spikeledger sensitivity activity.npz --profile loihi --picture tornado.svg
    """
    from ..activity import Activity
    from ..ledger import price
    from ..report.figures import plot_tornado
    from ..study.sensitivity import sensitivity as rank
    from .console import print_json

    if other is not None and against is None:
        raise InputError("--other names an activity for the other device: name that device with --against")
    options.check_distribution(distribution)
    if picture is not None:
        folders.check_picture(picture)
    run = Activity.load(activity)
    ledger = price(run, profile, bill=bill, allow_uncounted=allow_uncounted)
    rival = None
    if against is not None:
        theirs = run if other is None else Activity.load(other)
        rival = price(theirs, against, bill=bill, allow_uncounted=allow_uncounted)
    found = rank(ledger, against=rival, distribution=distribution)
    if picture is not None:
        plot_tornado(found, most=len(found.swings)).save(picture)
    if json:
        print_json(found.to_dict())
    else:
        found.show()
