"""A pass over the training samples that is not finished: its sums, and the random numbers that come next.

Those of an epoch follow from the seed and its number, so a run that goes on after an epoch needs none of them; one that goes
on within an epoch does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn

from ..errors import FileFormatError
from ..networks.encoders import Encoder
from ..networks.spiking import SpikingNetwork


@dataclass(frozen=True, eq=False)
class Pass:
    """Batches that are done, and sums over their samples; `random` is what the next batch's random numbers come from."""

    done: int = 0
    loss: float = 0.0
    penalty: float = 0.0
    right: int = 0
    seen: int = 0
    random: Mapping[str, Tensor] = field(default_factory=dict)

    def plus(self, loss: float, penalty: float, samples: int, right: int) -> Pass:
        """One batch more."""
        return Pass(
            self.done + 1, self.loss + loss * samples, self.penalty + penalty * samples, self.right + right,
            self.seen + samples,
        )  # fmt: skip

    def at(self, random: Mapping[str, Tensor]) -> Pass:
        """The same with what comes next."""
        return replace(self, random=random)


def random_states(network: nn.Module) -> dict[str, Tensor] | None:
    """Where torch's and the encoder's random numbers stand; None where a network has others, that cannot be asked for."""
    found = {"torch": torch.get_rng_state()}
    if not callable(getattr(network, "reseed", None)):
        return found
    encoder = network.encoder if isinstance(network, SpikingNetwork) else network
    generator = getattr(encoder, "generator", None)
    if isinstance(generator, torch.Generator):
        return {**found, "encoder": generator.get_state()}
    silent = encoder is None or getattr(type(encoder), "reseed", None) is Encoder.reseed
    return found if silent else None


def set_random_states(network: nn.Module, states: Mapping[str, Tensor]) -> None:
    """Go on from where `random_states` found them.

    Raises:
        FileFormatError: states that are none.
    """
    try:
        torch.set_rng_state(states["torch"])
        if "encoder" in states:
            generator = getattr(getattr(network, "encoder", None), "generator", None)
            if not isinstance(generator, torch.Generator):
                raise TypeError("the network has no encoder that draws")
            generator.set_state(states["encoder"])
    except (KeyError, TypeError, RuntimeError) as error:
        raise FileFormatError(
            f"a checkpoint's random numbers cannot be taken up ({error}): train again in another folder"
        ) from error
