"""How the published comparison trained and converted, and how its networks learn better: two recipes, two readings.

After Cassetta, Di Trani & Cavalagli (2023). `published`: Adam at a constant rate, cross entropy on bare rates of the SNN (their
losses stand on its floor, ln(e + 9) - 1 = 1.46), conversion by the largest activation with membranes that start at 0.
`corrected`: a rate that rises once and falls to 0, rates sharpened before the softmax, conversion by what loses least.
Their text puts dropout behind every hidden layer (`literal`); behind 16 or 64 units that leaves little, so the other reading
(`wide`) leaves it out behind layers of under 100 units.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..errors import unknown_name

RECIPES = ("corrected", "published")
READINGS = ("wide", "literal")
_NARROW = 100


def check_recipe(settings: dict[str, Any]) -> None:
    """Refuse a recipe or a reading that there is none of."""
    for what, known in (("recipe", RECIPES), ("reading", READINGS)):
        if settings[what] not in known:
            raise unknown_name(what, settings[what], known)


def bare_rates(found: Any, labels: Any) -> Any:
    """Cross entropy of scores as they are: of rates in [0, 1] it cannot fall below ln(e + classes - 1) - 1."""
    from torch.nn.functional import cross_entropy

    return cross_entropy(found.scores, labels)


def loss_of(recipe: str) -> Any:
    """The loss that a recipe trains by."""
    return bare_rates if recipe == "published" else "rate"


def trained(
    net: Any, part: Any, folder: Path, *, recipe: str, reading: str = "literal", **options: Any
) -> dict[str, float]:
    """Train in place, going on where a kill left it; accuracy and loss of the last pass over the training samples."""
    from ..training.fit import fit

    dropped = _read(net, reading)
    run = fit(
        net, part, validation=0.0, profile=None, progress=False, checkpoint=folder, resume=True, loss=loss_of(recipe),
        schedule="constant" if recipe == "published" else "one-cycle", **options,
    )  # fmt: skip
    for each, share in dropped:
        each.p = share
    last = run.history[-1]
    return {"train_accuracy": last.train_accuracy, "train_loss": last.loss}


def converted(ann: Any, part: Any, *, recipe: str, timesteps: int, seed: int) -> Any:
    """The ANN as a spiking network."""
    from ..conversion import convert

    if recipe == "published":
        return convert(
            ann, part, method="max", timesteps=timesteps, schedule="together", initial=0.0, correct="none", seed=seed
        )
    return convert(ann, part, timesteps=timesteps, seed=seed)


def measured(net: Any, inputs: Any, labels: Any, recipe: str, batch: int = 500) -> dict[str, float]:
    """Accuracy and mean loss over samples, in evaluation mode."""
    from ..training.answers import answer
    from ..training.evaluate import evaluation_mode, own_random_numbers, reseed
    from ..training.losses import loss as find_loss

    criterion = find_loss(loss_of(recipe))
    right, total = 0, 0.0
    with evaluation_mode(net), own_random_numbers(net, 0):
        reseed(net, 0)
        for some, truth in zip(inputs.split(batch), labels.split(batch), strict=True):
            found = answer(net, some)
            right += int((found.scores.argmax(1) == truth).sum())
            total += float(criterion(found, truth)) * len(truth)
    return {"accuracy": right / len(labels), "loss": total / len(labels)}


def counted(net: Any, inputs: Any, keep: Path, profile: str, batch: int = 50) -> dict[str, float]:
    """Events and joules of a sample; the activity is kept."""
    from ..ledger import price
    from ..recording.record import record

    activity = record(net, inputs, batch_size=batch)
    activity.save(keep / "activity.npz")
    return {
        "joules": price(activity, profile).joules_per_sample,
        "synaptic_ops": activity.per_sample("synaptic_op"),
        "macs": activity.per_sample("mac"),
        "neuron_updates": activity.per_sample("neuron_update"),
        "spikes": activity.per_sample("spike"),
        "steps": activity.timesteps,
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
