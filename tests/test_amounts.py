"""Amounts: their ends are sums of ends, what they are made of adds up, and a number keeps its identity in every variant."""

from __future__ import annotations

import math
import tomllib
from collections import defaultdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikeledger.amounts import Amount, Unknown
from spikeledger.errors import InputError, ProfileError
from spikeledger.hardware.catalog import list_profiles, load_profile, parse_profile
from spikeledger.hardware.memory import access
from spikeledger.hardware.profile import HardwareProfile
from spikeledger.hardware.variants import at_batch, at_bits, at_clock, skipping, with_reuse

ends = st.tuples(*[st.floats(1e-13, 1e-9) for _ in range(3)]).map(sorted)
named = st.builds(lambda name, e: Amount.of(name, *e), st.sampled_from("abc"), ends)
factors = st.floats(0, 1e6)


def value(amount: Amount, end: str) -> float:
    """The amount worked out from what it is made of."""
    return sum(w * math.prod(getattr(one, end) for one in product) for product, w in amount.terms.items())


@given(named, named, named, factors)
def test_ends_agree_with_what_an_amount_is_made_of(a: Amount, b: Amount, c: Amount, factor: float) -> None:
    for amount in (a + b, a * factor, (a + b) * c, a * b + c * factor, Amount.sum([(factor, a), (2.0, b), (1.0, c)])):
        for end in ("low", "nominal", "high"):
            assert value(amount, end) == pytest.approx(getattr(amount, end), rel=1e-12)


@given(ends)
def test_one_number_is_one_unknown_and_an_unnamed_one_is_nobodys(three: list[float]) -> None:
    assert (Amount.of("x", *three) + Amount.of("x", *three) * 2).terms.keys() == Amount.of("x", *three).terms.keys()
    first, second = Amount(*three), Amount(*three)
    assert first == second  # as quantities
    if three[0] < three[2]:
        assert set(first.unknowns).isdisjoint(second.unknowns)
    assert Amount.exactly(three[1]).unknowns == ()


def test_a_negative_factor_is_refused() -> None:
    with pytest.raises(InputError, match="at least 0"):
        Amount(1, 2, 3) * -1.0


def every_unknown(device: HardwareProfile) -> set[Unknown]:
    parts = [*device.prices.values(), *device.memory, *filter(None, (device.static, device.host))]
    found = {one for part in parts for one in part.amount.unknowns}
    return found | (set(device.timing.factor.unknowns) if device.timing else set())


@pytest.mark.parametrize("name", list_profiles())
def test_a_variant_hangs_on_no_number_of_its_own(name: str) -> None:
    device = load_profile(name)
    variants = [with_reuse(device, 16), skipping(device, "all"), skipping(device, "none")]
    if device.precision.arithmetic == "integer":
        variants += [at_bits(device, bits) for bits in (3, 5)]
    if device.timing is not None:
        variants.append(at_batch(device, 1, utilisation=0.01))
    if device.static is not None and device.static.clock_hertz:
        variants.append(at_clock(device, device.static.clock_hertz * 0.5))
    for variant in variants:
        assert every_unknown(variant) <= every_unknown(device), variant.name


def test_one_identity_has_one_number_in_all_shipped_profiles() -> None:
    given_ids: dict[str, set[tuple[float, float, float]]] = defaultdict(set)
    explicit: set[str] = set()
    for name in list_profiles():
        device = load_profile(name)
        for one in every_unknown(device):
            given_ids[one.name].add((one.low, one.nominal, one.high))
        explicit |= {number.id for number in device.numbers.values() if not number.id.startswith(f"{device.name}:")}
    shared = [name for name in explicit if not name.startswith(("45 nm:", "7 nm:"))]
    assert shared, "a profile that is derived from another's numbers says whose they are"
    assert {name: ends for name, ends in given_ids.items() if name in shared and len(ends) > 1} == {}


def test_both_accesses_to_one_memory_are_one_number_at_every_width() -> None:
    devices = [load_profile(name) for name in ("horowitz-45nm", "horowitz-45nm-fp16", "horowitz-45nm-int8")]
    found = {access(device.memory, 20_000, device.precision.weight_bits)[0][1].amount.unknowns for device in devices}
    assert [one.name for one in next(iter(found))] == ["45 nm: SRAM 32 KB"]
    assert len(found) == 1


@pytest.mark.parametrize("name", [name for name in list_profiles() if name.startswith(("horowitz", "jouppi"))])
def test_a_multiply_accumulate_is_an_add_and_a_multiply(name: str) -> None:
    prices = load_profile(name).prices
    add, mac = prices["synaptic_op"].amount, prices["mac"].amount
    assert set(add.unknowns) & set(mac.unknowns)
    assert any("multiply" in one.name for one in mac.unknowns)
    # an integer multiply-accumulate adds into a wider sum than a membrane is: never less than the synaptic operation
    assert all(getattr(mac, end) > getattr(add, end) for end in ("low", "nominal", "high"))


SOURCE = 'kind = "assumed"\nsource = "a source that is long"'
OWN = f"""
name = "own"
title = "own"
[numbers.multiply]
value = 3e-12
low = 1e-12
high = 9e-12
{SOURCE}
[numbers.far]
value = 1.0
low = 0.5
high = 2.0
{SOURCE}
[prices.synaptic_op]
joules = 1e-12
low = 1e-12
high = 2e-12
{SOURCE}
[prices.mac]
MADE
{SOURCE}
"""


def own(made: str) -> HardwareProfile:
    return parse_profile(OWN.replace("MADE", made), "own.toml")


def test_a_price_that_is_made_of_others() -> None:
    mac = own('made_of = { synaptic_op = 2, multiply = 1 }\ntimes = ["far"]').prices["mac"]
    assert (mac.low, mac.joules, mac.high) == pytest.approx((0.5 * 3e-12, 5e-12, 2 * 13e-12))
    assert {one.name for one in mac.amount.unknowns} == {"own: synaptic_op", "own: multiply", "own: far"}
    again = own("made_of = { synaptic_op = 2, multiply = 1 }\njoules = 5e-12\nlow = 3e-12\nhigh = 13e-12").prices["mac"]
    assert again.joules == pytest.approx(5e-12)


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ("made_of = { nothing = 1 }", "'nothing', which is no number, level or price here"),
        ("made_of = { mac = 1 }", "made of itself: mac -> mac"),
        ("made_of = { multiply = -1 }", "at least 0"),
        ("made_of = { multiply = 1e9 }", "absurd"),
        ('made_of = { far = 1e-12 }\ntimes = ["far"]', "a number times itself"),
        ('times = ["far"]\njoules = 1e-12\nlow = 1e-12\nhigh = 1e-12', "say what that is"),
        ("made_of = { multiply = 1 }\njoules = 4e-12\nlow = 1e-12\nhigh = 9e-12", "leave its ends out"),
        ("joules = 4e-12\nlow = 1e-12", "it is missing"),
    ],
)
def test_what_a_price_cannot_be_made_of(made: str, said: str) -> None:
    with pytest.raises(ProfileError, match=said):
        own(made)


def test_numbers_of_one_family_are_shared_only_where_they_agree() -> None:
    tables = [tomllib.loads(OWN.replace("MADE", "made_of = { synaptic_op = 1 }")) | {"family": "f"} for _ in range(2)]
    tables[1]["name"] = "other"
    tables[1]["numbers"]["multiply"]["high"] = 8e-12
    one, two = (HardwareProfile.model_validate(table) for table in tables)
    assert one.prices["mac"].amount.unknowns == two.prices["mac"].amount.unknowns
    assert one.numbers["multiply"].amount.unknowns != two.numbers["multiply"].amount.unknowns


def test_the_files_in_the_folder_are_all_read() -> None:
    folder = Path(load_profile.__code__.co_filename).parent / "profiles"
    assert {path.stem for path in folder.glob("*.toml")} <= set(list_profiles())
