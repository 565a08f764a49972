"""`spikeledger price`: what a recorded activity costs on a device. Needs no torch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import folders, options


def price(
    activity: Annotated[Path, typer.Argument(help="File that 'spikeledger record' wrote.", metavar="ACTIVITY")],
    profile: Annotated[str, typer.Option(help="Device: a name of 'spikeledger profiles', or a TOML file.")],
    bill: options.Bill = None,
    leave_out: Annotated[
        list[str] | None, typer.Option(help="Events that shall not be charged, comma-separated or one by one.")
    ] = None,
    elsewhere: Annotated[
        list[str] | None, typer.Option(help="A layer that another device computes: fc1=horowitz-45nm; may be repeated.")
    ] = None,
    allow_uncounted: options.AllowUncounted = False,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Write its page too, such as bill.html.")] = None,
    json: options.Json = False,
) -> None:
    """Price a recorded activity on a device: joules by layer and event, with a range.

    Example: spikeledger price activity.npz --profile loihi --bill ops-only
    """
    from ..activity import Activity
    from ..hardware.catalog import load_profile
    from ..ledger import price as price_activity
    from .console import print_json

    if out is not None:
        from ..report.shell import check_page

        folders.check_target(check_page(out))
    device = load_profile(profile)
    ledger = price_activity(
        Activity.load(activity), device, bill=bill, leave_out=leave_out or (),
        elsewhere=options.pairs("elsewhere", elsewhere, "LAYER=DEVICE"), allow_uncounted=allow_uncounted,
    )  # fmt: skip
    if out is not None:
        ledger.report(out)
    if json:
        print_json(ledger.to_dict())
    else:
        ledger.show()
