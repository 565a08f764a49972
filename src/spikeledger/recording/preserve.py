"""Leave no trace: a network, and the random numbers, are put back as they were, also when the network raises."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

_CONTAINERS = (dict, list, set)


@contextmanager
def preserved(network: nn.Module) -> Iterator[None]:
    """Whatever happens inside, buffers, attributes, hooks, modes, hidden states and generators end as they were.

    Parameters are not copied: running a network does not change them.
    """
    modules = list(network.modules())
    attributes = [(module.__dict__, dict(module.__dict__)) for module in modules]
    contents = [
        (value, value.copy())
        for _, saved in attributes
        for value in saved.values()
        if isinstance(value, _CONTAINERS) and hasattr(value, "copy")
    ]
    values = [value for _, saved in attributes for value in saved.values()]
    values += [value for _, kept in contents for value in (kept.values() if isinstance(kept, dict) else kept)]
    tensors = [
        (value, _version(value), value.detach().clone())
        for value in {id(value): value for value in values}.values()
        if isinstance(value, Tensor) and not isinstance(value, nn.Parameter)
    ]
    generators = [(value, value.get_state()) for value in values if isinstance(value, torch.Generator)]
    randomness = torch.get_rng_state(), random.getstate(), np.random.get_state()
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() and torch.cuda.is_initialized() else None
    try:
        yield
    finally:
        for book, saved in attributes:
            book.clear()
            book.update(saved)
        for container, kept in contents:
            _refill(container, kept)
        with torch.no_grad():
            for tensor, version, values_then in tensors:
                if version is None or tensor._version != version:
                    tensor.resize_(values_then.shape).copy_(values_then)
        for generator, state in generators:
            generator.set_state(state)
        torch.set_rng_state(randomness[0])
        random.setstate(randomness[1])
        np.random.set_state(randomness[2])
        if cuda is not None:
            torch.cuda.set_rng_state_all(cuda)


def _refill(container: Any, kept: Any) -> None:
    if isinstance(container, list):
        container[:] = kept
    else:
        container.clear()
        container.update(kept)


def _version(tensor: Tensor) -> int | None:
    return None if tensor.is_inference() else tensor._version
