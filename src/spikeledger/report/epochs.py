"""A picture of a training run: its accuracy against its energy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..study.exercise import Epoch
from .placements import figure_in_notebooks

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_epochs(history: Sequence[Epoch], score: float) -> Figure:
    """Accuracy and energy of each epoch, with the trade-off score in the title."""
    figure = figure_in_notebooks(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot()
    numbers = [epoch.number for epoch in history]
    axes.plot(numbers, [epoch.accuracy for epoch in history], marker="o", color="tab:blue", label="accuracy")
    axes.set_xlabel("epoch")
    axes.set_ylabel("accuracy on the test set", color="tab:blue")
    axes.set_ylim(0, 1)
    axes.set_xticks(numbers)
    other = axes.twinx()
    other.plot(numbers, [epoch.energy_batch_nJ for epoch in history], marker="s", color="tab:orange", label="energy")
    other.set_ylabel("estimated energy of a batch, as published (nJ)", color="tab:orange")
    other.set_ylim(bottom=0)
    axes.set_title(f"Accuracy and energy, trade-off score {score:.2f}")
    return figure
