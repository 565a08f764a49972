"""What a population of neurons is made of: its constants, and the state that it keeps from step to step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from torch import Tensor

from ..errors import InputError
from .surrogates import Surrogate

#: what a spike does to the membrane; the kernels know each by its place in this row
Reset = Literal["subtract", "zero", "none"]
RESETS: tuple[Reset, ...] = get_args(Reset)


class State(NamedTuple):
    """What a population keeps from step to step, each `[B, *N]`; None for what its kind does not have."""

    membrane: Tensor
    #: synaptic current
    current: Tensor | None = None
    #: of the threshold
    adaptation: Tensor | None = None
    #: steps for which the neuron still waits
    refractory: Tensor | None = None
    #: of the last step, where a delayed reset or a connection of the population to itself needs them
    spikes: Tensor | None = None

    def detach(self) -> State:
        """The same, cut off from what computed it."""
        parts: Any = (None if part is None else part.detach() for part in self)
        return State(*parts)


class Cells(NamedTuple):
    """The constants of a population; a tensor holds one for each neuron, or broadcasts over `[*N]`."""

    threshold: float
    reset: Reset
    reset_delay: bool
    surrogate: Surrogate
    beta: Tensor | float
    alpha: Tensor | None = None
    rho: Tensor | None = None
    strength: Tensor | None = None
    refractory: int = 0
    #: weight of each neuron's connection to itself
    own: Tensor | None = None
    #: weights `[N, N]` of the population's connections to itself, row i into neuron i
    weight: Tensor | None = None
    #: whether a membrane at the threshold fires too
    inclusive: bool = False
    #: membrane before the first step
    initial: Tensor | float = 0.0

    def over(self, shape: Sequence[int]) -> Cells:
        """The same with every constant in a form that broadcasts over neurons of a shape."""
        fitting: dict[str, Any] = {
            name: along(value, shape) for name in PARAMETERS if (value := getattr(self, name)) is not None
        }
        return self._replace(**fitting)

    def rest(self, like: Tensor) -> State:
        """The state before the first step of neurons `[B, *N]`: the initial membrane, else zeros."""
        zeros = like.new_zeros(like.shape)
        first = zeros + along(self.initial, like.shape[1:])
        back = self.own is not None or self.weight is not None or self.reset_delay
        has = (True, self.alpha is not None, self.rho is not None, self.refractory > 0, back)
        return State(first, *(zeros if each else None for each in has[1:]))


def bar(threshold: float, inclusive: bool) -> float:
    """The largest float32 membrane that does not fire: the threshold, or, where that fires too, the number below it."""
    at = np.float32(threshold)
    return float(np.nextafter(at, np.float32(-np.inf)) if inclusive else at)


#: constants with one value a neuron, which may be learned
PARAMETERS = ("beta", "alpha", "rho", "strength", "own")


def along(value: Tensor | float, shape: Sequence[int]) -> Tensor | float:
    """A constant that broadcasts over neurons `[*N]`; one axis beside several is that of the channels, as in batch norm.

    Raises:
        InputError: if it does not fit.
    """
    if not isinstance(value, Tensor) or value.numel() == 1:
        return value.reshape(()) if isinstance(value, Tensor) else value
    if value.dim() == 1 and len(shape) > 1:
        fits = value.shape[0] == shape[0]
        value = value.view(-1, *(1 for _ in shape[1:]))
    else:
        ends = zip(reversed(value.shape), reversed(shape), strict=False)
        fits = value.dim() <= len(shape) and all(have in (1, want) for have, want in ends)
    if not fits:
        raise InputError(
            f"a neuron's constant has the shape {list(value.shape)}, but its neurons are {list(shape)}: give one number, "
            f"one a channel [{shape[0] if shape else 1}], or one a neuron"
        )
    return value
