"""Modules that know no time, over time: the steps are merged into the batch."""

from __future__ import annotations

from torch import Tensor, nn

from ..errors import InputError


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
