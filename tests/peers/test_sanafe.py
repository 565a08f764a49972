"""SANA-FE's Loihi and ours: the same spikes at the same steps, the same counts, and its bill from our counts."""

from __future__ import annotations

import importlib.util
import sys

import pytest

from repository import ROOT
from spikeledger.chip import machine
from spikeledger.units import PICO

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(importlib.util.find_spec("sanafe") is None, reason="sanafe is not installed"),
    pytest.mark.skipif(machine.native is None, reason="the native core was not built"),
]


def test_the_same_network_does_the_same_in_both() -> None:
    spec = importlib.util.spec_from_file_location("beside_sanafe", ROOT / "benchmarks" / "sanafe.py")
    assert spec is not None and spec.loader is not None
    benchmark = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(benchmark)
    for name in benchmark.CASES:
        found = benchmark.compared(name, sys.executable)
        assert found["same_spikes"] and found["same_synaptic_ops"] and found["same_packets"] and found["spikes"] > 1000
        bill, energy = found["sana_fe_from_our_counts"], found["sana_fe"]["energy"]
        assert bill["synapse"] == pytest.approx(energy["synapse"], rel=1e-9)
        assert bill["access"] + bill["update"] + bill["spike_out"] == pytest.approx(energy["soma"], rel=1e-9)
        assert bill["message"] + bill["hops"] == pytest.approx(energy["network"], rel=1e-9)
        assert 3.0 <= bill["hops"] / found["sana_fe"]["hops"] / PICO <= 4.2 + 1e-6
