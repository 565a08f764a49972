"""Event-driven networks tell the recorder what passed as bits: it counts words, and nothing is unpacked for it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.modules import module as module_hooks
from torch.utils._python_dispatch import TorchDispatchMode

from ..activity import Counts
from .books import Books
from .census import Census
from .origins import Origin
from .populations import Population
from .products import Product, convolution, row_sums

if TYPE_CHECKING:
    from ..kernels.counts import Deeds
    from ..kernels.planes import Planes
    from ..networks.bit_layers import Pairs, Weighted
    from ..networks.neurons import Neuron


class BitWatcher:
    """What `networks.event_driven` talks to while a recording is active."""

    taps = False

    def __init__(
        self,
        books: Books,
        paths: dict[int, str],
        mode: TorchDispatchMode,
        meet: Callable[[str], bool],
    ) -> None:
        self.books = books
        self._meet = meet
        self._paths = paths
        self._away = _Away(mode)

    def alone(self, network: nn.Module) -> bool:
        """Whether the recorder is the only one who looks on, and these layers are of its network."""
        return (
            torch._C._len_torch_dispatch_stack() == 1
            and len(module_hooks._global_forward_hooks) == 1
            and len(module_hooks._global_forward_pre_hooks) == 1
            and not self.books.quiet
            and all(id(layer) in self._paths for layer in network._modules.values())
        )

    def takes(self, values: Tensor) -> bool:
        """Whether values may be packed: not those that a folded pooling brought here."""
        origin = self.books.origins.get(values)
        return origin is None or (origin.fold is None and origin.unit is None)

    def away(self) -> AbstractContextManager[None]:
        """Not listening: what runs inside is told of. `alone` was true: the mode on top is the recorder's."""
        return self._away

    def multiplied(self, layer: Weighted, source: Tensor, planes: Planes) -> None:
        """Spikes `[T, B, *N]` go through a weighted layer."""

        def look(unit: float | None) -> Census:  # nobody counted them when they were sent
            return _census(planes.per_neuron().numpy(), planes)

        def product() -> Product:
            return _product(layer, source, planes)

        self.books.multiplied(layer, source, planes.shape, 2, None, product, look)

    def passed(self, pairs: Pairs, source: Tensor, planes: Planes, sent: list[Planes], deeds: list[Deeds]) -> None:
        """Spikes `[T, B, *N]` went through weighted layers, each with its neurons, which sent spikes and did this."""
        books = self.books
        seen, before = self._counted(source, planes), None  # what arrives at a layer, and who sent it
        for (layer, neurons), spikes, did in zip(pairs, sent, deeds, strict=True):
            line = books.lines.get(id(layer))
            if line is not None and seen is not None and line.holds(layer, planes.shape):
                books.products += 1
                line.book(seen)
            else:
                if before is not None:
                    books.origins.put(source, before)
                self.multiplied(layer, source, planes)
            before = self._sent(neurons, did, spikes)
            seen, source, planes = before.census, spikes.words, spikes
        if before is not None:
            books.origins.put(source, before)

    def _counted(self, source: Tensor, planes: Planes) -> Census | None:
        """What is known to arrive as bits that were counted while they were packed, from a place that asks no more."""
        origin, counted = self.books.origins.get(source), planes.counted
        if counted is None or (origin is not None and (origin.kind != "input" or origin.fold is not None)):
            return None
        return _census(counted.numpy(), planes)

    def fired(self, neurons: Neuron, deeds: Deeds, planes: Planes) -> None:
        """A population sent spikes `[T, B, *N]`, and did this."""
        self.books.origins.put(planes.words, self._sent(neurons, deeds, planes))

    def _sent(self, neurons: Neuron, deeds: Deeds, planes: Planes) -> Origin:
        """Book what a population did; the origin of its spikes."""
        path = self._paths.get(id(neurons), "")
        population = self.books.populations.get(path)
        if population is None:
            population = self.books.populations[path] = Population(path, tuple(planes.shape[2:]), True)
            self.books.order.setdefault(path)
        if self._meet(path):
            population.step = 0
        seen = population.book_bits(planes, deeds, neurons.state_variables)
        return Origin("spikes", path, None, None, seen, planes.rows)

    def unpacked(self, spikes: Tensor, planes: Planes) -> None:
        """Bits became floats."""
        origin = self.books.origins.get(planes.words)
        if origin is not None:
            self.books.origins.put(spikes, origin)

    def tap(self, neurons: nn.Module, token: Tensor, planes: Planes) -> Tensor:
        """The same token: who records leaves gradients alone."""
        return token

    def still(self, layer: Weighted, flow: Tensor) -> bool:
        """Not once: the recorder's mode looks at the product of every step."""
        return False


def _census(counts: Counts, planes: Planes) -> Census:
    return Census(counts, "spikes", 1.0) if planes.spikes else Census(counts, "silent", 0.0)


def _product(layer: Weighted, source: Tensor, planes: Planes) -> Product:
    weight = layer.weight.detach()
    nothing = weight.new_empty(())  # nobody looks at the values: the bits are counted
    if isinstance(layer, nn.Linear):
        outputs = planes.rows * layer.out_features
        return Product(
            "linear", source, nothing.expand(planes.shape), layer.weight, weight.t(), torch.matmul, 2, outputs,
            outputs * layer.in_features, layer.bias, fan_out=row_sums,
        )  # fmt: skip
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


class _Away:
    """Takes the recorder's mode off the stack for a while; a generator would cost several times as much."""

    def __init__(self, mode: TorchDispatchMode) -> None:
        self._mode = mode

    def __enter__(self) -> None:
        torch._C._pop_torch_dispatch_stack(None)

    def __exit__(self, *_: object) -> None:
        torch._C._push_on_torch_dispatch_stack(self._mode)
