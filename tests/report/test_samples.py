"""What the page draws of samples, of several networks and of training runs, beside numbers made another way."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

import comparisons
import spikeledger as sl
from spikeledger.errors import InputError, SpikeLedgerError
from spikeledger.report.accuracy_against_joules import Stand, not_beaten, plot_trade, plot_trades
from spikeledger.report.page import page
from spikeledger.report.samples import plot_examples, shades
from spikeledger.report.training import plot_runs
from spikeledger.study.comparison import Comparison
from spikeledger.study.examples import examples
from spikeledger.training.history import Epoch, Fit


def test_shades_are_means_over_cells() -> None:
    image = np.zeros((56, 30), np.float32)
    image[2:4, 5] = 8.0  # one cell of two rows; columns 0..29 fall into 28 cells
    found = shades(image)
    assert found is not None and found.shape == (28, 28)
    assert found.max() == 15 and np.flatnonzero(found.any(1)).tolist() == [1]
    events = np.zeros((7, 2, 5, 4), np.float32)
    events[:, 0, 3, 1], events[0, 1, 0, 0] = 1.0, 1.0
    where = shades(events, sequence=True)
    assert where is not None and where.shape == (5, 4)
    assert where[3, 1] == 15 and where[0, 0] == round(15 / 7) and np.count_nonzero(where) == 2
    over_time = shades(np.eye(6, 9, dtype=np.float32), sequence=True)
    assert over_time is not None and over_time.shape == (9, 6)  # time to the right
    assert shades(np.ones(12, np.float32)) is None
    flat = shades(np.full((3, 3), 2.5, np.float32))
    assert flat is not None and not flat.any()


def test_examples_are_the_first_and_those_that_somebody_got_wrong() -> None:
    found = comparisons.small()
    inputs = torch.arange(40.0).reshape(40, 1, 1, 1).expand(40, 1, 4, 4)
    chosen = examples(inputs, found.ann, found.snn)
    assert chosen[0].number == 0 and 1 < len(chosen) <= 8
    for one in chosen:
        assert one.values.max() == one.number and one.truth == one.number % 3
        assert (one.ann, one.snn) == (found.ann.predictions[one.number], found.snn.predictions[one.number])
        assert one.number == 0 or one.ann != one.truth or one.snn != one.truth
    picture = plot_examples(replace(found, examples=chosen))
    assert picture is not None and f"SNN: {found.classes[chosen[0].snn]}" in picture.svg()
    assert plot_examples(found) is None
    assert "Samples, and what was made of them" in page(replace(found, examples=chosen))


def test_nobody_beats_the_front() -> None:
    rng = np.random.default_rng(5)
    stands = [Stand("ann", str(n), float(j), float(a)) for n, (j, a) in enumerate(rng.integers(1, 6, (40, 2)))]
    front = not_beaten(stands)
    expected = {
        (one.joules, one.accuracy)
        for one in stands
        if not any(
            o.joules <= one.joules
            and o.accuracy >= one.accuracy
            and (o.joules, o.accuracy) != (one.joules, one.accuracy)
            for o in stands
        )
    }
    assert {(one.joules, one.accuracy) for one in front} == expected
    assert all(one.name in plot_trade("loihi", stands).svg() for one in stands)


def test_several_networks_are_drawn_on_each_device_of_our_own() -> None:
    one = comparisons.small()
    assert list(plot_trades(one)) == []
    two = replace(one, anns=(one.ann, one.ann), snns=(one.snn,))
    assert [each.title for each in plot_trades(two)] == [
        f"Accuracy and joules on {match.name}" for match in one.matches if not match.as_published
    ]


def _run(*right: float) -> Fit:
    rows = [Epoch(n, 2.0 / n, share, None, share - 0.01, None, None, 0.1) for n, share in enumerate(right, 1)]
    return Fit(tuple(rows), len(rows), False, None)


def test_training_runs_are_drawn_and_kept(ordinary: Comparison) -> None:
    runs = {"plain twin": _run(0.4, 0.6, 0.85), "mlp": _run(0.5)}
    told = replace(ordinary, runs=runs)
    for what in ("accuracy", "loss"):
        picture = plot_runs(runs, what)
        assert "plain twin" in picture.svg() and "mlp" in picture.svg()
    assert "How they were trained" in page(told) and "How they were trained" not in page(ordinary)
    assert [row["loss"] for row in told.to_dict()["runs"]["plain twin"]["history"]] == [2.0, 1.0, 2.0 / 3]
    assert told.plot("training").marks == plot_runs(runs).marks
    assert "seconds" not in told.to_dict()["runs"]["mlp"]["history"][0]  # the same seed, the same file
    with pytest.raises(SpikeLedgerError, match="no picture"):
        told.plot("samples")
    with pytest.raises(InputError, match="nothing to draw"):
        plot_runs({"mlp": Fit((), 0, True, None)})
    with pytest.raises(SpikeLedgerError, match="did you mean"):
        plot_runs(runs, "acuracy")


def test_compare_takes_the_runs_of_its_networks_by_name() -> None:
    net, x = sl.zoo.mlp(16, 7, 3, timesteps=2), torch.rand(12, 1, 4, 4)
    data, ann = (
        sl.datasets.Dataset.from_arrays("mine", x, torch.arange(12) % 3, x, torch.arange(12) % 3),
        sl.zoo.twin(net),
    )
    found = sl.compare(ann, net, data, profiles=["loihi"], widths=False, runs={"SNN": _run(0.3, 0.5)})
    assert list(found.runs) == ["SNN"] and found.examples[0].values.shape == (1, 4, 4)
    for wrong, says in (({"snn": _run(0.3)}, "SNN"), ({"SNN": [1]}, "sl.fit"), ([_run(0.3)], "a dict by name")):
        with pytest.raises(SpikeLedgerError, match=says):
            sl.compare(ann, net, data, profiles=["loihi"], runs=wrong)  # type: ignore[arg-type]
