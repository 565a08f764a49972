"""The Neuro4ML exercise as an experiment: one trial trains a network on Randman and scores the trade-off."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from .experiments import Work, experiment

if TYPE_CHECKING:
    from ..chip.exercise import Epoch


@experiment()
def exercise(
    work: Work,
    *,
    classes: int = 10,
    samples: int = 1000,
    units: int = 128,
    dimensions: int = 2,
    alpha: float = 2.0,
    steps: int = 100,
    data_seed: int = 42,
    split_seed: int = 0,
    train_share: float = 0.8,
    hidden: int = 128,
    beta: float = 0.95,
    seed: int = 42,
    epochs: int = 10,
    batch_size: int = 64,
    learning_rate: float = 1e-3,
    gamma: float = 0.9,
) -> dict[str, Any]:
    """The untrained network, each epoch, and the trade-off score under the three accounts.

    Args:
        classes: of Randman, as `samples` of each, `units`, `dimensions`, `alpha` and `steps` are.
        hidden: neurons.
        gamma: by which the learning rate falls an epoch.
    """
    from ..chip.exercise import evaluate, network, score, train
    from ..datasets.randman import randman

    data = randman(
        classes=classes, samples=samples, units=units, dimensions=dimensions, alpha=alpha, steps=steps, seed=data_seed
    )
    first, second = data.split(train=train_share, seed=split_seed)
    net = network(hidden, inputs=units, outputs=classes, beta=beta, seed=seed)
    untrained = evaluate(net, second.batches(batch_size))
    history = train(
        net, lambda epoch: first.batches(batch_size, seed=epoch), lambda: second.batches(batch_size),
        epochs=epochs, learning_rate=learning_rate, gamma=gamma,
    )  # fmt: skip
    return {
        "accuracy": max(epoch.accuracy for epoch in history),
        "scores": {kind: score(history, kind) for kind in ("batch", "sample", "fan_out")},
        "untrained": {**_told(untrained), "loss": None},
        "epochs": [_told(epoch) for epoch in history],
    }


def _told(epoch: Epoch) -> dict[str, Any]:
    """What is the same each time: without the seconds that it took."""
    return {name: value for name, value in asdict(epoch).items() if name != "seconds"}
