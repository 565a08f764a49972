"""What operators make of origins: when sums, masks, copies and moves of spikes are spikes still, and of which size.

Spikes stay events where they are scaled by a constant, gated by a mask or by other spikes, added to spikes of the same
size, or moved. Where values of any size take part, what comes out is arithmetic.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from .operator_kinds import Rule
from .origins import CONSTANT, COPIES, EVENTS, INPUT, RESHAPES, ZERO, Origin, joined, sums_of
from .pool_folding import Fold, Writes, numbered, plain, summed, together

#: kinds that say nothing of the run's values
_STILL = frozenset(["constant", "zero"])


def made_of(found: Sequence[Origin], place: str) -> Origin:
    """The origin of what arithmetic made: the input's if its parts were, else this place's."""
    moving = [origin for origin in found if origin.kind not in _STILL]
    if not moving and found:
        return CONSTANT._replace(sums=sums_of(found))
    if moving and all(origin.kind in ("input", "random") for origin in moving):
        return Origin(moving[0].kind, moving[0].source)
    return Origin("values", place, sums=sums_of(found))


def made_by_comparison(name: str, found: Sequence[Origin], place: str) -> Origin:
    """The origin of 0 and 1: an encoder's, known spikes looked at again, or perhaps those of an undeclared neuron."""
    moving = [origin for origin in found if origin.kind not in _STILL]
    if not moving:
        return INPUT._replace(unit=1.0) if name == "bernoulli" else CONSTANT._replace(sums=sums_of(found))
    kinds = {origin.kind for origin in moving}
    if "random" in kinds or kinds == {"input"} or name == "bernoulli":
        return INPUT._replace(unit=1.0)
    if kinds <= EVENTS | {"random"}:
        first = next(origin for origin in moving if origin.kind in EVENTS)
        suspect = next((origin.suspect for origin in moving if origin.suspect), None)
        return Origin("spikes", first.source, 1.0, suspect, sums=sums_of(found))
    return Origin("spikes", place, 1.0, place, sums=sums_of(found))


def combined(
    name: str, args: tuple[Any, ...], tensors: list[Tensor], origins: list[Origin | None], place: str, out: Any,
    writes: Writes,
) -> Origin:  # fmt: skip
    """The origin of what element-wise arithmetic made; None among the origins stands for a weight."""
    found = [origin or CONSTANT for origin in origins]
    if name == "mul" and any(not isinstance(value, Tensor) and value == 0 for value in args[:2]):
        return ZERO
    folded = _folds_of(name, args, tensors, found, out, writes)
    if folded is not None and folded.pools:
        suspects = next((origin.suspect for origin in found if origin.suspect), None)
        return Origin("pooled", next(o.source for o in found if o.kind not in _STILL), None, suspects, folded)
    made = _of_elements(name, args, tensors, found, place)
    return made._replace(fold=folded) if made.kind in EVENTS else made  # padded: spikes as before, at other places


def _of_elements(name: str, args: tuple[Any, ...], tensors: list[Tensor], found: list[Origin], place: str) -> Origin:
    events = [origin for origin in found if origin.kind in EVENTS]
    rest = [origin for origin in found if origin.kind not in EVENTS and origin.kind not in _STILL]
    suspects = next((origin.suspect for origin in found if origin.suspect), None)
    if name in ("where", "masked_fill"):  # the condition's values go nowhere
        branches = [
            ZERO if o.kind == "constant" and tensor.numel() == 1 and not bool(tensor.any()) else o
            for tensor, o in zip(tensors, found, strict=True)
            if tensor.dtype is not torch.bool
        ]
        moving = [origin for origin in branches if origin.kind not in _STILL]
        if not moving:
            condition = next((o for o in found if o.kind not in _STILL), None)
            return condition.bare._replace(unit=None) if condition is not None else CONSTANT
        if all(origin.kind in EVENTS for origin in moving):
            made = moving[0].bare
            for origin in moving[1:]:
                made = joined(made, origin) or made
            plain_ = name == "masked_fill" and args[2] in (0, 0.0)
            zeros = plain_ or all(origin.kind != "constant" for origin in branches)
            return made if zeros else made._replace(unit=None)
        return made_of(moving, place)
    if not events or rest:
        return made_of(found, place)
    unit = _unit(name, args, tensors, found)
    if name in ("mul", "div", "neg", "abs", "add", "sub", "rsub", "maximum", "minimum", *_LOGIC) and unit != 0:
        sources = {origin.source for origin in events}
        kind = "input" if all(origin.kind == "input" for origin in events) else "spikes"
        return Origin(kind, sources.pop() if len(sources) == 1 else place, unit, suspects)
    return made_of(found, place)


#: pointwise functions of which nothing comes where nothing arrives
_STEADY = frozenset(["abs", "relu", "sqrt", "square", "tanh", "round", "floor", "ceil", "trunc", "sin", "tan", "erf"])


def keeps_zero(name: str, args: tuple[Any, ...]) -> bool:
    """Whether a pointwise function leaves spikes where they are and nothing where there is none."""
    if name in ("clamp", "clamp_min", "hardtanh"):
        low = args[1] if len(args) > 1 else None
        high = args[2] if len(args) > 2 else None
        plain = all(bound is None or isinstance(bound, int | float) for bound in (low, high))
        return plain and (low is None or low <= 0) and (high is None or high > 0)
    return name in _STEADY


def each(
    args: tuple[Any, ...], kwargs: dict[str, Any], out: Any
) -> Iterator[tuple[tuple[Any, ...], dict[str, Any], Any]]:
    """The calls for single tensors that one call for a list of them stands for."""

    def at(index: int, value: Any) -> Any:
        return value[index] if isinstance(value, list | tuple) else value

    for index in range(len(args[0])):
        one = tuple(at(index, value) for value in args)
        named = {name: at(index, value) for name, value in kwargs.items()}
        yield one, named, one[0] if out is None else at(index, out)


#: operators by which a mask makes weights of weights
MASKS = ("mul", "where", "masked_fill")

#: kinds of operators all of whose results are of one origin
SEVERAL = ("gatherer", "carrier", "unknown", "taught", "reduction", "higher_order", "free")

_LOGIC = ("bitwise_and", "bitwise_or", "bitwise_xor")


def _unit(name: str, args: tuple[Any, ...], tensors: list[Tensor], found: list[Origin]) -> float | None:
    """The size of one spike afterwards; None where it cannot be told, 0 where they are no spikes any more."""
    units = [origin.unit for origin in found if origin.kind in EVENTS]
    still = [tensor for tensor, origin in zip(tensors, found, strict=True) if origin.kind in _STILL]
    numbers = [value for value in args if isinstance(value, int | float) and not isinstance(value, bool)]
    if name in _LOGIC:
        return 1.0
    unit = units[0]
    if name in ("neg", "abs"):
        return unit
    if name in ("mul", "div"):
        if len(units) > 1:
            return None if name == "div" or None in units else unit * units[1]  # type: ignore[operator]
        factors = [abs(float(number)) for number in numbers]
        for tensor in still:
            size = _one_size(tensor)
            if size is None:
                return 0
            factors.append(size)
        for factor in factors:
            if unit is not None:
                unit = (unit * factor if name == "mul" else unit / factor) if factor else None
        return unit
    if len(units) > 1:  # two spikes at once are no longer one: looked at, and graded where they meet
        return None
    if still or (name in ("sub", "rsub", "add") and len(units) == 1 and numbers):  # `1 - s`, or another number
        number = numbers[0] if numbers and not still else None
        if number == 0 or (name != "add" and number is not None and number == unit):
            return unit
        return 0 if name == "add" and number not in (unit, None) else None
    alpha = numbers[0] if len(numbers) else 1
    return unit if alpha in (1, -1) else None


def _one_size(tensor: Tensor) -> float | None:
    """The one size of a constant's values that are not zero; None where they differ."""
    size = tensor.detach().abs() if tensor.dtype is not torch.bool else tensor.to(torch.float32)
    peak = float(size.max()) if size.numel() else 0.0
    return peak if bool(((size == 0) | (size == peak)).all()) else None


def _folds_of(
    name: str, args: tuple[Any, ...], tensors: list[Tensor], found: list[Origin], out: Any, writes: Writes
) -> Fold | None:
    """The pooling that a factor, a mask or a sum leaves: factors change no pattern, and sums add up ways."""
    folds = [origin.fold for origin in found if origin.fold is not None]
    if not folds or not isinstance(out, Tensor):
        return None
    moving = [(tensor, o) for tensor, o in zip(tensors, found, strict=True) if o.kind not in _STILL]
    others = [tensor for tensor, o in zip(tensors, found, strict=True) if o.kind in _STILL]
    if name in ("mul", "div") and len(moving) == 1 and moving[0][0].shape == out.shape:
        if name == "div" or all(tensor.numel() == 1 and bool(tensor.any()) for tensor in others):
            return folds[0]
        return folds[0].moved(lambda x: x * math.prod((tensor.detach() != 0).to("cpu", x.dtype) for tensor in others))
    if name == "masked_fill" and len(folds) == 1 and args[2] in (0, 0.0) and found[0].fold is not None:
        return folds[0].moved(lambda x: x.masked_fill(args[1].detach().cpu(), 0))
    if name == "where" and len(args) == 3:
        parts = [_of(value, tensors, found) for value in args[1:]]
        if all(part is not None for part in parts):
            mask = args[0].detach().cpu()
            return together([part for part in parts if part is not None], lambda n: torch.where(mask, n[0], n[1]))
    if name == "add" and len(moving) == len(tensors) == len(folds) and len({tensor.shape for tensor in tensors}) == 1:
        return summed(folds, None, writes)
    return None


def _of(value: Any, tensors: list[Tensor], found: list[Origin]) -> Fold | Tensor | None:
    """A branch's fold, or zeros; None for anything else."""
    if not isinstance(value, Tensor):
        return torch.zeros((), dtype=torch.float64) if value == 0 else None
    origin = next(o for tensor, o in zip(tensors, found, strict=True) if tensor is value)
    if origin.fold is not None:
        return origin.fold
    still = origin.kind == "zero" or (origin.kind == "constant" and value.numel() == 1 and not bool(value.any()))
    return torch.zeros(value.shape, dtype=torch.float64) if still else None


# -- moves -------------------------------------------------------------------------------------------------------------


def moved(rule: Rule, args: tuple[Any, ...], kwargs: dict[str, Any], fold: Fold, out: Tensor) -> Fold | None:
    """The pooling behind an operator of one tensor that only moves values."""
    name, values = rule.name, args[0]
    if name in COPIES:
        return fold
    if name in RESHAPES:
        return fold.reshaped(out.shape)
    if name in ("permute", "transpose", "t", "mT", "numpy_T", "swapaxes"):
        return fold.permuted(axis_order(name, values.dim(), args[1:]))
    if name == "expand" and out.shape == values.shape:
        return fold
    found = _rerun(name, args, kwargs, fold)
    return found if isinstance(found, Fold) else None


def _rerun(name: str, args: tuple[Any, ...], kwargs: dict[str, Any], fold: Fold) -> Any:
    """An operator of one tensor, run once more on the numbers of its values."""
    call: Callable[..., Any] = getattr(torch.ops.aten, name)
    numbers, sources = fold.numbered()
    try:
        with torch.inference_mode(False), torch.no_grad():
            found = call(numbers.clone(), *args[1:], **kwargs)
    except (RuntimeError, TypeError, ValueError, IndexError):  # it does not run on plain numbers: the way is lost
        return None
    if isinstance(found, Tensor):
        return numbered(found, sources)
    return [numbered(part, sources) for part in found] if isinstance(found, list | tuple) else None


def gathered(
    rule: Rule, args: tuple[Any, ...], kwargs: dict[str, Any], tensors: list[Tensor], origins: list[Origin | None],
    out: Any, writes: Writes,
) -> tuple[Origin | None, list[Fold | None]]:  # fmt: skip
    """The origin of what an operator made that puts values together or takes them apart, and its results' poolings."""
    name = rule.name
    used = [origin for tensor, origin in zip(tensors, origins, strict=True)
            if origin is not None and (tensor.is_floating_point() or len(tensors) == 1)]  # fmt: skip
    if not used:
        used = [origin for origin in origins if origin is not None][:1]
    made: Origin | None = None
    for origin in used:
        made = joined(made, origin.bare) or made
    if made is None:
        return (CONSTANT if origins else None), []
    sums = sums_of([origin for origin in origins if origin is not None])  # of what says where values go, too
    if sums != made.sums:
        made = made._replace(sums=sums)
    if name in ("native_dropout", "dropout") or (name in ("constant_pad_nd", "pad") and _fills(args)):
        made = made._replace(unit=None)
    return made, _moved_folds(name, args, kwargs, tensors, origins, out, writes)


def _fills(args: tuple[Any, ...]) -> bool:
    return len(args) > 2 and isinstance(args[2], int | float) and args[2] != 0


def _moved_folds(
    name: str, args: tuple[Any, ...], kwargs: dict[str, Any], tensors: list[Tensor], origins: list[Origin | None],
    out: Any, writes: Writes,
) -> list[Fold | None]:  # fmt: skip
    folds = [origin.fold if origin is not None else None for origin in origins]
    first = folds[0] if folds else None
    if name == "copy":
        return [first] if first is not None else []
    if name == "constant_pad_nd" and not _fills(args) and isinstance(out, Tensor):
        pads, origin = list(args[1]), origins[0]
        if first is None and origin is not None and origin.kind != "unseen" and tensors[0].dim() == len(pads) // 2 + 2:
            unit = origin.unit if origin.kind in EVENTS else None
            first = plain(tensors[0], 1, unit, writes(tensors[0]))  # the places before the padding are the layer's own
        return [first.padded(pads)] if first is not None else []
    if not any(folds):
        return []
    if name in ("cat", "concat", "stack", *_INTO):
        return _put_together(name, args, kwargs, tensors, origins, folds, writes)
    if first is None or any(folds[1:]):
        return []
    found = _rerun(name, args, kwargs, first)
    return [found] if isinstance(found, Fold) else found or []


#: operators that put values into a tensor at some places
_INTO = ("index_put", "_unsafe_index_put", "index_copy", "scatter", "slice_scatter", "select_scatter", "masked_scatter")


def _put_together(
    name: str, args: tuple[Any, ...], kwargs: dict[str, Any], tensors: list[Tensor], origins: list[Origin | None],
    folds: list[Fold | None], writes: Writes,
) -> list[Fold | None]:  # fmt: skip
    filled: dict[int, Fold | Tensor] = {}
    known = next(fold for fold in folds if fold is not None)
    for tensor, origin, fold in zip(tensors, origins, folds, strict=True):
        if not tensor.is_floating_point():
            continue
        if fold is not None:
            filled[id(tensor)] = fold
        elif origin is not None and origin.kind == "zero":
            filled[id(tensor)] = torch.zeros(tensor.shape, dtype=torch.float64)
        elif origin is not None and origin.kind in EVENTS and known.rows and known.rows < tensor.dim():
            filled[id(tensor)] = plain(tensor, known.rows, origin.unit, writes(tensor))
        else:
            return []
    names = list(filled)

    def put(numbers: list[Tensor]) -> Tensor:
        swap = dict(zip(names, numbers, strict=True))

        def each(value: Any) -> Any:
            if isinstance(value, list | tuple):
                return [each(one) for one in value]
            return swap.get(id(value), value)

        call: Callable[..., Tensor] = getattr(torch.ops.aten, name)
        return call(*(each(value) for value in args), **{key: each(value) for key, value in kwargs.items()})

    try:
        return [together(list(filled.values()), put)]
    except (RuntimeError, TypeError, ValueError, IndexError):
        return []


def axis_order(name: str, dims: int, args: tuple[Any, ...]) -> tuple[int, ...]:
    """The permutation of the axes that an operator makes."""
    if name == "permute":
        return tuple(axis % dims for axis in args[0])
    order = list(range(dims))
    if name == "numpy_T":
        return tuple(order[::-1])
    first, second = (-2, -1) if name in ("t", "mT") else args
    if dims < 2:
        return tuple(order)
    order[first], order[second] = order[second], order[first]
    return tuple(order)
