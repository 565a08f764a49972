"""Noise in what comes in, noise in the spikes, and faults of the chip; each by a level, and by a seed the same again."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ..errors import InputError
from ..networks.neurons import Neuron
from ..networks.plain import plain_copy
from ..networks.spiking import SpikingNetwork
from .attacks import scores

Answer = Callable[[Tensor], Tensor]
_BITS = 8  # of a stored weight, where bits flip
_WEIGHTED = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)


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
_OF_ANY_SIZE = ("gaussian", "jittered", "weight_noise")  # levels of the others are shares, or values in [0, 1]


def check_levels(kind: str, levels: Iterable[float]) -> None:
    """Refuse a level that a kind of noise cannot have.

    Raises:
        InputError: one is below 0, above 1 where it is a share, or a part of a step.
    """
    for level in levels:
        if not level >= 0 or (kind not in _OF_ANY_SIZE and level > 1):
            most = "at least 0" if kind in _OF_ANY_SIZE else "from 0 to 1"
            raise InputError(f"a level of {level:g} was asked for of '{kind}', but it must be {most}")
        if kind == "jittered" and level != round(level):
            raise InputError(f"a level of {level:g} was asked for of 'jittered', but spikes move by whole steps")


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
    neurons = any(isinstance(module, Neuron) for module in network.modules())
    if kind == "stuck" and not neurons:
        return None
    broken = plain_copy(network)
    if kind in ("weight_noise", "bit_flips"):
        return (lambda samples: scores(broken, samples)) if _spoil_weights(broken, kind, level, draw) else None
    if neurons:
        _break_neurons(broken, kind, level, draw)
        return lambda samples: scores(broken, samples)
    dead = _DeadUnits(level, draw)

    def without(samples: Tensor) -> Tensor:
        with dead:
            return scores(broken, samples)

    return without


def has_meaning(network: nn.Module, kind: str, samples: Tensor) -> bool:
    """Whether a kind of noise finds something in a network: spikes that come in; of an ANN, ReLUs that could be dead."""
    if kind == "dead" and not any(isinstance(module, Neuron) for module in network.modules()):
        found = _DeadUnits(0.0, torch.Generator())
        with torch.no_grad(), found:
            scores(network, samples[:1])
        return bool(found.masks)
    if kind not in ON_SPIKES or not isinstance(network, SpikingNetwork) or network.encoder is None:
        return True
    with torch.no_grad():
        coded = network.encoder(samples[:1])
    return bool(((coded == 0) | (coded == 1)).all())


def _spoil_weights(network: nn.Module, kind: str, level: float, draw: torch.Generator) -> bool:
    """Normal noise of `level` standard deviations of each tensor's weights; or each of their 8 bits flips with probability
    `level`. Whether there was a weight."""
    weights = {id(module.weight): module.weight for module in network.modules() if isinstance(module, _WEIGHTED)}
    with torch.no_grad():
        for weight in weights.values():
            if kind == "weight_noise":
                weight.add_(level * weight.std(correction=0) * torch.randn(weight.shape, generator=draw))
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
    return bool(weights)


def _break_neurons(network: nn.Module, kind: str, level: float, draw: torch.Generator) -> None:
    """A share of `level` of the neurons never fires, or fires at every step it may.

    Outputs stay whole: one that is stuck decides every answer, which says nothing of the network.
    """
    masks: dict[str, Tensor] = {}

    def hook(name: str) -> Callable[..., Tensor]:
        def changed(module: nn.Module, args: object, out: Tensor) -> Tensor:
            if name not in masks:
                masks[name] = torch.rand(out.shape[2:], generator=draw) < level
            if kind == "dead":
                return out * ~masks[name]
            fires = torch.ones(len(out), *[1] * (out.dim() - 1))
            window = getattr(module, "window", None)
            if window is not None:
                fires[: window[0]] = 0
                fires[window[1] :] = 0
            return torch.where(masks[name], fires, out)

        return changed

    found = [(name, each) for name, each in network.named_modules() if isinstance(each, Neuron)]
    if isinstance(network, SpikingNetwork) and isinstance(list(network.layers.children())[-1], Neuron):
        found.pop()
    for name, module in found:
        module.register_forward_hook(hook(name))


class _DeadUnits(TorchFunctionMode):
    """While it is entered, a share of the values of each ReLU, by module, function or method alike, is always 0."""

    def __init__(self, level: float, draw: torch.Generator) -> None:
        super().__init__()
        self.level, self.draw = level, draw
        self.masks: list[Tensor] = []
        self.seen = 0

    def __enter__(self) -> Any:
        self.seen = 0
        return super().__enter__()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if not _is_relu(getattr(func, "__name__", ""), args, kwargs or {}):
            return out
        if self.seen == len(self.masks):
            self.masks.append(torch.rand(out.shape[1:], generator=self.draw) < self.level)
        self.seen += 1
        # in place, as a method needs that writes over its input
        return out.mul_(~self.masks[self.seen - 1])


def _is_relu(name: str, args: Any, kwargs: Any) -> bool:
    """Whether a function of torch is a ReLU, or a clamp from 0."""
    name = name.rstrip("_")
    if name in ("relu", "relu6"):
        return True
    if name not in ("clamp", "clip", "clamp_min", "hardtanh"):
        return False
    least = args[1] if len(args) > 1 else kwargs.get("min_val" if name == "hardtanh" else "min")
    return isinstance(least, int | float) and least == 0
