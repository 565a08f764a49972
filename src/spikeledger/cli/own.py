"""`spikeledger profiles new` and `profiles check`: a device of one's own."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import options
from .console import tell

if TYPE_CHECKING:
    from ..hardware.profile import HardwareProfile


def new(
    file: Annotated[Path, typer.Argument(help="Where to write it; '.toml' is added.", metavar="FILE")],
) -> None:
    """Write a commented profile to start from; never over a file that is there.

    Example: spikeledger profiles new my-chip.toml
    """
    from ..hardware.template import write_template

    written = write_template(file)
    tell(f"{written}: fill in the numbers and their sources, then: spikeledger profiles check {written}")


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
    tell(f"{device.name} loads: {len(device.prices)} prices, weakest evidence '{device.kind}'")
    for remark in remarks:
        tell(f"- {remark}")
    if not remarks:
        tell("nothing is missing")


def catalogue(devices: Iterable[HardwareProfile]) -> str:
    """The page of the docs: every profile with its kinds, its static power, its caveat and its sources."""
    from .. import units
    from .console import evidence, span

    lines = [
        "# The catalogue", "",
        "Made by `spikeledger profiles --markdown`; do not edit. `spikeledger profiles show NAME` prints every number",
        "of a profile with its source. How a profile is written: [profiles](profiles.md).", "",
    ]  # fmt: skip
    for one in devices:
        static = "no static power"
        if one.static is not None:
            ends = f"{units.si(one.static.low, 'W')} to {units.si(one.static.high, 'W')}"
            static = f"static {units.si(one.static.watts, 'W')} ({ends}), {one.static.state}"
        lines += [f"## `{one.name}`", "", f"{one.title}. {one.summary}", ""]
        lines += [f"- {span(one)}; evidence: {', '.join(evidence(one))}; runs {', '.join(one.runs)}", f"- {static}"]
        lines += [f"- {one.caveat}"] if one.caveat else []
        lines += [f"- not charged: {event} ({why})" for event, why in one.leaves_out.items()]
        lines += ["- sources:"]
        lines += [f"  - {source}" for source in sorted({part.source for _, part in one.cited()})]
        lines += [""]
    return "\n".join(lines)
