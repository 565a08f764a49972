"""The same device otherwise used: widths, reuse, batches, clocks, memory."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikeledger.errors import InputError, ProfileError
from spikeledger.hardware.catalog import list_profiles, load_profile
from spikeledger.hardware.memory import access, interpolated
from spikeledger.hardware.variants import at_batch, at_bits, at_clock, skipping, with_price, with_reuse

INT8 = load_profile("horowitz-45nm-int8")
FP32 = load_profile("horowitz-45nm")


def test_32_bits_from_8_come_near_the_table() -> None:
    wide = at_bits(INT8, 32)
    # Horowitz 2014: int32 add 0.1 pJ, multiply 3.1 pJ
    assert wide.prices["synaptic_op"].joules == pytest.approx(0.1e-12, rel=0.25)
    assert wide.prices["mac"].joules == pytest.approx(3.2e-12, rel=0.1)
    assert wide.precision.weight_bits == 32
    assert wide.prices["mac"].kind == "assumed"


@given(st.integers(1, 31))
def test_more_bits_cost_more(bits: int) -> None:
    narrow, wide = at_bits(INT8, bits), at_bits(INT8, bits + 1)
    for event in ("synaptic_op", "mac", "neuron_update"):
        assert narrow.prices[event].joules < wide.prices[event].joules
    assert narrow.prices["mac"].joules > narrow.prices["synaptic_op"].joules


def test_reuse_batch_clock_and_zeros() -> None:
    assert with_reuse(FP32, 8).reuse == 8
    assert skipping(FP32, "all").skips == "all"
    odin = at_clock(load_profile("odin"), 1.3e6)
    assert odin.static is not None
    assert odin.static.watts == pytest.approx(27.3e-6 + 1.78e-12 * 1.3e6, rel=1e-3)
    v100 = at_batch(load_profile("v100"), 1, utilisation=0.01)
    assert v100.timing is not None
    assert (v100.timing.batch, v100.timing.utilisation) == (1, 0.01)
    assert v100.name != "v100"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda: at_bits(FP32, 8), "float arithmetic"),
        (lambda: at_bits(INT8, 0), "0 bits"),
        (lambda: with_reuse(FP32, 0.5), "reuse of 0.5"),
        (lambda: with_reuse(FP32, float("nan")), "reuse of nan"),
        (lambda: at_batch(FP32, 4), r"no \[timing\]"),
        (lambda: at_batch(load_profile("v100"), 0), "batch of 0"),
        (lambda: at_batch(load_profile("v100"), 1, utilisation=2.0), "utilisation of 2.0"),
        (lambda: at_clock(FP32, 1e6), "clock"),
        (lambda: at_clock(load_profile("odin"), -1.0), "clock of -1.0"),
        (lambda: at_clock(load_profile("odin"), 1e8), "measured between 1.3e\\+06 and 7.5e\\+07 Hz"),
        (lambda: load_profile("truenorth@0.9V"), "unknown variant of 'truenorth' '0.9V'"),
        (lambda: load_profile("v100@row-wise"), "hold its own dataflow"),
        (lambda: load_profile("loihi@by-step"), "no seconds of a launch"),
        (lambda: load_profile("horowitz-45nm-int8@99bit"), "width of 99 bits"),
        (lambda: load_profile("horowitz-45nm@reuse0"), "reuse of 0"),
        (lambda: load_profile("horowitz-45nm@reuse1e+e"), "unknown variant"),
        (lambda: load_profile("loihi@leaking"), "nothing of it leaks"),
        (lambda: load_profile("horowitz-45nm@ticks0"), "0 steps at once"),
        (lambda: skipping(FP32, "some"), "not 'some'"),  # type: ignore[arg-type]
        (lambda: access((), 10, 8), "no \\[\\[memory\\]\\] levels"),
    ],
)
def test_what_makes_no_sense(change: object, says: str) -> None:
    with pytest.raises(InputError, match=says):
        change()  # type: ignore[operator]


@pytest.mark.parametrize(
    ("held", "bits", "picojoules"),
    # of 2 MB, half lies in 1 MB on the chip and half outside: no cliff where the last byte does not fit
    [(1, 64, 10.0), (8192, 32, 5.0), (8193, 64, 20.0), (1 << 20, 8, 12.5), (1 << 21, 64, (100 + 1950) / 2),
     ((1 << 20) + 1, 64, 100.0)],
)  # fmt: skip
def test_the_smallest_level_that_holds_it_and_shares_beyond(held: int, bits: int, picojoules: float) -> None:
    parts = access(FP32.memory, held, bits)
    assert sum(share for share, _ in parts) == pytest.approx(1)
    assert sum(share * price.joules for share, price in parts) == pytest.approx(picojoules * 1e-12, rel=1e-4)


@pytest.mark.parametrize(("run", "bits", "accesses"), [(1, 8, 1), (8, 8, 1), (9, 8, 2), (3, 32, 2), (128, 4, 8)])
def test_numbers_in_a_row_come_in_whole_accesses(run: int, bits: int, accesses: int) -> None:
    ((_, price),) = access(FP32.memory, 100, bits, run)
    assert run * price.joules == pytest.approx(accesses * 10e-12)


def test_memory_outside_the_chip_moves_whole_bursts() -> None:
    (_, (share, outside)) = access(FP32.memory, 1 << 30, 8, 10)
    assert share > 0.99
    assert 10 * outside.joules == pytest.approx(8 * 1950e-12)  # 512 bits for 10 bytes


@pytest.mark.parametrize(
    ("held", "picojoules"),
    # the line through (8 KB, 10), (32 KB, 20), (1 MB, 100), held below and carried on above
    [(100, 10.0), (8192, 10.0), (20480, 15.0), (32768, 20.0), (540672, 60.0), (1 << 20, 100.0), (2064384, 180.0)],
)
def test_a_line_through_the_levels(held: int, picojoules: float) -> None:
    found = interpolated(FP32.memory, held, 64)
    assert found.joules == pytest.approx(picojoules * 1e-12)
    assert found.low <= found.joules <= found.high


def test_a_price_that_would_melt_the_board_is_refused() -> None:
    v100 = load_profile("v100")
    dear = v100.prices["mac"].scaled(3.0, "what if")
    with pytest.raises(ProfileError, match="would draw 795 W, and the device has 300 W"):
        with_price(v100, "mac", dear)
    assert with_price(v100, "mac", dear.scaled(0.1, "or not")).prices["mac"].joules < v100.prices["mac"].joules


@pytest.mark.parametrize("name", list_profiles())
def test_every_state_of_every_device_is_a_device(name: str) -> None:
    device = load_profile(name)
    for state in device.states:
        other = load_profile(f"{name}@{state}")
        assert (other.name, other.title) == (f"{name}@{state}", device.states[state].title)
        assert other.static != device.static or other.prices != device.prices


@pytest.mark.parametrize(
    "name",
    ["horowitz-45nm-int8@8x3bit", "horowitz-45nm-int8@reuse16x128@all", "v100@batch1@by-step", "horowitz-45nm@once",
     "horowitz-45nm@row-wise@ticks4", "horowitz-45nm@leaking", "odin@2.5e+06Hz"],
)  # fmt: skip
def test_a_variant_is_found_again_by_its_own_name(name: str) -> None:
    found = load_profile(name)
    assert found.name == name
    assert load_profile(found.name) == found


@given(bits=st.integers(2, 16), activations=st.integers(1, 16))
def test_narrower_activations_cost_less_and_weights_keep_their_width(bits: int, activations: int) -> None:
    both, narrow = at_bits(INT8, 16), at_bits(INT8, bits, activations=activations)
    assert (narrow.precision.weight_bits, narrow.precision.activation_bits) == (bits, activations)
    assert narrow.prices["mac"].joules <= both.prices["mac"].joules * (1 + 1e-12)
    # the sum decides the add: a membrane of 16 bits at 8-bit weights is 8 bits wider than a weight
    assert narrow.precision.state_bits == bits + 8
