"""A linear layer and its neurons as one kernel on bit planes, forward and backward."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from .choice import native
from .costs import cheapest
from .fire import Settings, address, decays
from .planes import Planes, empty_words
from .products import EVENTS, SUBSETS
from .refusal import once

BLOCK = 32  # columns of a block of currents


def layer(
    token: Tensor | None,
    planes: Planes,
    weight: Tensor,
    bias: Tensor | None,
    beta: Tensor | float,
    settings: Settings,
    counts: Tensor | None = None,
) -> tuple[Tensor, Planes]:
    """Spikes `[T, B, M]`, as bits and a token for their gradient, of spikes `[T, B, N]` through `weight` `[M, N]`.

    `token` is what the gradient of the incoming spikes goes to; None where nobody wants it. What the
    neurons did is added to `counts`, a `counts.room`.
    """
    beta = decays(beta, (weight.shape[0],), weight.device)
    out, words = _Layer.apply(token, weight, bias, beta, planes, settings, counts)
    return out, Planes(words, (*planes.shape[:2], weight.shape[0]))


class _Layer(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        token: Tensor | None,
        weight: Tensor,
        bias: Tensor | None,
        beta: Tensor,
        planes: Planes,
        settings: Settings,
        counts: Tensor | None,
    ) -> Any:
        core = native()
        assert core is not None
        steps, batch, inner = planes.shape
        columns = weight.shape[0]
        weight = weight.detach().contiguous()
        learns = any(ctx.needs_input_grad)
        currents = torch.empty(math.ceil(columns / BLOCK) * BLOCK * planes.rows) if learns else None
        words = empty_words(planes.rows, columns)
        method = _method(planes.rows, inner, columns, planes.spikes)
        core.layer(
            steps, batch, inner, columns, planes.words.data_ptr(), weight.data_ptr(), address(bias), beta.data_ptr(),
            settings.threshold, settings.reset, settings.reset_delay, method,
            torch.get_num_threads(), address(currents), words.data_ptr(), address(counts),
        )  # fmt: skip
        ctx.save_for_backward(weight, beta, currents)
        ctx.planes, ctx.settings = planes, settings
        ctx.mark_non_differentiable(words)
        # one number stands for all spikes: autograd asks for their shape, not for their values
        return weight.new_zeros(1).expand(steps, batch, columns), words

    @staticmethod
    def backward(ctx: Any, grad: Tensor, _words: Any) -> Any:
        weight, beta, currents = ctx.saved_tensors
        core, planes, settings = native(), ctx.planes, ctx.settings
        assert core is not None
        steps, batch, inner = planes.shape
        columns = weight.shape[0]
        wants = ctx.needs_input_grad
        with torch.no_grad():
            spikes_grad = grad.contiguous()
            to_currents = grad.new_empty(planes.rows, columns) if wants[0] else None
            to_weight = torch.empty_like(weight) if wants[1] else None
            to_bias = weight.new_empty(columns) if wants[2] else None
            to_beta = torch.empty_like(beta) if wants[3] else None
            turned = planes.turned() if wants[1] else None
            core.layer_back(
                steps, batch, inner, columns, beta.data_ptr(), settings.threshold, settings.reset,
                settings.reset_delay, _method(inner, planes.rows, columns, planes.spikes), torch.get_num_threads(),
                currents.data_ptr(), spikes_grad.data_ptr(), settings.surrogate, settings.slope, address(turned),
                address(to_currents), address(to_weight), address(to_bias), address(to_beta),
            )  # fmt: skip
            to_token = None if to_currents is None else (to_currents @ weight).view(planes.shape)
        grads = once((to_token, to_weight, to_bias, to_beta), (grad, weight, beta), "an event-driven layer")
        return (*grads, None, None, None)


def _method(rows: int, inner: int, columns: int, spikes: int) -> int:
    return EVENTS if cheapest(rows, inner, columns, spikes) == "events" else SUBSETS
