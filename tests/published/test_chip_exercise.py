"""Neuro4ML, week 8: what the exercise expects, from its published counts, and what fan-out gives instead."""

from __future__ import annotations

import pytest

from spikeledger.activity import Activity
from spikeledger.ledger import price
from spikeledger.study.counts import activity_from_events, activity_from_spikes

CHIP = "published-exercise-001"
HIDDEN, OUTPUT, STEPS = 2955, 115, 100


def run(input_events: int | None = 0, samples: int = 1) -> Activity:
    found = activity_from_spikes(
        [(128, 100), (100, 10)], [HIDDEN * samples, OUTPUT * samples], timesteps=STEPS, samples=samples, input_spikes=0
    )
    if input_events:
        events = {
            name: {key[1]: tally.count for key, tally in found.tallies.items() if key[0] == name}
            for name in found.layers
        }
        events["layer0.weight"]["synaptic_op"] = input_events
        found = activity_from_events(events, timesteps=STEPS, layers=found.layers_by_name)
    return found


def test_the_expected_results_come_out_exactly() -> None:
    ledger = price(run(), CHIP)
    counts = {entry.event: 0.0 for entry in ledger.entries}
    for entry in ledger.entries:
        counts[entry.event] += entry.count
    assert counts == {"neuron_update": 11_000, "synaptic_op": 389_740}
    assert ledger.joules == pytest.approx(1.29487e-6, rel=1e-12)
    assert "incoming" in ledger.caveats[0]


@pytest.mark.parametrize(
    ("input_events", "events", "microjoules"), [(0, 29_550, 1.114775), (1_280_000, 1_309_550, 1.754775)]
)
def test_with_fan_out_it_is_another_number(input_events: int, events: int, microjoules: float) -> None:
    """Hidden to output only, and with every non-zero value of the input: 1.1148 and 1.7548 uJ."""
    left = ("weight_read", "state_read", "state_write", "spike")
    ledger = price(run(input_events), CHIP, bill="full", leave_out=left)
    assert sum(entry.count for entry in ledger.entries if entry.event == "synaptic_op") == events
    assert ledger.joules == pytest.approx(microjoules * 1e-6, rel=1e-9)


def test_its_neuron_updates_are_not_multiplied_by_the_batch() -> None:
    # the literal reading of its chip: spikes of a batch are summed, updates are those of one sample
    assert price(run(samples=3), CHIP).by_event()["neuron_update"] == pytest.approx(11_000 * 1e-10)
