"""What arrives at a torch network's first synapses: its input as a sequence `[T, B, *N]`, encoded."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ..errors import InputError
from ..networks.encoders import Encoder


def sequences(
    network: nn.Module,
    inputs: Any,
    *,
    layout: str | None = None,
    seed: int = 0,
    batch_size: int = 256,
    own_steps: int | None = None,
) -> Tensor:
    """Values `[T, B, *N]`; the encoder draws the numbers that it draws in `record` with this seed and batch size."""
    tensor = inputs if isinstance(inputs, Tensor) else torch.as_tensor(inputs)
    tensor = tensor if tensor.is_floating_point() else tensor.to(torch.get_default_dtype())
    found = str(layout or getattr(network, "input_layout", "TB"))
    if tensor.dim() < len(found):
        raise InputError(f"inputs of shape {list(tensor.shape)} have no {found} axes: pass layout='B', 'TB' or 'BT'")
    encoders = [module for module in network.modules() if isinstance(module, Encoder)]
    if len(encoders) > 1:
        raise InputError(f"the network has {len(encoders)} encoders, and a chip has one input")
    axis = found.index("B")
    if not encoders:
        if found == "B" and own_steps:
            return tensor.expand(own_steps, *tensor.shape)
        if found == "B":
            raise InputError(
                "inputs without steps need an encoder, or steps: pass a sequence [T, B, ...], repeated if it is static"
            )
        return tensor.transpose(0, 1) if found == "BT" else tensor
    reseed = getattr(network, "reseed", None)
    if callable(reseed):
        reseed(seed)
    with torch.no_grad():
        return torch.cat([encoders[0](part) for part in tensor.split(batch_size, axis)], dim=1)
