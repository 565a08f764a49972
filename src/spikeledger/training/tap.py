"""What happens in one batch while a network trains: exact counts, with a gradient for every spike.

The tap listens as the recorder does: to what populations send, and to what arrives at each weighted layer. Where the very
tensor arrives that a population sent, its spikes were counted already. Where spikes pass as bits the tap is told of the
words, and adds the same number to the gradient of each spike of a neuron on the way back; nothing is unpacked for it.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from ..activity import Activity, Layer, arrival
from ..errors import InputError
from ..kernels.counts import Deeds
from ..kernels.planes import Planes, just_sent
from ..listening.hooks import Listener, listen
from ..listening.neurons import kind_of
from ..networks.bit_layers import Pairs
from ..networks.event_driven import Returned
from ..networks.recurrent import Lateral, OneToOne
from ..recording.census import census
from ..torch_private import in_backward

#: modules that multiply their argument, as it is, by their weights
_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
_MULTIPLY = {kind.forward for kind in (nn.Linear, *_CONVOLUTIONS, OneToOne, Lateral)}


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
        if event in ("spike", "active_update"):
            book = self.spikes if event == "spike" else self.active
            if layer not in book:
                raise InputError(
                    f"'{event}' of layer '{layer}' cannot be followed while it trains: it was not seen to run"
                )
            return book[layer].sum().to(torch.float64)
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


class _Sent(NamedTuple):
    """A tensor that a population sent, as it was then, and the spikes of each neuron in it."""

    tensor: weakref.ref[Tensor]
    version: object
    counts: Tensor


class Tap(Listener):
    """Listens to one batch; `batch(samples)` gives what happened."""

    taps = True

    def __init__(self, network: nn.Module, facts: Activity) -> None:
        self.facts = facts
        self._paths = {id(module): name for name, module in network.named_modules()}
        self._spikes: dict[str, Tensor] = {}
        self._arrived: dict[str, Tensor] = {}
        self._active: dict[str, Tensor] = {}
        self._units: dict[str, float] = {}  # populations that may send several spikes at once -> the size of one
        self._sent: dict[int, _Sent] = {}  # where a tensor lies -> what is known of it
        layers = facts.layers_by_name
        #: weighted layers that are heard where they multiply; others were written as functions, or fold a pooling
        self._listened = {
            name
            for name, module in network.named_modules()
            if type(module).forward in _MULTIPLY and name in layers and layers[name].weighted and not layers[name].pools
        }
        self._quiet = False

    def batch(self, samples: int) -> Batch:
        """The account of what was heard.

        Raises:
            InputError: a layer of the recording did not run, or with other places, or nobody knows what arrived at it.
        """
        arrived = {}
        for name, layer in self.facts.layers_by_name.items():
            if not layer.weighted:
                continue
            heard = self._arrived.get(name)
            if heard is None and _place_by_place(self.facts, layer):
                heard = self._spikes.get(layer.source)
            if heard is None or heard.numel() != self.facts.fan_out(name).size:
                raise InputError(
                    f"what arrived at layer '{name}' cannot be followed while it trains: penalise sl.losses.spike_rate, "
                    "or let an nn.Linear or a convolution multiply, without an average pooling of moved spikes before it"
                )
            arrived[name] = heard
        return Batch(self.facts, samples, self._spikes, arrived, self._active)

    def _arrives(self, path: str, values: Tensor, repeats: int = 1) -> None:
        """Values came to a weighted layer: those that a population just sent, or others."""
        layer = self.facts.layer(path)
        places = math.prod(layer.shape) if layer.shape else self.facts.fan_out(path).size
        if not values.numel() or values.numel() % max(places, 1):
            return
        known = self._known(values)
        if known is not None and known.numel() == places and layer.inputs != "graded":
            counts = known
        else:
            learns = layer.inputs != "graded"
            counts = _events(values if learns else values.detach(), places, self._units.get(layer.source))
        self._add(self._arrived, path, counts * repeats if repeats > 1 else counts)

    def _sends(self, path: str, sent: Tensor, counts: Tensor) -> None:
        """A population sent a tensor, or the words of its bits."""
        self._add(self._spikes, path, counts)
        if sent.is_contiguous() and not sent.is_inference():
            self._sent[sent.data_ptr()] = _Sent(weakref.ref(sent), sent._version, counts)

    def _known(self, values: Tensor) -> Tensor | None:
        """The spikes of each neuron, if these values are what a population sent: the same memory, not written since."""
        known = self._sent.get(values.data_ptr())
        sent = known.tensor() if known is not None else None
        if known is None or sent is None or values.is_inference():
            return None
        same = (
            sent.numel() == values.numel()
            and values.is_contiguous()
            and values.dtype == sent.dtype
            and values.requires_grad == sent.requires_grad
            and values._version == known.version
        )
        return known.counts if same else None

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
        if path not in self._listened:
            return
        known = self._known(source)
        if known is None:  # floats of another origin, or bits of neurons that nothing learns from
            counts = planes.per_neuron().reshape(-1)
            known = _Counted.apply(source, counts, 1.0, None) if source.requires_grad else counts.to(torch.float64)
        self._add(self._arrived, path, known)

    def fired(self, neurons: nn.Module, deeds: Deeds, planes: Planes) -> None:
        path = self._paths.get(id(neurons), "")
        self._add(self._active, path, torch.from_numpy(deeds.counts[: planes.columns]))
        self._sends(path, planes.words, planes.per_neuron().reshape(-1).to(torch.float64))

    def passed(self, pairs: Pairs, source: Tensor, planes: Planes, sent: list[Planes], deeds: list[Deeds]) -> None:
        for (layer, neurons, _), spikes, did in zip(pairs, sent, deeds, strict=True):
            self.multiplied(layer, source, planes)
            self.fired(neurons, did, spikes)
            source, planes = spikes.words, spikes

    def returned(self, run: Returned) -> None:
        start = run.start.spikes
        assert start is not None
        path = self._paths.get(id(run.connections), "")
        if path in self._listened:
            self._arrives(path, torch.cat([start.expand(run.spikes.shape[1:])[None], run.spikes[:-1]]))
        path = self._paths.get(id(run.neuron), "")
        columns = run.planes.columns
        self._add(self._active, path, torch.from_numpy(run.deeds.counts[:columns]))
        self._sends(path, run.spikes, _events(run.spikes, columns, None))

    def unpacked(self, spikes: Tensor, planes: Planes) -> None:
        pass

    def tap(self, neurons: nn.Module, token: Tensor, planes: Planes) -> Tensor:
        """The spikes' token; on the way back it gets the gradient of their counts too."""
        path = self._paths.get(id(neurons), "")
        counts = _Counted.apply(token, planes.per_neuron().reshape(-1), 1.0, None)
        known, before = self._sent[planes.words.data_ptr()], self._spikes[path]  # counted when they fired
        self._spikes[path] = counts if before is known.counts else before - known.counts + counts
        self._sent[planes.words.data_ptr()] = known._replace(counts=counts)
        return token

    def still(self, layer: nn.Module, flow: Tensor) -> bool:
        """An image `[T, B, N]` that is the same at every step is about to be multiplied once."""
        path = self._paths.get(id(layer), "")
        if path in self._listened:
            self._arrives(path, flow[0], len(flow))
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
                self._arrives(path, _padded(module, args[0]))
            self._quiet = False
        if path in self.facts.layers_by_name and (kind := kind_of(module)) is not None:
            read = kind.read(module, args, output)
            leading = tuple(range(len(read.layout)))
            planes = just_sent(read.spikes)
            if read.unit is not None:
                self._units[path] = read.unit
            if planes is not None and not read.spikes.requires_grad:
                counts = planes.per_neuron().to(torch.float64).reshape(-1)
            else:
                counts = _events(read.spikes, read.spikes.shape[len(leading) :].numel(), read.unit)
            self._sends(path, read.spikes, counts)
            if read.currents is not None and read.updates:
                self._add(self._active, path, torch.count_nonzero(read.currents.detach(), leading).reshape(-1))

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
    """Counts of each place `[N]`, float64, of spikes `[..., *N]` of one size: each spike has the gradient of its place's
    count, over its size and with its sign."""

    @staticmethod
    def forward(ctx: Any, spikes: Tensor, counts: Tensor, size: float, signs: Tensor | None) -> Tensor:
        ctx.shape, ctx.dtype, ctx.size, ctx.signs = spikes.shape, spikes.dtype, size, signs
        return counts.to(torch.float64, copy=True)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        features = 0
        while math.prod(ctx.shape[features:]) != grad.numel():
            features += 1
        each = (grad / ctx.size).to(ctx.dtype).view(ctx.shape[features:]).expand(ctx.shape)
        return each if ctx.signs is None else each * ctx.signs, None, None, None


def _events(values: Tensor, places: int, unit: float | None) -> Tensor:
    """How many spikes came to each place of `[..., *N]`, float64 `[prod(N)]`, with a gradient for each value."""
    features = next((k for k in range(values.dim()) if values.shape[k:].numel() == places), None)
    if not features:  # axes that hold rows and places both, or no row at all
        values, features = values.reshape(-1, places), 1
    seen = census(values.detach(), features, unit=unit)
    counts = torch.from_numpy(seen.nonzero.reshape(-1)).to(values.device)
    if not values.requires_grad:
        return counts.to(torch.float64)
    low, high = (float(end) for end in values.detach().aminmax())
    size = unit or max(-low, high) or 1.0
    signs = values.detach().sign() if low < 0 < high else None
    found: Tensor = _Counted.apply(values, counts, -size if high <= 0 and low < 0 else size, signs)
    return found


def _padded(module: nn.Module, values: Tensor) -> Tensor:
    """What a convolution really multiplies: its padding by other values than zeros is made before."""
    mode = getattr(module, "padding_mode", "zeros")
    if mode == "zeros":
        return values
    found: Tensor = nn.functional.pad(values, module._reversed_padding_repeated_twice, mode)  # type: ignore[arg-type]
    return found


def _place_by_place(facts: Activity, layer: Layer) -> bool:
    """Whether what arrived at a layer, when it was recorded, were its source's spikes, each at its place.

    Before an average pooling that folded and that nothing went through, nothing speaks against it.
    """
    tally, sent = facts.tallies.get((layer.name, arrival(layer.inputs))), facts.tallies.get((layer.source, "spike"))
    if tally is None and sent is None:
        return bool(layer.pools)
    if tally is None or tally.per_neuron is None or sent is None or sent.per_neuron is None:
        return False
    fans = facts.fan_out(layer.name).reshape(-1)
    spikes = sent.per_neuron.reshape(-1)
    return fans.size == spikes.size and np.array_equal(tally.per_neuron.reshape(-1), spikes * fans)


def arrivals_of(facts: Activity, layer: str) -> str:
    """The event that a value arriving at a weighted layer is."""
    return arrival(facts.layer(layer).inputs)
