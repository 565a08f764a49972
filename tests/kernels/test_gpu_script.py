"""The script that measures a GPU runs to its end where there is none, and then says that nothing was measured."""

from __future__ import annotations

import importlib.util
import json
import sys
from types import ModuleType

import pytest
import torch

from repository import ROOT

SCRIPT = ROOT / "benchmarks" / "gpu.py"
pytestmark = pytest.mark.skipif(not SCRIPT.exists(), reason="the benchmarks are not beside these tests")


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("gpu_script", SCRIPT)
    assert spec is not None and spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "gpu_script", found)  # dataclasses look their module up
    monkeypatch.syspath_prepend(str(SCRIPT.parent))  # as where a script is run
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    spec.loader.exec_module(found)
    return found


def test_a_dry_run(script: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["gpu.py", "--dry"])
    script.main()
    found = json.loads(capsys.readouterr().out)
    assert "nothing is measured" in found["device"]
    assert found["agreement"]["spikes"] > 0 and found["agreement"]["differing_spikes"] == 0
    assert found["training"]["seconds"]["ours"] > 0
    peers = {"SpikingJelly, torch", "snnTorch"}
    assert set(found["training"]["over_ours"]) | set(found["training"]["not_run"]) == peers
    assert script.table(found).count("share of copy speed") == 3


def test_without_a_device(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["gpu.py"])
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit) as ended:
        script.main()
    assert ended.value.code == 0
    assert "not measured" in capsys.readouterr().out
