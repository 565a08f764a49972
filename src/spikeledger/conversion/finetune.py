"""QCFS: the ANN trained on with quantised activations whose thresholds are learned (Bu et al. 2022, arXiv:2303.04347).

    a = theta / L clip(floor(z L / theta + f), 0, L)        (f = 1/2, the membrane before the first step)

Backward, the floor is passed straight through: `da/dz = 1` inside (0, theta), and `da/dtheta` is what the equation gives with
the floor's own derivative left out.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ..errors import InputError
from .calibrate import calibrate
from .graph import Graph, Step, answer, per_channel, rectified
from .thresholds import Granularity, counts, method

_RATE, _BATCH = 1e-3, 128


def fine_tuned(
    graph: Graph, samples: Tensor, labels: Tensor, *, steps: int, epochs: int, seed: int,
    granularity: Granularity = "layer", start: float = 0.5,
) -> tuple[Graph, dict[str, Tensor]]:  # fmt: skip
    """The graph with trained weights, and for each ReLU a threshold, or one a channel."""
    tuned = copy.deepcopy(graph)
    first, _, _ = calibrate(
        tuned, samples[: 4 * _BATCH], method("least_squares"), granularity=granularity, steps=steps, start=start,
        correct="none", spiking_input=False,
    )  # fmt: skip
    thetas = {name: nn.Parameter(value.detach().clone()) for name, value in first.items()}
    trained(tuned, samples, labels, epochs=epochs, seed=seed, thetas=thetas, steps=steps, start=start)
    return tuned, {name: theta.detach().clone() for name, theta in thetas.items()}


def trained(
    graph: Graph, samples: Tensor, labels: Tensor, *, epochs: int, seed: int,
    thetas: Mapping[str, nn.Parameter] | None = None, steps: int = 1, start: float = 0.5,
) -> None:  # fmt: skip
    """Train a graph's weights in place: with thresholds quantised, and they are learned too; without as the ANN it is."""
    if epochs < 1:
        raise InputError(f"QCFS was asked to train for {epochs} epochs, but needs at least 1")
    learned = {} if thetas is None else dict(thetas)

    def activation(step: Step, values: Tensor) -> Tensor:
        if not learned:
            return rectified(step, values)
        found: Tensor = _Quantised.apply(values, learned[step.name], steps, start)
        return found

    weights = [each for _, module in graph.modules() for each in module.parameters()]
    for each in weights:
        each.requires_grad_(True)
    optimizer = torch.optim.Adam([*weights, *learned.values()], lr=_RATE)
    batches = max(1, -(-len(samples) // _BATCH))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * batches)
    for epoch in range(epochs):
        order = torch.randperm(len(samples), generator=torch.Generator().manual_seed(seed * 1_000_003 + epoch))
        for chosen in order.split(_BATCH):
            loss = nn.functional.cross_entropy(answer(graph, samples[chosen], activation), labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            with torch.no_grad():
                for name, theta in learned.items():
                    theta.clamp_(min=1e-3, max=graph.steps[name].cap)
    for each in weights:
        each.requires_grad_(False)


class _Quantised(torch.autograd.Function):
    @staticmethod
    def forward(ctx, values, theta, steps, start):  # type: ignore[no-untyped-def]
        level = counts(values, theta, steps, start) / steps
        ctx.save_for_backward(values, theta, level)
        return level * per_channel(theta, values.dim())

    @staticmethod
    def backward(ctx, grad):  # type: ignore[no-untyped-def]
        values, theta, level = ctx.saved_tensors
        wide = per_channel(theta, values.dim())
        inside = (values > 0) & (values < wide)
        to_theta = grad * (level - torch.where(inside, values / wide, torch.zeros_like(values)))
        return grad * inside, to_theta.sum_to_size(wide.shape).reshape(theta.shape), None, None
