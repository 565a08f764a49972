"""What was seen of the tensors that arrive: each is looked at once, and not at all where its neurons counted it."""

from __future__ import annotations

from torch import Tensor

from .census import Census, census
from .origins import Origin
from .tracking import TensorMap


class Looks:
    """The census of each tensor that lives, as long as it stays as it is."""

    def __init__(self) -> None:
        self._known: TensorMap[tuple[int, int, Census]] = TensorMap()

    def seen(self, arrived: Tensor, values: Tensor, rows: int, origin: Origin | None) -> Census:
        """The census of a tensor: known from the neurons that sent it, remembered from another look, or looked up."""
        found = origin.counted(values.shape, rows) if origin is not None and arrived is values else None
        if found is not None:
            return found
        unit = origin.unit if origin is not None else None
        return census(values, rows, unit=unit) if arrived is not values else self.look(values, rows, unit)

    def look(self, values: Tensor, rows: int, unit: float | None = None) -> Census:
        """The census of a tensor, remembered while it stays as it is."""
        if values.is_inference():
            return census(values, rows, unit=unit)
        known = self._known.get(values)
        if known is not None and known[0] == values._version and known[1] == rows:
            return known[2]
        found = census(values, rows, unit=unit)
        self._known.put(values, (values._version, rows, found))
        return found

    def forget(self, values: Tensor) -> None:
        """Its values are other ones now."""
        self._known.drop(values)
