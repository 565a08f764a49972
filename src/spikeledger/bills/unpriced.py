"""What a device has no price for: in which layers it happens, why it happens there, and what can be done about it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..activity import Activity
from ..errors import UnpricedError
from ..hardware.profile import HardwareProfile
from .lines import Line


def unpriced(
    activity: Activity, device: HardwareProfile, missing: Iterable[Line], bills: Iterable[str]
) -> UnpricedError:
    """The error for events without a price, in the words of Python and of the shell."""
    counts: dict[str, float] = {}
    for line in missing:
        counts[line.event] = counts.get(line.event, 0) + line.count
    listed = ", ".join(f"{event} ({count:,.0f} times)" for event, count in counts.items())
    places = list(dict.fromkeys(line.layer for line in missing if line.layer))
    where = f", in {named(places)}" if places else ""
    known = activity.layers_by_name
    graded = [name for name in places if name in known and known[name].weighted and known[name].inputs == "graded"]
    cause, ways, shell = "", [], []
    if graded and activity.spiking:
        verb = "receives" if len(graded) == 1 else "receive"
        cause = f"; {named(graded)} {verb} values of any size, pixels for one, and no spikes"
        ways.append("put an encoder before the network")
        shell.append("put an encoder before the network")
    if places:
        names = graded or places
        ways.append(f"price it on a host with elsewhere={dict.fromkeys(names[:1], 'horowitz-45nm')}")
        shell.append(f"price it on a host with --elsewhere {names[0]}=horowitz-45nm")
    general = [one for one in bills if "-00" not in one]  # those that belong to no document
    rest = f"choose another profile, or another bill ({', '.join(general)})"
    start = f"'{device.name}' has no price for {listed}{where}, so its total is not given{cause}: "
    return UnpricedError(
        start + ", ".join([*ways, f"leave out what has no price with leave_out={sorted(counts)}", rest]),
        shell=start
        + ", ".join([*shell, f"leave out what has no price with --leave-out {','.join(sorted(counts))}", rest]),
    )


def named(layers: Sequence[str]) -> str:
    """Some layers by name, as a sentence has them."""
    few = ", ".join(f"'{name}'" for name in layers[:3]) + (f" and {len(layers) - 3} more" if len(layers) > 3 else "")
    return f"layer {few}" if len(layers) == 1 else f"layers {few}"
