"""What one more event costs: a profile's bill as a straight line, read off the real `price`.

A bill is linear in the counts: `joules = fixed + sum of slope[layer, event] count[layer, event]`. Each slope is the
difference of two ledgers, so that training pays what the ledger charges, memory and static power included.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ..activity import Activity, Tally
from ..hardware.catalog import load_profile
from ..hardware.profile import HardwareProfile
from ..ledger import price

#: what depends on the input and on the weights' zeros; everything else happens as often in every batch
VARIABLE = ("spike", "synaptic_op", "mac", "active_update")
#: events by which two ledgers differ: so many that what they share is lost in neither
_MORE = 1 << 32


@dataclass(frozen=True)
class Slopes:
    """Joules a sample in silence, and joules of one more event: `(layer, event) -> joules`; free events are left out."""

    fixed: float
    each: Mapping[tuple[str, str], float]


def slopes(
    facts: Activity,
    profile: str | os.PathLike[str] | HardwareProfile,
    *,
    bill: str | None = None,
    leave_out: Iterable[str] = (),
) -> Slopes:
    """The prices of a network's events on a profile: `slopes(sl.record(net, x), "loihi")`.

    Raises:
        UnpricedError: the profile has no price for something that happens in this network.
    """
    device, skipped = load_profile(profile), tuple(leave_out)
    # at least one of each that varies, so that none looks as if it could not happen
    tallies = {
        key: Tally(tally.layer, tally.event, tally.count + (tally.event in VARIABLE))
        for key, tally in facts.tallies.items()
    }

    def joules(changed: Mapping[tuple[str, str], Tally]) -> float:
        activity = dataclasses.replace(facts, tallies={**tallies, **changed})
        return price(activity, device, bill=bill, leave_out=skipped).joules

    first = price(dataclasses.replace(facts, tallies=tallies), device, bill=bill, leave_out=skipped)
    # one machine for all of them: another number of spikes must not choose another dataflow
    device, base = first.profile, first.joules
    each = {}
    for key, tally in tallies.items():
        if tally.event in VARIABLE:
            more = joules({key: dataclasses.replace(tally, count=tally.count + _MORE)})
            if more != base:
                each[key] = (more - base) / _MORE
    fixed = base - sum(slope * tallies[key].count for key, slope in each.items())
    return Slopes(fixed / max(facts.samples, 1), each)
