"""`spikeledger cite`: what a paper has to say of joules: methods, a table of prices and their works. Needs no torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import FileFormatError, InputError
from ..reading import is_folder, is_there
from . import options
from .console import tell

if TYPE_CHECKING:
    from ..ledger import Ledger


def cite(
    file: Annotated[
        Path,
        typer.Argument(help="An activity, or the folder that 'spikeledger compare' wrote.", metavar="ACTIVITY"),
    ],
    profile: Annotated[
        list[str] | None, typer.Option(help="Device; may be given several times. A folder's own by default.")
    ] = None,
    bill: options.Bill = None,
    out: Annotated[Path, typer.Option(help="Folder for methods.tex and references.bib.")] = Path("paper"),
    allow_uncounted: options.AllowUncounted = False,
    json: options.Json = False,
) -> None:
    """Write what a paper needs: the methods paragraph, the table of prices in LaTeX, and all their works in BibTeX.

    Writes methods.tex, which compiles by itself with references.bib, and prints the paragraph.

    Example: spikeledger cite comparison --out paper
    """
    from ..methods import methods
    from ..writing import write_whole
    from . import folders
    from .console import print_json

    if not is_there(file):
        raise FileFormatError(f"there is no file '{file}': give an activity, or the folder of a comparison")
    table = ""
    folder = file.parent if file.name == "comparison.json" else file
    if is_folder(folder):
        ledgers, table = _of_comparison(folder, profile, bill, allow_uncounted)
    elif not profile:
        raise InputError(
            f"'{file}' is no folder of a comparison; for an activity, say with --profile where it is priced"
        )
    else:
        ledgers = _of_activity(file, profile, bill, allow_uncounted)
    found = methods(*ledgers)
    if json:
        print_json(
            {"paragraph": found.paragraph, "table": found.table, "bibtex": found.bibtex, "comparison": table or None}
        )
        return
    folders.prepare(out)
    write_whole(out / "references.bib", found.bibtex)
    write_whole(out / "methods.tex", found.to_latex(more=table))
    tell(found.paragraph)
    tell(f"written: {out / 'methods.tex'}, {out / 'references.bib'}")


def _of_activity(file: Path, profiles: list[str], bill: str | None, allow_uncounted: bool) -> list[Ledger]:
    from ..activity import Activity
    from ..ledger import price

    activity = Activity.load(file)
    return [price(activity, name, bill=bill, allow_uncounted=allow_uncounted) for name in profiles]


def _of_comparison(
    folder: Path, profiles: list[str] | None, bill: str | None, allow_uncounted: bool
) -> tuple[list[Ledger], str]:
    """The ledgers of a comparison's own devices, priced again from its activities, and its table of verdicts."""
    from ..activity import Activity
    from ..ledger import price
    from ..study.summary import to_latex
    from .show import read_json

    told = read_json(folder / "comparison.json")
    wanted: list[tuple[str, str, str | None]] = []
    try:
        for match in () if profiles else told["matches"]:
            for side in ("ann", "snn"):
                ledger = match[side]["ledger"]
                if ledger is not None:
                    wanted.append((side, str(match[side]["profile"]), bill or str(ledger["bill"])))
        table = to_latex(told)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise FileFormatError(f"'{folder}' holds no whole comparison ({error!r}): compare again") from error
    wanted += [(side, name, bill) for name in profiles or () for side in ("ann", "snn")]
    ledgers: list[Any] = []
    for side, name, own in dict.fromkeys(wanted):
        activity = Activity.load(folder / f"{side}-activity.npz")
        ledgers.append(price(activity, name, bill=own, allow_uncounted=allow_uncounted))
    if not ledgers:
        raise InputError(f"no side of the comparison in '{folder}' has a price: name a device with --profile")
    return ledgers, table
