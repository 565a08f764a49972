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


class Snapshot:
    """Buffers, attributes, hooks and hidden states of a network as they were.

    Parameters are not copied: running a network does not change them.
    """

    def __init__(self, network: nn.Module) -> None:
        self.attributes = [(module, module.__dict__, dict(module.__dict__)) for module in nn.Module.modules(network)]
        # one level deep: libraries keep states in a list or a dictionary of tensors, and none deeper
        self._contents = [
            (value, value.copy())
            for _, _, saved in self.attributes
            for value in saved.values()
            if isinstance(value, _CONTAINERS) and hasattr(value, "copy")
        ]
        values = [value for _, _, saved in self.attributes for value in saved.values()]
        values += [value for _, kept in self._contents for value in (kept.values() if isinstance(kept, dict) else kept)]
        self.tensors = [
            (value, _version(value), value.detach().clone())
            for value in {id(value): value for value in values}.values()
            if isinstance(value, Tensor) and not isinstance(value, nn.Parameter)
        ]
        self._generators = [
            (value, value.get_state())
            for value in values
            if isinstance(value, torch.Generator) or (hasattr(value, "get_state") and hasattr(value, "set_state"))
        ]

    def put_back(self) -> None:
        """All of it, generators of random numbers too."""
        self.states_back(modes=True)
        for generator, state in self._generators:
            generator.set_state(state)

    def states_back(self, *, modes: bool = False) -> None:
        """What modules keep between calls; their modes (`training`) only if asked."""
        for _, book, saved in self.attributes:
            mode = book.get("training")
            _put_back(book, saved if modes or mode is None else {**saved, "training": mode})
        for container, kept in self._contents:
            # in place: somebody else may hold the same list
            if isinstance(container, list):
                container[:] = kept
            elif isinstance(container, dict) and isinstance(kept, dict):
                _put_back(container, kept)
            else:
                container.clear()
                container.update(kept)
        with torch.no_grad():
            for tensor, version, values_then in self.tensors:
                # torch counts writes: what nobody wrote into is not copied back; of inference tensors it does not tell
                if version is None or tensor._version != version:
                    tensor.resize_(values_then.shape).copy_(values_then)

    def changed(self) -> Iterator[tuple[nn.Module, str, Tensor, Tensor]]:
        """Attributes that hold other values now, the tensors that stood there, and what they held."""
        versions = {id(tensor): version for tensor, version, _ in self.tensors}
        kept = {id(tensor): values for tensor, _, values in self.tensors}
        for module, book, saved in self.attributes:
            for name, value in saved.items():
                if not isinstance(value, Tensor) or isinstance(value, nn.Parameter):
                    continue
                # no version to compare by, so its values are looked at
                unsure = value.is_inference()
                if unsure or value._version != versions[id(value)] or book.get(name) is not value:
                    yield module, name, value, kept[id(value)]


@contextmanager
def preserved(network: nn.Module) -> Iterator[Snapshot]:
    """Whatever happens inside, buffers, attributes, hooks, modes, hidden states and generators end as they were."""
    snapshot = Snapshot(network)
    randomness = torch.get_rng_state(), random.getstate(), np.random.get_state()
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() and torch.cuda.is_initialized() else None
    try:
        yield snapshot
    finally:
        snapshot.put_back()
        torch.set_rng_state(randomness[0])
        random.setstate(randomness[1])
        np.random.set_state(randomness[2])
        if cuda is not None:
            torch.cuda.set_rng_state_all(cuda)


def _put_back(book: dict[Any, Any], saved: dict[Any, Any]) -> None:
    """Make a dictionary what it was, entry by entry: somebody may be reading it in another thread."""
    for name, value in saved.items():
        if name not in book or book[name] is not value:
            book[name] = value
    for name in [name for name in book if name not in saved]:
        del book[name]


def _version(tensor: Tensor) -> int | None:
    return None if tensor.is_inference() else tensor._version
