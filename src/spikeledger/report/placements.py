"""A picture of a placed network on its mesh."""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..chip.placement import Placement

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


_MOST_NUMBERS = 128  # cores whose neurons are written into them
_MOST_NAMES = 18  # layers in the legend
_MARGIN = 1  # free routers that are drawn beside the used ones


def figure_in_notebooks(**options: Any) -> Figure:
    """A figure that shows itself in a notebook; those of pyplot do, and it is not asked for here."""
    from matplotlib.figure import Figure

    class Shown(Figure):
        def _repr_png_(self) -> bytes:
            picture = io.BytesIO()
            self.savefig(picture, format="png", dpi=110)
            return picture.getvalue()

    return Shown(**options)


def draw_placement(placement: Placement) -> Figure:
    """The mesh: which layer lies on each core and how full it is, and the packets that every link carries."""
    from matplotlib.ticker import MaxNLocator

    mesh = placement.chip.mesh
    columns, rows = mesh.columns * placement.chips, mesh.rows
    wide = min(columns, int(placement.positions[:, 0].max()) + 1 + _MARGIN)
    high = min(rows, int(placement.positions[:, 1].max()) + 1 + _MARGIN)
    stacked = wide > 2 * high
    cell = min(1.0, (11.0 if stacked else 5.5) / wide)
    figure = figure_in_notebooks(
        figsize=(12, 1.2 + 2 * (1.0 + cell * high)) if stacked else (12, max(4.5, 2.5 + cell * high)),
        layout="constrained",
    )
    left, right = figure.subplots(2, 1) if stacked else figure.subplots(1, 2)
    _draw_layers(figure, left, placement)
    _draw_links(figure, right, placement)
    for axes in (left, right):
        axes.set_aspect("equal")
        axes.set_xlim(-0.5, wide - 0.5)
        axes.set_ylim(-0.5, high - 0.5)
        axes.set_xlabel(f"column of routers (of {columns})")
        axes.set_ylabel(f"row (of {rows})")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        for chip in range(1, placement.chips):
            axes.axvline(chip * mesh.columns - 0.5, color="black", lw=1, ls="--")
    chips = f"{placement.chips:,} chips" if placement.chips > 1 else "one chip"
    cores = f"{placement.core_count:,} cores" if placement.core_count > 1 else "one core"
    figure.suptitle(
        f"{placement.network.name} on {placement.chip.title}: {cores} of {chips}, "
        f"packets × hops {placement.cost:,.0f} ({placement.method})"
    )
    return figure


def _draw_layers(figure: Figure, axes: Axes, placement: Placement) -> None:
    """One square a core, in the colour of the layer that most of its neurons are of; the fuller, the stronger."""
    from matplotlib import colormaps
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Patch, Rectangle

    names = [name for name, each in placement.network.populations.items() if each.spiking]
    held = np.zeros((placement.core_count, len(names)))
    for k, name in enumerate(names):
        np.add.at(held[:, k], placement.cores[name], np.diff(placement.borders[name]))
    palette = colormaps["tab10" if len(names) <= 10 else "tab20"].colors  # type: ignore[attr-defined]
    neurons, first = held.sum(1), held.argmax(1)
    side = math.ceil(math.sqrt(placement.chip.mesh.cores_per_router))
    seen: dict[tuple[int, int], int] = {}
    squares, colours = [], []
    for core, (x, y) in enumerate(placement.positions.tolist()):
        number = seen[x, y] = seen.get((x, y), -1) + 1
        size = 0.9 / side
        corner = x - 0.45 + number % side * size, y - 0.45 + number // side * size
        squares.append(Rectangle(corner, size * 0.94, size * 0.94))
        colours.append((*palette[first[core] % len(palette)], 0.4 + 0.6 * neurons[core] / neurons.max()))
        if placement.core_count <= _MOST_NUMBERS:
            axes.text(
                corner[0] + size * 0.47, corner[1] + size * 0.47, f"{neurons[core]:,.0f}",
                ha="center", va="center", fontsize=max(4.0, 8.0 - side),
            )  # fmt: skip
    axes.add_collection(PatchCollection(squares, facecolors=colours, edgecolors="none"))
    used = [k for k in range(len(names)) if np.any(first == k)]
    patches = [Patch(color=palette[k % len(palette)], label=names[k]) for k in used[:_MOST_NAMES]]
    figure.legend(handles=patches, loc="outside lower center", ncols=min(6, len(patches)), fontsize=8, frameon=False)
    axes.set_title("neurons of each core, by layer")


def _draw_links(figure: Figure, axes: Axes, placement: Placement) -> None:
    """A line a link, the thicker and darker the more packets cross it; in grey, routers that hold cores."""
    from matplotlib.collections import LineCollection

    across, down = link_loads(placement)
    lines = [((x, y), (x + 1, y)) for y, x in np.argwhere(across)] + [
        ((x, y), (x, y + 1)) for y, x in np.argwhere(down)
    ]
    loads = np.concatenate([across[across > 0], down[down > 0]])
    axes.set_title("packets over each link")
    if not len(loads):
        axes.text(0.5, 0.5, "none: all cores are at one router", transform=axes.transAxes, ha="center")
        return
    x, y = placement.positions.T
    axes.scatter(x, y, s=14, c="0.75", marker="s", zorder=1)
    links = LineCollection(lines, cmap="viridis_r", linewidths=0.8 + 4.2 * loads / loads.max(), zorder=2)
    links.set_array(loads)
    links.set_clim(0, loads.max())
    axes.add_collection(links)
    figure.colorbar(links, ax=axes, aspect=12)


def link_loads(placement: Placement) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Packets over the links to the right `[rows, columns - 1]` and upwards `[rows - 1, columns]`, both ways added.

    A packet goes along its row first, then along its column, as `place` counts hops; input comes from (0, 0).
    """
    mesh = placement.chip.mesh
    columns, rows = mesh.columns * placement.chips, mesh.rows
    x, y = np.concatenate([placement.positions, np.zeros((1, 2), np.int64)]).T
    source, target = np.nonzero(placement.traffic)
    packets = placement.traffic[source, target]
    across, down = np.zeros((rows, columns + 1)), np.zeros((rows + 1, columns))
    low, high = np.minimum(x[source], x[target]), np.maximum(x[source], x[target])
    np.add.at(across, (y[source], low), packets)
    np.subtract.at(across, (y[source], high), packets)
    low, high = np.minimum(y[source], y[target]), np.maximum(y[source], y[target])
    np.add.at(down, (low, x[target]), packets)
    np.subtract.at(down, (high, x[target]), packets)
    return np.rint(across.cumsum(1)[:, : columns - 1]), np.rint(down.cumsum(0)[: rows - 1])
