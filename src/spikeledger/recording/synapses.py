"""The account of one weighted operator during a run: spikes times fan-out, both exact."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ..activity import InputClass, Layer, arrival, merge_class
from .census import Census
from .origins import Fold
from .rules import Linear, Product


@dataclass
class _Batch:
    """Non-zero values that arrived while the weights stood still: `events = nonzero . fan_out`."""

    linear: Linear
    mask: Tensor
    shape: tuple[int, ...]  # of one row of values
    nonzero: Tensor
    fold: Fold | None = None
    folded: Tensor | None = None

    def fan_out(self) -> Tensor:
        """Existing synapses that leave each place, int64."""
        mask = self.mask.to(torch.float64)
        return fan_out(lambda x: self.linear(x, mask), self.shape)

    def synapses(self) -> int:
        """Existing synapses in all."""
        return int(self.fan_out().sum())

    def settle(self) -> tuple[Tensor, Tensor | None]:
        """Events of each presynaptic place: at the operator, and before the pooling that folds into it."""
        direct = self.nonzero * self.fan_out().reshape(self.nonzero.shape)
        if self.fold is None or self.folded is None:
            return direct, None

        steps, mask = self.fold.steps, self.mask.to(torch.float64)

        def whole(x: Tensor) -> Tensor:
            for step in steps:
                x = step(x)
            return self.linear(x.reshape(self.shape), mask)

        return direct, self.folded * fan_out(whole, self.fold.shape).reshape(self.folded.shape)


@dataclass
class SynapseAccount:
    """What one weighted operator did over a whole run."""

    name: str
    operator: str
    source: str = ""
    shape: tuple[int, ...] = ()
    outputs: int = 0
    synapses: int = 0
    parameters: int = 0
    nonzero_parameters: int = 0
    inputs: InputClass = "silent"
    magnitude: float = 0.0
    folded_inputs: InputClass = "silent"
    folded_magnitude: float = 0.0
    dense: int = 0
    bias_adds: int = 0
    per_neuron: Tensor | None = None
    folded_per_neuron: Tensor | None = None
    folded_shape: tuple[int, ...] = ()
    pool: str = ""
    _key: object = None
    _batch: _Batch | None = field(default=None, repr=False)
    _pending: list[_Batch] = field(default_factory=list, repr=False)

    def book(self, product: Product, census: Census, *, key: object, fold: Fold | None) -> None:
        """Add one call; `key` names the weights' present version, so that fan-out is computed once for each."""
        self.dense += product.dense
        self.bias_adds += product.outputs if product.bias else 0
        self.inputs, self.magnitude = merge_class((self.inputs, self.magnitude), (census.inputs, census.magnitude))
        key = (key, product.weight.shape, census.nonzero.shape, None if fold is None else (fold.shape, fold.pool))
        if self._batch is None or key != self._key:
            self._close()
            row = (1,) * product.rows + tuple(product.values.shape[product.rows :])
            self._batch = _Batch(
                product.linear, product.weight.detach() != 0, row, torch.zeros_like(census.nonzero), fold
            )
            self._key = key
            if not self.shape:
                self.shape = tuple(census.nonzero.shape)
                rows = product.values.shape[: product.rows].numel()
                self.outputs = product.outputs // max(rows, 1)
        self._batch.nonzero += census.nonzero
        if fold is not None:
            self.pool = fold.pool
            before = fold.before
            self.folded_shape = tuple(fold.shape[1:])
            self.folded_inputs, self.folded_magnitude = merge_class(
                (self.folded_inputs, self.folded_magnitude), (before.inputs, before.magnitude)
            )
            self._batch.folded = before.nonzero if self._batch.folded is None else self._batch.folded + before.nonzero

    def settle(self) -> None:
        """Multiply what is pending by its fan-out; autograd must be available, so no dispatch mode may be active."""
        self._close()
        for batch in self._pending:
            direct, folded = batch.settle()
            self.per_neuron = direct if self.per_neuron is None else self.per_neuron + direct
            if folded is not None:
                self.folded_per_neuron = folded if self.folded_per_neuron is None else self.folded_per_neuron + folded
            self.synapses = self.synapses or batch.synapses()
        self._pending.clear()

    @property
    def folds(self) -> bool:
        """Whether the pooling before this operator folds into its synapses: nothing graded went through it."""
        return self.folded_per_neuron is not None and self.folded_inputs != "graded"

    def close(self) -> tuple[Layer, list[tuple[str, int, Tensor | None]]]:
        """The layer's facts and its events, `(event, count, by presynaptic neuron)`; call `settle` first."""
        rows = self.folded_per_neuron if self.folds else self.per_neuron
        assert rows is not None, "close() before settle()"
        inputs = self.folded_inputs if self.folds else self.inputs
        layer = Layer(
            self.name, self.operator, self.folded_shape if self.folds else self.shape, outputs=self.outputs,
            synapses=self.synapses, parameters=self.parameters, nonzero_parameters=self.nonzero_parameters,
            inputs=inputs, magnitude=self.folded_magnitude if self.folds else self.magnitude, source=self.source,
        )  # fmt: skip
        events: list[tuple[str, int, Tensor | None]] = [
            (arrival(inputs), int(rows.sum()), rows),
            ("dense_op", self.dense, None),
            ("bias_add", self.bias_adds, None),
        ]
        return layer, events

    def _close(self) -> None:
        if self._batch is not None:
            self._pending.append(self._batch)
        self._batch = self._key = None


def fan_out(linear: Callable[[Tensor], Tensor], shape: tuple[int, ...]) -> Tensor:
    """Synapses that leave each input place, int64 of `shape`: the transpose of a 0/1 operator applied to ones.

    `f = A^T 1`, computed as the gradient of `sum(A x)`; float64 holds each count exactly up to 2^53.
    """
    with torch.inference_mode(False), torch.enable_grad():
        x = torch.zeros(shape, dtype=torch.float64, requires_grad=True)
        out = linear(x)
        if not out.requires_grad:
            return torch.zeros(shape, dtype=torch.int64)
        (gradient,) = torch.autograd.grad(out.sum(), x)
    return torch.round(gradient).to(torch.int64)
