"""What is known of tensors while they live: which hold weights, and where the values of the others were made.

Knowledge hangs on memory, not on tensor objects: a view, a slice or `.data` of a tensor is the same memory. What is known
of one tensor's values (their census, the pooling they went through) holds until anything is written into its memory,
through whatever view; then what is known of all that was written there holds: the kind, the source, a spike's size.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ..listening.neurons import kind_of
from .census import Census, census
from .origins import Origin, joined
from .pool_folding import Fold, among, numbered


class Weight(NamedTuple):
    """Values made from weights alone: of which parameter, and whose values they are."""

    name: str
    owner: Tensor | None = None  # None: computed afresh, so that its zeros may be others at each call
    buffer: bool = False  # which may turn out to hold a state

    def layer(self, part: Tensor) -> str:
        """The layer that multiplies by a part of this weight: its module, or the parameter itself if it has a name.

        A slice is a layer of its own (`attention.in_proj_weight:4096`), since its synapses are others.
        """
        slice_ = ""
        if self.owner is not None and part.numel() < self.owner.numel() and 0 not in part.stride():
            slice_ = f":{part.storage_offset() - self.owner.storage_offset()}"
        return self.name.removesuffix(".weight") + slice_


class Memory:
    """What is known of one storage, whatever views there are of it."""

    __slots__ = ("covered", "later", "made", "numbers", "sources", "weights", "writes")

    def __init__(self) -> None:
        self.later: list[Callable[[], object]] = []  # what is to be done if a buffer turns out to hold a state
        self.weights: list[tuple[int, int, Weight]] = []  # first element, last plus one, and whose they are
        self.made: Origin | None = None  # of all that was written there
        self.writes = 0  # how often anything was
        self.numbers: Tensor | None = None  # of pooled values that were copied there, element by element
        self.sources: tuple[Fold, ...] = ()  # what they number
        self.covered: tuple[int, Origin | None] | None = None  # bytes written part by part, and of what origin

    def partly(self, tensor: Tensor, origin: Origin | None) -> Origin | None:
        """The origin of all values after a write through a view: of the parts alone once they, one behind the other from
        the first on, fill the memory."""
        begin = tensor.storage_offset() * tensor.element_size()
        covered, made = (0, None) if begin == 0 else self.covered or (-1, None)
        self.covered = None
        if origin is not None and begin == covered and tensor.is_contiguous():
            covered, made = covered + tensor.numel() * tensor.element_size(), joined(made, origin)
            if covered >= tensor.untyped_storage().nbytes():
                return made
            self.covered = covered, made
        return joined(self.made, origin)

    def turn_out(self) -> None:
        """A buffer turned out to hold a state."""
        while self.later:
            self.later.pop(0)()

    def weight(self, tensor: Tensor) -> Weight | None:
        """The weight that a view lies in."""
        if not self.weights:
            return None
        if len(self.weights) == 1:
            return self.weights[0][2]
        start = tensor.storage_offset()
        return next((one for begin, end, one in self.weights if begin <= start < end), None)


class _Held(weakref.ref[Any]):
    """A tensor or a storage that a book is kept of, under a number; forgotten with it."""

    __slots__ = ("key",)

    key: int


class _Row:
    """One tensor object: its memory, and what is known of its values until something is written there."""

    __slots__ = ("looked", "memory", "origin", "pointer", "reference", "writes")

    def __init__(self, reference: _Held, memory: Memory, pointer: int) -> None:
        self.reference = reference
        self.pointer = pointer  # where its values lie, which `.data = ` changes
        self.memory = memory
        self.origin: Origin | None = None
        self.writes = -1  # of the memory, when `origin` was noted
        self.looked: tuple[object, int, Census] | None = None  # how it stood, rows, and what was seen


class Provenance:
    """All that is known of tensors."""

    def __init__(self, network: nn.Module) -> None:
        rows: dict[int, _Row] = {}
        memories: dict[int, tuple[_Held, Memory]] = {}

        def forget_row(reference: Any) -> None:
            found = rows.get(reference.key)
            if found is not None and found.reference is reference:
                del rows[reference.key]

        def forget_memory(reference: Any) -> None:
            found = memories.get(reference.key)
            if found is not None and found[0] is reference:
                del memories[reference.key]

        self._rows, self._memories = rows, memories
        self._forget_row, self._forget_memory = forget_row, forget_memory
        for name, tensor, buffer in _weights_of(network):
            memory = self._row(tensor).memory
            begin = int(tensor.storage_offset()) if tensor.layout is torch.strided else 0
            memory.weights.append((begin, begin + tensor.numel(), Weight(name, tensor, buffer)))

    def _row(self, tensor: Tensor) -> _Row:
        key = id(tensor)
        row = self._rows.get(key)
        if row is not None and row.reference() is tensor:
            if row.pointer != _pointer(tensor):
                self._moved(tensor, row)
            return row
        held = _Held(tensor, self._forget_row)
        held.key = key
        row = self._rows[key] = _Row(held, self._memory(tensor), _pointer(tensor))
        return row

    def _moved(self, tensor: Tensor, row: _Row) -> None:
        """`tensor.data = other`: its values lie elsewhere now."""
        before, row.memory, row.pointer = row.memory, self._memory(tensor), _pointer(tensor)
        if row.memory is before:
            return
        row.writes, row.looked = -1, None
        known = next((one for _, _, one in before.weights if one.owner is tensor), None)
        stays = known is not None and (not known.buffer or row.memory.made is None)
        if known is not None and not stays:
            before.turn_out()
        if stays and known is not None and not any(one.owner is tensor for _, _, one in row.memory.weights):
            begin = int(tensor.storage_offset())
            named = [one for one in row.memory.weights if one[2].owner is not None]
            row.memory.weights = [*named, (begin, begin + tensor.numel(), known)]

    def _memory(self, tensor: Tensor) -> Memory:
        try:
            storage = tensor.untyped_storage()
        except (NotImplementedError, RuntimeError):  # no storage of its own: sparse, nested, transformed
            return Memory()
        key = id(storage)
        found = self._memories.get(key)
        if found is not None and found[0]() is storage:
            return found[1]
        held = _Held(storage, self._forget_memory)
        held.key = key
        memory = Memory()
        self._memories[key] = (held, memory)
        return memory

    # -- weights -------------------------------------------------------------------------------------------------------

    def weight(self, tensor: Tensor) -> Weight | None:
        """Whose values a tensor holds, if they were made from weights alone."""
        row = self._row(tensor)
        memory = row.memory
        return memory.weight(tensor) if memory.weights else None

    def is_weight(self, tensor: Tensor) -> bool:
        """Whether a tensor was made from weights alone."""
        return self.weight(tensor) is not None

    def version(self, tensor: Tensor) -> object:
        """What changes when a weight's values do; None if that cannot be known."""
        row = self._row(tensor)
        known = row.memory.weight(tensor)
        owner = None if known is None else known.owner
        if owner is None or owner.is_inference() or lent(owner):
            return None
        if tensor is owner:
            return id(owner), owner._version, row.pointer, row.memory.writes, 0
        there = self._row(owner)
        return id(owner), owner._version, there.pointer, there.memory.writes, row.memory.writes

    def derive(self, out: Tensor, weight: Weight) -> None:
        """This tensor was made from weights alone."""
        row = self._row(out)
        if not row.memory.weights:
            row.memory.weights.append((0, 1 << 62, weight))

    # -- values --------------------------------------------------------------------------------------------------------

    def origin(self, tensor: object) -> Origin | None:
        """Where a tensor's values were made; None where that is not known."""
        if not isinstance(tensor, Tensor):
            return None
        row = self._row(tensor)
        memory = row.memory
        if row.writes == memory.writes:
            origin = row.origin
            if origin is not None and (origin.census is not None or origin.fold is not None) and lent(tensor):
                return origin.bare
            return origin
        if memory.numbers is not None and memory.made is not None:
            numbers = memory.numbers.as_strided(tensor.size(), tensor.stride(), tensor.storage_offset()).clone()
            return memory.made._replace(fold=numbered(numbers, memory.sources))
        return memory.made

    def put(self, tensor: Tensor, origin: Origin) -> None:
        """Know this of a tensor until its memory is written into."""
        row = self._row(tensor)
        row.origin = origin
        memory = row.memory
        row.writes = memory.writes
        if memory.made is None:
            memory.made = origin if origin.census is None and origin.fold is None else origin.bare

    def send(self, tensor: Tensor, origin: Origin) -> None:
        """A neuron sent this: whatever lay in its memory before is gone."""
        row = self._row(tensor)
        memory = row.memory
        row.origin, row.writes = origin, memory.writes
        memory.made = origin.bare

    def written(self, tensor: Tensor, origin: Origin | None) -> None:
        """Something was written through a tensor: into all of its memory, or into a part of it."""
        row = self._row(tensor)
        memory = row.memory
        memory.writes += 1
        if memory.weights:
            return
        if memory.numbers is not None or (origin is not None and origin.fold is not None):
            self._number(tensor, memory, origin)
        try:
            whole = tensor.numel() * tensor.element_size() >= tensor.untyped_storage().nbytes()
        except (NotImplementedError, RuntimeError):
            whole = True
        if whole:
            memory.made, memory.covered = (origin.bare if origin is not None else None), None
            if origin is not None:
                row.origin, row.writes = origin, memory.writes
        else:
            memory.made = memory.partly(tensor, origin)

    def _number(self, tensor: Tensor, memory: Memory, origin: Origin | None) -> None:
        """Keep which pooled values lie where: not a number stands for any others."""
        size = tensor.untyped_storage().nbytes() // tensor.element_size()
        if memory.numbers is None:
            blank = 0.0 if memory.made is None or memory.made.kind == "zero" else math.nan
            memory.numbers = torch.full((size,), blank, dtype=torch.float64)
        view = memory.numbers.as_strided(tensor.size(), tensor.stride(), tensor.storage_offset())
        if any(stride == 0 and size > 1 for stride, size in zip(tensor.stride(), tensor.size(), strict=True)):
            memory.numbers.fill_(math.nan)  # places that share one element
        elif origin is not None and origin.fold is not None:
            own, memory.sources = among(*origin.fold.numbered(), memory.sources)
            view.copy_(own.expand(view.shape))
        else:
            view.fill_(0.0 if origin is not None and origin.kind == "zero" else math.nan)

    def touched(self, tensor: Tensor) -> None:
        """A weight was written into, with what is a weight too, or by training."""
        self._row(tensor).memory.writes += 1

    def turns_out(self, tensor: Tensor) -> None:
        """What was taken for a weight holds a state: a buffer that the network itself writes values into."""
        memory = self._row(tensor).memory
        if all(one.buffer or one.owner is None for _, _, one in memory.weights):
            memory.weights.clear()
            memory.turn_out()

    def writes(self, tensor: Tensor) -> int:
        """How often anything was written into a tensor's memory."""
        return self._row(tensor).memory.writes

    def later(self, tensor: Tensor, deed: Callable[[], object]) -> None:
        """Do this if a buffer turns out to hold a state."""
        self._row(tensor).memory.later.append(deed)

    def look(self, values: Tensor, rows: int, unit: float | None = None) -> Census:
        """The census of a tensor, remembered while it stays as it is."""
        if values.is_inference() or lent(values):
            return census(values, rows, unit=unit)
        row = self._row(values)
        stands = (values._version, row.memory.writes, unit)
        known = row.looked
        if known is not None and known[0] == stands and known[1] == rows:
            return known[2]
        found = census(values, rows, unit=unit)
        row.looked = (stands, rows, found)
        return found

    def met(self, tensor: Tensor) -> bool:
        """Whether a tensor was an operand or a result of anything that was heard."""
        row = self._rows.get(id(tensor))
        return row is not None and row.reference() is tensor

    def __len__(self) -> int:
        return len(self._rows)


def lent(tensor: Tensor) -> bool:
    """Whether numpy can write into a tensor's memory, which nobody hears."""
    try:
        return not tensor.untyped_storage().resizable()
    except (NotImplementedError, RuntimeError):
        return False


def _pointer(tensor: Tensor) -> int:
    try:
        return tensor.data_ptr()
    except (NotImplementedError, RuntimeError):  # sparse and others: no place of their own
        return 0


def _weights_of(network: nn.Module) -> Iterator[tuple[str, Tensor, bool]]:
    """The parameters and buffers of a network, but for the buffers of neurons: they hold the state."""
    seen: set[int] = set()
    for path, module in nn.Module.named_modules(network):
        books = (module._parameters,) if kind_of(module) is not None else (module._parameters, module._buffers)
        for book in books:
            for name, tensor in book.items():
                if tensor is not None and id(tensor) not in seen:
                    seen.add(id(tensor))
                    yield f"{path}.{name}" if path else name, tensor, book is module._buffers
