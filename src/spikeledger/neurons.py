"""Populations of neurons, and what networks of your own are put together from: `sl.neurons.LIF(beta=0.9)`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .kernels import surrogates as surrogates
    from .kernels.choice import backend as backend
    from .networks.delays import Delay as Delay
    from .networks.event_driven import event_driven as event_driven
    from .networks.neurons import IF as IF
    from .networks.neurons import LIF as LIF
    from .networks.neurons import AdaptiveLIF as AdaptiveLIF
    from .networks.neurons import Synaptic as Synaptic
    from .networks.recurrent import Recurrent as Recurrent
    from .networks.spiking import over_time as over_time

from .public_face import door

__getattr__, __dir__, __all__ = door(
    __name__,
    {
        "IF": ("networks.neurons", "IF"),
        "LIF": ("networks.neurons", "LIF"),
        "Synaptic": ("networks.neurons", "Synaptic"),
        "AdaptiveLIF": ("networks.neurons", "AdaptiveLIF"),
        "Recurrent": ("networks.recurrent", "Recurrent"),
        "Delay": ("networks.delays", "Delay"),
        "over_time": ("networks.spiking", "over_time"),
        "event_driven": ("networks.event_driven", "event_driven"),
        "backend": ("kernels.choice", "backend"),
        "surrogates": ("kernels.surrogates", ""),
    },
)
