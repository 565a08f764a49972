"""Products of spikes and weights on bit planes: the cost follows the density, the result equals the dense one's sums.

`currents = spikes @ weight.T + bias` forward, `spikes.T @ gradient` for the weight: both are sums of the rows of a
dense matrix that bits select. Only their order of addition differs from the dense product's.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ..errors import InputError
from . import native as core
from .costs import METHODS, TILES, cheapest
from .planes import Planes
from .refusal import once

#: multiplications below which torch's product is as fast
_FEW = 1_000_000


def linear(token: Tensor | None, planes: Planes, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Currents `[T, B, M]` of spikes `[T, B, N]` through a `weight` `[M, N]`; `token` takes the spikes' gradient."""
    out: Tensor = _Linear.apply(token, weight, bias, planes)
    return out


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, token: Tensor | None, weight: Tensor, bias: Tensor | None, planes: Planes) -> Tensor:
        ctx.save_for_backward(weight)
        ctx.planes = planes
        out = torch.empty(*planes.shape[:2], weight.shape[0])
        rows, inner, (columns, into) = planes.rows, planes.columns, weight.shape
        if into != inner:
            raise unfitting(weight, inner)
        multiply(
            rows, inner, columns, planes.words, weight.detach().contiguous(), bias, out,
            spikes=planes.spikes, dense_transposed=True,
        )  # fmt: skip
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        (weight,) = ctx.saved_tensors
        planes: Planes = ctx.planes
        to_token = to_weight = to_bias = None
        with torch.no_grad():
            flat = grad.reshape(planes.rows, -1).contiguous()
            if ctx.needs_input_grad[0]:
                to_token = dense(flat, weight).view(planes.shape)
            if ctx.needs_input_grad[1]:
                to_weight = torch.empty_like(weight, memory_format=torch.contiguous_format)
                multiply(
                    planes.columns, planes.rows, flat.shape[1], planes.turned(), flat, None, to_weight,
                    spikes=planes.spikes, out_transposed=True,
                )  # fmt: skip
            if ctx.needs_input_grad[2]:
                to_bias = flat.sum(0)
        return (*once((to_token, to_weight, to_bias), (grad, weight), "an event-driven layer"), None)


def multiply(
    rows: int,
    inner: int,
    columns: int,
    words: Tensor,
    dense: Tensor,
    bias: Tensor | None,
    out: Tensor,
    *,
    spikes: int,
    dense_transposed: bool = False,
    out_transposed: bool = False,
    method: int | None = None,
) -> None:
    """`out = bits @ dense + bias`: bits `[rows, inner]`, dense `[inner, columns]`; the transposed ones lie turned."""
    bias = None if bias is None else bias.contiguous()
    if method is None:
        method = METHODS[cheapest(rows, inner, columns, spikes)]
    core.multiply(
        rows, inner, columns, words, dense, bias, out, method=method, dense_transposed=dense_transposed,
        out_transposed=out_transposed,
    )  # fmt: skip


def unfitting(weight: Tensor, inputs: int) -> InputError:
    """The sentence for a weight whose rows are not as long as what arrives is wide."""
    return InputError(
        f"a weight of shape {list(weight.shape)} was given {inputs:,} inputs: give it one column an input, as the "
        "layer's in_features says"
    )


def dense(left: Tensor, right: Tensor, *, out: Tensor | None = None) -> Tensor:
    """`left @ right` of floats `[rows, inner]` and `[inner, columns]`, in `out` if it is given: by tiles where the processor
    has units for them."""
    rows, inner, columns = len(left), *right.shape
    if core.instruction_set() != TILES or rows * inner * columns < _FEW:
        return torch.mm(left, right, out=out)
    left, right, out = left.contiguous(), right.contiguous(), torch.empty(rows, columns) if out is None else out
    core.multiply_floats(left, right, out)
    return out
