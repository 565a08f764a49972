"""A whole spiking network: encoder, layers in time, decoder; and how to lift a module without time over the steps."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor, nn

from ..arguments import checked
from ..errors import InputError
from ..kernels.planes import is_untouched
from ..listening.hooks import heard_by
from .bit_layers import Spikes
from .decoders import Decoder, RateDecoder
from .decoders import decoder as decoder_of
from .encoders import Encoder, Rate, check_steps
from .encoders import encoder as encoder_of
from .event_driven import EventDriven, unseen, watched
from .event_driven import coded as through_coded
from .lifting import OverTime, over_time

__all__ = ["OverTime", "SpikingNetwork", "over_time", "predictions"]


class SpikingNetwork(nn.Module):
    """Samples `[B, *N]` -> encoder -> layers on `[T, B, *N]` -> output spikes `[T, B, classes]` -> decoder.

    `forward` gives the output spikes, `scores` the decoded `[B, classes]`. Without an encoder the input is already a
    sequence `[T, B, *N]`.
    """

    #: how the zoo built this network, in plain values, so that a file can tell it; None for one that was put together
    spec: dict[str, Any] | None = None

    @checked
    def __init__(
        self, layers: nn.Module, *, encoder: Encoder | str | None, decoder: Decoder | str = "rate",
        timesteps: int | None = None,
    ) -> None:  # fmt: skip
        """Put a network together.

        Args:
            layers: takes spikes `[T, B, *N]` and gives output spikes `[T, B, classes]`; any module.
            encoder: an encoder, or the name of one; None if the inputs are sequences already.
            decoder: a decoder, or the name of one.
            timesteps: steps of a sample; those of the encoder if it has them.
        """
        super().__init__()
        own = getattr(encoder, "timesteps", None)
        steps = timesteps if timesteps is not None else own
        if own is not None and steps != own:
            raise InputError(
                f"the encoder makes {own} steps, and timesteps={steps} says otherwise: leave timesteps out"
            )
        if not isinstance(layers, nn.Module) or steps is None or steps < 1:
            raise InputError(
                f"a spiking network was asked for of a {type(layers).__name__} with timesteps={steps}, but needs a module "
                "that takes spikes [T, B, *N], and at least 1 step: pass timesteps=10, for one"
            )
        self.encoder = encoder_of(encoder, timesteps=steps) if isinstance(encoder, str) else encoder
        self.layers: nn.Sequential = layers if isinstance(layers, nn.Sequential) else nn.Sequential(layers)
        self.decoder = decoder_of(decoder)
        self.timesteps = check_steps("a spiking network", steps)

    @property
    def input_layout(self) -> Literal["B", "TB"]:
        """The leading axes of the input: samples alone, or time and samples."""
        return "TB" if self.encoder is None or getattr(self.encoder, "takes_sequences", False) else "B"

    def reseed(self, seed: int) -> None:
        """Start the encoder's random numbers again."""
        if self.encoder is not None:
            self.encoder.reseed(seed)

    def forward(self, inputs: Tensor) -> Tensor:
        encoder, layers = self.encoder, self.layers
        listened = heard_by() is not None and not watched(self)
        if encoder is not None and listened and is_untouched(encoder):
            return through_coded(encoder, layers, inputs)
        out: Tensor = layers(self._coded(inputs))
        return out

    def _coded(self, inputs: Tensor) -> Tensor | Spikes:
        """The encoder's spikes; as bits where it can give them, the layers can take them, and nobody looks."""
        if self.encoder is None:
            if inputs.dim() < 3:
                raise InputError(
                    f"a network without an encoder got inputs of shape {list(inputs.shape)}, but takes spikes or values over "
                    "time, [T, B, *N]: give it an encoder, or sequences"
                )
            return inputs
        if type(self.encoder) is Rate and isinstance(self.layers, EventDriven) and unseen(self):
            planes = self.encoder.planes(inputs)
            if planes is not None:
                return Spikes(planes, None)
        coded: Tensor = self.encoder(inputs)
        return coded

    def scores(self, inputs: Tensor) -> Tensor:
        """Scores `[B, classes]`: the decoded output spikes."""
        layers, decoder = self.layers, self.decoder
        # rates are counted in bits: of a decoder that reads nothing else, the output spikes need not become floats
        if isinstance(layers, EventDriven) and isinstance(decoder, RateDecoder) and unseen(self):
            kinds = ((self, SpikingNetwork), (layers, EventDriven), (decoder, RateDecoder))
            if all(_as_written(module, kind) for module, kind in kinds):
                return decoder.of_rates(layers.rates(self._coded(inputs)))
        out: Tensor = decoder(self.forward(inputs))
        return out


def _as_written(module: nn.Module, kind: type[nn.Module]) -> bool:
    """Whether nobody has given a module another `forward` than its kind's."""
    return type(module).forward is kind.forward and "forward" not in module.__dict__


def predictions(network: nn.Module, inputs: Tensor) -> Tensor:
    """The class that a network, spiking or not, answers for each sample: int64 `[B]`."""
    scores = network.scores(inputs) if isinstance(network, SpikingNetwork) else network(inputs)
    return torch.argmax(scores, dim=-1)
