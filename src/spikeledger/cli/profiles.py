"""`spikeledger profiles`: which devices there are, and where each number comes from."""

from __future__ import annotations

from typing import Annotated

import typer

from . import options, own

app = typer.Typer(rich_markup_mode=None, add_completion=False)
app.command("new", short_help="Write a profile to start from.")(own.new)
app.command("check", short_help="What a profile lacks and rests on.")(own.check)


@app.callback(invoke_without_command=True)
def profiles(
    context: typer.Context,
    json: options.Json = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the page of the docs.")] = False,
) -> None:
    """List the hardware profiles: name, kind of evidence, title.

    Example: spikeledger profiles show loihi
    """
    if context.invoked_subcommand is None:
        listing(json=json, markdown=markdown)


@app.command("list")
def listing(
    json: options.Json = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the page of the docs.")] = False,
) -> None:
    """List the hardware profiles: name, kind of evidence, title.

    Example: spikeledger profiles list
    """
    from ..hardware.catalog import list_profiles, load_profile
    from .console import evidence, print_json, span, tell

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
        tell(f"{one.name}: {one.title}")
        tell(f"    {span(one)}; {', '.join(evidence(one))}; runs {', '.join(one.runs)}")


@app.command("show", short_help="A device's card: prices and sources.")
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
    device.show()
