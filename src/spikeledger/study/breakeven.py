"""At how many spikes per synapse the winner changes: measured, solved on this bill, and as others published it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..activity import Activity
from ..hardware.profile import HardwareProfile
from ..ledger import Entry, Ledger
from .matches import BreakEven

#: timesteps at which a curve is drawn
CURVE_TIMESTEPS = (1, 2, 3, 5, 8, 10, 15, 20, 30, 50, 75, 100)


@dataclass(frozen=True)
class PublishedLine:
    """A break-even that others published, in spikes per synapse and inference; a band where `low < high`."""

    label: str
    low: float
    high: float
    source: str
    timesteps: int | None = None  # the only number of timesteps it was published for; None: it holds for any


PUBLISHED_LINES = (
    PublishedLine(
        "Dampfhoffer et al. 2023", 0.15, 1.38,
        "Dampfhoffer, Mesquida, Valentian & Anghel 2023, doi:10.1109/TETCI.2022.3214509: 0.15 to 1.38 per synapse",
    ),
    PublishedLine(
        "Davidson & Furber 2021", 1.72, 1.72,
        "Davidson & Furber 2021, doi:10.3389/fnins.2021.651141: 1.72 spikes per synapse",
    ),
    PublishedLine(
        "Yan et al. 2024, T = 5", 0.285, 0.285,
        "Yan, Bai & Wong 2024, arXiv:2409.08290: a spike rate of 5.7 % at T = 5, that is 0.057 * 5 = 0.285 per synapse",
        timesteps=5,
    ),
)  # fmt: skip


def events_per_synapse(ann: Activity, snn: Activity) -> float:
    """Measured events per synapse and inference: SNN synaptic operations / ANN dense MACs, each per sample."""
    macs = ann.per_sample("dense_op")
    return snn.per_sample("synaptic_op") / macs if macs else 0.0


def break_even(
    ann: Ledger, snn: Ledger, ann_activity: Activity, snn_activity: Activity, *, timesteps: Sequence[int] | None = None
) -> BreakEven:
    """Where both ledgers would be equal if only the SNN's spikes became more or fewer.

    `joules_ann = fixed + factor * moving` is solved for `factor`, and the break-even is `factor * measured` events per
    synapse. `moving` is what each spike causes (synaptic operations with their weight reads, spikes, packets, hops);
    `fixed` is the rest (neuron updates, state, static power, graded MACs). Along the curve over T, `fixed` grows with T
    except for the seconds that the device spends per sample.
    """
    measured = events_per_synapse(ann_activity, snn_activity)
    steps = max(snn_activity.timesteps, 1)
    mac, accumulate = ann.profile.prices.get("mac"), snn.profile.prices.get("synaptic_op")
    ops_only = mac.joules / accumulate.joules if mac and accumulate and accumulate.joules else None
    moving = sum(entry.joules for entry in _moving(snn)) / max(snn.samples, 1)
    if measured == 0 or moving == 0:
        why = (
            f"'{snn.profile.name}' multiplies zeros too, so spikes do not change its bill"
            if measured and snn.profile.skips == "none"
            else "no spike arrived at any synapse"
        )
        return BreakEven(measured, steps, ops_only, None, note=why)
    target = ann.joules_per_sample
    each = moving / measured  # joules / (events/synapse)
    full = (target - (snn.joules_per_sample - moving)) / each
    curve = []
    for step in CURVE_TIMESTEPS if timesteps is None else timesteps:
        room = target - _fixed(snn, snn_activity, step)
        curve.append((int(step), room / each / step if room > 0 else None))
    note = "" if full > 0 else "what the SNN pays without any spike is already more than the ANN's whole bill"
    if snn_activity.total("mac"):
        graded = "graded inputs of the SNN are multiplied at every step and stay fixed here"
        note = f"{note}; {graded}" if note else graded
    return BreakEven(measured, steps, ops_only, full if full > 0 else None, tuple(curve), note)


def _moving(ledger: Ledger) -> list[Entry]:
    """The entries that grow with the number of spikes."""
    spiking = {entry.layer for entry in ledger.entries if entry.event == "synaptic_op"}
    return [
        entry
        for entry in ledger.entries
        if entry.event in ("synaptic_op", "spike", "packet", "hop")
        or (entry.event == "weight_read" and entry.layer in spiking)
    ]


def _fixed(ledger: Ledger, activity: Activity, timesteps: int) -> float:
    """Joules per sample without any spike, were it run for another number of timesteps."""
    moving = _moving(ledger)
    longer = timesteps / max(activity.timesteps, 1)
    total = 0.0
    for entry in ledger.entries:
        if entry.event == "second":
            total += entry.joules * _stretch(ledger.profile, activity, longer)
        elif entry not in moving:
            total += entry.joules * longer
    return total / max(ledger.samples, 1)


def _stretch(device: HardwareProfile, activity: Activity, longer: float) -> float:
    """How many times longer a sample takes if it has `longer` times the steps."""
    if device.timing is None or activity.seconds is not None:
        return longer
    timing, layers = device.timing, sum(layer.weighted for layer in activity.layers_by_name.values())
    events = {event: activity.total(event) for event in timing.seconds_per_event}
    once = timing.seconds(samples=activity.samples, timesteps=0, layers=layers, events={})
    each = timing.seconds(samples=activity.samples, timesteps=activity.timesteps, layers=layers, events=events) - once
    return (once + each * longer) / (once + each) if once + each else longer
