"""Plain arguments by their annotations: Python's own, numpy's and torch's numbers alike, and a sentence for the rest."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import spikeledger as sl
from spikeledger.arguments import checked
from spikeledger.errors import InputError


@checked
def tried(
    *widths: int,
    seed: int = 0,
    share: float = 0.5,
    folder: str | Path = ".",
    quick: bool = False,
    name: str | None = None,
) -> tuple[Any, ...]:
    return widths, seed, share, folder, quick, name


@pytest.mark.parametrize("seven", [7, np.int64(7), np.uint8(7), torch.tensor(7)])
def test_whole_numbers_of_every_kind_are_pythons_own(seven: Any) -> None:
    widths, seed, *_ = tried(seven, seven, seed=seven)
    assert (widths, seed) == ((7, 7), 7) and {type(one) for one in (*widths, seed)} == {int}
    assert tried(share=seven)[2] == 7.0


@pytest.mark.parametrize("half", [0.5, np.float32(0.5), torch.tensor(0.5), np.array(0.5)])
def test_numbers_are_floats(half: Any) -> None:
    assert type(tried(share=half)[2]) is float and tried(share=half)[2] == 0.5


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"seed": -3}, "from 0"), ({"seed": 2**63}, "below 2^63"), ({"seed": 2.0}, "whole number"),
        ({"seed": True}, "whole number"), ({"seed": "7"}, "whole number"), ({"seed": None}, "is None"),
        ({"seed": torch.rand(2)}, "a Tensor"), ({"share": math.nan}, "finite"), ({"share": 10**400}, "a number"),
        ({"share": "half"}, "a number"), ({"share": np.zeros(3)}, "a ndarray"), ({"folder": b"x"}, "a path"),
        ({"folder": 3}, "a path"), ({"quick": "no"}, "True or False"), ({"name": 3}, "a name"),
        ({"nmae": "x"}, "did you mean 'name'"), ({"zz": 1}, "it has widths, seed, share, folder, quick, name"),
    ],
)  # fmt: skip
def test_what_is_not_plain_is_one_sentence(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError) as caught:
        tried(**wrong)
    assert says in str(caught.value) and str(caught.value).startswith("sl.tried")


def test_what_may_be_none_may_be_none() -> None:
    assert tried(name=None)[-1] is None and tried(Path("a").name == "a" and 3)[0] == (3,)


@pytest.mark.parametrize("seed", [-5, 2**64 + 1])
def test_seeds_are_seeds_wherever_they_are_given(seed: int) -> None:
    network = sl.zoo.mlp(6, 4, 2)
    takes = [
        lambda: sl.record(network, torch.rand(3, 6), seed=seed), lambda: sl.zoo.mlp(6, 2, seed=seed),
        lambda: sl.zoo.build("mlp-s", 6, 2, seed=seed), lambda: sl.zoo.twin(network, seed=seed),
        lambda: sl.encoders.Rate(3, seed=seed), lambda: sl.place(network, "loihi", seed=seed),
        lambda: sl.load_dataset("digits").subset(test=5, seed=seed),
        lambda: sl.evaluate(network, torch.rand(3, 6), torch.zeros(3, dtype=torch.int64), seed=seed),
        lambda: sl.simulate(network, torch.rand(3, 6), "loihi", seed=seed),
    ]  # fmt: skip
    for call in takes:
        with pytest.raises(InputError, match="seed is"):
            call()


def test_runs_are_summed_by_sum() -> None:
    activity = sl.record(sl.zoo.mlp(6, 4, 2), torch.rand(3, 6))
    ledger = sl.price(activity, "loihi")
    assert sum([activity] * 3).samples == 9 and sum([activity] * 3).total("spike") == 3 * activity.total("spike")
    assert sum([ledger, ledger]).joules == pytest.approx(2 * ledger.joules)
    for one in (activity, ledger):
        with pytest.raises(InputError, match="an int cannot be added"):
            1 + one


def test_a_network_and_its_folder_are_not_mistaken(tmp_path: Path) -> None:
    network = sl.zoo.mlp(6, 4, 2)
    for call in (lambda: sl.save_network(network, tmp_path), lambda: sl.load_network(network)):
        with pytest.raises(InputError, match="folder is a SpikingNetwork: give a path"):
            call()


def test_a_chip_takes_the_words_of_a_run() -> None:
    network = sl.zoo.mlp(6, 4, 2)
    with pytest.raises(InputError, match="a network has its steps"):
        sl.simulate(network, torch.rand(3, 6), "loihi", T=3)
    with pytest.raises(InputError, match="did you mean 'precision'"):
        sl.simulate(network, torch.rand(3, 6), "loihi", precison="chip")
