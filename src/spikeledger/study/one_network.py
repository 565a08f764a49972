"""One network of a comparison: what it answered, and what happened while it did."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..activity import Activity
from .accuracy import confusion, decision_step, wilson

Kind = Literal["ann", "snn"]
Integers = NDArray[np.int64]

#: name in reports -> event, each per sample
OPERATIONS = {
    "dense_macs": "dense_op",
    "effective_macs": "mac",
    "accumulates": "synaptic_op",
    "spikes": "spike",
    "neuron_updates": "neuron_update",
}


@dataclass(frozen=True, eq=False)
class Side:
    """One network: its answers on the same samples as the other one, and its activity."""

    kind: Kind
    name: str
    activity: Activity
    predictions: Integers  # [samples]
    labels: Integers  # [samples]
    classes: int
    parameters: int
    timesteps: int  # 1 for an ANN
    predictions_by_step: Integers | None = None  # [T, samples]; None for an ANN
    parts: tuple[Activity, ...] = ()  # the activity of consecutive parts of the samples, which add up to it

    @property
    def samples(self) -> int:
        """How many samples it answered."""
        return int(self.labels.size)

    @property
    def right(self) -> NDArray[np.bool_]:
        """Which answers are right, `[samples]`."""
        return self.predictions == self.labels

    @property
    def correct(self) -> int:
        """How many answers are right."""
        return int(self.right.sum())

    @property
    def accuracy(self) -> float:
        """Share of right answers, 0 to 1."""
        return self.correct / self.samples

    @property
    def accuracy_interval(self) -> tuple[float, float]:
        """95 % Wilson interval of the accuracy."""
        return wilson(self.correct, self.samples)

    @property
    def confusion(self) -> Integers:
        """`[truth, answer]`, int64."""
        return confusion(self.labels, self.predictions, self.classes)

    @property
    def accuracy_by_step(self) -> tuple[float, ...]:
        """Accuracy when the network is read after 1, 2, ... T steps; empty for an ANN."""
        if self.predictions_by_step is None:
            return ()
        return tuple(float(share) for share in (self.predictions_by_step == self.labels).mean(1))

    @property
    def mean_decision_step(self) -> float | None:
        """Mean step (from 1) from which on the answer stayed the same; None for an ANN."""
        return None if self.predictions_by_step is None else decision_step(self.predictions_by_step)

    @property
    def operations(self) -> dict[str, float]:
        """Dense MACs, effective MACs, accumulates, spikes and neuron updates, each per sample."""
        return {name: self.activity.per_sample(event) for name, event in OPERATIONS.items()}

    @property
    def rates(self) -> dict[str, float]:
        """Spikes per neuron and step of each spiking layer."""
        return {name: self.activity.rate(name) for name, layer in self.activity.layers_by_name.items() if layer.spiking}

    def to_dict(self) -> dict[str, Any]:
        """Plain values for the JSON file."""
        low, high = self.accuracy_interval
        return {
            "kind": self.kind, "name": self.name, "samples": self.samples, "correct": self.correct,
            "accuracy": self.accuracy, "accuracy_low": low, "accuracy_high": high,
            "parameters": self.parameters, "timesteps": self.timesteps, "operations": self.operations,
            "rates": self.rates, "accuracy_by_step": list(self.accuracy_by_step),
            "mean_decision_step": self.mean_decision_step, "predictions": self.predictions.tolist(),
            "confusion": self.confusion.tolist(),
            "spikes_per_step": {name: row.tolist() for name, row in self.activity.spikes_per_step.items()},
        }  # fmt: skip
