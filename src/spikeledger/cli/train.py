"""`spikeledger train`: train a network of the zoo and save it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import options


def train(
    data: options.Data = "digits",
    network: options.Network = "mlp-s",
    kind: Annotated[str, typer.Option(help="snn, or ann for its ordinary twin.")] = "snn",
    timesteps: options.Timesteps = 5,
    epochs: options.Epochs = 5,
    encoder: options.Encoder = "rate",
    neuron: options.Neuron = "lif",
    seed: options.Seed = 0,
    root: options.Root = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the network.")] = Path("network"),
    json: options.Json = False,
) -> None:
    """Train a spiking network, or its ordinary twin, and save it in a folder.

    Example: spikeledger train --data mnist --network mlp-s --epochs 5 --out my-network
    """
    from ..errors import unknown_name
    from . import building, console, folders

    if kind not in ("ann", "snn"):
        raise unknown_name("kind of network", kind, ("ann", "snn"))
    building.check(data, network, timesteps=timesteps, epochs=epochs, encoder=encoder, seed=seed, neuron=neuron)
    from ..datasets import load_dataset
    from ..networks import zoo

    part = load_dataset(data, root=root)
    made = building.spiking_network(part, network, timesteps=timesteps, encoder=encoder, seed=seed, neuron=neuron)
    folders.prepare(out)
    run = building.train_and_save(
        made if kind == "snn" else zoo.twin(made, seed=seed), part, out, epochs=epochs, seed=seed
    )
    if json:
        console.print_json({**run.to_dict(), "folder": str(out)})
    else:
        typer.echo(f"test accuracy {100 * (run.test_accuracy or 0):.2f} %, saved in {out}")
