"""`spikeledger study`: the trials of a study's file, run where there is room, each of them once."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any

import typer

from . import options
from .console import tell

app = typer.Typer(rich_markup_mode=None, add_completion=False)

File = Annotated[Path, typer.Argument(help="The study: a TOML file.")]
Folder = Annotated[Path, typer.Argument(help="The folder that a study was run into.")]
Out = Annotated[Path | None, typer.Option("--out", "-o", help="Folder for its trials; the study's name by default.")]
Cluster = Annotated[
    str | None, typer.Option(help="Where trials run: local:N for N processes, or a Dask scheduler, tcp://HOST:PORT.")
]
Threads = Annotated[int, typer.Option(help="Threads of torch in each trial; figures depend on it.")]
Set = Annotated[
    list[str] | None, typer.Option("--set", help="A setting that differs from the file's: epochs=2, 'seed=[0, 1]'.")
]
Drop = Annotated[
    bool,
    typer.Option("--drop", help="Let Ctrl-C drop the running trials at once; without, the first one lets them end."),
]


@app.callback()
def study() -> None:
    """Run studies: files that say which trials there are; what was finished is never run again."""


@app.command("run", short_help="Run the trials that are missing.")
def run(
    file: File, out: Out = None, cluster: Cluster = None, threads: Threads = 1, settings: Set = None,
    drop: Drop = False, json: options.Json = False,
) -> None:  # fmt: skip
    """Run the trials of a study that are not in its folder yet, and print all of them.

    Ctrl-C lets the running trials finish, and a second one drops them; the next run goes on.

    Example: spikeledger study run studies/energy_budget.toml --cluster local:2
    """
    from ..trials.runner import run as run_study
    from ..trials.study import read_study
    from .trial_progress import watching

    asked = read_study(file, changes(settings))
    with watching(len(asked.trials)) as tell:
        rows = run_study(asked, out or Path(asked.name), cluster=cluster, threads=threads, tell=tell, drop=drop)
    _print(rows, asked.title, json)


@app.command("status", short_help="How far a study is.")
def status(folder: Folder, json: options.Json = False) -> None:
    """Say how many of a study's trials are finished, which failed and why, and what the rest may take.

    Example: spikeledger study status energy-budget
    """
    from ..trials.runner import read_plan
    from ..units import duration
    from .console import print_json

    store, plan = read_plan(folder)
    keys = list(plan["trials"])
    done = [store.rows[key] for key in keys if key in store.rows]
    failures = {key: why for key, why in store.failures().items() if key in plan["trials"]}
    left = len(keys) - len(done)
    mean = sum(row.seconds for row in done) / len(done) if done else None
    told = {
        "name": plan["name"], "trials": len(keys), "finished": len(done), "failed": failures,
        "other_trials": len(store.rows) - len(done), "cut_files": store.set_aside,
        "seconds_left_one_worker": None if mean is None else left * mean,
    }  # fmt: skip
    if json:
        print_json(told)
        return
    tell(f"{plan['title']}: {len(done)} of {len(keys)} trials are finished")
    if mean is not None and left:
        tell(f"{left} are left, about {duration(left * mean)} of one worker")
    for key, why in failures.items():
        tell(f"failed: {key}: {why}")
    if told["other_trials"]:
        tell(f"{told['other_trials']} more are of other settings: they stay, and are not part of it")
    if store.set_aside:
        tell(f"{len(store.set_aside)} files were cut and count as not run: {', '.join(store.set_aside)}")


@app.command("show", short_help="Print the finished trials.")
def show(folder: Folder, json: options.Json = False) -> None:
    """Print the finished trials of a study: the settings that differ, and the results.

    Example: spikeledger study show energy-budget
    """
    from ..trials.runner import read_plan

    store, plan = read_plan(folder)
    _print([store.rows[key] for key in plan["trials"] if key in store.rows], plan["title"], json)


@app.command("report", short_help="The published comparison beside ours.")
def report(
    folders: Annotated[list[Path] | None, typer.Argument(help="Folders that the published comparison was run into.")] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the tables, the figures and the page.")] = Path("paper"),
    json: options.Json = False,
) -> None:  # fmt: skip
    """Write the published comparison beside ours: tables 1 to 7, figures 7 to 17, and one page.

    Without a folder, what is printed and what its arithmetic gives; all that is trained is then said to be not run.

    Example: spikeledger study report paper-mnist --out paper
    """
    from ..report.paper_page import read_trials, write_paper
    from .console import print_json

    page = write_paper(folders or [], out)
    if json:
        print_json({"page": str(page), "said": read_trials(folders or [])[1]})
        return
    for each in read_trials(folders or [])[1]:
        tell(each)
    tell(f"{page}, and beside it tables.md, tables.tex, times.md and the figures")


def changes(given: list[str] | None) -> dict[str, Any]:
    """The settings of `--set`, whose values are TOML; what is none is a text."""
    from ..errors import InputError

    found: dict[str, Any] = {}
    for each in given or ():
        name, equals, value = each.partition("=")
        if not equals or not name.strip():
            raise InputError(f"--set is '{each}', but needs a name and a value: epochs=2")
        if name.strip() in found:
            raise InputError(f"--set gives {name.strip()} twice: for a trial of each value, {name.strip()}=[...]")
        try:
            found[name.strip()] = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            found[name.strip()] = value.strip()
        except RecursionError:
            raise InputError(
                f"--set {name.strip()} is a list that is nested too deep: give a value, or a list of values"
            ) from None
    return found


def _print(rows: list[Any], title: str, json: bool) -> None:
    from dataclasses import asdict

    from .console import print_json

    if json:
        print_json({"title": title, "trials": [asdict(row) for row in rows]})
        return
    from rich.console import Console

    from ..report.trials import show_trials

    show_trials(rows, title, Console())
