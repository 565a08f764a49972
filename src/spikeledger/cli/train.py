"""`spikeledger train`: train a network of the zoo and save it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import options
from .console import tell


def train(
    data: options.Data = "digits",
    network: options.Network = "mlp-s",
    kind: Annotated[str, typer.Option(help="snn, or ann for its ordinary twin.")] = "snn",
    timesteps: options.Timesteps = 5,
    epochs: options.Epochs = 5,
    encoder: options.Encoder = "rate",
    neuron: options.Neuron = "lif",
    loss: options.Loss = "rate",
    profile: Annotated[
        str, typer.Option(help="Device on which joules are estimated, and for which a budget holds.")
    ] = ("horowitz-45nm"),
    energy_budget: Annotated[
        float | None, typer.Option(help="Joules a sample on the profile: what spends more is penalised and pruned.")
    ] = None,
    prune: Annotated[float | None, typer.Option(help="Share of the weights that become zero while it trains.")] = None,
    backend: options.Backend = "auto",
    seed: options.Seed = 0,
    root: options.Root = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the network.")] = Path("network"),
    resume: options.Resume = False,
    json: options.Json = False,
) -> None:
    """Train a spiking network, or its ordinary twin, and save it in a folder.

    With --energy-budget it is trained for a device: spikes above the budget are penalised, and weights are pruned until
    it is kept; --prune says instead which share of the weights goes. Each epoch is kept in the folder's `unfinished`
    until the run ends: after a kill, --resume goes on with it to the same figures.

    Example: spikeledger train --data mnist --network mlp-s --epochs 5 --out my-network
    """
    from ..errors import InputError, unknown_name
    from ..reading import is_file
    from . import building, console, folders

    if kind not in ("ann", "snn"):
        raise unknown_name("kind of network", kind, ("ann", "snn"))
    if energy_budget is not None and not energy_budget > 0:
        raise InputError(f"--energy-budget is {energy_budget}, but needs to be joules a sample, above 0")
    if prune is not None and not 0 < prune < 1:
        raise InputError(f"--prune is {prune}, but needs to be a share above 0 and below 1")
    if energy_budget is not None and kind == "ann":
        raise InputError("--energy-budget penalises spikes, and the ordinary twin has none: use --kind snn, or --prune")
    building.check(data, network, timesteps=timesteps, epochs=epochs, encoder=encoder, seed=seed, neuron=neuron)
    from ..datasets import load_dataset
    from ..hardware.catalog import load_profile
    from ..kernels.choice import name as name_of_backend
    from ..networks import zoo
    from ..training import losses
    from ..training.checkpoints import save_network
    from ..training.pruning import Pruning

    losses.loss(loss)
    device = load_profile(profile)
    schedule = None if prune is None else Pruning(prune)
    if schedule is None and energy_budget is not None:
        schedule = Pruning(joules=energy_budget, profile=device)
    with building.check_backend(backend):
        part = load_dataset(data, root=root)
        made = building.spiking_network(part, network, timesteps=timesteps, encoder=encoder, seed=seed, neuron=neuron)
        folders.check_folder(out)
        asked = {
            "data": data, "network": network, "kind": kind, "timesteps": timesteps, "epochs": epochs,
            "encoder": encoder, "neuron": neuron, "loss": loss, "profile": device.name,
            "energy-budget": energy_budget, "prune": prune, "seed": seed,
        }  # fmt: skip
        one = made if kind == "snn" else zoo.twin(made, seed=seed)
        with folders.unfinished(out, asked, resume=resume) as work:
            run = building.trained(
                one, part, work / "run", epochs=epochs, seed=seed, loss=loss, profile=device, prune=schedule,
                penalties=[] if energy_budget is None else [losses.joules(device, target=energy_budget)],
            )  # fmt: skip
            if run.history:
                if is_file(out / "network.toml"):
                    console.say(f"the network that was in {out} is replaced")
                save_network(out, one)
            if run.stopped:
                raise KeyboardInterrupt
        ran_on = name_of_backend()
    if json:
        console.print_json({**run.to_dict(), "folder": str(out), "backend": ran_on})
        return
    tell(f"test accuracy {100 * (run.test_accuracy or 0):.2f} % on the back end {ran_on}, saved in {out}")
    if energy_budget is not None and run.best is not None and run.best.joules_per_sample is not None:
        from .. import units

        spent = units.joules(run.best.joules_per_sample)
        tell(f"estimated {spent} a sample on {device.name}, of a budget of {units.joules(energy_budget)}")
