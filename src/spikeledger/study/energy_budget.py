"""Training to energy budgets as a study: `run_study("studies/energy_budget.toml", folder)` gives one row a network.

Every network starts from the same trained one and is trained on to a budget of joules on one device, by a penalty on
joules and pruning; then it is recorded on the test samples and priced on every device. What was finished is kept in the
folder, and a study that was broken off goes on from there.
"""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import FileFormatError, InputError
from ..hardware.catalog import load_profile
from ..ledger import price
from ..writing import write_whole
from .settings import read_settings

if TYPE_CHECKING:
    from torch import nn

    from ..activity import Activity
    from ..datasets import Dataset

#: section -> setting -> what it is if the file does not say
SETTINGS: dict[str, dict[str, Any]] = {
    "data": {"name": "mnist", "train": None, "test": None},
    "network": {"name": "mlp-s", "timesteps": 5, "encoders": ["rate", "direct"]},
    "training": {"epochs": 5, "budget_epochs": 10, "seeds": [0], "weight": 0.05, "thrift": 0.0},
    "budgets": {"profiles": ["seneca-22nm", "horowitz-45nm"], "shares": [0.7, 0.5, 0.35, 0.25, 0.15, 0.1]},
}
#: samples that the joules before training, and so the budgets, are taken from
_LOOKED_AT = 256
#: joules a sample: more than any network of a study
_NEVER_SPENT = 1.0


@dataclass(frozen=True)
class Trained:
    """One network of the study: how it was trained, what it answers and what it costs.

    Attributes:
        profile: the device that its budget holds on; empty for a network without one.
        share: what was to be left of the joules that hang on spikes and synapses; 1 without a budget.
        budget: joules a sample; None without one.
        stage: `before` (the network that budgets begin with), `after` (trained on as long, without a budget), `budget`.
        joules: device -> estimated joules a sample, on all test samples.
    """

    encoder: str
    seed: int
    stage: str
    profile: str
    share: float
    budget: float | None
    accuracy: float
    synops: float  # a sample, as macs and spikes are
    macs: float
    spikes: float
    synapses: int
    joules: Mapping[str, float]

    @property
    def name(self) -> str:
        """What it is called in the folder."""
        of = f"{self.profile}-{self.share:g}" if self.stage == "budget" else self.stage
        return f"{self.encoder}-{self.seed}-{of}"


def read_study(path: str | os.PathLike[str], **changes: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The settings of a study file, with changes by section: `training={"seeds": [0, 1]}`.

    Raises:
        FileFormatError: the file is no TOML.
        InputError: a section or setting that does not exist, or one of another type.
    """
    settings = read_settings(path, SETTINGS, changes)
    shares = settings["budgets"]["shares"]
    if not all(0 < one < 1 for one in shares):
        raise InputError(f"budgets.shares is {shares!r}, but must be a list of shares above 0 and below 1")
    return settings


def run_study(
    path: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    *,
    data: Dataset | None = None,
    progress: Callable[[Trained], None] | None = None,
    **changes: Mapping[str, Any],
) -> list[Trained]:
    """Train the networks of a study that are not in the folder yet; gives all of them.

    Args:
        data: what is trained on; the data set that the file names by default.
        progress: called with each network that was trained.
        changes: settings that differ from the file, by section.
    """
    settings = read_study(path, **changes)
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    if data is None:
        from ..datasets import load_dataset

        part = settings["data"]
        data = load_dataset(part["name"])
        if part["train"] or part["test"]:
            data = data.subset(train=part["train"], test=part["test"], seed=0)
    rows = []
    for encoder in settings["network"]["encoders"]:
        for seed in settings["training"]["seeds"]:
            for row in _of_one_seed(settings, data, encoder, seed, place, progress):
                rows.append(row)
    return rows


def _of_one_seed(
    settings: Mapping[str, Mapping[str, Any]],
    data: Dataset,
    encoder: str,
    seed: int,
    place: Path,
    progress: Callable[[Trained], None] | None,
) -> Iterator[Trained]:
    from ..networks import zoo
    from ..recording.record import record
    from ..training.checkpoints import load_network, save_network
    from ..training.fit import fit
    from ..training.losses import joules
    from ..training.pruning import Pruning
    from ..training.slopes import slopes

    training, budgets = settings["training"], settings["budgets"]
    devices = [load_profile(name) for name in budgets["profiles"]]

    def kept(row: Trained, make: Callable[[], nn.Module]) -> Trained:
        file = place / f"{row.name}.json"
        if file.exists():
            return _read(file)
        network = make()
        found = _measured(row, network, data, [device.name for device in devices])
        write_whole(file, json.dumps(asdict(found), indent=1))
        if progress is not None:
            progress(found)
        return found

    def blank(stage: str, profile: str = "", share: float = 1.0, budget: float | None = None) -> Trained:
        return Trained(encoder, seed, stage, profile, share, budget, 0.0, 0.0, 0.0, 0.0, 0, {})

    def first() -> nn.Module:
        network = zoo.build(
            settings["network"]["name"], data.input_shape, len(data.classes), encoder=encoder, seed=seed,
            timesteps=settings["network"]["timesteps"],
        )  # fmt: skip
        fit(network, data, epochs=training["epochs"], seed=seed, progress=False, profile=None)
        save_network(place / f"{encoder}-{seed}", network)
        return network

    yield kept(blank("before"), first)
    base = load_network(place / f"{encoder}-{seed}")

    def trained(**options: Any) -> nn.Module:
        network = copy.deepcopy(base)
        fit(network, data, epochs=training["budget_epochs"], seed=seed + 1, progress=False, profile=None, **options)
        return network

    # the same loop with a budget that never binds, so that it too ends with its last epoch
    never = joules(devices[0], target=_NEVER_SPENT, weight=training["weight"])
    yield kept(blank("after"), lambda: trained(penalties=[never]))
    activity = record(base, data.train_inputs[:_LOOKED_AT])
    for device in devices:
        whole = price(activity, device).joules_per_sample
        floor = whole - sum(
            # joules/event * events/sample = joules/sample
            slope * activity.per_sample(event, layer)
            for (layer, event), slope in slopes(activity, device).each.items()
            if event != "active_update"
        )
        for share in budgets["shares"]:
            budget = floor + share * (whole - floor)

            def to_budget(budget: float = budget, profile: str = device.name) -> nn.Module:
                return trained(
                    penalties=[joules(profile, target=budget, weight=training["weight"])],
                    prune=Pruning(joules=budget, profile=profile, thrift=training["thrift"], end=0.7),
                )

            yield kept(blank("budget", device.name, share, budget), to_budget)


def _measured(row: Trained, network: nn.Module, data: Dataset, devices: Sequence[str]) -> Trained:
    """A row with what the network answers and costs, on all test samples."""
    from dataclasses import replace

    from ..recording.record import record
    from ..training.evaluate import evaluate

    activity: Activity = record(network, data.test_inputs)
    return replace(
        row,
        accuracy=evaluate(network, data.test_inputs, data.test_labels).accuracy,
        synops=activity.per_sample("synaptic_op"),
        macs=activity.per_sample("mac"),
        spikes=sum(
            activity.per_sample("spike", layer.name) for layer in activity.layers_by_name.values() if layer.spiking
        ),
        synapses=sum(layer.synapses for layer in activity.layers_by_name.values()),
        joules={name: price(activity, name).joules_per_sample for name in devices},
    )


def _read(file: Path) -> Trained:
    try:
        return Trained(**json.loads(file.read_text("utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise FileFormatError(f"'{file}' is no network of this study ({error}): remove it to train it again") from error


def reversals(rows: Iterable[Trained], first: str, second: str) -> tuple[int, int]:
    """Of all pairs of networks, how many cost less on one device and more on the other, and how many pairs there are."""
    found = list(rows)
    pairs = [(a, b) for i, a in enumerate(found) for b in found[i + 1 :]]
    turned = sum((a.joules[first] - b.joules[first]) * (a.joules[second] - b.joules[second]) < 0 for a, b in pairs)
    return turned, len(pairs)


def to_dict(rows: Iterable[Trained]) -> dict[str, Any]:
    """Every row as plain values, with a versioned schema."""
    return {"schema": "spikeledger-energy-budget/1", "networks": [asdict(row) for row in rows]}
