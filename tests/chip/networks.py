"""Networks for the chip's tests, with weights that every sum holds exactly."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import spikeledger as sl
from spikeledger.mapping.mapped import Mapped, Population, Projection
from spikeledger.mapping.synapses import Sparse


def exact(network: nn.Module, *, seed: int = 0, pruned: float = 0.0) -> nn.Module:
    """Give a network weights k/256, some of them 0; batch norm gets a scale that is a power of two."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eps = 0.0
                module.running_var.fill_(0.25)
                module.running_mean.copy_(torch.randint(-8, 8, module.running_mean.shape, generator=generator) / 256)
                module.weight.fill_(0.5)
                module.bias.zero_()
                continue
            for parameter in module.parameters(recurse=False):
                drawn = torch.randint(-60, 150, parameter.shape, generator=generator) / 256
                keep = torch.rand(parameter.shape, generator=generator) >= pruned
                parameter.copy_(drawn * keep)
    return network


def spikes(*shape: int, seed: int = 0, rate: float = 0.4) -> Tensor:
    """Random spikes of a shape."""
    return (torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) < rate).float()


class Recurrent(nn.Module):
    """A layer that hears itself one step later, a skip from the input, and a layer behind."""

    def __init__(self, reset: str = "subtract", reset_delay: bool = False) -> None:
        super().__init__()
        self.into = nn.Linear(12, 9)
        self.around = nn.Linear(9, 9, bias=False)
        self.skip = nn.Linear(12, 4, bias=False)
        self.out = nn.Linear(9, 4)
        self.hidden = sl.LIF(0.875, reset=reset, reset_delay=reset_delay)
        self.answer = sl.LIF(0.75, reset=reset, reset_delay=reset_delay)

    def forward(self, sequence: Tensor) -> Tensor:
        batch = sequence.shape[1]
        fired = sequence.new_zeros(1, batch, 9)
        state, last = self.hidden.rest(fired), self.answer.rest(sequence.new_zeros(1, batch, 4))
        answers = []
        for x in sequence.split(1):
            fired, state = self.hidden(self.into(x) + self.around(fired), state)
            answer, last = self.answer(self.out(fired) + self.skip(x), last)
            answers.append(answer)
        return torch.cat(answers)


def _kind(rng: np.random.Generator, size: int) -> dict[str, Any]:
    """What a random kind of neurons has beside its membrane."""
    found: dict[str, Any] = {"refractory": int(rng.integers(0, 4)) if rng.random() < 0.4 else 0}
    if rng.random() < 0.5:
        found["alpha"] = rng.integers(0, 9, size) / 8 if rng.random() < 0.5 else float(rng.integers(0, 9) / 8)
    if rng.random() < 0.4:
        found["rho"] = rng.integers(0, 8, size) / 8 if rng.random() < 0.5 else float(rng.integers(0, 8) / 8)
        found["strength"] = rng.integers(0, 5, size) / 8 if rng.random() < 0.5 else float(rng.integers(0, 5) / 8)
    return found


def random_graph(seed: int, *, populations: int = 3, dtype: type = np.float32, cells: bool = False) -> Mapped:
    """Populations of other sizes, constants and resets, joined at random: loops and delays too; `cells` of any kind."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 24, populations + 1)
    made = {"input": Population("input", (int(sizes[0]),), "input")}
    for k in range(populations):
        size = int(sizes[k + 1])
        made[f"p{k}"] = Population(
            f"p{k}", (size,),
            beta=rng.integers(0, 9, size) / 8 if rng.random() < 0.5 else float(rng.integers(0, 9) / 8),
            threshold=float(rng.integers(1, 6) / 4), reset=str(rng.choice(["subtract", "zero", "none"])),  # type: ignore[arg-type]
            reset_delay=bool(rng.random() < 0.5), bias=rng.integers(-16, 48, size) / 256,
            start=float(rng.integers(0, 8) / 8), **(_kind(rng, size) if cells else {}),
        )  # fmt: skip
    names = list(made)
    projections = []
    for k in range(int(rng.integers(2, 8))):
        source, target = str(rng.choice(names)), str(rng.choice(names[1:]))
        forward = names.index(source) < names.index(target)
        a, b = made[source].size, made[target].size
        chosen = np.flatnonzero(rng.random(a * b) < rng.choice([0.1, 0.5, 1.0]))
        weights = (rng.integers(-128, 192, len(chosen)) / 256).astype(dtype)
        synapses = Sparse.from_edges(chosen // b, chosen % b, weights, a, b)
        projections.append(Projection(source, target, synapses, int(rng.integers(0 if forward else 1, 5)), f"w{k}"))
    return Mapped(made, tuple(projections), names[-1])


def lif(**options: object) -> nn.Module:
    return sl.LIF(0.875, **options)


def synaptic(**options: object) -> nn.Module:
    return sl.Synaptic(0.75, 0.875, **options)


def adaptive(**options: object) -> nn.Module:
    return sl.AdaptiveLIF(0.875, 0.75, 0.25, **options)


def over(module: nn.Module) -> nn.Module:
    return sl.over_time(module)


NETWORKS = {
    "mlp": (lambda: nn.Sequential(nn.Linear(12, 9), lif(), nn.Linear(9, 4), lif()), (12,)),
    "delayed reset": (lambda: nn.Sequential(nn.Linear(12, 9), lif(reset_delay=True), nn.Linear(9, 4), lif()), (12,)),
    "reset to zero": (
        lambda: nn.Sequential(nn.Linear(12, 9), lif(reset="zero"), nn.Linear(9, 4), lif(reset="none")), (12,)
    ),
    "synaptic": (lambda: nn.Sequential(nn.Linear(12, 9), synaptic(), nn.Linear(9, 4), synaptic(reset="zero")), (12,)),
    "synaptic, late reset": (
        lambda: nn.Sequential(
            nn.Linear(12, 9), synaptic(reset_delay=True), nn.Linear(9, 4), synaptic(reset="zero", reset_delay=True)
        ), (12,),
    ),
    "refractory": (
        lambda: nn.Sequential(
            nn.Linear(12, 9), lif(refractory=2), nn.Linear(9, 5), lif(refractory=1, reset="zero", reset_delay=True),
            nn.Linear(5, 4), lif(refractory=3, reset_delay=True), nn.Linear(4, 4), lif(refractory=1, reset="none"),
        ), (12,),
    ),
    "adaptive": (
        lambda: nn.Sequential(
            nn.Linear(12, 9), adaptive(), nn.Linear(9, 5), adaptive(alpha=0.5, reset="zero", refractory=2),
            nn.Linear(5, 4), adaptive(reset_delay=True),
        ), (12,),
    ),
    "synaptic convolution": (
        lambda: nn.Sequential(
            over(nn.Conv2d(2, 4, 3, padding=1)),
            sl.Synaptic(torch.tensor([0.5, 0.75, 0.25, 0.0]), torch.tensor([0.5, 0.75, 0.875, 1.0]), refractory=1),
            over(nn.AvgPool2d(2)), over(nn.Conv2d(4, 6, 3, stride=2)),
            sl.AdaptiveLIF(0.5, torch.arange(6).view(6, 1, 1) / 8, torch.arange(4).view(1, 2, 2) / 8),
            nn.Flatten(2), nn.Linear(24, 5), synaptic(),
        ), (2, 10, 10),
    ),
    "recurrent": (lambda: Recurrent(), (12,)),
    "recurrent, synaptic": (
        lambda: nn.Sequential(nn.Linear(12, 9), sl.Recurrent.all_to_all(synaptic(refractory=1), 9), nn.Linear(9, 4), lif()),
        (12,),
    ),
    "recurrent, late reset": (lambda: Recurrent("zero", True), (12,)),
    "conv": (
        lambda: nn.Sequential(
            over(nn.Conv2d(2, 4, 3, padding=1)), lif(), over(nn.AvgPool2d(2)),
            over(nn.Conv2d(4, 6, 3, stride=2)), lif(),
            nn.Flatten(2), nn.Linear(24, 5), lif(),
        ), (2, 10, 10),
    ),
    "groups and dilation": (
        lambda: nn.Sequential(
            over(nn.Conv2d(4, 6, (3, 2), padding=(2, 1), dilation=(2, 1), groups=2)), lif(), nn.Flatten(2),
            nn.Linear(6 * 7 * 8, 3, bias=False), lif(),
        ), (4, 7, 7),
    ),
    "depthwise": (
        lambda: nn.Sequential(over(nn.Conv2d(4, 4, 3, groups=4)), lif(), over(nn.Conv2d(4, 2, 1)), lif()), (4, 6, 6)
    ),
    "batch norm": (lambda: nn.Sequential(over(nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4))), lif()), (2, 6, 6)),
    "conv 1d": (lambda: nn.Sequential(over(nn.Conv1d(3, 5, 3, stride=2)), lif(), over(nn.AvgPool1d(2)), nn.Flatten(2),
                                      nn.Linear(10, 3), lif()), (3, 9)),
    "pooled to one": (lambda: nn.Sequential(over(nn.Conv2d(1, 4, 3)), lif(), over(nn.AdaptiveAvgPool2d(1)),
                                            nn.Flatten(2), nn.Linear(4, 3), lif()), (1, 6, 6)),
    "overlapping windows": (lambda: nn.Sequential(over(nn.Conv2d(1, 3, 3)), lif(), over(nn.AvgPool2d(2, stride=1)),
                                                  over(nn.Conv2d(3, 2, 2)), lif()), (1, 7, 7)),
    "max pool": (lambda: nn.Sequential(over(nn.Conv2d(2, 4, 3)), lif(), over(nn.MaxPool2d(2)), over(nn.Conv2d(4, 3, 2)),
                                       lif(), nn.Flatten(2), nn.Linear(27, 3), lif()), (2, 10, 10)),
    "max pool, overlapping": (lambda: nn.Sequential(over(nn.Conv2d(2, 4, 3)), lif(), over(nn.MaxPool2d(3, 2, 1)),
                                                    over(nn.MaxPool2d(2)), over(nn.Conv2d(4, 3, 2)), lif()), (2, 10, 10)),
    "max pool 1d": (lambda: nn.Sequential(over(nn.Conv1d(3, 5, 3)), lif(), over(nn.MaxPool1d(2)), nn.Flatten(2),
                                          nn.Linear(15, 8), lif()), (3, 9)),
    "max pool to one": (lambda: nn.Sequential(over(nn.Conv2d(1, 4, 3)), lif(), over(nn.AdaptiveMaxPool2d((2, 1))),
                                              nn.Flatten(2), nn.Linear(8, 3), lif()), (1, 6, 6)),
}  # fmt: skip
