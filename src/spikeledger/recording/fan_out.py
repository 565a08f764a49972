"""How many existing synapses leave each place: what a spike is multiplied by."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..activity import Counts

#: elements of the one-hot inputs that are probed in one go
_PROBE = 1 << 21


def fan_out(linear: Callable[[Tensor], Tensor], shape: tuple[int, ...], device: torch.device | None = None) -> Counts:
    """Synapses that leave each input place, int64 of `shape`: the transpose of a 0/1 operator applied to ones.

    `f = A^T 1`, computed as the gradient of `sum(A x)`; float64 holds each count exactly up to 2^53. Every path counts:
    for an operator that reaches a target by several paths, see `reach`.
    """
    with torch.inference_mode(False), torch.enable_grad():
        x = torch.zeros(shape, dtype=torch.float64, device=device, requires_grad=True)
        out = linear(x)
        if not out.requires_grad:
            return np.zeros(shape, np.int64)
        (gradient,) = torch.autograd.grad(out.sum(), x)
    return torch.round(gradient).to(torch.int64).cpu().numpy()


def row_sums(mask: NDArray[np.bool_]) -> Counts:
    """How many entries of each row of a matrix `[..., k, m]` are there, int64."""
    if mask.shape[-1] < 1 << 16:
        return np.add.reduce(mask.view(np.uint8), axis=-1, dtype=np.uint16).astype(np.int64)
    return np.add.reduce(mask.view(np.uint8), axis=-1, dtype=np.int64)


class Grid(NamedTuple):
    """A convolution's places: along each axis, which input each tap reads for each output."""

    inside: tuple[int, ...]  # the input's size
    outside: tuple[int, ...]  # the output's
    taps: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    transposed: bool
    groups: int

    @classmethod
    def of(
        cls, inside: Sequence[int], taps: Sequence[int], stride: Sequence[int], padding: Sequence[int],
        dilation: Sequence[int], transposed: bool, extra: Sequence[int], groups: int,
    ) -> Grid:  # fmt: skip
        """A convolution of these settings, one number an axis or one for all."""
        dims = len(taps)
        stride, padding, dilation, extra = (
            tuple(row) * (dims if len(row) == 1 else 1) for row in (stride, padding, dilation, extra)
        )
        each = zip(inside, taps, stride, padding, dilation, extra or (0,) * dims, strict=True)
        outside = [
            (n - 1) * s - 2 * p + d * (k - 1) + e + 1 if transposed else (n + 2 * p - d * (k - 1) - 1) // s + 1
            for n, k, s, p, d, e in each
        ]
        return cls(tuple(inside), tuple(outside), tuple(taps), stride, padding, dilation, transposed, groups)

    def reads(self, axis: int) -> NDArray[np.bool_]:
        """Whether a tap of an axis lets each input place go anywhere, `[taps, inside]`."""
        place, tap = np.arange(self.inside[axis]), np.arange(self.taps[axis])[:, None]
        s, p, d = self.stride[axis], self.padding[axis], self.dilation[axis]
        if self.transposed:
            to = place * s - p + tap * d
            return np.asarray((to >= 0) & (to < self.outside[axis]))
        at = place + p - tap * d
        return np.asarray((at % s == 0) & (at >= 0) & (at // s < self.outside[axis]))

    def fan_out(self, mask: NDArray[np.bool_]) -> Counts:
        """Synapses that leave each place `[C, *inside]`, of the weights that are not zero.

        `f[c, x] = sum_k n[c, k] [tap k reads x]`, where `n[c, k]` outputs have a weight at tap `k`: taps of different
        axes are independent of each other.
        """
        axis = 1 if self.transposed else 0
        if self.transposed:
            counts = mask.sum(axis, dtype=np.int64)  # [C, *K]
        else:  # [O, C / groups, *K], the outputs of each group together
            counts = mask.reshape(self.groups, -1, *mask.shape[1:]).sum(1, dtype=np.int64)
            counts = counts.reshape(-1, *mask.shape[2:])
        found = counts.astype(np.float64)
        for dim in range(len(self.taps)):  # the axis of taps goes, that of places comes to the end
            found = np.tensordot(found, self.reads(dim).astype(np.float64), (1, 0))
        return np.round(found).astype(np.int64)

    def reach(self, mask: NDArray[np.bool_], spans: Sequence[Sequence[tuple[int, int]]]) -> Counts:
        """Outputs that each place before a pooling with these windows reaches at all, `[C, *before]`.

        Along each axis the windows that hold a place are met by some taps at each output; only these sets of taps matter.
        """
        per_group = mask.reshape(self.groups, -1, *mask.shape[1:])  # [G, O / G, C / G, *K]
        kinds = [self._met(dim, windows) for dim, windows in enumerate(spans)]
        channels = self.groups * per_group.shape[2]
        found = np.zeros((channels, *(max(end for _, end in windows) for windows in spans)), np.int64)
        known: dict[tuple[tuple[int, ...], ...], Counts] = {}
        for chosen in itertools.product(*(each.items() for each in kinds)):
            total = np.zeros(channels, np.int64)
            for sets in itertools.product(*(signature for signature, _ in chosen)):
                taps, often = tuple(one[0] for one in sets), int(np.prod([one[1] for one in sets]))
                if taps not in known:
                    part = per_group
                    for dim, some in enumerate(taps):
                        part = part.take(some, axis=3 + dim)
                    met = part.any(tuple(range(3, part.ndim))) if taps else part
                    known[taps] = met.sum(1, dtype=np.int64).reshape(-1)
                total += often * known[taps]
            found[np.ix_(np.arange(channels), *(np.array(places) for _, places in chosen))] = total.reshape(
                -1, *[1] * len(spans)
            )
        return found

    def _met(self, dim: int, windows: Sequence[tuple[int, int]]) -> dict[tuple[Any, ...], list[int]]:
        """Places before a pooling, by the sets of taps that meet their windows and how many outputs each set has."""
        s, p, d = self.stride[dim], self.padding[dim], self.dilation[dim]
        kinds: dict[tuple[Any, ...], list[int]] = {}
        for place in range(max(end for _, end in windows)):
            held = {index for index, (begin, end) in enumerate(windows) if begin <= place < end}
            sets: Counter[tuple[int, ...]] = Counter()
            for out in range(self.outside[dim]):
                taps = tuple(k for k in range(self.taps[dim]) if out * s - p + k * d in held)
                if taps:
                    sets[taps] += 1
            kinds.setdefault(tuple(sorted(sets.items())), []).append(place)
        return kinds


def reach_of_rows(mask: NDArray[np.bool_], spans: Sequence[Sequence[tuple[int, int]]], shape: Sequence[int]) -> Counts:
    """Outputs that each place `[C, *before]` reaches through overlapping windows and a matrix `[windows, outputs]`."""
    from scipy import sparse

    lead = int(np.prod(shape[: len(shape) - len(spans)], dtype=np.int64))
    held: Any = sparse.eye(lead, dtype=np.float32, format="csr")
    for windows, size in zip(spans, shape[len(shape) - len(spans) :], strict=True):
        place = np.arange(size)[:, None]
        begin, end = np.array(windows).T
        held = sparse.kron(held, ((place >= begin) & (place < end)).astype(np.float32), format="csr")
    weights = mask.astype(np.float32)
    chunk = max(1, _PROBE // max(weights.shape[1], 1))
    parts = [np.count_nonzero(held[at : at + chunk] @ weights, axis=1) for at in range(0, held.shape[0], chunk)]
    return np.concatenate(parts).astype(np.int64).reshape(shape)


def reach(
    linear: Callable[[Tensor], Tensor], shape: tuple[int, ...], present: Counts, device: torch.device | None = None
) -> Counts:
    """Targets that each place reaches by at least one path, int64 of `present`'s shape; only places that sent anything.

    Overlapping windows lead from one place to one target by several paths; folded, they are one synapse. Each place is
    asked for itself, a one-hot row, and the targets that are not zero: slow, for ways that no shorter one is known for.
    """
    flat = present.reshape(-1)
    places = np.flatnonzero(flat)
    found = np.zeros_like(flat)
    size = flat.size
    chunk = max(1, _PROBE // max(size, 1))
    with torch.inference_mode(False), torch.no_grad():
        for start in range(0, len(places), chunk):
            part = places[start : start + chunk]
            one_hot = torch.zeros((len(part), size), dtype=torch.float64, device=device)
            one_hot[np.arange(len(part)), part] = 1
            out = linear(one_hot.reshape(-1, *shape[1:]))
            found[part] = torch.count_nonzero(out.reshape(len(part), -1) > 0.5, dim=1).cpu().numpy()
    return found.reshape(present.shape)
