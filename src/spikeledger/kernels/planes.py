"""Spikes as bits: one 64-bit word for 64 neurons of one sample at one step."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from .choice import native

_NAME = "_spikeledger_planes"


def words_of(columns: int) -> int:
    """64-bit words that hold one row of bits."""
    return (columns + 63) // 64


@dataclass(frozen=True)
class Planes:
    """Spikes `[T, B, *N]` as words `[T * B, words_of(prod(N))]` (int64); bits past the last neuron are zero."""

    words: Tensor
    shape: tuple[int, ...]
    version: int = field(default=0, compare=False)
    counted: Tensor | None = field(default=None, compare=False)  # spikes of each neuron, int64 [prod(N)], where known
    turned_words: Tensor | None = field(default=None, compare=False)  # what `turned` gives, where it was written along

    @property
    def rows(self) -> int:
        """Steps times samples."""
        return self.shape[0] * self.shape[1]

    @property
    def columns(self) -> int:
        """Neurons."""
        return math.prod(self.shape[2:])

    @classmethod
    def of(cls, words: Tensor, shape: tuple[int, ...], spikes: int, **more: Tensor | None) -> Planes:
        """Planes whose spikes a kernel counted while it wrote them."""
        planes = cls(words, shape, **more)  # type: ignore[arg-type]
        planes.__dict__["spikes"] = spikes  # where `spikes` would keep its count
        return planes

    @cached_property
    def spikes(self) -> int:
        """All spikes."""
        return int(_core().count(self.words.data_ptr(), self.words.numel()))

    @property
    def density(self) -> float:
        """Spikes a neuron and step."""
        return self.spikes / max(1, self.rows * self.columns)

    def per_neuron(self) -> Tensor:
        """Spikes of each neuron over all steps and samples, int64 `[*N]`."""
        if self.counted is not None:
            return self.counted.view(self.shape[2:])
        counts = torch.zeros(self.columns, dtype=torch.int64)
        threads = torch.get_num_threads()
        _core().column_counts(self.words.data_ptr(), self.rows, self.columns, counts.data_ptr(), threads)
        return counts.view(self.shape[2:])

    def per_step(self) -> list[int]:
        """Spikes of all neurons and samples at each step."""
        row = self.shape[1] * words_of(self.columns)
        counts: list[int] = _core().step_counts(self.words.data_ptr(), self.shape[0], row)
        return counts

    def sample(self, index: int) -> Tensor:
        """The spikes of one sample as float32 `[T, prod(N)]`."""
        words = self.words.view(*self.shape[:2], -1)[:, index].contiguous()
        return Planes(words, (self.shape[0], 1, self.columns)).dense()[:, 0]

    def flattened(self) -> Planes:
        """The same spikes as `[T, B, prod(N)]`."""
        return replace(self, shape=(*self.shape[:2], self.columns))

    def dense(self) -> Tensor:
        """The spikes as float32 `[T, B, *N]`."""
        out = torch.empty(self.shape)
        _core().unpack(self.words.data_ptr(), self.rows, self.columns, out.data_ptr(), torch.get_num_threads())
        return out

    def rates(self) -> Tensor:
        """How often each neuron fired a step, float32 `[B, *N]`: the mean of `dense()` over time."""
        steps, batch = self.shape[:2]
        out = torch.empty(self.shape[1:])
        _core().rates(self.words.data_ptr(), steps, batch, self.columns, out.data_ptr())
        return out

    def turned(self) -> Tensor:
        """Words `[prod(N), words_of(T * B)]`: the same bits with rows and columns exchanged."""
        if self.turned_words is not None:
            return self.turned_words
        out = empty_words(self.columns, self.rows)
        _core().transpose(self.words.data_ptr(), self.rows, self.columns, out.data_ptr(), torch.get_num_threads())
        return out


def empty_words(rows: int, columns: int) -> Tensor:
    """Words for so many rows of bits, not yet written."""
    return torch.empty(rows * words_of(columns), dtype=torch.int64)


def pack(spikes: Tensor, *, count: bool = False, turn: bool = False) -> Planes | None:
    """The planes of a float32 tensor `[T, B, *N]`; None if any value is neither 0 nor 1.

    `count`: they will be asked how often each neuron fired; `turn`: and for the turned ones, as the gradient of a linear
    layer's weight does. Both cost least while they are packed.
    """
    known = planes_of(spikes)
    if known is not None:
        return known
    shape = tuple(spikes.shape)
    rows, columns = shape[0] * shape[1], math.prod(shape[2:])
    spikes = spikes.contiguous()
    words = empty_words(rows, columns)
    turned = empty_words(columns, rows) if turn else None
    counts = torch.zeros(columns, dtype=torch.int64) if count else None
    ones = _core().pack(
        rows, columns, spikes.data_ptr(), words.data_ptr(), 0 if turned is None else turned.data_ptr(),
        0 if counts is None else counts.data_ptr(), torch.get_num_threads(),
    )  # fmt: skip
    return None if ones < 0 else Planes.of(words, shape, ones, counted=counts, turned_words=turned)


def attach(spikes: Tensor, planes: Planes) -> None:
    """Let the bits of a tensor be found by `planes_of` as long as nobody changes it; a tensor of inference mode does not
    say when it is changed, and goes without."""
    if not spikes.is_inference():
        setattr(spikes, _NAME, replace(planes, version=spikes._version))


def planes_of(spikes: Tensor) -> Planes | None:
    """The bits from which a tensor of spikes was made, if a kernel made it and it is unchanged since."""
    planes: Planes | None = getattr(spikes, _NAME, None)
    return planes if planes is not None and planes.version == spikes._version else None


def _core() -> Any:
    core = native()
    assert core is not None  # planes are made by the native core only
    return core
