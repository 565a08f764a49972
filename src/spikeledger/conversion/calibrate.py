"""Thresholds and corrections, population by population, each on what the spiking layers before it really give.

After Li et al. 2021 (arXiv:2106.06984): the mean by which a weighted layer's output moved, since its input is quantised, is
added back to its bias; with `correct="weights"` the layer's weights are fitted again, by ridge regression, so that from
quantised inputs it gives what it gave from exact ones. How far weights may move is judged on samples that the fit did not
see. No label is looked at.

Squares weigh large activations most, and answers hang on small ones: where few activations are far larger than the others,
`least_divergence` takes for each population the multiple of the thresholds of least squares that moves the answers least,
the populations behind it exact (after Nahshan et al. 2019, arXiv:1911.07190, who choose steps by the network's loss).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from .graph import Graph, Step, answer, one, rectified
from .thresholds import Granularity, Method, as_spikes, brightest, choose, counts, divergence, quantised

Correction = Literal["none", "bias", "weights"]
_ROWS = 20_000  # of a convolution's windows that a fit looks at
_AT_ONCE = 1 << 24  # numbers in windows that lie in memory together
_MULTIPLES = (1.0, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.85, 1.2)  # of a threshold; of equals the first is taken
_ANSWERED, _FEWEST, _VALUES = 2000, 200, 1 << 23  # samples whose answers are compared; values of their widest layer
_PART = 250  # of them at once
_RIDGES = (1e-3, 1e-2, 1e-1, 1.0, 10.0)  # of the mean square of an input: what few samples cannot tell stays as it was


@torch.no_grad()
def calibrate(
    graph: Graph, samples: Tensor, rule: Method, *, granularity: Granularity, steps: int, start: float,
    correct: Correction, spiking_input: bool, known: Mapping[str, Tensor] | None = None,
) -> tuple[dict[str, Tensor], dict[str, float], dict[str, float]]:  # fmt: skip
    """Each ReLU's thresholds, the share of its activations above them, and its rate error; weights are corrected in place.

    The rate error is `|n theta / T - a|` summed, over `a` summed. With spiking input the graph's input has a threshold too.
    `known` are thresholds that stand, in place of the rule's.
    """
    given_thetas = known or {}
    thetas: dict[str, Tensor] = {}
    clipped: dict[str, float] = {}
    errors: dict[str, float] = {}
    left = {name: len(graph.users(name)) for name in graph.steps}
    exact: dict[str, Tensor] = {}
    spiking: dict[str, Tensor] = {}

    own = samples[:0]
    if rule.kind == "least_divergence":
        widest = max(math.prod(shape) for shape in graph.shapes.values())
        few = min(_ANSWERED, max(_FEWEST, _VALUES // widest))
        own = torch.cat([answer(graph, part) for part in samples[:few].split(_PART)])

    def fired(step: Step, values: Tensor) -> Tensor:
        return quantised(values, thetas[step.name], steps, start)

    for name, step in graph.steps.items():
        if step.kind == "input":
            exact[name] = spiking[name] = samples
            if spiking_input:
                thetas[name] = given_thetas[name] if name in given_thetas else brightest(samples)
                spiking[name] = as_spikes(samples, thetas[name], steps, start)
        else:
            true, given = [exact[each] for each in step.inputs], [spiking[each] for each in step.inputs]
            exact[name] = one(step, true, rectified)
            if step.kind == "relu":
                by = "layer" if name == graph.output else granularity  # spikes that are the answer are compared
                arriving, wanted = _pooled(graph, name, given[0], exact[name])
                chosen = given_thetas.get(name)
                if chosen is None:
                    chosen = choose(rule, by, arriving, wanted, steps, start, step.cap)
                    if rule.kind == "least_divergence":
                        chosen = _nearest(graph, step, spiking, own, chosen, steps, start)
                thetas[name] = chosen
            elif step.kind == "weighted" and correct != "none" and given[0] is not true[0]:
                _correct(step.module, given[0], exact[name], correct)
            same = step.kind != "relu" and all(one is other for one, other in zip(true, given, strict=True))
            spiking[name] = exact[name] if same else one(step, given, fired)
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


def _nearest(
    graph: Graph, step: Step, spiking: Mapping[str, Tensor], own: Tensor, theta: Tensor, steps: int, start: float
) -> Tensor:  # fmt: skip
    """The multiple of a population's thresholds whose answers diverge least from the ANN's `own`, `[B, classes]`."""
    best, least = theta, math.inf
    for share in _MULTIPLES:
        tried = (theta * share).clamp_max(step.cap) if step.cap is not None else theta * share
        said = []
        for first in range(0, len(own), _PART):
            held = {name: values[first : min(first + _PART, len(own))] for name, values in spiking.items()}
            held[step.name] = quantised(held[step.inputs[0]], tried, steps, start)
            said.append(_onward(graph, step.name, held))
        far = divergence(torch.cat(said), own)
        if far < least:
            best, least = tried, far
    return best


def _onward(graph: Graph, name: str, held: dict[str, Tensor]) -> Tensor:
    """The answer from the values of the steps up to one, ReLUs behind it exact."""
    behind = list(graph.steps)[list(graph.steps).index(name) + 1 :]
    for each in behind:
        step = graph.steps[each]
        held[each] = one(step, [held[source] for source in step.inputs], rectified)
    return held[graph.output]


def _pooled(graph: Graph, name: str, arriving: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    """What goes on of a population where only the largest of a window does: thresholds suit those alone."""
    users = graph.users(name)
    pool = graph.steps[users[0]].module if len(users) == 1 and graph.steps[users[0]].kind == "maximum" else None
    return (arriving, wanted) if pool is None else (pool(arriving), pool(wanted))


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
        rows, rest = _windows(layer, given, wanted)
    else:
        return
    layer.weight.add_(_ridge(rows, rest).T.reshape(layer.weight.shape))


def _windows(layer: nn.Conv2d, given: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    """The inputs of a convolution's outputs, one a row, and what each output lacks; evenly spaced ones of too many."""
    places = wanted[0, 0].numel()
    every = max(1, len(given) * places // _ROWS)
    at_once = max(1, _AT_ONCE // (places * layer.weight[0].numel()))
    rows, rest = [], []
    for some, goal in zip(given.split(at_once), wanted.split(at_once), strict=True):
        found = nn.functional.unfold(some, layer.kernel_size, layer.dilation, layer.padding, layer.stride)  # type: ignore[arg-type]
        rows.append(found.movedim(1, 2).flatten(0, 1)[::every].clone())
        rest.append((goal - layer(some)).flatten(2).movedim(1, 2).flatten(0, 1)[::every])
    return torch.cat(rows), torch.cat(rest)


def _ridge(rows: Tensor, rest: Tensor) -> Tensor:
    """`(A^T A + l I)^-1 A^T R` of centred rows; `l` is what leaves least on the last quarter, and no change may leave less."""
    cut = len(rows) - len(rows) // 4
    a, r = rows[:cut] - rows[:cut].mean(0), rest[:cut] - rest[:cut].mean(0)
    held, left = rows[cut:] - rows[:cut].mean(0), rest[cut:] - rest[:cut].mean(0)
    best, least = 0.0, float(left.square().sum())
    for share, change in zip(_RIDGES, _solutions(a, r, _RIDGES), strict=True):
        error = float((left - held @ change).square().sum())
        if error < least:
            best, least = share, error
    if not best:
        return torch.zeros(rows.shape[1], rest.shape[1], dtype=rest.dtype)
    return next(_solutions(rows - rows.mean(0), rest - rest.mean(0), (best,)))


def _solutions(a: Tensor, r: Tensor, shares: Sequence[float]) -> Iterator[Tensor]:
    """Ridge regression for several `l`, each a share of the mean square of an input, on the smaller side of `A`."""
    wide = a.shape[1] > len(a)
    square = (a @ a.T if wide else a.T @ a).double()
    unit = float(a.double().square().sum()) / a.shape[1] + torch.finfo(torch.float32).tiny
    goal = (r if wide else a.T @ r).double()
    for share in shares:
        lifted = square.clone()
        lifted.diagonal().add_(share * unit)
        found = torch.linalg.solve(lifted, goal).to(r.dtype)
        yield a.T @ found if wide else found
