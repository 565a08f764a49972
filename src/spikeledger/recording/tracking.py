"""What is known of a tensor, for as long as the tensor lives: a dictionary by identity that keeps nothing alive."""

from __future__ import annotations

import weakref
from typing import Generic, TypeVar

from torch import Tensor

Value = TypeVar("Value")


class TensorMap(Generic[Value]):
    """tensor -> value, by identity. torch's own weak dictionary does the same at ten times the cost of a look-up."""

    def __init__(self) -> None:
        self._rows: dict[int, tuple[weakref.ref[Tensor], Value]] = {}

    def get(self, tensor: object) -> Value | None:
        """What is known of a tensor; None where nothing is."""
        row = self._rows.get(id(tensor))
        return row[1] if row is not None and row[0]() is tensor else None

    def put(self, tensor: Tensor, value: Value) -> None:
        """Know this of a tensor from now on."""
        rows, key = self._rows, id(tensor)

        def forget(reference: weakref.ref[Tensor]) -> None:
            row = rows.get(key)
            if row is not None and row[0] is reference:
                del rows[key]

        rows[key] = (weakref.ref(tensor, forget), value)

    def drop(self, tensor: Tensor) -> None:
        """Know nothing more of a tensor."""
        self._rows.pop(id(tensor), None)

    def __contains__(self, tensor: object) -> bool:
        return self.get(tensor) is not None

    def __len__(self) -> int:
        return len(self._rows)
