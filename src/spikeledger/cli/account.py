"""`spikeledger account`: which layer and which neuron spends the energy. Needs no torch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import options


def account(
    activity: Annotated[Path, typer.Argument(help="File that 'spikeledger record' wrote.", metavar="ACTIVITY")],
    profile: Annotated[str, typer.Option(help="Device: a name of 'spikeledger profiles', or a TOML file.")],
    bill: options.Bill = None,
    leave_out: Annotated[
        list[str] | None, typer.Option(help="An event that shall not be charged; may be given several times.")
    ] = None,
    json: options.Json = False,
) -> None:
    """Say who spent the energy, by layer and neuron, and what would save some of it.

    Example: spikeledger account activity.npz --profile loihi
    """
    from ..activity import Activity
    from ..study.accountant import account as run
    from .console import print_json

    report = run(Activity.load(activity), profile, bill=bill, leave_out=leave_out or ())
    if json:
        print_json(report.to_dict())
    else:
        report.show()
