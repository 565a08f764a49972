"""One trial of the published comparison on Flowers-102: VGG19 or MobileNetV2 with a head of one's own, or converted.

After Cassetta, Di Trani & Cavalagli (2023): weights of ImageNet, all frozen but the last part of the features and the head
(512, 256, dropout 0.5), 40 epochs of Adam at 1e-4 with a weight decay of 1e-5. Pictures are cut as torchvision cuts them and
normalised by ImageNet's means. The weights are a file of the user's; without one the features are random, and it is said.
"""

from __future__ import annotations

from typing import Any

from ..errors import InputError, unknown_name
from .experiments import Work, check_names, experiment
from .recipes import check_recipe, converted, counted, measured, trained

KINDS = ("ann", "converted")
NETWORKS = ("vgg19", "mobilenet-v2")
HEAD = (512, 256)
#: of ImageNet's pictures, as torchvision's weights expect them
MEANS, DEVIATIONS = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
#: where the part of the features begins that is trained
_LAST = {"vgg19": 28, "mobilenet-v2": 18}
_CLASSES = 102


def _start(settings: dict[str, Any]) -> dict[str, Any] | None:
    """A conversion begins with the trained ANN, which does not depend on T."""
    return {**settings, "kind": "ann", "timesteps": 1} if settings["kind"] == "converted" else None


def _check(settings: dict[str, Any]) -> None:
    for what, known in (("network", NETWORKS), ("kind", KINDS)):
        if settings[what] not in known:
            raise unknown_name(what, settings[what], known)
    check_recipe({**settings, "reading": "literal"})
    check_names(settings)
    for what in ("timesteps", "epochs", "batch_size", "recorded", "side"):
        if settings[what] < 1:
            raise InputError(f"{what} is {settings[what]}, but needs to be at least 1")
    if settings["weights"] and settings["width"] != 1.0:
        raise InputError("weights of ImageNet are of the whole width: leave width at 1.0, or give none")
    if settings["kind"] == "ann":
        settings["timesteps"] = 1


@experiment(start=_start, check=_check)
def compare_flowers(
    work: Work,
    *,
    network: str = "mobilenet-v2",
    kind: str = "ann",
    timesteps: int = 20,
    epochs: int = 40,
    learning_rate: float = 1e-4,
    weight_decay: float = 1e-5,
    batch_size: int = 32,
    recipe: str = "corrected",
    weights: str = "",
    width: float = 1.0,
    side: int = 224,
    train: int | None = None,
    test: int | None = None,
    recorded: int = 4,
    seed: int = 0,
    profile: str = "horowitz-45nm",
) -> dict[str, Any]:
    """Train the head and the last features, or convert, and measure on the authors' test part.

    Args:
        network: `vgg19` or `mobilenet-v2`.
        kind: `ann`, or `converted` from it.
        weights: a safetensors file in torchvision's names; features are random without one.
        width: of the channels; below 1 for trials of the way, not of the network.
        side: pixels of a picture's side.
        train: pictures of each part, as `test`; all by default.
        recorded: test pictures whose events are counted.
    """
    import safetensors.torch
    import torch

    from ..networks.imagenet import load_weights
    from ..training.checkpoints import save_network

    part, whole = _pictures(side, train, test)
    told: dict[str, Any] = {
        "train_samples": len(part.train_inputs), "test_samples": len(part.test_inputs), "all_samples": whole,
        "pretrained": bool(weights),
    }  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net: Any = _built(network, _CLASSES, HEAD, width)
    if kind == "converted":
        load_weights(net, work.start / "weights.safetensors")
        net = converted(net.eval(), part, recipe=recipe, timesteps=timesteps, seed=seed)
        told["said"] = net.conversion.said
        save_network(work.keep / "network", net)
    else:
        if weights:
            whole_net = _built(network, 1000, (4096, 4096) if network == "vgg19" else (), 1.0)
            load_weights(whole_net, weights)
            net.features.load_state_dict(whole_net.features.state_dict())
        for layer in net.features[: _LAST[network]] if weights else ():
            for each in layer.parameters():
                each.requires_grad_(False)
        for each in net.parameters():
            if each.requires_grad:  # what Adam calls weight decay: `g + lambda w`
                each.register_hook(lambda grad, each=each: grad + weight_decay * each.detach())
        told |= trained(
            net, part, work.folder / "fit", recipe=recipe, epochs=epochs, seed=seed, learning_rate=learning_rate,
            batch_size=batch_size,
        )  # fmt: skip
        safetensors.torch.save_file(net.state_dict(), work.keep / "weights.safetensors")
    return {
        **told, **measured(net, part.test_inputs, part.test_labels, recipe, batch=8),
        **counted(net, part.test_inputs[:recorded], work.keep, profile, batch=1),
    }  # fmt: skip


def _built(name: str, classes: int, head: tuple[int, ...], width: float) -> Any:
    from ..networks.imagenet import mobilenet_v2, vgg19

    return (vgg19 if name == "vgg19" else mobilenet_v2)(classes, head=head, width=width)


def _pictures(side: int, train: int | None, test: int | None) -> tuple[Any, bool]:
    """The authors' parts, normalised; and whether they are all of 1,020 and 6,149."""
    import torch

    from ..datasets import Dataset, read_flowers
    from ..datasets.flowers import SIZES, find_flowers

    folder = find_flowers()
    arrays: list[Any] = []
    mean, deviation = (torch.tensor(each).reshape(1, 3, 1, 1) for each in (MEANS, DEVIATIONS))
    for name, most in (("train", train), ("test", test)):
        images, labels = read_flowers(folder, name, size=side, most=most)  # type: ignore[arg-type]
        arrays += [(torch.from_numpy(images).float() / 255 - mean) / deviation, torch.from_numpy(labels)]
    whole = (len(arrays[0]), len(arrays[2])) == (SIZES["train"], SIZES["test"])
    names = [str(number) for number in range(1, _CLASSES + 1)]
    return Dataset.from_arrays("flowers-102", *arrays, classes=names), whole
