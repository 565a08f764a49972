"""`spikeledger profiles new` and `profiles check`: a device of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import options


def new(
    file: Annotated[Path, typer.Argument(help="Where to write it; '.toml' is added.", metavar="FILE")],
) -> None:
    """Write a commented profile to start from; never over a file that is there.

    Example: spikeledger profiles new my-chip.toml
    """
    from ..hardware.template import write_template

    written = write_template(file)
    print(f"{written}: fill in the numbers and their sources, then: spikeledger profiles check {written}")


def check(
    profile: Annotated[str, typer.Argument(help="A TOML file, or a name of 'spikeledger profiles'.")],
    json: options.Json = False,
) -> None:
    """Say what a profile lacks and what it rests on; a profile that does not load is an error with every fault.

    Example: spikeledger profiles check my-chip.toml
    """
    from ..hardware.catalog import load_profile
    from ..hardware.template import check_profile
    from .console import print_json

    device = load_profile(profile)
    remarks = check_profile(device)
    if json:
        print_json({"name": device.name, "remarks": remarks})
        return
    print(f"{device.name} loads: {len(device.prices)} prices, weakest evidence '{device.kind}'")
    for remark in remarks:
        print(f"- {remark}")
    if not remarks:
        print("nothing is missing")
