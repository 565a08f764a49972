"""Which modules are neurons, and how one call of them is read: the words; the libraries' rows are in `libraries`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeVar

import torch
from torch import Tensor, nn

from ..errors import InputError, unknown_name

Layout = Literal["B", "TB", "BT"]
LAYOUTS: tuple[Layout, ...] = ("B", "TB", "BT")
#: of a declared neuron; in `BNT` time comes last
DECLARED = (*LAYOUTS, "BNT")


class Firing(NamedTuple):
    """What one call of a neuron module did: values sent and currents, both of one layout.

    An encoder has no currents and no updates. `unit` is the size of one spike where a neuron may send several at once.
    """

    sent: Tensor  # the tensor that the module returned, whose origin this is
    spikes: Tensor  # the same, in this layout
    currents: Tensor | None
    layout: str = "TB"
    state_variables: int = 1
    spiking: bool = True  # False: a leaky read-out, which sends its membrane
    updates: bool = True  # False: an encoder
    unit: float | None = None
    graded: bool = False  # its spikes carry values of several sizes

    @property
    def extent(self) -> tuple[int, int]:
        """Steps and samples."""
        shape = self.spikes.shape
        if self.layout == "B":
            return 1, shape[0]
        return (shape[0], shape[1]) if self.layout == "TB" else (shape[1], shape[0])


@dataclass(frozen=True)
class NeuronKind:
    """How a class of modules is read.

    `at_rest(module, args)`, asked before a call, says whether it starts a new sequence; None: unknown.
    """

    read: Callable[[nn.Module, tuple[Any, ...], Any], Firing]
    at_rest: Callable[[nn.Module, tuple[Any, ...]], bool | None] = lambda module, args: None
    to_rest: Callable[[nn.Module], None] = lambda module: None
    resets: Callable[[nn.Module], bool] = lambda module: True  # whether `to_rest` knows how
    encodes: bool = False  # an encoder, which sends spikes but has no neurons to update
    #: its constants for a chip, or why it has none (words behind "and"); None: nobody said
    chip: Callable[[Any], dict[str, Any] | str] | str | None = None


def firing(
    out: Tensor, current: Any, layout: str, *, state_variables: int = 1, spiking: bool = True, unit: float | None = None,
    graded: bool = False,
) -> Firing:  # fmt: skip
    """The reading of a neuron with one current and one output of the same layout."""
    currents = current if isinstance(current, Tensor) else None
    return Firing(out, out, currents, layout, state_variables, spiking, True, unit, graded)


def first(output: Any) -> Tensor:
    """The spikes of an output that may be `spikes` or `(spikes, state, ...)`."""
    found = output[0] if isinstance(output, tuple | list) else output
    if not isinstance(found, Tensor):
        raise InputError(f"a neuron returned {type(found).__name__}, but its spikes must be a tensor")
    return found


#: (package, class) -> how to read one call; a subclass is found by its base
NEURONS: dict[tuple[str, str], NeuronKind] = {}
#: classes declared by users
_DECLARED: dict[type[nn.Module], NeuronKind | None] = {}

Kind = TypeVar("Kind", bound=type[nn.Module])


def declare_neuron(
    kind: Kind, *, layout: str = "B", state_variables: int = 1, spiking: bool = True, unit: float | None = None,
    current: int = 0, spikes: int | str = 0, reset: str | Callable[[Any], object] | None = None,
    chip: Callable[[Any], dict[str, Any] | str] | str | None = None, graded: bool = False,
) -> Kind:  # fmt: skip
    """Say that a module class is a population of neurons: `sl.counting.declare_neuron(MyLIF, layout="TB", reset="reset")`.

    Args:
        kind: the class; its subclasses are neurons too.
        layout: leading axes of currents and spikes: `B` (one step a call), `TB` or `BT` (all steps in one call), or
            `BNT` (all steps in one call, time last).
        state_variables: what one neuron keeps from step to step.
        spiking: False for a read-out whose output is its membrane.
        unit: size of one spike, if a neuron may send several in a step (the output is then a multiple of it).
        current: which argument the input current is, by position.
        spikes: where the spikes are in what it returns: by position in a tuple, or by name in a dictionary.
        reset: the name of its method, or a function of the module, that brings it to rest; by default `reset`,
            `reset_state`, `reset_states` or `reset_mem`, where it has one.
        chip: a function of the module that gives its constants for a chip, as of `mapping.mapped.Population`: `beta`,
            `threshold` and `reset`, and, where it has any, `reset_delay`, `refractory`, `alpha`, `rho`, `strength`; or
            why it has none, in words behind "and".
        graded: True if each spike carries a value (graded spikes, sigma-delta): the layers behind it multiply.

    Raises:
        InputError: no class of modules, an unknown layout, or both a `unit` and `graded`.
    """
    if not (isinstance(kind, type) and issubclass(kind, nn.Module)):
        raise InputError(f"only a class of torch modules can be declared a neuron, not {kind!r}")
    if layout not in DECLARED:
        raise unknown_name("layout", str(layout), DECLARED)
    if graded and unit is not None:
        raise InputError(
            f"{kind.__name__} was declared with unit={unit} and graded=True: say unit=... where a value is a number of "
            "spikes, graded=True where one spike carries a value"
        )
    if isinstance(reset, str) and not hasattr(kind, reset):
        raise InputError(f"{kind.__name__} has no method '{reset}' that brings it to rest")

    def read(module: nn.Module, args: tuple[Any, ...], output: Any) -> Firing:
        arrives = args[current] if current < len(args) else None
        sent: Any = output
        if isinstance(output, dict | tuple | list):
            parts: Any = output
            sent = parts[spikes]
        if not isinstance(sent, Tensor):
            raise InputError(f"a neuron returned {type(sent).__name__}, but its spikes must be a tensor")
        if layout != "BNT":
            return firing(
                sent, arrives, layout, state_variables=state_variables, spiking=spiking, unit=unit, graded=graded
            )
        currents = arrives.movedim(-1, 0) if isinstance(arrives, Tensor) else None
        return Firing(sent, sent.movedim(-1, 0), currents, "TB", state_variables, spiking, True, unit, graded)

    def method(module: nn.Module) -> Any:
        if callable(reset):
            return lambda: reset(module)
        names = (reset,) if reset else ("reset", "reset_state", "reset_states", "reset_mem")
        return next((getattr(module, name) for name in names if callable(getattr(module, name, None))), None)

    def to_rest(module: nn.Module) -> None:
        found = method(module)
        if found is not None:
            found()

    _DECLARED[kind] = NeuronKind(read, to_rest=to_rest, resets=lambda module: method(module) is not None, chip=chip)
    return kind


def neuron(kind: Any = None, **options: Any) -> Any:
    """`@sl.neuron`, or `@sl.neuron(layout="TB")`: the decorator form of `declare_neuron`."""
    return declare_neuron(kind, **options) if kind is not None else lambda found: declare_neuron(found, **options)


def not_a_neuron(kind: Kind) -> Kind:
    """Say that a module class whose output is 0 and 1 is no neuron (a mask, a gate), so that nobody asks about it."""
    if not (isinstance(kind, type) and issubclass(kind, nn.Module)):
        raise InputError(f"only a class of torch modules can be declared, not {kind!r}")
    _DECLARED[kind] = None
    return kind


def kind_of(module: nn.Module) -> NeuronKind | None:
    """How to read a module that sends spikes; None for any other module."""
    return _find(type(module))[0]


def is_declared(module: nn.Module) -> bool:
    """Whether somebody said what a module's class is, be it that it is no neuron."""
    return _find(type(module))[1]


def is_declared_by_user(module: nn.Module) -> bool:
    """Whether a module's class was declared with `@sl.neuron`, and is none of a known library."""
    return any(base in _DECLARED for base in type(module).__mro__)


def is_neuron(module: nn.Module) -> bool:
    """Whether a module is a population of neurons (an encoder, which has none, is not)."""
    found = kind_of(module)
    return found is not None and not found.encodes


def has_weights(module: nn.Module) -> bool:
    """Whether a neuron multiplies by weights of its own (recurrent connections), so that its inside matters."""
    parts = [part for name, part in nn.Module.named_modules(module) if name]
    # asked of torch's own class, for some libraries have a `parameters` of another meaning
    return any(tensor.dim() >= 2 for tensor in nn.Module.parameters(module)) or any(
        True for part in parts for _ in nn.Module.parameters(part)
    )


def _find(kind: type) -> tuple[NeuronKind | None, bool]:
    for base in kind.__mro__:
        if base in _DECLARED:
            return _DECLARED[base], True
        found = NEURONS.get((base.__module__.partition(".")[0], base.__qualname__))
        if found is not None:
            return found, True
    return None, False


#: (package, class) of modules that keep a state and are no neurons -> the method that brings them to rest
MEMORIES: dict[tuple[str, str], str] = {}


def library_reset(module: nn.Module) -> Callable[[], object] | None:
    """What brings a module that keeps a state to rest, if its library is known; None for any other."""
    for base in type(module).__mro__:
        name = MEMORIES.get((base.__module__.partition(".")[0], base.__qualname__))
        if name is not None:
            found: Callable[[], object] | None = getattr(module, name, None)
            return found
    return None


def to_rest(network: nn.Module) -> None:
    """Bring every module that keeps a state between calls to rest, as its library or its declaration does it."""
    for module in nn.Module.modules(network):
        kind = kind_of(module)
        reset = library_reset(module) if kind is None else None
        if kind is not None:
            kind.to_rest(module)
        elif reset is not None:
            reset()


def encoder(layout: Layout) -> NeuronKind:
    """A row for encoders: they send spikes but have no neurons to update."""

    def read(module: nn.Module, args: tuple[Any, ...], output: Any) -> Firing:
        out = first(output)
        return Firing(out, out, None, layout, 0, True, False)

    return NeuronKind(read, encodes=True)


def silent(*states: Any) -> bool | None:
    """Whether states are at rest: nothing there yet, or zeros; None if nothing is known of them."""
    tensors = [state for state in states if isinstance(state, Tensor)]
    if not tensors:
        return None
    return all(state.numel() == 0 or not bool(torch.any(state != 0)) for state in tensors)
