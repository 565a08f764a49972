"""observe(network, inputs, labels) -> Side: what a network answers and what happens, on the same spikes.

The samples run in some parts, whose counts are kept: how much they differ is the standard error over inputs.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, reduce
from operator import add

import numpy as np
from torch import Tensor, nn

from ..errors import InputError
from ..recording.record import record
from ..training.answers import sequences
from ..training.evaluate import evaluate
from .one_network import Kind, Side

#: how many parts the samples are counted in: enough for a standard error, few enough to cost nothing
PARTS = 10


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
    """Evaluate and record a network on labelled samples `[samples, *N]`, in `PARTS` parts of equal size.

    The encoder starts anew in each part, both times from the same number, made of `seed` and the part.

    Raises:
        InputError: samples that do not fit the network, or answers outside the data set's classes.
    """
    count = len(labels)
    rows = np.array_split(np.arange(count), max(1, min(PARTS, count // 2)))
    found, parts = [], []
    for index, part in enumerate(rows):
        chosen = slice(int(part[0]), int(part[-1]) + 1) if len(part) else slice(0, 0)
        some, start = inputs[chosen], start_of(seed, index)
        found.append(evaluate(network, some, labels[chosen], batch_size=batch_size, seed=start))
        if int(found[-1].predictions.max()) >= classes:
            raise InputError(
                f"the {kind.upper()} answers class {int(found[-1].predictions.max())}, but the data have {classes} "
                f"classes, 0 to {classes - 1}: build it with {classes} outputs"
            )
        note = None if progress is None else partial(_further, progress, int(part[0]), count)
        parts.append(record(network, sequences(network, some), batch_size=batch_size, seed=start, progress=note))
    by_step = [one.predictions_by_step for one in found if one.predictions_by_step is not None]
    return Side(
        kind=kind, name=name, activity=reduce(add, parts), predictions=np.concatenate([one.predictions for one in found]),
        labels=np.concatenate([one.labels for one in found]), classes=classes,
        parameters=sum(parameter.numel() for parameter in network.parameters()), timesteps=parts[0].timesteps,
        predictions_by_step=np.concatenate(by_step, axis=1) if by_step else None, parts=tuple(parts),
    )  # fmt: skip


def start_of(seed: int, part: int) -> int:
    """Where the random numbers of a part of the samples begin: apart from those of any other part, and of any other seed."""
    return int(np.random.SeedSequence([seed, part]).generate_state(1)[0])


def _further(progress: Callable[[int, int], None], before: int, count: int, done: int, total: int) -> None:
    """Progress within a part, as progress of the whole."""
    progress(before + done, count)
