"""One trial of the published comparison: a network of one size and kind, trained for so many epochs, priced and counted.

After Cassetta, Di Trani & Cavalagli (2023): 30 epochs, Adam 1e-3, batches of 128, dropout 0.5; how they trained, and how it is
mended, is in `recipes`. Images of one channel go to their perceptrons, of three to their convolutional networks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..errors import InputError, unknown_name
from .experiments import Work, check_names, experiment
from .recipes import check_recipe, converted, counted, measured, trained

#: what a size is called in the zoo, for images of one channel and of three
SIZES = {1: {"S": "mlp-s", "M": "mlp-m", "L": "mlp-l"}, 3: {"S": "cnn-s", "M": "cnn-m"}}
KINDS = ("ann", "snn", "converted", "robustness")
#: channels of the data sets that are no digits or clothes
COLOURED = {"cifar-10": 3}
#: samples to train and to test, as published: an archive may hold less
FULL = {
    "mnist": (60_000, 10_000),
    "fashion-mnist": (60_000, 10_000),
    "cifar-10": (50_000, 10_000),
    "digits": (1437, 360),
}


def _start(settings: dict[str, Any]) -> list[dict[str, Any]]:
    """A conversion begins with the trained ANN of its size, which does not depend on T; an attack with all three."""
    ann = {**settings, "kind": "ann", "timesteps": 1}
    if settings["kind"] == "converted":
        return [ann]
    if settings["kind"] == "robustness":
        return [ann, {**settings, "kind": "snn"}, {**settings, "kind": "converted"}]
    return []


def _check(settings: dict[str, Any]) -> None:
    sizes = SIZES[COLOURED.get(settings["data"], 1)]
    for what, known in (("size", sizes), ("kind", KINDS)):
        if settings[what] not in known:
            raise unknown_name(what, settings[what], known)
    check_recipe(settings)
    check_names(settings)
    for what in ("timesteps", "epochs", "batch_size", "recorded", "attacked"):
        if settings[what] < 1:
            raise InputError(f"{what} is {settings[what]}, but needs to be at least 1")
    if settings["kind"] == "ann":
        settings["timesteps"] = 1
    if settings["size"] == "S" and COLOURED.get(settings["data"], 1) == 1:  # has no dropout
        settings["reading"] = "wide"


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
    recipe: str = "corrected",
    reading: str = "wide",
    train: int | None = None,
    test: int | None = None,
    recorded: int = 500,
    attacked: int = 500,
    epsilons: Sequence[float] = tuple(round(0.05 * k, 2) for k in range(21)),
    seed: int = 0,
    profile: str = "horowitz-45nm",
) -> dict[str, Any]:
    """Train, convert or attack networks, and measure them on the test samples.

    Args:
        data: a data set by name.
        size: S, M or L; S or M of pictures in colour.
        kind: `ann`, `snn`, `converted` from the ANN of the same settings, or `robustness` of these three.
        recipe: `published`, or `corrected`.
        reading: of the dropout: `wide` layers alone, or `literal`, behind every hidden layer.
        train: samples of each part, as `test`; all by default.
        recorded: test samples whose events are counted.
        attacked: test samples that noise and attacks are tried on.
        epsilons: largest changes that attacks may make.
    """
    from ..datasets import load_dataset
    from ..networks import zoo
    from ..training.checkpoints import load_network, save_network

    part = load_dataset(data)
    part = part.subset(train=train, test=test, seed=0) if train or test else part
    sizes = {
        "train_samples": len(part.train_inputs), "test_samples": len(part.test_inputs),
        "all_samples": FULL.get(data) == (len(part.train_inputs), len(part.test_inputs)),
    }  # fmt: skip
    if kind == "robustness":
        three = {
            each: load_network(work.start / str(n) / "network") for n, each in enumerate(("ANN", "SNN", "converted"))
        }
        return {**sizes, **_attacked(three, part, attacked, epsilons, seed)}
    told: dict[str, Any] = {}
    net: Any
    if kind == "converted":
        net = converted(load_network(work.start / "network"), part, recipe=recipe, timesteps=timesteps, seed=seed)
        told["said"] = net.conversion.said
    else:
        name = SIZES[part.input_shape[0]][size]
        net = zoo.build(name, part.input_shape, len(part.classes), timesteps=timesteps, seed=seed)
        net = zoo.twin(net, seed=seed) if kind == "ann" else net
        told |= trained(
            net, part, work.folder / "fit", recipe=recipe, reading=reading, epochs=epochs, seed=seed,
            learning_rate=learning_rate, batch_size=batch_size,
        )  # fmt: skip
    save_network(work.keep / "network", net)
    return {
        **sizes, **measured(net, part.test_inputs, part.test_labels, recipe), **told,
        **counted(net, part.test_inputs[:recorded], work.keep, profile),
    }  # fmt: skip


def _attacked(
    networks: dict[str, Any], part: Any, samples: int, epsilons: Sequence[float], seed: int
) -> dict[str, Any]:
    """Noise as the paper adds it, FGSM as it writes it, and what an attacker who knows the network can do."""
    from ..stress.compare import robustness

    found = robustness(
        networks, part, noise=("gaussian", "salt_and_pepper"), epsilons=tuple(epsilons), samples=samples, seed=seed
    )
    return {"robustness": found.to_dict(), "said": found.said}
