"""An ANN as a small graph of what conversion knows: weighted layers, ReLUs with or without a cap, poolings, sums, joins."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor, nn

Kind = Literal["input", "weighted", "affine", "relu", "average", "maximum", "flatten", "add", "join"]


class Affine(nn.Module):
    """`scale z + shift`, `[]` or one a channel `[C]`, of values `[B, C, ...]`: a batch norm at rest, or a normalisation."""

    def __init__(self, scale: Tensor, shift: Tensor) -> None:
        super().__init__()
        self.register_buffer("scale", scale)
        self.register_buffer("shift", shift)

    def forward(self, values: Tensor) -> Tensor:
        return values * per_channel(self.scale, values.dim()) + per_channel(self.shift, values.dim())


@dataclass
class Step:
    """One deed of the ANN on values `[B, ...]`; `cap` is what a ReLU clips at (None: nothing)."""

    name: str
    kind: Kind
    inputs: list[str]
    module: nn.Module | None = None
    cap: float | None = None


@dataclass
class Graph:
    """Steps in an order in which each comes behind its inputs; `output` is the step whose values are the answer."""

    steps: dict[str, Step]
    output: str
    notes: tuple[str, ...] = ()
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)

    @property
    def input(self) -> str:
        """The step where samples come in."""
        return next(name for name, step in self.steps.items() if step.kind == "input")

    @property
    def relus(self) -> list[str]:
        """The ReLUs, each of which becomes a population of neurons."""
        return [name for name, step in self.steps.items() if step.kind == "relu"]

    def users(self, name: str) -> list[str]:
        """The steps that take a step's values."""
        return [each.name for each in self.steps.values() if name in each.inputs]

    def modules(self) -> Iterator[tuple[str, nn.Module]]:
        """The weighted layers by name."""
        return ((name, step.module) for name, step in self.steps.items() if step.kind == "weighted" and step.module)

    def depths(self, first: int = 0) -> dict[str, int]:
        """How many populations lie at most between the input and each step's values, itself included."""
        found: dict[str, int] = {}
        for name, step in self.steps.items():
            below = max((found[each] for each in step.inputs), default=first)
            found[name] = below + (step.kind == "relu")
        return found


Activation = Callable[[Step, Tensor], Tensor]


def rectified(step: Step, values: Tensor) -> Tensor:
    """`max(z, 0)`, and at most the cap."""
    return torch.clamp(values, 0.0, step.cap)


def values_of(
    graph: Graph, samples: Tensor, activation: Activation = rectified, *, known: Mapping[str, Tensor] | None = None
) -> Iterator[tuple[Step, list[Tensor], Tensor]]:
    """Each step with its inputs and its values for samples `[B, ...]`; values that nobody takes any more are let go.

    `known` are values of steps that are not computed again.
    """
    left = {name: len(graph.users(name)) + (name == graph.output) for name in graph.steps}
    held: dict[str, Tensor] = {}
    for name, step in graph.steps.items():
        given = [held[each] for each in step.inputs]
        if known is not None and name in known:
            made = known[name]
        else:
            made = samples if step.kind == "input" else one(step, given, activation)
        held[name] = made
        yield step, given, made
        for each in step.inputs:
            left[each] -= 1
            if not left[each]:
                held.pop(each, None)


def answer(graph: Graph, samples: Tensor, activation: Activation = rectified) -> Tensor:
    """The graph's scores `[B, classes]`."""
    found = samples
    for step, _, made in values_of(graph, samples, activation):
        if step.name == graph.output:
            found = made
    return found


def one(step: Step, given: list[Tensor], activation: Activation) -> Tensor:
    """What one step makes of its inputs."""
    if step.kind == "relu":
        return activation(step, given[0])
    if step.kind == "add":
        return torch.stack(torch.broadcast_tensors(*given)).sum(0) if len(given) > 2 else given[0] + given[1]
    if step.kind == "join":
        return torch.cat(given, 1)
    assert step.module is not None
    made: Tensor = step.module(given[0])
    return made


def measure(graph: Graph, sample: Tensor) -> None:
    """Fill in the shape `[*N]` of each step's values."""
    with torch.no_grad():
        graph.shapes = {step.name: tuple(made.shape[1:]) for step, _, made in values_of(graph, sample[:1])}


def per_channel(values: Any, dims: int) -> Any:
    """One number a channel `[C]` in a form that broadcasts over `[B, C, *space]`; a single number as it is."""
    if not isinstance(values, Tensor) or values.dim() == 0:
        return values
    return values.view(1, -1, *[1] * (dims - 2))
