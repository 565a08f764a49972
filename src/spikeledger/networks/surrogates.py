"""What stands in for the derivative of a spike: `d spike / d membrane`, always centred on the threshold.

Each function takes the distance to the threshold, `x = membrane - threshold`, and a `slope`; its peak is at `x = 0`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import InputError, unknown_name

Derivative = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Surrogate:
    """A named derivative with its slope; kernels know the name, plain torch calls `derivative`."""

    name: str
    slope: float
    derivative: Derivative

    def __repr__(self) -> str:
        return f"{self.name}(slope={self.slope:g})"


def atan(slope: float = 1.0) -> Surrogate:
    """Arc tangent: `g(x) = slope/2 / (1 + (pi/2 slope x)^2)` (Fang et al. 2021, doi:10.1109/ICCV48922.2021.00266)."""
    return Surrogate("atan", slope, lambda x: (slope / 2) / (1 + (math.pi / 2 * slope * x).square()))


def fast_sigmoid(slope: float = 25.0) -> Surrogate:
    """Fast sigmoid: `g(x) = 1 / (1 + slope |x|)^2` (Zenke & Ganguli 2018, doi:10.1162/neco_a_01086)."""
    return Surrogate("fast_sigmoid", slope, lambda x: (1 + slope * x.abs()).square().reciprocal())


def sigmoid(slope: float = 4.0) -> Surrogate:
    """Logistic: `g(x) = slope s(1 - s)` with `s = 1 / (1 + exp(-slope x))`."""

    def derivative(x: Tensor) -> Tensor:
        s = torch.sigmoid(slope * x)
        return slope * s * (1 - s)

    return Surrogate("sigmoid", slope, derivative)


def triangle(slope: float = 1.0) -> Surrogate:
    """Triangle: `g(x) = max(0, 1 - slope |x|)` (Bellec et al. 2018, arXiv:1803.09574)."""
    return Surrogate("triangle", slope, lambda x: (1 - slope * x.abs()).clamp_min(0))


def straight_through(slope: float = 1.0) -> Surrogate:
    """Straight through: `g(x) = slope` everywhere (Bengio et al. 2013, arXiv:1308.3432)."""
    return Surrogate("straight_through", slope, lambda x: torch.full_like(x, slope))


SURROGATES: dict[str, Callable[..., Surrogate]] = {
    "atan": atan,
    "fast_sigmoid": fast_sigmoid,
    "sigmoid": sigmoid,
    "triangle": triangle,
    "straight_through": straight_through,
}


def surrogate(name: str | Surrogate | Derivative, slope: float | None = None) -> Surrogate:
    """Find a surrogate by name, or wrap a callable `g(membrane - threshold)` of one's own."""
    if isinstance(name, Surrogate):
        return name
    if callable(name):
        return Surrogate(getattr(name, "__name__", "custom"), float("nan"), name)
    if name not in SURROGATES:
        raise unknown_name("surrogate", name, SURROGATES)
    if slope is None:
        return SURROGATES[name]()
    if not (math.isfinite(slope) and slope > 0):
        raise InputError(f"a surrogate's slope is {slope}, but must be a finite number above 0")
    return SURROGATES[name](slope)
