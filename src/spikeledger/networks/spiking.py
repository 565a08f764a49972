"""A whole spiking network: encoder, layers in time, decoder; and how to lift a module without time over the steps."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor, nn

from . import event_driven
from .bit_layers import Spikes
from .decoders import Decoder
from .encoders import Encoder, Rate
from .event_driven import EventDriven
from .lifting import OverTime, over_time

__all__ = ["OverTime", "SpikingNetwork", "over_time", "predictions"]


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
