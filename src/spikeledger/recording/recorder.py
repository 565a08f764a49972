"""The recorder: listens to the operators that really run, and leaves no trace on the network.

torch's dispatch mode shows every operator of any library's module with the tensors it multiplied; module hooks (torch's
global ones, so that nothing is ever attached to the user's modules) say where in the model it ran and which modules are
neurons. A neuron's inside is not looked at, but for weights of its own: its currents and spikes say all.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.modules import module as module_hooks
from torch.utils._python_dispatch import TorchDispatchMode, _pop_mode, _push_mode
from torch.utils.hooks import RemovableHandle

from ..activity import Activity
from ..errors import InputError, SpikeLedgerError, unknown_name
from ..networks import event_driven
from ..networks.recurrent import OneToOne, Recurrent
from . import libraries  # noqa: F401  (its rows fill the book of neurons)
from .bits import BitWatcher
from .books import Books, Pooling
from .census import census
from .frames import Frame
from .neurons import NeuronKind, has_weights, kind_of
from .origins import Origin
from .rules import Rule, rule_of
from .statement import statement
from .straight import multiplies_once, product
from .tracking import tensors_in
from .weights import weights_of

#: operator overload -> its rule, and whether torch is asked to take it apart first
_RULES: dict[Any, tuple[Rule, bool]] = {}


#: modules that multiply whenever they are called
_WEIGHTED = (nn.Linear, nn.modules.conv._ConvNd, nn.Bilinear, nn.RNNBase, nn.RNNCellBase, nn.MultiheadAttention)
_UNSEEN = "it ran, but its weights were not seen to multiply: a compiled or native kernel hides them"


class Recorder:
    """Counts while it is active; `activity()` gives the account. Made by `recording` and used by `record`."""

    def __init__(self, network: nn.Module, *, pooling: Pooling = "fold", samples: int = 0) -> None:
        if not isinstance(network, nn.Module):
            raise InputError(f"a network must be a torch.nn.Module, not a {type(network).__name__}")
        if pooling not in ("fold", "separate"):
            raise unknown_name("pooling mode", str(pooling), ("fold", "separate"))
        self.network = network
        self.samples = samples
        self.books = Books(pooling, weights_of(network))
        self._parts = {id(module): _Part.of(name, module) for name, module in network.named_modules()}
        self._met: set[str] = set()  # populations that ran in the present call of the network
        self._told = False  # whether `record` says where sequences start, so that nobody has to guess
        self._seen_samples = 0
        self._mode = _Listener(self)
        self._on = False
        self._handles = (
            RemovableHandle(module_hooks._global_forward_pre_hooks),
            RemovableHandle(
                module_hooks._global_forward_hooks, extra_dict=module_hooks._global_forward_hooks_always_called
            ),
        )
        self._bits = BitWatcher(
            self.books, {key: part.path for key, part in self._parts.items()}, self._mode, self._restarts
        )

    def new_sequence(self) -> None:
        """The next call starts with other samples, from their first step."""
        self._told = True
        for population in self.books.populations.values():
            population.step = 0

    @property
    def has_neurons(self) -> bool:
        """Whether any neuron was updated so far."""
        return any(population.updates for population in self.books.populations.values())

    @contextmanager
    def active(self) -> Iterator[Recorder]:
        """Count inside this block; whatever happens in it, torch and the network are left as they were."""
        (before, after), hooks = self._handles, module_hooks
        if before.id in hooks._global_forward_pre_hooks:  # it counts already, and nothing twice
            yield self
            return
        hooks._global_forward_pre_hooks[before.id] = self._enter
        hooks._global_forward_hooks[after.id] = self._leave
        hooks._global_forward_hooks_always_called[after.id] = True
        outer, event_driven.watcher = event_driven.watcher, self._bits
        self._mode.__enter__()
        self._on = True
        try:
            yield self
        finally:
            self._listen(True)
            self._mode.__exit__(None, None, None)
            self._on = False
            event_driven.watcher = outer
            self.books.frames.clear()
            self.books.quiet = 0
            del hooks._global_forward_pre_hooks[before.id], hooks._global_forward_hooks[after.id]
            del hooks._global_forward_hooks_always_called[after.id]

    def activity(self, *, samples: int | None = None, timesteps: int | None = None) -> Activity:
        """Everything counted so far as one `Activity`.

        Args:
            samples: how many inputs the network saw; by default found from the neurons' updates and steps.
            timesteps: how many steps each had; by default found likewise.
        """
        listening = self._on
        self._listen(False)
        try:
            given = (self.samples or None) if samples is None else samples
            return statement(self.books, self.network, given, timesteps, self._seen_samples)
        finally:
            self._listen(listening)

    # -- hooks ---------------------------------------------------------------------------------------------------------

    def _listen(self, on: bool) -> None:
        """Go on or pause; torch knows all the while that a mode is active, so that compiled code stays out of the way."""
        if on != self._on:
            self._on = on
            if on:
                _push_mode(self._mode)
            else:
                _pop_mode()

    def _enter(self, module: nn.Module, args: tuple[Any, ...]) -> None:
        part = self._parts.get(id(module))
        if part is None:
            return
        books = self.books
        if not books.frames:
            self._begin(args)
        frame = Frame(part.path, products=books.products if part.multiplies else -1, sums=part.sums)
        if self._on and not books.quiet:
            kind = part.kind
            if kind is not None:
                if self._restarts(part.path):
                    population = books.populations.get(part.path)
                    if population is not None and kind.at_rest(module, args) is not False:
                        population.step = 0
                frame.quiet, frame.muted = part.quiet, not part.quiet
                books.quiet += part.quiet
            elif part.multiplies and multiplies_once(module, args):
                frame.straight = args[0] not in books.weights and module._parameters["weight"] in books.weights
        books.frames.append(frame)
        if frame.muted or frame.straight:
            self._listen(False)

    def _restarts(self, path: str) -> bool:
        """Whether neurons run for the first time in this call of the network, so that their steps may begin again."""
        first = path not in self._met
        self._met.add(path)
        return first and not self._told

    def _begin(self, args: tuple[Any, ...]) -> None:
        """A call from outside: what nobody knows among its arguments is the network's input."""
        self._met.clear()
        for value in args:
            if isinstance(value, Tensor) and value not in self.books.weights and self.books.origins.get(value) is None:
                self.books.origins.put(value, Origin("input", "input"))
        first = args[0] if args else None
        if isinstance(first, Tensor) and first.dim():
            self._seen_samples += first.shape[0]

    def _leave(self, module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        part = self._parts.get(id(module))
        books = self.books
        if part is None or not books.frames or books.frames[-1].path != part.path:
            return
        path = part.path
        frame = books.frames[-1]
        if frame.straight:
            self._went_straight(module, args, output)
        books.frames.pop()
        if frame.quiet:
            books.quiet -= 1
        if frame.products == books.products and output is not None and not books.hidden:
            books.miss(type(module).__name__, _UNSEEN, place=path)
        if frame.muted or frame.quiet:
            try:
                if output is not None:  # None: it raised
                    self._listen(False)
                    self._fired(path, module, args, output)
            finally:
                self._listen(True)
        if not books.frames and output is not None:
            self._end(output)

    def _went_straight(self, module: Any, args: tuple[Any, ...], output: Any) -> None:
        """Book what a linear layer multiplied that was not listened to."""
        try:
            if output is None:  # it raised
                self.books.products += 1
            else:
                values, books = args[0], self.books
                books.multiplied(
                    module,
                    values,
                    values.shape,
                    1,
                    output,
                    lambda: product(module, values),
                    lambda unit: books.looks.look(values, 1, unit),
                )
        except SpikeLedgerError:
            raise
        except Exception as error:
            self.books.miss("linear", f"its counting rule failed: {type(error).__name__}: {error}")
        finally:
            self._listen(True)

    def _fired(self, path: str, module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        kind = self._parts[id(module)].kind
        assert kind is not None
        try:
            self.books.fired(path, kind.read(module, args, output))
        except SpikeLedgerError:
            raise
        except Exception as error:
            reason = f"its spikes could not be read: {type(error).__name__}: {error}"
            self.books.miss(type(module).__name__, reason, place=path)

    def _end(self, output: Any) -> None:
        """A call from outside is over: weights that changed are settled, and a binary output is asked about."""
        first = output[0] if isinstance(output, tuple | list) and output else output
        if isinstance(first, Tensor):
            self._sent_outside(first)
        changed = [account for account in self.books.synapses.values() if account.restless]
        if changed:
            self._listen(False)
            try:
                for account in changed:
                    account.settle(all_of_it=False)
            finally:
                self._listen(True)

    def _sent_outside(self, output: Tensor) -> None:
        """Look at what a call of the network returned: 0 and 1 that no known neuron sent are asked about."""
        origin = self.books.origins.get(output)
        if origin is None or origin.kind != "binary" or not output.is_floating_point():
            return
        if census(output, 1 if output.dim() else 0).inputs != "graded":
            asked = self.books.binary_outputs
            asked[origin.source] = asked.get(origin.source, 0) + 1


class _Part(NamedTuple):
    """What is known of one of the network's modules."""

    path: str
    kind: NeuronKind | None
    quiet: bool  # a neuron with weights of its own
    multiplies: bool  # a module that multiplies whenever it is called
    sums: bool  # connections around neurons, whose currents arrive beside others

    @classmethod
    def of(cls, path: str, module: nn.Module) -> _Part:
        kind = kind_of(module)
        quiet = kind is not None and has_weights(module)
        return cls(path, kind, quiet, isinstance(module, _WEIGHTED), isinstance(module, Recurrent | OneToOne))


class _Listener(TorchDispatchMode):
    """Shows the recorder every operator after it ran."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self.books = recorder.books

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        known = _RULES.get(func)
        if known is None:
            known = _RULES[func] = _look_up(func)
        rule, whole = known
        if whole:  # under inference mode composite operators arrive whole
            with self:
                result = func.decompose(*args, **kwargs)
            if result is not NotImplemented:
                return result
        out = func(*args, **kwargs)
        if torch._C._current_autograd_node() is not None:  # a backward pass is no part of the run
            return out
        if rule.kind == "shadow":
            self._retell(rule, args, kwargs, out)
        else:
            self.books.ran(rule, args, kwargs, out)
        return out

    def _retell(self, rule: Rule, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> None:
        assert rule.apply is not None
        try:
            with torch.no_grad(), self:
                rule.apply(*args, **kwargs)
        except SpikeLedgerError:
            raise
        except Exception as error:
            self.books.miss(rule.name, f"its counting rule failed: {type(error).__name__}: {error}")
        for result in tensors_in((out,), {}):
            self.books.origins.put(result, Origin("values", self.books.place))


def _look_up(func: Any) -> tuple[Rule, bool]:
    rule = rule_of(func)
    apart = rule.kind not in ("product", "pool", "carrier", "shadow") and func._can_decompose()
    return rule, apart
