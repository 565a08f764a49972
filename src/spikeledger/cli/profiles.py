"""`spikeledger profiles`: which devices there are, and where each number comes from."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from . import options

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.callback(invoke_without_command=True)
def profiles(context: typer.Context, json: options.Json = False) -> None:
    """List the hardware profiles: name, kind of evidence, title.

    Example: spikeledger profiles show loihi
    """
    if context.invoked_subcommand is not None:
        return
    from ..hardware.catalog import list_profiles, load_profile
    from .console import print_json

    devices = [load_profile(name) for name in list_profiles()]
    if json:
        print_json(
            [
                {"name": one.name, "evidence": evidence(one), "title": one.title, "runs": list(one.runs)}
                for one in devices
            ]
        )
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table()
    for heading in ("name", "evidence", "runs", "title"):
        table.add_column(heading, no_wrap=heading == "name", overflow="fold")
    for one in devices:
        table.add_row(one.name, ", ".join(evidence(one)), ", ".join(one.runs), escape(one.title))
    Console().print(table)


@app.command("show")
def show(
    profile: Annotated[str, typer.Argument(help="A name of 'spikeledger profiles', or a TOML file.")],
    json: options.Json = False,
) -> None:
    """Print one profile's card: every price with its range, scope, kind and source.

    Example: spikeledger profiles show loihi
    """
    from ..hardware.catalog import load_profile
    from .console import print_json

    device = load_profile(profile)
    if json:
        print_json(device.model_dump(mode="json"))
        return
    from rich.console import Console
    from rich.padding import Padding
    from rich.text import Text

    console = Console()
    console.print(f"{device.name}: {device.title}", markup=False, highlight=False, style="bold")
    for text in (device.summary, device.caveat, f"runs {', '.join(device.runs)}; bill '{device.bill}'"):
        if text:
            console.print(text, markup=False, highlight=False)
    for event, price, spread, kind, source in card(device):
        console.print(f"\n{event}: {price} ({spread}), {kind}", markup=False, highlight=False, style="bold")
        console.print(Padding(Text(source), (0, 0, 0, 2)))
    console.print()
    for event, reason in device.leaves_out.items():
        console.print(f"not charged: {event} ({reason})", markup=False, highlight=False)


def evidence(device: Any) -> list[str]:
    """Kinds of evidence that a profile's prices rest on, the strongest first."""
    kinds = {price.kind for price in device.prices.values()}
    return [kind for kind in ("measured", "simulated", "claimed", "assumed") if kind in kinds]


def card(device: Any) -> list[tuple[str, str, str, str, str]]:
    """Event, price, range, evidence and source of each number, as people read them."""
    from .. import units

    rows = [
        (
            event, units.joules(price.joules), f"{units.joules(price.low)} to {units.joules(price.high)}",
            f"{price.scope}, {price.kind}", f"{price.source}. {price.note}".removesuffix(". "),
        )
        for event, price in device.prices.items()
    ]  # fmt: skip
    if device.static is not None:
        watts = device.static
        rows.append(
            (
                "static", units.si(watts.watts, "W"), f"{units.si(watts.low, 'W')} to {units.si(watts.high, 'W')}",
                watts.kind, f"{watts.source}. {watts.state}",
            )
        )  # fmt: skip
    if device.timing is not None:
        timing = device.timing
        for what in ("step", "sample", "dense_op"):
            seconds = getattr(timing, f"seconds_per_{what}")
            if seconds:
                spread = (
                    f"{units.si(seconds * timing.low_factor, 's')} to {units.si(seconds * timing.high_factor, 's')}"
                )
                rows.append((f"second per {what}", units.si(seconds, "s"), spread, timing.kind, timing.source))
    return rows
