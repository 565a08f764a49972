"""Populations: neurons with gains, biases and directions, which say values together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arguments import checked
from ..errors import InputError
from .decoders import solve
from .neurons import LIF

Values = NDArray[np.float64]


@checked
@dataclass(frozen=True, eq=False)
class Population:
    """Neurons whose currents are `gain (encoders . x) / radius + bias`, for values `x [D]` within a radius."""

    encoders: Values  # [N, D], of length 1
    gain: Values  # [N]
    bias: Values  # [N]
    points: Values  # [M, D], at which decoders are solved
    radius: float = 1.0
    neuron: LIF = field(default_factory=LIF)

    def __post_init__(self) -> None:
        if self.encoders.ndim != 2 or not len(self.encoders) == len(self.gain) == len(self.bias):
            raise InputError(
                f"encoders {list(self.encoders.shape)}, gains {list(self.gain.shape)} and biases "
                f"{list(self.bias.shape)} must be those of the same neurons: [N, D], [N] and [N]"
            )

    @property
    def neurons(self) -> int:
        """How many neurons."""
        return len(self.gain)

    @property
    def dimensions(self) -> int:
        """How many numbers a value has."""
        return self.encoders.shape[1]

    @checked
    def currents(self, values: ArrayLike) -> Values:
        """Currents `[..., N]` that values `[..., D]` drive."""
        given = np.asarray(values, np.float64)
        if given.shape[-1:] != (self.dimensions,):
            raise InputError(
                f"values have {self.dimensions} numbers, [..., {self.dimensions}], not {list(given.shape)}"
            )
        return given @ (self.encoders.T / self.radius) * self.gain + self.bias

    @checked
    def rates(self, values: ArrayLike) -> Values:
        """Tuning curves: spikes a second `[..., N]` at values `[..., D]`."""
        return self.neuron.rate(self.currents(values))

    @checked
    def decoders(self, function: Callable[[Values], Any] | None = None, *, noise: float = 0.1) -> Values:
        """Decoders `[N, D out]` of a function of the value, which takes points `[M, D]`; of the value itself by default."""
        wanted = self.points if function is None else np.asarray(function(self.points), np.float64)
        return solve(self.rates(self.points), wanted.reshape(len(self.points), -1), noise=noise)


@checked
def population(
    neurons: int,
    dimensions: int = 1,
    *,
    seed: int = 0,
    radius: float = 1.0,
    max_rates: tuple[float, float] = (200.0, 400.0),
    intercepts: tuple[float, float] = (-1.0, 0.9),
    points: int | None = None,
    neuron: LIF | None = None,
) -> Population:
    """A random population: uniform maximum rates (Hz) and intercepts, directions uniform on the sphere.

    Args:
        points: at which decoders are solved, uniform within the radius; `max(750, 2 neurons)` by default.
    """
    if min(neurons, dimensions) < 1 or radius <= 0 or (points is not None and points < 1):
        raise InputError(
            f"a population has at least 1 neuron, 1 dimension and 1 point, and a radius above 0, not {neurons}, {dimensions}, "
            f"{points} and {radius:g}"
        )
    draw, neuron = np.random.default_rng(seed), neuron or LIF()
    gain, bias = neuron.gain_bias(draw.uniform(*max_rates, neurons), draw.uniform(*intercepts, neurons))
    many = points or max(750, 2 * neurons)
    ball = _directions(draw, many, dimensions) * draw.random((many, 1)) ** (1 / dimensions) * radius
    return Population(_directions(draw, neurons, dimensions), gain, bias, ball, radius, neuron)


def _directions(draw: np.random.Generator, number: int, dimensions: int) -> Values:
    given = draw.standard_normal((number, dimensions))
    return given / np.linalg.norm(given, axis=1, keepdims=True)
