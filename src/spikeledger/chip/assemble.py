"""From what a tracer saw to a `Network`: spikes that arrived become projections, constants become biases."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from .network import Network, Population, Projection
from .synapses import Convolution, Fan, Sparse, Synapses, from_matrix, merged
from .terms import Operator, Term, refuse

_MOST_MERGED = 1 << 28  # pairs that are looked at where pooling windows overlap


@dataclass(frozen=True, eq=False)
class Arrival:
    """Spikes of one step of a source that reached a population at one step."""

    source: str
    target: str
    step: int
    delay: int
    operator: Operator | None
    neurons: NDArray[np.int64]  # presynaptic, one a pair
    places: NDArray[np.int64]  # of the operator's input, one a pair
    scales: NDArray[np.float64]
    at: NDArray[np.int64]  # postsynaptic neurons
    outputs: NDArray[np.int64]  # which place of the operator's output stands at each of them
    factors: NDArray[np.float64]

    @property
    def key(self) -> tuple[str, str, int, int, str]:
        """What makes two arrivals the same connection, seen at different steps."""
        return self.source, self.target, self.delay, id(self.operator and self.operator.weight.data_ptr()), self.layer

    @property
    def layer(self) -> str:
        """The weighted operator's path."""
        return self.operator.layer if self.operator else ""

    @classmethod
    def of(
        cls, term: Term, row: int, rows: int, *, size: int, step: int, target: str, static: bool
    ) -> Iterable[Arrival]:
        """The arrivals that one row of a term holds, one for each step of the source."""
        if term.operator is None:
            pairs = term.spikes(row, rows)
            outputs = at = np.zeros(0, np.int64)
            factors = np.zeros(0)
        else:
            outputs, at, factors = term.row(row, rows)
            assert term.pairs is not None
            pairs = term.pairs
            if not len(at):
                return
        if not len(pairs.spikes):
            return
        when, neurons = np.divmod(pairs.spikes, size)
        for sent in np.unique(when):
            chosen = when == sent
            yield cls(
                term.source, target, step, 0 if static else step - int(sent), term.operator, neurons[chosen],
                pairs.places[chosen], pairs.scales[chosen], at, outputs, factors,
            )  # fmt: skip


def assemble(
    populations: Mapping[str, dict[str, Any]],
    arrivals: list[Arrival],
    output: str,
    name: str,
    dtype: torch.dtype | None,
) -> Network:
    """Check that the connections are the same at every step, and build the network."""
    made: dict[str, Population] = {}
    for path, facts in populations.items():
        if facts["kind"] == "input":
            made[path] = Population(path, facts["shape"], "input")
            continue
        size = int(np.prod(facts["shape"]))
        biases = facts["biases"]
        last = max(biases)
        if last > 0 and not torch.equal(biases[last], biases[last - 1]):
            raise refuse(f"neurons '{path}' receive a constant current that changes from step to step")
        beta = facts["beta"]
        if isinstance(beta, np.ndarray) and beta.size != size:  # one a channel
            shape = populations[path]["shape"]
            beta = np.ascontiguousarray(np.broadcast_to(beta.reshape(-1, *[1] * (len(shape) - 1)), shape)).ravel()
        bias = biases[last].numpy().astype(np.float64)
        made[path] = Population(
            path, facts["shape"], "neurons", beta, facts["threshold"], facts["reset"], facts["reset_delay"],
            bias if bias.any() else 0.0,
        )  # fmt: skip
    projections = []
    shared: dict[Any, Synapses] = {}
    for path in populations:
        steps = sorted({arrival.step for arrival in arrivals if arrival.target == path})
        if not steps:
            continue
        seen = [[a for a in arrivals if a.target == path and a.step == step] for step in steps[-2:]]
        now = seen[-1]
        for arrival in now:
            if arrival.delay < 0:
                raise refuse(f"neurons '{path}' receive spikes of a later step: the network looks into the future")
        if len(seen) == 2:
            earlier = sorted(a.key[:3] for a in seen[0] if a.delay < steps[-2])
            later = sorted(a.key[:3] for a in now if a.delay < steps[-2])
            if earlier != later:
                raise refuse(f"neurons '{path}' are connected differently at different steps")
        projections += [_projection(arrival, made, shared, dtype) for arrival in now]
    used = {p.source for p in projections} | {p.target for p in projections}
    kept = {path: each for path, each in made.items() if each.spiking or path in used}
    return Network(kept, tuple(projections), output, name)


def _projection(
    arrival: Arrival, populations: Mapping[str, Population], shared: dict[Any, Synapses], dtype: torch.dtype | None
) -> Projection:
    source, target = populations[arrival.source], populations[arrival.target]
    operator = arrival.operator
    if operator is None:
        kind = np.float64 if dtype == torch.float64 else np.float32
        synapses: Synapses = Sparse.from_edges(
            arrival.neurons, arrival.places, arrival.scales.astype(kind), source.size, target.size
        )
        return Projection(arrival.source, arrival.target, synapses, arrival.delay, f"{arrival.target} (direct)")
    weight = operator.weight if dtype is None else operator.weight.to(dtype)
    straight = np.array_equal(arrival.outputs, np.arange(len(arrival.outputs))) and np.array_equal(
        arrival.at, arrival.outputs
    )
    plain = straight and len(arrival.at) == target.size and bool(np.all(arrival.factors == 1))
    key = (operator.weight.data_ptr(), operator.kind, operator.in_shape, operator.settings) if plain else id(arrival)
    if key not in shared:
        shared[key] = _synapses(arrival, operator, weight, target.size, plain, straight)
    synapses = shared[key]
    fan = Fan.from_pairs(
        arrival.neurons, arrival.places, arrival.scales.astype(weight.detach().numpy().dtype), source.size
    )
    if fan is not None and np.any(np.diff(fan.starts) > 1):
        if fan.sources * synapses.targets > _MOST_MERGED:
            raise refuse(
                f"windows of the pooling before '{operator.layer}' overlap, and merging their synapses would take "
                f"{fan.sources:,} x {synapses.targets:,} pairs: use a stride as long as the window"
            )
        return Projection(arrival.source, arrival.target, merged(fan, synapses), arrival.delay, operator.layer)
    return Projection(arrival.source, arrival.target, synapses, arrival.delay, operator.layer, fan)


def _synapses(
    arrival: Arrival, operator: Operator, weight: torch.Tensor, targets: int, plain: bool, straight: bool
) -> Synapses:
    array = weight.detach().cpu().numpy()
    if operator.kind == "linear":
        if not plain:
            moved = np.zeros((targets, array.shape[1]), array.dtype)
            moved[arrival.at] = array[arrival.outputs] * arrival.factors[:, None].astype(array.dtype)
            array = moved
        return from_matrix(array)
    if not plain:
        channels = arrival.factors.reshape(array.shape[0], -1) if straight else arrival.factors[:0]
        if not straight or len(arrival.at) != targets or not np.all(channels == channels[:, :1]):
            raise refuse(f"the outputs of convolution '{operator.layer}' are cut, permuted or scaled one by one")
        array = array * channels[:, 0].astype(array.dtype)[:, None, None, None]
    stride, padding, dilation, groups = operator.settings
    high, wide = operator.in_shape[1:]
    return Convolution(
        np.ascontiguousarray(array), (operator.in_shape[0], high, wide), stride, padding, dilation, groups
    )
