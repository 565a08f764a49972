"""The study of energy budgets: the same path on few digits, and, marked slow, what it must show on MNIST."""

from __future__ import annotations

import os
import runpy
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import tomli_w

import spikeledger as sl
from spikeledger.errors import InputError
from spikeledger.trials import News, Row, Store, run
from spikeledger.trials.energy_budget import reversals

STUDY = Path(__file__).parents[2] / "studies" / "energy_budget.toml"
DEVICES = ("seneca-22nm", "horowitz-45nm")
FEW: dict[str, Any] = {
    "data": "digits", "train": 1200, "test": 200, "epochs": 10, "budget_epochs": 10, "share": 0.3,
}  # fmt: skip


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Row]]:
    """Two encoders, two devices and a budget on the digits of scikit-learn."""
    folder = tmp_path_factory.mktemp("study")
    return folder, run(STUDY, folder, changes=FEW)


def test_every_network_is_there_and_budgets_are_kept(few: tuple[Path, list[Row]]) -> None:
    folder, rows = few
    assert len(rows) == 2 * (2 + 2)
    before = {row.settings["encoder"]: row.values for row in rows if row.settings["stage"] == "before"}
    for row in rows:
        asked, found = row.settings, row.values
        assert found["accuracy"] > 0.7, row
        assert set(found["joules"]) == set(DEVICES)
        if asked["stage"] != "budget":
            assert found["budget"] is None
            continue
        assert found["joules"][asked["profile"]] == pytest.approx(found["budget"], rel=0.05), row
        if asked["encoder"] == "rate":
            assert found["synops"] < 0.6 * before["rate"]["synops"]
        elif asked["profile"] == "horowitz-45nm":
            assert found["macs"] > 0.9 * before["direct"]["macs"]  # it multiplies zeros too: nothing to save there
    store = Store(folder)
    network = sl.load_network(store.path(rows[-1].key, "network"))
    assert isinstance(network, sl.SpikingNetwork)
    activity = sl.Activity.load(store.path(rows[-1].key, "activity.npz"))
    assert sl.price(activity, DEVICES[0]).joules_per_sample == rows[-1].values["joules"][DEVICES[0]]


def test_the_devices_prefer_different_networks(few: tuple[Path, list[Row]]) -> None:
    found = [row.values for row in few[1]]
    turned, pairs = reversals(found, *DEVICES)
    assert pairs == len(found) * (len(found) - 1) // 2
    assert turned > 0
    assert reversals(found, DEVICES[0], DEVICES[0])[0] == 0


def test_what_is_done_is_not_done_again_and_other_settings_are_trained_anew(few: tuple[Path, list[Row]]) -> None:
    folder, rows = few
    heard: list[News] = []
    again = run(STUDY, folder, changes=FEW, tell=heard.append)
    assert [row.key for row in again] == [row.key for row in rows] and not heard
    less = {**FEW, "encoder": "rate", "profile": DEVICES[0], "epochs": 1, "budget_epochs": 1}
    other = run(STUDY, folder, changes=less, tell=heard.append)
    assert len(other) == 3 == sum(news.what == "finished" for news in heard)
    assert other[0].values["accuracy"] < rows[0].values["accuracy"]
    assert not {row.key for row in other} & {row.key for row in rows}


def test_a_profile_of_one_s_own_is_priced_as_it_stands(few: tuple[Path, list[Row]], tmp_path: Path) -> None:
    folder, rows = few
    own = tmp_path / "ten.toml"
    table = tomllib.loads((Path(sl.__file__).parent / "hardware" / "profiles" / f"{DEVICES[0]}.toml").read_text())
    for price in table["prices"].values():
        price.update({name: 10 * price[name] for name in ("joules", "low", "high")})
    own.write_text(tomli_w.dumps(table))
    one = {**FEW, "encoder": "rate", "stage": "before", "profile": "", "share": 1.0, "profiles": [str(own)]}
    dearer = run(STUDY, folder, changes=one)[0]
    assert dearer.values["joules"][DEVICES[0]] == pytest.approx(10 * rows[0].values["joules"][DEVICES[0]])


def test_the_command_draws_the_rows(few: tuple[Path, list[Row]], tmp_path: Path, monkeypatch: Any) -> None:
    script = runpy.run_path(str(STUDY.with_suffix(".py")))
    monkeypatch.setattr(sys, "argv", ["energy_budget.py", str(few[0]), "--out", str(tmp_path)])
    script["main"]()
    assert (tmp_path / "energy-budget.png").read_bytes()[:4] == b"\x89PNG"
    assert "SynOps" in script["line"](few[1][0])


@pytest.mark.slow
@pytest.mark.skipif("SPIKELEDGER_DATA" not in os.environ, reason="needs MNIST in SPIKELEDGER_DATA")
def test_what_it_must_show_on_mnist(tmp_path: Path) -> None:
    """Direct: 10 times fewer SynOps for 0.3 points; rate: 4 times fewer for 0.5."""
    for encoder, device, share, fewer, points in (
        ("direct", "horowitz-45nm", 0.1, 10, 0.3), ("rate", "seneca-22nm", 0.25, 4, 0.5),
    ):  # fmt: skip
        changes = {"encoder": encoder, "profile": device, "share": share, "profiles": [device]}
        before, after, budget = (row.values for row in run(STUDY, tmp_path, changes=changes))
        assert budget["synops"] < max(before["synops"], after["synops"]) / fewer
        assert budget["accuracy"] > max(before["accuracy"], after["accuracy"]) - points / 100, (before, after, budget)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"share": 1.5}, "above 0 and below 1"),
        ({"share": 0.0}, "above 0 and below 1"),
        ({"epoch": 3}, "did you mean 'epochs'"),
        ({"stage": "later"}, "stage"),
    ],
)
def test_settings_are_checked_before_anything_is_trained(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        run(STUDY, tmp_path, changes={**FEW, **changes})
    assert not list(tmp_path.glob("**/*.npz"))
