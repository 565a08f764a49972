"""Which assumption decides: ranked by the range of each price, alone and against another ledger."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from spikeledger.activity import Activity
from spikeledger.hardware.catalog import load_profile
from spikeledger.ledger import price
from spikeledger.study.counts import activity_from_events, activity_from_spikes
from spikeledger.study.sensitivity import sensitivity


@pytest.fixture
def run() -> Activity:
    return activity_from_spikes([(784, 256), (256, 10)], [5000, 200], timesteps=100, input_spikes=8000)


def test_the_ends_are_those_of_the_numbers(run: Activity) -> None:
    ledger = price(run, "loihi")
    found = sensitivity(ledger)
    assert found.swings[0].name == "loihi: duration"
    assert found.worst_case == pytest.approx((ledger.joules_low, ledger.joules_high))
    prices = [swing for swing in found.swings if swing.events != ("second",)]
    assert len(prices) == len(found.swings) - 2 >= 3
    for swing in prices:
        # a price that is one number, in all layers in which it is charged
        entries = [entry for entry in ledger.entries if entry.event in swing.events]
        assert swing.at_low == pytest.approx(ledger.joules - sum(entry.joules - entry.low for entry in entries))
        assert swing.at_high == pytest.approx(ledger.joules + sum(entry.high - entry.joules for entry in entries))
    seconds, watts, timing = ledger.by_event()["second"], load_profile("loihi").static, load_profile("loihi").timing
    assert watts is not None
    assert timing is not None
    longer = timing.high_factor - 1  # as much longer at nominal watts
    assert longer > 1
    assert found.swings[0].at_high == pytest.approx(ledger.joules + longer * seconds)
    (drawn,) = [swing for swing in found.swings if swing.name == "loihi: static power"]
    assert drawn.at_high == pytest.approx(ledger.joules + seconds * (watts.high / watts.watts - 1))
    assert (drawn.kind, drawn.source) == (watts.kind, watts.source)
    assert found.swings == tuple(sorted(found.swings, key=lambda swing: -swing.width))


def test_independent_errors_are_narrower_than_the_worst_case(run: Activity) -> None:
    found = sensitivity(price(run, "horowitz-45nm"))
    low, high = found.independent
    assert price(run, "horowitz-45nm").joules_independent == pytest.approx((low, high))
    assert found.worst_case[0] < low < found.nominal < high < found.worst_case[1]
    up = [swing.at_high - found.nominal for swing in found.swings]
    assert high - found.nominal == pytest.approx(math.sqrt(sum(one**2 for one in up)))


def test_one_number_is_one_error_in_all_layers_and_events(run: Activity) -> None:
    found = sensitivity(price(run, "horowitz-45nm"))
    assert len({swing.name for swing in found.swings}) == len(found.swings)
    shared = {swing.name: swing.events for swing in found.swings}
    assert set(shared["45 nm: SRAM 8 KB"]) >= {"state_read", "state_write"}


def test_the_number_that_is_worth_knowing() -> None:
    spiking = activity_from_events({"s": {"synaptic_op": 1000}})
    ordinary = activity_from_events({"m": {"dense_op": 250, "mac": 250}})
    left, right = (price(one, "horowitz-45nm", bill="ops-only") for one in (spiking, ordinary))
    found = sensitivity(left, against=right)
    assert found.nominal == pytest.approx((1000 * 0.9 - 250 * 4.6) * 1e-12)
    # a MAC holds the add: 750 adds against 250 multiplies, and either may turn the sign
    assert {swing.name for swing in found.deciding} == {"45 nm: synaptic_op", "45 nm: fp32 multiply"}
    assert all(swing.flips and swing.worth is not None for swing in found.deciding)
    assert found.against == "horowitz-45nm"
    assert found.verdict is not None
    assert found.verdict.standing == "open"
    # the same price on both sides moves both, so it decides nothing between equals
    same = sensitivity(
        left, against=price(activity_from_events({"s": {"synaptic_op": 900}}), "horowitz-45nm", bill="ops-only")
    )
    assert not same.deciding
    assert same.verdict is not None
    assert same.verdict.winner == "ann"


def test_it_can_be_shown(run: Activity, capsys: pytest.CaptureFixture[str]) -> None:
    found = sensitivity(price(run, "loihi"), against=price(run, "truenorth"))
    found.show()
    out = " ".join(capsys.readouterr().out.split())
    assert "at its high end" in out
    assert "'loihi'" in out, "the verdict names both profiles"
    bars = found.tornado()
    assert {"label", "low", "nominal", "high", "flips"} == set(bars[0])
    assert set(found.to_dict()["deciding"]) <= {swing.name for swing in found.swings}
    assert found.to_dict()["bars"] == bars


def test_the_command_ranks_and_draws(
    run: Activity, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from spikeledger.cli.app import main

    monkeypatch.chdir(tmp_path)
    run.save("run.npz")
    asked = ["sensitivity", "run.npz", "--profile", "loihi"]
    assert main([*asked, "--picture", "tornado.svg"]) == 0
    assert "at its low end" in " ".join(capfd.readouterr().out.split())
    assert (tmp_path / "tornado.svg").read_text().startswith("<svg")
    assert main([*asked, "--against", "truenorth", "--other", "run.npz", "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["against"] == "truenorth"
    for wrong, says in (
        (["--picture", "tornado.doc"], "no picture that is written here"),
        (["--picture", "nowhere/tornado.svg"], "cannot write"),
        (["--other", "run.npz"], "with --against"),
    ):
        assert main([*asked, *wrong]) == 2
        assert says in capfd.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run.npz", "tornado.svg"]
