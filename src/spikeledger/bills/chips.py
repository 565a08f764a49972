"""How many chips of a device a network needs at least: they all draw static power."""

from __future__ import annotations

from ..activity import Activity
from ..errors import UnpricedError
from ..hardware.profile import HardwareProfile


def chips_for(activity: Activity, device: HardwareProfile) -> int:
    """Chips that draw static power: those of a placement, else at least as many as the network needs.

    Raises:
        UnpricedError: more than the device can be.
    """
    room = None if device.as_published else device.room
    if room is None:
        return activity.chips
    layers = activity.layers_by_name.values()
    wanted = {
        "neurons": sum(layer.outputs for layer in layers if layer.spiking),
        "synapses": sum(layer.synapses or layer.nonzero_parameters for layer in layers if layer.weighted),
    }
    if room.shares_weights:
        wanted["synapses"] = sum(layer.parameters for layer in layers if layer.weighted)
    chips = activity.chips
    for what, count in wanted.items():
        each = getattr(room, what)
        if each is None or count <= each * chips:
            continue
        chips = -(-count // each) if each else room.chips + 1  # a memory smaller than one of them holds none
        if chips > room.chips:
            held = f"{each:,} {what} a chip" + (f" and {room.chips:,} chips" if room.chips > 1 else "")
            raise UnpricedError(
                f"'{device.name}' holds {held}, and this network has {count:,} {what}: it does not fit, so its joules "
                "are not given; choose another profile or a smaller network"
            )
    return chips
