"""What stands in for the derivative of a spike: `d spike / d membrane`, always centred on the threshold.

Each function takes the distance to the threshold, `x = membrane - threshold`, and a `slope`; its peak is at `x = 0`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ..arguments import checked
from ..errors import InputError, unknown_name

Derivative = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Surrogate:
    """A derivative with its slope: one of `SURROGATES` by name, which the kernels know too, or a function of one's own."""

    name: str
    slope: float = 1.0
    #: `g(membrane - threshold)`, where it is one's own; it has no slope besides
    own: Derivative | None = None
    #: which of the kernels' own it is, in the order of `SURROGATES`; -1 of a function of one's own
    number: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "number", -1 if self.own is not None else list(SURROGATES).index(self.name))

    def __repr__(self) -> str:
        return f"{self.name}(slope={self.slope:g})" if self.own is None else self.name

    def derivative(self, x: Tensor) -> Tensor:
        """`g(x)` at distances `x` to the threshold."""
        return _FORMULAS[self.name](x, self.slope) if self.own is None else self.own(x)


@checked
def atan(slope: float = 1.0) -> Surrogate:
    """Arc tangent: `g(x) = slope/2 / (1 + (pi/2 slope x)^2)` (Fang et al. 2021, doi:10.1109/ICCV48922.2021.00266)."""
    return Surrogate("atan", slope)


def _atan(x: Tensor, slope: float) -> Tensor:
    return (slope / 2) / (1 + (math.pi / 2 * slope * x).square())


@checked
def fast_sigmoid(slope: float = 25.0) -> Surrogate:
    """Fast sigmoid: `g(x) = 1 / (1 + slope |x|)^2` (Zenke & Ganguli 2018, doi:10.1162/neco_a_01086)."""
    return Surrogate("fast_sigmoid", slope)


def _fast_sigmoid(x: Tensor, slope: float) -> Tensor:
    return (1 + slope * x.abs()).square().reciprocal()


@checked
def sigmoid(slope: float = 4.0) -> Surrogate:
    """Logistic: `g(x) = slope s(1 - s)` with `s = 1 / (1 + exp(-slope x))`."""
    return Surrogate("sigmoid", slope)


def _sigmoid(x: Tensor, slope: float) -> Tensor:
    s = torch.sigmoid(slope * x)
    return slope * s * (1 - s)


@checked
def triangle(slope: float = 1.0) -> Surrogate:
    """Triangle: `g(x) = max(0, 1 - slope |x|)` (Bellec et al. 2018, arXiv:1803.09574)."""
    return Surrogate("triangle", slope)


def _triangle(x: Tensor, slope: float) -> Tensor:
    return (1 - slope * x.abs()).clamp_min(0)


@checked
def straight_through(slope: float = 1.0) -> Surrogate:
    """Straight through: `g(x) = slope` everywhere (Bengio et al. 2013, arXiv:1308.3432)."""
    return Surrogate("straight_through", slope)


def _straight_through(x: Tensor, slope: float) -> Tensor:
    return torch.full_like(x, slope)


@checked
def rectangular(slope: float = 1.0) -> Surrogate:
    """Rectangular: `g(x) = slope` where `|x| < 1 / (2 slope)`, else 0 (Wu et al. 2018, doi:10.3389/fnins.2018.00331)."""
    return Surrogate("rectangular", slope)


def _rectangular(x: Tensor, slope: float) -> Tensor:
    return (slope * x.abs() < 0.5).to(x.dtype) * slope


#: zero but near the threshold: what lies farther away has no gradient, so that layers keep and compute none of it
COMPACT = ("triangle", "rectangular")
#: by name; the kernels know each by its place in this row
SURROGATES: dict[str, Callable[..., Surrogate]] = {
    "atan": atan,
    "fast_sigmoid": fast_sigmoid,
    "sigmoid": sigmoid,
    "triangle": triangle,
    "straight_through": straight_through,
    "rectangular": rectangular,
}
COMPACT_NUMBERS = tuple(list(SURROGATES).index(name) for name in COMPACT)
_FORMULAS: dict[str, Callable[[Tensor, float], Tensor]] = dict(
    zip(SURROGATES, (_atan, _fast_sigmoid, _sigmoid, _triangle, _straight_through, _rectangular), strict=True)
)


@checked
def surrogate(name: str | Surrogate | Derivative, slope: float | None = None) -> Surrogate:
    """Find a surrogate by name, or wrap a callable `g(membrane - threshold)` of one's own."""
    if isinstance(name, Surrogate):
        return name
    if callable(name):
        return Surrogate(getattr(name, "__name__", "custom"), own=name)
    if name not in SURROGATES:
        raise unknown_name("surrogate", name, SURROGATES)
    if slope is None:
        return SURROGATES[name]()
    if not (math.isfinite(slope) and slope > 0):
        raise InputError(f"a surrogate's slope is {slope}, but must be a finite number above 0")
    return SURROGATES[name](slope)
