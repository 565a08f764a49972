"""Tensors as they pass by: how to find them among arguments, and quick looks at them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import Parameter

#: number formats that numpy has too, and that networks compute with
_FORMATS = (torch.float32, torch.float64, torch.float16)


def tensors_in(args: Any, kwargs: dict[str, Any]) -> Iterator[Tensor]:
    """The tensors among an operator's arguments or results, one level of lists deep."""
    for value in (*args, *kwargs.values()) if kwargs else args:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, list | tuple):
            for part in value:
                if isinstance(part, Tensor):
                    yield part


def elements(out: Any) -> int:
    """Elements of an operator's (first) result."""
    first = out[0] if isinstance(out, tuple | list) else out
    return first.numel() if isinstance(first, Tensor) else 0


def nonzero_elements(values: Tensor) -> int:
    """How many elements are not zero."""
    if (array := _array(values)) is not None:
        return int(np.count_nonzero(np.not_equal(array, 0)))  # torch's own takes eight times as long
    return int(torch.count_nonzero(values))


def presence(values: Tensor) -> Tensor:
    """Which elements are not zero, in the values' own order in memory."""
    if (array := _array(values)) is not None:
        return torch.from_numpy(np.asarray(np.not_equal(array, 0)))  # torch's own takes 16 times as long
    return values.detach() != 0


def first_sample(values: Tensor, rows: int, begun: int) -> NDArray[np.bool_]:
    """Which elements of the first of `[B, *N]` are not zero, or of `[T, B, *N]` (two `rows`) from some step on."""
    array = _array(values)
    if array is None:
        array = (values.detach() != 0).cpu().numpy()
    found: NDArray[np.bool_] = np.not_equal(array[begun:, :1] if rows == 2 else array[:1], 0)
    return found


def _array(values: Tensor) -> Any:
    """An ordinary tensor as numpy sees it; None for any other."""
    plain = values.is_cpu and type(values) in (Tensor, Parameter) and values.layout is torch.strided
    if not plain or values.dtype not in _FORMATS or values.is_neg():
        return None
    return seen_by_numpy(values)


def seen_by_numpy(values: Tensor) -> NDArray[Any]:
    """A tensor as numpy sees it, not copied, to look at: unlike `values.numpy()`, its memory may be resized afterwards."""
    if values.dtype is torch.bool:
        return np.from_dlpack(values.view(torch.uint8)).view(np.bool_)
    return np.from_dlpack(values.detach() if values.requires_grad else values)
