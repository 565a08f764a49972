"""`spikeledger compare`: the main job, from data to a verdict and a report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import InputError, SpikeLedgerError
from . import options
from .console import tell

if TYPE_CHECKING:
    from ..study.comparison import Comparison

#: a network counts as there when its table is
RESULTS = (
    "report.html", "comparison.json", "live.html", "ann-activity.npz", "snn-activity.npz", "ann/network.toml",
    "snn/network.toml",
)  # fmt: skip


def compare(
    data: options.Data = "digits",
    network: Annotated[
        str, typer.Option(help="Network: mlp-s, mlp-m, mlp-l, cnn-s, cnn-m; several, comma-separated, with --points.")
    ] = "mlp-s",
    timesteps: options.Timesteps = 5,
    epochs: options.Epochs = 5,
    encoder: options.Encoder = "rate",
    neuron: options.Neuron = "lif",
    profiles: Annotated[
        str, typer.Option(help="Devices, comma-separated: names, TOML files, or 'ann_profile:snn_profile'.")
    ] = "horowitz-45nm,loihi,v100",
    bill: options.Bill = None,
    rate_hz: Annotated[float, typer.Option(help="Inferences per second, for the joules of a day.")] = 1.0,
    samples: options.Samples = None,
    loss: options.Loss = "rate",
    backend: options.Backend = "auto",
    seed: options.Seed = 0,
    root: options.Root = None,
    out: Annotated[Path, typer.Option(help="Folder for the report, the live page and the networks.")] = Path(
        "comparison"
    ),
    distribution: options.Distribution = "log-uniform",
    points: Annotated[
        float | None,
        typer.Option(help="Compare the cheapest ANN and SNN within so many percentage points of equal accuracy."),
    ] = None,
    details: Annotated[bool, typer.Option("--details", help="Print what is behind the verdicts too.")] = False,
    resume: options.Resume = False,
    json: options.Json = False,
) -> None:
    """Train a spiking network and its ordinary twin, count what they do, price it, and say which costs less.

    Writes report.html, live.html, comparison.json, both networks and both activities, in place of earlier ones. Each
    epoch is kept in the folder's `unfinished` until then: after a kill, --resume goes on with it.

    Example: spikeledger compare --data mnist --network mlp-s --timesteps 5 --epochs 5
    """
    from ..study.device_pairs import check_points, check_rate, pair

    wanted = [name.strip() for name in profiles.split(",") if name.strip()]
    pair(wanted)
    options.check_distribution(distribution)
    check_rate(rate_hz)
    names = list(dict.fromkeys(name.strip() for name in network.split(",") if name.strip())) or [network]
    if points is not None:
        check_points(points)
    elif len(names) > 1:
        raise InputError(
            f"--network names {len(names)} networks: say with --points how near in accuracy the two compared be"
        )
    options.at_least("samples", samples, 1)
    if bill is not None:
        from ..bills import BILLS
        from ..errors import unknown_name

        if bill not in BILLS:
            raise unknown_name("bill", bill, BILLS)

    from . import building, console, folders

    for name in names:
        building.check(data, name, timesteps=timesteps, epochs=epochs, encoder=encoder, seed=seed, neuron=neuron)
    from ..datasets import load_dataset
    from ..kernels.choice import name as name_of_backend
    from ..networks import zoo
    from ..study.comparison import compare as compare_networks
    from ..training import losses
    from ..training.checkpoints import save_network

    losses.loss(loss)
    with building.check_backend(backend):
        ran_on = name_of_backend()
        part = load_dataset(data, root=root)
        if samples is not None:
            part = part.subset(test=samples, seed=seed)
        folders.check_folder(out)
        asked = {
            "data": data, "network": ",".join(names), "timesteps": timesteps, "epochs": epochs, "encoder": encoder,
            "neuron": neuron, "loss": loss, "samples": samples, "seed": seed,
        }  # fmt: skip
        other = "" if neuron == "lif" else f"{neuron} neurons, "
        anns: dict[str, Any] = {}
        snns: dict[str, Any] = {}
        runs: dict[str, Any] = {}
        with folders.unfinished(out, asked, resume=resume) as work:
            for name in names:
                snn = building.spiking_network(
                    part, name, timesteps=timesteps, encoder=encoder, seed=seed, neuron=neuron
                )
                ann = zoo.twin(snn, seed=seed)
                called = {"ann": f"{name} ANN", "snn": f"{name} SNN, {other}{encoder} code, T = {timesteps}"}
                for kind, one in (("ann", ann), ("snn", snn)):
                    console.say(f"training the {kind.upper()} {name} on {data}")
                    own = (
                        "rate" if kind == "ann" and loss in losses.SPIKE_LOSSES else loss
                    )  # the twin has no spikes to time
                    run = building.trained(one, part, work / f"{kind}-{name}", epochs=epochs, seed=seed, loss=own)
                    if run.stopped:
                        raise KeyboardInterrupt
                    runs[called[kind]] = run
                anns[called["ann"]], snns[called["snn"]] = ann, snn
            with console.progress("recording the test samples") as progress:
                comparison = compare_networks(
                    anns, snns, part, profiles=wanted, bill=bill, rate_hz=rate_hz, seed=seed, progress=progress,
                    distribution=distribution, points=points, runs=runs,
                )  # fmt: skip
            told = {**comparison.to_dict(), "backend": ran_on}
            command = _command({
                **asked, "profiles": ",".join(wanted), "bill": bill, "rate-hz": rate_hz, "distribution": distribution,
                "points": points, "backend": backend,
            })  # fmt: skip
            folders.clear(out, RESULTS)
            for side, made, best in (("ann", anns, comparison.ann.name), ("snn", snns, comparison.snn.name)):
                save_network(out / side, made[best])
                for name, one in zip(names, made.values(), strict=True) if len(names) > 1 else ():
                    save_network(out / f"{side}-{name}", one)
            no_page = _live(anns[comparison.ann.name], snns[comparison.snn.name], part, out)
            _write(comparison, told, out, f"{command}\n# neurons ran on: {ran_on}", live=not no_page)
    if json:
        console.print_json(told)
        return
    from ..report.terminal_verdicts import show

    show(comparison, details=details)
    tell(f"report: {out / 'report.html'}" + ("" if no_page else f", and both networks at work: {out / 'live.html'}"))
    if no_page:
        tell(f"no live.html: {no_page}")


def _command(asked: dict[str, Any]) -> str:
    """The line that makes this comparison again; what is as by default is left out of it, but for the usual words."""
    usual = ("data", "network", "timesteps", "epochs", "encoder", "profiles", "seed")
    default = {"neuron": "lif", "rate-hz": 1.0, "distribution": "log-uniform", "loss": "rate", "backend": "auto"}
    line = "spikeledger compare" + "".join(f" --{name} {asked[name]}" for name in usual)
    rest = {name: value for name, value in asked.items() if name not in usual and value != default.get(name)}
    return line + "".join(f" --{name} {value}" for name, value in rest.items())


def _live(ann: Any, snn: Any, data: Any, out: Path) -> str:
    """Write the page in which both networks run, or are replayed; else why not, and no older one stays beside the report."""
    from ..live.networks import document_of
    from ..live.page import write_live

    try:
        document = document_of(ann, snn, data)
    except SpikeLedgerError as error:  # the report stands alone
        (out / "live.html").unlink(missing_ok=True)
        return str(error)
    write_live(document, out / "live.html")
    return ""


def _write(comparison: Comparison, told: dict[str, Any], out: Path, command: str, *, live: bool) -> None:
    import json

    from ..report.page import write_page
    from ..writing import write_whole

    for kind in ("ann", "snn"):
        getattr(comparison, kind).activity.save(out / f"{kind}-activity.npz")
    write_whole(out / "comparison.json", json.dumps(told, allow_nan=False, indent=1))
    write_page(comparison, out / "report.html", command=command, live="live.html" if live else "")
