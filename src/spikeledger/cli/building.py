"""The networks and data that the commands work on, with every name and number checked before anything is done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError, SpikeLedgerError, retold, unknown_name
from ..reading import is_file
from .options import ENCODERS, at_least

if TYPE_CHECKING:
    from torch import nn

    from ..datasets import Dataset
    from ..networks.spiking import SpikingNetwork
    from ..training.history import Fit


def check(
    data: str, network: str, *, timesteps: int, epochs: int, encoder: str, seed: int, neuron: str = "lif"
) -> None:
    """Refuse names and numbers that cannot be used."""
    from ..datasets import list_datasets
    from ..networks.zoo import NEURONS, PLANS

    for kind, given, known in (
        ("data set", data, list_datasets()), ("network", network, PLANS), ("encoder", encoder, ENCODERS),
        ("neuron", neuron, NEURONS),
    ):  # fmt: skip
        if given not in known:
            raise unknown_name(kind, given, known)
    at_least("timesteps", timesteps, 1)
    at_least("epochs", epochs, 1)


def check_backend(name: str) -> AbstractContextManager[None]:
    """A back end by name, for a `with` block; one that this machine lacks is said now."""
    from ..kernels.choice import backend

    return backend(name)


def spiking_network(
    data: Dataset, name: str, *, timesteps: int, encoder: str, seed: int, neuron: str = "lif"
) -> SpikingNetwork:
    """A network of the zoo for the samples and classes of a data set."""
    from ..networks import zoo

    return zoo.build(
        name, data.input_shape, len(data.classes), neuron=neuron, timesteps=timesteps, encoder=encoder, seed=seed
    )


def trained(network: nn.Module, data: Dataset, work: Path, *, epochs: int, seed: int, **training: Any) -> Fit:
    """Train a network, or go on with the run in `work`, where each epoch is kept; `training` is for `fit`."""
    from ..training.fit import fit
    from .console import say

    run = fit(network, data, epochs=epochs, seed=seed, checkpoint=work, resume=True, **training)
    if run.stopped:
        say(f"{len(run.history)} of {epochs} epochs are kept in {work}: go on with --resume")
    return run


@contextmanager
def own_code() -> Iterator[None]:
    """What a user's network raises while it runs is told with their file and line, and no traceback of ours."""
    try:
        yield
    except (SpikeLedgerError, MemoryError):
        raise
    except (Exception, SystemExit) as error:
        if "line" not in retold(error):  # a bug of ours stays a traceback
            raise
        raise InputError(f"the network failed while it ran: {retold(error)}") from error


def find_network(where: str) -> nn.Module:
    """A saved network's folder, or `file.py:function`, which runs the user's own file and calls that function.

    Raises:
        FileFormatError: no network in the folder.
        InputError: a Python file that fails, or a function that gives no network.
    """
    path, colon, function = where.rpartition(":")
    if where.endswith(".py"):
        raise InputError(f"'{where}' is Python: name its function that gives the network, {where}:make_network")
    if not (colon and path.endswith(".py")):
        if colon and is_file(f"{path}.py"):
            raise InputError(f"'{where}' is no folder: to call a function of a file, {path}.py:{function}")
        from ..training.checkpoints import load_network

        return load_network(where)
    return _made_by(Path(path), function)


def _made_by(path: Path, function: str) -> nn.Module:
    import importlib.util
    import sys

    from torch import nn

    if not is_file(path):
        hint = (
            "folders are divided by / here, not by \\"
            if "\\" in str(path)
            else "give a network's folder, or file.py:function"
        )
        raise InputError(f"there is no file '{path}': {hint}")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise InputError(f"'{path}' is no Python file: give file.py:function")
    module = importlib.util.module_from_spec(spec)
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # nothing is left beside the user's file
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # the user's own file may raise anything, or leave
        raise InputError(f"'{path}' could not be run: {retold(error)}") from error
    finally:
        sys.dont_write_bytecode = before
    make = getattr(module, function, None)
    if not callable(make):
        names = [name for name, value in vars(module).items() if callable(value) and not name.startswith("_")]
        raise unknown_name(f"function of '{path}'", function, names)
    try:
        network = make()
    except (Exception, SystemExit) as error:
        raise InputError(f"{function}() of '{path}' failed: {retold(error)}") from error
    if not isinstance(network, nn.Module):
        raise InputError(
            f"{function}() of '{path}' gave a {type(network).__name__}, but needs to give a torch.nn.Module"
        )
    return network
