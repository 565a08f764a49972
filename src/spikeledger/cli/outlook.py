"""`spikeledger outlook`: brains, training runs and answers from cited numbers, what they follow, and what clashes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..errors import InputError, unknown_name
from . import options

_FIRST = ("comparison", "fits", "projections")


def outlook(
    check: Annotated[
        bool, typer.Option("--check", help="Print where published numbers contradict each other.")
    ] = False,
    table: Annotated[
        list[str] | None, typer.Option(help="Print this table; may be given several times, 'all' prints every one.")
    ] = None,
    flop: Annotated[
        float | None, typer.Option(help="Project a training run of so many operations; needs --year.")
    ] = None,
    parameters: Annotated[float | None, typer.Option(help="Project a training run of a model of this size.")] = None,
    year: Annotated[float | None, typer.Option(help="The year of that run, such as 2026.5.")] = None,
    runs: Annotated[
        str, typer.Option(help="Through which runs a projection goes: published, metered, dense, epoch.")
    ] = "published",
    band: Annotated[
        bool, typer.Option("--band/--no-band", help="The 95 % band of a projection, needed far from the data.")
    ] = True,
    out: Annotated[Path | None, typer.Option(help="Folder for the page, its pictures and its numbers.")] = None,
    json: options.Json = False,
) -> None:
    """Show what a brain, a training run and an answer need, by whose word, and what that follows. Needs no network.

    Example: spikeledger outlook --out outlook
    """
    from ..outlook import check as contradictions
    from ..outlook import project, tables, to_dict
    from ..report.outlook_text import show_contradictions, show_sheets
    from .console import print_json, say, tell

    sheets = tables()
    asked = list(sheets) if table and "all" in table else (table or [])
    for name in asked:
        if name not in sheets:
            raise unknown_name("table", name, [*sheets, "all"])
    projecting = not (flop is None and parameters is None and year is None)
    if sum((check, bool(asked), projecting)) > 1:
        raise InputError("--check, --table and a projection were asked at once: ask for one of them")
    projection = project(flop=flop, parameters=parameters, year=year, runs=runs, band=band) if projecting else None
    if out is not None:
        say(f"The page is {_written(out)}")
    if json:
        if projection is not None:
            print_json(projection.to_dict())
        elif check:
            print_json([one.to_dict() for one in contradictions()])
        elif asked:
            print_json({name: sheets[name].to_dict() for name in asked})
        else:
            print_json(to_dict())
    elif projection is not None:
        tell(projection.says())
    elif check:
        show_contradictions(contradictions())
    elif asked:
        show_sheets(sheets[name] for name in asked)
    elif out is None:
        show_sheets(sheets[name] for name in _FIRST)
        tell(f"{len(contradictions())} numbers clash: --check prints them. Tables: {', '.join(sheets)}.")


def _written(folder: Path) -> Path:
    import json

    from ..outlook import to_dict
    from ..report.outlook_page import write_outlook
    from ..report.outlook_pictures import figures
    from ..writing import write_whole
    from .folders import prepare

    pictures = prepare(prepare(folder) / "pictures")
    for one in figures():
        one.picture.save(pictures / f"{one.name}.svg")
    text = json.dumps(to_dict(), ensure_ascii=False, allow_nan=False, indent=2)
    write_whole(folder / "outlook.json", text + "\n")
    return write_outlook(folder / "outlook.html")
