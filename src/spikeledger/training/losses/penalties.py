"""What spikes cost while a network learns: penalties on rates, on synaptic operations and on joules of a profile.

Each is nothing below its target and `weight * (amount - target) / movable` above it, where `movable` is the part of the
amount that hangs on spikes and synapses, at its present value. So the weight says how much loss a fall of that part by
one per cent is worth, a hundred times; whatever the unit, and whatever static power is in the bill. Where most of it is
the input's, the network's own spikes are pressed that much less, and pruning has to save it.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ...activity import Activity
from ...arguments import checked
from ...errors import InputError
from ...hardware.catalog import load_profile
from ...hardware.profile import HardwareProfile
from ..slopes import VARIABLE, Slopes, slopes
from ..tap import Batch

#: what spikes and synapses decide; updates with an input hardly ever stop
MOVABLE = ("spike", "synaptic_op", "mac")

#: a penalty of a batch: one number that is differentiable in its spikes
Penalty = Callable[[Batch], Tensor]


@dataclass(frozen=True)
class SpikeRate:
    """Spikes a neuron and step, over all populations or in `layers`; see `spike_rate`."""

    target: float
    weight: float
    layers: tuple[str, ...] = ()
    both_sides: bool = False

    def __call__(self, batch: Batch) -> Tensor:
        rate = self.amount(batch)
        if self.both_sides:
            return self.weight * torch.log(rate.clamp_min(torch.finfo(rate.dtype).tiny) / self.target).abs()
        return _above(rate, rate, self.target, self.weight)

    def amount(self, batch: Batch) -> Tensor:
        """Spikes a neuron and step of a batch."""
        spiking = [layer for layer in batch.facts.layers_by_name.values() if layer.spiking]
        chosen = [layer for layer in spiking if not self.layers or layer.name in self.layers]
        if not chosen or set(self.layers) - {layer.name for layer in spiking}:
            raise InputError(
                f"the spike rate of {', '.join(self.layers) or 'a network without neurons'} was asked for: the "
                f"populations are {', '.join(layer.name for layer in spiking) or '(none)'}"
            )
        chances = sum(math.prod(layer.shape) for layer in chosen) * batch.samples * max(batch.facts.timesteps, 1)
        return torch.stack([batch.count("spike", layer.name) for layer in chosen]).sum() / chances


@dataclass(frozen=True)
class SynOps:
    """Synaptic operations a sample; see `synops`."""

    target: float
    weight: float

    def __call__(self, batch: Batch) -> Tensor:
        amount = self.amount(batch)
        return _above(amount, amount, self.target, self.weight)

    def amount(self, batch: Batch) -> Tensor:
        """Synaptic operations a sample of a batch, the input's included."""
        return batch.synops / batch.samples


@dataclass(frozen=True)
class Joules:
    """Joules a sample on a profile; see `joules`."""

    profile: HardwareProfile
    target: float
    weight: float
    bill: str | None = None
    leave_out: tuple[str, ...] = ()
    _known: dict[int, tuple[Activity, Slopes]] = field(default_factory=dict, repr=False, compare=False)

    def __repr__(self) -> str:
        more = "".join(
            f", {name}={value!r}" for name, value in (("bill", self.bill), ("leave_out", self.leave_out)) if value
        )
        return f"Joules({self.profile.name!r}, target={self.target:g}, weight={self.weight:g}{more})"

    def __call__(self, batch: Batch) -> Tensor:
        return _above(self.amount(batch), self._sum(batch, MOVABLE), self.target, self.weight)

    def amount(self, batch: Batch) -> Tensor:
        """Joules a sample of a batch: what `sl.price` would charge for these counts."""
        return self.slopes(batch.facts).fixed + self._sum(batch, VARIABLE)

    def _sum(self, batch: Batch, events: tuple[str, ...]) -> Tensor:
        each = self.slopes(batch.facts).each
        # joules/event * events = joules
        parts = [slope * batch.count(event, layer) for (layer, event), slope in each.items() if event in events]
        return torch.stack(parts).sum() / batch.samples if parts else torch.zeros((), dtype=torch.float64)

    def slopes(self, facts: Activity) -> Slopes:
        """What each event costs in the network that was recorded."""
        if id(facts) not in self._known:
            self._known.clear()
            self._known[id(facts)] = facts, slopes(facts, self.profile, bill=self.bill, leave_out=self.leave_out)
        return self._known[id(facts)][1]


@checked
def spike_rate(
    target: float, *, weight: float = 0.1, layers: tuple[str, ...] | list[str] = (), both_sides: bool = False
) -> SpikeRate:
    """A penalty on rates above `target` spikes a neuron and step: `sl.fit(..., penalties=[sl.losses.spike_rate(0.02)])`.

    Args:
        layers: populations that are meant, by name; all of them by default.
        both_sides: penalise rates below the target too, as `weight |log(rate / target)|`.
    """
    if not 0 < target <= 1:
        raise InputError(
            f"a spike rate of {target} was asked for: give spikes a neuron and step, above 0 and at most 1"
        )
    return SpikeRate(float(target), _checked(weight), tuple(layers), both_sides)


@checked
def synops(target: float | None = None, *, weight: float = 0.1) -> SynOps:
    """A penalty on more than `target` synaptic operations a sample: spikes times the synapses that are not zero.

    The input's count towards the target, but no spike of the network can change them: prune its weights.
    """
    if target is None or not (math.isfinite(target) and target > 0):
        raise InputError(
            f"a target of {target} synaptic operations a sample was given: it must be finite and above 0, such as target=5e4"
        )
    return SynOps(float(target), _checked(weight))


@checked
def joules(
    profile: str | os.PathLike[str] | HardwareProfile,
    *,
    target: float,
    weight: float = 0.1,
    bill: str | None = None,
    leave_out: tuple[str, ...] | list[str] = (),
) -> Joules:
    """A penalty on more than `target` joules a sample on a profile: train for the chip, to a budget.

    What is charged is what `sl.price(activity, profile, bill=..., leave_out=...)` charges for the same counts. Only
    spikes have a gradient; what else is in the bill (static power, updates of neurons, the input's synaptic operations)
    counts towards the target, and `sl.learning.Pruning(joules=...)` lowers the part that hangs on weights.

    Raises:
        InputError: a target or weight that cannot be.
    """
    if not (math.isfinite(target) and target > 0):
        raise InputError(f"a target of {target} J a sample was given: it must be finite and above 0")
    return Joules(load_profile(profile), float(target), _checked(weight), bill, tuple(leave_out))


def _above(amount: Tensor, movable: Tensor, target: float, weight: float) -> Tensor:
    """`weight (amount - target) / movable` where that is above 0, with `movable` as it stands."""
    scale = float(movable.detach())
    if scale <= 0 or float(amount.detach()) <= target:
        return 0.0 * amount
    return weight * (amount - target) / scale


def _checked(weight: float) -> float:
    if not (math.isfinite(weight) and weight > 0):
        raise InputError(f"a penalty's weight is {weight}, but must be a finite number above 0")
    return float(weight)
