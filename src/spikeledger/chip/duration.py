"""How long a placed network takes: a step, a sample, and from the first input to the last answer.

    step    = busiest core + longest way x hop + barrier
    sample  = sum of its T steps                   (chips work on: the next sample follows at once)
    latency = sample + (depth - 1) mean steps      (on a chip a spike is heard in the step after it was sent)

The busiest core is that of each step: its synaptic operations, spikes and updates, one after another. The longest way is
that of the placement, whether or not a spike took it; packets do not wait for each other. A chip whose times of single
operations are not published takes the time of a step from its profile.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..mapping.mapped import Mapped

if TYPE_CHECKING:
    from ..activity import Activity
    from .placement import Placement


@dataclass(frozen=True)
class Duration:
    """Seconds of a run, means over its samples and steps, and what they rest on."""

    step: float
    sample: float
    latency: float
    cores: float  # of `step`: the busiest core
    ways: float  # of `step`: the longest way
    barrier: float  # of `step`
    hops: int  # of the longest way
    depth: int  # layers that a spike passes one step after another
    static_joules: float | None  # a sample, of all chips that are used
    kind: str
    source: str

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values."""
        return asdict(self)


def depth(network: Mapped) -> int:
    """The most populations of neurons that a spike passes without a delay of the network's own."""
    deep: dict[str, int] = {}
    for name in network.order:
        before = [deep[p.source] for p in network.into(name) if p.delay == 0]
        deep[name] = max(before, default=0) + network.populations[name].spiking
    return max(deep.values(), default=0)


def longest_way(placement: Placement) -> int:
    """Hops between the two farthest cores of which one sends to the other; input comes from the corner (0, 0)."""
    positions = placement.positions
    distance = np.abs(positions[:, None] - positions[None]).sum(-1)
    ways = np.concatenate([distance, positions.sum(-1)[None]])
    return int(ways[placement.traffic > 0].max(initial=0))


def way_seconds(placement: Placement) -> float:
    """What the longest way adds to every step."""
    seconds = placement.chip.seconds
    return longest_way(placement) * seconds.hop if seconds is not None else 0.0


def duration(placement: Placement, activity: Activity) -> Duration | None:
    """How long the run of an activity took; None if neither the chip nor its profile knows."""
    chip, steps = placement.chip, activity.timesteps
    profile = chip.profile
    deep, hops = depth(placement.network), longest_way(placement)
    if chip.seconds is not None and activity.seconds is not None:
        sample = activity.seconds / activity.samples
        ways, barrier = way_seconds(placement), chip.seconds.barrier
        kind, source = "assumed" if chip.seconds.assumed else "claimed", chip.seconds.source
    elif profile.timing is not None:
        timing = profile.timing
        events = {event: activity.total(event) for event in timing.seconds_per_event}
        layers = sum(not layer.spiking for layer in activity.layers_by_name.values())
        whole = timing.seconds(samples=activity.samples, timesteps=steps, layers=layers, events=events)
        sample, ways, barrier = whole / activity.samples, 0.0, timing.seconds_per_barrier
        kind, source = timing.kind, f"profile '{profile.name}': {timing.source}"
    else:
        return None
    step = sample / steps
    static = profile.static
    return Duration(
        step, sample, sample + (deep - 1) * step, step - ways - barrier, ways, barrier, hops, deep,
        static.watts * placement.chips * sample if static is not None else None, kind, source,
    )  # fmt: skip
