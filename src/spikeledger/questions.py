"""More questions to activities, networks and published measurements than a comparison asks by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .study.equal_accuracy import equal_accuracy as equal_accuracy
    from .study.opponent import fair_opponents as fair_opponents
    from .study.validation import validate as validate

from .public_face import door

__getattr__, __dir__, __all__ = door(
    __name__,
    {
        "fair_opponents": ("study.opponent", "fair_opponents"),
        "equal_accuracy": ("study.equal_accuracy", "equal_accuracy"),
        "validate": ("study.validation", "validate"),
    },
)
