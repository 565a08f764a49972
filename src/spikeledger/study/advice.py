"""Advice that follows from the numbers: change the counts as the advice would, price again, and say what it saves.

Nothing is guessed: each saving is the difference of two ledgers. What is assumed about the network's behaviour stands
with each advice; whether accuracy survives is for an experiment to say.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import units
from ..activity import Activity
from ..ledger import Ledger, price
from .counts import scaled

#: what each advice would change
PRUNED = 0.5
QUIETER = 0.2
SHORTER = 0.5
#: a saving below this share of the dynamic energy is not worth a sentence
_WORTH = 0.01

_ARRIVALS = ("synaptic_op", "mac")


@dataclass(frozen=True)
class NeuronShare:
    """One neuron whose share of the dynamic energy is large."""

    layer: str
    index: int
    joules: float
    share: float
    spikes: int


@dataclass(frozen=True)
class Advice:
    """One thing to try: what, where, what it would save and what that assumes."""

    what: str
    layer: str
    saves: float
    share: float
    assumes: str

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return vars(self).copy()

    def __str__(self) -> str:
        return f"{self.what} saves {units.joules(self.saves)} ({100 * self.share:.1f} %), if {self.assumes}"


def advise(activity: Activity, ledger: Ledger, dominant: Sequence[NeuronShare] = ()) -> list[Advice]:
    """What would save most, dearest first: prune, raise a threshold, run fewer steps, quieten one neuron."""
    dynamic = ledger.without("static").joules
    found = [one for one in _candidates(activity, ledger, dominant) if one.saves > _WORTH * dynamic]
    return sorted(found, key=lambda one: -one.saves)


def repriced(activity: Activity, ledger: Ledger) -> Ledger:
    """The same bill for other counts."""
    left_out = [event for event, _ in ledger.left_out if event not in ledger.profile.leaves_out]
    return price(activity, ledger.profile, bill=ledger.bill, leave_out=left_out, allow_uncounted=True)


def _candidates(activity: Activity, ledger: Ledger, dominant: Sequence[NeuronShare]) -> Iterator[Advice]:
    for name, layer in activity.layers_by_name.items():
        if layer.weighted and layer.inputs == "spikes":
            yield _advice(
                f"pruning {100 * PRUNED:.0f} % of the synapses of '{name}'", name, ledger,
                pruned(activity, name, PRUNED), "the pruned synapses are as busy as others and spikes stay",
            )  # fmt: skip
        if layer.spiking and activity.total("spike", name):
            yield _advice(
                f"raising the threshold of '{name}' until it fires {100 * QUIETER:.0f} % less", name, ledger,
                quieter(activity, name, 1 - QUIETER), "only this layer's spikes change",
            )  # fmt: skip
    if activity.spiking and activity.timesteps > 1:
        fewer = max(round(activity.timesteps * SHORTER), 1)
        yield _advice(
            f"running {fewer} steps in place of {activity.timesteps}", "", ledger, shorter(activity, fewer),
            "every step is like the mean of all; measure the accuracy at that",
        )  # fmt: skip
    for one in dominant:
        rows = activity.per_neuron(one.layer, "spike").ravel().astype(np.float64)
        mean = float(rows.mean())
        factor = np.ones(rows.size)
        factor[one.index] = mean / one.spikes if one.spikes > mean else 1.0
        yield _advice(
            f"letting neuron {one.index} of '{one.layer}' fire as often as its layer's mean", one.layer, ledger,
            quieter(activity, one.layer, factor), "no other neuron fires more for it",
        )  # fmt: skip


def pruned(activity: Activity, layer: str, share: float) -> Activity:
    """The run with a share of one weighted layer's synapses taken away."""
    return scaled(activity, lambda name, event: 1 - share if name == layer and event in _ARRIVALS else 1.0)


def quieter(activity: Activity, layer: str, factor: float | NDArray[np.float64]) -> Activity:
    """The run with one population's spikes times a factor, or one for each neuron, and what they cause behind it."""
    spikes = activity.total("spike", layer)
    mean: float | NDArray[np.float64] = factor
    if isinstance(factor, np.ndarray):
        rows = activity.per_neuron(layer, "spike").ravel()
        mean = float((rows * factor).sum() / spikes) if spikes else 1.0

    def by(name: str, event: str) -> float | NDArray[np.float64]:
        behind = activity.layer(name).weighted and activity.layer(name).source == layer and event in _ARRIVALS
        if not behind and not (name == layer and event in ("spike", "packet", "hop")):
            return 1.0
        tally = activity.tallies[name, event]
        alike = tally.per_neuron is not None and isinstance(factor, np.ndarray) and tally.per_neuron.size == factor.size
        return factor if alike else mean

    return scaled(activity, by)


def shorter(activity: Activity, timesteps: int) -> Activity:
    """The run with fewer steps, each like the mean of all."""
    from dataclasses import replace

    ratio = timesteps / activity.timesteps
    less = scaled(activity, lambda name, event: ratio)
    seconds = None if activity.seconds is None else activity.seconds * ratio
    return replace(less, timesteps=timesteps, seconds=seconds, spikes_per_step={}, rasters={})


def _advice(what: str, layer: str, ledger: Ledger, changed: Activity, assumes: str) -> Advice:
    saves = ledger.joules - repriced(changed, ledger).joules
    return Advice(what, layer, saves, saves / ledger.joules if ledger.joules else 0.0, assumes)
