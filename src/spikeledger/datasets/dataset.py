"""A data set in memory: inputs, labels and the names of the classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from spikeledger.arguments import checked
from spikeledger.errors import InputError, UnknownAttribute

if TYPE_CHECKING:
    from torch import Tensor

#: more classes than this have to be named with ``classes=``: a stray label of 10**9 is not a billion classes
MOST_UNNAMED_CLASSES = 65_536


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Labelled samples for training and for testing, checked once, when the data set is made.

    The data sets that `load_dataset` gives hold values in 0..1 and images ``[samples, 1, height, width]``.

    Attributes:
        name: what reports call it.
        train_inputs: float32 ``[samples, *N]``.
        train_labels: int64 ``[samples]``, each in ``0 .. len(classes) - 1``.
        test_inputs: float32 ``[samples, *N]``.
        test_labels: int64 ``[samples]``.
        classes: one name a class.

    Raises:
        InputError: empty, not finite, unequal in length or shape, or labelled out of range.
    """

    name: str
    train_inputs: Tensor
    train_labels: Tensor
    test_inputs: Tensor = None  # type: ignore[assignment]
    test_labels: Tensor = None  # type: ignore[assignment]
    classes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.test_labels is None:
            raise InputError(
                f"data set '{self.name}' has no test samples: give them too, or use Dataset.from_arrays(name, train_inputs, "
                "train_labels, test_inputs, test_labels)"
            )
        if not self.classes:
            raise InputError(f"data set '{self.name}' has no classes: give one name for each label")
        for part, inputs, labels in self._parts():
            _check(f"data set '{self.name}', {part}", inputs, labels, len(self.classes))
        if self.train_inputs.shape[1:] != self.test_inputs.shape[1:]:
            raise InputError(
                f"data set '{self.name}': a train sample has shape {_shape(self.train_inputs.shape[1:])} but a test "
                f"sample {_shape(self.test_inputs.shape[1:])}: give both the same shape"
            )

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """Asked for what there is none of: what a data set has."""
            if name.startswith("_"):
                raise AttributeError(name)
            raise UnknownAttribute(
                f"a data set has no '{name}': it has train_inputs, train_labels, test_inputs, test_labels, classes and "
                "subset(train=, test=)"
            )

    @classmethod
    @checked
    def from_arrays(
        cls,
        name: str,
        train_inputs: Any,
        train_labels: Any,
        test_inputs: Any,
        test_labels: Any,
        *,
        classes: Sequence[str] | None = None,
    ) -> Dataset:
        """A data set of your own numpy arrays, torch tensors or nested lists.

        Values are kept as they are (divide bytes by 255 yourself); arrays that are already float32 and int64 are not
        copied.

        Args:
            name: what reports call it.
            train_inputs: numbers ``[samples, *N]``.
            train_labels: whole numbers ``[samples]``, counted from 0.
            test_inputs: numbers ``[samples, *N]``.
            test_labels: whole numbers ``[samples]``.
            classes: one name a class; without it they are named ``"0", "1", ...`` up to the largest label.

        Raises:
            InputError: as for `Dataset`, or an array that does not hold numbers.
        """
        labels = [
            _labels(f"data set '{name}', {part}", a) for part, a in (("train", train_labels), ("test", test_labels))
        ]
        if classes is None:
            count = 1 + max((int(each.max()) for each in labels if each.numel()), default=0)
            if count > MOST_UNNAMED_CLASSES:
                raise InputError(
                    f"data set '{name}': the largest label is {count - 1:,}: number the classes from 0, "
                    f"or name all {count:,} with classes="
                )
            classes = [str(label) for label in range(count)]
        return cls(
            name,
            _inputs(f"data set '{name}', train", train_inputs),
            labels[0],
            _inputs(f"data set '{name}', test", test_inputs),
            labels[1],
            tuple(str(each) for each in classes),
        )

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one sample, ``(1, 28, 28)`` for MNIST."""
        return tuple(self.train_inputs.shape[1:])

    @checked
    def subset(self, *, train: int | None = None, test: int | None = None, seed: int = 0) -> Dataset:
        """A smaller data set of samples drawn without replacement; with the same seed the smaller is in the larger.

        Args:
            train: how many train samples to keep; all of them when left out.
            test: how many test samples to keep; all of them when left out.
            seed: which ones.

        Raises:
            InputError: none, or more than there are.
        """
        drawn: dict[str, Tensor] = {}
        for (part, inputs, labels), count in zip(self._parts(), (train, test), strict=True):
            if count is None:
                continue
            if not 1 <= count <= len(labels):
                raise InputError(
                    f"data set '{self.name}' has {len(labels):,} {part} samples and {count:,} are asked for: "
                    f"ask for 1 to {len(labels):,}"
                )
            chosen = np.random.default_rng(seed).permutation(len(labels))[:count]
            drawn |= {f"{part}_inputs": inputs[chosen], f"{part}_labels": labels[chosen]}
        return replace(self, **drawn)  # type: ignore[arg-type]

    def _parts(self) -> tuple[tuple[str, Tensor, Tensor], tuple[str, Tensor, Tensor]]:
        return (
            ("train", self.train_inputs, self.train_labels),
            ("test", self.test_inputs, self.test_labels),
        )

    def __repr__(self) -> str:
        return (
            f"<Dataset '{self.name}': {len(self.train_labels):,} train and {len(self.test_labels):,} test samples "
            f"of {_shape(self.input_shape)}, {len(self.classes):,} classes>"
        )


def _shape(shape: Sequence[int]) -> str:
    return "x".join(str(size) for size in shape) or "one number"


def _check(where: str, inputs: Tensor, labels: Tensor, classes: int) -> None:
    import torch

    if not (isinstance(inputs, torch.Tensor) and isinstance(labels, torch.Tensor)):
        raise InputError(f"{where}: inputs and labels must be torch tensors: build it with Dataset.from_arrays")
    if inputs.dtype != torch.float32 or labels.dtype != torch.int64:
        raise InputError(
            f"{where}: inputs are {inputs.dtype} and labels {labels.dtype}, not torch.float32 and torch.int64: "
            "build it with Dataset.from_arrays"
        )
    if inputs.ndim == 0 or labels.ndim != 1:
        raise InputError(
            f"{where}: inputs have shape {tuple(inputs.shape)} and labels {tuple(labels.shape)}: "
            "give inputs [samples, ...] and labels [samples]"
        )
    if len(inputs) != len(labels):
        raise InputError(f"{where}: {len(inputs):,} inputs but {len(labels):,} labels: give one label a sample")
    if inputs.numel() == 0:
        raise InputError(f"{where}: empty, shape {tuple(inputs.shape)}: give at least one sample with one value")
    low, high = (float(extreme) for extreme in inputs.detach().aminmax())  # NaN wins both, so one pass shows all
    if not np.isfinite([low, high]).all():
        bad = int((~inputs.isfinite()).sum())
        raise InputError(f"{where}: {bad:,} of {inputs.numel():,} input values are NaN or infinite: remove them")
    first, last = (int(extreme) for extreme in labels.aminmax())
    if first < 0 or last >= classes:
        raise InputError(
            f"{where}: labels go from {first:,} to {last:,}, but there are {classes:,} classes, 0 to {classes - 1:,}: "
            "renumber the labels or name more classes"
        )


def _inputs(where: str, given: Any) -> Tensor:
    import torch

    if isinstance(given, torch.Tensor):
        if given.dtype.is_complex:
            raise InputError(f"{where}: inputs are {given.dtype}: give real numbers")
        return given.detach().to(torch.float32)
    return torch.from_numpy(_array(where, "inputs", given, "biuf", np.dtype(np.float32)))


def _labels(where: str, given: Any) -> Tensor:
    import torch

    if isinstance(given, torch.Tensor):
        if given.dtype.is_floating_point or given.dtype.is_complex:
            raise InputError(f"{where}: labels are {given.dtype}: give whole numbers, one class number a sample")
        return given.detach().to(torch.int64)
    return torch.from_numpy(_array(where, "labels", given, "biu", np.dtype(np.int64)))


def _array(where: str, what: str, given: Any, kinds: str, dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    wanted = "whole numbers, one class number a sample" if what == "labels" else "numbers of one shape [samples, ...]"
    try:
        array = np.asarray(given)
    except (ValueError, TypeError) as error:
        raise InputError(f"{where}: {what} do not make an array ({error}): give {wanted}") from error
    if array.size and array.dtype.kind not in kinds:
        raise InputError(f"{where}: {what} are {array.dtype}: give {wanted}")
    with np.errstate(over="ignore"):  # what overflows float32 becomes infinite, and is then refused as such
        # writeable and contiguous, as torch wants it; a copy only where the array is not
        return np.require(array, dtype=dtype, requirements=["C", "W"])
