"""Where joules are written while a network trains: TensorBoard, Weights & Biases, and whatever Lightning logs to.

Each is a callback of `sl.fit(callback=...)` and `sl.EnergyMonitor(callback=...)`; Lightning's is one of its `Trainer`. The
libraries are asked for when one is made, and not before.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

from ..errors import InputError
from ..hardware.catalog import load_profile
from ..hardware.profile import HardwareProfile
from .history import EnergyReading, Epoch

Record = Epoch | EnergyReading
#: what stands before every name that is written
GROUP = "spikeledger"


class tensorboard:
    """Write each record's figures for TensorBoard: `sl.fit(net, data, callback=sl.learning.loggers.tensorboard("runs/one"))`.

    Args:
        folder: where TensorBoard reads, or a `SummaryWriter` of your own.

    Raises:
        InputError: tensorboard is not installed (extra `tensorboard`), or the folder cannot be written to.
    """

    def __init__(self, folder: str | os.PathLike[str] | Any = "runs/spikeledger") -> None:
        self.writer: Any = folder
        if isinstance(folder, str | os.PathLike):
            made = _library("torch.utils.tensorboard", "tensorboard").SummaryWriter
            try:
                self.writer = made(os.fspath(folder))
            except OSError as error:
                raise InputError(
                    f"'{os.fspath(folder)}' cannot be written to ({error}): give another folder"
                ) from error
        elif not hasattr(folder, "add_scalar"):
            raise InputError(
                f"a {type(folder).__name__} is no folder and no SummaryWriter: give sl.learning.loggers.tensorboard one"
            )

    def __call__(self, record: Record) -> None:
        for name, value in record.figures().items():
            self.writer.add_scalar(f"{GROUP}/{name}", value, record.number)
        self.writer.flush()


class wandb:
    """Log each record's figures to Weights & Biases: `sl.fit(net, data, callback=sl.learning.loggers.wandb(project="mine"))`.

    They go to the run that is under way, or to one that is begun with these options and ends with the process; their
    axis is `spikeledger/number`, so that your own steps go on undisturbed.

    Args:
        options: of `wandb.init`, where no run is under way: `project`, `mode="offline"`, `dir`, ...

    Raises:
        InputError: wandb is not installed (extra `wandb`).
    """

    def __init__(self, **options: Any) -> None:
        library = _library("wandb", "wandb")
        self.run = library.run or library.init(**options)
        self.run.define_metric(f"{GROUP}/number")
        self.run.define_metric(f"{GROUP}/*", step_metric=f"{GROUP}/number")

    def __call__(self, record: Record) -> None:
        named = {f"{GROUP}/{name}": value for name, value in record.figures().items()}
        self.run.log({**named, f"{GROUP}/number": record.number})


def lightning(
    profile: str | os.PathLike[str] | HardwareProfile | None = "horowitz-45nm", *, every: int = 1, network: str = "",
    **options: Any,
) -> Any:  # fmt: skip
    """A callback for Lightning: `Trainer(callbacks=[sl.learning.loggers.lightning("loihi")])`.

    At the end of every `every`-th epoch the inputs of its first training batch are recorded as `sl.EnergyMonitor` does,
    with the weights of then, and the figures logged by `log_dict`, so to every logger of the trainer. What is logged as
    `spikeledger/joules_per_sample` can be monitored by checkpoints and early stopping.

    Args:
        network: which part of the LightningModule is the network, by its path such as `net`; the whole module by default.
        options: what `sl.record` is told besides.

    Raises:
        InputError: Lightning is not installed (extra `lightning`), or an argument that cannot be.
    """
    if isinstance(every, bool) or not isinstance(every, int) or every < 1:
        raise InputError(f"every={every!r} cannot be: say how many epochs there are to one recording, such as every=1")
    device = None if profile is None else load_profile(profile)
    base: Any = _lightning().Callback
    from .monitor import EnergyMonitor

    class EnergyCallback(base):
        """Records a batch an epoch, and logs what it costs."""

        def __init__(self) -> None:
            self.monitor: EnergyMonitor | None = None
            self.inputs: Any = None

        def on_train_batch_start(self, trainer: Any, module: Any, batch: Any, batch_idx: int) -> None:
            if batch_idx == 0:
                self.inputs = batch

        def on_train_epoch_end(self, trainer: Any, module: Any) -> None:
            if trainer.current_epoch % every or self.inputs is None:
                return
            if self.monitor is None:
                try:
                    part = module.get_submodule(network)
                except AttributeError as error:
                    raise InputError(
                        f"{type(module).__name__} has no part '{network}': give the network's path"
                    ) from error
                self.monitor = EnergyMonitor(part, device, **options)
            reading = self.monitor.step(self.inputs)
            self.inputs = None
            if reading is not None:
                module.log_dict({f"{GROUP}/{name}": value for name, value in reading.figures().items()})

    return EnergyCallback()


def _lightning() -> Any:
    """Lightning, by whichever of its two names the user's own code has it."""
    for name in ("lightning.pytorch", "pytorch_lightning"):
        if sys.modules.get(name) is not None:
            return sys.modules[name]
    try:
        return importlib.import_module("lightning.pytorch")
    except ImportError:
        return _library("pytorch_lightning", "lightning")


def _library(module: str, extra: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise InputError(f"{extra} is not installed: pip install 'spikeledger[{extra}]'") from error
