"""Which parts of a population a presynaptic neuron's spike has to be sent to."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ..mapping.mapped import Mapped, Projection, inward
from ..mapping.synapses import Convolution, Dense, Sparse

Bools = NDArray[np.bool_]
_CHUNK = 1 << 24  # places of a reach matrix that are held at once


def chunks(size: int, columns: int) -> Iterator[tuple[int, int]]:
    """Ranges of rows whose matrix of `columns` stays small."""
    rows = max(1, _CHUNK // max(columns, 1))
    for first in range(0, size, rows):
        yield first, min(size, first + rows)


def reach(
    network: Mapped, projection: Projection, borders: NDArray[np.int64], grain: int, first: int, last: int
) -> Bools:
    """Whether neurons `first .. last` of the source have a synapse in each slice: bool `[neurons, slices]`.

    `borders` are those of the slices, in the machine's order (position by position where the target has channels).
    """
    fan = projection.fan
    if fan is None:
        return _reach(projection, borders, grain, np.arange(first, last))
    a, b = fan.starts[first], fan.starts[last]
    places, back = np.unique(fan.places[a:b], return_inverse=True)
    found = _reach(projection, borders, grain, places.astype(np.int64))
    out = np.zeros((last - first, len(borders) - 1), bool)
    neuron = np.repeat(np.arange(last - first), np.diff(fan.starts[first : last + 1]))
    np.logical_or.at(out, neuron, found[back])
    return out


def _reach(projection: Projection, borders: NDArray[np.int64], grain: int, places: NDArray[np.int64]) -> Bools:
    synapses = projection.synapses
    slices = len(borders) - 1
    if isinstance(synapses, Dense):
        if slices == 1:
            return (synapses.fan_out[places] > 0)[:, None]
        exists = inward(synapses.weight[places] != 0, grain)
        return np.logical_or.reduceat(exists, borders[:-1], axis=1)
    out = np.zeros((len(places), slices), bool)
    if isinstance(synapses, Sparse):
        counts = synapses.fan_out[places]
        row = np.repeat(np.arange(len(places)), counts)
        at = (
            np.arange(counts.sum())
            - np.repeat(np.cumsum(counts) - counts, counts)
            + np.repeat(synapses.starts[places], counts)
        )
        target = synapses.records["target"][at].astype(np.int64)
        if grain > 1:
            positions = synapses.targets // grain
            target = target % positions * grain + target // positions
        out[row, np.searchsorted(borders, target, "right") - 1] = True
        return out
    assert isinstance(synapses, Convolution)
    channel, row, column = np.unravel_index(places, synapses.in_shape)
    width = synapses.out_shape[0] // synapses.groups
    group = channel // (synapses.in_shape[0] // synapses.groups)
    exists = _taps(synapses)
    for i in range(synapses.weight.shape[2]):
        y, rest_y = np.divmod(row + synapses.padding[0] - i * synapses.dilation[0], synapses.stride[0])
        for j in range(synapses.weight.shape[3]):
            x, rest_x = np.divmod(column + synapses.padding[1] - j * synapses.dilation[1], synapses.stride[1])
            valid = (rest_y == 0) & (rest_x == 0) & (y >= 0) & (y < synapses.out_shape[1])
            valid &= (x >= 0) & (x < synapses.out_shape[2]) & exists[channel, i, j]
            chosen = np.flatnonzero(valid)
            begin = (y[chosen] * synapses.out_shape[2] + x[chosen]) * grain + group[chosen] * width
            low = np.searchsorted(borders, begin, "right") - 1
            high = np.searchsorted(borders, begin + width - 1, "right") - 1
            for step in range(int((high - low).max()) + 1 if len(chosen) else 0):
                inside = low + step <= high
                out[chosen[inside], (low + step)[inside]] = True
    return out


def _taps(synapses: Convolution) -> Bools:
    """Whether any weight of an input channel exists at a tap, bool `[in, kh, kw]`."""
    out, inside, high, wide = synapses.weight.shape
    groups = synapses.groups
    return (synapses.weight.reshape(groups, out // groups, inside, high, wide) != 0).any(1).reshape(-1, high, wide)
