"""A whole spiking network: encoder, layers in time, decoder; and how to lift a module without time over the steps."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor, nn

from ..errors import InputError
from . import event_driven
from .decoders import Decoder
from .encoders import Encoder, Rate
from .event_driven import EventDriven, Spikes


class OverTime(nn.Module):
    """Applies a module that knows no time (convolution, pooling, batch norm) to every step of `[T, B, ...]` at once."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, sequence: Tensor) -> Tensor:
        if sequence.dim() < 2:
            raise InputError(f"over_time got a tensor of shape {list(sequence.shape)}, but needs [T, B, ...]")
        out: Tensor = self.module(sequence.flatten(0, 1))
        return out.unflatten(0, sequence.shape[:2])


def over_time(module: nn.Module) -> OverTime:
    """Lift a module from `[B, ...]` to `[T, B, ...]`; the steps are merged into the batch, so it runs once."""
    return OverTime(module)


class SpikingNetwork(nn.Module):
    """Samples `[B, *N]` -> encoder -> layers on `[T, B, *N]` -> output spikes `[T, B, classes]` -> decoder.

    `forward` gives the output spikes, `scores` the decoded `[B, classes]`. Without an encoder the input is already a
    sequence `[T, B, *N]`.
    """

    #: how the zoo built this network, in plain values, so that a file can tell it; None for one that was put together
    spec: dict[str, Any] | None = None

    def __init__(self, layers: nn.Sequential, *, encoder: Encoder | None, decoder: Decoder, timesteps: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.layers = layers
        self.decoder = decoder
        self.timesteps = timesteps

    @property
    def input_layout(self) -> Literal["B", "TB"]:
        """The leading axes of the input: samples alone, or time and samples."""
        sequences = self.encoder is None or type(self.encoder).__name__ == "Delta"
        return "TB" if sequences else "B"

    def reseed(self, seed: int) -> None:
        """Start the encoder's random numbers again."""
        if self.encoder is not None:
            self.encoder.reseed(seed)

    def forward(self, inputs: Tensor) -> Tensor:
        coded = self._coded(inputs)
        sequence = inputs if self.encoder is None or coded is not None else self.encoder(inputs)
        out: Tensor = self.layers(sequence if coded is None else coded)
        return out

    def _coded(self, inputs: Tensor) -> Spikes | None:
        """The encoder's spikes as bits, where it can give them, the layers can take them, and nobody looks."""
        if type(self.encoder) is not Rate or not isinstance(self.layers, EventDriven):
            return None
        if event_driven.watcher is not None or event_driven.watched(self):
            return None
        planes = self.encoder.planes(inputs)
        return None if planes is None else Spikes(planes, None)

    def scores(self, inputs: Tensor) -> Tensor:
        """Scores `[B, classes]`: the decoded output spikes."""
        out: Tensor = self.decoder(self.forward(inputs))
        return out


def predictions(network: nn.Module, inputs: Tensor) -> Tensor:
    """The class that a network, spiking or not, answers for each sample: int64 `[B]`."""
    scores = network.scores(inputs) if isinstance(network, SpikingNetwork) else network(inputs)
    return torch.argmax(scores, dim=-1)
