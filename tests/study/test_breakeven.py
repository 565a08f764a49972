"""At its break-even, a network with that many spikes costs as much as the ANN: tried by making it so."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spikeledger.activity import Activity
from spikeledger.bills import BILLS
from spikeledger.errors import UnpricedError
from spikeledger.ledger import price
from spikeledger.study.breakeven import PUBLISHED_LINES, at_rate, break_even, events_per_synapse
from spikeledger.study.device_pairs import match

Make = Callable[..., Activity]


def test_measured_events_per_synapse(make_ann: Make, make_snn: Make) -> None:
    # 240 synaptic operations in 10 samples, 12 MACs a sample of the ANN
    assert events_per_synapse(make_ann(), make_snn()) == pytest.approx(2.0)
    assert events_per_synapse(make_ann(dense_op=0), make_snn()) == 0


@pytest.mark.parametrize(("ann_device", "snn_device"), [("horowitz-45nm", "horowitz-45nm"), ("v100", "loihi")])
def test_a_network_at_its_break_even_costs_the_same(
    make_ann: Make, make_snn: Make, ann_device: str, snn_device: str
) -> None:
    ann, snn = make_ann(samples=10, macs=40_000), make_snn(synaptic_ops=100_000_000, spikes=10_000_000)
    left = price(ann, ann_device)
    found = break_even(left, price(snn, snn_device), ann, snn)
    factor = found.full / found.measured
    there = make_snn(synaptic_ops=round(100_000_000 * factor), spikes=round(10_000_000 * factor))
    assert price(there, snn_device).joules == pytest.approx(left.joules, rel=1e-4)


def test_the_curve_runs_through_this_network(make_ann: Make, make_snn: Make) -> None:
    ann, snn = make_ann(macs=40_000), make_snn(synaptic_ops=1_000_000, timesteps=5)
    found = break_even(price(ann, "horowitz-45nm"), price(snn, "horowitz-45nm"), ann, snn, timesteps=(1, 5, 10))
    curve = dict(found.curve)
    assert curve[5] == pytest.approx(found.full / 5)
    assert found.measured_rate == pytest.approx(found.measured / 5)
    assert curve[1] > curve[5] > curve[10]


def test_only_operations(make_ann: Make, make_snn: Make) -> None:
    found = match(make_ann(), make_snn(), *[_profile("horowitz-45nm")] * 2, bill="ops-only").break_even
    assert found.ops_only == pytest.approx(4.6 / 0.9)
    assert found.full == pytest.approx(4.6 / 0.9)  # with no other cost, the bill's break-even is the prices' ratio


def test_where_there_is_no_break_even(make_ann: Make, make_snn: Make) -> None:
    dense = match(make_ann(), make_snn(), *[_profile("v100")] * 2).break_even
    assert dense.full is None
    assert dense.note == "'v100' multiplies zeros too, so spikes do not change its bill"
    silent = match(make_ann(), make_snn(synaptic_ops=0, spikes=0), *[_profile("horowitz-45nm")] * 2).break_even
    assert silent.full is None
    assert "no spike arrived" in silent.note
    lost = match(make_ann(macs=1), make_snn(), *[_profile("horowitz-45nm")] * 2).break_even
    assert lost.full is None
    assert "without any spike" in lost.note
    assert dict(lost.curve)[100] is None


def test_published_lines_have_sources() -> None:
    assert all(("doi:" in line.source or "arXiv:" in line.source) and line.low <= line.high for line in PUBLISHED_LINES)


def _profile(name: str):  # type: ignore[no-untyped-def]
    from spikeledger.hardware.catalog import load_profile

    return load_profile(name)


@pytest.mark.parametrize("bill", [name for name in BILLS if "-00" not in name])
@pytest.mark.parametrize("device", ["horowitz-45nm", "horowitz-45nm-int8", "seneca-22nm", "loihi", "spinnaker", "xylo"])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=10, deadline=None)
@given(
    ops=st.integers(10**7, 10**9), spikes=st.integers(10**6, 10**8), macs=st.integers(10**4, 10**7),
    timesteps=st.integers(1, 30),
)  # fmt: skip
def test_at_its_break_even_every_bill_gives_the_anns_joules(
    make_ann: Make, make_snn: Make, device: str, bill: str, ops: int, spikes: int, macs: int, timesteps: int
) -> None:
    ann, snn = make_ann(samples=10, macs=macs), make_snn(synaptic_ops=ops, spikes=spikes, timesteps=timesteps)
    left = price(ann, "horowitz-45nm", bill=bill)
    try:
        right = price(snn, device, bill=bill)
    except UnpricedError:
        return  # a total is refused, so there is nothing to be equal to
    found = break_even(left, right, ann, snn, timesteps=(timesteps,))
    if found.full is None:
        assert price(at_rate(snn, 0), device, bill=bill).joules_per_sample >= left.joules_per_sample
        return
    there = price(at_rate(snn, found.full / found.measured), device, bill=bill)
    # counts are whole numbers: half an event of each kind may be missing
    slack = 2 * sum(entry.each.nominal for entry in there.entries) / there.samples
    assert there.joules_per_sample == pytest.approx(left.joules_per_sample, rel=1e-9, abs=slack)
    rate = dict(found.curve)[timesteps]
    assert rate is not None
    assert rate * timesteps == pytest.approx(found.full)


def test_the_curve_is_the_break_even_of_a_longer_run(make_ann: Make, make_snn: Make) -> None:
    """Twice the steps, with everything in them: the curve said before where its break-even would be."""
    ann = make_ann(samples=10, macs=10**6)
    short, long = (make_snn(synaptic_ops=10**7 * steps, spikes=10**6 * steps, timesteps=steps) for steps in (5, 10))
    for device in ("horowitz-45nm", "loihi"):
        left = price(ann, "horowitz-45nm")
        found = break_even(left, price(short, device), ann, short, timesteps=(10,))
        later = break_even(left, price(long, device), ann, long)
        assert later.full is not None
        assert dict(found.curve)[10] == pytest.approx(later.full / 10)
