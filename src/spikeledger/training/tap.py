"""What happens in one batch while a network trains: exact counts, with a gradient for every spike.

The tap listens as the recorder does. Where spikes pass as bits it is told of the words, and adds the same number to the
gradient of each spike of a neuron on the way back; nothing is unpacked for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from ..activity import Activity, arrival
from ..errors import InputError
from ..kernels.counts import Deeds
from ..kernels.planes import Planes, just_sent
from ..listening.ear import Listener, listen
from ..listening.neurons import kind_of
from ..networks.bit_layers import Pairs
from ..torch_private import in_backward


@dataclass(frozen=True)
class Batch:
    """The account of one training batch, differentiable in its spikes.

    Attributes:
        facts: a recording of the same network with the same weights' zeros: layers, fan-outs, steps.
        samples: samples of the batch.
        spikes: population, or encoder -> spikes of each neuron `[N]` over all steps and samples, float64.
        arrived: weighted layer -> values that were not zero at each place before it `[N]`, float64.
        active: population -> updates of each neuron with a current, `[N]` int64.
    """

    facts: Activity
    samples: int
    spikes: Mapping[str, Tensor]
    arrived: Mapping[str, Tensor]
    active: Mapping[str, Tensor]

    def count(self, event: str, layer: str) -> Tensor:
        """How often `spike`, `synaptic_op`, `mac` or `active_update` happened in a layer: one number, float64."""
        if event == "spike":
            return self.spikes[layer].sum()
        if event == "active_update":
            return self.active[layer].sum().to(torch.float64)
        return self.arrived[layer] @ self._fan_outs[layer].to(self.arrived[layer].device)

    @property
    def synops(self) -> Tensor:
        """Synaptic operations of the whole batch."""
        weighted = [layer.name for layer in self.facts.layers_by_name.values() if layer.weighted]
        graded = {name for name in weighted if self.facts.layer(name).inputs == "graded"}
        counts = [self.count("synaptic_op", name) for name in weighted if name not in graded]
        return torch.stack(counts).sum() if counts else torch.zeros((), dtype=torch.float64)

    @cached_property
    def _fan_outs(self) -> dict[str, Tensor]:
        return {name: torch.from_numpy(row.reshape(-1)).to(torch.float64) for name, row in self.facts.fan_outs.items()}


class Tap(Listener):
    """Listens to one batch; `batch(samples)` gives what happened."""

    taps = True

    def __init__(self, network: nn.Module, facts: Activity) -> None:
        self.facts = facts
        self._paths = {id(module): name for name, module in network.named_modules()}
        self._spikes: dict[str, Tensor] = {}
        self._arrived: dict[str, Tensor] = {}
        self._active: dict[str, Tensor] = {}
        layers = facts.layers_by_name
        #: weighted layers whose arrivals no population accounts for: of the input, or of graded values in between
        self._listened = {
            name for name, layer in layers.items() if layer.weighted and not _sends(layers.get(layer.source))
        }
        self._quiet = False

    def batch(self, samples: int) -> Batch:
        """The account of what was heard.

        Raises:
            InputError: a layer of the recording did not run, or with other places.
        """
        arrived = {}
        for name, layer in self.facts.layers_by_name.items():
            if not layer.weighted:
                continue
            heard = self._arrived.get(name) if name in self._listened else self._spikes.get(layer.source)
            if heard is None or heard.numel() != self.facts.fan_out(name).size:
                raise InputError(
                    f"what arrived at layer '{name}' cannot be followed while it trains: penalise sl.losses.spike_rate"
                )
            arrived[name] = heard
        return Batch(self.facts, samples, self._spikes, arrived, self._active)

    # what `networks.event_driven` asks of a watcher

    @property
    def bits(self) -> Tap:
        """It is told of bits."""
        return self

    def knows(self, network: nn.Module) -> bool:
        return not in_backward()

    def takes(self, values: Tensor) -> bool:
        return True

    def away(self) -> AbstractContextManager[None]:
        return nullcontext()

    def multiplied(self, layer: nn.Module, source: Tensor, planes: Planes, currents: Tensor | None = None) -> None:
        path = self._paths.get(id(layer), "")
        if path in self._listened:
            self._add(self._arrived, path, planes.per_neuron().to(torch.float64).reshape(-1))

    def fired(self, neurons: nn.Module, deeds: Deeds, planes: Planes) -> None:
        active = torch.from_numpy(deeds.counts[: planes.columns])
        self._add(self._active, self._paths.get(id(neurons), ""), active)

    def passed(self, pairs: Pairs, source: Tensor, planes: Planes, sent: list[Planes], deeds: list[Deeds]) -> None:
        for (layer, neurons), spikes, did in zip(pairs, sent, deeds, strict=True):
            self.multiplied(layer, source, planes)
            self.fired(neurons, did, spikes)
            source, planes = spikes.words, spikes

    def unpacked(self, spikes: Tensor, planes: Planes) -> None:
        pass

    def tap(self, neurons: nn.Module, token: Tensor, planes: Planes) -> Tensor:
        """The spikes' token again; on the way back it brings the gradient of their counts along."""
        token, counts = _Counted.apply(token, planes.per_neuron().reshape(-1))
        self._add(self._spikes, self._paths.get(id(neurons), ""), counts)
        return token

    def still(self, layer: nn.Module, flow: Tensor) -> bool:
        """An image `[T, B, N]` that is the same at every step is about to be multiplied once."""
        path = self._paths.get(id(layer), "")
        if path in self._listened:
            self._add(self._arrived, path, len(flow) * _nonzero(flow[0], flow[0].shape[1:]))
            self._quiet = True
        return True

    # and modules that run as usual

    def left(self, module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        """What neurons send, and what arrives at weighted layers."""
        path = self._paths.get(id(module))
        if path is None or output is None or in_backward():
            return
        if path in self._listened and args and isinstance(args[0], Tensor):
            if not self._quiet:
                self._add(self._arrived, path, _nonzero(args[0], self.facts.layer(path).shape))
            self._quiet = False
        if path in self.facts.layers_by_name and (kind := kind_of(module)) is not None:
            read = kind.read(module, args, output)
            planes = just_sent(read.spikes)
            if planes is not None and not read.spikes.requires_grad:
                counts = planes.per_neuron().to(torch.float64).reshape(-1)
            else:
                unit = read.unit or 1.0
                counts = (read.spikes.sum((0, 1)) / unit).to(torch.float64).reshape(-1)
            self._add(self._spikes, path, counts)
            if read.currents is not None and read.updates:
                self._add(self._active, path, torch.count_nonzero(read.currents.detach(), (0, 1)).reshape(-1))

    @staticmethod
    def _add(book: dict[str, Tensor], name: str, counts: Tensor) -> None:
        book[name] = book[name] + counts if name in book else counts


@contextmanager
def tapped(network: nn.Module, facts: Activity) -> Iterator[Tap]:
    """Listen to what a network does inside: `with tapped(net, facts) as tap: net(x)`, then `tap.batch(len(x))`."""
    tap = Tap(network, facts)
    with listen(tap, operators=False):
        yield tap


class _Counted(torch.autograd.Function):
    """Counts of each neuron `[N]` beside the spikes `[T, B, *N]`; on the way back their gradients meet."""

    @staticmethod
    def forward(ctx: Any, token: Tensor, counts: Tensor) -> Any:
        ctx.shape = token.shape
        ctx.set_materialize_grads(False)
        return token.view_as(token), counts.to(torch.float64)

    @staticmethod
    def backward(ctx: Any, grad: Tensor | None, counted: Tensor | None) -> Any:
        if counted is None:
            return grad, None
        each = counted.to(torch.float32).view(ctx.shape[2:])
        return (each.expand(ctx.shape) if grad is None else grad + each), None


def _sends(layer: Any) -> bool:
    """Whether a layer is a population of neurons, or an encoder: its spikes are counted where they are sent."""
    return layer is not None and (layer.spiking or layer.operator == "encoder")


def _nonzero(values: Tensor, shape: tuple[int, ...] | torch.Size) -> Tensor:
    """How often each place of `[..., *shape]` was not zero, float64 `[prod(shape)]`."""
    places = torch.Size(shape).numel() if shape else values[0].numel()
    return (values.detach() != 0).reshape(-1, places).sum(0).to(torch.float64)


def arrivals_of(facts: Activity, layer: str) -> str:
    """The event that a value arriving at a weighted layer is."""
    return arrival(facts.layer(layer).inputs)
