"""Parameters that nothing can be counted with: those of no size yet, those without numbers, and those that are NaN."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn
from torch.nn.parameter import UninitializedParameter

from ..errors import InputError


def check_there(network: nn.Module) -> None:
    """Refuse a network whose parameters are not there yet.

    Raises:
        InputError: a lazy layer that never ran, or a network on the `meta` device.
    """
    for path, one in nn.Module.named_parameters(network):
        if isinstance(one, UninitializedParameter):
            raise InputError(f"'{path}' of the network has no size yet: run the network once on a sample before")
        if one.is_meta:
            raise InputError(
                f"'{path}' of the network is on the device 'meta', without numbers: load its weights before"
            )


def not_numbers(network: nn.Module) -> Iterator[tuple[str, int]]:
    """The parameters that hold NaN, and how many values of each: neurons behind them never fire."""
    for path, one in nn.Module.named_parameters(network):
        if isinstance(one, UninitializedParameter) or one.is_meta or not one.is_floating_point():
            continue
        values = one.detach() if one.layout is torch.strided else one.detach().to_dense()
        values = values if values.element_size() > 1 else values.to(torch.float32)
        if bool(torch.isnan(values.sum())):  # as it is wherever one of its parts is, and seldom else
            bad = int(torch.isnan(values).sum())
            if bad:
                yield path, bad
