"""Which two networks a page shows: those of the package, those of a comparison, or those that were trained once for it."""

from __future__ import annotations

from collections.abc import Callable
from importlib import resources
from pathlib import Path

from torch import nn

from ..datasets import Dataset
from ..errors import FileFormatError
from ..networks import zoo
from ..networks.spiking import SpikingNetwork
from ..reading import LARGEST_JSON, Kind, read_json
from ..training.checkpoints import load_network, save_network
from ..training.fit import fit

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


def label_of(network: nn.Module) -> str:
    """What the page calls a network: its kind, widths, and steps."""
    widths = [part.out_features for part in network.modules() if isinstance(part, nn.Linear)]
    first = next((part.in_features for part in network.modules() if isinstance(part, nn.Linear)), None)
    shape = "-".join(map(str, [first, *widths] if first is not None else widths))
    return f"SNN {shape}, T = {network.timesteps}" if isinstance(network, SpikingNetwork) else f"ANN {shape}"
