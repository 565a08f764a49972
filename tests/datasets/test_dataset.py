"""A data set is checked once, when it is made, and says in one sentence what it cannot use."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spikeledger.datasets import Dataset
from spikeledger.errors import InputError

INPUTS = np.linspace(0, 1, 24, dtype=np.float32).reshape(6, 2, 2)
LABELS = np.array([0, 1, 2, 0, 1, 2])


def make(**changed: object) -> Dataset:
    given = {"train_inputs": INPUTS, "train_labels": LABELS, "test_inputs": INPUTS[:3], "test_labels": LABELS[:3]}
    return Dataset.from_arrays("mine", **{**given, **changed})


@pytest.mark.parametrize("kind", [np.array, torch.tensor, lambda values: values], ids=["numpy", "torch", "lists"])
@pytest.mark.parametrize("dtype", [np.float64, np.float16, np.uint8, np.int32, bool, ">f4"])
def test_any_numbers_become_float32_and_int64(kind, dtype):
    values = np.array([[[0, 1]], [[1, 0]]], dtype=dtype)
    values = values.tolist() if kind is not np.array else values
    data = Dataset.from_arrays("mine", kind(values), kind([1, 0]), kind(values), kind([0, 1]))
    assert data.train_inputs.dtype == torch.float32 and data.train_labels.dtype == torch.int64
    assert data.train_inputs.tolist() == [[[0, 1]], [[1, 0]]] and data.input_shape == (1, 2)
    assert data.classes == ("0", "1")


def test_arrays_that_fit_are_not_copied():
    data = make()
    assert data.train_inputs.data_ptr() == INPUTS.ctypes.data
    assert data.train_labels.data_ptr() == LABELS.ctypes.data


def test_arrays_in_any_memory_order_are_taken_without_a_warning():
    frozen = INPUTS.copy()
    frozen.setflags(write=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for inputs in (frozen, np.asfortranarray(INPUTS), INPUTS[::-1], INPUTS.repeat(2, axis=1)[:, ::2]):
            assert np.array_equal(make(train_inputs=inputs).train_inputs, inputs)


def with_value(value: float) -> np.ndarray:
    inputs = INPUTS.astype(np.float64)
    inputs[2, 1, 0] = value
    return inputs


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"train_inputs": INPUTS[:0], "train_labels": LABELS[:0]}, "'mine', train: empty, shape (0, 2, 2)"),
        ({"test_inputs": INPUTS[:0], "test_labels": LABELS[:0]}, "'mine', test: empty, shape (0, 2, 2)"),
        ({"train_inputs": [], "train_labels": []}, "'mine', train: empty"),
        ({"train_inputs": INPUTS[:, :0]}, "train: empty, shape (6, 0, 2)"),
        ({"train_inputs": with_value(np.nan)}, "train: 1 of 24 input values are NaN or infinite"),
        ({"train_inputs": with_value(-np.inf)}, "train: 1 of 24 input values are NaN or infinite"),
        ({"train_inputs": with_value(1e300)}, "train: 1 of 24 input values are NaN or infinite"),
        ({"test_inputs": INPUTS[:3] + np.inf}, "test: 12 of 12 input values are NaN or infinite"),
        ({"train_labels": LABELS[:5]}, "train: 6 inputs but 5 labels"),
        ({"test_labels": LABELS}, "test: 3 inputs but 6 labels"),
        ({"train_labels": LABELS - 1}, "train: labels go from -1 to 1, but there are 3 classes, 0 to 2"),
        ({"classes": ["a", "b"]}, "train: labels go from 0 to 2, but there are 2 classes, 0 to 1"),
        ({"train_labels": LABELS * 10**9}, "the largest label is 2,000,000,000"),
        ({"classes": []}, "has no classes"),
        ({"train_labels": LABELS[:, None]}, "inputs have shape (6, 2, 2) and labels (6, 1)"),
        ({"train_inputs": 1.0}, "inputs have shape ()"),
        ({"train_labels": LABELS.astype(float)}, "labels are float64: give whole numbers"),
        ({"train_labels": torch.zeros(6)}, "labels are torch.float32: give whole numbers"),
        ({"train_labels": list("abcabc")}, "labels are <U1: give whole numbers"),
        ({"train_inputs": [[1, 2], [3]]}, "inputs do not make an array"),
        ({"train_inputs": np.array(["x"] * 6)}, "inputs are <U1: give numbers"),
        ({"train_inputs": INPUTS + 1j}, "inputs are complex64: give numbers"),
        ({"train_inputs": torch.ones(6, dtype=torch.complex64)}, "inputs are torch.complex64"),
        ({"train_inputs": np.array([None] * 6)}, "inputs are object: give numbers"),
        ({"test_inputs": INPUTS[:3, :1]}, "a train sample has shape 2x2 but a test sample 1x2"),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_sentence(changed, told):
    with pytest.raises(InputError) as error:
        make(**changed)
    assert told in str(error.value) and "\n" not in str(error.value)


def test_tensors_of_other_types_are_pointed_to_from_arrays():
    x, y = torch.ones(2, 3), torch.tensor([0, 1])
    with pytest.raises(InputError, match=r"not torch\.float32 and torch\.int64: build it with"):
        Dataset("mine", x.double(), y, x.double(), y, ("a", "b"))
    with pytest.raises(InputError, match="must be torch tensors: build it with"):
        Dataset("mine", x.numpy(), y, x, y, ("a", "b"))


def test_no_gradient_is_dragged_along():
    assert not make(train_inputs=torch.ones(6, 2, 2, requires_grad=True)).train_inputs.requires_grad


def test_it_shows_what_it_is():
    assert repr(make()) == "<Dataset 'mine': 6 train and 3 test samples of 2x2, 3 classes>"
    with pytest.raises(AttributeError):
        make().name = "yours"  # type: ignore[misc]


@given(st.data())
def test_a_subset_is_drawn_without_replacement_and_the_smaller_is_in_the_larger(data):
    count = data.draw(st.integers(1, 50))
    numbers = np.arange(count)
    whole = Dataset.from_arrays("mine", numbers[:, None], numbers % 3, numbers[:, None], numbers % 3)
    large = data.draw(st.integers(1, count))
    small = data.draw(st.integers(1, large))
    seed = data.draw(st.integers(0, 2**32))
    kept = whole.subset(train=large, seed=seed)
    drawn = kept.train_inputs[:, 0].int().tolist()
    assert len(set(drawn)) == large and [n % 3 for n in drawn] == kept.train_labels.tolist()
    assert whole.subset(train=small, seed=seed).train_inputs[:, 0].int().tolist() == drawn[:small]
    assert kept.test_inputs is whole.test_inputs and kept.classes == whole.classes


@pytest.mark.parametrize("asked", [{"train": 0}, {"train": 7}, {"test": -1}, {"test": 4}, {"train": 2, "seed": -1}])
def test_a_subset_that_cannot_be_drawn_is_refused(asked):
    with pytest.raises(InputError, match=r"are asked for: ask for 1 to|seed is -1"):
        make().subset(**asked)
