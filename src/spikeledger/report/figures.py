"""Every picture by name: `plot_joules(comparison)`; each shows itself in a notebook and is saved as SVG, PNG or PDF."""

from .behaviour import plot_confusion, plot_raster, plot_rates, plot_running
from .drawing import Picture
from .energy import plot_break_even, plot_joules, plot_layers, plot_terms
from .opponents import plot_boards, plot_limits, plot_opponents
from .tornado import plot_tornado

__all__ = [
    "Picture", "plot_boards", "plot_break_even", "plot_confusion", "plot_joules", "plot_layers", "plot_limits",
    "plot_opponents", "plot_raster", "plot_rates", "plot_running", "plot_terms", "plot_tornado",
]  # fmt: skip
