"""Spikes that arrive later: a delay of whole steps, one for all or one a place.

y[t] = x[t - d]        and 0 for t < d
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ..arguments import checked
from ..errors import InputError

#: steps; a chip keeps what is under way in memory, so that a longer delay is a mistake in the unit
LONGEST_DELAY = 65_535


class Delay(nn.Module):
    """Holds every value `[T, B, *N]` back by `steps`, a whole number or an integer tensor `[*N]` of one a place.

    Synapses of several delays are one `Delay` and one linear layer for each of the delays, added up. As with neurons,
    every call starts with nothing under way; to carry on, pass what is: `later, state = delay(x, delay.rest(x))`.
    """

    steps: Tensor

    @checked
    def __init__(self, steps: int | Tensor) -> None:
        super().__init__()
        value = torch.as_tensor(steps).detach().clone()
        if value.dtype.is_floating_point or value.dtype.is_complex or value.dtype == torch.bool or not value.numel():
            raise InputError(f"a delay is {steps}, but must be a whole number of steps, or an integer tensor of them")
        value = value.to(torch.int64)
        least, self.longest = int(value.min()), int(value.max())
        if least < 0 or self.longest > LONGEST_DELAY:
            raise InputError(
                f"delays lie between {least} and {self.longest} steps, but must lie in 0 .. {LONGEST_DELAY:,}"
            )
        self.shortest = least
        self.register_buffer("steps", value)

    def rest(self, sequence: Tensor) -> Tensor:
        """Nothing under way, for values `[T, B, *N]`: zeros `[longest, B, *N]`."""
        return sequence.new_zeros(self.longest, *sequence.shape[1:])

    def forward(self, sequence: Tensor, state: Tensor | None = None) -> Any:
        """Values `[T, B, *N]`; with a `state` passed, `(values, state)`."""
        if sequence.dim() < 2:
            raise InputError(f"a delay got values of shape {list(sequence.shape)}, but needs [T, B, *N]")
        steps = len(sequence)
        # without a state, what would arrive behind the last step need not be held
        late = self.longest if state is not None else min(self.longest, steps)
        before = sequence.new_zeros(late, *sequence.shape[1:]) if state is None else state
        known = torch.cat([before, sequence])
        if self.shortest == self.longest:
            out = known[:steps]
        else:
            first = late - self.steps.clamp(max=late)
            if first.dim() > sequence.dim() - 2:
                raise InputError(f"delays of shape {list(first.shape)} do not fit values {list(sequence.shape)}")
            when = torch.arange(steps, device=known.device).reshape(-1, *[1] * (sequence.dim() - 1))
            out = known.gather(0, (when + first).expand(sequence.shape))
        return out if state is None else (out, known[steps:])

    def extra_repr(self) -> str:
        if self.shortest == self.longest:
            return f"steps={self.longest}"
        return f"steps={self.shortest} to {self.longest}"
