"""Noise in what comes in, noise in the spikes, and faults of the chip; each by a level, and by a seed the same again."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn

from ..errors import InputError
from ..networks.neurons import Neuron
from ..networks.spiking import SpikingNetwork
from .attacks import scores

Answer = Callable[[Tensor], Tensor]
_BITS = 8  # of a stored weight, where bits flip


def gaussian(samples: Tensor, level: float, draw: torch.Generator) -> Tensor:
    """Normal noise of a standard deviation of `level` on each value, cut to [0, 1]."""
    return (samples + level * torch.randn(samples.shape, generator=draw)).clamp(0, 1)


def salt_and_pepper(samples: Tensor, level: float, draw: torch.Generator) -> Tensor:
    """A share of `level` of the values becomes 0 or 1, either alike."""
    chance = torch.rand(samples.shape, generator=draw)
    return torch.where(chance < level / 2, 0.0, torch.where(chance < level, 1.0, samples))


def sign(samples: Tensor, level: float, draw: torch.Generator) -> Tensor:
    """`+level` or `-level` on each value by chance: as large as an attack of that epsilon, and blind."""
    signs = torch.randint(0, 2, samples.shape, generator=draw) * 2.0 - 1
    return (samples + level * signs).clamp(0, 1)


def dropped(spikes: Tensor, level: float, draw: torch.Generator) -> Tensor:
    """Each spike is lost with probability `level`."""
    return spikes * (torch.rand(spikes.shape, generator=draw) >= level)


def jittered(spikes: Tensor, level: float, draw: torch.Generator) -> Tensor:
    """Each spike moves by up to `level` steps, earlier or later; what would leave the run stays at its edge."""
    steps = len(spikes)
    most = round(level)
    moved = torch.zeros_like(spikes)
    shift = torch.randint(-most, most + 1, spikes.shape, generator=draw)
    when = (torch.arange(steps).view(-1, *[1] * (spikes.dim() - 1)) + shift).clamp(0, steps - 1)
    return moved.scatter_add(0, when, spikes).clamp(max=1)  # two that meet are one


def injected(spikes: Tensor, level: float, draw: torch.Generator) -> Tensor:
    """A spike appears with probability `level` where there is none."""
    return torch.maximum(spikes, (torch.rand(spikes.shape, generator=draw) < level).to(spikes.dtype))


ON_INPUT = {"gaussian": gaussian, "salt_and_pepper": salt_and_pepper, "sign": sign}
ON_SPIKES = {"dropped": dropped, "jittered": jittered, "injected": injected}
ON_CHIP = ("dead", "stuck", "weight_noise", "bit_flips")
KINDS = (*ON_INPUT, *ON_SPIKES, *ON_CHIP)


def noisy(network: nn.Module, kind: str, level: float, draw: torch.Generator) -> Answer | None:
    """The network's scores under a kind of noise; None where it has no meaning for it, as lost spikes have for an ANN."""
    if kind in ON_INPUT:
        return lambda samples: scores(network, ON_INPUT[kind](samples, level, draw))
    if kind in ON_SPIKES:
        if not isinstance(network, SpikingNetwork):
            return None
        spiking: SpikingNetwork = network

        def spoiled(samples: Tensor) -> Tensor:
            coded = samples if spiking.encoder is None else spiking.encoder(samples)
            if not bool(((coded == 0) | (coded == 1)).all()):
                raise InputError(f"'{kind}' changes spikes, and the network's input is graded: give it a spike code")
            out: Tensor = spiking.decoder(spiking.layers(ON_SPIKES[kind](coded, level, draw)))
            return out

        return spoiled
    if kind == "stuck" and not any(isinstance(module, Neuron) for module in network.modules()):
        return None
    broken = copy.deepcopy(network)
    if kind in ("weight_noise", "bit_flips"):
        _spoil_weights(broken, kind, level, draw)
    else:
        _break_neurons(broken, kind, level, draw)
    return lambda samples: scores(broken, samples)


def graded_input(network: nn.Module, samples: Tensor) -> bool:
    """Whether what comes into a spiking network's layers is no spikes."""
    if not isinstance(network, SpikingNetwork) or network.encoder is None:
        return False
    with torch.no_grad():
        coded = network.encoder(samples[:1])
    return not bool(((coded == 0) | (coded == 1)).all())


def _spoil_weights(network: nn.Module, kind: str, level: float, draw: torch.Generator) -> None:
    """Normal noise of `level` standard deviations of each tensor's weights; or each of their 8 bits flips with probability
    `level`."""
    with torch.no_grad():
        for module in network.modules():
            if not isinstance(module, nn.Linear | nn.Conv1d | nn.Conv2d):
                continue
            weight = module.weight
            if kind == "weight_noise":
                weight.add_(level * weight.std() * torch.randn(weight.shape, generator=draw))
                continue
            unit = weight.abs().max() / (2 ** (_BITS - 1) - 1)
            if not float(unit):
                continue
            stored = torch.round(weight / unit).to(torch.int64) & (2**_BITS - 1)
            for bit in range(_BITS):
                flips = torch.rand(weight.shape, generator=draw) < level
                stored = torch.where(flips, stored ^ (1 << bit), stored)
            signed = torch.where(stored >= 2 ** (_BITS - 1), stored - 2**_BITS, stored)
            weight.copy_(signed * unit)


def _break_neurons(network: nn.Module, kind: str, level: float, draw: torch.Generator) -> None:
    """A share of `level` of the neurons (of an ANN, its ReLUs) never fires, or fires at every step it may.

    Outputs stay whole: one that is stuck decides every answer, which says nothing of the network.
    """
    masks: dict[str, Tensor] = {}

    def hook(name: str) -> Callable[..., Tensor]:
        def changed(module: nn.Module, args: object, out: Tensor) -> Tensor:
            shape = out.shape[2:] if isinstance(module, Neuron) else out.shape[1:]
            if name not in masks:
                masks[name] = torch.rand(shape, generator=draw) < level
            if kind == "dead":
                return out * ~masks[name]
            fires = torch.ones(len(out), *[1] * (out.dim() - 1))
            window = getattr(module, "window", None)
            if window is not None:
                fires[: window[0]] = 0
                fires[window[1] :] = 0
            return torch.where(masks[name], fires, out)

        return changed

    found = [(name, each) for name, each in network.named_modules() if isinstance(each, Neuron | nn.ReLU | nn.ReLU6)]
    if isinstance(network, SpikingNetwork) and isinstance(list(network.layers.children())[-1], Neuron):
        found.pop()
    for name, module in found:
        module.register_forward_hook(hook(name))
