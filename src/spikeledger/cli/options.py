"""Options that several commands share, so that they read the same everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..errors import InputError


def _seed(seed: int) -> int:
    if not 0 <= seed < 2**63:
        raise InputError(f"--seed is {seed}, but needs to be at least 0 and below 2^63")
    return seed


Data = Annotated[str, typer.Option(help="Data set: digits, mnist, fashion-mnist, cifar-10.")]
Root = Annotated[
    Path | None, typer.Option(help="Folder with the data set's files; else SPIKELEDGER_DATA, else they are downloaded.")
]
Compared = Annotated[
    Path | None, typer.Option(help="A folder that 'spikeledger compare' wrote: its networks and its data.")
]
Ordinary = Annotated[str | None, typer.Option(help="An ordinary network: its folder, or file.py:function.")]
Spiking = Annotated[str | None, typer.Option(help="A spiking one, in the same way; give both.")]
OwnProfiles = Annotated[
    str, typer.Option(help="Profiles of your own besides the catalogue: TOML files, comma-separated.")
]
Network = Annotated[str, typer.Option(help="Network: mlp-s, mlp-m, mlp-l, cnn-s, cnn-m.")]
Neuron = Annotated[str, typer.Option(help="Neurons: lif, if, plif (learned decay), synaptic, adaptive.")]
Timesteps = Annotated[int, typer.Option(help="Steps that the spiking network takes for a sample.")]
Epochs = Annotated[int, typer.Option(help="Passes over the training samples.")]
Encoder = Annotated[str, typer.Option(help="How values become spikes: rate, latency, direct.")]
Seed = Annotated[
    int,
    typer.Option(help="Of weights, order and encoder: the same seed gives the same figures.", callback=_seed),
]
Samples = Annotated[int | None, typer.Option(help="How many test samples, drawn with the seed; all by default.")]
Bill = Annotated[
    str | None, typer.Option(help="Which events are charged: full, ops-only, ...; each profile's own by default.")
]
Backend = Annotated[
    str, typer.Option(help="What neurons run on: auto (the fastest there is), reference (plain torch), cpu, gpu.")
]
Loss = Annotated[
    str,
    typer.Option(help="What training makes small: rate, count, membrane, mean_square, count_mean_square, first_spike."),
]
Distribution = Annotated[
    str, typer.Option(help="How prices lie in their ranges where it takes a probability: log-uniform, log-triangular.")
]
AllowUncounted = Annotated[
    bool, typer.Option("--allow-uncounted", help="Price although something was not counted: a lower bound.")
]
Resume = Annotated[
    bool, typer.Option("--resume", help="Go on with the run that was stopped in --out; start where there is none.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else on stdout.")]

#: the encoders that `--encoder` offers; delta codes and sequences come with the Python interface
ENCODERS = ("rate", "latency", "direct")


def at_least(name: str, value: int | None, least: int) -> None:
    """Refuse a number that is too small, before anything has been done."""
    if value is not None and value < least:
        raise InputError(f"--{name} is {value}, but needs to be at least {least}")


def pairs(name: str, given: list[str] | None, form: str) -> dict[str, str]:
    """`["a=b"]` as a dictionary."""
    found: dict[str, str] = {}
    for one in given or ():
        key, equals, value = one.partition("=")
        if not (key and equals and value):
            raise InputError(f"--{name} is '{one}', but needs the form {form}")
        if key in found:
            raise InputError(f"--{name} gives {key} twice, '{found[key]}' and '{value}': say one")
        found[key] = value
    return found


def check_distribution(name: str) -> None:
    """Refuse a distribution that there is none of, before anything has been done."""
    from ..errors import unknown_name
    from ..study.joint import DISTRIBUTIONS

    if name not in DISTRIBUTIONS:
        raise unknown_name("distribution", name, DISTRIBUTIONS)
