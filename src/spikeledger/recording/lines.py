"""Weighted layers that are told of rather than listened to: while nothing about a layer changes, a call only adds."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from .books import Books
from .census import Census
from .origins import Origin
from .products import Product
from .synapses import SynapseAccount


class Lines:
    """Books the calls of such layers, and remembers how each ran last."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._last: dict[int, Line] = {}

    def book(
        self, layer: nn.Module, source: Tensor, shape: tuple[int, ...], rows: int, out: Tensor | None,
        product: Callable[[], Product], look: Callable[[float | None], Census],
    ) -> None:  # fmt: skip
        """Book a layer that multiplied values of a shape `[*rows, *N]`, which `source` carried.

        As long as its weights stay as they are, calls with one shape differ in what arrives and in nothing else; only a
        call that differs otherwise is told as a `product`. `look` is asked if nobody has counted what arrives.
        """
        books = self._books
        books.products += 1
        origin = books.origins.get(source)
        seen = origin.counted(shape, rows) if origin is not None else None
        if seen is None:
            seen = look(origin.unit if origin is not None else None)
        last = self._last.get(id(layer))
        if origin is not None and (origin.fold is not None or origin.kind == "binary"):
            books.multiplied(product(), out, seen)
        elif last is not None and last.holds(layer, shape):
            last.book(seen)
            if out is not None:
                books.origins.put(out, last.currents)
        else:
            told = product()
            account = books.multiplied(told, out, seen)
            if account is not None and not told.geometry:  # a convolution's way may be another at each call
                self._last[id(layer)] = Line(layer, shape, told, account)


class Line:
    """A linear layer as it ran last: until its weights or its input's shape change, a call only adds to the account."""

    __slots__ = ("account", "batch", "bias", "bias_adds", "currents", "dense", "shape", "version", "weight")

    def __init__(self, layer: nn.Module, shape: tuple[int, ...], product: Product, account: SynapseAccount) -> None:
        assert account.latest is not None
        self.weight, self.bias = product.weight, layer._parameters.get("bias")
        self.version, self.shape = product.weight._version, shape
        self.account, self.batch = account, account.latest
        self.dense, self.bias_adds = product.dense, product.outputs if product.bias is not None else 0
        self.currents = Origin("currents", account.name)

    def holds(self, layer: nn.Module, shape: tuple[int, ...]) -> bool:
        """Whether a call with an input of this shape is like the last."""
        found = layer._parameters
        return (
            found.get("weight") is self.weight
            and found.get("bias") is self.bias
            and shape == self.shape
            and self.batch.open
            and self.weight._version == self.version
        )

    def book(self, seen: Census) -> None:
        """Add one call."""
        self.account.add(self.dense, self.bias_adds, seen)
        self.batch.nonzero += seen.nonzero
