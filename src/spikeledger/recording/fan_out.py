"""How many existing synapses leave each place: what a spike is multiplied by."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from ..activity import Counts

#: elements of the one-hot inputs that are probed in one go
_PROBE = 1 << 21


def fan_out(linear: Callable[[Tensor], Tensor], shape: tuple[int, ...], device: torch.device | None = None) -> Counts:
    """Synapses that leave each input place, int64 of `shape`: the transpose of a 0/1 operator applied to ones.

    `f = A^T 1`, computed as the gradient of `sum(A x)`; float64 holds each count exactly up to 2^53. Every path counts:
    for an operator that reaches a target by several paths, see `reach`.
    """
    with torch.inference_mode(False), torch.enable_grad():
        x = torch.zeros(shape, dtype=torch.float64, device=device, requires_grad=True)
        out = linear(x)
        if not out.requires_grad:
            return np.zeros(shape, np.int64)
        (gradient,) = torch.autograd.grad(out.sum(), x)
    return torch.round(gradient).to(torch.int64).cpu().numpy()


def reach(
    linear: Callable[[Tensor], Tensor], shape: tuple[int, ...], present: Counts, device: torch.device | None = None
) -> Counts:
    """Targets that each place reaches by at least one path, int64 of `present`'s shape; only places that sent anything.

    Overlapping windows lead from one place to one target by several paths; folded, they are one synapse. Each place is
    asked for itself: a one-hot row, and the targets that are not zero.
    """
    flat = present.reshape(-1)
    places = np.flatnonzero(flat)
    found = np.zeros_like(flat)
    size = flat.size
    chunk = max(1, _PROBE // max(size, 1))
    with torch.inference_mode(False), torch.no_grad():
        for start in range(0, len(places), chunk):
            part = places[start : start + chunk]
            one_hot = torch.zeros((len(part), size), dtype=torch.float64, device=device)
            one_hot[np.arange(len(part)), part] = 1
            out = linear(one_hot.reshape(-1, *shape[1:]))
            found[part] = torch.count_nonzero(out.reshape(len(part), -1) > 0.5, dim=1).cpu().numpy()
    return found.reshape(present.shape)
