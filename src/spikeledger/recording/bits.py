"""What need not be listened to: what event-driven networks tell of bits, and linear layers as their library wrote them.

Being told of an operator costs several times the look at its operands. An event-driven network tells what passed: words
are counted, and nothing is unpacked for it. A linear layer that multiplies once is known by what; whatever could make its
call anything else (a hook, another mode, a transform, a weight that is no parameter) has it listened to.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..activity import Counts
from ..kernels.cells import along
from ..kernels.counts import Deeds
from ..kernels.planes import Planes
from ..listening.hooks import Ear, alone
from ..listening.neurons import kind_of
from ..networks.bit_layers import Pairs, Weighted
from ..networks.event_driven import Returned
from ..networks.neurons import Neuron
from ..networks.recurrent import OneToOne
from ..torch_private import autocasting, function_modes, in_backward, module_hooks, transforms
from .books import Books
from .calls import Calls
from .census import Census
from .origins import EVENTS, Origin
from .products import PRODUCTS, Product, convolution, row_sums, scaling

_FORWARD, _LINEAR = nn.Linear.forward, F.linear


def multiplies_once(module: nn.Module, args: tuple[Any, ...]) -> bool:
    """Whether a module is a linear layer that is going to multiply a matrix `[B, N]` by its own parameter, no more."""
    if not isinstance(module, nn.Linear) or len(args) != 1:
        return False
    values, weight = args[0], module._parameters.get("weight")
    return (
        _as_written(module)
        and type(values) is Tensor
        and type(weight) is nn.Parameter
        and values.dim() == 2
        and values.dtype is weight.dtype
        and values.layout is torch.strided
        and weight.layout is torch.strided
        and not module_hooks(module)
        and alone()
        and function_modes() == 0
        and not transforms()
        and not in_backward()
        and not autocasting()
    )


def product(module: nn.Linear, values: Tensor) -> Product:
    """What the layer multiplied, by the rule of the operator that it calls."""
    # the operands exactly as `F.linear` hands them on, so that one rule counts heard and unheard layers
    matrix, bias = module.weight.detach().t(), module.bias
    operands = (values, matrix) if bias is None else (bias, values, matrix)
    found = PRODUCTS["mm" if bias is None else "addmm"](lambda tensor: tensor is matrix, *operands)
    assert isinstance(found, Product)  # one operand is a weight
    return found._replace(weight=module.weight)


def _as_written(module: nn.Linear) -> bool:
    """Whether `forward` is torch's own, or SpikingJelly's, which does the same."""
    kind = type(module)
    if "forward" in module.__dict__ or nn.Linear.forward is not _FORWARD or F.linear is not _LINEAR:
        return False
    if kind is nn.Linear:
        return True
    return kind.__name__ == "Linear" and kind.__module__.startswith("spikingjelly.activation_based.layer")


class BitWatcher:
    """What `networks.event_driven` talks to while a recording is active."""

    taps = False

    def __init__(self, books: Books, paths: dict[int, str], recorder: _Recorder) -> None:
        self.books = books
        self._recorder = recorder
        self._paths = paths
        self._away = _Away(recorder)

    def knows(self, network: nn.Module) -> bool:
        """Whether these layers are of the recorder's network, and this is a part of the run."""
        return (
            not self.books.quiet
            and not self.books.unpaid
            and not self.books.hidden
            and not in_backward()
            and all(id(layer) in self._paths for layer in network._modules.values())
        )

    def takes(self, values: Tensor) -> bool:
        """Whether values may be packed: not those that a folded pooling brought here."""
        origin = self.books.know.origin(values)
        if origin is None or origin.kind not in EVENTS:
            return origin is None or origin.fold is None
        return origin.fold is None and origin.unit in (None, 1.0) and not origin.suspect

    def away(self) -> AbstractContextManager[None]:
        """Not listening: what runs inside is told of. `alone` was true: the mode on top is the recorder's."""
        return self._away

    def multiplied(self, layer: Weighted, source: Tensor, planes: Planes, currents: Tensor | None = None) -> None:
        """Spikes `[T, B, *N]` went through a weighted layer; `currents` where they are not taken by its neurons at once."""

        def look(unit: float | None) -> Census:  # nobody counted them when they were sent
            return _census(planes.per_neuron().numpy(), planes)

        def product() -> Product:
            return _product(layer, source, planes)

        path = self._paths[id(layer)]
        self.books.multiplied_by_layer(path, layer, source, planes.shape, 2, currents, product, look)

    def passed(self, pairs: Pairs, source: Tensor, planes: Planes, sent: list[Planes], deeds: list[Deeds]) -> None:
        """Spikes `[T, B, *N]` went through weighted layers, each with its neurons, which sent spikes and did this."""
        # the first layer's input was counted while it was packed, each other's by the population that sent it: a line that is
        # known from the last call is booked from these sums alone
        books = self.books
        seen, before = self._counted(source, planes), None  # what arrives at a layer, and who sent it
        for (layer, neurons, _), spikes, did in zip(pairs, sent, deeds, strict=True):
            line = books.lines.get(id(layer))
            if (
                line is not None
                and seen is not None
                and line.holds(layer, planes.shape, books.know.version(layer.weight))
            ):
                books.products += 1
                line.book(seen)
            else:
                if before is not None:
                    books.know.put(source, before)
                self.multiplied(layer, source, planes)
            before = self._sent(neurons, did, spikes)
            seen, source, planes = before.census, spikes.words, spikes
        if before is not None:
            books.know.put(source, before)

    def _counted(self, source: Tensor, planes: Planes) -> Census | None:
        """What is known to arrive as bits that were counted while they were packed, from a place that asks no more."""
        origin, counted = self.books.know.origin(source), planes.counted
        # spikes of neurons, or behind a pooling, have more to be asked than how many there were
        if counted is None or (origin is not None and (origin.kind != "input" or origin.fold is not None)):
            return None
        return _census(counted.numpy(), planes)

    def fired(self, neurons: Neuron, deeds: Deeds, planes: Planes) -> None:
        """A population sent spikes `[T, B, *N]`, and did this."""
        self.books.know.put(planes.words, self._sent(neurons, deeds, planes))

    def returned(self, run: Returned) -> None:
        """A population's spikes went back into it through its own connections, at every step of a run."""
        books, know = self.books, self.books.know
        arriving = books.origin(run.currents)
        books.ask(arriving)
        books.spoil([run.currents])
        for state in (run.currents, *run.start):
            books.read_out.spend(know.origin(state))
        path = self._paths[id(run.neuron)]
        calls = self._recorder.calls
        kind = kind_of(run.neuron)
        assert kind is not None  # it is one of ours
        calls.began(path, kind, run.neuron, (run.currents, run.start))
        site = calls.site(path, tuple(run.planes.shape[2:]), None)
        know.put(run.before.words, Origin("spikes", site, 1.0))
        books.products += 1
        seen = _census(run.before.per_neuron().numpy(), run.before)
        books.multiplied(_back(run), seen, (self._paths[id(run.connections)], run.connections))
        know.send(run.spikes, self._sent(run.neuron, run.deeds, run.planes))
        for state in run.last:
            if state is not None and know.origin(state) is None:
                know.put(state, Origin("values", path))

    def _sent(self, neurons: Neuron, deeds: Deeds, planes: Planes) -> Origin:
        """Book what a population did; the origin of its spikes."""
        path = self._paths.get(id(neurons), "")
        site = self._recorder.calls.site(path, tuple(planes.shape[2:]), None)
        population = self.books.population(site, tuple(planes.shape[2:]), True)
        self._recorder.calls.starts(site, path)
        seen = population.book_bits(planes, deeds, neurons.state_variables)
        return population.sends(seen, None, planes.rows)

    def unpacked(self, spikes: Tensor, planes: Planes) -> None:
        """Bits became floats."""
        origin = self.books.know.origin(planes.words)
        if origin is not None:
            self.books.know.put(spikes, origin)

    def tap(self, neurons: nn.Module, token: Tensor, planes: Planes) -> Tensor:
        """The same token: who records leaves gradients alone."""
        return token

    def still(self, layer: Weighted, flow: Tensor) -> bool:
        """Not once: the recorder's mode looks at the product of every step."""
        return False


def _census(counts: Counts, planes: Planes) -> Census:
    return Census(counts, "spikes", 1.0) if planes.spikes else Census(counts, "silent", 0.0)


def _back(run: Returned) -> Product:
    """What a population's spikes of the steps before multiplied."""
    before, layer = run.before, run.connections
    if not isinstance(layer, OneToOne):
        return _linear(layer, before.words, before)
    weight = along(layer.weight.detach(), before.shape[2:])
    values = layer.weight.detach().new_empty(()).expand(before.shape)
    return scaling(values, weight, 2)._replace(arrived=before.words, weight=layer.weight)  # type: ignore[arg-type]


def _linear(layer: Any, source: Tensor, planes: Planes) -> Product:
    weight = layer.weight.detach()
    outputs = planes.rows * layer.out_features
    # an expanded scalar has the shape that rules ask for, and no memory; nobody looks at the values: the bits are counted
    values = weight.new_empty(()).expand(planes.shape)
    return Product(
        "linear", source, values, layer.weight, weight.t(), torch.matmul, 2, outputs,
        outputs * layer.in_features, getattr(layer, "bias", None), fan_out=row_sums,
    )  # fmt: skip


def _product(layer: Weighted, source: Tensor, planes: Planes) -> Product:
    if isinstance(layer, nn.Linear):
        return _linear(layer, source, planes)
    weight = layer.weight.detach()
    nothing = weight.new_empty(())
    values = nothing.expand(planes.rows, *planes.shape[2:])
    same = isinstance(layer.padding, str) and layer.padding == "same"
    padding = (
        [d * (k - 1) // 2 for k, d in zip(layer.kernel_size, layer.dilation, strict=True)]
        if same
        else ([0] * (weight.dim() - 2) if isinstance(layer.padding, str) else list(layer.padding))
    )
    product = convolution(
        lambda _: True, values, layer.weight, layer.bias, layer.stride, padding, layer.dilation, False,
        [0] * len(padding), layer.groups,
    )  # fmt: skip
    return product._replace(arrived=source, matrix=weight)


class _Recorder(Protocol):
    @property
    def ear(self) -> Ear: ...

    @property
    def calls(self) -> Calls: ...


class _Away:
    """The recorder's ear, closed for a while; a generator would cost several times as much."""

    def __init__(self, recorder: _Recorder) -> None:
        self._recorder = recorder

    def __enter__(self) -> None:
        self._recorder.ear.close()

    def __exit__(self, *_: object) -> None:
        self._recorder.ear.open()
