"""The same device otherwise used: widths, reuse, batches, clocks, memory."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikeledger.errors import InputError, ProfileError
from spikeledger.hardware.catalog import load_profile
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
        (lambda: skipping(FP32, "some"), "not 'some'"),  # type: ignore[arg-type]
        (lambda: access((), 10, 8), "no \\[\\[memory\\]\\] levels"),
    ],
)
def test_what_makes_no_sense(change: object, says: str) -> None:
    with pytest.raises(InputError, match=says):
        change()  # type: ignore[operator]


@pytest.mark.parametrize(
    ("held", "bits", "picojoules"),
    [(1, 64, 10.0), (8192, 32, 5.0), (8193, 64, 20.0), (1 << 20, 8, 12.5), (1 << 21, 64, 1950.0)],
)
def test_the_smallest_level_that_holds_it(held: int, bits: int, picojoules: float) -> None:
    assert access(FP32.memory, held, bits).joules == pytest.approx(picojoules * 1e-12)


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
