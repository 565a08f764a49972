"""One network of a search: its settings in; accuracy, joules on several devices, chips and latency out.

What a search chooses by is measured on samples that are held out of the training set; the test set chooses nothing.
A trial that comes after another (a rung of a search) goes on with the network that the other one kept: it trains it on,
squeezes it to a share of its joules, or makes it wider.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from ..reading import is_folder
from .experiments import Work, check_names, experiment

if TYPE_CHECKING:
    import torch
    from torch import nn

    from ..activity import Activity
    from ..datasets import Dataset

#: joules of the Neuro4ML course's exercise, whose trade-off score is `0.5 accuracy + 0.5 (10,000 - E/nJ) / 10,000`
COURSE_PROFILE, COURSE_BILL, COURSE_NANOJOULES = "published-exercise-001", "ops-only", 10_000.0
#: weight of the penalty on joules where `share` is below 1 and no other is given, as in the study of budgets
USUAL_PENALTY = 0.05


def _check(settings: dict[str, Any]) -> None:
    for name in ("epochs", "depth", "width", "timesteps", "held_out", "recorded"):
        if settings[name] < 1:
            raise InputError(f"{name} is {settings[name]}, but needs to be at least 1")
    check_names(settings, "randman")
    if not 0 <= settings["sparsity"] < 1:
        raise InputError(f"sparsity is {settings['sparsity']}, but must be at least 0 and below 1")
    if not 1 <= settings["weight_bits"] <= 32:
        raise InputError(f"weight_bits is {settings['weight_bits']}, but must be 1 to 32")
    for name in ("share", "narrow"):
        if not 0 < settings[name] <= 1:
            raise InputError(f"{name} is {settings[name]}, but must be above 0 and at most 1")
    if settings["penalty"] > 0 and settings["budget"] <= 0 and settings["share"] == 1:
        raise InputError(
            "a penalty on joules needs what it holds above: give budget, in joules a sample, or a share below 1"
        )


@experiment(check=_check)
def network(
    work: Work,
    *,
    data: str = "mnist",
    train: int | None = None,
    test: int | None = None,
    held_out: int = 2000,
    width: int = 128,
    depth: int = 1,
    taper: float = 1.0,
    neuron: str = "lif",
    beta: float = 0.9,
    threshold: float = 1.0,
    surrogate: str = "atan",
    encoder: str = "rate",
    timesteps: int = 5,
    loss: str = "rate",
    learning_rate: float = 3e-3,
    penalty: float = 0.0,
    budget: float = 0.0,
    budget_profile: str = "loihi",
    share: float = 1.0,
    narrow: float = 1.0,
    sparsity: float = 0.0,
    weight_bits: int = 32,
    epochs: int = 3,
    seed: int = 0,
    profiles: list[str] | tuple[str, ...] = ("loihi", "seneca-22nm"),
    chips: list[str] | tuple[str, ...] = (),
    recorded: int = 1000,
) -> dict[str, Any]:
    """Train a perceptron, and measure it on held-out samples.

    Args:
        data: a data set's name, or `randman` (10 classes, 128 units, `timesteps` steps, 200 samples a class).
        train: samples that are trained on, as with `test`; all by default.
        held_out: samples of the training set that the search chooses by.
        width: hidden neurons of the first hidden layer.
        taper: by which each further layer's width is multiplied.
        penalty: weight of a penalty on joules above `budget` joules a sample on `budget_profile`; 0 for none.
        share: of the joules on `budget_profile` that hang on spikes and synapses, what training and pruning leave.
        narrow: share of the width that is built; a later rung with more of it makes the network wider.
        sparsity: share of the weights that pruning makes zero.
        weight_bits: to which weights are rounded after training.
        epochs: of this trial; those of the trials that it comes after are not in it.
        profiles: devices to price on.
        chips: chips to map onto.
        recorded: held-out samples that are recorded.
    """
    from ..recording.record import record
    from ..training.checkpoints import load_network, save_network
    from ..training.evaluate import evaluate
    from ..training.fit import fit
    from ..training.losses import joules
    from ..training.pruning import Pruning
    from .energy_budget import budget_of
    from .widening import widened

    part, tests = load_parts(data, train, test, held_out, timesteps)
    started = is_folder(work.start / "network")
    net: Any = load_network(work.start / "network") if started else None
    done = int((work.start / "epochs").read_text()) if started else 0
    if net is None or narrow > float((work.start / "narrow").read_text()):
        built = _built(
            part, data, width, depth, taper, neuron, beta, threshold, surrogate, encoder, timesteps, seed, narrow
        )
        net = built if net is None else widened(net, built)
    penalties, prune = [], Pruning(sparsity) if sparsity > 0 else None
    if share < 1:
        budget = budget_of(net, part, budget_profile, share)
        prune = Pruning(joules=budget, profile=budget_profile, end=0.7)
        penalty = penalty or USUAL_PENALTY
    if penalty > 0:
        penalties.append(joules(budget_profile, target=budget, weight=penalty))
    fit(
        net, part, epochs=epochs, seed=seed + done, loss=loss, learning_rate=learning_rate, penalties=penalties,
        prune=prune, validation=0.0, profile=None, progress=False, checkpoint=work.folder / "fit", resume=True,
    )  # fmt: skip
    save_network(work.keep / "network", net)
    (work.keep / "epochs").write_text(str(done + epochs))
    (work.keep / "narrow").write_text(str(narrow))
    rounded = _rounded(net, weight_bits)
    answered = evaluate(rounded, part.test_inputs, part.test_labels)
    sample = part.test_inputs[:recorded]
    activity = record(rounded, sample.transpose(0, 1) if rounded.input_layout == "TB" else sample)
    activity.save(work.keep / "activity.npz")
    return {
        "accuracy": answered.accuracy,
        "test_accuracy": evaluate(rounded, *tests).accuracy,
        "epochs": done + epochs,
        **priced(activity, profiles),
        "tradeoff": tradeoff(answered.accuracy, activity),
        "synops": activity.per_sample("synaptic_op"),
        "synapses": sum(layer.synapses for layer in activity.layers_by_name.values()),
        **_on_chips(rounded, sample, chips, activity),
    }


def priced(activity: Activity, profiles: list[str] | tuple[str, ...]) -> dict[str, Any]:
    """On devices: joules a sample, nominal and at the high end of every price, and seconds a sample where they are stated."""
    from ..ledger import price

    ledgers = {name: price(activity, name) for name in profiles}
    return {
        "joules": {name: ledger.per_sample.nominal for name, ledger in ledgers.items()},
        "joules_high": {name: ledger.per_sample.high for name, ledger in ledgers.items()},
        "latency": {
            name: ledger.seconds / ledger.samples for name, ledger in ledgers.items() if ledger.seconds is not None
        },
    }


def tradeoff(accuracy: float, activity: Activity) -> float:
    """The score of the course's exercise, of joules a sample by fan-out."""
    from ..ledger import price

    nanojoules = 1e9 * price(activity, COURSE_PROFILE, bill=COURSE_BILL).joules_per_sample
    return 0.5 * accuracy + 0.5 * (COURSE_NANOJOULES - nanojoules) / COURSE_NANOJOULES


@lru_cache(1)  # the trials of a search follow each other in a process, and all ask for the same samples
def load_parts(
    data: str, train: int | None, test: int | None, held_out: int, timesteps: int
) -> tuple[Dataset, tuple[torch.Tensor, torch.Tensor]]:
    """What is trained on and chosen by, as a data set whose test part is held out of training; and the real test part.

    The held-out samples are the same for every trial.
    """
    import numpy as np

    from ..datasets import Dataset, load_dataset

    if data == "randman":
        from ..datasets.randman import randman

        first, second = randman(samples=200, steps=timesteps).split(seed=0)
        whole = Dataset.from_arrays(
            "randman", first.trains().transpose(0, 1), first.labels, second.trains().transpose(0, 1), second.labels
        )
    else:
        whole = load_dataset(data)
    count = len(whole.train_labels)
    if not held_out < count:
        raise InputError(f"held_out is {held_out}, but '{data}' has {count:,} training samples: hold fewer out")
    order = np.random.default_rng(0).permutation(count)
    held, kept = order[:held_out], order[held_out:][:train]
    part = Dataset(
        whole.name, whole.train_inputs[kept], whole.train_labels[kept],
        whole.train_inputs[held], whole.train_labels[held], whole.classes,
    )  # fmt: skip
    tests = whole.subset(test=test, seed=0) if test else whole
    return part, (tests.test_inputs, tests.test_labels)


def _built(
    part: Dataset, data: str, width: int, depth: int, taper: float, neuron: str, beta: float, threshold: float,
    surrogate: str, encoder: str, timesteps: int, seed: int, narrow: float,
) -> Any:  # fmt: skip
    from ..networks import zoo

    sequences = data == "randman"
    inputs = part.input_shape[1:] if sequences else part.input_shape
    flat = 1
    for size in inputs:
        flat *= size
    hidden = [max(1, round(narrow * width * taper**n)) for n in range(depth)]
    options: dict[str, Any] = {"threshold": threshold, "surrogate": surrogate}
    if neuron != "if":
        options["beta"] = beta
    return zoo.mlp(
        flat, *hidden, len(part.classes), neuron=neuron, timesteps=timesteps,
        encoder=None if sequences else encoder, seed=seed, **options,
    )  # fmt: skip


def _rounded(net: nn.Module, bits: int) -> Any:
    """A copy whose weights have so many bits; it saves and answers as before."""
    import copy

    import torch
    from torch import nn

    from ..hardware.profile import Precision
    from ..study.widths import round_weights

    clone = copy.deepcopy(net)
    if bits < 32:
        with torch.no_grad():
            for module in clone.modules():
                if isinstance(module, nn.Linear):
                    precision = Precision(arithmetic="integer", weight_bits=bits)
                    module.weight.copy_(round_weights(module.weight, precision))
    return clone


def _on_chips(net: Any, sample: torch.Tensor, chips: list[str] | tuple[str, ...], activity: Activity) -> dict[str, Any]:
    """On each chip: how far the limit that fails most is exceeded (`misfit`, 0 where all hold), and chips used."""
    if not chips:
        return {}
    from ..chip.fits import fits
    from ..mapping.map import map as map_network

    first = sample[:1]
    mapped = map_network(net, first.transpose(0, 1) if net.input_layout == "TB" else first)
    found = dict(zip(chips, fits(mapped, list(chips)), strict=True))
    return {
        "misfit": {
            name: max((short.excess - 1 for short in each.shortages), default=0.0) for name, each in found.items()
        },
        "chips": {name: each.chips for name, each in found.items()},
    }
