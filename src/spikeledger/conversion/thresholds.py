"""Which threshold a population gets: from the largest, or nearly the largest, activation, or by least squares for T steps.

A neuron that starts at `f theta` (f = 1/2) and takes a constant input `z` for T steps fires
`n = clip(floor(T z / theta + f), 0, T)` times, which stands for the activation `n theta / T`.

Sources: the largest activation, Diehl et al. 2015 (doi:10.1109/IJCNN.2015.7280696); percentiles, Rueckauer et al. 2017
(doi:10.3389/fnins.2017.00682); the half threshold at the start, Bu et al. 2022 (arXiv:2303.04347); least squares for the T
at hand, Li et al. 2021 (arXiv:2106.06984); by what the network's answers lose, Nahshan et al. 2019 (arXiv:1911.07190).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ..errors import InputError
from .graph import per_channel

Granularity = Literal["layer", "channel"]
_GRID = 40  # thresholds that least squares tries
_MOST = 1 << 20  # values of a population that are looked at
METHODS = "'auto', 'least_squares', 'least_divergence', 'max', a percentile such as '99.9%', a fraction such as '1/3', or 'qcfs'"


@dataclass(frozen=True)
class Method:
    """A rule by name; `share` is the percentile in [0, 1], or the fraction of the largest activation."""

    name: str
    kind: Literal["max", "percentile", "fraction", "least_squares", "least_divergence", "qcfs"]
    share: float = 1.0


def method(name: Any) -> Method:
    """Find a rule: `max`, `99.9%`, `1/3`, `least_squares`, `least_divergence`, `qcfs`.

    Raises:
        InputError: there is none of that name.
    """
    if name in ("max", "least_squares", "least_divergence", "qcfs"):
        return Method(name, name)
    name = str(name)
    percent = re.fullmatch(r"(\d{1,3}(?:\.\d+)?)%", name)
    if percent and 0 < float(percent[1]) <= 100:
        return Method(name, "percentile", float(percent[1]) / 100)
    fraction = re.fullmatch(r"(\d+)/(\d+)", name)
    if fraction and 0 < int(fraction[1]) <= int(fraction[2]):
        return Method(name, "fraction", int(fraction[1]) / int(fraction[2]))
    raise InputError(f"unknown conversion method '{name}': give {METHODS}")


def divergence(scores: Tensor, own: Tensor) -> float:
    """Mean Kullback-Leibler divergence of answers `[B, classes]`, as shares of a softmax, from the ANN's own."""
    shares, wanted = scores.log_softmax(1), own.log_softmax(1)
    return float(nn.functional.kl_div(shares, wanted, reduction="batchmean", log_target=True))


def quantised(values: Tensor, theta: Tensor, steps: int, start: float, cap: float | None = None) -> Tensor:
    """What a population says for inputs `[B, C, ...]`: `clip(floor(T z / theta + f), 0, T) theta / T`."""
    wide = per_channel(theta, values.dim())
    return counts(values, theta, steps, start) * (wide / steps)


def counts(values: Tensor, theta: Tensor, steps: int, start: float) -> Tensor:
    """How often it fires: `clip(floor(T z / theta + f), 0, T)`."""
    return torch.floor(values * steps / per_channel(theta, values.dim()) + start).clamp_(0, steps)


def brightest(samples: Tensor) -> Tensor:
    """The threshold of inputs that spike: the largest of them."""
    return samples.abs().max().clamp_min(torch.finfo(samples.dtype).tiny)


def as_spikes(samples: Tensor, theta: Tensor, steps: int, start: float) -> Tensor:
    """What inputs say when they spike; those below 0 by spikes of a channel of their own."""
    return torch.sign(samples) * quantised(samples.abs(), theta, steps, start)


def choose(
    rule: Method,
    granularity: Granularity,
    arriving: Tensor,
    wanted: Tensor,
    steps: int,
    start: float,
    cap: float | None,
) -> Tensor:
    """The thresholds of a population, `[]` or `[C]`, never above the cap of its ReLU.

    Args:
        arriving: its inputs `[B, C, ...]` as the spiking layers before give them.
        wanted: the ANN's activations there.
    """
    z, a = (_rows(each) for each in (arriving, wanted))
    if granularity == "layer":
        z, a = z.reshape(-1, 1), a.reshape(-1, 1)
    largest = a.amax(0)
    silent = largest <= 0
    largest = torch.where(silent, largest.max().clamp_min(torch.finfo(a.dtype).tiny), largest)
    if not bool(largest.max() > torch.finfo(a.dtype).tiny):
        largest = torch.ones_like(largest)
    if rule.kind == "percentile":
        rank = max(1, min(len(a), round(rule.share * len(a))))
        found = a.kthvalue(rank, 0).values
        theta = torch.where(found > 0, found, largest)
    elif rule.kind in ("least_squares", "least_divergence"):  # the second begins where the first ends
        theta = _least_squares(z, a, largest, steps, start)
    else:
        theta = largest * (rule.share if rule.kind == "fraction" else 1.0)
    if cap is not None:
        theta = theta.clamp_max(cap)
    return theta.reshape(()) if granularity == "layer" else theta


def _least_squares(z: Tensor, a: Tensor, largest: Tensor, steps: int, start: float) -> Tensor:
    """`argmin over theta of sum (clip(floor(T z / theta + f), 0, T) theta / T - a)^2`, column by column."""
    best, least = largest, torch.full_like(largest, torch.inf)
    for share in torch.linspace(1 / _GRID, 1.0, _GRID).tolist():
        theta = largest * share
        error = (counts(z, theta, steps, start) * (theta / steps) - a).square_().sum(0)
        better = error < least
        best, least = torch.where(better, theta, best), torch.where(better, error, least)
    return best


def _rows(values: Tensor) -> Tensor:
    """Values `[B, C, *space]` as rows `[many, C]`, evenly spaced ones where there are too many."""
    rows = values.movedim(1, -1).reshape(-1, values.shape[1])
    every = max(1, -(-rows.numel() // _MOST))
    return rows[::every]
