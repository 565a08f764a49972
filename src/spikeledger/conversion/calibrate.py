"""Thresholds and corrections, population by population, each on what the spiking layers before it really give.

After Li et al. 2021 (arXiv:2106.06984): the mean by which a weighted layer's output moved, since its input is quantised, is
added back to its bias; with `correct="weights"` the layer's weights are fitted again, by ridge regression, so that from
quantised inputs it gives what it gave from exact ones. No label is looked at.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor, nn

from .graph import Graph, Step, one, rectified
from .thresholds import Granularity, Method, choose, counts, quantised

Correction = Literal["none", "bias", "weights"]
_ROWS = 20_000  # of a convolution's windows that a fit looks at
_RIDGE = 1e-2  # of the mean square of an input


@torch.no_grad()
def calibrate(
    graph: Graph, samples: Tensor, rule: Method, *, granularity: Granularity, steps: int, start: float,
    correct: Correction, spiking_input: bool,
) -> tuple[dict[str, Tensor], dict[str, float], dict[str, float]]:  # fmt: skip
    """Each ReLU's thresholds, the share of its activations above them, and its rate error; weights are corrected in place.

    The rate error is `|n theta / T - a|` summed, over `a` summed. With spiking input the graph's input has a threshold too.
    """
    thetas: dict[str, Tensor] = {}
    clipped: dict[str, float] = {}
    errors: dict[str, float] = {}
    left = {name: len(graph.users(name)) for name in graph.steps}
    exact: dict[str, Tensor] = {}
    spiking: dict[str, Tensor] = {}

    def fired(step: Step, values: Tensor) -> Tensor:
        return quantised(values, thetas[step.name], steps, start)

    for name, step in graph.steps.items():
        if step.kind == "input":
            exact[name] = spiking[name] = samples
            if spiking_input:
                thetas[name] = samples.abs().max().clamp_min(torch.finfo(samples.dtype).tiny)
                spiking[name] = torch.sign(samples) * quantised(samples.abs(), thetas[name], steps, start)
        else:
            known, given = [exact[each] for each in step.inputs], [spiking[each] for each in step.inputs]
            exact[name] = one(step, known, rectified)
            if step.kind == "relu":
                thetas[name] = choose(rule, granularity, given[0], exact[name], steps, start, step.cap)
            elif step.kind == "weighted" and correct != "none" and given[0] is not known[0]:
                _correct(step.module, given[0], exact[name], correct)
            spiking[name] = one(step, given, fired)
            if step.kind == "relu":
                full = counts(given[0], thetas[name], steps, start) >= steps
                clipped[name] = float(full.float().mean())
                size = float(exact[name].abs().sum())
                errors[name] = float((spiking[name] - exact[name]).abs().sum()) / size if size else 0.0
        for each in step.inputs:
            left[each] -= 1
            if not left[each]:
                exact.pop(each), spiking.pop(each)
    return thetas, clipped, errors


def _correct(layer: Any, given: Tensor, wanted: Tensor, correct: Correction) -> None:
    with torch.no_grad():
        if correct == "weights":
            _refit(layer, given, wanted)
        moved = (wanted - layer(given)).movedim(1, -1).flatten(0, -2).mean(0)
        if layer.bias is None:
            layer.bias = nn.Parameter(moved)
        else:
            layer.bias.add_(moved)


def _refit(layer: Any, given: Tensor, wanted: Tensor) -> None:
    """`W + (A^T A + l I)^-1 A^T (Z - A W)`: the nearest weights that give `Z` from the inputs `A` that really come."""
    if isinstance(layer, nn.Linear):
        rows, rest = given, wanted - layer(given)
    elif isinstance(layer, nn.Conv2d) and layer.groups == 1 and not isinstance(layer.padding, str):
        rows = nn.functional.unfold(
            given, layer.kernel_size, dilation=layer.dilation, padding=layer.padding, stride=layer.stride
        )
        rows, rest = rows.movedim(1, 2).flatten(0, 1), (wanted - layer(given)).flatten(2).movedim(1, 2).flatten(0, 1)
        every = max(1, len(rows) // _ROWS)
        rows, rest = rows[::every], rest[::every]
    else:
        return
    a, r = rows.double(), rest.double()
    a, r = a - a.mean(0), r - r.mean(0)
    square = a.T @ a
    ridge = _RIDGE * float(square.diagonal().mean()) + torch.finfo(torch.float32).tiny
    square.diagonal().add_(ridge)
    change = torch.linalg.solve(square, a.T @ r)
    layer.weight.add_(change.T.reshape(layer.weight.shape).to(layer.weight.dtype))
