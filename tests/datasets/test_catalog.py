"""The data sets with a name: the same samples for everyone, in 0..1."""

from __future__ import annotations

import hashlib
import time

import numpy as np
import pytest
import torch

from spikeledger.datasets import catalog, list_datasets, load_dataset
from spikeledger.errors import DataError, InputError


def fingerprint(tensor: torch.Tensor) -> str:
    return hashlib.sha256(tensor.numpy().tobytes()).hexdigest()[:16]


def test_the_names():
    assert list_datasets() == ["digits", "mnist", "fashion-mnist", "cifar-10"]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("minst", "unknown data set 'minst': did you mean 'mnist'?"),
        ("MNIST", "unknown data set 'MNIST'"),
        ("", "unknown data set ''"),
        (None, "unknown data set 'None'"),
    ],
)
def test_an_unknown_name_is_guessed(name, told):
    with pytest.raises(InputError) as error:
        load_dataset(name)
    assert told in str(error.value)


def test_digits_are_those_of_scikit_learn_though_it_is_not_imported():
    from sklearn.datasets import load_digits

    theirs, (images, labels) = load_digits(), catalog._shipped_digits()
    assert np.array_equal(images, theirs.images) and np.array_equal(labels, theirs.target)


def test_digits_need_no_download_and_are_split_alike_everywhere(monkeypatch):
    monkeypatch.setenv("SPIKELEDGER_DATA", "/nowhere")
    data = load_dataset("digits")
    assert repr(data) == "<Dataset 'digits': 1,437 train and 360 test samples of 1x8x8, 10 classes>"
    assert data.test_labels.bincount().tolist() == [36] * 10
    assert (float(data.train_inputs.min()), float(data.train_inputs.max())) == (0, 1)
    # every sample is in exactly one part: the sums are those of all 1,797 (values of 0..16 add up without rounding)
    everything = torch.cat([data.train_inputs, data.test_inputs])
    assert int((everything * 16).sum()) == 561_718
    assert (fingerprint(data.train_labels), fingerprint(data.test_inputs)) == ("4fba116356100844", "d484eede4d93eb90")


@pytest.mark.parametrize(
    ("name", "train_counts", "mean"),
    [
        ("mnist", [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949], 0.1307),
        ("fashion-mnist", [6000] * 10, 0.2860),
    ],
)
def test_the_real_image_sets(real_data, name, train_counts, mean):
    begun = time.perf_counter()
    data = load_dataset(name, root=real_data)
    seconds = time.perf_counter() - begun
    assert (data.train_inputs.shape, data.test_inputs.shape) == ((60_000, 1, 28, 28), (10_000, 1, 28, 28))
    assert (float(data.train_inputs.min()), float(data.train_inputs.max())) == (0, 1)
    # the class sizes and the mean pixel that the field normalises with
    assert data.train_labels.bincount().tolist() == train_counts
    assert float(data.train_inputs.mean()) == pytest.approx(mean, abs=5e-5)
    assert len(data.classes) == 10
    assert seconds < 5  # 0.3 to 0.6 s alone; the machine may be busy


def test_one_real_set_is_not_taken_for_the_other(real_data):
    with pytest.raises(DataError, match="is not the published file"):
        load_dataset("fashion-mnist", root=real_data / "mnist")
