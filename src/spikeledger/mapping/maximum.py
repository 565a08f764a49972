"""Max pooling of spikes, as a chip can have it: a population whose neuron fires if any spike of its window comes.

    max of spikes = 1 if their sum is above 1/2, else 0

Its neurons keep nothing from step to step (`beta = 0`), one synapse of weight 1 leads from each place of a window, and
what they send goes on in the same step, so the answer equals torch's. They cost what neurons cost: an update a step,
synapses, and, on a chip whose layers work one after another, one step of latency.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from . import terms as algebra
from .terms import Form, Opaque, Term

#: the constants of a population that forgets at once and fires if any spike comes
ANY: dict[str, Any] = {"beta": 0.0, "threshold": 0.5, "reset": "zero", "reset_delay": False}
_USE = "put it right behind neurons that fire, or use average pooling"


def is_maximum(name: str) -> bool:
    """Whether an operator is a max pooling over one or two axes."""
    return "max_pool" in name


def sums_of_windows(
    name: str, form: tuple[Term, ...], args: Sequence[Any], out: Tensor, place: str, inputs: Sequence[str]
) -> tuple[Form, float]:
    """What reaches the neurons that stand for a max pooling: each spike of a window once; and the size of a spike."""
    values, what = args[0], f"'{place}' is a max pooling"
    if any(term.operator is not None for term in form):
        return Opaque(f"{what} of currents, which synapses cannot choose among: {_USE}"), 1.0
    if any(term.pairs is not None for term in form):
        return Opaque(f"{what} of averages, which synapses cannot choose among: {_USE}"), 1.0
    if any(term.source in inputs for term in form):
        return Opaque(f"{what} of the input, which may be graded: pool it before it is given"), 1.0
    crowd = torch.stack([term.index != 0 for term in form]).sum(0)
    if bool(values.any()) or int(crowd.max()) > 1:
        return Opaque(f"{what} of sums: spikes with something added, of which the largest is no spike: {_USE}"), 1.0
    sizes = {
        float(size)
        for term in form
        for size in (term.scale[term.index != 0].unique() if isinstance(term.scale, Tensor) else [term.scale])
    }
    if len(sizes) != 1 or min(sizes) <= 0:
        return Opaque(f"{what} of spikes of several sizes or below 0: scale them behind it"), 1.0
    space = list(values.shape[2:])
    if len(space) > 2 or values.dim() < 3:
        return Opaque(f"{what} over {len(space)} axes, and chips here have 1 or 2: {_USE}"), 1.0
    settings = _settings(name, args, space)
    if settings is None:
        return Opaque(f"'{place}' pools {space} adaptively into windows that differ in size"), 1.0
    kernel, stride, padding, dilation = settings

    def windows(local: Tensor) -> Tensor:
        flat = local.unsqueeze(2) if local.dim() == 3 else local
        return nn.functional.unfold(flat, kernel, dilation=dilation, padding=padding, stride=stride)[0]

    if windows(torch.ones(1, 1, *space, dtype=torch.float64)).shape[1] != out.shape[2:].numel():
        return Opaque(f"'{place}' pools with ceil_mode: pad the input instead"), 1.0
    ones = tuple(replace(term, scale=1.0) for term in form)
    factors = torch.ones(out.shape[2:].numel(), dtype=torch.float64)
    return algebra.pooled(ones, tuple(values.shape), tuple(out.shape), windows, factors, f"'{place}'"), sizes.pop()


def _settings(name: str, args: Sequence[Any], space: list[int]) -> list[tuple[int, ...]] | None:
    """Kernel, stride, padding and dilation over two axes; None if the windows of an adaptive one differ."""
    if "adaptive" in name:
        size = list(args[1]) if isinstance(args[1], list | tuple) else [args[1]] * len(space)
        if any(inside % outside for inside, outside in zip(space, size, strict=True)):
            return None
        kernel = [inside // outside for inside, outside in zip(space, size, strict=True)]
        found = [kernel, kernel, [0] * len(space), [1] * len(space)]
    else:
        kernel = per_axis(args[1], len(space))
        stride = per_axis(args[2], len(space)) if len(args) > 2 and args[2] else kernel
        padding = per_axis(args[3], len(space)) if len(args) > 3 else [0] * len(space)
        dilation = per_axis(args[4], len(space)) if len(args) > 4 else [1] * len(space)
        found = [kernel, stride, padding, dilation]
    if len(space) == 2:
        return [tuple(each) for each in found]
    return [(neutral, each[0]) for each, neutral in zip(found, (1, 1, 0, 1), strict=True)]  # one row of a picture


def per_axis(value: Any, axes: int) -> list[int]:
    """A setting of a pooling as one number an axis."""
    numbers = [value] if isinstance(value, int) else list(value)
    return numbers * axes if len(numbers) == 1 else numbers
