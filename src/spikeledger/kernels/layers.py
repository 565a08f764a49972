"""Linear layers, each with its neurons, as kernels on bit planes, forward and backward: one node of autograd's graph."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from .choice import native
from .costs import METHODS, cheapest
from .fire import Settings, address, decays
from .planes import Planes, empty_words
from .products import dense
from .refusal import once

BLOCK = 32  # columns of a block of charges
SIZE = 8  # bytes of a count
#: a layer of at most so many neurons hands the gradient of its inputs on as a product still to be made: the layer below
#: makes it a tile at a time, in cache
NARROW = 64


class Layer(NamedTuple):
    """A linear layer `weight` `[M, N]`, `bias` `[M]`, and the neurons behind it with their decay `beta`."""

    weight: Tensor
    bias: Tensor | None
    beta: Tensor | float
    settings: Settings


def stack(
    token: Tensor | None,
    planes: Planes,
    layers: Sequence[Layer],
    *,
    floats: bool = False,
    counts: Tensor | None = None,
) -> tuple[Tensor, list[Planes]]:
    """Spikes of each of some layers one behind the other, as bits, from spikes `[T, B, N]`; and a token for the gradient
    of the last ones `[T, B, M]`, which with `floats` are ordinary spikes.

    `token` is what the gradient of the incoming spikes goes to; None where nobody wants it. What the neurons did is added
    to `counts`, the layers' `counts.rooms`.
    """
    tensors: list[Tensor | None] = []
    for weight, bias, beta, _ in layers:
        tensors += [weight, bias, decays(beta, (weight.shape[0],), weight.device)]
    sent: list[Planes] = []
    found: Tensor = _Stack.apply(planes, tuple(each.settings for each in layers), floats, counts, sent, token, *tensors)
    return found, sent


class _Stack(torch.autograd.Function):
    """What is kept for the way back: bits, and each neuron's charge at each step."""

    @staticmethod
    def forward(
        ctx: Any,
        planes: Planes,
        settings: Sequence[Settings],
        floats: bool,
        counts: Tensor | None,
        sent: list[Planes],
        token: Tensor | None,
        *tensors: Tensor | None,
    ) -> Any:
        core, threads = native(), torch.get_num_threads()
        assert core is not None
        learns = any(ctx.needs_input_grad)
        kept: list[Tensor | None] = []
        ctx.planes, ctx.settings = [], settings
        room = address(counts)
        for index, own in enumerate(settings):
            weight, bias, beta = tensors[3 * index : 3 * index + 3]
            assert weight is not None and beta is not None
            steps, batch, inner = planes.shape
            rows, columns = planes.rows, weight.shape[0]
            weight, bias = weight.detach().contiguous(), None if bias is None else bias.contiguous()
            charges = torch.empty(math.ceil(columns / BLOCK) * BLOCK * rows) if learns else None
            words = empty_words(rows, columns)
            spikes = core.layer(
                steps, batch, inner, columns, planes.words.data_ptr(), weight.data_ptr(), address(bias),
                beta.data_ptr(), own.threshold, own.reset, own.reset_delay,
                _method(rows, inner, columns, planes.spikes), threads, address(charges), words.data_ptr(),
                room,
            )  # fmt: skip
            if room:
                room += SIZE * (2 * columns + steps)
            kept += [weight, beta, charges]
            ctx.planes.append(planes)
            planes = Planes.of(words, (steps, batch, columns), spikes)
            sent.append(planes)
        ctx.save_for_backward(*kept)
        ctx.set_materialize_grads(False)
        # without floats one number stands for all spikes: autograd asks for their shape, not for their values
        return planes.dense() if floats else torch.zeros(1).expand(planes.shape)

    @staticmethod
    def backward(ctx: Any, grad: Tensor | None) -> Any:
        kept, wants = ctx.saved_tensors, ctx.needs_input_grad[5:]
        grads: list[Tensor | None] = [None] * len(wants)
        if grad is not None:
            with torch.no_grad():
                _go_back(ctx, kept, wants, grad.contiguous(), grads)
        return (None, None, None, None, None, *once(grads, (grad, *kept), "an event-driven layer"))


def _go_back(ctx: Any, kept: Sequence[Tensor], wants: Sequence[bool], grad: Tensor, grads: list[Tensor | None]) -> None:
    """Fills in the gradients of the token, and of each layer's weight, bias and decay."""
    core, threads = native(), torch.get_num_threads()
    assert core is not None
    spikes_grad: Tensor | None = grad
    above: Tensor | None = None  # the gradient of the currents of the layer above
    above_weight: Tensor | None = None
    for index in reversed(range(len(ctx.settings))):
        weight, beta, charges = kept[3 * index : 3 * index + 3]
        planes, own = ctx.planes[index], ctx.settings[index]
        steps, batch, inner = planes.shape
        columns = weight.shape[0]
        if above is not None and above_weight is not None:
            spikes_grad = None if above.shape[1] <= NARROW else dense(above, above_weight)
        wanted = wants[3 * index + 1 : 3 * index + 4]
        to_weight = torch.empty_like(weight) if wanted[0] else None
        to_bias = torch.empty(columns) if wanted[1] else None
        to_beta = torch.empty(columns) if wanted[2] else None
        below = any(wants[: 3 * index + 1])
        to_currents = torch.empty(planes.rows, columns) if below else None
        turned = planes.turned() if to_weight is not None else None
        core.layer_back(
            steps, batch, inner, columns, beta.data_ptr(), own.threshold, own.reset, own.reset_delay,
            _method(inner, planes.rows, columns, planes.spikes), threads, charges.data_ptr(), address(spikes_grad),
            address(above), address(above_weight), 0 if above is None else above.shape[1], own.surrogate, own.slope,
            address(turned), address(to_currents), address(to_weight), address(to_bias), address(to_beta),
        )  # fmt: skip
        grads[3 * index + 1 : 3 * index + 4] = [to_weight, to_bias, to_beta]
        if not below:
            return
        above, above_weight = to_currents, weight
    assert above is not None and above_weight is not None
    grads[0] = dense(above, above_weight).view(ctx.planes[0].shape)


def _method(rows: int, inner: int, columns: int, spikes: int) -> int:
    return METHODS[cheapest(rows, inner, columns, spikes)]
