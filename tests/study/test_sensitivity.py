"""Which assumption decides: ranked by the range of each price, alone and against another ledger."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from spikeledger.activity import Activity
from spikeledger.ledger import price
from spikeledger.study.counts import activity_from_events, activity_from_spikes
from spikeledger.study.sensitivity import sensitivity


@pytest.fixture
def run() -> Activity:
    return activity_from_spikes([(784, 256), (256, 10)], [5000, 200], timesteps=100, input_spikes=8000)


def test_the_ends_are_those_of_the_prices(run: Activity) -> None:
    ledger = price(run, "loihi")
    found = sensitivity(ledger)
    assert found.swings[0].event == "second"
    assert found.worst_case == pytest.approx((ledger.joules_low, ledger.joules_high))
    for swing in found.swings:
        entries = [entry for entry in ledger.entries if entry.event == swing.event]
        assert swing.at_low == pytest.approx(ledger.joules - sum(entry.joules - entry.low for entry in entries))
        assert swing.at_high == pytest.approx(ledger.joules + sum(entry.high - entry.joules for entry in entries))
    assert found.swings == tuple(sorted(found.swings, key=lambda swing: -swing.width))


def test_independent_errors_are_narrower_than_the_worst_case(run: Activity) -> None:
    found = sensitivity(price(run, "horowitz-45nm"))
    low, high = found.independent
    assert price(run, "horowitz-45nm").joules_independent == pytest.approx((low, high))
    assert found.worst_case[0] < low < found.nominal < high < found.worst_case[1]
    up = [swing.at_high - found.nominal for swing in found.swings]
    assert high - found.nominal == pytest.approx(math.sqrt(sum(one**2 for one in up)))


def test_one_price_is_one_error_in_all_layers(run: Activity) -> None:
    found = sensitivity(price(run, "horowitz-45nm"))
    assert len({swing.event for swing in found.swings}) == len(found.swings)


def test_the_price_that_turns_a_verdict() -> None:
    spiking = activity_from_events({"s": {"synaptic_op": 1000}})
    ordinary = activity_from_events({"m": {"dense_op": 250, "mac": 250}})
    left, right = (price(one, "horowitz-45nm", bill="ops-only") for one in (spiking, ordinary))
    found = sensitivity(left, against=right)
    assert found.nominal == pytest.approx((1000 * 0.9 - 250 * 4.6) * 1e-12)
    assert [swing.event for swing in found.deciding] == ["mac", "synaptic_op"]
    assert found.against == "horowitz-45nm"
    # the same price on both sides moves both, so it decides nothing between equals
    same = sensitivity(
        left, against=price(activity_from_events({"s": {"synaptic_op": 900}}), "horowitz-45nm", bill="ops-only")
    )
    assert not same.deciding


def test_it_can_be_shown(run: Activity, capsys: pytest.CaptureFixture[str]) -> None:
    found = sensitivity(price(run, "loihi"), against=price(run, "truenorth"))
    found.show()
    assert "at its high end" in capsys.readouterr().out
    bars = found.tornado()
    assert {"label", "low", "nominal", "high", "flips"} == set(bars[0])
    assert set(found.to_dict()["deciding"]) <= {swing.event for swing in found.swings}
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
        (["--picture", "tornado.doc"], "cannot be saved as"),
        (["--picture", "nowhere/tornado.svg"], "cannot write"),
        (["--other", "run.npz"], "with --against"),
    ):
        assert main([*asked, *wrong]) == 2
        assert says in capfd.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run.npz", "tornado.svg"]
