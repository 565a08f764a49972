"""The Neuro4ML exercise as a study: `run_study("studies/neuro4ml.toml")` trains on Randman and scores the trade-off."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..datasets.randman import randman
from .exercise import Epoch, evaluate, network, score, train
from .settings import read_settings

#: section -> setting -> what it is if the file does not say
SETTINGS: dict[str, dict[str, Any]] = {
    "data": {
        "classes": 10, "samples": 1000, "units": 128, "dimensions": 2, "alpha": 2.0, "steps": 100, "seed": 42,
        "split_seed": 0, "train_share": 0.8,
    },
    "network": {"hidden": 128, "beta": 0.95, "seed": 42},
    "training": {"epochs": 10, "batch_size": 64, "learning_rate": 1e-3, "gamma": 0.9},
}  # fmt: skip


@dataclass(frozen=True)
class Exercise:
    """The untrained network, each epoch, and the trade-off score under the three accounts."""

    untrained: Epoch
    history: tuple[Epoch, ...]
    scores: Mapping[str, float]

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values."""
        return {
            "untrained": {**dataclasses.asdict(self.untrained), "loss": None},
            "epochs": [dataclasses.asdict(epoch) for epoch in self.history],
            "scores": dict(self.scores),
        }


def run_study(
    path: str | os.PathLike[str], *, progress: Callable[[Epoch], None] | None = None, **changes: Mapping[str, Any]
) -> Exercise:
    """Train as a study file says, on the same data and in the same order for the same seeds.

    Args:
        path: a TOML file with the sections of `SETTINGS`.
        progress: called with each finished epoch.
        changes: settings that differ from the file, by section: `training={"epochs": 2}`.

    Raises:
        FileFormatError: the file is no TOML.
        InputError: a section or setting that does not exist, or one of another type.
    """
    settings = read_settings(path, SETTINGS, changes)
    data, model, training = settings["data"], settings["network"], settings["training"]
    split_seed, share = data.pop("split_seed"), data.pop("train_share")
    first, second = randman(**data).split(train=share, seed=split_seed)
    net = network(
        model["hidden"], inputs=data["units"], outputs=data["classes"], beta=model["beta"], seed=model["seed"]
    )
    size = training.pop("batch_size")
    untrained = evaluate(net, second.batches(size))
    history = train(
        net, lambda epoch: first.batches(size, seed=epoch), lambda: second.batches(size), progress=progress, **training
    )
    return Exercise(untrained, tuple(history), {kind: score(history, kind) for kind in ("batch", "sample", "fan_out")})
