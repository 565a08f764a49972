"""The recorder: listens to the operators that really run, and leaves no trace on the network.

Every operator of any library's module is seen with the tensors it multiplied; module hooks say where in the model it ran
and which modules are neurons. A neuron's inside is not looked at, but for weights of its own: its currents and spikes
say all.
"""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from types import ModuleType
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ..activity import Activity
from ..errors import InputError, SpikeLedgerError, unknown_name
from ..listening import libraries  # noqa: F401  (its rows fill the book of neurons)
from ..listening.ear import Ear, Listener, listen
from ..listening.neurons import NeuronKind, has_weights, kind_of, library_reset
from ..networks.recurrent import OneToOne, Recurrent
from ..torch_private import eager_kernel, hook_tables, in_backward
from .bits import BitWatcher, multiplies_once, product
from .books import Books, Frame, Pooling
from .census import census
from .operators import Operators, whole_module
from .provenance import CONSTANT, INPUT, Origin, Provenance
from .rules import Rule, UserRule, rule_of, rules_for
from .statement import Seen, statement
from .tensors import tensors_in

#: modules that multiply whenever they are called
_WEIGHTED = (nn.Linear, nn.modules.conv._ConvNd, nn.Bilinear, nn.RNNBase, nn.RNNCellBase, nn.MultiheadAttention)
_HIDDEN = "it ran, but its weights were not seen to multiply: a compiled or native kernel hides them"
_STRANGE = (
    "it uses values that this recording did not see being made, in another thread, in numpy or in an extension: compute "
    "them with torch in the thread that calls the network, or keep a constant as a buffer"
)


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
        self.network = network
        self.samples = samples
        self.input = INPUT._replace(unit=1.0) if counts else INPUT
        self.books = Books(pooling, Provenance(network), stranger=self._stranger)
        self.told = False  # whether `record` says where sequences start, so that nobody has to guess
        self.unsure: set[str] = set()  # populations of which nobody knows whether a call goes on or starts anew
        self.seen_samples: dict[str, int] = {}  # rows that arrived at each module that was called from outside
        self.sequences: list[tuple[int, int]] = []  # steps and samples of torch's own recurrent layers
        self._rules = rules
        self._operators = Operators(self.books)
        self._parts = {id(module): _Part.of(name, module) for name, module in network.named_modules()}
        self._rest: dict[str, bool | None] = {}  # neurons that ran in this call of the network, and whether from rest
        self._met: set[str] = set()  # sites that ran in it
        self._sites: dict[str, list[_Site]] = {}
        self._held: set[int] = set()  # storages that the network holds in plain attributes, found when asked for
        self._keywords = False  # whether the call from outside passed its tensors by name
        self._ear: Ear | None = None
        self.bits = BitWatcher(self.books, {key: part.path for key, part in self._parts.items()}, self)

    def new_sequence(self) -> None:
        """The next call starts with other samples, from their first step."""
        self.told = True
        for population in self.books.populations.values():
            population.step = 0

    @property
    def has_neurons(self) -> bool:
        """Whether any neuron was updated so far."""
        return any(population.updates for population in self.books.populations.values())

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
            seen = Seen(self.told, self.seen_samples, self.unsure)
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
        undo = []
        for part in self._parts.values():
            for table in hook_tables(part.module):
                for key, hook in table.items():
                    if not getattr(hook, "__module__", "").startswith("torch."):
                        table[key] = apart = self._unpaid(hook, part.path)
                        undo.append((table, key, hook, apart))
        try:
            yield
        finally:
            for table, key, hook, apart in undo:
                if table.get(key) is apart:
                    table[key] = hook

    def _unpaid(self, hook: Any, path: str) -> Any:
        def apart(*args: Any, **kwargs: Any) -> Any:
            books = self.books
            books.unpaid += 1
            before = books.left_out
            try:
                changed = hook(*args, **kwargs)
            finally:
                books.unpaid -= 1
            if changed is not None and books.left_out > before:
                books.miss("hook", "it multiplies, and changes what goes on: call it inside a module", place=path)
            return changed

        return apart

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
            self._begin(part.path, args)
        if isinstance(module, nn.RNNBase) and args and isinstance(args[0], Tensor) and args[0].dim() == 3:
            shape = args[0].shape
            self.sequences.append((shape[1], shape[0]) if module.batch_first else (shape[0], shape[1]))
        frame = Frame(part.path, module, products=books.products if part.multiplies else -1, sums=part.sums)
        if self._ear is not None and self._ear.hears and not books.quiet:
            kind = part.kind
            if kind is not None:
                if part.path not in self._rest and not self.told:
                    self._rest[part.path] = kind.at_rest(module, args)
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

    def _begin(self, path: str, args: tuple[Any, ...]) -> None:
        """A call from outside: what nobody knows among its arguments is the network's input."""
        self._met.clear()
        self._rest.clear()
        known, found = self.books.know, list(tensors_in(_leaves(args), {}))
        self._keywords = not found
        for value in found:
            if known.origin(value) is None and not known.is_weight(value):
                known.put(value, self.input)
        if found and found[0].dim():
            self.seen_samples[path] = self.seen_samples.get(path, 0) + found[0].shape[0]

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
            self._end(frame.path, output)

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
            if firing.currents is not None:
                books.ask(books.origin(firing.currents if firing.currents is not args[0] else args[0]))
                if part.quiet:  # what arrives goes through weights first
                    firing = firing._replace(currents=None)
            origin = books.know.origin(args[0]) if args else None
            source = origin.source if origin is not None and origin.kind == "currents" else None
            site = self.site(path, tuple(firing.spikes.shape[len(firing.layout) :]), source)
            self.starts(site, path, firing.layout == "B")
            books.fired(site, firing)
            for state in _leaves((output,)):
                if books.know.origin(state) is None:
                    books.know.put(state, Origin("values", path))
        except SpikeLedgerError:
            raise
        except Exception as error:
            reason = f"its spikes could not be read: {type(error).__name__}: {error}"
            books.miss(type(module).__name__, reason, place=path)

    def site(self, path: str, shape: tuple[int, ...], source: str | None) -> str:
        """Which population a call is of: one module used behind two layers, or with two shapes, is two populations."""
        known = self._sites.setdefault(path, [])
        for site in known:
            if site.shape == shape and (source is None or site.source is None or source == site.source):
                return site.name
        name = path if not known else f"{path}@{source}" if source else f"{path}#{len(known) + 1}"
        known.append(_Site(name, shape, source))
        return name

    def starts(self, site: str, path: str, stepwise: bool = False) -> None:
        """A site runs: in a call of the network for the first time, its steps may begin again."""
        if self.told or site in self._met:
            return
        self._met.add(site)
        rest = self._rest.get(path)
        population = self.books.populations.get(site)
        if population is None or rest is False:
            return
        if rest is None and stepwise and population.step == 1:
            self.unsure.add(site)
        population.step = 0

    def _end(self, path: str, output: Any) -> None:
        """A call from outside is over: weights that changed are settled, and what it gives is looked at."""
        with self._deaf():
            for result in tensors_in(_leaves((output,)), {}):
                if path == "" and self._keywords and result.dim():
                    self.seen_samples[path] = self.seen_samples.get(path, 0) + result.shape[0]
                    self._keywords = False
                self._gave(result)
            for account in self.books.synapses.values():
                if account.restless:
                    account.settle(all_of_it=False)

    def _gave(self, output: Tensor) -> None:
        books = self.books
        origin = books.know.origin(output)
        if (origin is None and not books.know.is_weight(output)) or (origin is not None and origin.kind == "unseen"):
            books.miss(type(self.network).__name__, _STRANGE, place="")
        elif origin is not None and origin.kind == "constant" and output.is_floating_point() and output.numel() > 1:
            books.miss(
                type(self.network).__name__, "nothing that was seen leads from its input to what it returns", place=""
            )
        elif origin is not None and origin.suspect and output.is_floating_point():
            graded = origin.kind == "values" and census(output, 1 if output.dim() else 0).inputs == "graded"
            books.ask(None if graded else origin)

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

    def _stranger(self, tensor: Tensor) -> Origin:
        """What a tensor is that nobody saw being made."""
        if not self.books.frames or self._keywords:
            return self.input
        if tensor.dim() == 0 or not (tensor.is_floating_point() or tensor.is_complex()):
            return CONSTANT
        if _storage(tensor) not in self._held:  # perhaps it is held since
            self._held = _storages_of(self.network)
        frozen = isinstance(self.books.frames[-1].module, torch.jit.ScriptModule)  # its constants lie in its program
        if frozen or _storage(tensor) in self._held or _is_global(tensor):
            return CONSTANT
        self.books.miss(type(self.books.frames[-1].module).__name__, _STRANGE)
        return Origin("unseen", self.books.place)


class _Site(NamedTuple):
    """A place where a neuron module is used."""

    name: str
    shape: tuple[int, ...]
    source: str | None  # the layer whose currents arrive there, where they come straight from one


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


def _leaves(values: Any, depth: int = 4) -> list[Any]:
    """The tensors in nested tuples, lists and dictionaries."""
    found: list[Any] = []
    for value in values.values() if isinstance(values, dict) else values:
        if isinstance(value, dict | list | tuple) and depth:
            found += _leaves(value, depth - 1)
        elif isinstance(value, nn.Module):  # kept where torch does not find it
            found += [*nn.Module.parameters(value), *value.buffers()]
        elif isinstance(value, Tensor):
            found.append(value)
    return found


def _storage(tensor: Tensor) -> int:
    try:
        return tensor.untyped_storage().data_ptr()
    except (NotImplementedError, RuntimeError):
        return id(tensor)


def _storages_of(network: nn.Module) -> set[int]:
    """Where the tensors lie that a network's modules hold in their attributes, in lists and dictionaries too."""
    own = ("_modules", "_parameters", "_buffers")
    return {
        _storage(tensor)
        for module in network.modules()
        for tensor in [
            *_leaves({k: v for k, v in module.__dict__.items() if k not in own}),
            *module.buffers(recurse=False),
        ]
    }


def _is_global(tensor: Tensor) -> bool:
    """Whether a tensor stands in a module of Python, a class or a function's closure, as constants do."""
    for holder in gc.get_referrers(tensor):
        if type(holder).__name__ == "cell" or isinstance(holder, type | ModuleType):
            return True
        if isinstance(holder, dict) and "__name__" in holder and "__builtins__" in holder:
            return True
    return False
