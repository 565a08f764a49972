"""Devices of your own: profiles and their prices, a template to fill in, what is wrong with one, and meters."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .hardware.meter import metered as metered
    from .hardware.profile import HardwareProfile as HardwareProfile
    from .hardware.profile import Price as Price
    from .hardware.template import check_profile as check_profile
    from .hardware.template import write_template as write_template

from .public_face import door

__getattr__, __dir__, __all__ = door(
    __name__,
    {
        "HardwareProfile": ("hardware.profile", "HardwareProfile"),
        "Price": ("hardware.profile", "Price"),
        "check_profile": ("hardware.template", "check_profile"),
        "write_template": ("hardware.template", "write_template"),
        "metered": ("hardware.meter", "metered"),
    },
)
