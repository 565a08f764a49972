"""Modules that are booked as one thing, whatever operators they are made of: RMSNorm, and sums over windows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from .books import Books
from .pools import sum_pool
from .provenance import Origin


def _rms_norm(books: Books, module: Any, args: tuple[Any, ...], output: Any) -> None:
    books.add("norm", "norm_op", args[0].numel())
    books.spoil([args[0]])
    books.ask(books.origin(args[0]))
    books.know.put(output, Origin("values", books.place))


def _sum_pool(books: Books, module: Any, args: tuple[Any, ...], output: Any) -> None:
    dims = args[0].dim() - 2
    kernel, stride = (
        (size,) * dims if isinstance(size, int) else tuple(size)
        for size in (module.kernel_size, module.stride or module.kernel_size)
    )
    made = books.pooled(sum_pool(args[0], kernel, stride, module.ceil_mode), args[0], output)
    if made is not None:
        books.know.put(output, made)


def whole_module(module: nn.Module) -> Callable[[Books, Any, tuple[Any, ...], Any], None] | None:
    """How to book a module that is not looked into; None for any other."""
    if isinstance(module, getattr(nn, "RMSNorm", ())):
        return _rms_norm
    if isinstance(module, nn.LPPool1d | nn.LPPool2d) and module.norm_type == 1:
        return _sum_pool
    return None
