"""Our report card: what it must cover, and that the page in the docs is the one that the command makes."""

from __future__ import annotations

import json
from collections.abc import Callable
from statistics import median

import pytest

from repository import ROOT
from spikeledger.hardware.catalog import load_profile
from spikeledger.study.measurements import Measurement, measurements
from spikeledger.study.validation import Point, Validation, validate


@pytest.fixture(scope="module")
def report() -> Validation:
    return validate()


def test_it_covers_enough_and_says_enough(report: Validation) -> None:
    assert len(report.points) >= 32
    assert len(report.devices) >= 10
    assert report.share_inside() >= 0.8
    assert report.share_inside("independent") >= 0.8
    assert report.share_inside("held out") >= 0.8
    assert report.share_within_twice >= 0.8
    assert report.median_spread <= 3
    assert sum(point.basis != "same source" for point in report.points) >= 20
    assert len({point.device.split("@")[0] for point in report.by_events}) >= 5


def test_each_row_says_what_it_was_given_and_what_a_model_without_events_would_say(report: Validation) -> None:
    by_name = {point.name: point for point in report.points}
    idle = by_name["Loihi, programmed and idle, one second"]
    assert (idle.given, idle.event_share) == ("time", 0.0)
    assert idle.null == idle.nominal and idle.null_inside
    above = by_name["SpiNN-5, 7,905 pairs, 20 s, dynamic"]
    assert (above.given, above.event_share, above.null) == ("time and operations", 1.0, 0.0)
    assert above.null_score is None and not above.null_inside
    assert sum(point.null_inside for point in report.points) < len(report.points) * 0.6
    assert "static power alone, over and times 2, holds" in report.against_null()


@pytest.mark.parametrize(
    ("low", "high", "score"),
    # a decade wide, hit; half a decade wide, a tenth of a decade too low
    [(0.5, 5.0, 1.0), (1.0, 10.0, 1.0), (10**0.1, 10**0.6, 0.5 + 20 * 0.1), (10**-1.5, 10**-1.0, 0.5 + 20 * 1.0)],
)
def test_the_interval_score_pays_for_width_and_for_misses(low: float, high: float, score: float) -> None:
    point = Point("x", "loihi", 1.0, low, low, high, "independent", "doi:10.1")
    assert point.score == pytest.approx(score)


def test_the_spinnaker_board_by_its_packets(report: Validation) -> None:
    rows = [point for point in report.points if point.name.startswith("SpiNN-3")]
    assert len(rows) >= 7
    assert all(point.inside for point in rows)
    assert median(point.spread for point in rows) <= 3
    other = [point for point in report.points if point.name.startswith("SpiNN-5")]
    assert all(point.inside and point.event_share == 1 for point in other)  # another board, above its idle power


def test_truenorth_at_five_times_real_time(report: Validation) -> None:
    (point,) = [point for point in report.points if "five times real time" in point.name]
    assert point.ratio == pytest.approx(1, abs=0.15)


def test_the_first_line_says_what_it_does_not_show(report: Validation, capsys: pytest.CaptureFixture[str]) -> None:
    report.show()
    assert capsys.readouterr().out.startswith("This table does not show")
    assert report.markdown().splitlines()[2].startswith("**This table does not show")


def test_what_lies_outside_says_why(report: Validation) -> None:
    outside = [point for point in report.points if not point.inside]
    assert outside, "a report card without a failure is not believed; if it is true, change this test"
    assert all(len(point.assumes) > 20 for point in outside)


def test_every_point_has_a_source_and_an_ordered_range(report: Validation) -> None:
    for point in report.points:
        assert point.low <= point.nominal <= point.high
        assert any(
            sign in point.source
            for sign in ("doi:", "@", "arXiv:", "technical overview", "Brainchip-Inc/akida_examples")
        )
        assert point.measured > 0
    assert len({point.name for point in report.points}) == len(report.points)


def test_no_price_is_tuned_to_a_row() -> None:
    """Every row uses the catalogue's own prices: only batch and clock may differ."""
    for row in measurements():
        assert row.profile.prices == load_profile(row.device).prices
        assert row.profile.static is not None


def test_a_row_that_names_its_paper_in_a_price_is_no_foresight() -> None:
    """What a range's own source calls the measurement cannot be independent of it."""
    for row in measurements():
        papers = {word.strip(",:;.()") for word in row.source.split() if "doi:" in word or "arXiv:" in word}
        parts = [*row.profile.prices.values(), row.profile.static]
        used = {word.strip(",:;.()") for part in parts if part for word in part.source.split()}
        if papers & used:
            assert row.basis != "independent", row.name


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
        (["validate"], lambda out: "measured values on 13 devices" in " ".join(out.split())),
        (["validate", "--json"], lambda out: len(json.loads(out)["points"]) >= 10),
        (["validate", "--markdown"], lambda out: out.startswith("# Checked against silicon")),
    ]
    for arguments, good in commands:
        assert main(arguments) == 0
        assert good(capfd.readouterr().out)
