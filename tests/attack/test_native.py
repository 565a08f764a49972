"""Native code in random configurations equals its reference: a few hundred here, the 20,000 with `make test-all`."""

from __future__ import annotations

import os

import pytest

from attack.native_cases import CASES, SHARES, check
from spikeledger.kernels.choice import native

pytestmark = pytest.mark.skipif(native() is None, reason="the native core is not built")
FEW, MANY = 200, int(os.environ.get("SPIKELEDGER_CONFIGURATIONS", 20_000))


def all_alike(name: str, first: int, count: int) -> None:
    for number in range(first, first + -(-count * SHARES[name] // sum(SHARES.values()))):
        try:
            check(name, number)
        except Exception as error:
            error.add_note(f"attack.native_cases.check({name!r}, {number})")
            raise


@pytest.mark.parametrize("name", CASES)
def test_a_few_configurations_equal_the_reference(name: str) -> None:
    all_alike(name, 0, FEW)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_many_configurations_equal_the_reference(name: str) -> None:
    all_alike(name, FEW, MANY)
