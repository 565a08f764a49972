"""From what a tracer saw to a `Mapped`: spikes that arrived become projections, constants become biases."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..activity.stored import Stored
from .mapped import CONSTANTS, Mapped, Population, Projection
from .synapses import Convolution, Fan, Sparse, Synapses, from_matrix, merged
from .terms import Operator, Pairs, Term, refuse

_MOST_UNROLLED = 1 << 24  # synapses of a convolution that are kept one by one
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
        operator = term.operator
        if operator is None:
            nothing = np.zeros(0, np.int64)
            yield from cls._sent(
                term.source, target, step, None, term.spikes(row, rows), nothing, nothing, np.zeros(0), size, static
            )
            return
        numbers, at, factors = term.row(row, rows)
        assert term.pairs is not None
        of_row, outputs = np.divmod(numbers, operator.targets)
        for each in np.unique(of_row):  # a delay behind the operator brings rows of other steps here
            chosen = of_row == each
            first, last = np.searchsorted(term.pairs.places, [each * operator.sources, (each + 1) * operator.sources])
            pairs = Pairs(
                term.pairs.spikes[first:last], term.pairs.places[first:last] - each * operator.sources,
                term.pairs.scales[first:last],
            )  # fmt: skip
            yield from cls._sent(
                term.source, target, step, operator, pairs, at[chosen], outputs[chosen], factors[chosen], size, static
            )

    @classmethod
    def _sent(
        cls, source: str, target: str, step: int, operator: Operator | None, pairs: Pairs, at: NDArray[np.int64],
        outputs: NDArray[np.int64], factors: NDArray[np.float64], size: int, static: bool,
    ) -> Iterable[Arrival]:  # fmt: skip
        """One arrival for each step at which the spikes of these pairs were sent."""
        when, neurons = np.divmod(pairs.spikes, size)
        for sent in np.unique(when):
            chosen = when == sent
            if operator is not None and not _reaches(operator, pairs.places[chosen], outputs):
                continue
            yield cls(
                source, target, step, 0 if static else step - int(sent), operator, neurons[chosen],
                pairs.places[chosen], pairs.scales[chosen], at, outputs, factors,
            )  # fmt: skip


def _reaches(operator: Operator, places: NDArray[np.int64], outputs: NDArray[np.int64]) -> bool:
    """Whether any of some places lies in the window of any of some outputs; where time is an axis, not all do."""
    if operator.kind != "conv" or len(outputs) == operator.targets:
        return True
    stride, padding, dilation, groups = operator.settings
    spoken = torch.zeros(1, *operator.in_shape, dtype=torch.float32)
    spoken.view(-1)[torch.from_numpy(places)] = 1
    ones = torch.ones(operator.weight.shape, dtype=torch.float32)
    heard = torch.nn.functional.conv2d(spoken, ones, None, stride, padding, dilation, groups)
    return bool(heard.view(-1)[torch.from_numpy(outputs)].any())


def assemble(
    populations: Mapping[str, dict[str, Any]],
    arrivals: list[Arrival],
    output: str,
    name: str,
    dtype: torch.dtype | None,
) -> Mapped:
    """Check that the connections are the same at every step, and build the network."""
    made: dict[str, Population] = {}
    for path, facts in populations.items():
        if facts["kind"] == "input":
            made[path] = Population(path, facts["shape"], "input")
            continue
        biases = facts["biases"]
        last = max(biases)
        if not all(torch.equal(biases[last], earlier) for earlier in biases.values()):
            raise refuse(
                f"neurons '{path}' receive a constant current that changes from step to step: a bias must flow always, "
                "so put delays before the layer that has one"
            )
        own = {name: _spread(facts[name], facts["shape"]) for name in CONSTANTS if name in facts}
        bias = biases[last].numpy().astype(np.float64)
        made[path] = Population(
            path, facts["shape"], "neurons", threshold=facts["threshold"], reset=facts["reset"],
            reset_delay=facts["reset_delay"], bias=bias if bias.any() else 0.0,
            refractory=facts.get("refractory", 0), inclusive=facts.get("inclusive", False), window=facts.get("window"), **own,
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
    return Mapped(kept, tuple(projections), output, name)


def _spread(value: Any, shape: tuple[int, ...]) -> Any:
    """A constant as one number or one a neuron; one axis beside several is that of the channels."""
    if not isinstance(value, np.ndarray):
        return value
    if value.size != np.prod(shape):
        value = value.reshape(-1, *[1] * (len(shape) - 1)) if value.ndim == 1 else value
        value = np.broadcast_to(value, shape)
    return np.ascontiguousarray(value).ravel()


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
        arrival.neurons,
        arrival.places,
        arrival.scales.astype(torch.empty(0, dtype=weight.dtype).numpy().dtype),
        source.size,
    )
    if fan is not None and np.any(np.diff(fan.starts) > 1):
        if fan.sources * synapses.targets > _MOST_MERGED:
            raise refuse(
                f"windows of the pooling before '{operator.layer}' overlap, and merging their synapses would take "
                f"{fan.sources:,} x {synapses.targets:,} pairs: use a stride as long as the window"
            )
        synapses, fan = merged(fan, synapses), None
    held = [
        [(each.numel(), int(each.count_nonzero()))] for each in (operator.weight, operator.bias) if each is not None
    ]
    flat = operator.in_shape if operator.kind == "linear" and operator.sources == source.size and fan is None else ()
    return Projection(
        arrival.source, arrival.target, synapses, arrival.delay, operator.layer, fan, Stored.of(*held), flat
    )


def _synapses(
    arrival: Arrival, operator: Operator, weight: torch.Tensor, targets: int, plain: bool, straight: bool
) -> Synapses:
    array = weight.detach().cpu().clone().numpy()  # what is mapped stays, also if the network goes on to learn
    if operator.kind == "linear":
        if not plain:
            moved = np.zeros((targets, array.shape[1]), array.dtype)
            moved[arrival.at] = array[arrival.outputs] * arrival.factors[:, None].astype(array.dtype)
            array = moved
        return from_matrix(array)
    stride, padding, dilation, groups = operator.settings
    high, wide = operator.in_shape[1:]
    if not plain:
        channels = arrival.factors.reshape(array.shape[0], -1) if straight else arrival.factors[:0]
        if not straight or len(arrival.at) != targets or not np.all(channels == channels[:, :1]):
            whole = Convolution(array, (operator.in_shape[0], high, wide), stride, padding, dilation, groups)
            return _unrolled(whole, arrival, targets)
        array = array * channels[:, 0].astype(array.dtype)[:, None, None, None]
    return Convolution(
        np.ascontiguousarray(array), (operator.in_shape[0], high, wide), stride, padding, dilation, groups
    )


def _unrolled(convolution: Convolution, arrival: Arrival, targets: int) -> Sparse:
    """Single synapses of a convolution whose outputs are cut, permuted or scaled one by one, as one over time is."""
    used = np.unique(arrival.places)
    if int(convolution.fan_out[used].sum()) > _MOST_UNROLLED:
        raise refuse(
            f"the outputs of convolution '{arrival.layer}' are cut, permuted or scaled one by one, and it has more than "
            f"{_MOST_UNROLLED:,} synapses, too many to keep one by one"
        )
    nominal = replace(convolution, weight=np.ones_like(convolution.weight))
    order = np.argsort(arrival.outputs, kind="stable")
    outputs, at, factors = arrival.outputs[order], arrival.at[order], arrival.factors[order]
    if np.any(np.diff(outputs) == 0):
        raise refuse(f"an output of convolution '{arrival.layer}' goes to several neurons: give each its own channel")
    sources, found, weights, dense = [], [], [], 0
    row = np.zeros(convolution.targets, convolution.weight.dtype)
    for place in used:
        reached = nominal.reached(int(place))
        row[reached] = 0
        convolution.deliver(row, int(place), 1.0)
        where = np.minimum(np.searchsorted(outputs, reached), len(outputs) - 1)
        kept = outputs[where] == reached
        dense += int(kept.sum())
        sources.append(np.full(int(kept.sum()), place))
        found.append(at[where[kept]])
        weights.append(row[reached[kept]] * factors[where[kept]].astype(row.dtype))
    edges = Sparse.from_edges(
        np.concatenate(sources), np.concatenate(found), np.concatenate(weights), convolution.sources, targets
    )
    return replace(edges, dense_ops=dense)
