"""What users have as a data set: a name, a pair of arrays, four arrays, a torch data set, a loader."""

from __future__ import annotations

import itertools
from typing import Any

from ..errors import InputError
from .catalog import load_dataset
from .dataset import Dataset

_MOST_SAMPLES = 10_000_000
_FORMS = (
    "a Dataset, the name of one, (inputs, labels), (train inputs, train labels, test inputs, test labels), or a loader"
)


def as_dataset(data: Any) -> Dataset:
    """A data set of what was given; where there is one part, its samples are both the training and the test samples.

    Raises:
        InputError: nothing of the kind, or a loader without labels or end.
    """
    if isinstance(data, Dataset) or (hasattr(data, "train_inputs") and hasattr(data, "train_labels")):
        return data
    if isinstance(data, str):
        return load_dataset(data)
    if isinstance(data, tuple | list) and len(data) == 2:
        return Dataset.from_arrays("own data", *data, *data)
    if isinstance(data, tuple | list) and len(data) == 4:
        return Dataset.from_arrays("own data", *data)
    inputs, labels = labelled(data)
    return Dataset.from_arrays("own data", inputs, labels, inputs, labels)


def labelled(data: Any) -> tuple[Any, Any]:
    """All inputs and labels of a loader or a torch data set, or the test part of a data set.

    Raises:
        InputError: nothing of the kind.
    """
    import torch

    if isinstance(data, str):
        data = load_dataset(data)
    if hasattr(data, "test_inputs"):
        return data.test_inputs, data.test_labels
    if isinstance(data, tuple | list) and len(data) == 2:
        return data[0], data[1]
    if isinstance(data, torch.utils.data.Dataset):
        length = getattr(data, "__len__", None)
        if length is None or not hasattr(data, "__getitem__"):
            raise InputError(f"a {type(data).__name__} does not say how many samples it has: pass a DataLoader of it")
        data = torch.utils.data.DataLoader(data, batch_size=256)
    if not isinstance(data, torch.utils.data.DataLoader):
        raise InputError(f"a {type(data).__name__} holds no samples with labels: give {_FORMS}")
    found: list[tuple[Any, Any]] = []
    count = 0
    for batch in itertools.islice(data, _MOST_SAMPLES):
        if not isinstance(batch, list | tuple) or len(batch) != 2:
            raise InputError(f"a batch of the loader is a {type(batch).__name__}, but needs to be (inputs, labels)")
        found.append((torch.as_tensor(batch[0]), torch.as_tensor(batch[1])))
        count += len(found[-1][1])
        if count > _MOST_SAMPLES:
            raise InputError(f"the loader gave more than {_MOST_SAMPLES:,} samples: does it end? Take some of them")
    if not found:
        raise InputError("the loader gave no batch: there is nothing to take")
    return torch.cat([one for one, _ in found]), torch.cat([one for _, one in found])
