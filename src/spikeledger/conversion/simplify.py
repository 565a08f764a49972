"""A graph made simple, its answers as they were: what neurons need not compute, and poolings where spikes can be pooled.

Scales and shifts, batch norm among them, go into the weights before them; a pooling of currents in front of a ReLU moves
behind it (`relu(max(z)) = max(relu(z))`), and one next to a scale to the side where it meets spikes; adaptive poolings become
ordinary ones.
"""

from __future__ import annotations

import math
from typing import Any, cast

import torch
from torch import nn

from ..errors import InputError
from .graph import Graph, Step


def simplify(graph: Graph) -> None:
    """Change a graph with known shapes in place.

    Raises:
        InputError: a pooling, or an answer, that spikes cannot give.
    """
    _scale_first(graph)
    _fold(graph)
    _pool_first(graph)
    _pool_behind(graph)
    _even_pools(graph)
    _check(graph)


def _scale_first(graph: Graph) -> None:
    """`conv -> max pooling -> scale` as `conv -> scale -> max pooling`, which is the same where no scale is below 0."""
    for name in _pools(graph):
        while not _spiking(graph, graph.steps[name].inputs[0]):
            behind = _only_user(graph, name)
            if behind is None or behind.kind != "affine" or not _rises(behind):
                break
            _swap(graph, name, behind.name)


def _pools(graph: Graph) -> list[str]:
    """Max poolings, the last first: what moves past one comes to the one before it."""
    return [name for name, step in reversed(graph.steps.items()) if step.kind == "maximum"]


def _only_user(graph: Graph, name: str) -> Step | None:
    """The step that alone takes a step's values, which are not the answer."""
    users = graph.users(name)
    return graph.steps[users[0]] if len(users) == 1 and graph.output != name else None


def _rises(step: Step) -> bool:
    """Whether a scale keeps what is larger larger."""
    return bool((cast(Any, step.module).scale >= 0).all())


def _fold(graph: Graph) -> None:
    """Scales and shifts into the weights before them, where nobody else uses those."""
    for name in [name for name, step in graph.steps.items() if step.kind == "affine"]:
        step = graph.steps[name]
        before = graph.steps[step.inputs[0]]
        if before.kind != "weighted" or graph.users(before.name) != [name] or before.name == graph.output:
            continue
        layer, by = cast(Any, before.module), cast(Any, step.module)
        with torch.no_grad():
            scale = by.scale.expand(len(layer.weight))
            bias = by.shift.expand(len(layer.weight)) + (0 if layer.bias is None else layer.bias * scale)
            layer.weight = nn.Parameter(layer.weight * scale.view(-1, *[1] * (layer.weight.dim() - 1)))
            layer.bias = nn.Parameter(bias)
        _bypass(graph, name)


def _bypass(graph: Graph, name: str) -> None:
    """Leave a step out: who takes its values takes those of its input."""
    source = graph.steps.pop(name).inputs[0]
    for step in graph.steps.values():
        step.inputs = [source if each == name else each for each in step.inputs]
    graph.output = source if graph.output == name else graph.output


def _pool_behind(graph: Graph) -> None:
    """`conv -> max pooling -> ReLU` as `conv -> ReLU -> max pooling`, which is the same: ReLU is monotone."""
    for name in _pools(graph):
        behind = _only_user(graph, name)
        if not _spiking(graph, graph.steps[name].inputs[0]) and behind is not None and behind.kind == "relu":
            _swap(graph, name, behind.name)


def _pool_first(graph: Graph) -> None:
    """`ReLU -> scale -> max pooling` as `ReLU -> max pooling -> scale`, which is the same where no scale is below 0."""
    for name in [name for name, step in graph.steps.items() if step.kind == "maximum"]:
        before = graph.steps[graph.steps[name].inputs[0]]
        alone = before.kind == "affine" and graph.users(before.name) == [name] and before.name != graph.output
        if alone and _rises(before):
            _swap(graph, before.name, name)


def _swap(graph: Graph, first: str, second: str) -> None:
    """Put two steps, each the only one to take what the one before it gives, in the other order."""
    one, two = graph.steps[first], graph.steps[second]
    for step in graph.steps.values():
        step.inputs = [first if each == second else each for each in step.inputs]
    two.inputs, one.inputs = list(one.inputs), [second]
    graph.output = first if graph.output == second else graph.output
    order = list(graph.steps)
    at, to = order.index(first), order.index(second)
    order[at], order[to] = order[to], order[at]
    graph.steps = {each: graph.steps[each] for each in order}


def _spiking(graph: Graph, name: str) -> bool:
    """Whether a step's values are spikes of one population a channel: those of a ReLU, pooled by maximum, joined, flattened."""
    step = graph.steps[name]
    if step.kind == "relu":
        return True
    return step.kind in ("maximum", "join", "flatten") and all(_spiking(graph, each) for each in step.inputs)


def _even_pools(graph: Graph) -> None:
    """Adaptive poolings as ordinary ones, where the windows are alike."""
    for step in graph.steps.values():
        inner = step.module
        if inner is None or not type(inner).__name__.startswith("Adaptive"):
            continue
        space = graph.shapes[step.inputs[0]][1:]
        asked: Any = inner.output_size
        sizes = [asked] * len(space) if isinstance(asked, int) else list(asked)
        sizes = [have if want is None else want for have, want in zip(space, sizes, strict=True)]
        if any(have % want for have, want in zip(space, sizes, strict=True)):
            raise InputError(
                f"pooling '{step.name}' makes {sizes} of {list(space)}, in windows that differ in size: use an even one"
            )
        window = tuple(have // want for have, want in zip(space, sizes, strict=True))
        kinds: dict[str, Any] = {
            "AdaptiveAvgPool1d": nn.AvgPool1d, "AdaptiveAvgPool2d": nn.AvgPool2d, "AdaptiveMaxPool1d": nn.MaxPool1d,
            "AdaptiveMaxPool2d": nn.MaxPool2d,
        }  # fmt: skip
        step.module = kinds[type(inner).__name__](window)


def _check(graph: Graph) -> None:
    if len(graph.shapes[graph.output]) != 1:
        raise InputError(
            f"the ANN answers values of shape {list(graph.shapes[graph.output])} for a sample, and conversion needs one score a "
            "class: end with a pooling of the whole image, a flattening, or a linear layer"
        )
    for step in graph.steps.values():
        if isinstance(step.module, nn.Linear) and len(graph.shapes[step.inputs[0]]) != 1:
            raise InputError(
                f"linear layer '{step.name}' works on the last axis of values of shape {list(graph.shapes[step.inputs[0]])}, "
                "where populations have their channels first: flatten in front of it, or use a convolution of width 1"
            )
        if step.kind == "maximum" and not _spiking(graph, step.inputs[0]):
            raise InputError(
                f"max pooling '{step.name}' works on what are no spikes ('{step.inputs[0]}'): put it right behind a ReLU, or in "
                "front of one"
            )
        if step.cap is not None and not (math.isfinite(step.cap) and step.cap > 0):
            raise InputError(f"'{step.name}' clips at {step.cap}, but only a number above 0 leaves anything to spike")
    if _spiking(graph, graph.output) and graph.steps[graph.output].kind != "relu":
        raise InputError("the ANN's answer is a pooling of a ReLU: end with a linear layer, or with a ReLU")
