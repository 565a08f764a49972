"""What training is made of, for a loop of your own: pruning, an optimiser, and where epochs are written."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .training import loggers as loggers
    from .training.adam import Adam as Adam
    from .training.pruning import Pruning as Pruning
    from .training.pruning import prune as prune

from .public_face import door

__getattr__, __dir__, __all__ = door(
    __name__,
    {
        "prune": ("training.pruning", "prune"),
        "Pruning": ("training.pruning", "Pruning"),
        "Adam": ("training.adam", "Adam"),
        "loggers": ("training.loggers", ""),
    },
)
