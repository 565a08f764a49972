"""Which torch modules are neurons that a chip can run, and with which constants: one row a class."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from torch import Tensor, nn

from .terms import refuse

#: facts of a `Population`, and `stepwise`: whether a call is one step `[B, *N]` or `[T, B, *N]`; None: an encoder
Facts = dict[str, Any]
Reading = Callable[[nn.Module, str], Facts | None]
_OWN = ("IF", "LIF", "Synaptic", "AdaptiveLIF")


def _own(module: Any, path: str) -> Facts:
    if type(module).__name__ not in _OWN:
        raise refuse(
            f"neurons '{path}' are {type(module).__name__}, and chips here run {', '.join(_OWN)}: use one of them"
        )
    cells = module.cells()
    given = {name: getattr(cells, name) for name in ("alpha", "rho", "strength")}
    return {
        "beta": _numbers(cells.beta), "threshold": cells.threshold, "reset": cells.reset,
        "reset_delay": cells.reset_delay, "refractory": cells.refractory, "stepwise": False,
        **{name: _numbers(value) for name, value in given.items() if value is not None},
    }  # fmt: skip


def _snntorch(module: Any, path: str) -> Facts:
    kind = type(module).__name__
    if kind not in ("Leaky", "Synaptic"):
        raise refuse(f"neurons '{path}' are snnTorch's {kind}, and chips here run Leaky and Synaptic: use one of them")
    if module.inhibition or float(module.graded_spikes_factor) != 1:
        raise refuse(f"neurons '{path}' have inhibition or graded spikes, and chips here send one spike of size 1")
    facts = {
        "beta": _numbers(module.beta.clamp(0, 1)), "threshold": float(module.threshold),
        "reset": module.reset_mechanism, "reset_delay": bool(module.reset_delay), "stepwise": True,
    }  # fmt: skip
    if kind == "Leaky":
        return facts
    if module.reset_mechanism == "subtract" and not module.reset_delay:
        raise refuse(
            f"neurons '{path}' are snnTorch's Synaptic with reset_delay=False, which may subtract twice for one spike: "
            "use its default, or sl.Synaptic"
        )
    facts["alpha"] = _numbers(module.alpha.clamp(0, 1))
    if module.reset_mechanism == "zero" and module.reset_delay:  # the step of the reset takes no input: it waits
        facts |= {"reset_delay": False, "refractory": 1}
    return facts


def _encoder(module: nn.Module, path: str) -> None:
    return None


#: qualified class name -> how to read it; a subclass is found by its base
NEURONS: dict[str, Reading] = {
    "spikeledger.networks.neurons.Neuron": _own,
    "spikeledger.networks.encoders.Encoder": _encoder,
    "snntorch._neurons.leaky.Leaky": _snntorch,
    "snntorch._neurons.neurons.SpikingNeuron": _snntorch,
}


def neuron_reading(module: nn.Module) -> Reading | None:
    """How to read a module of neurons; None for any other module."""
    for kind in type(module).__mro__:
        reading = NEURONS.get(f"{kind.__module__}.{kind.__qualname__}")
        if reading is not None:
            return reading
    return None


def _numbers(value: Any) -> Any:
    """A number, or an array that broadcasts over the neurons; it keeps the precision that torch computes with."""
    if not isinstance(value, Tensor):
        return float(value)
    array = value.detach().cpu().numpy()
    return array.reshape(-1)[0].item() if array.size == 1 else np.array(array)
