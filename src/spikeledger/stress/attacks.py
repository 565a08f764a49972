"""Attacks: adversarial samples by FGSM and PGD, with gradients through an encoder's randomness done right.

A rate code draws `S[t] ~ Bernoulli(r)`, whose derivative by `r` is 0 almost everywhere, and torch gives none. Who takes that
for a gradient of 0 attacks nothing. The scores that are attacked are spike counts: rates in [0, 1] would leave a softmax so
flat that its gradient points at no class. Three ways give a gradient:

- *straight-through*: `S` forward, `dS/dr = 1` backward, which is the derivative of its mean;
- *expectation*: the mean of straight-through gradients over several draws (EOT, Athalye et al. 2018, arXiv:1802.00420);
- *rates*: the network is given `r` itself in place of spikes (Bu et al. 2023); a converted network its ANN.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import InputError
from ..kernels.surrogates import Surrogate
from ..networks.encoders import Direct, Once, Rate
from ..networks.neurons import Neuron
from ..networks.spiking import SpikingNetwork

#: samples `[B, *N]` to scores `[B, classes]`, differentiable
Score = Callable[[Tensor], Tensor]

#: derivatives that an attacker may put in place of the network's own; the weights stay what they are
SURROGATES: tuple[Surrogate, ...] = (Surrogate("atan", 1.0), Surrogate("atan", 2.0), Surrogate("triangle", 1.0))


def scores(network: nn.Module, samples: Tensor) -> Tensor:
    """What the network answers, as it stands; what it writes over its input stays its own."""
    own = samples.clone()
    found: Tensor = network.scores(own) if isinstance(network, SpikingNetwork) else network(own)
    return found


def straight_through(network: nn.Module) -> Score | None:
    """Scores from fresh spikes whose gradient goes on to the rates; None where the encoder has none to give."""
    if not isinstance(network, SpikingNetwork):
        return lambda samples: scores(network, samples)
    encoder = network.encoder
    if encoder is None or isinstance(encoder, Direct | Once):
        return lambda samples: scores(network, samples)
    if not isinstance(encoder, Rate):
        return None
    coder: Rate = encoder

    def found(samples: Tensor) -> Tensor:
        rates = coder.rates(samples)
        with torch.no_grad():
            drawn = coder(samples)
        out: Tensor = network.decoder(network.layers(drawn + (rates - rates.detach())))
        return out * network.timesteps

    return found


def of_rates(network: nn.Module) -> Score | None:
    """Scores from rates in place of spikes: the network's mean field, or the ANN that was converted."""
    conversion = getattr(network, "conversion", None)
    if conversion is not None:
        ann: Score = conversion.rates
        return ann
    if not isinstance(network, SpikingNetwork) or not isinstance(network.encoder, Rate):
        return None
    encoder: Rate = network.encoder

    def found(samples: Tensor) -> Tensor:
        rates = encoder.rates(samples)
        out: Tensor = network.decoder(network.layers(rates.expand(network.timesteps, *rates.shape)))
        return out * network.timesteps

    return found


def with_surrogate(network: nn.Module, surrogate: Surrogate) -> nn.Module:
    """The same network with another derivative of its spikes."""
    twin = copy.deepcopy(network)
    for module in twin.modules():
        if isinstance(module, Neuron):
            module.surrogate = surrogate
    return twin


def gradient(score: Score, samples: Tensor, labels: Tensor, *, draws: int = 1) -> Tensor:
    """`d sum CE / d samples`, the mean of several draws; zeros where torch finds no way from the loss to the samples."""
    total = torch.zeros_like(samples)
    for _ in range(draws):
        leaf = samples.detach().clone().requires_grad_(True)
        with torch.enable_grad():
            loss = nn.functional.cross_entropy(score(leaf), labels, reduction="sum")
            if not loss.requires_grad:
                return total
            found: Any = torch.autograd.grad(loss, leaf, allow_unused=True)[0]
        if found is None:
            return total
        total += found
    if not bool(total.isfinite().all()):
        raise InputError("an attack's gradient is NaN or infinite: scores must be finite, and not logarithms of rates")
    return total / draws


def without_gradient(score: Score, samples: Tensor, labels: Tensor) -> float:
    """Share of samples whose gradient is 0 everywhere."""
    return float((gradient(score, samples, labels).flatten(1).abs().amax(1) == 0).float().mean())


def fgsm(score: Score, samples: Tensor, labels: Tensor, epsilon: float, *, draws: int = 1) -> Tensor:
    """One step of `epsilon` along the gradient's sign, in [0, 1] (Goodfellow et al. 2015, arXiv:1412.6572)."""
    return (samples + epsilon * gradient(score, samples, labels, draws=draws).sign()).clamp(0, 1)


def pgd(score: Score, samples: Tensor, labels: Tensor, epsilon: float, *, steps: int = 10, draws: int = 1) -> Tensor:
    """Steps of `2.5 epsilon / steps`, each brought back to within epsilon (Madry et al. 2018, arXiv:1706.06083)."""
    now = samples
    for _ in range(steps):
        moved = now + 2.5 * epsilon / steps * gradient(score, now, labels, draws=draws).sign()
        now = torch.max(torch.min(moved, samples + epsilon), samples - epsilon).clamp(0, 1)
    return now


def ways(network: nn.Module, surrogates: Sequence[Surrogate] = SURROGATES) -> Iterator[tuple[str, Score]]:
    """Every honest way to a network's gradient by name."""
    through = straight_through(network)
    spiking = any(isinstance(module, Neuron) for module in network.modules())
    if through is not None:
        yield "own gradient", through
        for each in surrogates if spiking else ():
            changed = straight_through(with_surrogate(network, each))
            assert changed is not None
            yield f"{each!r}", changed
    mean = of_rates(network)
    if mean is not None:
        yield "rates", mean
