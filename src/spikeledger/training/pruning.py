"""Fewer synapses: the smallest weights become zeros, at once or step by step while a network trains.

A mask is the weights' zeros and nothing else: a zero weight is no synapse to the recorder, the chip, NIR and a file of
weights, and `fit` leaves zeros at zero. Which weights there are, and what they are made of, is in `weights`.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from ..activity import Activity
from ..arguments import checked
from ..errors import InputError, unknown_name
from ..hardware.profile import HardwareProfile
from .slopes import Slopes, slopes
from .tap import arrivals_of
from .weights import Weight, weights_of

#: prunings of one run; between them the network has time to mend
STAGES = 16


def prune(
    network: nn.Module,
    fraction: float | Mapping[str, float] | None = None,
    *,
    joules: float | None = None,
    profile: str | os.PathLike[str] | HardwareProfile | None = None,
    activity: Activity | None = None,
    thrift: float = 0.0,
) -> int:
    """Make the smallest weights of a network zero, in place: `sl.learning.prune(net, 0.8)`; gives how many are zero now.

    The weights with the least `|w| / cost^thrift` go first, where `cost` is what a synapse spends a sample: how often
    something arrives at it, times what that costs on the profile.

    What multiplies becomes zero, also where a weight norm, another parametrization or a mask of torch's own makes it;
    a weight that layers share counts once.

    Args:
        fraction: share of the weights that shall be zero, of all linear and convolutional layers together or by layer's
            name.
        joules: instead of a share: go on until the network is estimated to cost so much a sample on `profile`.
        profile: where a synapse's cost is taken from; without one a cost is a number of arrivals.
        activity: a recording of this network, which says what arrives where: `sl.record(net, samples)`.
        thrift: 0 goes by size alone; above 0, weights behind busy inputs go before those behind quiet ones.

    Raises:
        InputError: shares, joules or layers that cannot be, a budget that no pruning reaches, or a parametrization under
            which zeros do not stay.
    """
    weights = weights_of(network)
    if (fraction is None) == (joules is None):
        raise InputError("say how much is pruned: fraction=0.8 (a share of the weights), or joules=1e-7 with a profile")
    _taken(thrift)
    if (joules is not None or thrift) and activity is None:
        raise InputError(
            "what a synapse costs needs a recording of this network: pass activity=sl.record(net, samples)"
        )
    costs: dict[str, Tensor] = {}
    if activity is not None:
        if joules is not None and profile is None:
            raise InputError("a budget in joules needs the device that it holds on: pass profile='loihi'")
        each = None if profile is None else slopes(activity, profile)
        costs = synapse_costs(weights, activity, each)
    if joules is not None:
        assert activity is not None and profile is not None
        _to_budget(weights, costs, _spent(activity, slopes(activity, profile)), joules, thrift)
    else:
        _by_share(weights, costs, fraction, thrift)
    return sum(int((weight.values == 0).sum()) for weight in weights.values())


@checked
@dataclass(frozen=True)
class Pruning:
    """Pruning step by step while a network trains: `sl.fit(net, data, prune=sl.learning.Pruning(0.8))`.

    After a share `begin` of the run and up to `end`, the share of zeros rises as `f (1 - (1 - x)^3)` (Zhu & Gupta 2017,
    arXiv:1710.01878), or the joules fall from what the network costs to the budget by the same law; then the rest of
    the run mends what was cut. Arguments as of `prune`.
    """

    fraction: float | Mapping[str, float] | None = None
    joules: float | None = None
    profile: str | os.PathLike[str] | HardwareProfile | None = None
    thrift: float = 0.0
    begin: float = 0.1
    end: float = 0.6

    def __post_init__(self) -> None:
        if (self.fraction is None) == (self.joules is None):
            raise InputError("say how much is pruned: Pruning(0.8), or Pruning(joules=1e-7, profile='loihi')")
        for share in self.fraction.values() if isinstance(self.fraction, Mapping) else [self.fraction or 0.0]:
            _share(share)
        _taken(self.thrift)
        if not 0 <= self.begin <= self.end <= 1:
            raise InputError(f"pruning from {self.begin} to {self.end} of a run: give shares, 0 <= begin <= end <= 1")
        if self.joules is not None and self.profile is None:
            raise InputError("a budget in joules needs the device that it holds on: pass profile='loihi'")

    def __str__(self) -> str:
        on = self.profile.name if isinstance(self.profile, HardwareProfile) else self.profile
        shares = dict(self.fraction) if isinstance(self.fraction, Mapping) else self.fraction
        what = f"{shares}" if self.joules is None else f"joules={self.joules:g}, profile={str(on)!r}"
        return f"Pruning({what}, thrift={self.thrift:g}, begin={self.begin:g}, end={self.end:g})"

    def due(self, step: int, steps: int) -> tuple[float, float] | None:
        """What is to be pruned after a step: the share of the whole that shall be done by then, and the share of what
        is left that this is; None where nothing is to be done. A budget is seen to once more at the very end."""
        first = min(round(self.begin * steps), steps - 1)
        last = min(max(round(self.end * steps), first + 1), steps)
        before, now = (_done(each, first, last) for each in (step - 1, step))
        if now > before:
            return now, 1 - (1 - now) / (1 - before)
        return (1.0, 1.0) if step == steps and self.joules is not None else None

    def apply(self, network: nn.Module, activity: Activity, done: float, part: float) -> None:
        """Prune until that share of the whole is done; of joules, which move by themselves, that part of what is left."""
        weights = weights_of(network)
        each = None if self.profile is None else slopes(activity, self.profile)
        costs = synapse_costs(weights, activity, each)
        if self.joules is not None:
            assert each is not None
            spent = _spent(activity, each)
            if each.fixed >= self.joules:
                raise _unreachable(self.joules, each.fixed)
            _to_budget(weights, costs, spent, spent + (self.joules - spent) * part, self.thrift)
        else:
            _by_share(weights, costs, self.fraction, self.thrift, done)


def pruned(network: nn.Module) -> list[tuple[nn.Parameter, Tensor]]:
    """Weights with zeros, each with its mask; a matrix of nothing but zeros is not pruned, it is just not begun."""
    pairs = [
        (weight, weight.detach() != 0) for weight in network.parameters() if weight.dim() > 1 and weight.requires_grad
    ]
    return [(weight, mask) for weight, mask in pairs if bool(mask.any()) and not bool(mask.all())]


def synapse_costs(weights: Mapping[str, Weight], activity: Activity, each: Slopes | None) -> dict[str, Tensor]:
    """What each weight spends a sample, of the weight's shape: joules, or arrivals where there is no profile.

    For a linear layer, what arrives at its input; a weight that several synapses share has the mean of its layer.
    """
    costs = {}
    for name, weight in weights.items():
        ran = [layer for layer in weight.names if layer in activity.layers_by_name]
        if not ran:
            raise InputError(f"layer '{name}' did not run in the recording: record the network that is to be pruned")
        costs[name] = torch.stack([_costs(weight.values.cpu(), layer, activity, each) for layer in ran]).sum(0)
    return costs


def _costs(weight: Tensor, layer: str, activity: Activity, each: Slopes | None) -> Tensor:
    """What the weights of one layer spend a sample."""
    event = arrivals_of(activity, layer)
    slope = 1.0 if each is None else each.each.get((layer, event), 0.0)
    tally = activity.tallies.get((layer, event))
    fans = activity.fan_out(layer).reshape(-1)
    samples = max(activity.samples, 1)
    if tally is not None and tally.per_neuron is not None and weight.dim() == 2 and fans.size == weight.shape[1]:
        arrivals = tally.per_neuron.reshape(-1) / np.maximum(fans, 1) / samples
        return torch.from_numpy(slope * arrivals).to(torch.float64).expand(weight.shape)
    synapses = max(int((weight != 0).sum()), 1)
    shared = slope * (0 if tally is None else tally.count) / synapses / samples
    return torch.full_like(weight, shared, dtype=torch.float64)


def _spent(activity: Activity, each: Slopes) -> float:
    counts = (slope * activity.total(event, layer) for (layer, event), slope in each.each.items())
    return each.fixed + sum(counts) / max(activity.samples, 1)


def _by_share(
    weights: Mapping[str, Weight],
    costs: Mapping[str, Tensor],
    fraction: float | Mapping[str, float] | None,
    thrift: float,
    done: float = 1.0,
) -> None:
    """Make a share of all weights zero, or a share of each layer's that is named."""
    if not isinstance(fraction, Mapping):
        _smallest(weights, costs, _share(fraction or 0.0) * done, thrift)
        return
    by_layer = {layer: name for name, weight in weights.items() for layer in weight.names}
    for layer, share in fraction.items():
        if layer not in by_layer:
            raise unknown_name("layer with weights", layer, by_layer)
        name = by_layer[layer]
        _smallest({name: weights[name]}, costs, _share(share) * done, thrift)


def _taken(thrift: float) -> None:
    if not (math.isfinite(thrift) and thrift >= 0):
        raise InputError(f"a thrift of {thrift} was given: it must be finite and at least 0")


def _smallest(weights: Mapping[str, Weight], costs: Mapping[str, Tensor], share: float, thrift: float) -> None:
    """Make that share of the weights zero; those that are zero already count."""
    scores = _scores(weights, costs, thrift)
    count = math.floor(share * scores.numel() + 0.5)
    chosen = torch.zeros(scores.numel(), dtype=torch.bool)
    chosen[torch.topk(scores, count, largest=False, sorted=False).indices] = True
    _zero(weights, chosen)


def _to_budget(
    weights: Mapping[str, Weight],
    costs: Mapping[str, Tensor],
    spent: float,
    joules: float,
    thrift: float,
) -> None:
    """Make weights zero, the smallest first, until their costs have come down to the budget."""
    scores = _scores(weights, costs, thrift)
    flat = torch.cat([costs[name].reshape(-1) for name in weights])
    saves = (flat > 0) & torch.cat([weight.values.reshape(-1).cpu() != 0 for weight in weights.values()])
    order = torch.argsort(scores, stable=True)
    order = order[saves[order]]
    saved = torch.cumsum(flat[order], 0)
    needed = spent - joules
    if needed <= 0:
        return
    count = int(torch.searchsorted(saved, needed)) + 1
    if count > len(order):
        raise _unreachable(joules, spent - (float(saved[-1]) if len(saved) else 0.0))
    chosen = torch.zeros(scores.numel(), dtype=torch.bool)
    chosen[order[:count]] = True
    _zero(weights, chosen)


def _scores(weights: Mapping[str, Weight], costs: Mapping[str, Tensor], thrift: float) -> Tensor:
    """What goes first has least: `|w| / cost^thrift`; what is zero already has -1, what costs nothing has infinity."""
    parts = []
    for name, weight in weights.items():
        size = weight.values.abs().to("cpu", torch.float64)
        score = size / costs[name] ** thrift if thrift else size
        parts.append(torch.where(size == 0, -1.0, score).reshape(-1))
    return torch.cat(parts)


def _zero(weights: Mapping[str, Weight], chosen: Tensor) -> None:
    shapes = [weight.values.shape for weight in weights.values()]
    for weight, shape, part in zip(
        weights.values(), shapes, chosen.split([shape.numel() for shape in shapes]), strict=True
    ):
        weight.zero(part.view(shape))


def _share(share: float) -> float:
    if not 0 <= share < 1:
        raise InputError(f"a share of {share} of the weights was to be pruned: give 0 to below 1")
    return float(share)


def _done(step: int, first: int, last: int) -> float:
    """The share of a pruning that is done after so many steps: `1 - (1 - x)^3`, in `STAGES`."""
    stage = min(max(math.floor(STAGES * (step - first) / (last - first)), 0), STAGES)
    return 1 - (1 - stage / STAGES) ** 3


def _unreachable(joules: float, left: float) -> InputError:
    return InputError(
        f"a budget of {joules:.3g} J a sample cannot be reached by pruning: {left:.3g} J would be left without a "
        "synapse; they are static power, updates of neurons, or products of a device that skips no zeros"
    )
