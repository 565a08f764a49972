"""Which two networks a page shows: those of the package, those of a comparison, or those that were trained once for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import resources
from pathlib import Path

from torch import nn

from ..datasets import Dataset
from ..errors import FileFormatError, InputError
from ..hardware.profile import HardwareProfile
from ..listening.neurons import is_neuron
from ..networks import zoo
from ..networks.spiking import SpikingNetwork
from ..reading import LARGEST_JSON, Kind, read_json
from ..training.checkpoints import load_network, save_network
from ..training.fit import fit
from .document import Document, local
from .stage import replay

#: what is trained for a data set that no networks come with
TIMESTEPS, EPOCHS = 20, 3


def shipped() -> tuple[nn.Module, nn.Module]:
    """The ANN and the SNN for scikit-learn's digits that come with the package: 64-256-10, T = 20, 20 epochs, seed 0."""
    with resources.as_file(resources.files(__package__) / "digits") as folder:
        return load_network(folder / "ann"), load_network(folder / "snn")


def cached(data: Dataset, *, say: Callable[[str], None]) -> tuple[nn.Module, nn.Module]:
    """A perceptron and its twin for a data set, trained the first time and kept in the user's cache.

    Args:
        say: is told what is being trained.
    """
    import platformdirs

    folder = Path(platformdirs.user_cache_dir("spikeledger")) / "live" / data.name
    try:
        return load_network(folder / "ann"), load_network(folder / "snn")
    except FileFormatError:
        pass
    snn = zoo.build("mlp-s", data.input_shape, len(data.classes), timesteps=TIMESTEPS)
    networks: dict[str, nn.Module] = {"ann": zoo.twin(snn), "snn": snn}
    for kind, network in networks.items():
        say(f"training the {kind.upper()} on {data.name}, once: it is kept in '{folder}'")
        if fit(network, data, epochs=EPOCHS).stopped:
            raise KeyboardInterrupt
        save_network(folder / kind, network)
    return networks["ann"], networks["snn"]


def compared(folder: Path) -> tuple[str, nn.Module, nn.Module]:
    """The data set's name and both networks of a folder that `spikeledger compare` wrote.

    Raises:
        FileFormatError: it is no such folder, or cut.
    """
    path = folder / "comparison.json"
    try:
        data = read_json(path, Kind("comparison", LARGEST_JSON))["data"]
    except (FileFormatError, KeyError, TypeError) as error:
        raise FileFormatError(
            f"'{folder}' is no comparison: write one with 'spikeledger compare --out {folder}'"
        ) from error
    return str(data), load_network(folder / "ann"), load_network(folder / "snn")


def document_of(
    ann: nn.Module, snn: nn.Module, data: Dataset, *, profiles: Sequence[str | HardwareProfile] = ()
) -> Document:
    """What a page of two networks holds: perceptrons that it runs by itself, or recordings of anything else, and why.

    Raises:
        InputError: networks that cannot be shown either way.
    """
    names = (label_of(ann), label_of(snn))
    try:
        return local(ann, snn, data, profiles=profiles, names=names)
    except InputError as why:
        document = replay(ann, snn, data, profiles=profiles, names=names)
        document.notes.insert(0, f"the page replays recordings: {why}")
        return document


def label_of(network: nn.Module) -> str:
    """What the page calls a network: its kind, widths, and steps."""
    layers = [part for part in network.modules() if isinstance(part, nn.Linear | nn.Conv1d | nn.Conv2d)]
    widths = [str(part.out_features) if isinstance(part, nn.Linear) else f"c{part.out_channels}" for part in layers]
    if layers and isinstance(layers[0], nn.Linear):
        widths = [str(layers[0].in_features), *widths]
    shape = "-".join(widths)
    if isinstance(network, SpikingNetwork):
        return f"SNN {shape}, T = {network.timesteps}"
    spiking = any(is_neuron(part) for part in network.modules())
    return f"{'SNN' if spiking else 'ANN'} {shape}"
