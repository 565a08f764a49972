"""The notebook on the cost of a million brains: its table from its own counts, static power that decides included."""

from __future__ import annotations

import pytest

from spikeledger.activity import Activity, Layer
from spikeledger.hardware.catalog import load_profile
from spikeledger.hardware.profile import Price
from spikeledger.hardware.variants import with_price
from spikeledger.ledger import price
from spikeledger.study.counts import activity_from_events

#: per sample, Fashion-MNIST, 20 steps; counts of ten samples are whole
SPIKES = {"input": 21_490, "hidden": 8_741, "output": 328}
SYNAPTIC_OPS, SAMPLES = 5_588_960, 10


def ordinary() -> Activity:
    sizes = [("fc1", 784, 256), ("fc2", 256, 128), ("fc3", 128, 10)]
    layers = {
        name: Layer(name, "linear", (inputs,), outputs, inputs * outputs, inputs="graded")
        for name, inputs, outputs in sizes
    }
    events = {name: {"dense_op": inputs * outputs * SAMPLES} for name, inputs, outputs in sizes}
    return activity_from_events(events, samples=SAMPLES, layers=layers)


def spiking() -> Activity:
    layers = {
        "input": Layer("input", "encoder", (784,), 784),
        "fc": Layer("fc", "linear", (784,), 256, inputs="spikes", magnitude=1.0),
        **{
            name: Layer(name, "neuron", (size,), size, spiking=True) for name, size in (("hidden", 256), ("output", 10))
        },
    }
    events = {name: {"spike": count} for name, count in SPIKES.items()} | {"fc": {"synaptic_op": SYNAPTIC_OPS}}
    return activity_from_events(events, samples=SAMPLES, timesteps=20, layers=layers)


def test_the_ordinary_network() -> None:
    ledger = price(ordinary(), "published-notebook-000-v100")
    assert ordinary().per_sample("dense_op") == 234_752
    assert ledger.joules_per_sample == pytest.approx(1.500256e-1, rel=1e-6)
    book = {event: joules / SAMPLES for event, joules in ledger.by_event().items()}
    assert book == pytest.approx({"mac": 1.080e-6, "activation_read": 2.450e-5, "second": 0.150}, rel=5e-4)
    assert book["second"] / ledger.joules_per_sample == pytest.approx(0.99983, abs=5e-6)
    assert any("2,340 W" in text for text in ledger.caveats)


def test_the_spiking_network_as_written() -> None:
    ledger = price(spiking(), "published-notebook-000-loihi")
    assert ledger.joules_per_sample == pytest.approx(1.641473e-4, rel=1e-6)
    book = {event: joules / SAMPLES for event, joules in ledger.by_event().items()}
    expected = {"spike": 7.029e-8, "synaptic_op": 1.285e-5, "activation_read": 1.222e-6, "second": 1.5e-4}
    assert book == pytest.approx(expected, rel=5e-4)


def test_914_times_is_1000_times_in_static_power() -> None:
    ann, snn = price(ordinary(), "published-notebook-000-v100"), price(spiking(), "published-notebook-000-loihi")
    assert ann.joules / snn.joules == pytest.approx(914.0, abs=0.05)
    assert ann.by_term()["static"] / snn.by_term()["static"] == pytest.approx(1000, rel=1e-9)
    left, right = ann.without("static"), snn.without("static")
    assert left.joules / right.joules == pytest.approx(1.81, abs=0.005)
    assert left.by_term()["operations"] / right.by_term()["operations"] == pytest.approx(0.084, abs=5e-4)


def test_with_the_price_that_it_never_uses() -> None:
    """Its constants also hold 120 fJ a synaptic operation (a misreading of 120 pJ a weight update)."""
    device = load_profile("published-notebook-000-loihi")
    given = device.prices["synaptic_op"]
    small = Price(joules=1.2e-13, low=1.2e-13, high=1.2e-13, kind=given.kind, source=given.source)
    ledger = price(spiking(), with_price(device, "synaptic_op", small))
    assert ledger.joules_per_sample == pytest.approx(1.513598e-4, rel=1e-6)
    ann = price(ordinary(), "published-notebook-000-v100")
    assert ann.joules / ledger.joules == pytest.approx(991.2, abs=0.05)
    assert ann.without("static").joules / ledger.without("static").joules == pytest.approx(18.8, abs=0.05)
