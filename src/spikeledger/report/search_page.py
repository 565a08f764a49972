"""A search as one self-contained page: `write_search(findings, "search.html")`, and its pictures as SVG and PNG."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from .. import __version__
from ..writing import write_whole
from .drawing import Picture
from .markup import Html, figure, gallery, h, section, table
from .search_pictures import plot_courses, plot_front, plot_influence
from .shell import brand, document
from .trials import said

if TYPE_CHECKING:
    from ..search.findings import Findings, Point

#: points that the leaderboard names
LEADERS = 20
#: a result that chose nothing, where an experiment has it
TESTED = "test_accuracy"


def pictures(found: Findings) -> dict[str, Picture]:
    """All pictures of a search, by the name of their file."""
    aims = found.search.aims
    drawn = {"front": plot_front(found)}
    for name in aims.minimise[1:]:
        drawn[f"front-{name}"] = plot_front(found, across_name=name)
    drawn["hypervolume"] = plot_courses(found.courses)
    return {**drawn, **{f"influence-{each.objective}": plot_influence(each) for each in found.influences}}


def write_search(found: Findings, path: str | os.PathLike[str], *, again: str = "") -> Path:
    """Write the page, and beside it each picture as SVG and PNG.

    Args:
        again: the command that makes it again.
    """
    target = Path(path)
    drawn = pictures(found)
    for name, picture in drawn.items():
        for ending in ("svg", "png"):
            picture.save(target.with_name(f"{name}.{ending}"))
    return write_whole(target, search_page(found, drawn, again))


def search_page(found: Findings, drawn: dict[str, Picture], again: str = "") -> str:
    """The page as text: the front, the budget, what the settings do, every point of the front, and the leaderboard."""
    search = found.search
    arms = {each.arm for each in search.tried}
    random = "Random search had the same budget." if "random" in arms else "Random search was not run beside it."
    fronts = [figure(picture, name) for name, picture in drawn.items() if name.startswith("front")]
    influences = [figure(picture, name) for name, picture in drawn.items() if name.startswith("influence")]
    parts = [
        section("front", "The front", gallery(fronts), _table("Networks of the front", found, found.front), *_explained(found)),
        section(
            "budget", "What the budget bought", gallery([figure(drawn["hypervolume"], "hypervolume")]),
            h("p", "The volume lies between the front and what is worst among all networks; amounts count by their logarithm. "
                   + random, class_="quiet"),
        ),
        section("settings", "What the settings do", gallery(influences) if influences else h("p", "Too few points to say.")),
        section("leaders", "The trade-off score", *_leaders(found)),
    ]  # fmt: skip
    if again:
        parts.append(section("again", "Do it again", h("pre", h("code", again))))
    links = h("nav", h("ul", *(h("li", part.link()) for part in parts)), aria_label="On this page")
    stopped = sum(each.stopped for each in search.tried)
    failed = sum(each.row is None for each in search.tried)
    says = f"{len(search.tried)} points of the space were tried, "
    says += f"{stopped} of them stopped early and {failed} failed. {drawn['front'].says}"
    head = h("header", brand(), h("h1", h("span", search.title)), h("p", says, class_="answer"), links)
    foot = h(
        "footer", f"Made by SpikeLedger {__version__}. Joules are estimated from recorded events and cited prices."
    )
    return document(search.title, h("main", head, *(part.html() for part in parts), foot))


def _table(caption: str, found: Findings, points: list[Point]) -> Html:
    objectives = found.search.aims.objectives
    settings = list(points[0].tried.chosen) if points else []
    tested = [
        name for name in (TESTED,) if any(name in point.row.single for point in points) and name not in objectives
    ]
    rows = [
        (
            f"{number:02}" + (" (knee)" if point.knee else ""),
            *(_with_doubt(point, name) for name in objectives),
            *(said(name, point.row.single.get(name)) for name in tested),
            *(said(name, point.tried.chosen.get(name)) for name in settings),
            str(point.rung + 1), str(point.seeds), point.tried.arm, point.row.key,
        )
        for number, point in enumerate(points, 1)
    ]  # fmt: skip
    return table(caption, ("front", *objectives, *tested, *settings, "rung", "seeds", "found by", "trial"), rows)


def _explained(found: Findings) -> list[Html]:
    """What the columns of the front's table mean, as far as it has them."""
    told = []
    if any(TESTED in point.row.single for point in found.front) and TESTED not in found.search.aims.objectives:
        told.append("accuracy is of samples that the search chose by, and test_accuracy of samples that chose nothing.")
    if any(len(each.rows) > 1 for each in found.search.tried):
        told.append("A rung counts how often a network was trained on: its settings are those of the search's file.")
    if any(point.row.files for point in found.front):
        told.append("The networks and their activities lie in the folders front/01, front/02, ... beside this page.")
    return [h("p", " ".join(told), class_="quiet")] if told else []


def _with_doubt(point: Point, name: str) -> str:
    value = said(name, point.values[name])
    return f"{value} ± {said(name, point.deviations[name])}" if name in point.deviations else value


def _leaders(found: Findings) -> list[Html]:
    scored = [(each.row.single["tradeoff"], each) for each in found.points if "tradeoff" in each.row.single]
    if not scored:
        return [h("p", "These trials have no result called tradeoff.")]
    scored.sort(key=lambda each: -each[0])
    objectives = found.search.aims.objectives
    settings = list(scored[0][1].tried.chosen)
    rows = [
        (
            str(place), f"{score:.4f}", *(said(name, point.values[name]) for name in objectives),
            *(said(name, point.tried.chosen.get(name)) for name in settings), str(point.rung + 1), point.tried.arm,
            point.row.key,
        )
        for place, (score, point) in enumerate(scored[:LEADERS], 1)
    ]  # fmt: skip
    return [
        h("p", "0.5 accuracy + 0.5 (10,000 nJ - E) / 10,000 nJ, the score of the Neuro4ML course's exercise, with E by fan-out "
               "and a sample on its chip."),
        table("Leaderboard", ("place", "score", *objectives, *settings, "rung", "found by", "trial"), rows),
    ]  # fmt: skip
