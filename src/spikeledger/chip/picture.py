"""Pictures: a placed network on its mesh, and a training run's accuracy against its energy."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from .exercise import Epoch
    from .placement import Placement

_MOST_LINES = 60


def _figure(**options: Any) -> Figure:
    """A figure that shows itself in a notebook; those of pyplot do, and it is not asked for here."""
    from matplotlib.figure import Figure

    class Shown(Figure):
        def _repr_png_(self) -> bytes:
            picture = io.BytesIO()
            self.savefig(picture, format="png", dpi=110)
            return picture.getvalue()

    return Shown(**options)


def draw_placement(placement: Placement) -> Figure:
    """The mesh: neurons of each core and packets that arrive there, and the busiest ways between cores."""
    mesh = placement.chip.mesh
    columns, rows = mesh.columns * placement.chips, mesh.rows
    held, arriving = np.full((rows, columns), np.nan), np.full((rows, columns), np.nan)
    x, y = placement.positions.T
    held[y, x] = placement.neurons_by_core()
    arriving[y, x] = placement.traffic.sum(0)
    figure = _figure(figsize=(11, 1.8 + 4.5 * rows / max(columns, rows)), layout="constrained")
    for axes, values, title in (
        (figure.add_subplot(1, 2, 1), held, "neurons"),
        (figure.add_subplot(1, 2, 2), arriving, "packets that arrive"),
    ):
        shown = axes.imshow(values, origin="lower", cmap="viridis", vmin=0)
        figure.colorbar(shown, ax=axes, shrink=0.8)
        axes.set_title(title)
        axes.set_xlabel("column")
        axes.set_ylabel("row")
        for k in range(1, placement.chips):
            axes.axvline(k * mesh.columns - 0.5, color="tab:red", lw=1)
    ways = placement.traffic[:-1]
    busiest = np.argsort(-ways, axis=None)[:_MOST_LINES]
    for source, target in zip(*np.unravel_index(busiest, ways.shape), strict=True):
        if ways[source, target] > 0:
            share = ways[source, target] / ways.max()
            figure.axes[0].plot(
                [x[source], x[target]], [y[source], y[target]], color="white", lw=0.3 + 2 * share, alpha=0.6
            )
    figure.suptitle(
        f"{placement.network.name} on {placement.chip.name}: {placement.core_count:,} cores, packets × hops "
        f"{placement.cost:,.0f} ({placement.method})"
    )
    return figure


def draw_epochs(history: Sequence[Epoch], score: float) -> Figure:
    """Accuracy and energy of each epoch, with the trade-off score in the title."""
    figure = _figure(figsize=(7, 4), layout="constrained")
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
