"""compare on a small real run: consistent with its parts, the same twice, and clear about what it cannot do."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

import spikeledger as sl
from spikeledger.activity import Uncounted
from spikeledger.errors import InputError, ProfileError
from spikeledger.report.present import of_comparison, show_sheet
from spikeledger.study import summary
from spikeledger.study.comparison import fair
from spikeledger.study.device_pairs import match
from spikeledger.study.observing import PARTS, start_of

PROFILES = ("horowitz-45nm", "loihi", "v100", "published-paper-002-12nm", "v100:loihi")


@pytest.fixture(scope="module")
def networks(digits: Any) -> tuple[torch.nn.Module, torch.nn.Module]:
    snn = sl.zoo.build("mlp-s", digits.input_shape, 10, timesteps=4)
    return sl.zoo.twin(snn), snn


@pytest.fixture(scope="module")
def comparison(digits: Any, networks: tuple[torch.nn.Module, torch.nn.Module]) -> sl.Comparison:
    return sl.compare(*networks, digits, profiles=PROFILES)


def test_sides_agree_with_their_own_counts(comparison: sl.Comparison, networks: Any) -> None:
    for side, network in ((comparison.ann, networks[0]), (comparison.snn, networks[1])):
        assert side.samples == 60
        assert side.confusion.sum() == 60
        assert np.trace(side.confusion) == side.correct
        low, high = side.accuracy_interval
        assert low <= side.accuracy <= high
        assert side.parameters == sum(parameter.numel() for parameter in network.parameters())
    snn = comparison.snn
    assert snn.timesteps == 4
    assert len(snn.accuracy_by_step) == 4
    assert snn.accuracy_by_step[-1] == pytest.approx(snn.accuracy)
    assert 1 <= snn.mean_decision_step <= 4
    assert comparison.ann.mean_decision_step is None
    assert comparison.ann.operations["dense_macs"] == 64 * 256 + 256 * 10
    assert snn.operations["neuron_updates"] == 4 * 266
    assert snn.operations["accumulates"] > 0


def test_the_test_is_paired(comparison: sl.Comparison) -> None:
    only_ann = int((comparison.ann.right & ~comparison.snn.right).sum())
    assert comparison.mcnemar.only_ann == only_ann
    assert comparison.ann.correct - comparison.snn.correct == only_ann - comparison.mcnemar.only_snn


def test_rows_are_in_the_order_asked_for(comparison: sl.Comparison) -> None:
    assert [one.name for one in comparison.matches] == list(PROFILES)
    assert comparison.match("loihi").ann.profile == "horowitz-45nm"
    with pytest.raises(InputError, match="did you mean 'loihi'"):
        comparison.match("lohi")


def test_the_same_seed_gives_the_same_figures(comparison: sl.Comparison, networks: Any, digits: Any) -> None:
    again = sl.compare(*networks, digits, profiles=PROFILES)
    assert again.to_dict() == comparison.to_dict()


def test_recorded_spikes_are_those_that_answered(digits: Any) -> None:
    """The answers come from one pass and the counts from another: both must see the same encoder's spikes."""
    snn = sl.zoo.build("mlp-s", digits.input_shape, 10, timesteps=4)
    side = sl.compare(sl.zoo.twin(snn), snn, digits, seed=3, batch_size=4).snn
    out = 0
    with torch.no_grad():
        for index, part in enumerate(digits.test_inputs.chunk(PARTS)):
            snn.reseed(start_of(3, index))
            out += sum(int(snn.eval()(batch).sum()) for batch in part.split(4))
    assert side.activity.total("spike", "layers.neuron_fc2") == out


def test_one_network_against_itself(digits: Any, networks: Any) -> None:
    activity = sl.record(networks[0], digits.test_inputs)
    for name in ("horowitz-45nm", "v100"):
        device = sl.load_profile(name)
        found = match(activity, activity, device, device, name=name)
        assert found.verdict.winner == "" and found.ann.joules == found.snn.joules


@pytest.mark.parametrize(("first", "second"), [(0, 0), (1, 1), (1, 0)])
def test_two_networks_alike_are_not_judged(digits: Any, networks: Any, first: int, second: int) -> None:
    with pytest.raises(InputError, match="spiking neurons"):
        sl.compare(networks[first], networks[second], digits, profiles=["loihi"], samples=5)


def test_fewer_samples(digits: Any, networks: Any) -> None:
    assert sl.compare(*networks, digits, samples=7, profiles=["loihi"]).samples == 7
    with pytest.raises(InputError, match="61 are asked for"):
        sl.compare(*networks, digits, samples=61)


def test_progress_counts_both_networks(digits: Any, networks: Any) -> None:
    seen: list[tuple[int, int]] = []
    sl.compare(*networks, digits, profiles=["loihi"], batch_size=30, progress=lambda *at: seen.append(at))
    assert seen == [(done, 120) for done in range(6, 121, 6)]  # 60 samples in 10 parts, twice


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"rate_hz": 0.0}, InputError, "rate of 0.0"),
        ({"rate_hz": float("nan")}, InputError, "rate_hz is nan"),
        ({"profiles": ["lohi"]}, InputError, "did you mean 'loihi'"),
        ({"profiles": []}, InputError, "at least one"),
        ({"profiles": "no/such.toml"}, ProfileError, "no profile file"),
        ({"bill": "ful"}, InputError, "did you mean 'full'"),
        ({"batch_size": 0}, InputError, "batch size of 0"),
        ({"samples": 0}, InputError, "0 are asked for"),
    ],
)
def test_options_that_cannot_be_used(
    digits: Any, networks: Any, options: dict[str, Any], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        sl.compare(*networks, digits, **options)


def test_networks_that_do_not_fit(digits: Any, networks: Any) -> None:
    ann, snn = networks
    with pytest.raises(InputError, match=r"compare\(ann, snn, data\)"):
        sl.compare(snn, ann, digits)
    with pytest.raises(InputError, match="build it for this shape"):
        sl.compare(torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(9, 10)), snn, digits)
    wide = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 12))
    wide[1].bias.data[11] = 1e6
    with pytest.raises(InputError, match="answers class 11, but the data have 10 classes"):
        sl.compare(wide, snn, digits)


def test_the_dictionary_is_json_with_a_versioned_schema(comparison: sl.Comparison) -> None:
    found = json.loads(json.dumps(comparison.to_dict(), allow_nan=False))
    assert found["schema"] == "spikeledger-comparison/1"
    assert [one["name"] for one in found["matches"]] == list(PROFILES)
    assert found["matches"][3]["corrected"]["snn"]["profile"] == "corrected-paper-002-12nm"
    assert found["matches"][0]["views"]["static on"]["verdict"]["text"]
    assert found["snn"]["accuracy_low"] <= found["snn"]["accuracy"] <= found["snn"]["accuracy_high"]


def test_the_fair_opponents_are_those_of_the_same_runs(comparison: sl.Comparison) -> None:
    found = comparison.opponents
    assert found is not None
    alone = sl.fair_opponents(comparison.ann.activity, comparison.snn.activity)
    assert found.to_dict() == alone.to_dict() == comparison.to_dict()["opponents"]
    assert str(found) in summary.headlines(comparison.to_dict())
    plain = next(row for row in found.rows if (row.precision, row.zeros, row.reuse) == ("fp32", "zero-skipping", 1.0))
    assert plain.joules.nominal < comparison.match("horowitz-45nm").ann.joules.nominal
    # the match names no dataflow, so it is priced in the cheapest one, as the twin of its width is
    match = comparison.match("horowitz-45nm").snn
    twin = next(row for row in found.twins if row.precision == "fp32")
    assert match.ledger.profile.dataflow == "row-wise"
    rows = next(row for row in found.snn if row.label == "fp32, row-wise")
    assert rows.joules.nominal == pytest.approx(match.joules.nominal)
    assert twin.joules.nominal <= rows.joules.nominal
    best, twin = found.best.joules, found.twin.joules
    assert found.twin.precision == found.best.precision
    assert found.verdict.winner == ("ann" if best.high < twin.low else found.verdict.winner)
    assert found.to_dict()["verdict"] == found.verdict.text


def test_without_an_ordinary_network_there_is_no_fair_opponent(digits: Any, networks: Any) -> None:
    made = sl.compare(*networks, digits, profiles=["loihi:loihi"], samples=5, widths=False)
    assert fair(made.snn.activity, made.snn.activity) is None
    found = replace(made, opponents=None)
    assert found.to_dict()["opponents"] is None
    assert "fair opponent" not in " ".join(summary.headlines(found.to_dict()))
    older = {key: value for key, value in found.to_dict().items() if key != "opponents"}
    assert summary.headlines(older) == summary.headlines(found.to_dict())


def test_what_was_not_counted_has_no_fair_opponent_unless_lower_bounds_are_asked_for(comparison: sl.Comparison) -> None:
    missing = replace(comparison.ann.activity, uncounted=(Uncounted("fc9", "something", "no rule"),))
    assert fair(missing, comparison.snn.activity) is None
    assert fair(missing, comparison.snn.activity, allow_uncounted=True) is not None


def test_a_saved_comparison_reads_like_the_one_in_memory(
    comparison: sl.Comparison, capsys: pytest.CaptureFixture[str]
) -> None:
    comparison.show()
    printed = capsys.readouterr().out
    show_sheet(of_comparison(json.loads(json.dumps(comparison.to_dict()))))
    assert capsys.readouterr().out == printed
    for word in ("McNemar", "horowitz-45nm", "as published", "corrected-paper-002-12nm"):
        assert word in printed
    assert len(list(comparison.rows())) == len(PROFILES) + 1
    assert "<table>" in comparison._repr_html_()
    assert "digits" in repr(comparison)


@pytest.mark.parametrize(
    ("inputs", "labels", "says"),
    [
        (np.zeros((0, 64)), np.zeros(0, int), "empty"),
        (np.full((2, 64), np.nan), [0, 1], "NaN or infinite"),
        (np.full((2, 64), np.inf), [0, 1], "NaN or infinite"),
        (np.zeros((2, 64)), [0, 10], "labels go from 0 to 10, but there are 10 classes"),
        (np.zeros((2, 64)), [-1, 0], "labels go from -1"),
        (np.zeros((2, 64)), [0.5, 1.0], "whole numbers"),
        (np.zeros((2, 64)), [0], "2 inputs but 1 labels"),
        (np.zeros((2, 63)), [0, 1], "shape"),
    ],
)
def test_data_that_cannot_be_compared_on(inputs: Any, labels: Any, says: str) -> None:
    snn = sl.zoo.mlp(64, 10, timesteps=2)
    with pytest.raises(InputError, match=says) as caught:
        data = sl.Dataset.from_arrays("mine", inputs, labels, inputs, labels, classes=list("0123456789"))
        sl.compare(sl.zoo.twin(snn), snn, data)
    assert "\n" not in str(caught.value)
