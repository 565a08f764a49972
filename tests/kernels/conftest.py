"""Kernels are tested on every instruction set that this processor has."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from spikeledger.kernels.choice import native

CORE = native()
SETS = CORE.instruction_sets() if CORE is not None else []


@pytest.fixture(params=SETS or [pytest.param("none", marks=pytest.mark.skip(reason="the native core is not built"))])
def instruction_set(request: pytest.FixtureRequest) -> Iterator[str]:
    assert CORE is not None
    before = CORE.instruction_set()
    CORE.use_instruction_set(request.param)
    yield request.param
    CORE.use_instruction_set(before)
