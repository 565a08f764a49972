"""Our report card: what it must cover, and that the page in the docs is the one that the command makes."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from repository import ROOT
from spikeledger.hardware.catalog import load_profile
from spikeledger.study.measurements import Measurement, measurements
from spikeledger.study.validation import Validation, validate


@pytest.fixture(scope="module")
def report() -> Validation:
    return validate()


def test_it_covers_enough_and_says_enough(report: Validation) -> None:
    assert len(report.points) >= 10
    assert len(report.devices) >= 6
    assert report.share_inside() >= 0.8
    assert report.share_inside("independent") >= 0.8
    assert report.share_inside("held out") >= 0.8
    assert report.share_within_twice >= 0.8
    assert report.median_spread <= 6
    assert sum(point.basis != "same source" for point in report.points) >= 10


def test_what_lies_outside_says_why(report: Validation) -> None:
    outside = [point for point in report.points if not point.inside]
    assert outside, "a report card without a failure is not believed; if it is true, change this test"
    assert all(len(point.assumes) > 20 for point in outside)


def test_every_point_has_a_source_and_an_ordered_range(report: Validation) -> None:
    for point in report.points:
        assert point.low <= point.nominal <= point.high
        assert any(sign in point.source for sign in ("doi:", "@", "arXiv:"))
        assert point.measured > 0
    assert len({point.name for point in report.points}) == len(report.points)


def test_no_price_is_tuned_to_a_row() -> None:
    """Every row uses the catalogue's own prices: only batch and clock may differ."""
    for row in measurements():
        assert row.profile.prices == load_profile(row.device).prices
        assert row.profile.static is not None


def test_counts_agree_to_the_last_operation(report: Validation) -> None:
    assert [count.counted for count in report.counts] == [4704, 7776, 4900, 9700]
    assert all(count.same for count in report.counts)


def test_the_json_has_the_agreed_fields(report: Validation) -> None:
    table = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    needed = {"name", "device", "measured", "low", "nominal", "high", "inside", "source"}
    assert all(needed <= set(point) for point in table["points"])


def test_the_page_is_what_the_command_makes(report: Validation) -> None:
    assert (ROOT / "docs" / "validation.md").read_text(encoding="utf-8") == report.markdown(), (
        "make it again: spikeledger validate --markdown > docs/validation.md"
    )


def test_an_outlier_is_seen(capsys: pytest.CaptureFixture[str]) -> None:
    row = next(iter(measurements()))
    far = Measurement(row.name, row.device, 1e3, row.activity, row.profile, row.basis, row.source, "nothing fits")
    found = validate([far])
    assert not found.points[0].inside
    assert found.share_inside() == 0
    found.show()
    assert "outside: TrueNorth, 0.8 V, 20.07 Hz, one second: nothing fits" in capsys.readouterr().out


def test_the_command_prints_it(capfd: pytest.CaptureFixture[str]) -> None:
    from spikeledger.cli.app import main

    commands: list[tuple[list[str], Callable[[str], bool]]] = [
        (["validate"], lambda out: "measured values on 10 devices" in " ".join(out.split())),
        (["validate", "--json"], lambda out: len(json.loads(out)["points"]) >= 10),
        (["validate", "--markdown"], lambda out: out.startswith("# Checked against silicon")),
    ]
    for arguments, good in commands:
        assert main(arguments) == 0
        assert good(capfd.readouterr().out)
