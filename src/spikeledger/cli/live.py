"""`spikeledger live`: both networks in one page that can be mailed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import InputError
from . import options
from .console import tell

if TYPE_CHECKING:
    from torch import nn

    from ..datasets import Dataset


def live(
    data: Annotated[
        str | None, typer.Option(help="Data set: digits (its networks come along), mnist, fashion-mnist.")
    ] = None,
    comparison: options.Compared = None,
    ann: options.Ordinary = None,
    snn: options.Spiking = None,
    profiles: options.OwnProfiles = "",
    root: options.Root = None,
    out: Annotated[
        Path, typer.Option(help="The page; a film if it ends in .gif or .mp4, a still in .svg, .png or .pdf.")
    ] = Path("live.html"),
    on: Annotated[str, typer.Option(help="Of films and stills: the hardware, 'ann_profile:snn_profile'.")] = (
        "horowitz-45nm-int8:loihi"
    ),
    samples: Annotated[int, typer.Option(help="Of films and stills: how many test samples.")] = 12,
    still: Annotated[
        str, typer.Option(help="Which still: analysis (accuracy, joules, power, ratio) or sparsity.")
    ] = "analysis",
) -> None:
    """Write a page in which an ordinary and a spiking network read digits, and every joule can be followed.

    The page needs no server, no network and no install: perceptrons run inside it, other networks are replayed.

    Example: spikeledger live --out live.html
    """
    check(data, comparison, ann, snn)
    from . import building, folders

    folders.check_target(out)
    from ..hardware.catalog import load_profile

    own = [load_profile(one.strip()) for one in profiles.split(",") if one.strip()]
    from ..live import networks
    from ..live.page import write_live

    if out.suffix.lower() not in (".html", ".htm", ""):
        from ..live.film import check_film

        check_film(out, still)
        return _film(out, on, samples, still, networks_of(data, comparison, ann, snn, root))
    left, right, part = networks_of(data, comparison, ann, snn, root)
    with building.own_code():
        document = networks.document_of(left, right, part, profiles=own)
    write_live(document, out)
    for note in document.notes:
        tell(note)
    tell(f"page: {out} ({out.stat().st_size / 1000:.0f} kB)")


def _film(out: Path, on: str, samples: int, still: str, shown: tuple[nn.Module, nn.Module, Dataset]) -> None:
    from ..live.film import film
    from ..study.device_pairs import both_sides
    from . import building

    sides = both_sides(on)
    if sides is None:
        raise InputError(f"--on is '{on}', but needs the form ann_profile:snn_profile")
    left, right = sides
    with building.own_code():
        made = film(*shown, ann_profile=left, snn_profile=right, samples=samples)
    made.save(out, still=still)  # type: ignore[arg-type]
    tell(f"{out}: {samples} samples, ANN on {made.titles['ann']}, SNN on {made.titles['snn']}")


def check(data: str | None, comparison: Path | None, ann: str | None, snn: str | None) -> None:
    """Refuse options that do not go together."""
    if comparison is not None and (data or ann or snn):
        raise InputError("--comparison brings its own data and networks: leave out --data, --ann and --snn")
    if (ann is None) != (snn is None):
        raise InputError(f"--{'ann' if snn is None else 'snn'} was given alone: give both networks")


def networks_of(
    data: str | None, comparison: Path | None, ann: str | None, snn: str | None, root: Path | None
) -> tuple[nn.Module, nn.Module, Dataset]:
    """Both networks that were asked for, or those that come with the data, and the data."""
    from ..datasets import list_datasets, load_dataset
    from ..errors import unknown_name
    from ..live import networks
    from . import building, console

    name, left, right = data or "digits", None, None
    if comparison is not None:
        name, left, right = networks.compared(comparison)
    if name not in list_datasets():
        raise unknown_name("data set", name, list_datasets())
    part = load_dataset(name, root=root)
    if ann is not None and snn is not None:
        left, right = building.find_network(ann), building.find_network(snn)
    if left is None or right is None:
        left, right = networks.shipped() if name == "digits" else networks.cached(part, say=console.say)
    return left, right, part
