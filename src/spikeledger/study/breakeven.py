"""At how many spikes per synapse the winner changes: measured, solved on this bill, and as others published it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..activity import Activity
from ..ledger import Ledger, price
from .counts import scaled
from .matches import BreakEven

#: what one more spike causes
_CAUSED = frozenset({"spike", "synaptic_op", "packet", "hop"})
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
    """Where both ledgers would be equal if only the SNN's spikes became more or fewer, by the SNN's own bill.

    Whatever the bill charges, it is a straight line in the number of spikes (`at_rate`) and in the number of steps, so
    `price` itself is asked for its slopes:

    `joules(f, T) = fixed(T) + f * moving * T / T_0`, `fixed(T) = fixed(0) + T * each step`

    `joules_ann = joules(f, T_0)` gives `f`, and the break-even is `f * measured` events per synapse; so pricing
    `at_rate(snn_activity, f)` gives the ANN's joules. The curve solves the same for every T.
    """
    measured = events_per_synapse(ann_activity, snn_activity)
    steps = max(snn_activity.timesteps, 1)
    mac, accumulate = ann.profile.prices.get("mac"), snn.profile.prices.get("synaptic_op")
    ops_only = mac.joules / accumulate.joules if mac and accumulate and accumulate.joules else None
    now = _joules(snn, snn_activity)
    moving = _joules(snn, at_rate(snn_activity, 2)) - now  # twice the spikes: counts stay whole numbers
    if measured == 0 or moving <= 1e-12 * now:
        why = (
            f"'{snn.profile.name}' multiplies zeros too, so spikes do not change its bill"
            if measured and snn.profile.skips == "none"
            else "no spike arrived at any synapse"
        )
        return BreakEven(measured, steps, ops_only, None, note=why)
    fixed = now - moving
    each_step = (_joules(snn, _longer(snn_activity, 2)) - 2 * moving - fixed) / steps
    target = ann.joules_per_sample
    each = moving / measured  # joules / (events/synapse)
    full = (target - fixed) / each
    curve = []
    for step in CURVE_TIMESTEPS if timesteps is None else timesteps:
        room = target - (fixed + (step - steps) * each_step)
        curve.append((int(step), room / each / step if room > 0 else None))
    note = "" if full > 0 else "what the SNN pays without any spike is already more than the ANN's whole bill"
    if snn_activity.total("mac"):
        graded = "graded inputs of the SNN are multiplied at every step and stay fixed here"
        note = f"{note}; {graded}" if note else graded
    return BreakEven(measured, steps, ops_only, full if full > 0 else None, tuple(curve), note)


def at_rate(activity: Activity, factor: float) -> Activity:
    """The same run with more or fewer spikes: what each of them causes is scaled, updates and graded values stay."""
    return scaled(activity, lambda layer, event: factor if event in _CAUSED else 1.0)


def _longer(activity: Activity, times: int) -> Activity:
    """The same run over more steps: everything happens so many times as often."""
    more = scaled(activity, lambda layer, event: times)
    seconds = None if activity.seconds is None else times * activity.seconds
    return replace(more, timesteps=times * max(activity.timesteps, 1), seconds=seconds)


def _joules(like: Ledger, activity: Activity) -> float:
    """Joules a sample of another activity on the same device, by the same bill, with the same left out."""
    left_out = [event for event, _ in like.left_out]
    ledger = price(activity, like.profile, bill=like.bill, leave_out=left_out, allow_uncounted=True)
    return ledger.joules_per_sample
