"""`spikeledger search`: the network that costs least, among all that a file allows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
import typer.core

from . import options
from .console import tell
from .study import Cluster, Drop, Set, Threads, changes

if TYPE_CHECKING:
    from ..search.findings import Findings
    from ..search.running import Search


class _FileFirst(typer.core.TyperGroup):
    """`search FILE` is `search run FILE`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and not args[0].startswith("-") and args[0] not in self.commands:
            args = ["run", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(cls=_FileFirst, rich_markup_mode=None, add_completion=False)

File = Annotated[Path, typer.Argument(help="The search: a TOML file.")]
Folder = Annotated[Path, typer.Argument(help="The folder that a search was run into.")]
Out = Annotated[Path | None, typer.Option("--out", "-o", help="Folder for its trials; the search's name by default.")]
Storage = Annotated[
    Path | None, typer.Option("--optuna", help="Also write a storage file that Optuna's dashboard opens.")
]
Board = Annotated[
    Path | None, typer.Option("--tensorboard", help="Also log every point to this folder for TensorBoard.")
]


@app.callback()
def search() -> None:
    """Search over settings of an experiment; what was finished is never run again."""


@app.command("run", short_help="Search until the budget is spent.")
def run(
    file: File, out: Out = None, cluster: Cluster = None, threads: Threads = 1, settings: Set = None,
    drop: Drop = False, optuna: Storage = None, tensorboard: Board = None, json: options.Json = False,
) -> None:  # fmt: skip
    """Search until the budget of the file is spent, beside random search, and write a page and the front's networks.

    Ctrl-C lets the running trials finish, and a second one drops them; the next run goes on.

    Example: spikeledger search studies/search_randman.toml --cluster local:2
    """
    from ..search.exports import check_exports
    from ..search.plan import read_search
    from ..search.running import run_search
    from .trial_progress import watching

    check_exports(optuna, tensorboard)
    plan = read_search(file, changes(settings))
    arms = 1 + (plan.random and plan.sampler != "random")
    total = arms * plan.trials if plan.trials and len(plan.rungs) == 1 else None
    so_far: list[Search] = []
    with watching(total, lambda: _so_far(so_far[-1]) if so_far else "") as tell:
        found = run_search(
            plan, out or Path(plan.study.name), cluster=cluster, threads=threads, tell=tell, drop=drop,
            each_round=so_far.append,
        )  # fmt: skip
    _finish(found, f"spikeledger search {file}", optuna, tensorboard, json)


@app.command("show", short_help="What was found; page and pictures.")
def show(folder: Folder, optuna: Storage = None, tensorboard: Board = None, json: options.Json = False) -> None:
    """Say what a search found, and write its page and its pictures again; needs no training.

    Example: spikeledger search show my-search
    """
    from ..search.running import read_search_folder

    _finish(read_search_folder(folder), f"spikeledger search show {folder}", optuna, tensorboard, json)


@app.command("reprice", short_help="Price the points on another device.")
def reprice(
    folder: Folder,
    profile: Annotated[str, typer.Option(help="Another device: a name, or a TOML file.")],
    json: options.Json = False,
) -> None:
    """Price every point of a search on another device, without training, and say how the order changes.

    Example: spikeledger search reprice my-search --profile seneca-22nm
    """
    from ..search.pricing import reprice as price_again
    from ..search.running import read_search_folder
    from .console import print_json

    found = price_again(read_search_folder(folder), profile)
    if json:
        print_json(found.to_dict())
        return
    from rich.console import Console

    from ..report.terminal_tables import print_table
    from ..report.trials import said

    others = list(found.points[0].others)
    names = ("trial", *others, found.objective, f"on {found.device}", "rank", "front")
    fates = {(True, True): "stays", (True, False): "leaves", (False, True): "joins"}
    rows = [
        (
            point.key[:8], *(said(name, point.others[name]) for name in others), said("joules", point.before),
            said("joules", point.joules), f"{point.rank_before} -> {point.rank}", fates[point.front_before, point.front],
        )
        for point in sorted((one for one in found.points if one.front or one.front_before), key=lambda one: one.joules)
    ]  # fmt: skip
    tell(f"{found.objective} -> {found.device}, {len(found.points)} points")
    print_table(Console(), names, rows, numbers=range(1, len(names)), whole=range(len(names)))
    tell(
        f"{found.turned:,} of {found.pairs:,} pairs of points are in another order on {found.device} than by {found.objective}"
    )


def _so_far(search: Search) -> str:
    """What was found so far, in a line."""
    from ..report.trials import said
    from ..search.findings import courses

    volumes = ", ".join(f"{each.arm} {each.volumes[-1]:.4g}" for each in courses(search))
    best = []
    for name in search.aims.objectives:
        values = [float(row.single[name]) for _, row in search.feasible]
        if values:
            best.append(f"{name} {said(name, max(values) if name in search.aims.maximise else min(values))}")
    return f"best so far: {', '.join(best) or 'none meets the constraints'}; hypervolume: {volumes or 'none'}"


def _finish(search: Search, again: str, optuna: Path | None, tensorboard: Path | None, json: bool) -> None:
    from ..report.search_page import write_search
    from ..search.findings import copy_front, findings
    from .console import print_json, say

    found = findings(search)
    folder = search.store.folder
    page = write_search(found, folder / "search.html", again=again)
    networks = copy_front(found)
    if optuna is not None or tensorboard is not None:
        from ..search import exports

        if optuna is not None:
            exports.write_optuna(search, optuna)
        if tensorboard is not None:
            exports.write_tensorboard(search, tensorboard)
    if json:
        print_json(found.to_dict())
        return
    _print(found)
    say(f"page: {page}; the front's networks: {networks[0].parent if networks else 'none were kept'}")


def _print(found: Findings) -> None:
    from ..report.search_pictures import SAYS_LITTLE, plot_courses, plot_front
    from ..report.trials import said

    aims = found.search.aims
    several = any(len(each.rows) > 1 for each in found.search.tried)
    tell(found.search.title)
    for number, point in enumerate(found.front, 1):
        values: list[Any] = []
        for name in aims.objectives:
            doubt = f" ± {said(name, point.deviations[name])}" if name in point.deviations else ""
            values.append(f"{name} {said(name, point.values[name])}{doubt}")
        score = point.row.single.get("tradeoff")
        chosen = ", ".join(f"{name} {said(name, value)}" for name, value in point.tried.chosen.items())
        told = f"{number:02}{' knee' if point.knee else ''}  {', '.join(values)}"
        chosen += f", rung {point.rung + 1}" if several else ""
        told += f", tradeoff {score:.4f}" if isinstance(score, float) else ""
        tell(f"{told}; {chosen}")
    tell(plot_front(found).says)
    tell(f"hypervolume: {plot_courses(found.courses).says}")
    for each in found.influences:
        first = ", ".join(f"{name} {100 * share:.0f} %" for name, share in list(each.shares.items())[:3])
        explained = f"{100 * max(each.explained, 0):.0f} % explained"
        told = f"{each.objective} is moved by {first} ({explained})"
        if each.explained < SAYS_LITTLE:
            told = f"what moves {each.objective} cannot be said ({explained})"
        tell(told)
