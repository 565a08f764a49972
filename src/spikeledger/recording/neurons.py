"""Which modules are neurons, and where their currents, spikes and steps are found: one row a class."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from torch import Tensor, nn


class Firing(NamedTuple):
    """What one call of a neuron module did: currents and spikes, both `[T, B, *N]`; an encoder has no currents."""

    spikes: Tensor
    currents: Tensor | None
    state_variables: int = 1


Reading = Callable[[nn.Module, tuple[Any, ...], Any], Firing]


def _neuron(module: nn.Module, args: tuple[Any, ...], output: Any) -> Firing:
    spikes = output[0] if isinstance(output, tuple) else output
    return Firing(spikes, args[0], int(getattr(module, "state_variables", 1)))


def _encoder(module: nn.Module, args: tuple[Any, ...], output: Any) -> Firing:
    return Firing(output, None, 0)


#: qualified class name -> how to read one call; a subclass is found by its base
NEURONS: dict[str, Reading] = {"spikeledger.networks.neurons.Neuron": _neuron}
ENCODERS: dict[str, Reading] = {"spikeledger.networks.encoders.Encoder": _encoder}


def reading_of(module: nn.Module) -> Reading | None:
    """How to read a module that sends spikes; None for any other module."""
    return _find(module, NEURONS) or _find(module, ENCODERS)


def is_neuron(module: nn.Module) -> bool:
    """Whether a module is a population of spiking neurons."""
    return _find(module, NEURONS) is not None


def _find(module: nn.Module, book: dict[str, Reading]) -> Reading | None:
    for base in type(module).__mro__:
        reading = book.get(f"{base.__module__}.{base.__qualname__}")
        if reading is not None:
            return reading
    return None
