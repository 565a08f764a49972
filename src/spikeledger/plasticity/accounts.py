"""What happened in Diehl & Cook's network, as an `Activity`: learning lies in layers' `weight_update`, apart from running."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ..activity import Activity, Counts, Layer, Tally

#: from the inputs to the excitatory neurons: the synapses that learn
PLASTIC = "input_to_excitatory"
#: weights that are scaled back to their sum after a presentation, which is part of learning too
SCALING = "scaling"


def account(
    shape: tuple[int, ...], counts: Mapping[str, NDArray[np.int64]], presentations: int, steps: int
) -> Activity:
    """An activity of `presentations` runs of `steps` steps, from the kernel's counts.

    A digit that is shown twice is two samples: `per_sample` is by presentation. An `active_update` is a step in which a
    spike arrived at the neuron.
    """
    inputs, neurons = shape
    updates = np.full(neurons, presentations * steps, np.int64)
    fired, inhibited = counts["fired"], counts["inhibitory_fired"]
    one = {"inputs": "spikes", "magnitude": 1.0}
    layers = (
        Layer("input", "encoder", (inputs,), inputs),
        Layer(PLASTIC, "linear", (inputs,), neurons, inputs * neurons, inputs * neurons, inputs * neurons,
              inputs * neurons, inputs * neurons, source="input", **one),  # type: ignore[arg-type]
        # a membrane, two conductances and what its spikes added to the threshold
        Layer("excitatory", "neuron", (neurons,), neurons, state=4 * neurons, source=PLASTIC, spiking=True),
        Layer("excitatory_to_inhibitory", "linear", (neurons,), neurons, neurons, 1, 1, 1, 1, source="excitatory",
              **one),  # type: ignore[arg-type]
        Layer("inhibitory", "neuron", (neurons,), neurons, state=2 * neurons, source="excitatory_to_inhibitory",
              spiking=True),
        Layer("inhibitory_to_excitatory", "linear", (neurons,), neurons, neurons * (neurons - 1), 1, 1, 1, 1,
              source="inhibitory", **one),  # type: ignore[arg-type]
        Layer(SCALING, "normalisation", (neurons,), neurons),
    )  # fmt: skip
    # spikes * synapses each = synaptic operations
    rows: dict[tuple[str, str], Counts | int] = {
        ("input", "spike"): counts["input_spikes"],
        (PLASTIC, "synaptic_op"): counts["input_spikes"] * neurons,
        (PLASTIC, "weight_update"): int(counts["updates"][0]),
        ("excitatory", "spike"): fired,
        ("excitatory", "neuron_update"): updates,
        ("excitatory", "active_update"): counts["active"],
        ("excitatory_to_inhibitory", "synaptic_op"): fired,
        ("inhibitory", "spike"): inhibited,
        ("inhibitory", "neuron_update"): updates,
        ("inhibitory", "active_update"): counts["inhibitory_active"],
        ("inhibitory_to_excitatory", "synaptic_op"): inhibited * (neurons - 1),
        (SCALING, "weight_update"): int(counts["updates"][1]),
    }
    tallies = {
        key: Tally(*key, row) if isinstance(row, int) else Tally(*key, int(row.sum()), row.copy())
        for key, row in rows.items()
    }
    return Activity(
        {layer.name: layer for layer in layers}, tallies, samples=presentations, timesteps=steps,
        producer="Diehl & Cook", fan_outs={
            PLASTIC: np.full(inputs, neurons, np.int64),
            "excitatory_to_inhibitory": np.ones(neurons, np.int64),
            "inhibitory_to_excitatory": np.full(neurons, neurons - 1, np.int64),
        },
    )  # fmt: skip
