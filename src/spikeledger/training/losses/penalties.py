"""What spikes cost while a network learns: penalties on rates, on synaptic operations and on joules of a profile.

Each is nothing below its target and `weight * (amount - target) / spent` above it, where `spent` is the part of the
amount that spikes decide, at its present value. So its gradient is `weight d log(spent)`: the weight says how much loss
is worth a fall of the spikes' part by the factor e, whatever the unit and whatever cannot be saved.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ...activity import Activity
from ...errors import InputError
from ...hardware.catalog import load_profile
from ...hardware.profile import HardwareProfile
from ..slopes import Slopes, slopes
from ..tap import Batch

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
            return self.weight * torch.log((rate + 1e-9) / self.target).abs()
        return _above(rate, 0.0, self.target, self.weight)

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
        fixed, spent = self.amounts(batch)
        return _above(spent, fixed, self.target, self.weight)

    def amount(self, batch: Batch) -> Tensor:
        """Synaptic operations a sample of a batch, the input's included."""
        return batch.synops / batch.samples

    def amounts(self, batch: Batch) -> tuple[float, Tensor]:
        """What no spike of the network can change, and what it can."""
        total = self.amount(batch)
        counts = [
            batch.count("synaptic_op", name)
            for name, layer in batch.facts.layers_by_name.items()
            if layer.weighted and layer.inputs != "graded" and batch.arrived[name].requires_grad
        ]
        spent = torch.stack(counts).sum() / batch.samples if counts else torch.zeros_like(total)
        return float((total - spent).detach()), spent


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
        fixed, spent = self.amounts(batch)
        return _above(spent, fixed, self.target, self.weight)

    def amount(self, batch: Batch) -> Tensor:
        """Joules a sample of a batch: what `sl.price` would charge for these counts."""
        fixed, spent = self.amounts(batch)
        return fixed + spent

    def amounts(self, batch: Batch) -> tuple[float, Tensor]:
        """What no spike of the network can change, and what it can."""
        found = self.slopes(batch.facts)
        parts = [
            # joules/event * events = joules
            slope * batch.count(event, layer)
            for (layer, event), slope in found.each.items()
        ]
        learned = [part for part in parts if part.requires_grad]
        # samples share what was spent: joules / samples
        rest = sum(float(part) for part in parts if not part.requires_grad) / batch.samples
        spent = torch.stack(learned).sum() / batch.samples if learned else torch.zeros((), dtype=torch.float64)
        return found.fixed + rest, spent

    def slopes(self, facts: Activity) -> Slopes:
        """What each event costs in the network that was recorded."""
        if id(facts) not in self._known:
            self._known.clear()
            self._known[id(facts)] = facts, slopes(facts, self.profile, bill=self.bill, leave_out=self.leave_out)
        return self._known[id(facts)][1]


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


def synops(target: float, *, weight: float = 0.1) -> SynOps:
    """A penalty on more than `target` synaptic operations a sample: spikes times the synapses that are not zero.

    The input's count towards the target, but no spike of the network can change them: prune its weights.
    """
    if not (math.isfinite(target) and target > 0):
        raise InputError(f"a target of {target} synaptic operations a sample was given: it must be finite and above 0")
    return SynOps(float(target), _checked(weight))


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
    counts towards the target, and `sl.Pruning(joules=...)` lowers the part that hangs on weights.

    Raises:
        InputError: a target or weight that cannot be.
    """
    if not (math.isfinite(target) and target > 0):
        raise InputError(f"a target of {target} J a sample was given: it must be finite and above 0")
    return Joules(load_profile(profile), float(target), _checked(weight), bill, tuple(leave_out))


def _above(spent: Tensor, fixed: float, target: float, weight: float) -> Tensor:
    """`weight (fixed + spent - target) / spent` where that is above 0, with `spent` below the line as it stands."""
    scale = float(spent.detach())
    if scale <= 0 or fixed + scale <= target:
        return 0.0 * spent
    return weight * (spent + (fixed - target)) / scale


def _checked(weight: float) -> float:
    if not (math.isfinite(weight) and weight > 0):
        raise InputError(f"a penalty's weight is {weight}, but must be a finite number above 0")
    return float(weight)
