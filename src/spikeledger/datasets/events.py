"""Recorded event streams through tonic (extra `events`): N-MNIST, SHD, DVS Gesture, as spikes `[T, B, ...]`.

tonic finds, downloads and checks the files; here its events become frames. Its `ToFrame` leaves events of the last, unfilled
window out; here every event is in a step: step `floor(T t / duration)`, the last one included.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..arguments import checked
from ..errors import DataError, InputError, unknown_name

#: name -> (class of tonic.datasets, its classes)
SETS: Final[dict[str, tuple[str, int]]] = {
    "n-mnist": ("NMNIST", 10),
    "shd": ("SHD", 20),
    "dvs-gesture": ("DVSGesture", 11),
}


@checked
def load_events(
    name: str, root: str | Path, *, timesteps: int, train: bool = True, samples: int | None = None
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Spikes float32 `[T, samples, *N]`, 0 or 1, and labels.

    Args:
        name: `n-mnist`, `shd` or `dvs-gesture`.
        root: folder that tonic keeps the files in; they are downloaded there if they are missing.
        timesteps: steps that each recording is cut into, whatever its length.
        samples: so many at most.

    Raises:
        DataError: tonic is not installed, or it could not get or read the files.
        InputError: another name, or no steps or recordings.
    """
    if name not in SETS:
        raise unknown_name("event data set", name, SETS)
    if timesteps < 1 or (samples is not None and samples < 1):
        raise InputError(f"{samples} recordings in {timesteps} steps were asked for, but both must be at least 1")
    try:
        import tonic
    except ImportError as error:
        raise DataError("event data come through tonic: install spikeledger[events]") from error
    kind, _ = SETS[name]
    try:
        found: Any = getattr(tonic.datasets, kind)(save_to=str(root), train=train)
        count = len(found) if samples is None else min(samples, len(found))
        wide, high, polarities = (int(each) for each in found.sensor_size)
        recordings = [found[index] for index in range(count)]
    except Exception as error:  # whatever its downloads and files raise
        sentence = " ".join(str(error).split())[:200]
        raise DataError(
            f"tonic could not give {name} in {root} ({type(error).__name__}: {sentence}): put its files there"
        ) from error
    labels = np.array([label for _, label in recordings], np.int64)
    return np.stack([framed(events, (wide, high, polarities), timesteps) for events, _ in recordings], 1), labels


def framed(events: Any, sensor: tuple[int, int, int], timesteps: int) -> NDArray[np.float32]:
    """Events (fields `x`, `t`, perhaps `y` and `p`) as spikes `[T, *N]`: 1 where at least one event of a step was.

    `sensor` is tonic's `(width, height, polarities)`; a height of 1 gives `[T, width]`, else `[T, polarities, height, width]`.
    """
    wide, high, polarities = sensor
    names = events.dtype.names
    t = events["t"].astype(np.float64)
    line = high == 1
    frames = np.zeros((timesteps, wide) if line else (timesteps, polarities, high, wide), np.float32)
    if not len(t):
        return frames
    begin, end = t.min(), t.max()
    step = np.minimum(((t - begin) * timesteps / max(end - begin, 1e-12)).astype(np.int64), timesteps - 1)
    x = events["x"].astype(np.int64)
    if line:
        frames[step, _inside(x, wide, "x")] = 1
    else:
        p = events["p"].astype(np.int64) if "p" in names else np.zeros(len(t), np.int64)
        y = _inside(events["y"].astype(np.int64), high, "y")
        frames[step, np.clip(p, 0, polarities - 1), y, _inside(x, wide, "x")] = 1
    return frames


def _inside(values: NDArray[np.int64], size: int, axis: str) -> NDArray[np.int64]:
    if values.min() < 0 or values.max() >= size:
        raise DataError(
            f"an event lies at {axis} = {int(values.max())}, but the sensor has {size} places there: cut file?"
        )
    return values
