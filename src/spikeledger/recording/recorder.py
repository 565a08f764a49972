"""The recorder: counts at the operators that really ran, and leaves no trace on the network.

torch's dispatch mode shows every operator of any library's module with the tensors it multiplied; module hooks (torch's
global ones, so that nothing is ever attached to the user's modules) say where in the model it ran and which modules are
neurons. A neuron's inside is not looked at: its currents and spikes say all.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.weak import WeakTensorKeyDictionary

from ..activity import Activity, Layer, Tally, Uncounted
from ..errors import InputError, SpikeLedgerError, unknown_name
from . import rules
from .census import census
from .neurons import Firing, reading_of
from .origins import Fold, Origin
from .populations import Population
from .synapses import SynapseAccount

Pooling = Literal["fold", "separate"]


@dataclass
class _Pointwise:
    """Events of one module that are only totals: activations, normalisation, pooling reads."""

    operator: str
    event: str
    count: int = 0
    outputs: int = 0


class Recorder:
    """Counts while it is active; `activity()` gives the account. Made by `recording` and used by `record`."""

    def __init__(self, network: nn.Module, *, pooling: Pooling = "fold", samples: int = 0) -> None:
        if not isinstance(network, nn.Module):
            raise InputError(f"a network must be a torch.nn.Module, not a {type(network).__name__}")
        if pooling not in ("fold", "separate"):
            raise unknown_name("pooling mode", str(pooling), ("fold", "separate"))
        self.network = network
        self.pooling: Pooling = pooling
        self.samples = samples
        self._paths = {id(module): name for name, module in network.named_modules()}
        self._stack: list[tuple[str, bool]] = []
        self._order: dict[str, None] = {}
        self._synapses: dict[str, SynapseAccount] = {}
        self._populations: dict[str, Population] = {}
        self._pointwise: dict[tuple[str, str], _Pointwise] = {}
        self._uncounted: dict[tuple[str, str, str], int] = {}
        self._origins = WeakTensorKeyDictionary()
        self._weights = WeakTensorKeyDictionary()
        for name, tensor in (*network.named_parameters(), *network.named_buffers()):
            self._weights[tensor] = (name, tensor)
        self._mode = _Listener(self)

    # -- where we are -------------------------------------------------------------------------------------------------

    @property
    def place(self) -> str:
        """Path of the innermost module that is running."""
        return self._stack[-1][0] if self._stack else ""

    def sees_input(self, inputs: Any) -> None:
        """Mark the network's own input, so that the layer that multiplies it is known."""
        if isinstance(inputs, Tensor):
            self._origins[inputs] = Origin("input", "input")

    @contextmanager
    def active(self) -> Iterator[Recorder]:
        """Count inside this block; whatever happens in it, torch and the network are left as they were."""
        before = register_module_forward_pre_hook(self._enter)
        after = register_module_forward_hook(self._leave, always_call=True)
        self._mode.__enter__()
        try:
            yield self
        finally:
            if not any(muted for _, muted in self._stack):
                self._mode.__exit__(None, None, None)
            self._stack.clear()
            before.remove()
            after.remove()

    def _enter(self, module: nn.Module, args: tuple[Any, ...]) -> None:
        path = self._paths.get(id(module))
        if path is None:
            return
        if not self._stack:
            for population in self._populations.values():
                population.step = 0
        inside = any(muted for _, muted in self._stack)
        muted = not inside and reading_of(module) is not None
        self._stack.append((path, muted))
        if muted:
            self._mode.__exit__(None, None, None)

    def _leave(self, module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        path = self._paths.get(id(module))
        if path is None or not self._stack or self._stack[-1][0] != path:
            return
        _, muted = self._stack.pop()
        if not muted:
            return
        reading = reading_of(module)
        try:
            if reading is not None and output is not None:
                self._fired(path, reading(module, args, output))
        finally:
            self._mode.__enter__()

    # -- what happened ------------------------------------------------------------------------------------------------

    def _fired(self, path: str, firing: Firing) -> None:
        if firing.currents is None and census(firing.spikes, 2).inputs == "graded":
            self._origins[firing.spikes] = Origin("input", "input")
            return
        population = self._populations.get(path)
        if population is None:
            population = self._populations[path] = Population(
                path, tuple(firing.spikes.shape[2:]), firing.state_variables
            )
            self._order.setdefault(path)
        population.book(firing)
        self._origins[firing.spikes] = Origin("spikes", path)

    def ran(self, name: str, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> None:
        """Book one operator; every error in a rule becomes an uncounted entry, never a zero."""
        tensors = [value for value in _flat(args, kwargs) if isinstance(value, Tensor)]
        if tensors and all(tensor in self._weights for tensor in tensors):
            for result in _flat((out,), {}):
                if isinstance(result, Tensor) and result not in self._weights:
                    self._weights[result] = self._derived(tensors)
            return
        if not self._stack:
            if name in rules.PRODUCTS and torch._C._current_autograd_node() is None:
                self._miss(name, "it ran outside the network's modules: call it inside one")
            return
        try:
            self._book(name, args, kwargs, tensors, out)
        except SpikeLedgerError:
            raise
        except Exception as error:  # a rule that raises is a result: it is named, and pricing refuses
            self._miss(name, f"its counting rule failed: {type(error).__name__}: {error}")

    def _book(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], tensors: list[Tensor], out: Any) -> None:
        origin = self._origins.get(args[0]) if args and isinstance(args[0], Tensor) else None
        if name in rules.CARRIERS:
            if origin is not None and isinstance(out, Tensor):
                fold = origin.fold.through(name, args, kwargs, out) if origin.fold else None
                self._origins[out] = Origin(origin.kind, origin.source, fold)
        elif name in rules.PRODUCTS:
            self._multiplied(rules.PRODUCTS[name](*args, **kwargs), out)
        elif name in rules.POOLS and (pool := rules.POOLS[name](*args, **kwargs)) is not None:
            self._pooled(pool, origin, out)
        elif name in rules.NORMS:
            if origin is None or origin.kind != "currents":
                self._add("norm", "norm_op", args[0].numel())
            else:
                self._origins[out[0] if isinstance(out, tuple) else out] = origin
        elif name in rules.ACTIVATIONS:
            self._add("activation", "activation", _numel(out))
        elif name == "add" and origin is not None and origin.kind == "currents" and self._is_weight(args[1]):
            self._synapses[origin.source].bias_adds += _numel(out)
            self._origins[out] = origin
            return
        elif name in rules.ELEMENTWISE or name in rules.POOLS:
            self._add("elementwise", "elementwise", _numel(out))
        elif name not in rules.FREE:
            self._miss(name, "this operator has no counting rule")
        if name.endswith("_") and tensors:
            self._origins.pop(tensors[0], None)

    def _multiplied(self, product: rules.Product, out: Tensor) -> None:
        weight = self._weights.get(product.weight)
        if weight is None:
            self._miss(product.operator, "a product of two activations has no counting rule")
            return
        parameter, root = weight
        layer = parameter.removesuffix(".weight") if parameter else self.place
        account = self._synapses.get(layer)
        origin = self._origins.get(product.values)
        if account is None:
            account = self._synapses[layer] = SynapseAccount(layer, product.operator)
            self._order.setdefault(layer)
            account.source = origin.source if origin else ""
            account.parameters = product.weight.numel()
            account.nonzero_parameters = int((product.weight != 0).sum())
        fold = origin.fold if origin is not None and origin.fold is not None and self.pooling == "fold" else None
        version = (id(root), root._version) if root is not None and not root.is_inference() else object()
        account.book(product, census(product.values, product.rows), key=version, fold=fold)
        self._origins[out] = Origin("currents", layer)

    def _pooled(self, pool: rules.Pool, origin: Origin | None, out: Any) -> None:
        first = out[0] if isinstance(out, tuple) else out
        self._add(pool.operator, "pool_read", pool.reads, outputs=first[:1].numel())
        if origin is None:
            return
        fold = None
        if pool.linear is not None and origin.kind in ("spikes", "input"):
            before = census(pool.values, 1)
            if before.inputs != "graded":
                shape = (1, *pool.values.shape[1:])
                fold = Fold(self.place, before, shape, (pool.linear,), 1, pool.values.shape[0])
        kind = origin.kind if origin.kind != "currents" else "pooled"
        self._origins[first] = Origin(kind, origin.source, fold)

    def _add(self, operator: str, event: str, count: int, *, outputs: int = 0) -> None:
        key = (self.place, event)
        if key not in self._pointwise:
            self._pointwise[key] = _Pointwise(operator, event, outputs=outputs)
            self._order.setdefault(self.place)
        self._pointwise[key].count += count

    def _miss(self, operator: str, reason: str) -> None:
        key = (self.place, operator, reason)
        self._uncounted[key] = self._uncounted.get(key, 0) + 1

    def _is_weight(self, value: Any) -> bool:
        return isinstance(value, Tensor) and value in self._weights

    def _derived(self, tensors: list[Tensor]) -> tuple[str, Tensor | None]:
        """Name and root of a tensor that was made from weights: those of its one source, if it is a view of it."""
        name, root = self._weights[tensors[0]]
        return (name, root) if len(tensors) == 1 else ("", None)

    # -- the account --------------------------------------------------------------------------------------------------

    def activity(self, *, samples: int | None = None, timesteps: int | None = None) -> Activity:
        """Everything counted so far as one `Activity`."""
        folded = set()
        for account in self._synapses.values():
            account.settle()
            if account.folds:
                folded.add(account.pool)
        layers: dict[str, Layer] = {}
        tallies: dict[tuple[str, str], Tally] = {}

        def add(layer: str, event: str, count: int, rows: Tensor | None = None) -> None:
            if count:
                array = None if rows is None else rows.cpu().numpy().astype(np.int64, copy=False).ravel()
                tallies[layer, event] = Tally(layer, event, int(count), array)

        for name in self._order:
            if name in self._populations:
                layers[name], events = self._populations[name].close()
                for event, count, rows in events:
                    add(name, event, count, rows)
            if name in self._synapses:
                layers[name], events = self._synapses[name].close()
                for event, count, rows in events:
                    add(name, event, count, rows)
            for (place, event), pointwise in self._pointwise.items():
                if place == name and not (event == "pool_read" and place in folded):
                    layers.setdefault(name, Layer(name, pointwise.operator, outputs=pointwise.outputs))
                    add(name, event, pointwise.count)
        samples = self.samples if samples is None else samples
        updates = max((p.updates for p in self._populations.values()), default=0)
        steps = timesteps or (updates // samples if samples and updates else 1)
        return Activity(
            layers_by_name=layers, tallies=tallies, samples=samples, timesteps=steps,
            uncounted=tuple(Uncounted(*key, calls=calls) for key, calls in self._uncounted.items()),
            spikes_per_step={n: np.array(p.per_step, np.int64) for n, p in self._populations.items()},
            rasters={n: p.raster_array() for n, p in self._populations.items()},
            backend="reference", pooling=self.pooling,
        )  # fmt: skip


class _Listener(TorchDispatchMode):
    """Shows the recorder every operator after it ran."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self.recorder = recorder

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        name = func._schema.name.removeprefix("aten::")
        plain = name.removesuffix("_") if not name.endswith("__") else name
        known = plain in rules.PRODUCTS or plain in rules.POOLS or plain in rules.NORMS or plain in rules.CARRIERS
        if not known and func._can_decompose():  # under inference mode composite operators arrive whole
            with self:
                result = func.decompose(*args, **kwargs)
            if result is not NotImplemented:
                return result
        out = func(*args, **kwargs)
        self.recorder.ran(plain, func, args, kwargs, out)
        return out


def _flat(args: tuple[Any, ...] | list[Any], kwargs: dict[str, Any]) -> Iterator[Any]:
    for value in (*args, *kwargs.values()):
        if isinstance(value, list | tuple):
            yield from value
        else:
            yield value


def _numel(out: Any) -> int:
    first = out[0] if isinstance(out, tuple | list) else out
    return first.numel() if isinstance(first, Tensor) else 0
