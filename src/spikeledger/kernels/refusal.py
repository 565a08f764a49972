"""Second derivatives: a fused kernel has none, and says so instead of giving a wrong one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ..errors import InputError


def once(grads: Sequence[Tensor | None], causes: Sequence[Tensor | None], of: str) -> tuple[Tensor | None, ...]:
    """Gradients that cannot be differentiated again; `causes` are the tensors that they were computed from."""
    if not torch.is_grad_enabled():
        return tuple(grads)
    return tuple(None if grad is None else _Once.apply(grad, of, *causes) for grad in grads)


class _Once(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, grad: Tensor, of: str, *causes: Tensor | None) -> Tensor:
        ctx.of = of
        return grad.view_as(grad)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        raise InputError(
            f"a second derivative of {ctx.of} was asked for, but its surrogate has only a first one: "
            "use sl.neurons.backend('reference'), or leave out create_graph=True"
        )
