"""observe(network, inputs, labels) -> Side: what a network answers and what happens, on the same spikes."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from ..errors import InputError
from ..recording.record import record
from ..training.answers import sequences
from ..training.evaluate import evaluate
from .sides import Kind, Side


def observe(
    network: nn.Module,
    inputs: Tensor,
    labels: Tensor,
    *,
    kind: Kind,
    name: str,
    classes: int,
    seed: int = 0,
    batch_size: int = 512,
    progress: Callable[[int, int], None] | None = None,
) -> Side:
    """Evaluate and record a network on labelled samples `[samples, *N]`; the encoder starts from `seed` both times.

    Raises:
        InputError: samples that do not fit the network, or answers outside the data set's classes.
    """
    found = evaluate(network, inputs, labels, batch_size=batch_size, seed=seed)
    if int(found.predictions.max()) >= classes:
        raise InputError(
            f"the {kind.upper()} answers class {int(found.predictions.max())}, but the data have {classes} classes, "
            f"0 to {classes - 1}: build it with {classes} outputs"
        )
    activity = record(network, sequences(network, inputs), batch_size=batch_size, seed=seed, progress=progress)
    return Side(
        kind=kind, name=name, activity=activity, predictions=found.predictions, labels=found.labels, classes=classes,
        parameters=sum(parameter.numel() for parameter in network.parameters()), timesteps=activity.timesteps,
        predictions_by_step=found.predictions_by_step,
    )  # fmt: skip
