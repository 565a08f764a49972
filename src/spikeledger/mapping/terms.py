"""What a tensor depends on, while a network is traced: sums of spikes that moved, were pooled, or met weights.

A traced run sends no spike, so a tensor's own values are its constant part (biases). Its `Term`s are the rest: an
integer tensor of the same shape says which spike stands at each place, and every operator that only moves
values moves these numbers in the same way, whatever it is called with.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import InputError
from ..torch_private import schema_of

#: operators that only move values: they are applied to the numbers as they were to the values
MOVES: frozenset[str] = frozenset(
    """
    view _unsafe_view reshape _reshape_alias permute transpose t expand squeeze unsqueeze select slice flatten unflatten
    clone contiguous detach alias lift_fresh narrow unfold movedim swapaxes flip roll repeat index_select split
    split_with_sizes unbind chunk view_as stack cat constant_pad_nd as_strided unsafe_split gather index where
    masked_fill index_fill index_copy index_put _unsafe_index scatter slice_scatter select_scatter
    """.split()
)
#: operators whose result has the places of their first argument
SAME: frozenset[str] = frozenset(["_to_copy", "to", "dropout", "native_dropout"])
#: operators that write a constant, or another tensor, over whatever stood there
FILLS: frozenset[str] = frozenset(["zero", "fill", "copy", "uniform", "normal"])
#: operators whose answer leaves the tensors, so that a program may go another way when a spike comes
ANSWERS: frozenset[str] = frozenset(["_local_scalar_dense", "item", "is_nonzero", "equal", "nonzero", "masked_select"])


@dataclass(frozen=True, eq=False)
class Operator:
    """A weighted operator as it was met: `linear` with a matrix `[out, in]`, or `conv` with its settings."""

    layer: str
    kind: str
    weight: Tensor
    in_shape: tuple[int, ...]
    settings: tuple[Any, ...] = ()
    targets: int = 0  # places of one row of its output
    bias: Tensor | None = None

    @property
    def sources(self) -> int:
        """Places of one row of its input."""
        return math.prod(self.in_shape)


@dataclass(frozen=True, eq=False)
class Pairs:
    """Sparse map from numbered spikes of a source to places, each with a factor."""

    spikes: NDArray[np.int64]
    places: NDArray[np.int64]
    scales: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Term:
    """Spikes of one source in a tensor: `index` is 0 where there is none, else 1 + a number.

    The number is `step * size + neuron` of the source; after pooling a place of `pairs`; after a weighted operator
    `row * targets + place` of its output, with places of `pairs` counted over the rows of its input likewise. `scale` is
    the factor at each place.
    """

    source: str
    index: Tensor
    scale: Tensor | float = 1.0
    pairs: Pairs | None = None
    operator: Operator | None = None

    def moved(self, func: Callable[[Tensor], Tensor]) -> Term:
        """The same spikes at other places."""
        scale = func(self.scale.expand_as(self.index)) if isinstance(self.scale, Tensor) else self.scale
        return replace(self, index=func(self.index), scale=scale)

    def times(self, factor: Tensor | float) -> Term:
        """The same spikes with another factor; a tensor of factors broadcasts. A spike times 0 is no spike."""
        if isinstance(factor, Tensor) and factor.dim():
            index = self.index.expand(torch.broadcast_shapes(self.index.shape, factor.shape))
            if self.operator is None:
                index = index * (factor != 0)
            return replace(self, index=index, scale=self.scale * factor.double())
        if self.operator is None and float(factor) == 0:
            return replace(self, index=torch.zeros_like(self.index))
        return replace(self, scale=self.scale * float(factor))

    def row(self, number: int, rows: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        """Numbers, places and factors of one of the leading `rows` (axes flattened)."""
        index = self.index.reshape(rows, -1)[number].numpy()
        places = np.flatnonzero(index)
        if isinstance(self.scale, Tensor):
            scale = self.scale.expand_as(self.index).reshape(rows, -1)[number].numpy()[places]
        else:
            scale = np.full(len(places), self.scale)
        return index[places] - 1, places, scale.astype(np.float64)

    def spikes(self, number: int, rows: int) -> Pairs:
        """The map from numbered spikes to the places of one row."""
        numbers, places, scales = self.row(number, rows)
        if self.pairs is None:
            return Pairs(numbers, places, scales)
        # a place of the pooling's output may stand at several places here, and several spikes at one of its own
        order = np.argsort(self.pairs.places, kind="stable")
        sorted_places = self.pairs.places[order]
        first = np.searchsorted(sorted_places, numbers, "left")
        counts = np.searchsorted(sorted_places, numbers, "right") - first
        inside = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        rows_of = order[np.repeat(first, counts) + inside]
        scale = self.pairs.scales[rows_of] * np.repeat(scales, counts)
        return Pairs(self.pairs.spikes[rows_of], np.repeat(places, counts), scale)


@dataclass(frozen=True)
class Opaque:
    """A tensor that depends on spikes in a way that no synapse can; `reason` is said if neurons receive it."""

    reason: str


Form = tuple[Term, ...] | Opaque


def multiplied(terms: Sequence[Term], operator: Operator, rows: int, out_shape: tuple[int, ...]) -> Form:
    """The form of a weighted operator's output `[rows, *out]`: one term a source."""
    found = []
    operator = replace(operator, targets=int(np.prod(out_shape[1:])))
    for term in terms:
        if term.operator is not None:
            return Opaque(
                f"'{term.operator.layer}' and '{operator.layer}' follow each other with no neurons between them: "
                "merge their weights, or put neurons between"
            )
        pairs = term.spikes(0, 1)
        if len(pairs.spikes):
            index = _numbered(pairs.places // operator.sources, rows, operator.targets)
            found.append(Term(term.source, index.reshape(out_shape), 1.0, pairs, operator))
    return tuple(found)


def _numbered(reached: NDArray[np.int64], rows: int, places: int) -> Tensor:
    """Numbers from 1 on `[rows, places]`, and 0 in rows that no spike reached."""
    index = torch.arange(1, rows * places + 1).reshape(rows, places)
    silent = torch.ones(rows, dtype=torch.bool)
    silent[torch.from_numpy(np.unique(reached))] = False
    index[silent] = 0
    return index


def pooled(
    terms: Sequence[Term], shape: tuple[int, ...], out_shape: tuple[int, ...], windows: Callable[[Tensor], Tensor],
    factors: Tensor, name: str,
) -> Form:  # fmt: skip
    """The form of a linear pooling over the last axes of `[rows, channels, *space]`.

    `windows` lists what each window holds, `[1, space] -> [elements, windows]`; `factors` is the weight of each window.
    """
    rows, channels = shape[0], shape[1]
    space = int(np.prod(shape[2:]))
    local = windows(torch.arange(1, space + 1, dtype=torch.float64).reshape(1, 1, *shape[2:])).long().numpy()
    elements, window = np.nonzero(local)
    inside = local[elements, window] - 1
    factor = factors.reshape(-1).double().numpy()[window]
    places_out, order = local.shape[1], np.argsort(inside, kind="stable")
    found = []
    for term in terms:
        if term.operator is not None:
            return Opaque(f"{name} pools the currents of '{term.operator.layer}': pool spikes, behind the neurons")
        before = term.spikes(0, 1)
        if not len(before.spikes):
            continue
        # spikes -> places before the pooling (row and channel, inside) -> windows (row and channel, window)
        channel, at = np.divmod(before.places, space)
        first = np.searchsorted(inside[order], at, "left")
        counts = np.searchsorted(inside[order], at, "right") - first
        step = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        chosen = order[np.repeat(first, counts) + step]
        places = np.repeat(channel, counts) * places_out + window[chosen]
        pairs = Pairs(np.repeat(before.spikes, counts), places, factor[chosen] * np.repeat(before.scales, counts))
        index = _numbered(channel // channels, rows, channels * places_out)
        found.append(Term(term.source, index.reshape(out_shape), 1.0, pairs))
    return tuple(found)


def added(first: Form, second: Form, shape: torch.Size, sign: float) -> Form:
    """The form of `first + sign * second`, of a common shape."""
    if isinstance(first, Opaque):
        return first
    if isinstance(second, Opaque):
        return second
    both = (*first, *(term.times(sign) if sign != 1 else term for term in second))
    return tuple(term.moved(lambda x: x.expand(shape)) for term in both)


def moved(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], forms: dict[int, Form]) -> list[Form]:
    """The forms of the results of an operator that only moves values; `forms` are those of its tensors, by identity."""
    results: list[list[Term]] = []
    name = schema_of(func).name.removeprefix("aten::").removesuffix("_")
    where = [args[at] for at in _WHERE.get(name, ()) if at < len(args)]
    for place in [each for given in where for each in (given if isinstance(given, list | tuple) else [given])]:
        if id(place) in forms:
            return [Opaque(f"{name} chooses places, or takes values, by spikes, which synapses cannot do")]
    if name == "index_put" and len(args) > 3 and args[3]:
        return [Opaque("index_put adds spikes to what stands there already: add tensors in its place")]
    for key, form in forms.items():
        assert not isinstance(form, Opaque)
        for term in form:

            def numbers(value: Any, term: Term = term, key: int = key, scale: bool = False) -> Any:
                if isinstance(value, Tensor):
                    if id(value) == key:
                        return (_scale_of(term) if scale else term.index).clone()
                    return torch.zeros(value.shape, dtype=torch.float64 if scale else torch.int64)
                if isinstance(value, list | tuple) and value and isinstance(value[0], Tensor):
                    return [numbers(each, term, key, scale) for each in value]
                return value

            indexes = func(*_moving(name, args, numbers), **kwargs)
            scaled = isinstance(term.scale, Tensor)
            scales = func(*_moving(name, args, lambda v: numbers(v, scale=True)), **kwargs) if scaled else None
            indexes = indexes if isinstance(indexes, list | tuple) else [indexes]
            scales = scales if isinstance(scales, list | tuple) else [scales] * (1 if scales is not None else 0)
            for number, index in enumerate(indexes):
                while len(results) <= number:
                    results.append([])
                scale = scales[number] if scaled else term.scale
                if index.any():
                    results[number].append(replace(term, index=index, scale=scale))
    return [tuple(each) for each in results]


#: which arguments of an operator say where, and not what; a padding pads with 0, which is no spike
_WHERE: dict[str, tuple[int, ...]] = {
    "index_select": (2,), "gather": (2,), "index": (1,), "_unsafe_index": (1,), "where": (0,), "masked_fill": (1, 2),
    "index_fill": (2, 3), "index_copy": (2,), "index_put": (1,), "scatter": (2,), "constant_pad_nd": (2,),
}  # fmt: skip


def _moving(name: str, args: tuple[Any, ...], numbers: Callable[[Any], Any]) -> list[Any]:
    """Arguments with the numbers in the values' place; what a constant is written over is no spike any more."""
    found = [each if at in _WHERE.get(name, ()) else numbers(each) for at, each in enumerate(args)]
    if name in ("masked_fill", "index_fill", "scatter") and not isinstance(args[-1], Tensor):
        found[-1] = 0
    elif name in ("masked_fill", "index_fill"):
        found[-1] = torch.zeros((), dtype=found[0].dtype)
    return found[:2] if name == "constant_pad_nd" else found


def _scale_of(term: Term) -> Tensor:
    assert isinstance(term.scale, Tensor)
    return term.scale.expand_as(term.index)


def refuse(reason: str) -> InputError:
    """The error for a network that has no place on a chip."""
    return InputError(f"this network cannot be mapped onto a chip: {reason}")
