"""A network with several inputs is given values for each by name."""

from __future__ import annotations

import numpy as np
import pytest

from spikeledger.chip.simulate import simulate
from spikeledger.errors import InputError
from spikeledger.mapping.mapped import Mapped, Population, Projection
from spikeledger.mapping.synapses import Dense


def two_eyes() -> Mapped:
    return Mapped(
        {
            "left": Population("left", (3,), "input"),
            "right": Population("right", (2, 2), "input"),
            "n": Population("n", (5,)),
        },
        (
            Projection("left", "n", Dense(np.ones((3, 5), np.float32)), layer="l"),
            Projection("right", "n", Dense(np.full((4, 5), 0.5, np.float32)), layer="r"),
        ),
        "n",
    )


@pytest.mark.parametrize("backend", ["auto", "reference"])
def test_each_input_has_its_own_values_and_class(backend: str) -> None:
    rng = np.random.default_rng(0)
    left = (rng.random((6, 2, 3)) < 0.5).astype(np.float32)
    right = rng.random((6, 2, 2, 2)).astype(np.float32)
    activity = simulate(two_eyes(), {"left": left, "right": right}, backend=backend)
    assert activity.total("synaptic_op", "l") == 5 * np.count_nonzero(left)
    assert activity.total("mac", "r") == 5 * np.count_nonzero(right)
    membrane, spikes = np.zeros((2, 5), np.float32), 0
    for t in range(6):
        membrane += (left[t].sum(-1) + 0.5 * right[t].reshape(2, -1).sum(-1))[:, None]
        fired = membrane > 1
        spikes += int(fired.sum())
        membrane -= fired
    assert activity.total("spike", "n") == spikes


@pytest.mark.parametrize(
    ("inputs", "says"),
    [
        (np.ones((4, 1, 3)), "nothing was given for right"),
        ({"left": np.ones((4, 1, 3))}, "nothing was given for right"),
        ({"left": np.ones((4, 1, 3)), "rihgt": np.ones((4, 1, 4))}, "did you mean 'right'"),
        ({"left": np.ones((4, 1, 3)), "right": np.ones((4, 1, 3))}, "must be"),
        ({"left": np.ones((4, 1, 3)), "right": np.ones((5, 1, 4))}, "same steps and samples"),
    ],
)
def test_what_is_missing_or_does_not_fit_is_said(inputs: object, says: str) -> None:
    with pytest.raises(InputError, match=says):
        simulate(two_eyes(), inputs)
