"""`write_paper(folders, out)`: the published comparison beside ours, as tables, pictures and one self-contained page."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from .. import __version__
from ..activity import Activity
from ..errors import InputError
from ..trials import Row
from ..trials.runner import read_plan
from ..trials.store import Store
from ..writing import closed, write_whole
from .drawing import Picture
from .markup import Html, figure, gallery, h, section
from .paper_pictures import paper_pictures
from .paper_sheets import NOT_RUN, Sheet, Trials, sheets, times
from .shell import brand, document

#: experiments whose trials stand in the report
EXPERIMENTS = ("paper", "paper-flowers")
_TITLE = "ANN, trained SNN and converted SNN: a published comparison, as printed and corrected"
_SOURCE = "Cassetta, Di Trani & Cavalagli, On the spiking neural networks, 24 June 2023"
_ACTIVITY = "activity.npz"


def read_trials(folders: Sequence[str | os.PathLike[str]]) -> tuple[Trials, list[str]]:
    """The finished trials of studies' folders, and one sentence a folder on what is finished.

    Raises:
        InputError: a folder that holds no study, or none of this comparison.
    """
    rows: list[Row] = []
    stores: dict[str, Store] = {}
    said = []
    for folder in folders:
        store, plan = read_plan(folder)
        done = [store.rows[key] for key in plan["trials"] if key in store.rows]
        other = next(
            (row.identity["experiment"] for row in done if row.identity["experiment"] not in EXPERIMENTS), None
        )
        if other is not None:
            raise InputError(
                f"'{folder}' holds trials of '{other}', but the report is of {' and '.join(EXPERIMENTS)}: use 'study show'"
            )
        rows += done
        stores |= {row.key: store for row in done}
        said.append(f"{plan['title']}: {len(done)} of {len(plan['trials'])} trials are finished.")

    def activity(row: Row) -> Activity | None:
        if _ACTIVITY not in row.files:
            return None
        return Activity.load(stores[row.key].path(row.key, _ACTIVITY))

    return Trials(tuple(rows), activity), said or ["No study was given: everything that is trained is not run here."]


def write_paper(folders: Sequence[str | os.PathLike[str]], out: str | os.PathLike[str]) -> Path:
    """Write `tables.md`, `tables.tex`, `times.md`, each figure as SVG, and `paper.html`; returns the page.

    The tables and figures depend on the trials alone: the same trials give the same bytes, whatever stopped on the way.
    Times are of a machine, so they have a file of their own.

    Raises:
        InputError: folders that hold no such study, or a place that cannot be written to.
    """
    trials, said = read_trials(folders)
    place = Path(out)
    found, drawn, timed = sheets(trials), paper_pictures(trials), times(trials)
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise closed(place, error) from error
    head = f"# {_TITLE}\n\n{_SOURCE}\n\n" + "".join(f"- {each}\n" for each in said) + "\n"
    write_whole(place / "tables.md", head + "\n".join(each.markdown() for each in found))
    write_whole(place / "tables.tex", "\n".join(each.latex() for each in found))
    write_whole(place / "times.md", timed.markdown())
    for name, picture in drawn.items():
        picture.save(place / f"{name}.svg")
    return write_whole(place / "paper.html", _page(trials, said, found, timed, drawn))


def _page(trials: Trials, said: list[str], found: Sequence[Sheet], timed: Sheet, drawn: dict[str, Picture]) -> str:
    by_name = {sheet.name: sheet for sheet in found}

    def told(*names: str) -> list[Html]:
        return [part for name in names for part in (by_name[name].html(), h("p", by_name[name].note, class_="quiet"))]

    def pictures(*numbers: int) -> Html:
        return gallery([figure(each, name) for name, each in drawn.items() if int(name.split("-")[1]) in numbers])

    attacks = [str(row.values["said"]) for row in trials.rows if row.settings["kind"] == "robustness"]
    claim = (
        "The published sentence is that an SNN is natively extremely more robust. How its gradient was taken is not said; an "
        "attack whose gradient stops at the encoder changes nothing, and then accuracy stays where it was. With a gradient: "
        + (" ".join(attacks) if attacks else f"{NOT_RUN} here.")
    )
    parts = [
        section("accuracy", "Accuracy", *told("table-1", "table-2", "table-3", "table-4", "epochs")),
        section("energy", "Energy", *told("table-6"), pictures(12, 13), *told("table-7"), pictures(14, 15), *told("table-5"),
                pictures(16, 17)),
        section("winner", "Where the winner changes", *told("break-even", "bills")),
        section("robustness", "Noise and attacks", h("p", claim), pictures(7, 8),
                h("p", "Figure 9 is the attack: x + epsilon sign(dJ/dx), kept in [0, 1]."), pictures(10, 11)),
        section("times", "Times", timed.html(), h("p", timed.note, class_="quiet")),
        section("again", "Do it again", h("pre", h("code", _AGAIN))),
    ]  # fmt: skip
    links = h("nav", h("ul", *(h("li", part.link()) for part in parts)), aria_label="On this page")
    answer = h("p", " ".join(said), class_="answer")
    head = h("header", brand(), h("h1", h("span", _TITLE)), h("p", _SOURCE), answer, links)
    foot = h(
        "footer",
        f"Made by SpikeLedger {__version__}. Joules and kWh are estimated from counted events and cited prices.",
    )
    return document(_TITLE, h("main", head, *(part.html() for part in parts), foot))


_AGAIN = """spikeledger study run studies/paper-mnist.toml --cluster local:2
spikeledger study run studies/paper-cifar10.toml
spikeledger study run studies/paper-flowers102.toml
spikeledger study report paper-mnist paper-cifar10 paper-flowers102 --out paper"""
