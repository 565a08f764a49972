"""The data sets that have a name, and how each is loaded."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from spikeledger.datasets import cifar
from spikeledger.datasets.dataset import Dataset
from spikeledger.datasets.files import PublishedFile, read_published
from spikeledger.errors import unknown_name

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

DIGITS: Final = tuple("0123456789")


@dataclass(frozen=True)
class ImageSet:
    """A data set of four IDX files: images and labels, to train and to test."""

    classes: tuple[str, ...]
    train_images: PublishedFile
    train_labels: PublishedFile
    test_images: PublishedFile
    test_labels: PublishedFile


def _image_set(
    folders: tuple[str, ...], mirrors: tuple[str, ...], classes: tuple[str, ...], sums: tuple[str, str, str, str]
) -> ImageSet:
    """The layout that MNIST began and its successors kept; `sums` are SHA-256 of the unzipped files, in its order."""
    layout: tuple[tuple[str, tuple[int, ...]], ...] = (
        ("train-images-idx3-ubyte.gz", (60_000, 28, 28)),
        ("train-labels-idx1-ubyte.gz", (60_000,)),
        ("t10k-images-idx3-ubyte.gz", (10_000, 28, 28)),
        ("t10k-labels-idx1-ubyte.gz", (10_000,)),
    )
    return ImageSet(
        classes, *(PublishedFile(*each, sha256, folders, mirrors) for each, sha256 in zip(layout, sums, strict=True))
    )


#: The second folder is where torchvision puts the same files. The sums were taken from files that match the MD5s
#: which the field has used for years (MNIST) and the authors' own repository (Fashion-MNIST).
IMAGE_SETS: Final[dict[str, ImageSet]] = {
    # Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits"; CC BY-SA 3.0
    "mnist": _image_set(
        folders=("mnist", "MNIST/raw"),
        mirrors=(
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
        ),
        classes=DIGITS,
        sums=(
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        ),
    ),
    # H. Xiao, K. Rasul, R. Vollgraf, "Fashion-MNIST: a novel image dataset ...", arXiv:1708.07747; MIT
    "fashion-mnist": _image_set(
        folders=("fashion-mnist", "FashionMNIST/raw"),
        mirrors=(
            "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
            "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
        ),
        classes=(
            "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
        ),
        sums=(
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        ),
    ),
}  # fmt: skip


def list_datasets() -> list[str]:
    """The names that `load_dataset` knows."""
    return ["digits", *IMAGE_SETS, "cifar-10"]


def load_dataset(name: str, *, root: str | Path | None = None, mirrors: Sequence[str] | None = None) -> Dataset:
    """Load a data set by name; inputs are float32 in 0..1, ``[samples, channels, height, width]``.

    ``"digits"`` (8x8, 1,437 to train and 360 to test) comes with scikit-learn. ``"mnist"`` and ``"fashion-mnist"``
    (28x28, 60,000 and 10,000) are read from a folder of IDX files, gzipped or not, or else downloaded once into the
    user's cache. ``"cifar-10"`` (3x32x32, 50,000 and 10,000) is read from the binary archive, or from the folder that it
    holds; its pickles never. Every byte of a published file is checked against its SHA-256 at each load.

    Args:
        name: one of `list_datasets()`.
        root: the folder that holds the files, or the one that holds ``mnist/``; else ``SPIKELEDGER_DATA``; where
            either is given nothing is downloaded.
        mirrors: URLs of folders that hold ``mnist/``, asked in this order instead of the public ones; else
            ``SPIKELEDGER_MIRROR``.

    Raises:
        InputError: an unknown name.
        DataError: files that are missing, cut, corrupt, not the published ones, or cannot be downloaded.
    """
    if name not in list_datasets():
        raise unknown_name("data set", str(name), list_datasets())
    if name == "digits":
        return _load_digits()
    if name == "cifar-10":
        return _load_cifar(root, mirrors)
    images = IMAGE_SETS[name]
    tensors = [
        _tensor(read_published(file, root=root, mirrors=mirrors))
        for file in (images.train_images, images.train_labels, images.test_images, images.test_labels)
    ]
    return Dataset.from_arrays(name, *tensors, classes=images.classes)


def _load_cifar(root: str | Path | None, mirrors: Sequence[str] | None) -> Dataset:
    import torch

    parts = []
    for images, labels in cifar.find_cifar(root, mirrors):
        parts += [torch.from_numpy(images).to(torch.float32).div_(255), torch.from_numpy(labels)]
    return Dataset.from_arrays("cifar-10", *parts, classes=cifar.CLASSES)


def _tensor(values: NDArray[np.uint8]) -> Tensor:
    """Images as float32 [samples, 1, height, width] in 0..1, labels as int64 [samples]."""
    import torch

    tensor = torch.from_numpy(values)
    return tensor.long() if tensor.ndim == 1 else tensor.unsqueeze(1).to(torch.float32).div_(255)


def _load_digits() -> Dataset:
    """8x8 digits, 36 of each to test: the same on every machine.

    Source: E. Alpaydin, C. Kaynak, "Optical Recognition of Handwritten Digits", UCI, as scikit-learn ships it.
    """
    sixteenths, labels = _shipped_digits()
    # RandomState, not a Generator: numpy promises that its stream never changes
    order = np.random.RandomState(0).permutation(len(labels))
    test = np.sort(np.concatenate([order[labels[order] == digit][:36] for digit in range(10)]))
    train = np.setdiff1d(np.arange(len(labels)), test)
    images = (sixteenths / 16).astype(np.float32)[:, None]
    return Dataset.from_arrays("digits", images[train], labels[train], images[test], labels[test], classes=DIGITS)


def _shipped_digits() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Images `[samples, 8, 8]` and labels as scikit-learn ships them, read off its file: to import it takes seconds."""
    spec = importlib.util.find_spec("sklearn")
    file = Path(spec.origin or "").parent / "datasets" / "data" / "digits.csv.gz" if spec is not None else None
    if file is None or not file.is_file():
        from sklearn.datasets import load_digits

        digits = load_digits()
        return digits.images, digits.target
    table = np.loadtxt(file, delimiter=",")
    return table[:, :-1].reshape(-1, 8, 8), table[:, -1].astype(np.int64)
