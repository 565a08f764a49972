"""The account of one weighted operator during a run: spikes times fan-out, both exact."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from ..activity import Counts, InputClass, Layer, arrival, merge_class
from .census import Census, nonzero_elements, presence
from .fan_out import Grid, fan_out, reach, reach_of_rows
from .origins import Origin
from .pool_folding import Part
from .products import Coincidence, Product


class Way(NamedTuple):
    """The ways that the values of one call came, and what was sent at the beginning of each."""

    parts: tuple[Part, ...]
    sent: list[Census]


@dataclass
class _Batch:
    """Values that arrived while the weights stood still: `events = nonzero . fan_out`."""

    product: Product  # of the first call; its tensors are let go of
    present: Counts | Tensor  # fan-out of each place where a short cut gives it, else which weights are not zero
    shape: tuple[int, ...]  # of one row of values
    nonzero: Counts
    parts: tuple[Part, ...] = ()  # ways that the values came, without their tensors
    folded: list[Counts] = field(default_factory=list)  # of each part, what was sent at its beginning
    open: bool = True  # whether calls may still be added

    @staticmethod
    def presence(product: Product, parts: tuple[Part, ...]) -> Counts | Tensor:
        """What of a product's weights decides how many events there are."""
        if product.fan_out is not None and not any(part.merges for part in parts):
            return product.fan_out(product.matrix)
        return presence(product.matrix)

    def stands(self, present: Counts | Tensor) -> bool:
        """Whether weights have their zeros where this batch's have them, as far as it matters."""
        if isinstance(present, Tensor):
            return isinstance(self.present, Tensor) and torch.equal(present, self.present)
        return np.array_equal(present, self.present)

    @property
    def _mask(self) -> Tensor:
        assert isinstance(self.present, Tensor)
        with torch.inference_mode(False):
            return self.present.clone() if self.present.is_inference() else self.present

    def fan_out(self) -> Counts:
        """Existing synapses that leave each place, int64."""
        if not isinstance(self.present, Tensor):
            return self.present.reshape(self.nonzero.shape)
        if self.product.fan_out is not None:
            return self.product.fan_out(self._mask).reshape(self.nonzero.shape)
        mask, linear = self._mask.to(torch.float64), self.product.linear
        return fan_out(lambda x: linear(x, mask), self.shape, mask.device).reshape(self.nonzero.shape)

    def fan_outs_before(self, fans: Counts) -> list[Counts]:
        """Existing synapses that leave each place at the beginning of each way; exact where anything was sent."""
        return [self._before(part, sent, fans) for part, sent in zip(self.parts, self.folded, strict=True)]

    def _before(self, part: Part, sent: Counts, fans: Counts) -> Counts:
        if not part.merges:  # each spike goes on by one path, and has the fan-out of the place where it ends
            behind = torch.from_numpy(fans).to(torch.float64)

            def whole(x: Tensor) -> Tensor:
                for step in part.steps:
                    x = step(x)
                return x.reshape(behind.shape) * behind

            return fan_out(whole, _one(part)).reshape(sent.shape)
        mask, grid = self._mask, self.product.geometry
        if part.windows is not None:
            spans = part.windows
            if isinstance(grid, Grid) and not grid.transposed and self.shape[1:] == _pooled(part, spans):
                return _whole(grid.reach(mask.cpu().numpy(), spans), sent)
            if (
                self.product.operator == "linear"
                and mask.dim() == 2
                and mask.shape[0] == math.prod(_pooled(part, spans))
            ):
                return reach_of_rows(mask.cpu().numpy(), spans, sent.shape)
        weights, linear = mask.to(torch.float64), self.product.linear

        def pooled(x: Tensor) -> Tensor:
            for step in part.steps:
                x = step(x)
            return linear(x.reshape(-1, *self.shape[1:]), weights)

        return reach(pooled, _one(part), sent, mask.device)


def _one(part: Part) -> tuple[int, ...]:
    return (1, *part.shape[1:])


def _pooled(part: Part, spans: tuple[Any, ...]) -> tuple[int, ...]:
    """The places behind a part's one pooling."""
    before = part.shape[1:]
    return (*before[: len(before) - len(spans)], *(len(windows) for windows in spans))


def _whole(found: Counts, sent: Counts) -> Counts:
    """A count of places that windows hold, with zeros for those that none does."""
    if found.shape == sent.shape:
        return found
    whole = np.zeros_like(sent)
    whole[tuple(slice(0, size) for size in found.shape)] = found
    return whole


@dataclass
class SynapseAccount:
    """What one weighted operator did over a whole run."""

    name: str
    operator: str
    source: str = ""
    maker: str | None = None  # the place whose arithmetic made what arrives here
    shape: tuple[int, ...] | None = None
    outputs: int = 0
    synapses: int = 0
    parameters: int = 0
    nonzero_parameters: int = 0
    weights: int = 0
    nonzero_weights: int = 0
    inputs: InputClass = "silent"
    magnitude: float = 0.0
    folded_inputs: InputClass = "silent"
    folded_magnitude: float = 0.0
    dense: int = 0
    bias_adds: int = 0
    count: int = 0
    per_neuron: Counts | None = None
    folded_count: int = 0
    folded_per_neuron: Counts | None = None
    folded_shape: tuple[int, ...] | None = None
    folded_calls: int = 0
    calls: int = 0
    pools: set[str] = field(default_factory=set)
    fans: Counts | None = None  # fan-out of each place, of the latest weights
    folded_fans: Counts | None = None
    latest: _Batch | None = field(default=None, repr=False)  # of the latest call
    stored: bool = True  # whether the weights that it keeps are noted
    arrived: int = 0  # values that were not zero, as far as it matters whether there was more than one
    events: bool = False  # whether what arrived was known to be events, and not only looked like them
    _open: dict[object, tuple[object, _Batch]] = field(default_factory=dict, repr=False)
    _pending: list[_Batch] = field(default_factory=list, repr=False)

    def book(self, product: Product, census: Census, *, key: object, way: Way | None) -> None:
        """Add one call; `key` is the weights' present version (None: unknown), so that their zeros are found once."""
        self.add(product.dense, product.outputs if product.bias is not None else 0, census)
        parts = way.parts if way is not None else ()
        kind = (
            product.matrix.shape, product.geometry, census.nonzero.shape,
            tuple((part.shape, part.pools, part.geometry) for part in parts),
        )  # fmt: skip
        known, batch = self._open.get(kind, (None, None))
        if batch is None or key is None or known != key:
            present = _Batch.presence(product, parts)
            if batch is None or not batch.stands(present):
                if batch is not None:
                    self._pending.append(batch)
                    batch.open = False
                batch = self._started(product, present, census, parts)
            self._open[kind] = (key, batch)
            if not self.stored:
                self.stored = True
                counted = (
                    int(present.sum()) if product.operator == "linear" and not isinstance(present, Tensor) else None
                )
                self.store(product.matrix, weights=True, nonzero=counted)
        self.latest = batch
        batch.nonzero += census.nonzero
        if way is not None:
            self.folded_calls += 1
            for index, (part, before) in enumerate(zip(parts, way.sent, strict=True)):
                self.pools.update(part.pools)
                self.folded_inputs, self.folded_magnitude = merge_class(
                    (self.folded_inputs, self.folded_magnitude), (before.inputs, before.magnitude)
                )
                if index < len(batch.folded):
                    batch.folded[index] = batch.folded[index] + before.nonzero
                else:
                    batch.folded.append(before.nonzero)

    def add(self, dense: int, bias_adds: int, census: Census) -> None:
        """Add what one call comes to, but for what arrived at each place."""
        self.calls += 1
        self.dense += dense
        self.bias_adds += bias_adds
        if self.arrived <= 100:
            self.arrived += int(census.nonzero.sum())
        if census.inputs != self.inputs or census.magnitude != self.magnitude:
            self.inputs, self.magnitude = merge_class((self.inputs, self.magnitude), (census.inputs, census.magnitude))

    def _started(self, product: Product, present: Counts | Tensor, census: Census, parts: tuple[Part, ...]) -> _Batch:
        row = (1,) * product.rows + tuple(product.values.shape[product.rows :])
        if self.shape is None:
            self.shape = census.nonzero.shape
            rows = product.values.shape[: product.rows].numel()
            self.outputs = product.outputs // max(rows, 1)
        nothing = Tensor()
        rule = product._replace(arrived=nothing, values=nothing, weight=nothing, matrix=nothing, bias=None)
        ways = tuple(part._replace(before=part.before.new_empty((0,) * part.rows + part.before.shape[part.rows :]))
                     for part in parts)  # fmt: skip
        return _Batch(rule, present, row, np.zeros_like(census.nonzero), ways)

    def store(self, stored: Tensor, *, weights: bool, nonzero: int | None = None) -> None:
        """Note the numbers that the layer keeps: its weights, or its biases; `nonzero` if that many are known."""
        nonzero = nonzero_elements(stored) if nonzero is None else nonzero
        self.parameters += stored.numel()
        self.nonzero_parameters += nonzero
        if weights:
            self.weights += stored.numel()
            self.nonzero_weights += nonzero

    @property
    def restless(self) -> bool:
        """Whether weights changed, so that earlier calls can be settled now and their masks let go of."""
        return bool(self._pending)

    def settle(self, *, all_of_it: bool = True) -> None:
        """Multiply what is pending by its fan-out; autograd must be available, so no dispatch mode may be active."""
        if all_of_it:
            self._pending += [batch for _, batch in self._open.values()]
            self._open.clear()
        for batch in self._pending:
            batch.open = False
            fans = batch.fan_out()
            if not self.synapses:
                self.synapses = int(fans.sum())
            self.fans = fans
            direct = batch.nonzero * fans
            self.count += int(direct.sum())
            self.per_neuron = _joined(self.per_neuron, direct, self.shape)
            if batch.parts:
                ways = batch.fan_outs_before(fans)
                events = [sent * way for sent, way in zip(batch.folded, ways, strict=True)]
                alone = len(events) == 1
                folded = events[0] if alone else np.concatenate([each.ravel() for each in events])
                self.folded_fans = ways[0] if alone else np.concatenate([each.ravel() for each in ways])
                if self.folded_shape is None:
                    self.folded_shape = folded.shape
                self.folded_count += int(folded.sum())
                self.folded_per_neuron = _joined(self.folded_per_neuron, folded, self.folded_shape)
        self._pending.clear()

    def drop(self) -> None:
        """Forget what is pending: its fan-out could not be found, which the account says elsewhere."""
        for _, batch in self._open.values():
            batch.open = False
        self._pending.clear()
        self._open.clear()

    @property
    def folds(self) -> bool:
        """Whether the pooling before this operator folds into its synapses: every call's, and nothing graded."""
        every = self.folded_calls > 0 and self.folded_calls == self.calls
        return every and (self.folded_inputs != "graded" or not self.pools)

    def close(self, *, folds: bool, spikes: bool) -> tuple[Layer, list[tuple[str, int, Counts | None]]]:
        """The layer's facts and its events, `(event, count, by presynaptic neuron)`; call `settle` first.

        Where nothing in the network sends `spikes`, one value alone is of one size by chance.
        """
        rows = self.folded_per_neuron if folds else self.per_neuron
        count = self.folded_count if folds else self.count
        shape = self.folded_shape if folds else self.shape
        inputs = self.folded_inputs if folds else self.inputs
        if inputs == "spikes" and not self.events and not spikes and self.arrived <= 1:
            inputs = "graded"
        layer = Layer(
            self.name, self.operator, shape if shape is not None and _fits(rows, shape) else (), outputs=self.outputs,
            synapses=self.synapses, parameters=self.parameters, nonzero_parameters=self.nonzero_parameters,
            weights=self.weights, nonzero_weights=self.nonzero_weights,
            inputs=inputs, magnitude=self.folded_magnitude if folds else self.magnitude, source=self.source,
            pools=tuple(sorted(self.pools)) if folds else (),
        )  # fmt: skip
        return layer, [
            (arrival(inputs), count, rows),
            ("dense_op", self.dense, None),
            ("bias_add", self.bias_adds, None),
        ]


class Line:
    """A layer as it ran last: until its weights or its input's shape change, a call only adds to the account."""

    __slots__ = ("account", "batch", "bias", "bias_adds", "currents", "dense", "shape", "version", "weight")

    def __init__(
        self, layer: nn.Module, shape: tuple[int, ...], product: Product, account: SynapseAccount, version: object
    ) -> None:
        assert account.latest is not None
        self.weight, self.bias = product.weight, layer._parameters.get("bias")
        self.version, self.shape = version, shape
        self.account, self.batch = account, account.latest
        self.dense, self.bias_adds = product.dense, product.outputs if product.bias is not None else 0
        self.currents = Origin("currents", account.name)

    def holds(self, layer: nn.Module, shape: tuple[int, ...], version: object) -> bool:
        """Whether a call with an input of this shape, and weights of this version, is like the last."""
        found = layer._parameters
        return (
            found.get("weight") is self.weight
            and found.get("bias") is self.bias
            and shape == self.shape
            and self.batch.open
            and version is not None
            and version == self.version
        )

    def book(self, seen: Census) -> None:
        """Add one call."""
        self.account.add(self.dense, self.bias_adds, seen)
        self.batch.nonzero += seen.nonzero


@dataclass
class PairAccount:
    """What one product of two activations did over a whole run: one event for each pair of non-zero values that met."""

    name: str
    operator: str
    source: str = ""
    elements: int = 0  # of the outputs of all calls
    dense: int = 0
    count: int = 0
    left: tuple[InputClass, float] = ("silent", 0.0)
    right: tuple[InputClass, float] = ("silent", 0.0)

    def book(self, pair: Coincidence, left: Census, right: Census) -> None:
        """Add one call, with the class of each factor's elements."""
        self.dense += pair.dense
        self.elements += pair.outputs
        self.left = merge_class(self.left, (left.inputs, left.magnitude))
        self.right = merge_class(self.right, (right.inputs, right.magnitude))
        # [*batch, n, k] and [*batch, k, m]: each k has as many meetings as non-zeros on the left times on the right
        meetings = (pair.left != 0).sum(-2, dtype=torch.int64) * (pair.right != 0).sum(-1, dtype=torch.int64)
        self.count += int(meetings.sum())

    def close(self, *, rows: int) -> tuple[Layer, list[tuple[str, int, Counts | None]]]:
        """The layer's facts and its events over `rows` samples and steps.

        They accumulate if either factor is spikes for the whole run, else they multiply.
        """
        found = self.left if self.left[0] != "graded" else self.right
        if "silent" in (self.left[0], self.right[0]):
            found = ("silent", 0.0)
        layer = Layer(
            self.name,
            self.operator,
            (),
            outputs=self.elements // max(rows, 1),
            inputs=found[0],
            magnitude=found[1],
            source=self.source,
        )
        return layer, [(arrival(found[0]), self.count, None), ("dense_op", self.dense, None)]


def _joined(total: Counts | None, part: Counts, shape: tuple[int, ...] | None) -> Counts | None:
    """A sum by place, as long as the places are the same; a layer called with other shapes has only a total."""
    if part.shape != shape:
        return None
    return part if total is None else total + part


def _fits(rows: Counts | None, shape: tuple[int, ...]) -> bool:
    return rows is not None and rows.shape == shape
