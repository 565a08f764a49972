"""Perceptrons as a page can run them: int8 weights times a power of two a layer, so that every sum of them is exact.

`w ~ q 2^-s`, `q` in -127..127, with the largest shift `s` of a layer at which no weight is cut; a bias is a whole number
of `2^-s`. Sums of such numbers are exact in float32 up to 2^24 units, in any order, so a page that adds them counts what
a recording of the same network counts.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..errors import InputError
from ..networks.decoders import LatencyDecoder, RateDecoder
from ..networks.encoders import Direct, Latency, Rate
from ..networks.neurons import IF, LIF, Neuron
from ..networks.spiking import SpikingNetwork

#: the largest whole number of an int8 weight
_MOST = 127
#: a bias is an int32, and far from its end
_MOST_BIAS = 1 << 24

_ENCODERS = {Rate: "rate", Latency: "latency", Direct: "direct"}
_DECODERS = {RateDecoder: "rate", LatencyDecoder: "latency"}


@dataclass(frozen=True, eq=False)
class Weights:
    """One linear layer in whole numbers: `w = values 2^-shift`, `values` int8 `[outputs, inputs]`, `bias` int32."""

    name: str
    values: NDArray[np.int8]
    bias: NDArray[np.int32] | None
    shift: int


@dataclass(frozen=True, eq=False)
class Perceptron:
    """A network that the page can run: its layers, its cells if it spikes, and the torch network with the same numbers.

    `names` are the layers as a recording names them, in the order in which they run.
    """

    network: nn.Module
    layers: tuple[Weights, ...]
    cells: tuple[dict[str, Any], ...]  # of a spiking network, one a layer: beta, threshold, reset, delay
    names: tuple[str, ...]
    encoder: str = ""
    decoder: str = ""
    timesteps: int = 1

    @property
    def spiking(self) -> bool:
        """Whether its layers are populations of spiking neurons."""
        return bool(self.cells)


def perceptron(network: nn.Module) -> Perceptron:
    """A perceptron with its weights in int8; the network that is given stays as it is.

    Raises:
        InputError: a network that the page cannot run by itself; it says which part, and that a recording can be shown.
    """
    own = copy.deepcopy(network).eval()
    spiking = isinstance(own, SpikingNetwork)
    root = own.layers if isinstance(own, SpikingNetwork) else own
    prefix = "layers." if spiking else ""
    layers: list[Weights] = []
    cells: list[dict[str, Any]] = []
    names: list[str] = ["encoder"] if spiking else []
    for number, (name, part) in enumerate(_parts(root)):
        if isinstance(part, nn.Linear) != (number % 2 == 0):  # linear layers, and what is behind each, by turns
            raise _refused(name, part)
        if isinstance(part, nn.Linear):
            layers.append(_rounded(name, part))
        elif isinstance(part, Neuron) and spiking:
            cells.append(_cell(name, part))
        elif not isinstance(part, nn.ReLU) or spiking:
            raise _refused(name, part)
        names.append(prefix + name)
    if not layers:
        raise InputError(
            f"{type(network).__name__} has no linear layer: the page runs perceptrons, and shows recordings"
        )
    code = decoder = ""
    timesteps = 1
    if isinstance(own, SpikingNetwork):
        code, decoder = _ENCODERS.get(type(own.encoder), ""), _DECODERS.get(type(own.decoder), "")
        plain = getattr(own.encoder, "kind", "bernoulli") == "bernoulli"
        if not (code and decoder and plain) or len(cells) != len(layers):
            raise InputError(
                f"a {type(own.encoder).__name__} encoder with {len(layers)} layers, {len(cells)} populations and a "
                f"{type(own.decoder).__name__} is nothing the page runs by itself: it runs rate, latency or direct "
                "codes and a population behind every layer; show a recording of this network instead"
            )
        timesteps = own.timesteps
    return Perceptron(own, tuple(layers), tuple(cells), tuple(names), code, decoder, timesteps)


def _parts(root: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Layers in their order, without those that do nothing in evaluation."""
    if not isinstance(root, nn.Sequential):
        raise InputError(
            f"{type(root).__name__} is no sequence of layers, so the page cannot run it by itself: show a recording"
        )
    for name, part in root.named_children():
        if not isinstance(part, nn.Flatten | nn.Dropout | nn.Identity):
            yield name, part


def _rounded(name: str, layer: nn.Linear) -> Weights:
    """The layer in whole numbers; its own parameters become what those numbers are."""
    weight = layer.weight.detach().double()
    largest = float(weight.abs().max())
    if not math.isfinite(largest):
        raise InputError(f"layer '{name}' holds weights that are not finite: train it anew")
    shift = math.floor(math.log2(_MOST / largest)) if largest > 0 else 0
    shift = max(min(shift, 24), -24)
    values = torch.round(weight * 2.0**shift).clamp(-_MOST, _MOST)
    bias = None
    with torch.no_grad():
        layer.weight.copy_(values * 2.0**-shift)
        if layer.bias is not None:
            units = torch.round(layer.bias.double() * 2.0**shift)
            if float(units.abs().max()) > _MOST_BIAS:
                raise InputError(
                    f"layer '{name}' has a bias of {float(layer.bias.abs().max()):g}, too large for its weights"
                )
            layer.bias.copy_(units * 2.0**-shift)
            bias = units.to(torch.int32).numpy()
    return Weights(name, values.to(torch.int8).numpy(), bias, shift)


def _cell(name: str, part: Neuron) -> dict[str, Any]:
    if type(part) not in (IF, LIF) or part.refractory or part.reset not in ("subtract", "zero", "none"):
        raise _refused(name, part)
    decay: Any = part.decay()
    if isinstance(decay, Tensor) and decay.numel() != 1:
        raise _refused(name, part)
    # as float32, which is what the neuron computes with
    beta = float(np.float32(float(decay)))
    return {"beta": beta, "threshold": part.threshold, "reset": part.reset, "delay": part.reset_delay}


def _refused(name: str, part: nn.Module) -> InputError:
    return InputError(
        f"the page cannot run '{name}' ({type(part).__name__}) by itself: it runs linear layers, ReLU, and IF or LIF "
        "neurons of one decay; show a recording of this network instead"
    )
