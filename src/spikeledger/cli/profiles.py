"""`spikeledger profiles`: which devices there are, and where each number comes from."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from . import options, own

app = typer.Typer(rich_markup_mode=None, add_completion=False)
app.command("new")(own.new)
app.command("check")(own.check)


@app.callback(invoke_without_command=True)
def profiles(
    context: typer.Context,
    json: options.Json = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the page of the docs.")] = False,
) -> None:
    """List the hardware profiles: name, kind of evidence, title.

    Example: spikeledger profiles show loihi
    """
    if context.invoked_subcommand is not None:
        return
    from ..hardware.catalog import list_profiles, load_profile
    from .console import evidence, print_json, span

    devices = [load_profile(name) for name in list_profiles()]
    if json:
        print_json(
            [
                {
                    "name": one.name,
                    "evidence": evidence(one),
                    "range": span(one),
                    "title": one.title,
                    "runs": list(one.runs),
                }
                for one in devices
            ]
        )
        return
    if markdown:
        print(own.catalogue(devices), end="")
        return
    for one in devices:
        print(f"{one.name}: {one.title}")
        print(f"    {span(one)}; {', '.join(evidence(one))}; runs {', '.join(one.runs)}")


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
    timing = device.timing
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
