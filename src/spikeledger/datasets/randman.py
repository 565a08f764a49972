"""Randman: classes of spike-timing patterns on smooth random manifolds (Zenke & Vogels 2021, Neural Computation 33(4)).

Each class is a random smooth manifold of few dimensions in the space of the units' spike times; a sample is a point on
it. Unit `u` fires once, at time

    t_u(x) = product over d of  sum over i of  a_udi s_i sin(2 pi (i x_d b_udi + c_udi)),  s_i = 1 / ((i + 1)^alpha + 1)

with `a, b, c` uniform in [0, 1) and `a_ud0 = 0`, scaled to `0 .. steps` over the samples of the class. The larger
`alpha` is, the smoother the manifold and the easier the task.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import DataError, InputError
from ..reading import Kind, opened
from ..writing import closed, write_whole

_PRECISION = 1e-3  # amplitudes below this share of the first are left out
_MOST_WAVES = 1000
_KIND = Kind("file", 1 << 30, DataError, "write one with randman().save(folder)")
_MOST_CLASSES = 1 << 20


@dataclass(frozen=True, eq=False)
class SpikeTimes:
    """One spike a unit and sample: `times` float32 `[samples, units]` in `[0, steps]`, `labels` int64 `[samples]`."""

    times: Tensor
    labels: Tensor
    steps: int = 100

    def __post_init__(self) -> None:
        if self.times.dim() != 2 or self.labels.shape != self.times.shape[:1]:
            raise InputError(
                f"spike times have shape {list(self.times.shape)} and labels {list(self.labels.shape)}, "
                "but must be [samples, units] and [samples]"
            )
        if len(self.labels) and not 0 <= int(self.labels.min()) <= int(self.labels.max()) < _MOST_CLASSES:
            raise InputError(f"labels must lie in 0 .. {_MOST_CLASSES - 1:,}, and some do not")
        if self.times.numel() and not bool(((self.times >= 0) & (self.times <= self.steps)).all()):
            raise InputError(f"spike times must lie in 0 .. {self.steps} steps, and some do not")

    @property
    def classes(self) -> int:
        """How many classes there are."""
        return int(self.labels.max()) + 1 if len(self.labels) else 0

    def trains(self, samples: Any = slice(None)) -> Tensor:
        """Spike trains `[T, B, units]` of 0 and 1 for some samples; a time of exactly `steps` is the last step."""
        steps = self.times[samples].long().clamp_(max=self.steps - 1)  # [B, units]
        trains = torch.zeros(self.steps, *steps.shape)
        return trains.scatter_(0, steps[None], 1.0)

    def split(self, *, train: float = 0.8, seed: int = 0) -> tuple[SpikeTimes, SpikeTimes]:
        """A part to train on and the rest to test on, drawn by `seed`."""
        if not 0 < train < 1:
            raise InputError(f"the share to train on is {train}, but must lie between 0 and 1")
        order = torch.randperm(len(self.labels), generator=torch.Generator().manual_seed(seed))
        cut = round(train * len(order))
        first, second = order[:cut], order[cut:]
        return (
            SpikeTimes(self.times[first], self.labels[first], self.steps),
            SpikeTimes(self.times[second], self.labels[second], self.steps),
        )

    def batches(self, size: int, *, seed: int | None = None) -> Iterator[tuple[Tensor, Tensor]]:
        """`(trains [T, B, units], labels [B])` in order, or shuffled by `seed`."""
        order = torch.arange(len(self.labels))
        if seed is not None:
            order = torch.randperm(len(order), generator=torch.Generator().manual_seed(seed))
        for part in order.split(size):
            yield self.trains(part), self.labels[part]

    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Write the two files of the exercise into a folder: `dataset` (times) and `dataset_labels`."""
        target = Path(folder)
        try:
            target.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise closed(target, error) from error
        write_whole(target / "dataset", lambda file: torch.save(self.times[..., None], file))
        write_whole(target / "dataset_labels", lambda file: torch.save(self.labels, file))
        return target


def randman(
    *,
    classes: int = 10,
    samples: int = 1000,
    units: int = 128,
    dimensions: int = 2,
    alpha: float = 2.0,
    steps: int = 100,
    seed: int = 42,
) -> SpikeTimes:
    """Draw a data set: `samples` of each class, in the order of the classes; the same seed gives the same times.

    Raises:
        InputError: a size below 1 or an `alpha` that is not finite and above 0.
    """
    for what, size in {
        "classes": classes, "samples": samples, "units": units, "dimensions": dimensions, "steps": steps,
    }.items():  # fmt: skip
        if size < 1:
            raise InputError(f"randman was asked for {size} {what}, but needs at least 1")
    if not (math.isfinite(alpha) and alpha > 0):
        raise InputError(f"alpha is {alpha}, but must be finite and above 0: it says how smooth the manifolds are")
    waves = min(math.ceil(_PRECISION ** (-1 / alpha)), _MOST_WAVES)
    generator = torch.Generator().manual_seed(seed)
    index = torch.arange(waves, dtype=torch.float32)
    spectrum = 1 / ((index + 1) ** alpha + 1)
    drawn = []
    for _ in range(classes):
        amplitude, frequency, phase = torch.rand(3, units, dimensions, waves, generator=generator)
        amplitude[..., 0] = 0
        points = torch.rand(samples, dimensions, generator=generator)
        times = torch.ones(samples, units)
        for d in range(dimensions):
            # [samples, 1, waves] * [units, waves] -> [samples, units, waves], a part of the samples at a time
            for part in torch.arange(samples).split(128):
                angle = points[part, d, None, None] * index * frequency[:, d] + phase[:, d]
                times[part] *= (amplitude[:, d] * spectrum * torch.sin(2 * math.pi * angle)).sum(-1)
        low, high = times.amin(0), times.amax(0)
        drawn.append((times - low) / (high - low).clamp_min(torch.finfo(torch.float32).tiny) * steps)
    labels = torch.arange(classes).repeat_interleave(samples)
    return SpikeTimes(torch.cat(drawn).clamp_(0, steps), labels, steps)


def load_randman(folder: str | os.PathLike[str], *, steps: int = 100) -> SpikeTimes:
    """Read the exercise's two files, `dataset` (`[samples, units]` or `[samples, units, >= 1]`) and `dataset_labels`.

    They are torch files; only tensors are read from them, and nothing in them is executed.

    Raises:
        DataError: a file is missing, is too long, or holds something else.
    """
    times, labels = (_tensor(Path(folder) / name) for name in ("dataset", "dataset_labels"))
    try:
        return SpikeTimes((times[..., 0] if times.dim() == 3 else times).float(), labels.long(), steps)
    except (InputError, IndexError) as error:
        raise DataError(f"'{folder}' holds no Randman data: {error}") from error


def _tensor(path: Path) -> Tensor:
    try:
        with opened(path, _KIND) as (file, _):
            found = torch.load(file, map_location="cpu", weights_only=True)
    except DataError:
        raise
    except Exception as error:  # torch raises many kinds for a cut or hostile file
        raise DataError(f"'{path}' is no torch file with a tensor in it ({type(error).__name__})") from error
    if not isinstance(found, Tensor):
        raise DataError(f"'{path}' holds a {type(found).__name__}, not a tensor")
    plain = type(found) is Tensor and not found.is_nested and found.layout == torch.strided and not found.is_quantized
    if not plain or found.device.type != "cpu" or found.dtype.is_complex:
        raise DataError(
            f"'{path}' holds a tensor of an unusual kind ({found.dtype}, {found.layout}): save plain numbers"
        )
    if found.numel() * found.element_size() > found.untyped_storage().nbytes():
        raise DataError(f"'{path}' says it holds {found.numel():,} numbers, more than are in it: save them one by one")
    return found
