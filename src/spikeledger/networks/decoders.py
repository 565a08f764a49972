"""Spikes to answers: a decoder turns output spikes `[T, B, classes]` into scores `[B, classes]`; the highest wins."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ..arguments import a_tensor, checked
from ..errors import InputError, unknown_name


class Decoder(nn.Module):
    """Output spikes `[T, B, N]` in, scores `[B, classes]` out."""

    #: output neurons that each class needs
    neurons_per_class = 1


class RateDecoder(Decoder):
    """Rate: the score of a class is how often its neuron fired a step, `sum_t S[t] / T`, in [0, 1]."""

    def forward(self, spikes: Tensor) -> Tensor:
        return self.of_rates(a_tensor(self, spikes).mean(0))

    def of_rates(self, rates: Tensor) -> Tensor:
        """Scores `[B, classes]` from how often each neuron fired a step, `[B, N]`."""
        return rates


class MembraneDecoder(Decoder):
    """Membrane: the score of a class is what a neuron without a threshold has gathered, `sum_t I[t] / levels + offset`.

    Its input are currents, not spikes. `levels` is how many spikes stand for a rate of 1.
    """

    offset: Tensor

    @checked
    def __init__(self, classes: int, levels: int = 1) -> None:
        super().__init__()
        if min(classes, levels) < 1:
            raise InputError(f"a decoder needs at least 1 class and 1 level, not {classes} and {levels}")
        self.levels = levels
        self.register_buffer("offset", torch.zeros(classes))

    def forward(self, spikes: Tensor) -> Tensor:
        return a_tensor(self, spikes).sum(0) / self.levels + self.offset


class LatencyDecoder(Decoder):
    """First spike: the earlier, the better, `1 - t_first / T`; a neuron that never fired scores 0."""

    def forward(self, spikes: Tensor) -> Tensor:
        return earliness(a_tensor(self, spikes))


def earliness(spikes: Tensor) -> Tensor:
    """`1 - t_first / T` of each neuron `[B, *N]`, 0 where it never fired.

    It is the mean over t of `1 - Q[t]`, where `Q[t] = prod_{u <= t} (1 - S[u])` says that nothing has fired. So its
    derivative by one spike is what that spike changes: moving the first one earlier, or taking it away; those that come
    after the first get none.
    """
    return (1 - torch.cumprod(1 - spikes, 0)).mean(0)


class PopulationDecoder(RateDecoder):
    """Population: each class has `neurons_per_class` neurons; its score is their mean rate."""

    @checked
    def __init__(self, neurons_per_class: int) -> None:
        super().__init__()
        if neurons_per_class < 1:
            raise InputError(f"a population of {neurons_per_class} neurons a class was asked for; at least 1 is needed")
        self.neurons_per_class = neurons_per_class

    def of_rates(self, rates: Tensor) -> Tensor:
        if rates.shape[-1] % self.neurons_per_class:
            raise InputError(
                f"{rates.shape[-1]} output neurons cannot be shared by populations of {self.neurons_per_class}"
            )
        return rates.unflatten(-1, (-1, self.neurons_per_class)).mean(-1)


DECODERS: dict[str, Callable[..., Decoder]] = {
    "rate": RateDecoder,
    "latency": LatencyDecoder,
    "population": PopulationDecoder,
}


def decoder(name: str | Decoder, *, neurons_per_class: int = 10) -> Decoder:
    """Find a decoder by name, or take one as it is."""
    if isinstance(name, Decoder):
        return name
    if name not in DECODERS:
        raise unknown_name("decoder", name, DECODERS)
    return PopulationDecoder(neurons_per_class) if name == "population" else DECODERS[name]()


def first_spike(spikes: Tensor) -> Tensor:
    """Step of each neuron's first spike `[B, *N]` (int64); T where it never fired."""
    silent_so_far = spikes.cumsum(0) == 0
    return silent_so_far.sum(0, dtype=torch.int64)
