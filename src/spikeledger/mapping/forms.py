"""What each tensor of a traced run depends on, kept by storage: what is written through a view, all its views see.

A tensor and its views share memory, so the numbers of its spikes are kept for the whole memory once, and a tensor is
given those of its own places. Writing into a part overwrites the numbers of that part.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef

from .terms import Form, Opaque, Term


class _Ground:
    """The terms of one storage, each flat over all of its elements."""

    def __init__(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        self.alive = StorageWeakRef(storage)
        self.numbers = storage.nbytes() // tensor.element_size()
        self.terms: list[Term] = []
        self.opaque: Opaque | None = None


class Forms:
    """The form of every living tensor that has one."""

    def __init__(self) -> None:
        self._grounds: dict[int, _Ground] = {}

    def get(self, tensor: Tensor) -> Form | None:
        """What a tensor depends on; None if no spike stands in it."""
        ground = self._ground(tensor)
        if ground is None:
            return None
        if ground.opaque is not None:
            return ground.opaque
        parts = (_part(each, tensor) for each in ground.terms)
        # copies: what is written here later is not what was found
        return tuple(term.moved(Tensor.clone) for term in parts if bool(term.index.any())) or None

    def __contains__(self, tensor: Tensor) -> bool:
        return self.get(tensor) is not None

    def put(self, tensor: Tensor, form: Form) -> None:
        """Say what a tensor depends on now; what was known of its places is forgotten."""
        ground = self._ground(tensor)
        if ground is None:
            if not form:
                return
            ground = self._new(tensor)
        if isinstance(form, Opaque):
            ground.opaque = form
            return
        if tensor.numel() == ground.numbers:
            ground.opaque = None
        for each in ground.terms:
            _part(each, tensor).index.zero_()
        free = list(ground.terms)
        for term in form:
            home = next((each for each in free if _alike(each, term)), None)
            if home is None:
                home = replace(
                    term, index=torch.zeros(ground.numbers, dtype=torch.int64),
                    scale=torch.ones(ground.numbers, dtype=torch.float64)
                    if isinstance(term.scale, Tensor) else term.scale,
                )  # fmt: skip
                ground.terms.append(home)
            else:
                free.remove(home)
            part = _part(home, tensor)
            part.index.copy_(term.index)
            if isinstance(part.scale, Tensor):
                part.scale.copy_(torch.as_tensor(term.scale))
        ground.terms = [each for each in ground.terms if bool(each.index.any())]

    def _ground(self, tensor: Tensor) -> _Ground | None:
        key = _address(tensor)
        ground = self._grounds.get(key)
        if ground is not None and ground.alive.expired():  # another storage at the same address
            del self._grounds[key]
            return None
        return ground

    def _new(self, tensor: Tensor) -> _Ground:
        if len(self._grounds) > 64 and len(self._grounds) & (len(self._grounds) - 1) == 0:
            self._grounds = {key: each for key, each in self._grounds.items() if not each.alive.expired()}
        ground = self._grounds[_address(tensor)] = _Ground(tensor)
        return ground


def same_storage(first: Tensor, second: Tensor) -> bool:
    """Whether two tensors are views of one memory."""
    return _address(first) == _address(second)


def _address(tensor: Tensor) -> int:
    address: int = StorageWeakRef(tensor.untyped_storage()).cdata
    return address


def _alike(flat: Term, term: Term) -> bool:
    """Whether the numbers of two terms count the same things, so that one list holds both."""
    if flat.source != term.source or flat.pairs is not term.pairs or flat.operator is not term.operator:
        return False
    if isinstance(flat.scale, Tensor):
        return True
    return not isinstance(term.scale, Tensor) and flat.scale == term.scale


def _part(flat: Term, tensor: Tensor) -> Term:
    """What stands in the places of one tensor, sharing memory with the whole."""
    where = tensor.size(), tensor.stride(), tensor.storage_offset()
    scale = flat.scale.as_strided(*where) if isinstance(flat.scale, Tensor) else flat.scale
    return replace(flat, index=flat.index.as_strided(*where), scale=scale)
