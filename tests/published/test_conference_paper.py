"""Cassetta, Di Trani & Cavalagli 2023: rows of its tables to four digits, as published and corrected."""

from __future__ import annotations

import pytest

from spikeledger import units
from spikeledger.activity import Activity, Layer
from spikeledger.ledger import price
from spikeledger.study.counts import activity_from_events

NM12 = "published-paper-002-12nm"
#: network, neurons, T, kWh as printed, kWh of the same count with T once and 3.6e6 J a kWh
SNN = [
    ("S", 266, 5, 1.0736e-14, 2.143e-16), ("S", 266, 20, 1.7151e-13, 8.571e-16), ("S", 266, 50, 1.0716e-12, 2.143e-15),
    ("M", 842, 5, 3.3936e-14, 6.783e-16), ("M", 842, 20, 5.4271e-13, 2.713e-15), ("M", 842, 50, 3.3916e-12, 6.783e-15),
]  # fmt: skip
#: network, weights, activations, kWh as printed, kWh of the weights with 3.6e6 J a kWh
ANN = [
    ("S", 203_264, 256, 9.0453e-13, 9.034e-14), ("M", 549_504, 832, 2.4459e-12, 2.442e-13),
]  # fmt: skip
#: convolutional and converted networks: operations that their formula implies, and kWh as printed
IMPLIED = [("CIFAR M", 8_777_472, 3.9011e-11), ("CIFAR D", 90_749_440, 4.0333e-10)]
#: network, layers, T, kWh and ANN/SNN with synaptic operations at a pixel mean of 0.1307 and a hidden rate of 0.1
TRUE = [
    ("S", ((784, 256), (256, 10)), 5, 2.155e-14, 4.19), ("S", ((784, 256), (256, 10)), 20, 8.621e-14, 1.05),
    ("S", ((784, 256), (256, 10)), 50, 2.155e-13, 0.42),
]  # fmt: skip


def updates(neurons: int, steps: int) -> Activity:
    return activity_from_events({"lif": {"neuron_update": neurons * steps}}, timesteps=steps)


def ordinary(weights: int, activations: int) -> Activity:
    layers = {"fc": Layer("fc", "linear", inputs="graded"), "relu": Layer("relu", "activation")}
    return activity_from_events({"fc": {"dense_op": weights}, "relu": {"activation": activations}}, layers=layers)


@pytest.mark.parametrize(("name", "neurons", "steps", "printed", "once"), SNN)
def test_spiking_rows(name: str, neurons: int, steps: int, printed: float, once: float) -> None:
    run = updates(neurons, steps)
    as_published = price(run, NM12)
    assert as_published.kwh == pytest.approx(printed, rel=5e-5)
    assert "applies T twice" in as_published.caveats[0]
    corrected = price(run, NM12, bill="corrected-paper-002")
    assert corrected.kwh == pytest.approx(once, rel=5e-4)
    assert corrected.kwh == units.kwh(corrected.joules)


@pytest.mark.parametrize(("name", "weights", "activations", "printed", "right"), ANN)
def test_ordinary_rows(name: str, weights: int, activations: int, printed: float, right: float) -> None:
    assert price(ordinary(weights, activations), NM12).kwh == pytest.approx(printed, rel=5e-5)
    corrected = price(ordinary(weights, activations), NM12, bill="corrected-paper-002")
    assert corrected.kwh == pytest.approx(right, rel=5e-4)


@pytest.mark.parametrize(("name", "operations", "printed"), IMPLIED)
def test_convolutional_rows(name: str, operations: int, printed: float) -> None:
    assert price(ordinary(operations, 0), NM12).kwh == pytest.approx(printed, rel=5e-5)


@pytest.mark.parametrize(("name", "layers", "steps", "kwh", "ratio"), TRUE)
def test_with_synaptic_operations_the_advantage_is_fourfold_and_then_gone(
    name: str, layers: tuple[tuple[int, int], ...], steps: int, kwh: float, ratio: float
) -> None:
    (inputs, hidden), (_, outputs) = layers
    events = round(steps * (inputs * 0.1307 * hidden + hidden * 0.1 * outputs))
    run = activity_from_events(
        {"fc": {"synaptic_op": events}, "lif": {"neuron_update": (hidden + outputs) * steps}}, timesteps=steps
    )
    spiking = price(run, NM12, bill="corrected-paper-002").kwh
    assert spiking == pytest.approx(kwh, rel=5e-4)
    ann = price(ordinary(inputs * hidden + hidden * outputs, 0), NM12, bill="corrected-paper-002").kwh
    assert ann / spiking == pytest.approx(ratio, abs=0.005)


def test_the_break_even_is_a_ratio_of_two_prices() -> None:
    for name, ratio in (("published-paper-002-12nm", 2.76), ("published-paper-002-45nm", 5.11)):
        book = price(updates(1, 1), name).profile.prices
        assert book["mac"].joules / book["synaptic_op"].joules == pytest.approx(ratio, abs=0.005)
