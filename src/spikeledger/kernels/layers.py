"""Linear layers, each with its neurons, as kernels on bit planes, forward and backward: one node of autograd's graph."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from . import native as core
from .codes import dropout
from .costs import METHODS, cheapest
from .fire import decays
from .native import Settings
from .planes import Planes, empty_words
from .products import dense, unfitting
from .refusal import once
from .surrogates import COMPACT_NUMBERS

BLOCK = 32  # columns of a block of charges
#: a layer of at most so many neurons hands the gradient of its inputs on as a product still to be made: the layer below
#: makes it a tile at a time, in cache
NARROW = 64


#: what the last layer hands on: a token for its bits; spikes `[T, B, M]` as floats; or how often each neuron fired a step,
#: `[B, M]`, so that nobody has to make floats of spikes for their mean
Sends = Literal["bits", "spikes", "rates"]


class Layer(NamedTuple):
    """A linear layer `weight` `[M, N]`, `bias` `[M]`, and the neurons behind it with their decay `beta`; `dropped` is the share
    of the spikes of the layer before that dropout takes away, where there is one before: each that stays is worth
    `1 / (1 - dropped)`. A spike that arrives at the first is `worth` so much."""

    weight: Tensor
    bias: Tensor | None
    beta: Tensor | float
    settings: Settings
    dropped: float = 0.0
    worth: float = 1.0


def stack(
    token: Tensor | None,
    planes: Planes,
    layers: Sequence[Layer],
    *,
    sends: Sends = "bits",
    counts: Tensor | None = None,
) -> tuple[Tensor, list[Planes]]:
    """Spikes of each of some layers one behind the other, as bits, from spikes `[T, B, N]`; and what the last one `sends`,
    which takes their gradient.

    `token` is what the gradient of the incoming spikes goes to; None where nobody wants it. What the neurons did is added
    to `counts`, the layers' `counts.rooms`.
    """
    tensors: list[Tensor | None] = [token]
    for each in layers:
        tensors += [each.weight, each.bias, decays(each.beta, (each.weight.shape[0],), each.weight.device)]
    run = _Run(
        planes, [each.settings for each in layers], [each.dropped for each in layers], sends, counts, [], [], [], [],
        layers[0].worth,
    )  # fmt: skip
    if torch.is_grad_enabled() and any(each is not None and each.requires_grad for each in tensors):
        found: Tensor = _Stack.apply(run, *tensors)
        return found, run.sent
    _forth(run, tensors, None, ())
    return _found(run), run.sent


class _Run(NamedTuple):
    planes: Planes
    settings: Sequence[Settings]
    dropped: Sequence[float]
    sends: Sends
    counts: Tensor | None
    sent: list[Planes]
    #: what each layer took of what the one before sent, and the words of what dropout in front of it would have left
    taken: list[Planes]
    stays: list[Tensor | None]
    #: of each layer on the way back what the core keeps of neurons near their threshold, or None: then it keeps charges
    near: list[Any]
    #: of a spike that arrives
    worth: float


def _forth(
    run: _Run, tensors: Sequence[Tensor | None], kept: list[Tensor | None] | None, wants: Sequence[bool]
) -> None:
    """Fills in what each layer sent; and what it keeps for the way back, where there is one: weight, decay and charges.

    In place of charges, neurons with a compact surrogate keep which of them were near the threshold, and the surrogate
    there; the gradient of a decay needs charges.
    """
    planes, done = run.planes, 0  # and how many of the counts are those of the layers before
    for index, own in enumerate(run.settings):
        weight, bias, beta = tensors[3 * index + 1 : 3 * index + 4]
        assert weight is not None and beta is not None
        steps, batch, inner = planes.shape
        rows, (columns, into) = steps * batch, weight.shape
        if into != inner:
            raise unfitting(weight, inner)
        weight, bias = weight.detach().contiguous(), None if bias is None else bias.contiguous()
        planes, weight = _drop(run, index, planes, weight)
        charges = near = None
        if kept is not None and own.surrogate in COMPACT_NUMBERS and not wants[3 * index + 3]:
            near = core.near_threshold(own)
        elif kept is not None:
            charges = torch.empty(math.ceil(columns / BLOCK) * BLOCK * rows)
        words = empty_words(rows, columns)
        room = None if run.counts is None else run.counts[done:]
        spikes = core.layer(
            (steps, batch, inner, columns), planes.words, weight, bias, beta, own,
            _method(rows, inner, columns, planes.spikes), charges=charges, near=near, out=words, counts=room,
            levels=planes.levels, worth=1.0 if index else run.worth,
        )  # fmt: skip
        done += 2 * columns + steps
        if kept is not None:
            kept += [weight, beta, charges]
            run.near.append(near)
        planes = Planes.of(words, (steps, batch, columns), spikes)
        run.sent.append(planes)


def _drop(run: _Run, index: int, planes: Planes, weight: Tensor) -> tuple[Planes, Tensor]:
    """What dropout in front of a layer leaves, and the layer's weight for what each of that is worth."""
    share, stays = run.dropped[index], None
    if share:
        left = dropout(planes.shape, share)
        assert left is not None  # whoever puts dropout into a stack asks `draws_as_torch`
        stays = left.words
        planes, weight = Planes(planes.words & stays, planes.shape), weight * (1 / (1 - share))
    run.taken.append(planes)
    run.stays.append(stays)
    return planes, weight


def _found(run: _Run) -> Tensor:
    planes = run.sent[-1]
    if run.sends == "bits":  # one number stands for all spikes: autograd asks for their shape, not for their values
        return torch.zeros(1).expand(planes.shape)
    return planes.dense() if run.sends == "spikes" else planes.rates()


class _Stack(torch.autograd.Function):
    """What is kept for the way back: bits, and each neuron's charge at each step."""

    @staticmethod
    def forward(ctx: Any, run: _Run, *tensors: Tensor | None) -> Any:
        kept: list[Tensor | None] = []
        _forth(run, tensors, kept, ctx.needs_input_grad[1:])
        ctx.run = run
        ctx.save_for_backward(*kept)
        ctx.set_materialize_grads(False)
        return _found(run)

    @staticmethod
    def backward(ctx: Any, grad: Tensor | None) -> Any:
        kept, wants = ctx.saved_tensors, ctx.needs_input_grad[1:]
        grads: list[Tensor | None] = [None] * len(wants)
        if grad is not None:
            _go_back(ctx.run, kept, wants, grad.detach().contiguous(), grads)
        return (None, *once(grads, (grad, *kept), "an event-driven layer"))


def _go_back(run: _Run, kept: Sequence[Any], wants: Sequence[bool], grad: Tensor, grads: list[Tensor | None]) -> None:
    """Fills in the gradients of the token, and of each layer's weight, bias and decay."""
    spikes_grad: Tensor | None = grad
    rates = run.sends == "rates"  # whether it is the rates'
    above: Tensor | None = None  # the gradient of the currents of the layer above
    above_weight: Tensor | None = None
    for index in reversed(range(len(run.settings))):
        weight, beta, charges = kept[3 * index : 3 * index + 3]
        planes, own = run.taken[index], run.settings[index]
        steps, batch, inner = planes.shape
        columns = weight.shape[0]
        if above is not None and above_weight is not None:
            whole = above.shape[1] > NARROW and run.near[index] is None
            spikes_grad, rates = (
                dense(above, above_weight, out=_scratch(planes.rows, columns)) if whole else None,
                False,
            )
        wanted = wants[3 * index + 1 : 3 * index + 4]
        to_weight = torch.empty_like(weight) if wanted[0] else None
        to_bias = torch.empty(columns) if wanted[1] else None
        to_beta = torch.empty(columns) if wanted[2] else None
        below = any(wants[: 3 * index + 1])
        to_currents = torch.empty(planes.rows, columns) if below else None
        core.layer_back(
            (steps, batch, inner, columns), beta, own, _method(inner, planes.rows, columns, planes.spikes),
            charges=charges, near=run.near[index], fired=run.sent[index].words, spikes_grad=spikes_grad,
            rates=rates, above=above, above_weight=above_weight,
            words=planes.words, turned=planes.turned_words, currents_grad=to_currents, weight_grad=to_weight,
            bias_grad=to_bias, beta_grad=to_beta, stays=run.stays[index + 1] if index + 1 < len(run.stays) else None,
            levels=planes.levels, worth=1.0 if index else run.worth,
        )  # fmt: skip
        if to_weight is not None and run.dropped[index]:
            to_weight *= 1 / (1 - run.dropped[index])
        grads[3 * index + 1 : 3 * index + 4] = [to_weight, to_bias, to_beta]
        if not below:
            return
        above, above_weight = to_currents, weight
    assert above is not None and above_weight is not None
    to_token = dense(above, above_weight)
    grads[0] = (to_token if run.worth == 1 else to_token.mul_(run.worth)).view(run.planes.shape)


#: of a thread, where a layer's gradient lies until it is used: a new room for each would cost more than half of the product
_held = threading.local()


def _scratch(rows: int, columns: int) -> Tensor:
    """Room for floats, of which nothing is kept."""
    room: Tensor | None = getattr(_held, "room", None)
    if room is None or room.numel() < rows * columns:
        room = _held.room = torch.empty(rows * columns)
    return room[: rows * columns].view(rows, columns)


def _method(rows: int, inner: int, columns: int, spikes: int) -> int:
    return METHODS[cheapest(rows, inner, columns, spikes)]
