"""Training to a budget of joules on one device, by a penalty on joules and by pruning: one trial is one network.

Every network starts from the same trained one (`before`) and is trained on, to a budget (`budget`) or as long without
any (`after`); then it is recorded on the test samples and priced on every device. Networks and activities are kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ..errors import InputError, unknown_name
from .experiments import Work, check_names, experiment

if TYPE_CHECKING:
    from torch import nn

    from ..datasets import Dataset

STAGES = ("before", "after", "budget")
#: samples that the joules before training, and so the budgets, are taken from
_LOOKED_AT = 256
#: joules a sample: more than any network of a study
_NEVER_SPENT = 1.0


def _start(settings: dict[str, Any]) -> dict[str, Any] | None:
    if settings["stage"] == "before":
        return None
    return {**settings, "stage": "before", "profile": "", "share": 1.0}


def _check(settings: dict[str, Any]) -> None:
    if settings["stage"] not in STAGES:
        raise unknown_name("stage", settings["stage"], STAGES)
    check_names(settings)
    if settings["stage"] == "budget":
        if not settings["profile"]:
            raise InputError("a budget holds on one device: give profile, such as 'seneca-22nm'")
        if not 0 < settings["share"] < 1:
            raise InputError(f"share is {settings['share']}, but must be above 0 and below 1")


@experiment(start=_start, check=_check)
def train_to_budget(
    work: Work,
    *,
    data: str = "mnist",
    train: int | None = None,
    test: int | None = None,
    network: str = "mlp-s",
    timesteps: int = 5,
    encoder: str = "rate",
    seed: int = 0,
    epochs: int = 5,
    budget_epochs: int = 10,
    weight: float = 0.05,
    thrift: float = 0.0,
    profiles: list[str] | tuple[str, ...] = ("seneca-22nm", "horowitz-45nm"),
    stage: str = "budget",
    profile: str = "",
    share: float = 1.0,
) -> dict[str, Any]:
    """One network: how it was trained, what it answers, and estimated joules a sample on every device.

    Args:
        train: samples to train on; all by default, as with `test`.
        epochs: of the network that every budget begins with.
        budget_epochs: and then to each budget.
        weight: of the penalty on joules.
        thrift: of the pruning; 0 prunes by size alone.
        stage: `before`, `after` or `budget`.
        profile: the device that the budget holds on.
        share: what is to be left of the joules that hang on spikes and synapses.
    """
    from ..networks import zoo
    from ..training.checkpoints import load_network, save_network
    from ..training.fit import fit
    from ..training.losses import joules
    from ..training.pruning import Pruning

    part = _dataset(data, train, test)
    budget = None
    if stage == "before":
        net: nn.Module = zoo.build(
            network, part.input_shape, len(part.classes), encoder=encoder, seed=seed, timesteps=timesteps
        )
        how: dict[str, Any] = {"epochs": epochs, "seed": seed}
    else:
        net = load_network(work.start / "network")
        if stage == "after":  # the same loop with a budget that never binds, so that it too ends with its last epoch
            how = {"penalties": [joules(profiles[0], target=_NEVER_SPENT, weight=weight)]}
        else:
            budget = budget_of(net, part, profile, share)
            how = {
                "penalties": [joules(profile, target=budget, weight=weight)],
                "prune": Pruning(joules=budget, profile=profile, thrift=thrift, end=0.7),
            }
        how |= {"epochs": budget_epochs, "seed": seed + 1}
    fit(net, part, **how, progress=False, profile=None, checkpoint=work.folder / "fit", resume=True)
    save_network(work.keep / "network", net)
    return {"budget": budget, **_measured(work, net, part, profiles)}


def _dataset(data: str, train: int | None, test: int | None) -> Dataset:
    from ..datasets import load_dataset

    whole = load_dataset(data)
    return whole.subset(train=train, test=test, seed=0) if train or test else whole


def budget_of(net: nn.Module, data: Dataset, profile: str, share: float) -> float:
    """Joules a sample: the floor that no training moves, and a share of what lies above it."""
    from ..hardware.catalog import load_profile
    from ..ledger import price
    from ..recording.record import record
    from ..training.slopes import slopes

    device = load_profile(profile)
    activity = record(net, data.train_inputs[:_LOOKED_AT])
    whole = price(activity, device).joules_per_sample
    floor = whole - sum(
        # joules/event * events/sample = joules/sample
        slope * activity.per_sample(event, layer)
        for (layer, event), slope in slopes(activity, device).each.items()
        if event != "active_update"
    )
    return floor + share * (whole - floor)


def _measured(work: Work, net: nn.Module, data: Dataset, profiles: Iterable[str]) -> dict[str, Any]:
    """What a network answers and costs, on all test samples."""
    from ..hardware.catalog import load_profile
    from ..ledger import price
    from ..recording.record import record
    from ..training.evaluate import evaluate

    activity = record(net, data.test_inputs)
    activity.save(work.keep / "activity.npz")
    devices = [load_profile(name) for name in profiles]
    return {
        "accuracy": evaluate(net, data.test_inputs, data.test_labels).accuracy,
        "synops": activity.per_sample("synaptic_op"),
        "macs": activity.per_sample("mac"),
        "spikes": sum(
            activity.per_sample("spike", layer.name) for layer in activity.layers_by_name.values() if layer.spiking
        ),
        "synapses": sum(layer.synapses for layer in activity.layers_by_name.values()),
        "joules": {device.name: price(activity, device).joules_per_sample for device in devices},
    }


def reversals(rows: Iterable[Mapping[str, Any]], first: str, second: str) -> tuple[int, int]:
    """Of all pairs of results, how many cost less on one device and more on the other, and how many pairs there are."""
    found = [row["joules"] for row in rows]
    pairs = [(a, b) for i, a in enumerate(found) for b in found[i + 1 :]]
    turned = sum((a[first] - b[first]) * (a[second] - b[second]) < 0 for a, b in pairs)
    return turned, len(pairs)
