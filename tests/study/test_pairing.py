"""Which device prices which network, in which view, and what stands beside an as-published row."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spikeledger import units
from spikeledger.activity import Activity, Uncounted
from spikeledger.errors import InputError, ProfileError
from spikeledger.hardware.catalog import list_profiles, load_profile
from spikeledger.study.device_pairs import both_sides, corrected, match, pair
from spikeledger.study.matches import TERM_NAMES, VIEWS, Match

Make = Callable[..., Activity]
fixed = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
V100, LOIHI, HOROWITZ = (load_profile(name) for name in ("v100", "loihi", "horowitz-45nm"))


def names(asked: list[str], **options: str) -> list[tuple[str, str, str]]:
    return [(name, ann.name, snn.name) for name, ann, snn in pair(asked, **options)]


def test_an_ann_goes_to_the_first_device_in_the_list_that_runs_one() -> None:
    assert names(["loihi", "v100", "horowitz-45nm"])[0] == ("loihi", "v100", "loihi")
    assert names(["loihi"]) == [("loihi", "horowitz-45nm", "loihi")]
    assert names(["loihi", "v100"], opponent="horowitz-45nm")[0] == ("loihi", "horowitz-45nm", "loihi")
    assert names(["v100:loihi"]) == [("v100:loihi", "v100", "loihi")]


def test_a_device_that_runs_no_ann_is_no_opponent_even_as_a_pair() -> None:
    assert names(["loihi:loihi", "truenorth", "v100"])[1] == ("truenorth", "v100", "truenorth")
    assert names(["loihi:loihi", "truenorth"])[1] == ("truenorth", "horowitz-45nm", "truenorth")


def test_an_as_published_profile_is_nobody_elses_opponent() -> None:
    assert names(["published-paper-002-12nm", "loihi"])[1] == ("loihi", "horowitz-45nm", "loihi")


@pytest.mark.parametrize(
    ("asked", "options", "error", "says"),
    [
        (["lohi"], {}, InputError, "unknown profile 'lohi': did you mean 'loihi'?"),
        (["v100:lohi"], {}, InputError, "did you mean 'loihi'?"),
        ([], {}, InputError, "at least one"),
        (["loihi"], {"opponent": "loihi"}, InputError, "runs no ANN"),
        (["no/such.toml"], {}, ProfileError, "no profile file"),
    ],
)
def test_what_cannot_be_paired(asked: list[str], options: dict[str, str], error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        pair(asked, **options)


def test_a_side_that_a_device_cannot_run_has_a_reason_and_no_verdict(make_ann: Make, make_snn: Make) -> None:
    found = match(make_ann(), make_snn(), LOIHI, LOIHI)
    assert found.ann.ledger is None
    assert found.ann.reason == "'loihi' runs no ANN"
    assert found.snn.joules is not None
    for name in VIEWS:
        assert found.views[name].verdict.text == "not given: the ANN has no price: 'loihi' runs no ANN"
        assert not found.views[name].verdict.given


def test_what_was_not_counted_is_a_reason(make_ann: Make, make_snn: Make) -> None:
    import dataclasses

    snn = dataclasses.replace(make_snn(), uncounted=(Uncounted("fc", "fft", "no rule"),))
    found = match(make_ann(), snn, HOROWITZ, HOROWITZ)
    assert found.snn.ledger is None
    assert "not counted" in found.verdict.text
    assert match(make_ann(), snn, HOROWITZ, HOROWITZ, allow_uncounted=True).snn.ledger is not None


@given(st.integers(0, 5000), st.integers(1, 50), st.integers(1, 4000))
@fixed
def test_equal_static_is_static_on_where_both_sides_share_a_device(
    make_ann: Make, make_snn: Make, ops: int, steps: int, macs: int
) -> None:
    found = match(make_ann(macs=macs), make_snn(synaptic_ops=ops, timesteps=steps), V100, V100)
    on, equal = found.views["static on"], found.views["equal static"]
    for side in ("ann", "snn"):
        for end in ("low", "nominal", "high"):
            assert getattr(getattr(equal, side), end) == pytest.approx(getattr(getattr(on, side), end), rel=1e-12)
    assert equal.verdict.winner == on.verdict.winner


@given(st.integers(0, 5000), st.integers(1, 50))
@fixed
def test_equal_static_charges_the_same_watts_for_each_sides_own_seconds(
    make_ann: Make, make_snn: Make, ops: int, steps: int
) -> None:
    found = match(make_ann(), make_snn(synaptic_ops=ops, timesteps=steps), V100, LOIHI)
    off, equal = found.views["static off"], found.views["equal static"]
    watts = LOIHI.static.watts
    for side in ("ann", "snn"):
        seconds = getattr(found, side).seconds.nominal
        added = getattr(equal, side).nominal - getattr(off, side).nominal
        assert added == pytest.approx(watts * seconds, rel=1e-6)


def test_equal_static_without_static_power_or_without_seconds(make_ann: Make, make_snn: Make) -> None:
    none = match(make_ann(), make_snn(), HOROWITZ, HOROWITZ).views
    assert none["equal static"].ann == none["static off"].ann == none["static on"].ann
    assert "neither side has static power" in none["equal static"].note
    half = match(make_ann(), make_snn(), HOROWITZ, LOIHI).views
    assert half["equal static"].verdict.text.startswith("not given: 'horowitz-45nm' does not say how long")
    assert half["static on"].verdict.text.startswith("not given: no static power in the bill of 'horowitz-45nm'")


def test_all_in_prices_cannot_be_split_into_views(make_ann: Make, make_snn: Make) -> None:
    book = {event: price.model_copy(update={"scope": "all_in"}) for event, price in V100.prices.items()}
    chip = V100.model_copy(update={"name": "all-in", "prices": book, "static": None})
    found = match(make_ann(), make_snn(), chip, chip)
    assert found.views["static on"].verdict.given
    assert not found.views["static off"].verdict.given
    assert not found.views["equal static"].verdict.given


@given(st.integers(0, 9000), st.integers(1, 4000))
@fixed
def test_terms_add_up_and_ranges_are_ordered(make_ann: Make, make_snn: Make, ops: int, macs: int) -> None:
    found = match(make_ann(macs=macs), make_snn(synaptic_ops=ops), V100, LOIHI)
    for cost in (found.ann, found.snn):
        assert set(cost.by_term) <= set(TERM_NAMES)
        for end in ("low", "nominal", "high"):
            total = sum(getattr(value, end) for value in cost.by_term.values())
            assert total == pytest.approx(getattr(cost.joules, end), rel=1e-12)
        assert cost.joules.low <= cost.joules.nominal <= cost.joules.high


def test_battery_and_day(make_ann: Make, make_snn: Make) -> None:
    found = match(make_ann(), make_snn(), V100, LOIHI, rate_hz=2.0)
    snn = found.snn
    assert snn.milliampere_hours == pytest.approx(1000 * snn.joules.nominal / (3.7 * 3.6))
    dynamic = snn.joules.nominal - snn.by_term["static"].nominal
    assert snn.joules_per_day == pytest.approx(86_400 * (2 * dynamic + LOIHI.static.watts))
    assert snn.day_note.startswith("always on")
    plain = match(make_ann(), make_snn(), HOROWITZ, HOROWITZ, rate_hz=2.0).snn
    assert plain.joules_per_day == pytest.approx(2 * units.SECONDS_PER_DAY * plain.joules.nominal)
    busy = match(make_ann(), make_snn(), V100, LOIHI, rate_hz=1e9).snn
    assert "cannot keep up" in busy.day_note


def test_swapping_the_networks_on_one_device_flips_the_winner(make_ann: Make) -> None:
    cheap, dear = make_ann(macs=10), make_ann(macs=100_000)
    assert match(dear, cheap, HOROWITZ, HOROWITZ).verdict.winner == "snn"
    assert match(cheap, dear, HOROWITZ, HOROWITZ).verdict.winner == "ann"
    assert match(cheap, cheap, HOROWITZ, HOROWITZ).verdict.winner == ""


@pytest.mark.parametrize(
    ("name", "beside", "bill"),
    [
        ("published-paper-002-12nm", "corrected-paper-002-12nm", "ops-only"),
        ("published-paper-002-45nm", "horowitz-45nm", "full"),
        ("published-notebook-000-loihi", "loihi", "full"),
        ("published-notebook-000-v100", "v100", "full"),
    ],
)
def test_what_corrects_an_as_published_profile(name: str, beside: str, bill: str) -> None:
    device, sentence = corrected(load_profile(name))
    assert (device.name, device.bill, device.joules_per_kwh) == (beside, bill, 3.6e6)
    assert sentence


def test_an_as_published_row_keeps_its_bill_and_has_its_correction_beside_it(make_ann: Make, make_snn: Make) -> None:
    paper = load_profile("published-paper-002-12nm")
    found: Match = match(make_ann(), make_snn(), paper, paper, bill="ops-only")
    assert found.as_published
    assert found.snn.ledger.bill == "published-paper-002"
    assert "T twice" in " ".join(found.caveats)
    assert found.corrected is not None
    ledger = found.corrected.snn.ledger
    assert ledger.joules == pytest.approx(240 * 0.58e-12)  # 240 synaptic operations, each counted once
    assert not found.corrected.as_published
    assert found.break_even is None
    assert found.corrected.break_even is not None


@pytest.mark.parametrize(
    ("network", "timesteps", "snn_kwh", "ann_kwh"),
    [
        # Cassetta et al. 2023, their tables of kWh an inference, 4 to 5 digits
        ("mlp-s", 5, 1.0736e-14, 9.0453e-13),
        ("mlp-s", 20, 1.7151e-13, 9.0453e-13),
        ("mlp-s", 50, 1.0716e-12, 9.0453e-13),
        ("mlp-m", 5, 3.3936e-14, 2.4459e-12),
        ("mlp-m", 20, 5.4271e-13, 2.4459e-12),
        ("mlp-m", 50, 3.3916e-12, 2.4459e-12),
    ],
)
def test_published_kwh_whatever_the_weights(network: str, timesteps: int, snn_kwh: float, ann_kwh: float) -> None:
    import torch

    import spikeledger as sl

    snn = sl.zoo.build(network, (1, 28, 28), 10, timesteps=timesteps)
    images = torch.rand(3, 1, 28, 28, generator=torch.Generator().manual_seed(1))
    paper = load_profile("published-paper-002-12nm")
    found = match(sl.record(sl.zoo.twin(snn), images), sl.record(snn, images), paper, paper)
    assert found.snn.to_dict()["kwh"] == pytest.approx(snn_kwh, rel=5e-5)
    assert found.ann.to_dict()["kwh"] == pytest.approx(ann_kwh, rel=5e-5)
    if (network, timesteps) == ("mlp-s", 5):
        assert found.snn.ledger.entries[0].count == 3 * 5 * 1330


def test_a_day_of_the_bill_system_holds_the_host(make_ann: Make, make_snn: Make) -> None:
    """4.9 W of a host that is always on are 423,360 J a day, whatever the network does."""
    device = next(one for one in map(load_profile, list_profiles()) if one.host and one.static and one.timing)
    other = device if "ann" in device.runs else HOROWITZ
    alone, beside = (match(make_ann(), make_snn(), other, device, bill=bill).snn for bill in ("full", "system"))
    assert alone.joules_per_day is not None and beside.joules_per_day is not None
    assert device.host is not None and beside.static_watts is not None and alone.static_watts is not None
    assert beside.joules_per_day - alone.joules_per_day == pytest.approx(device.host.watts * units.SECONDS_PER_DAY)
    assert beside.static_watts.nominal - alone.static_watts.nominal == pytest.approx(device.host.watts)


@pytest.mark.parametrize("name", ["published-paper-002-45nm", "published-paper-002-12nm"])
def test_as_published_is_what_the_profile_says_and_not_its_name(make_ann: Make, make_snn: Make, name: str) -> None:
    device = load_profile(name)
    renamed = device.model_copy(update={"name": "an-old-paper"})
    for one in (device, renamed):
        found = match(make_ann(), make_snn(), one, one)
        assert found.as_published
        assert found.corrected is not None
        assert not found.corrected.as_published
    plain = device.model_copy(update={"name": "published-by-us", "as_published": False, "bill": "ops-only"})
    assert not match(make_ann(), make_snn(), plain, plain).as_published


def test_two_devices_are_judged_without_static_power_where_one_has_none(make_ann: Make, make_snn: Make) -> None:
    found = match(make_ann(), make_snn(), HOROWITZ, LOIHI)
    assert not found.views["static on"].verdict.given
    assert found.view.name == "static off"
    assert found.says.startswith("On loihi against horowitz-45nm, static power apart")
    bare = LOIHI.model_copy(update={"name": "bare", "static": None})
    assert not match(make_ann(), make_snn(), HOROWITZ, bare).views["static on"].verdict.given
    assert match(make_ann(), make_snn(), V100, LOIHI).views["static on"].verdict.given
    assert match(make_ann(), make_snn(), HOROWITZ, HOROWITZ).view.name == "static on"


def test_parts_and_networks_are_in_the_verdict(make_ann: Make, make_snn: Make) -> None:
    anns = [[make_ann(macs=macs) for macs in (3000, 4000, 5000)], [make_ann(macs=macs) for macs in (4500, 3500, 4000)]]
    snns = [[make_snn(synaptic_ops=ops) for ops in (200, 300, 250)]]
    found = match(anns, snns, V100, V100)
    assert [len(cost.networks) for cost in (found.ann, found.snn)] == [2, 1]
    assert found.ann.ledger is not None
    assert found.ann.ledger.samples == sum(part.samples for side in anns for part in side)
    single = match([anns[0]], snns, V100, V100)
    assert single.ann.standard_error is not None
    told = found.to_dict()
    assert told["ann"]["networks"] == 2
    assert told["snn"]["standard_error"] == found.snn.standard_error
    with pytest.raises(InputError, match="at least one network"):
        match([], snns, V100, V100)


@pytest.mark.parametrize(
    ("text", "sides"),
    [
        ("v100:loihi", ("v100", "loihi")), ("loihi", None), (r"C:\mine.toml", None), ("d:/mine.toml", None),
        (r"v100:C:\mine.toml", ("v100", r"C:\mine.toml")), (r"C:\a.toml:D:\b.toml", (r"C:\a.toml", r"D:\b.toml")),
        ("a:b:c", None), (":loihi", None), ("v100:", None),
    ],
)  # fmt: skip
def test_the_colon_of_a_drive_divides_nothing(text: str, sides: tuple[str, str] | None) -> None:
    assert both_sides(text) == sides
