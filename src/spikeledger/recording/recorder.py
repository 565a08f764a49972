"""The recorder: listens to the operators that really run, and leaves no trace on the network.

Every operator of any library's module is seen with the tensors it multiplied; module hooks say where in the model it ran
and which modules are neurons. A neuron's inside is not looked at, but for weights of its own: its currents and spikes
say all.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ..activity import Activity
from ..errors import InputError, SpikeLedgerError, unknown_name
from ..listening import libraries  # noqa: F401  (its rows fill the book of neurons)
from ..listening.hooks import Ear, Listener, listen
from ..listening.neurons import NeuronKind, has_weights, kind_of, library_reset
from ..listening.parameters import check_there
from ..networks.recurrent import OneToOne, Recurrent
from ..torch_private import eager_kernel, hook_tables, in_backward
from .bits import BitWatcher, multiplies_once, product
from .books import Books, Frame, Pooling
from .calls import Calls, leaves
from .census import tensors_in
from .operator_kinds import Rule, UserRule, rule_of, rules_for
from .operators import Operators
from .origins import INPUT, Origin
from .provenance import Provenance
from .shadows import whole_module
from .statement import Seen, statement

#: modules that multiply whenever they are called
_WEIGHTED = (
    nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d, nn.Bilinear,
    nn.RNNBase, nn.RNNCellBase, nn.MultiheadAttention,
)  # fmt: skip
_HIDDEN = "it ran, but its weights were not seen to multiply: a compiled or native kernel hides them"


class Recorder(Listener):
    """Counts while it is active; `activity()` gives the account. Made by `recording` and used by `record`."""

    def __init__(
        self, network: nn.Module, *, pooling: Pooling = "fold", samples: int = 0, counts: bool = False,
        rules: Mapping[str, str | UserRule] | None = None,
    ) -> None:  # fmt: skip
        if not isinstance(network, nn.Module):
            raise InputError(f"a network must be a torch.nn.Module, not a {type(network).__name__}")
        if pooling not in ("fold", "separate"):
            raise unknown_name("pooling mode", str(pooling), ("fold", "separate"))
        check_there(network)
        self.network = network
        self.samples = samples
        self.books = Books(
            pooling, Provenance(network), stranger=lambda t: self.calls.stranger(t), fresh=lambda t: self.calls.fresh(t)
        )
        self.calls = Calls(network, self.books, INPUT._replace(unit=1.0) if counts else INPUT)
        self._rules = rules
        self._operators = Operators(self.books)
        self._parts = {id(module): _Part.of(name, module) for name, module in nn.Module.named_modules(network)}
        self._ear: Ear | None = None
        self.bits = BitWatcher(self.books, {key: part.path for key, part in self._parts.items()}, self)

    def new_sequence(self) -> None:
        """The next call starts with other samples, from their first step."""
        self.calls.told = True
        for population in self.books.populations.values():
            population.step = 0

    @property
    def ear(self) -> Ear:
        """Where it listens while it is active."""
        assert self._ear is not None
        return self._ear

    @contextmanager
    def active(self) -> Iterator[Recorder]:
        """Count inside this block; whatever happens in it, torch and the network are left as they were."""
        if self._ear is not None:  # it counts already, and nothing twice
            yield self
            return
        with ExitStack() as stack:
            stack.enter_context(rules_for(self._rules))
            stack.enter_context(self._apart_from_hooks())
            if any(isinstance(part.module, torch.jit.ScriptModule) for part in self._parts.values()):
                stack.enter_context(torch.jit.optimized_execution(False))  # type: ignore[attr-defined]  # fused kernels hide operators
            self._ear = stack.enter_context(listen(self))
            try:
                yield self
            finally:
                self._ear = None
                self.books.frames.clear()
                self.books.quiet = self.books.unpaid = 0

    def activity(self, *, samples: int | None = None, timesteps: int | None = None) -> Activity:
        """Everything counted so far as one `Activity`.

        Args:
            samples: how many inputs the network saw; by default found from the neurons' updates and steps.
            timesteps: how many steps each had; by default found likewise.
        """
        with self._deaf():
            given = (self.samples or None) if samples is None else samples
            seen = Seen(self.calls.told, self.calls.rows, self.calls.unsure)
            return statement(self.books, self.network, given, timesteps, seen)

    @contextmanager
    def _deaf(self) -> Iterator[None]:
        ear = self._ear
        if ear is not None:
            ear.close()
        try:
            yield
        finally:
            if ear is not None:
                ear.open()

    @contextmanager
    def _apart_from_hooks(self) -> Iterator[None]:
        """Users' own hooks on modules are no part of the network: what they compute is followed, and not charged."""
        begun = []
        for part in self._parts.values():
            for table in hook_tables(part.module):
                for key, hook in table.items():
                    if not getattr(hook, "__module__", "").startswith("torch."):
                        table[key] = apart = _Apart(hook, self, part.path)
                        begun.append((table, key, apart))
        try:
            yield
        finally:
            for table, key, apart in begun:
                apart.end(table, key)

    def name_states(self, changed: Iterable[tuple[nn.Module, str, Tensor, Tensor]]) -> None:
        """Of states that were there before the run, and were read in it: those that nobody knows how to bring to rest."""
        for module, name, tensor, before in changed:
            kind = kind_of(module)
            reset = kind.resets(module) if kind is not None else library_reset(module) is not None
            read = self.books.know.met(tensor)
            if reset or not read or not before.is_floating_point() or not bool(before.any()):
                continue
            self.books.miss(
                type(module).__name__, f"it kept '{name}' from an earlier run, and nobody said how it is brought to rest: "
                "record a fresh copy, or declare it with @sl.neuron(reset=...)", place=self._parts[id(module)].path,
            )  # fmt: skip

    # -- modules -------------------------------------------------------------------------------------------------------

    def entered(self, module: nn.Module, args: tuple[Any, ...]) -> None:
        part = self._parts.get(id(module))
        if part is None or in_backward():  # what a backward pass computes anew has been counted
            return
        books = self.books
        if not books.frames:
            self.calls.begin(part.path, args)
        if isinstance(module, nn.RNNBase) and args and isinstance(args[0], Tensor) and args[0].dim() == 3:
            shape = args[0].shape
            self.calls.sequences.append((shape[1], shape[0]) if module.batch_first else (shape[0], shape[1]))
        frame = Frame(part.path, module, products=books.products if part.multiplies else -1, sums=part.sums)
        if self._ear is not None and self._ear.hears and not books.quiet:
            kind = part.kind
            if kind is not None:
                self.calls.began(part.path, kind, module, args)
                frame.quiet, frame.muted = part.quiet, not part.quiet
                books.quiet += part.quiet
            elif part.whole is not None:
                frame.whole, frame.muted = part.whole, True
            elif part.multiplies and multiplies_once(module, args):
                values, weight = args[0], module._parameters["weight"]
                know = books.know
                frame.straight = not know.is_weight(values) and weight is not None and know.is_weight(weight)
        books.frames.append(frame)
        if frame.muted or frame.straight:
            self.ear.close()

    def left(self, module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        books = self.books
        if not books.frames or books.frames[-1].module is not module or in_backward():
            return
        frame = books.frames[-1]
        closed = frame.muted or frame.straight
        try:
            if frame.straight:
                self._went_straight(module, args, output)
            books.frames.pop()
            books.quiet -= frame.quiet
            hidden = frame.products == books.products and not frame.straight
            if hidden and output is not None and not books.hidden:
                books.miss(type(module).__name__, _HIDDEN, place=frame.path)
            if output is not None and (frame.muted or frame.quiet):  # None: it raised
                with self._deaf():
                    if frame.whole is not None:
                        self._taken_whole(frame, module, args, output)
                    else:
                        self._fired(frame.path, module, args, output)
        finally:
            if closed:
                self.ear.open()
        if not books.frames and output is not None:
            with self._deaf():
                self.calls.end(frame.path, output)
                for tensor in leaves((output,)):
                    books.read_out.answer(books.know.origin(tensor))

    def _went_straight(self, module: Any, args: tuple[Any, ...], output: Any) -> None:
        """Book what a linear layer multiplied that was not listened to."""
        books = self.books
        if output is None:  # it raised
            books.products += 1
            return
        values = args[0]
        try:
            books.multiplied_by_layer(
                self._parts[id(module)].path, module, values, values.shape, 1, output,
                lambda: product(module, values), lambda unit: books.know.look(values, 1, unit),
            )  # fmt: skip
        except SpikeLedgerError:
            raise
        except Exception as error:
            books.miss("linear", f"its counting rule failed: {type(error).__name__}: {error}")

    def _taken_whole(self, frame: Frame, module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        self.books.frames.append(frame)
        try:
            frame.whole(self.books, module, args, output)
        except Exception as error:
            self.books.miss(type(module).__name__, f"its counting rule failed: {type(error).__name__}: {error}")
        finally:
            self.books.frames.pop()

    def _fired(self, path: str, module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        part = self._parts[id(module)]
        assert part.kind is not None
        books = self.books
        try:
            firing = part.kind.read(module, args, output)
            arriving = firing.currents
            origin = books.origin(arriving) if arriving is not None else None
            books.ask(origin)
            books.read_out.spend(origin)
            if part.quiet:  # what arrives goes through weights first
                firing = firing._replace(currents=None)
            for state in leaves(args):
                if state is not arriving:
                    books.read_out.spend(books.know.origin(state))
            if args and args[0] is not arriving:
                origin = books.know.origin(args[0])
            source = origin.source if origin is not None and origin.kind == "currents" else None
            site = self.calls.site(path, tuple(firing.spikes.shape[len(firing.layout) :]), source)
            self.calls.starts(site, path, firing.layout == "B")
            books.fired(site, firing)
            for state in leaves((output,)):
                if books.know.origin(state) is None:
                    books.know.put(state, Origin("values", path))
        except SpikeLedgerError:
            raise
        except Exception as error:
            reason = f"its spikes could not be read: {type(error).__name__}: {error}"
            books.miss(type(module).__name__, reason, place=path)

    # -- operators -----------------------------------------------------------------------------------------------------

    def runs(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        rule = rule_of(func)
        if rule.apart:  # under inference mode composite operators arrive whole
            with self.ear.inside():
                result = func.decompose(*args, **kwargs)
            if result is not NotImplemented:
                return result
        if rule.kind == "higher_order":
            return self._of_higher_order(rule, func, args, kwargs)
        out = func(*args, **kwargs) if kwargs else func(*args)
        if in_backward():  # a backward pass is no part of the run
            return out
        if rule.kind == "shadow":
            self._retell(rule, args, kwargs, out)
        else:
            self._operators.ran(rule, args, kwargs, out)
        return out

    def _retell(self, rule: Rule, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> None:
        assert rule.apply is not None
        books = self.books
        try:
            with torch.no_grad(), self.ear.inside():
                rule.apply(*args, **kwargs)
        except SpikeLedgerError:
            raise
        except Exception as error:
            books.miss(rule.name, f"its counting rule failed: {type(error).__name__}: {error}")
        for result in tensors_in((out,), {}):
            books.know.put(result, Origin("values", books.place))

    def _of_higher_order(self, rule: Rule, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """An operator that takes functions: a branch that is taken is heard, any other is named."""
        if rule.name == "cond":
            chosen, operands = args[1] if bool(args[0]) else args[2], args[3]
            with self.ear.inside():
                return chosen(*operands)
        plain = eager_kernel(func)
        if plain is not None:  # what it does is written in operators
            with self.ear.inside():
                return plain(*args, **kwargs)
        out = func(*args, **kwargs)
        self._operators.ran(rule, args, kwargs, out)
        return out


class _Apart:
    """A user's hook while its module is recorded; others may record the same module meanwhile, and end first or last."""

    def __init__(self, hook: Any, recorder: Recorder, path: str) -> None:
        self.hook = hook
        self.recorder = recorder
        self.path = path
        self.thread = threading.get_ident()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if threading.get_ident() != self.thread:  # somebody else uses the module beside the recording
            return self.hook(*args, **kwargs)
        books = self.recorder.books
        books.unpaid += 1
        before = books.left_out
        try:
            changed = self.hook(*args, **kwargs)
        finally:
            books.unpaid -= 1
        if changed is not None and books.left_out > before:
            books.miss("hook", "it multiplies, and changes what goes on: call it inside a module", place=self.path)
        return changed

    def end(self, table: dict[int, Any], key: int) -> None:
        """Put the hook back where it stood: in the table, or in what was put around this one since."""
        around = table.get(key)
        if around is self:
            table[key] = self.hook
        while isinstance(around, _Apart):
            if around.hook is self:
                around.hook = self.hook
            around = around.hook


class _Part(NamedTuple):
    """What is known of one of the network's modules."""

    path: str
    module: nn.Module
    kind: NeuronKind | None
    quiet: bool  # a neuron with weights of its own
    multiplies: bool  # a module that multiplies whenever it is called
    sums: bool  # connections around neurons, whose currents arrive beside others
    whole: Any  # of a module that is booked as one thing, whatever operators it is made of

    @classmethod
    def of(cls, path: str, module: nn.Module) -> _Part:
        kind = kind_of(module)
        quiet = kind is not None and has_weights(module)
        multiplies = isinstance(module, _WEIGHTED)
        return cls(
            path, module, kind, quiet, multiplies, isinstance(module, Recurrent | OneToOne), whole_module(module)
        )
