"""Counting by brute force, for networks of `passages`: what really enters each layer is kept, and looked at again.

The product of a layer is taken of the 0/1 masks of values and weights, in float64: the sum of its output is how many
pairs of a non-zero value and a non-zero weight met. Behind an average pooling every spike is sent through its windows by
itself, and the targets that it reaches are counted. Nothing of the package is asked.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from laws.passages import OPERATORS
from laws.random_networks import UNITS, Functional, Network, Passage, Recurrent

Counts = tuple[int, int]  # accumulates, multiply-accumulates

#: how much larger or smaller a spike may have become where spikes were scaled
FACTORS: list[float] = [0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0]


@dataclass
class Entered:
    """What entered one layer: its values of every call, with the weights as they were."""

    layer: nn.Module
    passage: Passage | None
    unit: float | None  # of the spikes that the passage got, if there may be several at once
    calls: list[tuple[Tensor, Tensor, Tensor | None]] = field(
        default_factory=list
    )  # values, weights, before the average


@dataclass
class Truth:
    """Each layer's counts, one or several that its description allows; each population's spikes, updates, active ones."""

    layers: dict[str, set[Counts]]
    neurons: dict[str, tuple[int, int, int]]


def mask(values: Tensor) -> Tensor:
    return (values != 0).double()


def product(layer: nn.Module, values: Tensor, weight: Tensor) -> Tensor:
    """The layer's product, linear in both factors, `[T, B, *N]` -> `[T, B, *M]`."""
    if isinstance(layer, nn.Conv2d):
        rows = values.flatten(0, values.dim() - 4)
        padding: Any = layer.padding
        if layer.padding_mode != "zeros":
            rows, padding = F.pad(rows, (layer.padding[1],) * 2 + (layer.padding[0],) * 2, mode=layer.padding_mode), 0
        return F.conv2d(rows, weight, None, layer.stride, padding, 1, layer.groups)
    if isinstance(layer, nn.ConvTranspose2d):
        return F.conv_transpose2d(values.flatten(0, values.dim() - 4), weight, None, layer.stride)
    return values.flatten(2 if values.dim() > 2 else 1) @ weight.T


def weight_of(layer: nn.Module) -> Tensor:
    return layer.weight_now() if isinstance(layer, Functional) else layer.weight  # type: ignore[return-value]


def brute_force(network: Network, calls: Iterable[Tensor], *, pooling: str = "fold") -> Truth:
    """Run the network on each of the tensors and count."""
    layers: dict[str, Entered] = {}
    neurons: dict[str, list[int]] = {}
    handles = []
    for index, part in enumerate(network.layers):
        unit = UNITS.get(type(network.neurons[index - 1])) if index else None
        passage = network.passages[index]
        inner = {f"layers.{index}.inner": part.inner} if isinstance(part, Recurrent) else {f"layers.{index}": part}
        if isinstance(part, Recurrent):
            inner[f"layers.{index}.back"] = part.back
        for path, layer in inner.items():
            behind = None if path.endswith("back") else passage
            layers[path] = Entered(layer, behind, unit if behind is not None else None)
            handles.append(layer.register_forward_pre_hook(_keeper(layers[path])))
    for index, part in enumerate(network.neurons):
        unit = UNITS.get(type(part), 1.0)
        neurons[f"neurons.{index}"] = [0, 0, 0]
        handles.append(part.register_forward_hook(_reader(neurons[f"neurons.{index}"], unit)))
    try:
        with torch.no_grad():
            for x in calls:
                for passage in network.passages:
                    passage.entered = []
                network(x)
    finally:
        for handle in handles:
            handle.remove()
        for passage in network.passages:
            passage.entered = None
    with torch.no_grad():
        found = {path: _counts(entered, pooling) for path, entered in layers.items()}
    return Truth(found, {path: (s, u, a) for path, (s, u, a) in neurons.items()})


def _keeper(entered: Entered) -> Any:
    def keep(module: nn.Module, args: tuple[Tensor, ...]) -> None:
        passage = entered.passage
        before = None
        if passage is not None and passage.entered:
            # one call of a recurrent layer's input is one step of what the passage gave
            before = passage.entered[-1]
        entered.calls.append((args[0].detach().clone(), weight_of(module).detach().clone(), before))

    return keep


def _reader(sums: list[int], unit: float) -> Any:
    def read(module: nn.Module, args: tuple[Tensor, ...], output: Tensor) -> None:
        sums[0] += int((output.double() / unit).round().sum())
        sums[1] += output.numel()
        sums[2] += int((args[0] != 0).sum())

    return read


def _counts(entered: Entered, pooling: str) -> set[Counts]:
    """The counts of one layer, by its description:

    a value is one event, or as many as it is spikes; behind an average each spike is sent on by itself, if spikes were
    only moved, masked or scaled before it, and only moved behind it. Where more happens (copies behind an average, its
    steps taken one by one, a sum or a maximum in front) the average may fold or not: both counts are right.
    """
    kinds = [OPERATORS[name].kind for name in entered.passage.names] if entered.passage is not None else []
    middle = entered.passage.first_average if entered.passage is not None else None
    values = [v for v, _, _ in entered.calls]
    plain = _classed(values, sum(_met(entered.layer, mask(v), w) for v, w, _ in entered.calls))
    if middle is None:
        return _by_numbers(entered, values, kinds) if entered.unit is not None else {plain}
    folded = _folded(entered, middle, kinds) if pooling == "fold" else set()
    if not folded or "maxima" in kinds[middle:]:
        return {plain}
    copied = getattr(entered.layer, "padding_mode", "zeros") != "zeros" or entered.calls[0][0].dim() == 2
    sure = not {"adds", "maxima"} & set(kinds[:middle]) and set(kinds[middle:]) <= {"averages", "moves"} and not copied
    return folded if sure else {plain, *folded}


def _met(layer: nn.Module, left: Tensor, weight: Tensor) -> int:
    return int(product(layer, left, mask(weight)).sum())


def _classed(values: list[Tensor], count: int) -> Counts:
    """Accumulates if all values that are not zero have one magnitude, else multiply-accumulates."""
    sizes = torch.cat([v[v != 0].abs().unique() for v in values]).unique()
    return (count, 0) if len(sizes) <= 1 else (0, count)


def _by_numbers(entered: Entered, values: list[Tensor], kinds: list[str]) -> set[Counts]:
    """Several spikes at once: each value is its number of spikes; by values too, where they were scaled or added."""
    found: set[Counts] = set()
    assert entered.unit is not None
    sure = not {"scales", "adds"} & set(kinds)
    for factor in [1.0] if sure else FACTORS:
        numbers = [v.double().abs() / (entered.unit * factor) for v in values]
        if all(bool((n == n.round()).all()) for n in numbers):
            met = (
                int(product(entered.layer, n, mask(w)).sum())
                for n, (_, w, _) in zip(numbers, entered.calls, strict=True)
            )
            found.add((sum(met), 0))
    if not sure:
        found.add(_classed(values, sum(_met(entered.layer, mask(v), w) for v, w, _ in entered.calls)))
    return found


def _folded(entered: Entered, middle: int, kinds: list[str]) -> set[Counts]:
    """Spikes sent through the pooling one by one; nothing if what enters it is graded."""
    passage = entered.passage
    assert passage is not None
    pooled = list({id(before): (before, w) for _, w, before in entered.calls if before is not None}.values())
    sizes = torch.cat([p[p != 0].abs().unique() for p, _ in pooled]).unique()
    found: set[Counts] = set()
    scaled = {"scales", "adds"} & set(kinds[:middle])
    factors: list[float | None] = []  # of one spike's size; None: every value is one spike
    if len(sizes) <= 1 and (entered.unit is None or scaled):
        factors.append(None)
    if entered.unit is not None:
        factors += FACTORS if scaled else [1.0]
    for factor in factors:
        total = 0
        for before, weight in pooled:
            spikes = before.nonzero()
            if not len(spikes):
                continue
            sizes_here = before[tuple(spikes.T)].double().abs()
            each = torch.ones(len(spikes), dtype=torch.float64)
            if factor is not None and entered.unit is not None:
                each = sizes_here / (entered.unit * factor)
            alone = torch.zeros(before.shape[0], len(spikes), *before.shape[2:])
            places = spikes.clone()
            places[:, 1] = torch.arange(len(spikes))
            alone[tuple(places.T)] = 1.0
            sent = passage.run(alone, middle, len(passage.names))
            reached = product(entered.layer, mask(sent), mask(weight)) != 0
            by_spike = reached.reshape(before.shape[0], len(spikes), -1).sum((0, 2)).double()
            if bool((each == each.round()).all()):
                total += int((by_spike * each).sum())
            else:
                total = -1
                break
        if total >= 0:
            found.add((total, 0))
    return found
