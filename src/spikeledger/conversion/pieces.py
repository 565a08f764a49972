"""What a module, a function or a constant in an ANN becomes in the graph that conversion knows; None: nothing that it knows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, fx, nn

from .graph import Affine, Kind


class Made:
    """What a module or function becomes; a kind of None passes values on."""

    def __init__(
        self,
        kind: Kind | None,
        module: nn.Module | None = None,
        cap: float | None = None,
        *,
        inplace: bool = False,
        note: str = "",
        flat: bool = False,
    ) -> None:
        self.kind, self.module, self.cap, self.inplace, self.note, self.flat = kind, module, cap, inplace, note, flat


def _divided(constant: Tensor, first: bool) -> tuple[Tensor, Tensor] | None:
    return None if first else (1 / constant, torch.zeros_like(constant))


#: what a constant does to values by an operator, as scale and shift; `first` where it stands in front of them
ARITHMETIC: dict[str, Callable[[Tensor, bool], tuple[Tensor, Tensor] | None]] = {
    "add": lambda c, first: (torch.ones_like(c), c),
    "sub": lambda c, first: (-torch.ones_like(c), c) if first else (torch.ones_like(c), -c),
    "mul": lambda c, first: (c, torch.zeros_like(c)),
    "div": _divided,
}
ARITHMETIC |= {f"i{name}": what for name, what in ARITHMETIC.items()}
ARITHMETIC |= {"truediv": _divided, "itruediv": _divided, "true_divide": _divided, "multiply": ARITHMETIC["mul"]}
ARITHMETIC |= {"subtract": ARITHMETIC["sub"], "divide": _divided}


def _relu(cap: Any = None, inplace: Any = False) -> Made:
    return Made("relu", cap=None if cap is None else float(cap), inplace=bool(inplace))


def of_module(module: nn.Module) -> Made | None:
    """A module without weights, batch norms apart."""
    kind = type(module)
    if kind is nn.ReLU:
        return _relu(inplace=module.inplace)
    if kind in (nn.ReLU6, nn.Hardtanh):
        return _relu(module.max_val, module.inplace) if module.min_val == 0 else None
    if kind in (nn.AvgPool1d, nn.AvgPool2d, nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d):
        return Made("average", module)
    if kind in (nn.MaxPool1d, nn.MaxPool2d, nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d):
        return None if getattr(module, "return_indices", False) else Made("maximum", module)
    if kind is nn.Flatten:
        return Made("flatten", nn.Flatten(1)) if module.start_dim == 1 and module.end_dim == -1 else None
    if kind in (nn.Softmax, nn.LogSoftmax):
        return Made(None, note="softmax")
    passes = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.AlphaDropout, nn.FeatureAlphaDropout, nn.Identity)
    return Made(None) if kind in passes else None


def of_function(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Made | None:
    """A function or method by its name, with the arguments behind its input."""
    if name in ("relu", "relu6"):
        return _relu(6.0 if name == "relu6" else None)
    if name in ("clamp", "clip", "hardtanh", "clamp_min"):
        names = ("min_val", "max_val") if name == "hardtanh" else ("min", "max")
        default = (-1.0, 1.0) if name == "hardtanh" else (None, None)
        low, high = (args[k] if len(args) > k else kwargs.get(each, default[k]) for k, each in enumerate(names))
        numbers = (int, float, type(None))
        return _relu(high) if low == 0 and low is not None and isinstance(high, numbers) else None
    pools: dict[str, Callable[..., nn.Module]] = {
        "avg_pool1d": nn.AvgPool1d, "avg_pool2d": nn.AvgPool2d, "adaptive_avg_pool1d": nn.AdaptiveAvgPool1d,
        "adaptive_avg_pool2d": nn.AdaptiveAvgPool2d, "max_pool1d": nn.MaxPool1d, "max_pool2d": nn.MaxPool2d,
        "adaptive_max_pool1d": nn.AdaptiveMaxPool1d, "adaptive_max_pool2d": nn.AdaptiveMaxPool2d,
    }  # fmt: skip
    name = {"boolean_dispatch": "max_pool2d", "_max_pool2d": "max_pool2d", "_max_pool1d": "max_pool1d"}.get(name, name)
    if name in pools:
        given = {key: value for key, value in kwargs.items() if key != "input"}
        if given.pop("return_indices", False):
            return None
        return Made("average" if "avg" in name else "maximum", pools[name](*args, **given))
    if name == "mean":
        axes = args[0] if args else kwargs.get("dim")
        keeps = args[1] if len(args) > 1 else kwargs.get("keepdim", False)
        if isinstance(axes, tuple | list) and sorted(axis % 4 for axis in axes) == [2, 3]:
            whole = nn.AdaptiveAvgPool2d(1)
            return Made("average", whole, flat=not keeps)
        return None
    if name == "flatten":
        start, end = (
            args[k] if len(args) > k else kwargs.get(each, default)
            for k, (each, default) in enumerate((("start_dim", 0), ("end_dim", -1)))
        )
        return Made("flatten", nn.Flatten(1)) if start == 1 and end == -1 else None
    if name in ("view", "reshape"):
        sizes = args[0] if len(args) == 1 and isinstance(args[0], tuple | list) else args
        return Made("flatten", nn.Flatten(1)) if (len(sizes) == 2 and sizes[1] == -1) or _to_rows(sizes) else None
    if name in ("softmax", "log_softmax"):
        return Made(None, note="softmax")
    return Made(None) if name in ("dropout", "dropout2d", "contiguous", "float", "clone", "detach") else None


def _to_rows(sizes: Any) -> bool:
    """Whether a view is to `[B, features]`: with the batch left to -1, or taken from a size."""
    return len(sizes) == 2 and all(isinstance(each, int | fx.Node) for each in sizes)


def of_norm(norm: Any) -> Affine:
    """What a batch norm does in evaluation mode."""
    with torch.no_grad():
        scale = torch.rsqrt(norm.running_var + norm.eps) * (1 if norm.weight is None else norm.weight)
        return Affine(scale, (0 if norm.bias is None else norm.bias) - norm.running_mean * scale)
