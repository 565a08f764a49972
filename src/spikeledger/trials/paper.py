"""One trial of the published comparison: a network of one size and kind, trained for so many epochs, priced and counted.

After Cassetta, Di Trani & Cavalagli (2023): 30 epochs, Adam 1e-3, batches of 128, dropout 0.5. Their text puts dropout behind
every hidden layer (`literal`); behind 16 or 64 units that leaves little, so the other reading (`wide`) leaves it out behind
layers of under 100 units.
"""

from __future__ import annotations

from typing import Any

from ..errors import InputError, unknown_name
from .experiments import Work, experiment

SIZES = {"S": "mlp-s", "M": "mlp-m", "L": "mlp-l"}
KINDS = ("ann", "snn", "converted")
READINGS = ("wide", "literal")
_NARROW = 100


def _start(settings: dict[str, Any]) -> dict[str, Any] | None:
    """A conversion begins with the trained ANN of its size, which does not depend on T."""
    return {**settings, "kind": "ann", "timesteps": 1} if settings["kind"] == "converted" else None


def _check(settings: dict[str, Any]) -> None:
    for what, known in (("size", SIZES), ("kind", KINDS), ("reading", READINGS)):
        if settings[what] not in known:
            raise unknown_name(what, settings[what], known)
    for what in ("timesteps", "epochs", "batch_size", "recorded"):
        if settings[what] < 1:
            raise InputError(f"{what} is {settings[what]}, but needs to be at least 1")


@experiment(start=_start, check=_check)
def compare(
    work: Work,
    *,
    data: str = "mnist",
    size: str = "S",
    kind: str = "snn",
    timesteps: int = 5,
    epochs: int = 30,
    learning_rate: float = 1e-3,
    batch_size: int = 128,
    reading: str = "wide",
    train: int | None = None,
    test: int | None = None,
    recorded: int = 500,
    seed: int = 0,
    profile: str = "horowitz-45nm",
) -> dict[str, Any]:
    """Train (or convert) a network, and measure it on the test samples.

    Args:
        data: a data set by name.
        size: S, M or L.
        kind: `ann`, `snn`, or `converted` from the ANN of the same settings.
        reading: of the dropout: `wide` layers alone, or `literal`, behind every hidden layer.
        train: samples of each part, as `test`; all by default.
        recorded: test samples whose events are counted.
    """
    from ..conversion import convert
    from ..datasets import load_dataset
    from ..ledger import price
    from ..networks import zoo
    from ..recording.record import record
    from ..training.checkpoints import load_network, save_network
    from ..training.evaluate import evaluate
    from ..training.fit import fit

    part = load_dataset(data)
    part = part.subset(train=train, test=test, seed=0) if train or test else part
    said = ""
    net: Any
    if kind == "converted":
        made = convert(load_network(work.start / "network"), part, timesteps=timesteps, seed=seed)
        net, said = made, made.conversion.said
    else:
        net = zoo.build(SIZES[size], part.input_shape, len(part.classes), timesteps=timesteps, seed=seed)
        net = zoo.twin(net, seed=seed) if kind == "ann" else net
        dropped = _read(net, reading)
        fit(
            net, part, epochs=epochs, seed=seed, learning_rate=learning_rate, batch_size=batch_size, validation=0.0,
            profile=None, progress=False, checkpoint=work.folder / "fit", resume=True,
        )  # fmt: skip
        for each, share in dropped:
            each.p = share
        save_network(work.keep / "network", net)
    answered = evaluate(net, part.test_inputs, part.test_labels)
    activity = record(net, part.test_inputs[:recorded])
    activity.save(work.keep / "activity.npz")
    return {
        "accuracy": answered.accuracy,
        "joules": price(activity, profile).joules_per_sample,
        "synaptic_ops": activity.per_sample("synaptic_op"),
        "macs": activity.per_sample("mac"),
        "spikes": activity.per_sample("spike"),
        "steps": activity.timesteps,
        "said": said,
    }


def _read(net: Any, reading: str) -> list[tuple[Any, float]]:
    """Switch dropout behind narrow layers off, where it is read so; what was changed, with its share."""
    from torch import nn

    changed, width = [], 0
    for module in net.modules():
        if isinstance(module, nn.Linear):
            width = module.out_features
        elif isinstance(module, nn.Dropout) and reading == "wide" and width < _NARROW:
            changed.append((module, module.p))
            module.p = 0.0
    return changed
