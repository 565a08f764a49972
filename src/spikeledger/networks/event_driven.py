"""Event-driven networks: the same layers and parameters, with spikes handed on as bits between neighbours.

A layer of neurons writes one 64-bit word for 64 of them; the weighted layer behind it works on these words. Whoever
looks from outside (a hook, the recorder, another library's module in between) is given ordinary float tensors.
"""

from __future__ import annotations

import copy
from contextlib import AbstractContextManager
from contextvars import ContextVar
from typing import NamedTuple, Protocol

from torch import Tensor, nn

from ..kernels import planes as bits
from ..kernels.cells import State
from ..kernels.choice import runs_native
from ..kernels.counts import Deeds, of_bits
from ..kernels.layers import Sends
from ..listening.hooks import alone, heard_by, listens, strangers
from ..torch_private import autocasting, global_hooks, module_hooks
from . import bit_layers
from .bit_layers import Pairs, Spikes, Weighted
from .lifting import OverTime
from .neurons import Neuron


class Returned(NamedTuple):
    """A run over time of a population with connections to itself, which was looked at by nobody."""

    neuron: Neuron
    connections: nn.Module
    currents: Tensor
    start: State
    spikes: Tensor
    last: State
    planes: bits.Planes
    before: bits.Planes  # what went through the connections: the spikes of the step before, each step
    deeds: Deeds


class Watcher(Protocol):
    """Who counts a run: told what passes as bits, so that nothing has to be unpacked for it."""

    #: whether it adds to the gradient of each population's spikes: each is then a node of autograd's graph of its own
    taps: bool

    def knows(self, network: nn.Module) -> bool:
        """Whether it follows these layers."""

    def takes(self, values: Tensor) -> bool:
        """Whether values may be packed; those behind a pooling may not, for it folds into the layer behind it."""

    def away(self) -> AbstractContextManager[None]:
        """Not listening: what runs inside is told of, and the watcher counts it there."""

    def multiplied(self, layer: Weighted, source: Tensor, planes: bits.Planes, currents: Tensor) -> None:
        """Spikes went through a weighted layer; `source` is the tensor that carried them."""

    def passed(
        self, pairs: Pairs, source: Tensor, planes: bits.Planes, sent: list[bits.Planes], deeds: list[Deeds]
    ) -> None:
        """Spikes went through weighted layers, each with its neurons, which sent spikes and did this."""

    def fired(self, neurons: Neuron, deeds: Deeds, planes: bits.Planes) -> None:
        """A population sent spikes, and did this."""

    def returned(self, run: Returned) -> None:
        """A population's spikes went back into it through its own connections, at every step of a run."""

    def unpacked(self, spikes: Tensor, planes: bits.Planes) -> None:
        """Bits became floats, for a layer that does not work on bits."""

    def tap(self, neurons: nn.Module, token: Tensor, planes: bits.Planes) -> Tensor:
        """The token of a population's spikes, as it goes on; asked of one who `taps`."""

    def still(self, layer: Weighted, flow: Tensor) -> bool:
        """An image that is the same at every step may go through a weighted layer once; False: each step is looked at."""


class EventDriven(nn.Sequential):
    """Layers on `[T, B, *N]`, one after the other, as `nn.Sequential`, whose weighted layers work on spikes as events.

    Same parameters, same names, same results but for the order of additions. An input of other values than 0 and 1
    takes the dense path; one that is the same at every step is multiplied once.
    """

    def forward(self, sequence: Tensor | Spikes) -> Tensor:
        layers = list(self._modules.values())
        # whoever has a hook between two layers is owed ordinary tensors there, so everything runs as torch runs it
        if not isinstance(sequence, Spikes) and (not _fits_any(sequence) or watched(self)):
            out: Tensor = super().forward(sequence)
            return out
        watcher = heard_by()
        if watcher is not None and isinstance(sequence, Tensor):  # to a watcher the encoder gives floats
            return _watched(layers, _beside(sequence), watcher)
        return _unwatched(layers, sequence, "spikes")

    def rates(self, sequence: Tensor | Spikes) -> Tensor:
        """How often each neuron of the last layer fired a step, `[B, *N]`: the mean of `forward` over time, for a caller
        who knows that nobody has `watched`."""
        if not isinstance(sequence, Spikes) and not _fits_any(sequence):
            out: Tensor = super().forward(sequence)
            return out.mean(0)
        return _unwatched(list(self._modules.values()), sequence, "rates")


def _unwatched(layers: list[nn.Module], flow: Tensor | Spikes, sends: Sends) -> Tensor:
    """Layers one after the other; the last one's spikes, or their rates."""
    index = 0
    while index < len(layers):
        layer = layers[index]
        weighted = bit_layers.weighted(layer)
        if weighted is None:
            flow, index = _through(layers, index, flow), index + 1
            continue
        following = layers[index + 1] if index + 1 < len(layers) else None
        # asked once: a look at all of an odd input is not free
        spikes = bit_layers.spikes_into(weighted, flow, following=following)
        pairs, taken = bit_layers.pairs_from(layers, index, past_dropout=True) if spikes is not None else ([], 0)
        index += max(1, taken)
        if spikes is None:
            flow = _dense(layer, flow)
        elif pairs:
            ends = index == len(layers)
            flow = bit_layers.stacked(pairs, spikes, sends=sends if ends else "bits")
            # what the last layer sends leaves its kernel as spikes or rates already: nothing is packed to be unpacked
            if ends and isinstance(flow, Tensor):
                return flow
        else:
            flow = bit_layers.currents_of(weighted, spikes)
    spikes_sent = bit_layers.floats(flow)
    return spikes_sent.mean(0) if sends == "rates" else spikes_sent


#: floats that a network's encoder gives its layers, and the bits that the encoder made them from
_coded: ContextVar[tuple[Tensor, bits.Planes] | None] = ContextVar("what an encoder gives", default=None)


def coded(encoder: nn.Module, layers: nn.Module, inputs: Tensor) -> Tensor:
    """What layers make of what an encoder gives, for a network whose watcher, at most, sees the floats in between."""
    floats, planes = bits.with_bits(encoder, inputs)
    before = _coded.set(None if planes is None else (floats, planes))
    try:
        out: Tensor = layers(floats)
    finally:
        _coded.reset(before)
    return out


def _beside(sequence: Tensor) -> Tensor | Spikes:
    """A sequence, with its bits if an encoder just made it."""
    known = _coded.get()
    return Spikes.beside(*known) if known is not None and known[0] is sequence else sequence


def event_driven(network: nn.Module) -> nn.Module:
    """The same network, parameters shared, with every `nn.Sequential` over time event-driven where that wins.

    The network given stays as it is; buffers and parameters are the same tensors in both, so training one trains the
    other.
    """
    if isinstance(network, nn.Sequential):
        plain = type(network) in (nn.Sequential, EventDriven)
        if not plain or not any(isinstance(layer, Neuron) for layer in network):
            return network
        twin = EventDriven()
        for name, layer in network._modules.items():  # named_children would leave out a layer that comes a second time
            twin.add_module(name, layer)
        twin.train(network.training)
        return twin
    # shallow on purpose: parameters, buffers and hooks are the given network's own
    twin_of_whole = copy.copy(network)
    twin_of_whole.__dict__["_modules"] = dict(network._modules)
    for name, child in network._modules.items():
        twin_of_whole.add_module(name, child if child is None else event_driven(child))
    return twin_of_whole


def _watched(layers: list[nn.Module], sequence: Tensor | Spikes, watching: Watcher) -> Tensor:
    """The same, and the watcher is told of everything; a layer fused with its neurons counts their currents itself."""
    flow: Tensor | Spikes = sequence
    index = 0
    while True:
        # the ear is closed over a whole stretch of layers on bits: closing it costs more than a small layer
        with watching.away():
            while index < len(layers):
                told = _events(layers, index, flow, watching)
                if told is None:
                    break
                flow, index = told[0], index + told[1]
            floats = _told(flow, watching)
        if index == len(layers):
            return floats
        told = _once(layers[index], floats, watching) or (bit_layers.ran(layers[index], floats), 1)
        flow, index = told[0], index + told[1]


def _events(
    layers: list[nn.Module], index: int, flow: Tensor | Spikes, watching: Watcher
) -> tuple[Tensor | Spikes, int] | None:
    """What comes of a layer that works on bits, and of how many layers it comes; None of one that does not."""
    layer = layers[index]
    weighted = bit_layers.weighted(layer)
    if weighted is not None:
        source = flow.planes.words if isinstance(flow, Spikes) and flow.made is None else bit_layers.floats(flow)
        # bits that a neuron sent are spikes for sure; floats may have passed a pooling that is to be folded
        takes = (isinstance(flow, Spikes) and flow.made is None) or watching.takes(source)
        following = layers[index + 1] if index + 1 < len(layers) else None
        spikes = bit_layers.spikes_into(weighted, flow, following=following, count=True) if takes else None
        if spikes is None:
            return None
        pairs, _ = bit_layers.pairs_from(layers, index)
        if not pairs:
            currents = bit_layers.currents_of(weighted, spikes)
            watching.multiplied(weighted, source, spikes.planes, currents)
            return currents, 1
        # who adds to the gradient of each population's spikes needs a node of the graph behind each
        pairs = pairs[:1] if watching.taps else pairs
        ends = index + 2 * len(pairs) == len(layers)
        found, sent, deeds = bit_layers.stacked_and_counted(
            pairs, spikes, sends="spikes" if ends and not watching.taps else "bits"
        )
        watching.passed(pairs, source, spikes.planes, sent, deeds)
        if isinstance(found, Spikes):
            found = _tapped(found, pairs[-1].neuron, watching)
        else:
            watching.unpacked(found, sent[-1])
        return found, 2 * len(pairs)
    if bit_layers.is_fused(layer) and isinstance(flow, Tensor) and bit_layers.fits(flow):
        spikes = bit_layers.fired(layer, flow)
        watching.fired(layer, of_bits(flow.detach(), spikes.planes), spikes.planes)  # type: ignore[arg-type]
        return _tapped(spikes, layer, watching), 1
    if bit_layers.flattens(layer):
        if isinstance(flow, Spikes) and flow.made is None:
            return flow.flattened(), 1
        return (
            (flow, 1) if bit_layers.floats(flow).dim() == 3 else None
        )  # nothing to flatten: torch gives the same tensor back
    return None


def _tapped(sent: Spikes, neurons: nn.Module, watching: Watcher) -> Spikes:
    """Spikes whose gradient a watcher may add to: training penalises them here, without a float in between."""
    if not watching.taps or sent.token is None:
        return sent
    return Spikes(sent.planes, watching.tap(neurons, sent.token, sent.planes))


def _once(layer: nn.Module, flow: Tensor | Spikes, watching: Watcher) -> tuple[Tensor, int] | None:
    """An image that stands still, multiplied once, for a watcher that takes it so."""
    weighted = bit_layers.weighted(layer)
    if weighted is None or not isinstance(flow, Tensor) or not bit_layers.stands_still(flow):
        return None
    return (_dense(layer, flow), 1) if watching.still(weighted, flow) else None


def _told(flow: Tensor | Spikes, watching: Watcher) -> Tensor:
    if isinstance(flow, Tensor):
        return flow
    spikes = bit_layers.floats(flow)
    if flow.made is None:
        watching.unpacked(spikes, flow.planes)
    return spikes


def _through(layers: list[nn.Module], index: int, flow: Tensor | Spikes) -> Tensor | Spikes:
    layer = layers[index]
    if bit_layers.flattens(layer):
        if isinstance(flow, Spikes):
            return flow.flattened()
        return flow if flow.dim() == 3 else layer(flow)  # nothing to flatten: torch gives the same tensor back
    if bit_layers.passes(layer):
        return flow
    if (
        type(layer) is nn.Dropout
        and isinstance(flow, Spikes)
        and flow.made is None
        and (left := bit_layers.dropped(flow, layer.p)) is not None
    ):
        return left
    if isinstance(flow, Spikes) and (means := bit_layers.averaged(layers, index, flow)) is not None:
        return means
    wants_bits = bit_layers.wants_bits(layers, index + 1)
    if isinstance(flow, Spikes) and wants_bits and (pooled := bit_layers.pooled(layer, flow)) is not None:
        return pooled
    if wants_bits and bit_layers.is_fused(layer) and isinstance(flow, Tensor) and bit_layers.fits(flow):
        return bit_layers.fired(layer, flow)
    values = bit_layers.floats(flow)
    return bit_layers.ran(layer, values) if wants_bits else layer(values)


def _dense(layer: nn.Module, flow: Tensor | Spikes) -> Tensor:
    """A weighted layer on floats: an image that stands still once, graded values, and what does not fit at all, of which
    torch says best why."""
    flow = bit_layers.floats(flow)
    if not bit_layers.stands_still(flow):
        out: Tensor = layer(flow)
        return out
    once: Tensor = layer(flow[:1] if isinstance(layer, OverTime) else flow[0])
    once = once[0] if isinstance(layer, OverTime) else once
    return once.unsqueeze(0).expand(flow.shape[0], *once.shape)


def watched(network: nn.Module) -> bool:
    """Whether anybody looks at what passes between a network's modules, or changes it: a hook, a mode, autocast.

    A watcher that is alone is nobody: it is told of the bits themselves.
    """
    watcher = heard_by()
    *_, backward_before, backward_after = global_hooks()
    return bool(
        (strangers() if watcher is None else not (alone() and watcher.knows(network)))
        or (watcher is None and listens())
        or backward_before
        or backward_after
        or autocasting()
        or _hooked(network)
    )


def unseen(network: nn.Module) -> bool:
    """Whether nobody looks on at all."""
    return not listens() and not watched(network)


def _hooked(module: nn.Module) -> bool:
    """Whether a module, or one in it, has a hook."""
    if module_hooks(module):
        return True
    for child in module._modules.values():  # noqa: SIM110  a generator a module is half of what asking costs
        if child is not None and _hooked(child):
            return True
    return False


def _fits_any(sequence: object) -> bool:
    return isinstance(sequence, Tensor) and runs_native(sequence)
