"""Calls: the field's words for an argument become ours, and what a signature says is a number, a name or a path is one.

The annotation is the rule, so that it stands in one place: `seed: int` takes 3, `np.int64(3)` and a tensor of one whole
number, and refuses 3.5, True and "3" by one sentence. What is not plain is left to the function itself.
"""

from __future__ import annotations

import difflib
import functools
import inspect
import math
import operator
import os
import re
import sys
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeVar, get_args, get_origin

from .errors import CallError, InputError, a_kind, no_room, of_kind

Function = TypeVar("Function", bound=Callable[..., Any])
#: what makes of `(what it is, a value)` the value that a function takes
Take = Callable[[str, Any], Any]

#: seeds are what every generator takes: torch's take 64 bits with a sign, numpy's none below 0
MOST_SEEDS = 2**63
_MOST = 2**63
#: rooms that people call by their own names, `sl.nef.solve`
_ROOMS = ("nef", "plasticity", "outlook", "losses", "zoo", "surrogates", "datasets")
_SELF = ("self", "cls")

#: words of the field -> ours, tried where the function has ours
WORDS: dict[str, tuple[str, ...]] = {
    "lr": ("learning_rate",), "T": ("timesteps",), "num_steps": ("timesteps",), "n_steps": ("timesteps",),
    "steps": ("timesteps",), "time_steps": ("timesteps",), "time_window": ("timesteps",), "n_epochs": ("epochs",),
    "num_epochs": ("epochs",), "bs": ("batch_size",), "batchsize": ("batch_size",), "batch": ("batch_size",),
    "n_samples": ("samples",), "num_samples": ("samples",), "criterion": ("loss",), "loss_fn": ("loss",),
    "dataset": ("data",), "model": ("network",), "net": ("network",), "x": ("inputs", "data"),
    "y": ("labels",), "targets": ("labels",), "hardware": ("profile", "profiles", "device"), "chip": ("device",),
    "devices": ("profiles",), "device": ("profile", "profiles"),
    "amount": ("fraction",), "sparsity": ("fraction",),
    "random_state": ("seed",), "callbacks": ("callback",), "exclude": ("leave_out",), "skip": ("leave_out",),
}  # fmt: skip
#: what an argument that there is none of is answered with
ANSWERS: dict[str, str] = {
    "device": "networks run where their weights are: move them first, network.to('cuda')",
    **dict.fromkeys(
        ("tau", "tau_mem", "tau_m"),
        "say the decay of a step, beta=math.exp(-dt / tau), or use LIF.from_tau(tau_seconds, dt_seconds)",
    ),
    **dict.fromkeys(("v_threshold", "v_th", "thr", "theta", "spike_threshold"), "say threshold="),
    "optimizer": "training uses Adam under one cycle of the rate: say learning_rate=, or write your own loop",
    "optimiser": "training uses Adam under one cycle of the rate: say learning_rate=, or write your own loop",
    "shuffle": "the order of the samples is drawn with seed=",
    "T": "a network has its steps: build it with them, sl.zoo.mlp(..., timesteps=10)",
    "timesteps": "a network has its steps: build it with them, sl.zoo.mlp(..., timesteps=10)",
    "samples": "give fewer of them: data.subset(train=1000, test=200), or inputs[:100]",
    "batch_size": "what runs a network takes batch_size=: sl.fit, sl.record, sl.evaluate, sl.compare",
    "learning_rate": "sl.fit takes learning_rate=",
    "epochs": "sl.fit takes epochs=",
    "placement": "give the placement in place of the network: it has its network and its device",
}


def bound(
    name: str,
    signature: inspect.Signature,
    args: tuple[Any, ...],
    named: dict[str, Any],
    takes: Mapping[str, Take],
) -> inspect.BoundArguments:
    """The arguments of a call by their names, each as what `takes` it makes of it: plain ones are Python's own then.

    Raises:
        CallError: an argument is missing, unknown or of another kind than its annotation says.
        InputError: a number that is none, or a seed that no generator takes.
    """
    parameters = signature.parameters
    for word in [word for word in named if word not in parameters and word in WORDS]:
        if word == "device" and _of_torch(named[word]):
            continue
        ours = next((one for one in WORDS[word] if one in parameters and one not in named), None)
        if ours is not None:
            named[ours] = named.pop(word)
            continue
        same = next((one for one in WORDS[word] if one in parameters), None)
        if same is not None:
            raise CallError(f"{name} was given both {same} and {word}, which are one thing to it: say {same} alone")
    try:
        found = signature.bind(*args, **named)
    except TypeError as error:
        raise _cannot_be(name, parameters, args, named, error) from None
    if any(one.kind is one.VAR_KEYWORD for one in parameters.values()):
        for word in ANSWERS:
            if word in found.kwargs and word not in parameters:
                raise CallError(f"{name} has no argument '{word}': {ANSWERS[word]}")
    for argument, value in found.arguments.items():
        found.arguments[argument] = _plain(f"{name}'s {argument}", parameters[argument], value, takes.get(argument))
    return found


def takes_of(signature: inspect.Signature, kinds: Mapping[str, Any]) -> dict[str, Take]:
    """What takes each argument, by its annotation; `kinds` are the classes and aliases that annotations name."""
    found = {
        name: _take(one.annotation.removesuffix(" | None"), kinds)
        for name, one in signature.parameters.items()
        if isinstance(one.annotation, str) and one.kind is not one.VAR_KEYWORD
    }
    return {name: take for name, take in found.items() if take is not None}


def _plain(what: str, parameter: inspect.Parameter, value: Any, take: Take | None) -> Any:
    if take is None or (value is None and (parameter.default is None or parameter.annotation.endswith(" | None"))):
        return value
    if parameter.kind is parameter.VAR_POSITIONAL:
        return tuple(take(what, one) for one in value)
    found = take(what, value)
    if parameter.name == "seed" and not 0 <= found < MOST_SEEDS:
        raise InputError(f"{what} is {value}: give a whole number from 0 to below 2^63")
    return found


def checked(function: Function) -> Function:
    """A function, a method, or what makes a class's objects, whose calls are `bound` whoever makes them."""
    if isinstance(function, type):
        function.__init__ = checked(function.__init__)  # type: ignore[misc]
        return function
    signature = inspect.signature(function)
    made, method = function.__name__ == "__init__", next(iter(signature.parameters), "") in _SELF
    room = next((f"{one}." for one in function.__module__.split(".") if one in _ROOMS), "")
    said = function.__qualname__ if method else f"sl.{room}{function.__name__}"

    @functools.cache
    def takes() -> dict[str, Take]:  # when it is first called: classes that stand further down are known then
        return takes_of(signature, vars(sys.modules[function.__module__]))

    @functools.wraps(function)
    def call(*args: Any, **named: Any) -> Any:
        found = bound(type(args[0]).__name__ if made else said, signature, args, named, takes())
        return within_memory(function, found)

    return call  # type: ignore[return-value]


def within_memory(function: Callable[..., Any], found: inspect.BoundArguments) -> Any:
    """What the function answers; where numbers were asked for that no memory holds, the sentence that says so."""
    try:
        return function(*found.args, **found.kwargs)
    except (MemoryError, OverflowError, RuntimeError, ValueError) as error:
        said = no_room(error)
        if said is None:
            raise
        raise said from None


def _of_torch(value: Any) -> bool:
    """Whether a device is one to compute on, and not one to price."""
    return not isinstance(value, str) or value.split(":")[0] in ("cpu", "cuda", "mps", "xpu", "gpu", "auto")


def _cannot_be(
    name: str, parameters: Mapping[str, Any], args: tuple[Any, ...], named: Mapping[str, Any], error: TypeError
) -> CallError:
    ours = [key for key, one in parameters.items() if key not in _SELF and one.kind is not one.VAR_KEYWORD]
    needed = [
        key for key in ours if parameters[key].default is inspect.Parameter.empty and parameters[key].kind in (0, 1)
    ]
    form = f"{name}({', '.join(needed)}{', ...' if len(ours) > len(needed) else ''})"
    for word in named:
        if word in parameters:
            continue
        near = difflib.get_close_matches(word, ours, n=1, cutoff=0.6)
        answer = next((ANSWERS[one] for one in (word, *WORDS.get(word, ())) if one in ANSWERS), "")
        hint = answer or (f"did you mean '{near[0]}'?" if near else f"it has {', '.join(ours)}")
        return CallError(f"{name} has no argument '{word}': {hint}")
    missing = [key for key in needed[len(args) - (next(iter(parameters), "") in _SELF) :] if key not in named]
    if missing:
        return CallError(f"{name} was called without {' and '.join(missing)}: call {form}{_example(name, missing)}")
    return CallError(f"{name} cannot be called so ({error}): call {form}")


def _example(name: str, missing: list[str]) -> str:
    if "profile" in missing:
        return ", with a device such as 'loihi' (sl.list_profiles() names them)"
    return ", with a data set such as sl.load_dataset('digits')" if "data" in missing else ""


def a_tensor(who: object, value: Any) -> Any:
    """A dense tensor, as it is; what is none meets one sentence before torch meets it."""
    name = who if isinstance(who, str) else type(who).__name__
    if not hasattr(value, "dim"):
        raise CallError(f"{name} takes a tensor, and was given {of_kind(value)}: torch.as_tensor(...) makes one")
    if getattr(value, "is_sparse", False) is True:
        raise CallError(f"{name} takes a dense tensor, and was given a sparse one: x.to_dense() makes one")
    return value


def _given(what: str, value: Any, wanted: str) -> CallError:
    shown = repr(value) if isinstance(value, str | bytes | bool | int | float) else of_kind(value)
    return CallError(f"{what} is {shown:.80}: give {wanted}")


def _whole(what: str, value: Any) -> int:
    try:
        if isinstance(value, bool):
            raise TypeError
        found = operator.index(value)
    except (TypeError, ValueError, RuntimeError):
        raise _given(what, value, "a whole number, such as 5") from None
    if not -_MOST <= found < _MOST:
        raise InputError(f"{what} is {found:.3g}: give a whole number from -2^63 to below 2^63")
    return found


def _number(what: str, value: Any) -> float:
    try:
        if isinstance(value, bool | str | bytes):
            raise TypeError
        found = float(value)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        raise _given(what, value, "a number") from None
    if not math.isfinite(found):
        raise InputError(f"{what} is {found}: give a finite number")
    return value if type(value) is int and abs(value) < _MOST else found


def _switch(what: str, value: Any) -> bool:
    if not isinstance(value, bool) and type(value).__name__ not in ("bool", "bool_"):  # numpy's own, without numpy
        raise _given(what, value, "True or False")
    return bool(value)


def _name(what: str, value: Any) -> str:
    if not isinstance(value, str):
        raise _given(what, value, "a name, as text")
    return value


def _path(what: str, value: Any) -> Any:
    if not isinstance(value, str | os.PathLike) or isinstance(os.fspath(value), bytes):
        raise _given(what, value, "a path, as text or pathlib.Path")
    return value


def _array(what: str, value: Any) -> Any:
    """What numpy takes for numbers, as an array of them."""
    import numpy as np

    try:
        found = np.asarray(value)
    except (TypeError, ValueError, RuntimeError):
        found = np.asarray(None)
    if found.dtype.kind not in "biuf":
        raise _given(what, value, "numbers, as an array or a list")
    return found


#: how one of a kind is had
_MADE = {
    "Fit": "sl.fit(network, data)", "Activity": "sl.record(network, data)", "Ledger": "sl.price(activity, 'loihi')",
    "PairRule": "sl.plasticity.PairRule()",
    "Pruning": "sl.learning.Pruning(0.8)", "DiehlCook": "sl.plasticity.DiehlCook.random(400)",
    "Population": "sl.nef.population(100)", "Neuron": "sl.neurons.LIF()",
}  # fmt: skip


def _one_of(kind: type) -> Take:
    def take(what: str, value: Any) -> Any:
        if not isinstance(value, kind):
            made = f", such as {_MADE[kind.__name__]}" if kind.__name__ in _MADE else ""
            raise _given(what, value, a_kind(kind) + made + (", and not the class" if isinstance(value, type) else ""))
        return value

    return take


def _any_of(takes: list[Take]) -> Take:
    def take(what: str, value: Any) -> Any:
        wanted = []
        for one in takes:
            try:
                return one(what, value)
            except CallError as error:
                wanted.append(str(error).rpartition(": give ")[2])
        raise _given(what, value, " or ".join(wanted))

    return take


def _take(kind: str, kinds: Mapping[str, Any]) -> Take | None:
    """What takes a value of an annotation, or None where the function looks at it itself."""
    ours = kinds.get(kind)
    if kind in _TAKES or ours is object:
        return _TAKES.get(kind)
    parts = re.split(r" \| (?![^\[]*\])", kind)
    if len(parts) > 1:
        takes = [_take(one, kinds) for one in parts]
        return _any_of([one for one in takes if one is not None]) if all(takes) else None
    if isinstance(ours, type) and ours.__module__.split(".")[0] == __package__:
        return _one_of(ours)
    if kind.startswith("NDArray[") or kind in ("ArrayLike", "Values"):
        return _array
    if kind.startswith("Callable[") or get_origin(ours) is Callable:
        return _callable
    if kind.startswith("Literal[") or (
        get_origin(ours) is Literal and all(isinstance(one, str) for one in get_args(ours))
    ):
        return _name  # which names there are, and which is near, the function says
    several = re.fullmatch(r"(?:Iterable|Sequence)\[(.+)\]", kind)
    if several:
        return _several(_take(several[1], kinds) or _as_it_is, f"several, in a list: {several[1]}")
    named = re.fullmatch(r"Mapping\[str, (.+)\]", kind)
    if named:
        return _mapping(f"a dict by name: {kind}", of=_take(named[1], kinds))
    return _mapping(f"a dict: {kind}") if kind.startswith("Mapping[") else None


def _as_it_is(what: str, value: Any) -> Any:
    return value


def _or_tensor(what: str, value: Any) -> Any:
    """A number, or an array of them, which is looked at where it is used."""
    if isinstance(value, list | tuple):
        _array(what, value)
        return value
    return value if hasattr(value, "ndim") else _number(what, value)


def _or_delays(what: str, value: Any) -> Any:
    """A whole number, or an array or a list of them."""
    if isinstance(value, list | tuple):
        _array(what, value)
        return value
    return value if hasattr(value, "ndim") else _whole(what, value)


def _callable(what: str, value: Any) -> Any:
    if not callable(value):
        raise _given(what, value, "a function")
    return value


def _several(take: Take, wanted: str, *, text: bool = False, whole: int | None = None) -> Take:
    """Each of several; `text` alone may stand for itself, and there are `whole` of them where that is said."""

    def each(what: str, value: Any) -> Any:
        if text and isinstance(value, str):
            return value
        try:
            if isinstance(value, str | bytes):
                raise TypeError
            parts = list(value)
        except TypeError:
            raise _given(what, value, wanted) from None
        found = tuple(take(f"one of {what}", one) for one in parts)
        if whole is not None and len(found) != whole:
            raise _given(what, value, wanted)
        return found

    return each


def _mapping(wanted: str, *, alone: Take | None = None, of: Take | None = None) -> Take:
    def take(what: str, value: Any) -> Any:
        if isinstance(value, Mapping):
            return value if of is None else {key: of(f"{what}[{key!r}]", one) for key, one in value.items()}
        if alone is None:
            raise _given(what, value, wanted)
        return alone(what, value)

    return take


_TAKES: dict[str, Take] = {
    "int": _whole, "float": _number, "bool": _switch, "str": _name, "float | Tensor": _or_tensor,
    "int | Tensor": _or_delays,
    "tuple[int, int]": _several(_whole, "two whole numbers, such as (0, 8)", whole=2),
    "tuple[str, str]": _several(_name, "two names, such as ('ANN', 'SNN')", whole=2),
    "Iterable[str]": _several(_name, "names, such as ['spike']", text=True),
    "Sequence[str]": _several(_name, "names, such as ['spike']", text=True),
    "Sequence[float]": _several(_number, "numbers, such as [0.1, 0.2]"),
    "tuple[str, ...] | list[str]": _several(_name, "names, such as ['fc1']"),
    "Sequence[tuple[int, int]]": _several(
        _several(_whole, "two whole numbers, such as (784, 10)", whole=2), "pairs of whole numbers, such as [(784, 10)]"
    ),
    "Sequence[int]": _several(_whole, "whole numbers, such as [1, 28, 28]"),
    "Sequence[Count]": _several(_as_it_is, "counts, one a layer"),
    "tuple[float, float]": _several(_number, "two numbers, such as (0.1, 0.9)", whole=2),
    "float | Mapping[str, float]": _mapping("", alone=_number, of=_number),
    "Mapping[str, Sequence[float]]": _mapping(
        "a dict of numbers by name", of=_several(_number, "numbers, such as [0.1, 0.2]")
    ),
    "Mapping[str, str | HardwareProfile]": _mapping("a dict of devices by layer, such as {'fc1': 'v100'}"),
    "Mapping[str, str | UserRule]": _mapping("a dict of rules by operator"),
    "Mapping[str, Mapping[str, Count]]": _mapping("a dict by layer of counts by event, {'fc1': {'spike': 120}}"),
    "str | os.PathLike[str]": _path, "os.PathLike[str]": _path, "str | Path": _path, "Path": _path,
}  # fmt: skip
