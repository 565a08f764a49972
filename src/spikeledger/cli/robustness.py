"""`spikeledger robustness`: networks side by side under noise, faults of the chip, and attacks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import options
from .console import tell


def robustness(
    networks: Annotated[
        list[str], typer.Argument(help="Folders of saved networks, or file.py:function; name=... gives one a name.")
    ],
    data: options.Data = "digits",
    samples: Annotated[int, typer.Option(help="How many test samples.")] = 1000,
    noise: Annotated[str, typer.Option(help="Kinds of noise, with commas; all by default, none for none.")] = "all",
    attacks: Annotated[str, typer.Option(help="naive, fgsm, pgd, transfer, with commas.")] = "naive,fgsm,pgd,transfer",
    epsilons: Annotated[str, typer.Option(help="Sizes of the attacks, with commas; 0 to 1 by 0.05 by default.")] = "",
    pictures: Annotated[Path | None, typer.Option(help="Folder for the curves (.svg).")] = None,
    seed: options.Seed = 0,
    root: options.Root = None,
    json: options.Json = False,
) -> None:
    """How often networks are right under noise, faults and attacks, each on the same samples.

    Example: spikeledger robustness ann=my-ann snn=my-snn --data mnist --samples 500
    """
    from ..errors import InputError
    from ..reading import is_folder
    from ..stress.compare import ATTACKS, EPSILONS
    from ..stress.faults import KINDS
    from . import building, console, folders

    kinds = KINDS if noise == "all" else () if noise == "none" else tuple(_parts(noise))
    try:
        sizes = [float(each) for each in _parts(epsilons)] or list(EPSILONS)
    except ValueError as error:
        raise InputError(f"--epsilons is '{epsilons}', but takes numbers from 0 to 1: 0,0.05,0.1") from error
    if not kinds and attacks == "none":
        raise InputError("--noise and --attacks are both none: nothing would be asked of the networks")
    if pictures is not None:
        folders.check_folder(pictures)
    from ..datasets import load_dataset
    from ..stress import robustness as compare

    named = {}
    for each in networks:
        name, given, where = each.partition("=")
        name, where = (name, where) if given and not is_folder(each) else (Path(each).name, each)
        if not name:
            raise InputError(f"'{each}' gives no name: say NAME={where}")
        if pictures is not None and Path(name).name != name:
            raise InputError(f"'{name}' cannot be in the name of a picture: give that network a name without slashes")
        if name in named:
            raise InputError(f"two networks are called '{name}': give them names, such as a={where}")
        named[name] = building.find_network(where)
    asked = _parts(attacks) or list(ATTACKS)
    part = load_dataset(data, root=root)
    found = compare(
        named, part, noise=kinds, attacks=[] if attacks == "none" else asked, epsilons=sizes if attacks != "none" else [],
        samples=samples, seed=seed,
    )  # fmt: skip
    if pictures is not None:
        from ..report import curves

        folders.prepare(pictures)
        for kind in kinds:
            curves.plot_noise(found, kind).save(pictures / f"noise-{kind}.svg")
        for name in named if attacks != "none" else ():
            curves.plot_attacks(found, name).save(pictures / f"attacks-{name}.svg")
    if json:
        console.print_json(found.to_dict())
        return
    for row in found.rows:
        way = f" ({row.way})" if row.way else ""
        tell(
            f"{row.network:<12} {row.kind + way:<34} {row.level:>6g} {100 * row.accuracy:>6.1f} % "
            f"[{100 * row.low:.1f}, {100 * row.high:.1f}]{'  ' + row.label if row.label else ''}"
        )
    if attacks != "none":
        shares = ", ".join(f"{name} {100 * share:.1f} %" for name, share in found.without_gradient.items())
        tell(f"samples without a gradient: {shares}")
    for name, why in found.masked.items():
        if why:
            tell(f"{name} is masked, not robust: {why}")
    tell(found.said)


def _parts(text: str) -> list[str]:
    return [each.strip() for each in text.split(",") if each.strip()]
