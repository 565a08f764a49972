"""What a network did with one sample, step by step, in plain values: any network that can be recorded, of any library.

Counts after each step are the recording's own, spread over its steps: spikes by their raster, synaptic operations as
`sum_i S[t, i] f[i]` over the fan-out of each place, what happens in every step alike by its share. Each of these is
taken only where its last value is the recording's count; where one cannot be had so, the take has whole counts alone.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..activity import Activity
from ..activity.account import arrival
from ..errors import InputError, UncountedError
from ..listening.hooks import Listener, listen
from ..listening.neurons import kind_of, to_rest
from ..networks.decoders import RateDecoder
from ..recording.preserve import preserved
from ..recording.record import record
from ..training.answers import answer, sequences
from ..training.evaluate import evaluation_mode, own_random_numbers, reseed

#: populations with more neurons than this are counted, but not drawn
MOST_DRAWN = 2048
#: where the bytes of an array go: to an offset in a page's block, or into the message itself
Put = Callable[[NDArray[Any]], int | str]

_ACTIVATIONS = (
    nn.ReLU,
    nn.ReLU6,
    nn.LeakyReLU,
    nn.GELU,
    nn.SiLU,
    nn.ELU,
    nn.Sigmoid,
    nn.Tanh,
    nn.Softplus,
    nn.Hardtanh,
)


@dataclass(frozen=True, eq=False)
class Shown:
    """A population as it is drawn: spikes `uint8 [T, N]`, or the values `[N]` of an ordinary layer."""

    name: str
    spikes: NDArray[np.uint8] | None = None
    values: NDArray[np.float64] | None = None
    next: str = ""  # the weighted layer that it sends to


@dataclass(frozen=True, eq=False)
class Take:
    """One sample through one network.

    Attributes:
        answers: the class answered after each step.
        scores: `[T, classes]`: cumulated output spikes, or the scores of a network without spikes.
        counts: `"layer|event"` -> counts after each step, int64 `[T]`; a single one where `by_step` is False.
        arrived: of each weighted layer, in their order: its class of inputs, and the first step with any.
    """

    timesteps: int
    populations: tuple[Shown, ...]
    answers: tuple[int, ...]
    scores: NDArray[np.float64]
    counts: dict[str, NDArray[np.int64]]
    arrived: tuple[tuple[str, int], ...]
    by_step: bool
    activity: Activity = field(repr=False)

    def kinds(self) -> set[tuple[str, ...]]:
        """The classes that the inputs of its weighted layers have had, after any step."""
        steps = range(1, self.timesteps + 1) if self.by_step else (self.timesteps,)
        return {tuple(kind if step >= since else "silent" for kind, since in self.arrived) for step in steps}

    def undrawn(self) -> list[tuple[str, int]]:
        """Populations that were counted and are too large to be drawn, and how many neurons each has."""
        drawn = {one.name for one in self.populations}
        return [
            (name, row.shape[1]) for name, row in self.activity.rasters.items()
            if name not in drawn and row.shape[1] > MOST_DRAWN
        ]  # fmt: skip

    def plain(self, put: Put) -> dict[str, Any]:
        """As JSON, with its arrays where `put` puts them: spikes eight to a byte, values as bytes of their largest."""
        return {
            "timesteps": self.timesteps, "answers": list(self.answers), "by_step": self.by_step,
            "scores": [round(float(one), 6) for one in self.scores.ravel()],
            "counts": {name: _shortest(row) for name, row in self.counts.items()},
            "arrived": [list(one) for one in self.arrived],
            "populations": [
                {
                    "name": one.name, "size": _size(one), "next": one.next,
                    "spikes": None if one.spikes is None else put(np.packbits(one.spikes, bitorder="little")),
                    "values": None if one.values is None else put(_as_bytes(one.values)),
                }
                for one in self.populations
            ],
        }  # fmt: skip


def inline(array: NDArray[Any]) -> str:
    """An array's bytes as base64, for a message."""
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()


def take(network: nn.Module, sample: Tensor, *, seed: int) -> Take:
    """Record one sample `[*N]`, and what the network answers to it.

    The network is left as it was. Networks are called as `sl.evaluate` calls them.

    Raises:
        InputError: a network that does not answer one score a class.
        UncountedError: something in it was not counted.
    """
    batch = sample[None]
    activity = record(network, sequences(network, batch), seed=seed)
    if activity.uncounted:
        raise UncountedError(f"the page cannot price a run in which not all was counted: {activity.uncounted[0]}")
    if activity.samples != 1:
        raise InputError(f"one sample was recorded as {activity.samples}: give a network that takes samples [B, *N]")
    watch = _Watch(network)
    with (
        preserved(network),
        evaluation_mode(network),
        own_random_numbers(network, seed),
        listen(watch, operators=False),
    ):
        to_rest(network)
        reseed(network, seed)
        given = answer(network, batch)
    steps = activity.timesteps if activity.spiking else 1
    answers, scores = _answers(network, given.scores, given.spikes, steps)
    counts, arrived = _by_step(activity, watch.active, steps, getattr(network, "input_layout", "B") == "B")
    by_step = counts is not None
    if counts is None:
        counts = {_key(*key): np.array([tally.count]) for key, tally in activity.tallies.items()}
        arrived = tuple((layer.inputs, steps) for layer in activity.layers_by_name.values() if layer.weighted)
    populations = _populations(activity, watch, scores)
    return Take(steps, populations, answers, scores, counts, arrived, by_step, activity)


class _Watch(Listener):
    """Notes what a recording does not keep: how many neurons had a current in each step, and values of activations."""

    def __init__(self, network: nn.Module) -> None:
        self.names = {id(module): name for name, module in nn.Module.named_modules(network)}
        self.active: dict[str, list[int]] = {}
        self.values: dict[str, NDArray[np.float64]] = {}

    def left(self, module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        name = self.names.get(id(module))
        if name is None or output is None:
            return
        kind = kind_of(module)
        if kind is None:
            if isinstance(module, _ACTIVATIONS) and isinstance(output, Tensor) and output.shape[0] == 1:
                self.values.setdefault(name, output.detach()[0].double().cpu().reshape(-1).numpy())
            return
        if kind.encodes:
            return
        firing = kind.read(module, args, output)
        if firing.currents is None:
            return
        currents = firing.currents.detach()
        currents = (
            currents[None] if firing.layout == "B" else currents.movedim(1, 0) if firing.layout == "BT" else currents
        )
        self.active.setdefault(name, []).extend((currents != 0).reshape(len(currents), -1).sum(1).tolist())


def _answers(
    network: nn.Module, scores: Tensor, spikes: Tensor | None, steps: int
) -> tuple[tuple[int, ...], NDArray[np.float64]]:
    """The answer and the scores after each step; of a network that only answers at the end, there alone."""
    if spikes is None or len(spikes) != steps:
        rows = np.zeros((steps, scores.shape[1]))
        rows[-1] = scores[0].double().cpu().numpy()
        return (int(rows[-1].argmax()),) * steps, rows
    decoder = getattr(network, "decoder", None) or RateDecoder()
    means = torch.stack([decoder(spikes[: step + 1])[0] for step in range(steps)])
    answers = tuple(means.argmax(1).tolist())
    # a rate times its steps is a number of spikes
    return answers, (means.double() * torch.arange(1, steps + 1)[:, None]).cpu().numpy()


def _by_step(
    activity: Activity, active: dict[str, list[int]], steps: int, still: bool
) -> tuple[dict[str, NDArray[np.int64]] | None, tuple[tuple[str, int], ...]]:
    """Counts after each step, and when each weighted layer first received anything; None where they cannot be had."""
    found: dict[str, NDArray[np.int64]] = {}
    arrived: list[tuple[str, int]] = []
    for layer in activity.layers_by_name.values():
        if not layer.weighted:
            continue
        sent = activity.spikes_per_step.get(layer.source)
        since = 1 if sent is None else int(np.flatnonzero(sent)[0]) + 1 if sent.any() else steps + 1
        arrived.append((layer.inputs, since if layer.inputs != "silent" else steps + 1))
    for (name, event), tally in activity.tallies.items():
        row = _series(activity, active, name, event, steps)
        if row is None and (steps == 1 or not _uneven(activity, name, event, still)):
            row = _shared(tally.count, steps)
        if row is None or len(row) != steps or int(row[-1]) != tally.count:
            return None, ()
        found[_key(name, event)] = row
    return found, tuple(arrived)


def _series(
    activity: Activity, active: dict[str, list[int]], name: str, event: str, steps: int
) -> NDArray[np.int64] | None:
    layer = activity.layers_by_name[name]
    if event == "spike" and name in activity.spikes_per_step:
        return np.cumsum(activity.spikes_per_step[name], dtype=np.int64)
    if event == "active_update" and name in active:
        return np.cumsum(active[name], dtype=np.int64)
    if layer.weighted and event == arrival(layer.inputs) and layer.source in activity.rasters:
        raster, fans = activity.rasters[layer.source], activity.fan_outs.get(name)
        if fans is not None and raster.shape == (steps, fans.size):
            # spikes/step * synapses that leave each place = synaptic operations/step
            return np.cumsum(raster.astype(np.int64) @ fans.ravel(), dtype=np.int64)
    return None


def _uneven(activity: Activity, name: str, event: str, still: bool) -> bool:
    """Whether an event may happen more often in one step than in another; what arrives of a still input does not."""
    if event == "mac":
        return not (still and activity.layers_by_name[name].source == "input")
    return event in ("spike", "synaptic_op", "active_update")


def _shared(count: int, steps: int) -> NDArray[np.int64] | None:
    """What happens in every step alike."""
    return None if count % steps else np.arange(1, steps + 1, dtype=np.int64) * (count // steps)


def _populations(activity: Activity, watch: _Watch, scores: NDArray[np.float64]) -> tuple[Shown, ...]:
    behind: dict[str, str] = {}
    for layer in activity.layers_by_name.values():
        if layer.weighted:
            behind.setdefault(layer.source, layer.name)
    if activity.spiking:
        rasters = {name: row for name, row in activity.rasters.items() if row.shape[1] <= MOST_DRAWN}
        smallest = min(activity.rasters.items(), key=lambda one: one[1].shape[1], default=None)
        if not rasters and smallest is not None:
            rasters = dict([smallest])
        return tuple(
            Shown(name, spikes=row.astype(np.uint8), next=behind.get(name, "")) for name, row in rasters.items()
        )
    small = [(name, row) for name, row in watch.values.items() if row.size <= MOST_DRAWN]
    layers = [Shown(name, values=row, next=behind.get(name, "")) for name, row in small]
    return (*layers, Shown("answer", values=scores[-1]))


def _size(one: Shown) -> int:
    return int(one.spikes.shape[1] if one.spikes is not None else one.values.size if one.values is not None else 0)


def _as_bytes(values: NDArray[np.float64]) -> NDArray[np.uint8]:
    most = float(values.max(initial=0.0))
    return np.rint(np.clip(values, 0, None) * (255 / most if most > 0 else 0)).astype(np.uint8)


def _shortest(row: NDArray[np.int64]) -> int | list[int]:
    """One number where every step adds the same, which it is then; else all."""
    steps = np.diff(row, prepend=0)
    return int(row[-1]) if (steps == steps[0]).all() else [int(one) for one in row]


def _key(layer: str, event: str) -> str:
    return f"{layer}|{event}"
