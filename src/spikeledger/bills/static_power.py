"""Static power: the seconds that a run takes, the watts that flow meanwhile, and what memories leak."""

from __future__ import annotations

from ..activity import Activity
from ..amounts import Amount
from ..hardware.profile import HardwareProfile, Static
from .count_times_price import Entry
from .lines import Line, stored, weighted

#: what a machine's arithmetic does, and its time is counted in
_WORK = frozenset({"synaptic_op", "mac", "neuron_update", "active_update", "activation", "elementwise", "norm_op"})


def seconds(activity: Activity, profile: HardwareProfile) -> list[Line]:
    """The seconds that the run takes: the simulated chip's own, else what the profile's timing gives."""
    traced = [
        Line(name, "second", tally.count, note="given") for (name, event), tally in activity.tallies.items()
        if event == "second"
    ]  # fmt: skip
    if activity.seconds is not None:
        return [*traced, Line("", "second", activity.seconds, note="simulated or given")]
    timing = profile.timing
    if timing is None or traced:
        return traced
    took = timing.seconds(
        samples=activity.samples,
        timesteps=activity.timesteps,
        layers=len(weighted(activity)),
        events={event: activity.total(event) for event in timing.seconds_per_event},
    )
    return [Line("", "second", took, inexact=timing.factor * took)]


def leakage(activity: Activity, profile: HardwareProfile, lines: list[Line]) -> list[Line]:
    """What the memories leak while the operations go through the machine: `bytes * watts/byte * operations / rate`."""
    leak = profile.leak
    if leak is None:
        return []
    bits = profile.precision
    held = 0.0
    for layer in activity.layers_by_name.values():
        held += stored(layer) * bits.weight_bits / 8 if layer.weighted else layer.state * bits.state_bits / 8
        held += layer.outputs * bits.activation_bits / 8 if not activity.spiking else 0.0
    watts = Static.model_construct(
        watts=0.0, low=0.0, high=0.0, kind=leak.kind, source=leak.source, note=leak.note, id="",
        state=f"{held:,.0f} bytes leak", clock_hertz=None, watts_per_hertz=0.0, clock_low=None, clock_high=None,
    ).made(leak.amount * held)  # fmt: skip
    # operations / (operations/s) = s
    seconds = sum(line.count for line in lines if line.event in _WORK) / leak.operations_per_second
    return [Line("(memory)", "second", seconds, note="leakage", watts=watts)]


def drawn(line: Line, watts: Static | None, chips: int) -> Entry:
    """The entry of a line of seconds: `joules = seconds * watts * chips`; nothing where no watts are known."""
    if watts is None:
        return Entry(line.layer, "second", line.count, Amount.exactly(0.0), None, None, line.note)
    # chips * watts = joules/second, and how much longer or shorter the seconds may be
    each = watts.amount * chips
    if line.inexact is not None:
        each = each * (line.inexact * (1 / line.count))
    state = f"{watts.state}; {chips:,} chips" if chips > 1 else watts.state
    return Entry(line.layer, "second", line.count, each, None, None, state)
