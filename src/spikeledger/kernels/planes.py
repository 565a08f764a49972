"""Spikes as bits: one 64-bit word for 64 neurons of one sample at one step."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from . import native as core
from .choice import runs_native
from .sizes import words_of

_Forward = TypeVar("_Forward", bound=Callable[..., Any])


@dataclass(frozen=True)
class Planes:
    """Spikes `[T, B, *N]` as words `[T * B, words_of(levels * prod(N))]` (int64); bits past the last neuron are zero.

    Where what fired was pooled, a place may have fired as often as there are `levels`: a row's bits are `[levels, *N]`.
    """

    words: Tensor
    shape: tuple[int, ...]
    counted: Tensor | None = field(default=None, compare=False)  # spikes of each neuron, int64 [prod(N)], where known
    turned_words: Tensor | None = field(default=None, compare=False)  # what `turned` gives, where it was written along
    #: which neurons were so near their threshold that their spikes' gradient counts, as words; None: all of them
    near: Tensor | None = field(default=None, compare=False)
    #: where the layer that made them takes gradients that are still to be made: see `pooling.Owed`
    owed: list[Any] | None = field(default=None, compare=False)
    levels: int = 1

    @property
    def rows(self) -> int:
        """Steps times samples."""
        return self.shape[0] * self.shape[1]

    @property
    def columns(self) -> int:
        """Neurons."""
        return math.prod(self.shape[2:])

    @classmethod
    def of(cls, words: Tensor, shape: tuple[int, ...], spikes: int, **more: Any) -> Planes:
        """Planes whose spikes a kernel counted while it wrote them."""
        planes = cls(words, shape, **more)
        planes.__dict__["spikes"] = spikes  # where `spikes` would keep its count
        return planes

    @cached_property
    def spikes(self) -> int:
        """All spikes."""
        return core.count(self.words)

    def per_neuron(self) -> Tensor:
        """Spikes of each neuron over all steps and samples, int64 `[*N]`."""
        if self.counted is not None:
            return self.counted.view(self.shape[2:])
        counts = torch.zeros(self.columns, dtype=torch.int64)
        core.column_counts(self.words, self.rows, self.columns, counts)
        return counts.view(self.shape[2:])

    def per_step(self) -> list[int]:
        """Spikes of all neurons and samples at each step."""
        row = self.shape[1] * words_of(self.columns)
        return core.step_counts(self.words, self.shape[0], row)

    def sample(self, index: int) -> Tensor:
        """The spikes of one sample as float32 `[T, prod(N)]`."""
        words = self.words.view(*self.shape[:2], -1)[:, index].contiguous()
        return Planes(words, (self.shape[0], 1, self.columns)).dense()[:, 0]

    def flattened(self) -> Planes:
        """The same spikes as `[T, B, prod(N)]`."""
        return replace(self, shape=(*self.shape[:2], self.columns))

    def dense(self) -> Tensor:
        """The spikes as float32 `[T, B, *N]`."""
        if self.levels > 1:
            every = replace(self, shape=(*self.shape[:2], self.levels, *self.shape[2:]), levels=1)
            return every.dense().sum(2)
        out = torch.empty(self.shape)
        core.unpack(self.words, self.rows, self.columns, out)
        return out

    def rates(self) -> Tensor:
        """How often each neuron fired a step, float32 `[B, *N]`: the mean of `dense()` over time."""
        steps, batch = self.shape[:2]
        out = torch.empty(self.shape[1:])
        core.rates(self.words, steps, batch, self.columns, out)
        return out

    def turned(self) -> Tensor:
        """Words `[prod(N), words_of(T * B)]`: the same bits with rows and columns exchanged."""
        if self.turned_words is not None:
            return self.turned_words
        out = empty_words(self.columns, self.rows)
        core.transpose(self.words, self.rows, self.columns, out)
        return out


def planes_of(spikes: Tensor) -> Planes | None:
    """The bits of spikes `[T, B, *N]`, read anew; None of other values than 0 and 1, or where the native core cannot look."""
    fits = spikes.dim() > 1 and spikes.dtype == torch.float32 and spikes.numel() > 0 and runs_native(spikes)
    return pack(spikes.detach()) if fits else None


def empty_words(rows: int, columns: int) -> Tensor:
    """Words for so many rows of bits, not yet written."""
    return torch.empty(rows * words_of(columns), dtype=torch.int64)


def pack(spikes: Tensor, *, count: bool = False, turn: bool = False) -> Planes | None:
    """The planes of a float32 tensor `[T, B, *N]`; None if any value is neither 0 nor 1.

    `count`: they will be asked how often each neuron fired; `turn`: and for the turned ones, as the gradient of a linear
    layer's weight does. Both cost least while they are packed.
    """
    shape = tuple(spikes.shape)
    rows, columns = shape[0] * shape[1], math.prod(shape[2:])
    spikes = spikes.contiguous()
    words = empty_words(rows, columns)
    turned = empty_words(columns, rows) if turn else None
    counts = torch.zeros(columns, dtype=torch.int64) if count else None
    ones = core.pack(spikes, rows, columns, words, turned=turned, counts=counts)
    return None if ones < 0 else Planes.of(words, shape, ones, counted=counts, turned_words=turned)


class _Sent:
    """What a kernel sent last, to whoever listens for it: floats, and the bits from which they were made."""

    __slots__ = ("planes", "spikes")

    def __init__(self) -> None:
        self.spikes: Tensor | None = None
        self.planes: Planes | None = None


_listening: ContextVar[_Sent | None] = ContextVar("what a kernel sent last", default=None)


def sends(spikes: Tensor, planes: Planes) -> None:
    """A kernel sends spikes as floats, and tells `with_bits` their bits."""
    sent = _listening.get()
    if sent is not None:
        sent.spikes, sent.planes = spikes, planes


def untouched(forward: _Forward) -> _Forward:
    """Mark a module's forward that gives what a kernel sent as it is, so that `with_bits` may ask for it."""
    forward.untouched = True  # type: ignore[attr-defined]
    return forward


def is_untouched(module: nn.Module) -> bool:
    """Whether a module's forward is marked so, and nobody gave this module another."""
    return getattr(type(module).forward, "untouched", False) and "forward" not in module.__dict__


def with_bits(call: Callable[[Tensor], Any], values: Tensor) -> tuple[Any, Planes | None]:
    """What a call gives; and its bits, if it is the very tensor that a kernel sent in it.

    For callers who know that nobody wrote into that tensor between the kernel and here. No tensor keeps its bits: a write
    through `.data`, numpy or a view cannot be seen, so who gets one from elsewhere packs it.
    """
    sent = _Sent()
    before = _listening.set(sent)
    try:
        out = call(values)
    finally:
        _listening.reset(before)
    return out, sent.planes if sent.spikes is out else None


def just_sent(spikes: Tensor) -> Planes | None:
    """The bits of a tensor that a kernel just sent: for a hook on the module that `with_bits` calls."""
    sent = _listening.get()
    return sent.planes if sent is not None and sent.spikes is spikes else None
