"""`spikeledger record`: run a network and keep what happened in a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import options
from .console import tell

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor


def record(
    network: Annotated[
        str, typer.Argument(help="Folder that 'spikeledger train' wrote, or your own file.py:function.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="File for the activity (.npz).")],
    data: Annotated[str | None, typer.Option(help="Data set whose test samples are run.")] = None,
    inputs: Annotated[Path | None, typer.Option(help="Or a .npy file with samples [B, ...] or [T, B, ...].")] = None,
    samples: options.Samples = None,
    pooling: Annotated[
        str, typer.Option(help="fold counts pooling of spikes with the synapses behind it; separate on its own.")
    ] = "fold",
    timesteps: Annotated[
        int | None, typer.Option(help="For a network that takes one step a call: how often each sample is shown.")
    ] = None,
    step_by_step: Annotated[
        bool, typer.Option("--step-by-step", help="For such a network: the inputs are sequences, shown step by step.")
    ] = False,
    layout: Annotated[str | None, typer.Option(help="Leading axes of the inputs: B, TB or BT.")] = None,
    seed: options.Seed = 0,
    root: options.Root = None,
    json: options.Json = False,
) -> None:
    """Run a network on samples and count every event, exactly, into a file that can be priced later.

    Example: spikeledger record my-network --data mnist -o activity.npz
    """
    from ..errors import InputError, unknown_name
    from . import building, console, folders

    if (data is None) == (inputs is None):
        raise InputError("samples come from --data or from --inputs: give one of them")
    options.at_least("samples", samples, 1)
    options.at_least("timesteps", timesteps, 1)
    for name, given, known in (("pooling mode", pooling, ("fold", "separate")), ("layout", layout, ("B", "TB", "BT"))):
        if given is not None and given not in known:
            raise unknown_name(name, given, known)
    folders.check_target(out)
    from ..datasets import load_dataset
    from ..recording.record import record as record_network

    if data is not None:
        part = load_dataset(data, root=root)
        values: Tensor | np.ndarray = (part if samples is None else part.subset(test=samples, seed=seed)).test_inputs
    else:
        values = _array(inputs, samples, layout)
    model = building.find_network(network)
    with building.own_code(), console.progress("recording") as progress:
        activity = record_network(
            model,
            values,
            pooling=pooling,  # type: ignore[arg-type]
            layout=layout,  # type: ignore[arg-type]
            timesteps=timesteps,
            step_by_step=step_by_step,
            seed=seed,
            progress=progress,
        )
    activity.save(out)
    if json:
        from .show import activity_summary

        console.print_json(activity_summary(activity))
    else:
        tell(f"{activity!r} saved in {out}")


def _array(path: Path | None, samples: int | None, layout: str | None) -> np.ndarray:
    """Samples of a .npy file; nothing in it is executed, and it is not believed about its length."""
    import numpy as np

    from ..errors import InputError
    from ..reading import Kind, read_npy

    assert path is not None
    values = read_npy(path, Kind(".npy file", 1 << 40, advice="write one with numpy.save"))
    if samples is not None:
        axis = layout.index("B") if layout else 0
        if values.ndim <= axis or samples > values.shape[axis]:
            raise InputError(f"'{path}' has the shape {list(values.shape)} and {samples:,} samples are asked for")
        values = np.take(values, range(samples), axis=axis)
    return np.array(values, values.dtype.newbyteorder("="))
