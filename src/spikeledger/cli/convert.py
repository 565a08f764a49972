"""`spikeledger convert`: a trained ANN as a spiking network, and what that keeps and costs for several T."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from . import options
from .console import tell


def convert(
    network: Annotated[str, typer.Argument(help="Folder with a saved ANN, or your own file.py:function.")],
    data: options.Data = "digits",
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder for the spiking network.")] = None,
    method: Annotated[
        str,
        typer.Option(help="auto, least_squares, least_divergence, max, a percentile (99.9%), a fraction (1/3), qcfs."),
    ] = "auto",
    timesteps: Annotated[int | None, typer.Option(help="T; with auto it is chosen if it is not given.")] = None,
    granularity: Annotated[str, typer.Option(help="One threshold a layer or a channel.")] = "layer",
    schedule: Annotated[
        str, typer.Option(help="layers: one after the other, exact; together: all at once, sooner.")
    ] = "layers",
    coding: Annotated[
        str, typer.Option("--input", help="direct: the image as current; spikes: pixels are neurons.")
    ] = "direct",
    read_out: Annotated[str, typer.Option(help="membrane, or rate, which chips need.")] = "membrane",
    most_loss: Annotated[
        float, typer.Option(help="Points that auto may lose; 0: what comes nearest to the ANN's answers.")
    ] = 0.2,
    epochs: Annotated[int, typer.Option(help="Of qcfs, which trains the ANN on.")] = 1,
    over: Annotated[str, typer.Option(help="Several T to report on, such as 2,4,8,16: accuracy, errors, joules.")] = "",
    pictures: Annotated[Path | None, typer.Option(help="Folder for the report's pictures (.svg), with --over.")] = None,
    profile: Annotated[str, typer.Option(help="Device of the report.")] = "horowitz-45nm",
    seed: options.Seed = 0,
    root: options.Root = None,
    json: options.Json = False,
) -> None:
    """Convert an ANN to a spiking network; layers that have no spiking counterpart are named.

    Example: spikeledger convert my-ann --data mnist --timesteps 8 -o my-snn
    """
    from ..errors import InputError
    from . import building, console, folders

    steps = [_whole(each) for each in over.split(",") if each.strip()]
    if pictures is not None and not steps:
        raise InputError("--pictures draws the report of --over: give both")
    if out is None and not steps:
        raise InputError("nothing would be kept: give --out for the network, or --over for a report")
    for folder in (out, pictures):
        if folder is not None:
            folders.check_folder(folder)
    from ..conversion import convert as convert_ann
    from ..datasets import load_dataset
    from ..training.checkpoints import save_network

    ann = building.find_network(network)
    part = load_dataset(data, root=root)
    asked: dict[str, Any] = {
        "method": method, "granularity": granularity, "schedule": schedule, "input": coding, "read_out": read_out,
        "most_loss": most_loss, "epochs": epochs, "seed": seed,
    }  # fmt: skip
    said: dict[str, object] = {}
    if out is not None:
        made = convert_ann(ann, part, timesteps=timesteps, **asked)
        save_network(out, made)
        found = made.conversion
        said = {
            "said": found.said, "timesteps": found.plan.steps, "latency_steps": found.latency_steps, "folder": str(out),
            "populations": [
                {"name": p.name, "neurons": p.neurons, "clipped": p.clipped, "rate_error": p.rate_error, "first_step": p.first}
                for p in found.populations
            ],
        }  # fmt: skip
        if not json:
            tell(f"{found.said}; saved in {out}")
    if steps:
        from ..study.conversions import over_steps

        report = over_steps(ann, part, timesteps=steps, profile=profile, **asked)
        said["report"] = report.to_dict()
        if pictures is not None:
            from ..report import curves

            folders.prepare(pictures)
            curves.plot_conversion_accuracy(report).save(pictures / "accuracy.svg")
            curves.plot_conversion_joules(report).save(pictures / "joules.svg")
        if not json:
            tell(f"the ANN is right in {100 * report.ann_accuracy:.2f} %, at {report.ann_joules:.3g} J a sample")
            tell(f"{'T':>4} {'steps':>6} {'right':>8} {'error':>7} {'spikes':>10} {'joules':>10} {'recomputed':>10}")
            for row in report.rows:
                each = asdict(row)
                tell(
                    f"{row.timesteps:>4} {row.latency_steps:>6} {100 * row.accuracy:>7.2f}% {each['rate_error']:>7.3f} "
                    f"{row.spikes:>10,.0f} {row.joules:>10.3g} {row.joules_recomputed:>10.3g}"
                )
            tell(report.said)
    if json:
        console.print_json(said)


def _whole(text: str) -> int:
    from ..errors import InputError

    if not text.strip().isdigit() or int(text) < 1:
        raise InputError(f"--over has '{text.strip()}', but takes whole numbers from 1 on: 2,4,8,16")
    return int(text)
