"""The instruction set that the environment asks for: in every native core, and refused in one sentence where it is not there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from spikeledger import plasticity
from spikeledger.cli.app import main
from spikeledger.errors import InputError
from spikeledger.kernels import choice
from spikeledger.kernels.choice import INSTRUCTION_SET_VARIABLE, native
from spikeledger.plasticity import diehl_cook

CORE = native()
pytestmark = pytest.mark.skipif(CORE is None, reason="the native core is not built")


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """In which the core is asked for anew, as by a process that begins."""
    assert CORE is not None
    before = CORE.instruction_set()
    native.cache_clear()
    yield monkeypatch
    monkeypatch.undo()
    CORE.use_instruction_set(before)
    native.cache_clear()
    native()


def test_each_that_the_processor_has(environment: pytest.MonkeyPatch) -> None:
    assert CORE is not None
    for name in CORE.instruction_sets():
        environment.setenv(INSTRUCTION_SET_VARIABLE, name)
        native.cache_clear()
        assert choice.name() == f"cpu ({name})"


def test_none_is_the_best(environment: pytest.MonkeyPatch) -> None:
    assert CORE is not None
    environment.setenv(INSTRUCTION_SET_VARIABLE, "")
    assert choice.name() == f"cpu ({CORE.instruction_sets()[-1]})"


def test_the_digits_core_goes_along(environment: pytest.MonkeyPatch) -> None:
    """Whose table has no tiles."""
    core = diehl_cook._native()
    assert core is not None and CORE is not None
    network = diehl_cook.DiehlCook.random(5, inputs=100, seed=1)
    images = np.full((1, 10, 10), 200, np.uint8)
    seen = []

    class Core:
        instruction_sets = staticmethod(core.instruction_sets)

        @staticmethod
        def diehl_cook(run: object, constants: object, name: str) -> None:
            seen.append(name)
            core.diehl_cook(run, constants, name)

    environment.setattr(diehl_cook, "_native", lambda: Core)
    for name in CORE.instruction_sets():
        environment.setenv(INSTRUCTION_SET_VARIABLE, name)
        native.cache_clear()
        plasticity.respond(network, images)
    assert seen == [name if name != "amx" else "avx512" for name in CORE.instruction_sets()]


def test_any_other_is_refused(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    environment.setenv(INSTRUCTION_SET_VARIABLE, "avx1024")
    with pytest.raises(InputError, match=r"'avx1024'.* plain"):
        choice.name()
    assert main(["train", "--data", "digits", "--epochs", "1", "--out", str(tmp_path / "net")]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and INSTRUCTION_SET_VARIABLE in said
