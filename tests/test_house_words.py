"""Units and errors: what a person reads is what was meant."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikeledger import errors, events, units

PREFIX = {"y": -24, "z": -21, "a": -18, "f": -15, "p": -12, "n": -9, "µ": -6, "m": -3, "": 0}
PREFIX |= {"k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0 J"),
        (8.3e-11, "83.0 pJ"),
        (1.0, "1.00 J"),
        (0.9999, "1.00 J"),
        (999.4, "999 J"),
        (999.96, "1.00 kJ"),
        (1000.0, "1.00 kJ"),
        (-4.6e-12, "-4.60 pJ"),
        (3.6e6, "3.60 MJ"),
        (1.2345e-5, "12.3 µJ"),
        (math.inf, "inf J"),
    ],
)
def test_joules_for_people(value: float, text: str) -> None:
    assert units.joules(value) == text


def test_no_unit_leaves_no_space() -> None:
    assert units.si(0, "") == "0"
    assert units.si(2.0, "") == "2.00"


@given(st.floats(min_value=1e-24, max_value=9e20), st.sampled_from([1, -1]))
def test_what_is_written_can_be_read_back(size: float, sign: int) -> None:
    value = sign * size
    mantissa, unit = units.si(value, "J").split(" ")
    assert float(mantissa) * 10.0 ** PREFIX[unit.removesuffix("J")] == pytest.approx(value, rel=5.01e-3)
    assert 1 <= abs(float(mantissa)) < 1000


def test_a_full_phone_battery() -> None:
    # 3.7 V * 4000 mAh * 3.6 C/mAh = joules
    assert units.battery_milliampere_hours(3.7 * 4000 * 3.6) == pytest.approx(4000)
    assert units.kwh(3.6e6) == 1.0


@pytest.mark.parametrize(
    ("given_name", "known", "says"),
    [
        ("minst", ["mnist", "digits"], "unknown data set 'minst': did you mean 'mnist'?"),
        ("zzz", ["mnist", "digits"], "unknown data set 'zzz': known: digits, mnist"),
        ("zzz", [], "unknown data set 'zzz': known: none"),
    ],
)
def test_an_unknown_name_is_guessed(given_name: str, known: list[str], says: str) -> None:
    error = errors.unknown_name("data set", given_name, known)
    assert isinstance(error, errors.InputError)
    assert str(error) == says


def test_all_errors_hang_on_one_tree_that_its_docstring_draws() -> None:
    found = {thing for thing in vars(errors).values() if isinstance(thing, type) and issubclass(thing, Exception)}
    assert all(issubclass(thing, errors.SpikeLedgerError) for thing in found)
    assert [thing.__name__ for thing in found if thing.__name__ not in (errors.__doc__ or "")] == []


def test_every_event_belongs_to_one_term() -> None:
    terms = [event for named in events.TERMS.values() for event in named]
    assert sorted(terms) == sorted(events.EVENTS)
