"""A network as a chip sees it: populations of neurons, and projections of synapses between them, with delays.

Neurons of a population are numbered in the order of its shape, last axis first. A projection says which synapses leave
each presynaptic neuron; they are kept as compact arrays, and a convolution keeps its shared weights. The equations of
the neurons are those of `networks.neurons`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..units import plural
from .projections import Projection as Projection
from .synapses import Convolution

Reset = Literal["subtract", "zero", "none"]
Array = NDArray[np.floating]
CONSTANTS = ("beta", "bias", "start", "alpha", "rho", "strength")  # of a population: a number, or one a neuron


@dataclass(frozen=True, eq=False)
class Population:
    """Neurons of one kind, or, with `kind="input"`, places where values arrive from outside.

    `beta` is the decay per step and `bias` the current that flows at every step, each a number or one a neuron `[N]`;
    `start` is the membrane before the first step. `alpha` is the decay of a synaptic current, and None where there is
    none; `rho` and `strength` are those of a threshold that adapts; `refractory` is how many steps a neuron waits. With
    `inclusive` a membrane at the threshold fires too; with a `window` it fires from the first step to before the second.
    """

    name: str
    shape: tuple[int, ...]
    kind: Literal["neurons", "input"] = "neurons"
    beta: float | Array = 1.0
    threshold: float = 1.0
    reset: Reset = "subtract"
    reset_delay: bool = False
    bias: float | Array = 0.0
    start: float | Array = 0.0
    alpha: float | Array | None = None
    rho: float | Array | None = None
    strength: float | Array = 0.0
    refractory: int = 0
    inclusive: bool = False
    window: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if not self.shape or min(self.shape) < 1:
            raise InputError(
                f"population '{self.name}' has the shape {list(self.shape)}, but needs at least one neuron"
            )
        if not (math.isfinite(self.threshold) and self.threshold > 0):
            raise InputError(f"the threshold of '{self.name}' is {self.threshold}, but must be finite and above 0")
        if self.refractory < 0:
            raise InputError(f"'{self.name}' waits {self.refractory} steps after a spike, but it must be 0 or more")
        for what in CONSTANTS:
            if getattr(self, what) is None:
                continue
            values = np.asarray(getattr(self, what))
            if values.ndim and values.shape != (self.size,):
                raise InputError(f"the {what} of '{self.name}' has shape {list(values.shape)}, not [{self.size}]")
            if not np.isfinite(values).all():
                raise InputError(f"the {what} of '{self.name}' holds a value that is NaN or infinite")

    @property
    def size(self) -> int:
        """Number of neurons."""
        return math.prod(self.shape)

    @property
    def spiking(self) -> bool:
        """Whether these are neurons, and not places of the input."""
        return self.kind == "neurons"

    @property
    def state_variables(self) -> int:
        """What one neuron keeps from step to step: its membrane, and what else it has."""
        return 1 + (self.alpha is not None) + (self.rho is not None) + (self.refractory > 0)


@dataclass(frozen=True, eq=False)
class Mapped:
    """Populations by name, and the projections between them; checked once, when it is made.

    `order` lists the populations so that every projection without delay goes forward; `output` is the population whose
    spikes are the network's answer.
    """

    populations: Mapping[str, Population]
    projections: tuple[Projection, ...]
    output: str = ""
    name: str = "network"
    source: Any = None  # the torch module that it was made of, which encodes its inputs
    layout: str = "TB"  # of the inputs of that module
    step_by_step: bool = False  # whether that module takes one step a call
    own_steps: int | None = None  # steps that it makes of each sample by itself
    order: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        for projection in self.projections:
            for end in (projection.source, projection.target):
                if end not in self.populations:
                    raise InputError(f"a projection of '{projection.layer}' names '{end}', which is no population")
            source, target = self.populations[projection.source], self.populations[projection.target]
            if not target.spiking:
                raise InputError(f"a projection of '{projection.layer}' ends at the input '{target.name}'")
            expected = projection.synapses.sources if projection.fan is None else projection.fan.sources
            if expected != source.size or projection.synapses.targets != target.size:
                raise InputError(
                    f"the synapses of '{projection.layer}' join {expected:,} with {projection.synapses.targets:,} "
                    f"neurons, but '{source.name}' has {source.size:,} and '{target.name}' {target.size:,}"
                )
            if projection.delay < 0:
                raise InputError(
                    f"the delay of '{projection.layer}' is {projection.delay} steps, but time goes forward"
                )
        object.__setattr__(self, "order", _order(self.populations, self.projections))
        if self.output and self.output not in self.populations:
            raise InputError(f"the output '{self.output}' is no population: {', '.join(self.populations)}")

    @property
    def neurons(self) -> int:
        """Spiking neurons; places of the input are not neurons."""
        return sum(each.size for each in self.populations.values() if each.spiking)

    @property
    def synapses(self) -> int:
        """Existing synapses: each connection of each neuron, shared weights or not."""
        return sum(each.count for each in self.projections)

    @property
    def stored_weights(self) -> int:
        """Weights that have to be stored when equal ones are shared, as a convolution's are."""
        seen = {id(each.synapses): each.synapses.stored for each in self.projections}
        return sum(seen.values())

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the populations where values arrive from outside."""
        return tuple(name for name, each in self.populations.items() if not each.spiking)

    @property
    def nbytes(self) -> int:
        """Bytes of all synapse arrays."""
        seen = {id(each.synapses): each.synapses.nbytes for each in self.projections}
        fans = {id(each.fan): each.fan.nbytes for each in self.projections if each.fan is not None}
        return sum(seen.values()) + sum(fans.values())

    def into(self, name: str) -> list[Projection]:
        """The projections that end at a population."""
        return [each for each in self.projections if each.target == name]

    def out_of(self, name: str) -> list[Projection]:
        """The projections that leave a population."""
        return [each for each in self.projections if each.source == name]

    def reach(self, name: str) -> int:
        """Steps that a population's spikes are under way at most."""
        return max((each.delay for each in self.out_of(name)), default=0)

    def __repr__(self) -> str:
        return (
            f"Mapped({self.name!r}, {plural(len(self.populations), 'population')}, {plural(self.neurons, 'neuron')}, "
            f"{self.synapses:,} synapses, {self.stored_weights:,} stored weights)"
        )


def _order(populations: Mapping[str, Population], projections: tuple[Projection, ...]) -> tuple[str, ...]:
    """Populations so that each comes after those whose spikes reach it in the same step."""
    before = {name: {p.source for p in projections if p.target == name and p.delay == 0} for name in populations}
    done: list[str] = []
    while before:
        ready = [name for name, sources in before.items() if sources <= set(done)]
        if not ready:
            raise InputError(
                f"the populations {', '.join(sorted(before))} reach each other in a circle without delay: "
                "no step could be computed; give one of the projections a delay of at least 1"
            )
        done += ready
        before = {name: sources for name, sources in before.items() if name not in ready}
    return tuple(done)


# -- the order of a population's neurons where a convolution reaches it ---------------------------------------------------


def grain(network: Mapped, name: str) -> int:
    """Channels of a population that convolutions reach: its neurons lie position by position."""
    channels = {p.synapses.out_shape[0] for p in network.into(name) if isinstance(p.synapses, Convolution)}
    if len(channels) > 1:
        raise InputError(f"'{name}' receives convolutions of {sorted(channels)} channels: give all the same number")
    return channels.pop() if channels else 1


def inward(array: NDArray[Any], channels: int) -> NDArray[Any]:
    """From channel by channel to position by position, on the last axis; one number stays one number."""
    if channels == 1 or array.shape[-1] == 1 or not array.size:
        return array
    return array.reshape(*array.shape[:-1], channels, -1).swapaxes(-1, -2).reshape(array.shape)


def outward(array: NDArray[Any], channels: int) -> NDArray[Any]:
    """The way back from `inward`."""
    if channels == 1 or not array.size:
        return array
    return array.reshape(*array.shape[:-1], -1, channels).swapaxes(-1, -2).reshape(array.shape)
