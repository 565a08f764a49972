"""`spikeledger chip`: does a network fit a chip, where does it lie, and what does it do there, step by step."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import options
from .console import tell

if TYPE_CHECKING:
    from torch import Tensor, nn

    from ..mapping.mapped import Mapped

app = typer.Typer(rich_markup_mode=None, add_completion=False)

_MOST_VALUES = 1 << 26  # of one sample

Source = Annotated[
    str, typer.Argument(help="Folder that 'spikeledger train' wrote, your own file.py:function, or a NIR file (.nir).")
]
Shape = Annotated[
    str | None, typer.Option(help="Shape of one sample at one step, such as 1x28x28; else found from --data.")
]
Timesteps = Annotated[
    int | None, typer.Option(help="Steps of a sequence, for a network that takes [T, B, ...]: no part of --shape.")
]
StepByStep = Annotated[
    bool, typer.Option("--step-by-step", help="The network takes one step a call: call it once for each.")
]
Data = Annotated[str | None, typer.Option(help="Data set whose samples the network takes.")]
Dt = Annotated[float | None, typer.Option(help="Seconds of a step; a NIR file of another tool needs it.")]
Chip = Annotated[str, typer.Option("--chip", "-c", help="A device of 'spikeledger chip list', or a TOML file.")]
Method = Annotated[str, typer.Option(help="annealed, greedy, or in_order (layer by layer).")]
Picture = Annotated[Path | None, typer.Option(help="Draw the placed chip into this file (.png, .svg).")]


@app.callback()
def chip() -> None:
    """Fit networks onto neuromorphic chips, place them, and simulate them step by step."""


@app.command("list")
def list_(json: options.Json = False) -> None:
    """List the chips: name, cores, neurons a core, title.

    Example: spikeledger chip list
    """
    from ..chip.device import list_devices, load_device
    from .console import print_json

    chips = [load_device(name) for name in list_devices()]
    if json:
        parts = {"name", "title", "core", "mesh", "seconds"}
        print_json([one.profile.model_dump(mode="json", include=parts) for one in chips])
        return
    for one in chips:
        tell(f"{one.name:22} {one.mesh.cores:>6,} cores of {one.core.neurons:>6,} neurons  {one.title}")


@app.command("abilities", short_help="Which chips have what neurons, codes and rules need.")
def abilities(
    chip: Annotated[list[str] | None, typer.Option("--chip", "-c", help="A chip, again for more; else all.")] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="As a table of Markdown.")] = False,
    json: options.Json = False,
) -> None:  # fmt: skip
    """Say which chips have what each neuron, code, connection and learning rule needs, by the chips' own files.

    Example: spikeledger chip abilities --chip loihi --chip odin
    """
    from ..chip import abilities as viable
    from .console import print_json

    rows = viable.viability(chip or None)
    if json:
        print_json(viable.to_dict(rows))
        return
    if markdown:
        tell(viable.to_markdown(rows))
        return
    for row in rows:
        tell(f"{row.kind}, {row.thing.replace('`', '')}")
        for name, answer in row.answers.items():
            lacking = ", ".join(viable.NEEDS[need] for need in row.missing[name])
            tell(f"    {name:24} {answer}{f': it lacks {lacking}' if lacking else ''}")


@app.command("check", short_help="Does it fit, and what binds.")
def check(
    network: Source,
    chip: Annotated[list[str] | None, typer.Option("--chip", "-c", help="A chip, again for more; else all.")] = None,
    data: Data = None, shape: Shape = None, timesteps: Timesteps = None, step_by_step: StepByStep = False,
    dt: Dt = None, root: options.Root = None, json: options.Json = False,
) -> None:  # fmt: skip
    """Say whether a network fits: cores and chips used, what binds, and every limit that fails.

    Exit code 0 also where it does not fit: the answer is what was asked for.

    Example: spikeledger chip check my-network --data mnist
    """
    from ..chip.fits import fits
    from .console import print_json

    mapped = _mapped(network, data, shape, dt, root, timesteps, step_by_step)
    found = fits(mapped, chip or None)
    if json:
        print_json([each.to_dict() for each in found])
        return
    tell(f"{mapped!r}")
    for each in found:
        tell(str(each))


@app.command("place", short_help="Put neurons on cores.")
def place(
    network: Source, chip: Chip, data: Data = None, shape: Shape = None, timesteps: Timesteps = None,
    step_by_step: StepByStep = False, dt: Dt = None, method: Method = "annealed",
    seed: options.Seed = 0, picture: Picture = None, root: options.Root = None, json: options.Json = False,
) -> None:  # fmt: skip
    """Put a network's neurons on cores, and the cores where spikes cross few links.

    Example: spikeledger chip place my-network --chip loihi --data mnist --picture placed.png
    """
    from ..chip.placement import place as place_network
    from . import folders
    from .console import print_json, progress

    if picture is not None:
        folders.check_picture(picture)
    mapped = _mapped(network, data, shape, dt, root, timesteps, step_by_step)
    with progress("placing") as moved:
        moved(0, 1)
        placed = place_network(mapped, chip, method=method, seed=seed)  # type: ignore[arg-type]
        moved(1, 1)
    _draw(placed, picture)
    if json:
        print_json(
            {
                "chip": placed.chip.name, "cores": placed.core_count, "chips": placed.chips,
                "method": method, "seed": seed,
                "packets_times_hops": placed.cost, "neurons_by_core": placed.neurons_by_core().tolist(),
                "positions": placed.positions.tolist(),
                "slices": [
                    {"population": name, "first": int(a), "last": int(b), "core": int(core)}
                    for name, borders in placed.borders.items() if mapped.populations[name].spiking
                    for a, b, core in zip(borders, borders[1:], placed.cores[name], strict=False)
                ],
            }
        )  # fmt: skip
        return
    tell(repr(placed))


@app.command("simulate", short_help="Run samples on a placed network.")
def simulate(
    network: Source, chip: Chip,
    data: Annotated[str | None, typer.Option(help="Data set whose test samples are run.")] = None,
    inputs: Annotated[Path | None, typer.Option(help="Or a .npy file with inputs of the network.")] = None,
    samples: options.Samples = 100, dt: Dt = None, method: Method = "annealed",
    precision: Annotated[str, typer.Option(help="float32, float64, or chip for the chip's own bits.")] = "float32",
    rule: Annotated[str, typer.Option(help="fan_out, or published (the Neuro4ML exercise's).")] = "fan_out",
    threads: Annotated[int, typer.Option(help="Threads of the simulator.")] = 1, step_by_step: StepByStep = False,
    seed: options.Seed = 0,
    learn: Annotated[
        list[str] | None, typer.Option(help="A layer whose weights change by pair STDP; may be given again.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="File for the activity (.npz).")] = None,
    picture: Picture = None, root: options.Root = None, json: options.Json = False,
) -> None:  # fmt: skip
    """Run samples on a placed network: spikes, synaptic operations, packets, hops and seconds.

    All spikes are compared with torch's, and the share that differs is printed: rounding, or the chip's few bits.

    Example: spikeledger chip simulate my-network --chip loihi --data mnist --samples 100 -o activity.npz
    """
    import numpy as np

    from ..chip.learning import PairRule, weights
    from ..chip.placement import place as place_network
    from ..chip.simulate import run
    from ..errors import InputError
    from ..study.agreement import agreement
    from . import folders
    from .console import print_json, progress
    from .record import _array

    options.at_least("samples", samples, 1)
    options.at_least("threads", threads, 1)
    if (data is None) == (inputs is None):
        raise InputError("samples come from --data or from --inputs: give one of them")
    if out is not None:
        folders.check_target(out)
    if picture is not None:
        folders.check_picture(picture)
    model = _model(network, dt)
    labels = None
    if data is not None:
        from ..datasets import load_dataset

        part = load_dataset(data, root=root)
        part = part if samples is None or samples >= len(part.test_labels) else part.subset(test=samples, seed=seed)
        values, labels = part.test_inputs, part.test_labels.numpy()
    else:
        values = _array(inputs, None, None)  # type: ignore[assignment]
    from ..mapping.map import map as map_network

    with progress("placing and running") as moved:
        moved(0, 2)
        placed = place_network(map_network(model, values, step_by_step=step_by_step), chip, method=method, seed=seed)  # type: ignore[arg-type]
        moved(1, 2)
        rules = {layer: PairRule() for layer in learn or ()}
        mapped = placed.network
        keep = [name for name, each in mapped.populations.items() if each.spiking]
        ran = run(
            placed, values, precision=precision, rule=rule, threads=threads, seed=seed,  # type: ignore[arg-type]
            keep=keep, learning=rules,
        )  # fmt: skip
        alike = None if rules else agreement(ran, model, values, seed=seed)
        moved(2, 2)
    if out is not None:
        ran.activity.save(out)
    _draw(placed, picture)
    activity = ran.activity
    answer: dict[str, Any] = {
        "chip": placed.chip.name, "cores": placed.core_count, "samples": activity.samples,
        "timesteps": activity.timesteps,
        "events": {event: activity.total(event) for event in activity.events}, "seconds": activity.seconds,
        "precision": precision, "rule": rule,
    }  # fmt: skip
    if labels is not None:
        answer["accuracy"] = float((ran.answers() == labels).mean())
    if alike is not None:
        answer["torch"] = {
            "spikes": alike.spikes, "differing_spikes": alike.differing, "differing_share": alike.share,
            "same_answers": alike.same_answers,
        }  # fmt: skip
        if labels is not None:
            answer["torch"]["accuracy"] = float((alike.answers == labels).mean())
    for layer in rules:
        assert ran.network is not None
        change = np.abs(weights(ran.network, layer) - weights(mapped, layer))
        answer.setdefault("learned", {})[layer] = {
            "weight_updates": activity.total("weight_update", layer), "mean_change": float(change.mean()),
            "largest_change": float(change.max()),
        }  # fmt: skip
    took = ran.duration
    answer["duration"] = None if took is None else took.to_dict()
    if ran.core_synapses is not None:
        answer["busiest_core_synaptic_ops"] = int(ran.core_synapses.sum(0).max())
    if json:
        print_json(answer)
        return
    tell(f"{activity!r} on {placed!r}")
    if took is not None:
        from ..units import si

        parts = (
            f"{si(took.cores, 's')} busiest core, {si(took.ways, 's')} way of {took.hops} hops, "
            f"{si(took.barrier, 's')} barrier"
        )
        tell(f"a step: {si(took.step, 's')} ({parts})")
        tell(f"a sample: {si(took.sample, 's')}; to its answer, through {took.depth} layers: {si(took.latency, 's')}")
        if took.static_joules is not None:
            tell(f"static energy of {placed.chips:,} chips meanwhile: {si(took.static_joules, 'J')} a sample")
        tell(f"times are {took.kind}: {took.source}")
    if labels is not None:
        theirs = f" (torch: {100 * answer['torch']['accuracy']:.2f} %)" if alike is not None else ""
        tell(f"accuracy: {100 * answer['accuracy']:.2f} %{theirs}")
    if alike is not None:
        tell(
            f"spikes that differ from torch's in {precision}: {alike.differing:,} for {alike.spikes:,} "
            f"({100 * alike.share:.4f} %); the same answer to {alike.same_answers:,} of {alike.samples:,} samples"
        )
    for layer, facts in answer.get("learned", {}).items():
        tell(
            f"'{layer}' learned: {facts['weight_updates']:,} updates, weights moved by {facts['mean_change']:.3g} on "
            f"average and {facts['largest_change']:.3g} at most"
        )


def _model(network: str, dt: float | None) -> nn.Module:
    if network.endswith(".nir"):
        from ..networks.nir import read_nir

        return read_nir(network, dt=dt)
    from .building import find_network

    return find_network(network)


def _mapped(
    network: str, data: str | None, shape: str | None, dt: float | None, root: Path | None,
    timesteps: int | None, step_by_step: bool,
) -> Mapped:  # fmt: skip
    """The network as it was mapped by a sample of the data, or by zeros of a shape."""
    from ..mapping.map import map as map_network
    from ..mapping.map import sample_of

    options.at_least("timesteps", timesteps, 1)
    model = _model(network, dt)
    if data is not None:
        from ..datasets import load_dataset

        sample = load_dataset(data, root=root).test_inputs[:1]
    else:
        sizes = _sizes(shape)
        sample = sample_of(model, sizes)
        if timesteps is None and sizes is not None:
            _say_places(model, sizes)
    if timesteps is not None or step_by_step:
        sample = _sequence(model, sample, timesteps or 1, data)
    return map_network(model, sample, step_by_step=step_by_step)


def _say_places(model: nn.Module, sizes: list[int]) -> None:
    """Say what the axes before the last are to a network whose first layer takes the last one alone."""
    from torch import nn

    from .console import say

    first = next(
        (each for each in model.modules() if isinstance(each, nn.Linear) or "Conv" in type(each).__name__), None
    )
    if len(sizes) > 1 and isinstance(first, nn.Linear) and first.in_features == sizes[-1]:
        before = "x".join(map(str, sizes[:-1]))
        say(
            f"note: the first layer takes {sizes[-1]} values, so {before} of --shape are places with the same weights, and "
            f"neurons of their own each; if they are steps: --shape {sizes[-1]} --timesteps {before}"
        )


def _sequence(model: nn.Module, sample: Tensor, timesteps: int, data: str | None) -> Tensor:
    """One sample `[1, ...]` or `[1, 1, ...]` at each of some steps, `[T, 1, ...]`."""
    from ..errors import InputError

    own = getattr(model, "timesteps", None)
    if isinstance(own, int) and getattr(model, "encoder", None) is not None:
        raise InputError(f"the network takes samples and makes {own} steps of each itself: leave --timesteps out")
    first = sample[:1] if data is not None else sample[0]
    return first.unsqueeze(0).expand(timesteps, *first.shape).clone()


def _sizes(shape: str | None) -> list[int] | None:
    from ..errors import InputError

    if shape is None:
        return None
    try:
        sizes = [int(part) for part in shape.lower().split("x")]
    except ValueError:
        sizes = [0]
    if min(sizes) < 1 or math.prod(sizes) > _MOST_VALUES:
        raise InputError(f"--shape is '{shape:.60}', but needs whole numbers such as 1x28x28")
    return sizes


def _draw(placed: Any, picture: Path | None) -> None:
    if picture is None:
        return
    from ..errors import InputError
    from ..report.placements import draw_placement
    from ..writing import write_whole

    kind = picture.suffix.removeprefix(".") or "png"
    try:
        write_whole(picture, lambda file: draw_placement(placed).savefig(file, format=kind))
    except InputError:
        raise
    except ValueError as error:  # matplotlib does not know the kind of picture
        raise InputError(f"the picture '{picture}' cannot be written: {str(error).splitlines()[0]}") from error
