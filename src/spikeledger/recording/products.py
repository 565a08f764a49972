"""What multiplies: each operator as values, weights and a function that is linear in the values, or as two activations.

From a `Product` the counter needs nothing else: fan-out is that function's transpose applied to ones. A `Coincidence`
has no stored weights: attention's `Q K^T` multiplies two activations, and each pair of non-zero values is one event.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..activity import Counts
from ..kernels.counts import look
from .census import presence
from .fan_out import Grid
from .fan_out import row_sums as of_rows

aten = torch.ops.aten
Linear = Callable[[Tensor, Tensor], Tensor]
IsWeight = Callable[[Tensor], bool]


class Product(NamedTuple):
    """A weighted operator as it ran: `linear(values, weight)`, with `rows` leading axes over samples and steps."""

    operator: str
    arrived: Tensor  # the operand as the operator got it; `values` is another tensor where its axes had to be moved
    values: Tensor
    weight: Tensor  # as the operator got it, for its name
    matrix: Tensor  # as `linear` takes it
    linear: Linear
    rows: int
    outputs: int  # elements of the whole output
    dense: int  # multiply-accumulates of a machine that skips nothing, padding included
    bias: Tensor | None = None
    geometry: Any = ()  # what distinguishes `linear` from that of another call with the same shapes
    fan_out: Callable[[Tensor], Counts] | None = None  # a short cut: fan-out of each place from `matrix`


@dataclass(frozen=True)
class Coincidence:
    """A product of two activations, `[*batch, n, k] x [*batch, k, m]`: both factors change with the input."""

    operator: str
    left: Tensor
    right: Tensor

    @property
    def outputs(self) -> int:
        """Elements of the whole output."""
        return self.left.shape[:-1].numel() * self.right.shape[-1]

    @property
    def dense(self) -> int:
        """Multiply-accumulates of a machine that skips nothing."""
        return self.outputs * self.left.shape[-1]


def _matmul(
    name: str, left: Tensor, right: Tensor, is_weight: IsWeight, bias: Tensor | None = None
) -> Product | Coincidence:
    # [*batch, n, k] x [*batch, k, m], batch is empty or one axis
    outputs = left.shape[:-1].numel() * right.shape[-1]
    dense = outputs * left.shape[-1]
    if is_weight(right):
        values, weight, arrived, given = left, right, left, right
    elif is_weight(left):
        values, weight, arrived, given = right.mT, left.mT, right, left
    else:
        return Coincidence(name, left, right)
    if weight.dim() == 2 or weight.shape[0] == 1 or weight.stride(0) == 0:  # one matrix for every row
        matrix = weight if weight.dim() == 2 else weight[0]
        return Product(
            "linear", arrived, values, given, matrix, torch.matmul, values.dim() - 1, outputs, dense, bias,
            fan_out=row_sums,
        )  # fmt: skip

    def each(x: Tensor, w: Tensor) -> Tensor:  # [rows, groups, k] x [groups, k, m]
        return torch.einsum("rgk,gkm->rgm", x, w)

    return Product(
        name, arrived, values.transpose(0, 1), given, weight, each, 1, outputs, dense, bias, fan_out=row_sums
    )


def row_sums(matrix: Tensor) -> Counts:
    """How many entries of each row of a matrix are not zero, int64."""
    seen = look(matrix.mT, 1) if matrix.dim() == 2 else None
    return seen.places if seen is not None else of_rows(presence(matrix).cpu().numpy())


def _mm(is_weight: IsWeight, left: Tensor, right: Tensor, **_: Any) -> Product | Coincidence:
    return _matmul("matmul", left, right, is_weight)


def _addmm(
    is_weight: IsWeight, bias: Tensor, left: Tensor, right: Tensor, *, beta: float = 1, alpha: float = 1, **_: Any
) -> Product | Coincidence:
    return _matmul("matmul", left, right, is_weight, bias if beta != 0 else None)


def _mv(is_weight: IsWeight, matrix: Tensor, vector: Tensor) -> Product | Coincidence:
    if is_weight(matrix) and not is_weight(vector):  # one row of values
        size = matrix.numel()
        return Product(
            "linear", vector, vector[None], matrix, matrix.mT, torch.matmul, 1, matrix.shape[0], size, fan_out=row_sums
        )
    if is_weight(vector):
        size = matrix.numel()
        column = vector[:, None]
        return Product(
            "linear", matrix, matrix, vector, column, torch.matmul, 1, matrix.shape[0], size, fan_out=row_sums
        )
    return Coincidence("matmul", matrix, vector[:, None])


def _addmv(is_weight: IsWeight, bias: Tensor, matrix: Tensor, vector: Tensor, **_: Any) -> Product | Coincidence:
    return _mv(is_weight, matrix, vector)


def _dot(is_weight: IsWeight, left: Tensor, right: Tensor) -> Product | Coincidence:
    if is_weight(left):
        left, right = right, left
    return _mv(is_weight, left[None], right) if is_weight(right) else Coincidence("dot", left[None], right[:, None])


def convolution(
    is_weight: IsWeight,
    values: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    output_padding: Sequence[int],
    groups: int,
    *_: Any,
) -> Product:
    """A convolution's product, of the arguments that torch's operator takes."""

    def linear(x: Tensor, w: Tensor) -> Tensor:
        out: Tensor = aten.convolution(x, w, None, stride, padding, dilation, transposed, output_padding, groups)
        return out

    taps = weight.shape[2:]
    grid = Grid.of(
        values.shape[2:],
        taps,
        tuple(stride),
        tuple(padding),
        tuple(dilation),
        transposed,
        tuple(output_padding),
        groups,
    )
    each = weight.numel() // max(weight.shape[0], 1)  # of one output channel, or of one input channel where transposed
    channels = weight.shape[1] * groups if transposed else weight.shape[0]
    outputs = values.shape[0] * channels * math.prod(grid.outside)
    name = f"conv{'_transpose' if transposed else ''}{weight.dim() - 2}d"
    return Product(
        name, values, values, weight, weight, linear, 1, outputs, (values.numel() if transposed else outputs) * each, bias,
        grid, fan_out=lambda matrix: grid.fan_out(presence(matrix).cpu().numpy()),
    )  # fmt: skip


def scaling(values: Tensor, weight: Tensor, rows: int = 1) -> Product:
    """An element-wise product of `[*rows, *N]` with a weight: one synapse a place (a one-to-one connection)."""
    matrix = weight.expand(values.shape[rows:])
    return Product(
        "one_to_one", values, values, weight, matrix, torch.mul, rows, values.numel(), values.numel(),
        fan_out=lambda matrix: presence(matrix).cpu().numpy().astype(np.int64),
    )  # fmt: skip


def outer(values: Tensor, weight: Tensor, out: Tensor) -> Product | None:
    """An element-wise product in which each value meets several weights, as in a matrix product over one place; None where
    each meets one, or the weights differ from sample to sample."""
    if out.numel() <= values.numel() or weight.dim() > values.dim():
        return None
    shape = (1,) * (values.dim() - weight.dim()) + tuple(weight.shape)
    rows = next((axis for axis, size in enumerate(shape) if size != 1), len(shape))
    if not rows:
        return None
    return Product(
        "outer", values, values, weight, weight.reshape(shape[rows:]), torch.mul, rows, out.numel(), out.numel(),
    )  # fmt: skip


#: aten operator -> the product that it is
PRODUCTS: dict[str, Callable[..., Product | Coincidence]] = {
    "mm": _mm,
    "_int_mm": _mm,
    "bmm": _mm,
    "addmm": _addmm,
    "baddbmm": _addmm,
    "addbmm": _addmm,
    "mv": _mv,
    "addmv": _addmv,
    "dot": _dot,
    "vdot": _dot,
    "convolution": convolution,
    "_convolution": convolution,
}
