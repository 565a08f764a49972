"""A call of the network from outside, and the sites of its neurons: samples, steps, and what nobody saw being made."""

from __future__ import annotations

import gc
from types import CellType, FunctionType, ModuleType
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ..listening.neurons import NeuronKind
from ..torch_private import unwrapped
from .books import STRANGE, Books
from .census import census
from .origins import CONSTANT, Origin


class Calls:
    """The calls of one network: where samples and steps begin, and which population each call of a neuron is of."""

    def __init__(self, network: nn.Module, books: Books, input_: Origin) -> None:
        self.network = network
        self.books = books
        self.input = input_
        self.told = False  # whether `record` says where sequences start, so that nobody has to guess
        self.unsure: set[str] = set()  # populations of which nobody knows whether a call goes on or starts anew
        self.rows: dict[str, int] = {}  # that arrived at each module that was called from outside
        self.sequences: list[tuple[int, int]] = []  # steps and samples of torch's own recurrent layers
        self._rest: dict[str, bool | None] = {}  # neurons that ran in this call of the network, and whether from rest
        self._met: set[str] = set()  # sites that ran in it
        self._sites: dict[str, list[_Site]] = {}
        self._held: set[int] = set()  # storages that the network holds in plain attributes, found when asked for
        self._sizes: set[int] = set()  # of the first axes of what this call of the network was given
        self._keywords = False  # whether the call from outside passed its tensors by name

    def begin(self, path: str, args: tuple[Any, ...]) -> None:
        """A call from outside: what nobody knows among its arguments is the network's input."""
        self._met.clear()
        self._rest.clear()
        known, found = self.books.know, leaves(args)
        self._keywords = not found
        self._sizes = {size for size in (found[0].shape[:2] if found else ()) if size > 1}
        for value in found:
            if known.origin(value) is None and not known.is_weight(value):
                known.put(value, self.input)
        if found and found[0].dim():
            self.rows[path] = self.rows.get(path, 0) + found[0].shape[0]

    def began(self, path: str, kind: NeuronKind, module: nn.Module, args: tuple[Any, ...]) -> None:
        """Neurons are called: whether they start from rest is asked before they run."""
        if path not in self._rest and not self.told:
            self._rest[path] = kind.at_rest(module, args)

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

    def end(self, path: str, output: Any) -> None:
        """A call from outside is over: weights that changed are settled, and what it gives is looked at."""
        for result in leaves((output,)):
            if path == "" and self._keywords and result.dim():
                self.rows[path] = self.rows.get(path, 0) + result.shape[0]
                self._keywords = False
            self._gave(result)
        for account in self.books.synapses.values():
            if account.restless:
                account.settle(all_of_it=False)

    def _gave(self, output: Tensor) -> None:
        books = self.books
        origin = books.know.origin(output)
        if (origin is None and not books.know.is_weight(output)) or (origin is not None and origin.kind == "unseen"):
            books.miss(type(self.network).__name__, STRANGE, place="")
        elif origin is not None and origin.kind == "constant" and output.is_floating_point() and output.numel() > 1:
            books.miss(
                type(self.network).__name__, "nothing that was seen leads from its input to what it returns", place=""
            )
        elif origin is not None and origin.suspect and output.is_floating_point():
            graded = origin.kind == "values" and census(output, 1 if output.dim() else 0).inputs == "graded"
            books.ask(None if graded else origin)

    def fresh(self, tensor: Tensor) -> Origin:
        """What numbers of Python or numpy are: a constant, or, as long as a batch or a sequence, perhaps made of one."""
        if self.books.frames and tensor.dim() > 1 and tensor.is_floating_point() and tensor.shape[0] in self._sizes:
            self.books.unmet[self.books.place] = type(
                self.books.frames[-1].module
            ).__name__  # named if anything uses it
            return Origin("unseen", self.books.place)
        return CONSTANT

    def stranger(self, tensor: Tensor) -> Origin:
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
        self.books.miss(type(self.books.frames[-1].module).__name__, STRANGE)
        return Origin("unseen", self.books.place)


class _Site(NamedTuple):
    """A place where a neuron module is used."""

    name: str
    shape: tuple[int, ...]
    source: str | None  # the layer whose currents arrive there, where they come straight from one


def leaves(values: Any, depth: int = 4) -> list[Tensor]:
    """The tensors in nested tuples, lists and dictionaries."""
    found: list[Tensor] = []
    for value in values.values() if isinstance(values, dict) else values:
        if isinstance(value, Tensor):
            found.append(unwrapped(value))
        elif isinstance(value, dict | list | tuple) and depth:
            found += leaves(value, depth - 1)
        elif isinstance(value, nn.Module):  # kept where torch does not find it
            found += [*nn.Module.parameters(value), *value.buffers()]
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
        for module in nn.Module.modules(network)
        for tensor in [
            *leaves({k: v for k, v in module.__dict__.items() if k not in own}),
            *module.buffers(recurse=False),
        ]
    }


def _is_global(tensor: Tensor) -> bool:
    """Whether a tensor stands in a module of Python, a class or a function's closure, as constants do."""
    for holder in gc.get_referrers(tensor):
        if isinstance(holder, type | ModuleType) or (isinstance(holder, CellType) and _of_a_user(holder)):
            return True
        if isinstance(holder, dict) and "__name__" in holder and "__builtins__" in holder:
            return True
    return False


def _of_a_user(cell: CellType) -> bool:
    """Whether a closure's cell is of a function that is not this package's own."""
    closures = [each for each in gc.get_referrers(cell) if isinstance(each, tuple)]
    functions = [each for each in gc.get_referrers(*closures) if isinstance(each, FunctionType)] if closures else []
    return any(not each.__module__.startswith("spikeledger") for each in functions)
