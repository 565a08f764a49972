"""The fair opponent: every way of running the ordinary network, in the order that physics demands."""

from __future__ import annotations

import pytest

from spikeledger.activity import Activity, Layer
from spikeledger.errors import InputError
from spikeledger.study.counts import activity_from_events, activity_from_spikes
from spikeledger.study.opponent import fair_opponents


@pytest.fixture
def ann() -> Activity:
    layers = {"fc": Layer("fc", "linear", (784,), 256, 200_704, 200_960, 200_960, inputs="graded")}
    return activity_from_events({"fc": {"dense_op": 200_704, "mac": 30_000}}, layers=layers)


@pytest.fixture
def snn() -> Activity:
    return activity_from_spikes([(784, 256)], [130], timesteps=5, input_spikes=500)


def test_all_of_them_are_there(ann: Activity, snn: Activity) -> None:
    found = fair_opponents(ann, snn)
    assert found.bits == 3
    kinds = {(row.precision, row.zeros, row.reuse) for row in found.rows}
    assert {(word, zeros, reuse) for word in ("fp32", "fp16", "int8", "int8x3") for zeros in ("dense", "zero-skipping")
            for reuse in (1.0, 16.0)} <= kinds  # fmt: skip
    assert any("V100" in row.label and "batch 128" in row.label for row in found.rows)
    assert any("V100" in row.label and "batch 1" in row.label.split(", ")[-1] for row in found.rows)
    assert any("Xeon" in row.label for row in found.rows)
    assert len(found.lines) == 3
    assert found.events_per_synapse == pytest.approx(500 * 256 / 200_704)


def test_fewer_bits_fewer_zeros_and_more_reuse_cost_less(ann: Activity, snn: Activity) -> None:
    cost = {(row.precision, row.zeros, row.reuse): row.ledger.joules for row in fair_opponents(ann, snn).rows}
    for zeros in ("dense", "zero-skipping"):
        for reuse in (1.0, 16.0):
            by_width = [cost[word, zeros, reuse] for word in ("fp32", "fp16", "int8", "int8x3")]
            assert by_width == sorted(by_width, reverse=True)
    for word in ("fp32", "fp16", "int8", "int8x3"):
        assert cost[word, "zero-skipping", 1.0] < cost[word, "dense", 1.0]
        assert cost[word, "dense", 16.0] < cost[word, "dense", 1.0]


def test_the_spiking_network_stands_there_in_every_dataflow(ann: Activity, snn: Activity) -> None:
    found = fair_opponents(ann, snn, boards=["v100"])
    labels = {row.label for row in found.snn}
    assert {f"int8, {flow}" for flow in ("event-driven", "row-wise", "output-stationary")} <= labels
    alone = {row.label: row.ledger.joules for row in found.snn if "batch 1," in row.label}
    fused, stepped = (next(v for k, v in alone.items() if words in k) for words in ("all steps", "each step"))
    assert stepped > fused
    assert found.twin.precision == found.best.precision
    same = [row.ledger.joules for row in found.snn if row.precision == found.best.precision]
    assert found.twin.ledger.joules == min(same)


def test_a_gpu_alone_costs_a_hundred_times_more(ann: Activity, snn: Activity) -> None:
    rows = {row.label: row.ledger.joules for row in fair_opponents(ann, snn, boards=["v100"]).rows}
    full, alone = (next(v for k, v in rows.items() if k.endswith(f"batch {n}")) for n in (128, 1))
    assert 20 < alone / full < 1000


def test_the_best_one_is_named_and_shown(ann: Activity, snn: Activity, capsys: pytest.CaptureFixture[str]) -> None:
    found = fair_opponents(ann, snn)
    assert found.best.precision == "int8x3"
    found.show()
    out = capsys.readouterr().out
    assert "published break-even: 0.15 to 1.38" in out
    assert "operands used up to 16 times" in " ".join(out.split())
    assert found.to_dict()["bits"] == 3


@pytest.mark.parametrize(("steps", "bits"), [(1, 1), (3, 2), (4, 3), (7, 3), (8, 4), (50, 6)])
def test_bits_of_the_matched_width(ann: Activity, steps: int, bits: int) -> None:
    snn = activity_from_spikes([(784, 256)], [0], timesteps=steps, input_spikes=1)
    assert fair_opponents(ann, snn, boards=()).bits == bits


def test_the_opponent_is_ordinary(snn: Activity) -> None:
    with pytest.raises(InputError, match="ordinary network"):
        fair_opponents(snn, snn)


def test_another_node(ann: Activity, snn: Activity) -> None:
    found = fair_opponents(ann, snn, technology={"fp32": "jouppi-7nm", "int8": "jouppi-7nm-int8"}, boards=())
    assert {row.precision for row in found.rows} == {"fp32", "int8", "int8x3"}
    assert found.best.ledger.joules < fair_opponents(ann, snn, boards=()).best.ledger.joules
