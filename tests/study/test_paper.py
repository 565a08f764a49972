"""The paper's tables: its own arithmetic to the digits that it prints, and what is right."""

import pytest

from spikeledger.study.paper import (
    as_the_paper_computes,
    break_even,
    corrected_ann,
    corrected_snn,
    lines,
    most_steps,
    most_steps_as_published,
)
from spikeledger.study.paper_scores import FLOOR, SCORES, network_of


@pytest.mark.parametrize(
    "line", [each for each in lines(6) if each.row.name != "D_ANN"], ids=lambda line: line.row.name
)
def test_table_6_to_four_digits_by_its_own_arithmetic(line) -> None:
    assert line.its_arithmetic == pytest.approx(line.as_published, rel=1e-4)


def test_table_7_as_far_as_it_can_be_rebuilt() -> None:
    for line in lines(7):
        assert line.its_arithmetic == pytest.approx(line.as_published, rel=2e-4), line.row.name


def test_table_5_says_what_is_not_known() -> None:
    known = {line.row.name: line for line in lines(5)}
    assert known["VGG"].its_arithmetic == pytest.approx(100 * known["VGG"].as_published, rel=1e-3)
    assert known["S_VGG"].its_arithmetic is None and known["S_VGG"].corrected is None
    assert "not stated" in known["S_VGG"].why
    assert "6.918" in next(line for line in lines(6) if line.row.name == "D_ANN").why


@pytest.mark.parametrize(
    ("widths", "ann", "snn"),
    [
        ((784, 256, 10), 9.034e-14, {5: 2.155e-14, 20: 8.621e-14, 50: 2.155e-13}),
        ((784, 512, 256, 64, 10), 2.442e-13, {5: 5.487e-14, 20: 2.195e-13, 50: 5.487e-13}),
        ((784, 2000, 500, 64, 16, 10), 1.156e-12, {5: 2.504e-13, 20: 1.002e-12, 50: 2.504e-12}),
    ],
)
def test_corrected(widths: tuple, ann: float, snn: dict) -> None:
    assert corrected_ann(widths) == pytest.approx(ann, rel=1e-3)
    for steps, kwh in snn.items():
        assert corrected_snn(widths, steps) == pytest.approx(kwh, rel=2e-3)


def test_its_slips_are_named_and_scale_as_they_do() -> None:
    assert as_the_paper_computes(20, 266) == pytest.approx(16 * as_the_paper_computes(5, 266), rel=1e-2)  # T twice
    assert break_even() == pytest.approx(2.76, abs=5e-3)


def test_where_the_two_cost_the_same() -> None:
    for widths in ((784, 256, 10), (784, 512, 256, 64, 10), (20, 30, 7)):
        steps = most_steps(widths)
        assert steps * corrected_snn(widths, 1) == pytest.approx(corrected_ann(widths))
    neurons, macs = 266, 203_520
    steps = most_steps_as_published((784, 256, 10))
    assert as_the_paper_computes(1, 0, 0) < 1e-17
    assert steps**2 * as_the_paper_computes(1, neurons) == pytest.approx(as_the_paper_computes(0, 0, macs), rel=1e-2)


def test_scores_are_shares_and_every_row_names_a_network() -> None:
    for score in SCORES:
        assert 0 < score.accuracy <= 1 and score.on in ("validation", "test", "train")
    assert pytest.approx(1.4612, abs=1e-4) == FLOOR
    for line in lines():
        data, _, kind, steps = network_of(line.row.table, line.row.name)
        assert (kind == "ann") == (steps == 1) == (line.row.timesteps == 0 and not line.row.name.startswith("S_V")
                                                   and not line.row.name.startswith("S_Mob"))  # fmt: skip
        assert data in ("mnist", "cifar-10", "flowers-102")


def test_the_trial_runs_from_its_file(tmp_path, monkeypatch) -> None:
    from spikeledger.trials import read_study, run
    from spikeledger.trials.store import Store

    file = tmp_path / "small.toml"
    file.write_text(
        'name = "small"\ntitle = "small"\nexperiment = "paper"\n[settings]\ndata = "digits"\nepochs = 12\ntrain = 600\n'
        'test = 60\nrecorded = 20\nsize = "S"\n[[trials]]\nkind = "ann"\ntimesteps = 1\n[[trials]]\n'
        'kind = ["snn", "converted"]\ntimesteps = [4]\n'
    )
    assert len(read_study(file).trials) == 3
    run(file, tmp_path / "out")
    rows = Store(tmp_path / "out").rows
    assert len(rows) == 3
    assert all(row.values["accuracy"] > 0.2 for row in rows.values())
