"""Plain arguments: what a signature says is a number, a name or a path is one, and is handed on as Python's own.

The annotation is the rule, so that it stands in one place: `seed: int` takes 3, `np.int64(3)` and a tensor of one whole
number, and refuses 3.5, True and "3" by one sentence. What is not plain is left to the function itself.
"""

from __future__ import annotations

import functools
import inspect
import math
import operator
import os
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from .errors import CallError, InputError, of_kind

Function = TypeVar("Function", bound=Callable[..., Any])

#: seeds are what every generator takes: torch's take 64 bits with a sign, numpy's none below 0
MOST_SEEDS = 2**63


def plain(name: str, parameters: Mapping[str, inspect.Parameter], arguments: dict[str, Any]) -> None:
    """Check the plain ones of a call's arguments, and make them Python's own, in place.

    Raises:
        CallError: one is of another kind than its annotation says.
        InputError: a number that is none, or a seed that no generator takes.
    """
    for argument, value in arguments.items():
        parameter = parameters[argument]
        kind = parameter.annotation if isinstance(parameter.annotation, str) else ""
        optional = kind.endswith(" | None") or parameter.default is None
        take = _TAKES.get(kind.removesuffix(" | None"))
        if take is None or (value is None and optional):
            continue
        if parameter.kind is parameter.VAR_POSITIONAL:
            arguments[argument] = tuple(take(f"{name}'s {argument}", one) for one in value)
        elif parameter.kind is not parameter.VAR_KEYWORD:
            arguments[argument] = take(f"{name}'s {argument}", value)
        if argument == "seed" and value is not None and not 0 <= arguments[argument] < MOST_SEEDS:
            raise InputError(f"{name}'s seed is {value}: give a whole number from 0 to below 2^63")


def checked(name: str) -> Callable[[Function], Function]:
    """A function whose plain arguments are checked whoever calls it, under the name that users know it by."""

    def wrap(function: Function) -> Function:
        signature = inspect.signature(function)

        @functools.wraps(function)
        def call(*args: Any, **named: Any) -> Any:
            try:
                bound = signature.bind(*args, **named)
            except TypeError as error:
                raise CallError(f"{name} cannot be called so ({error}): it is {name}{signature_of(signature)}") from None
            plain(name, signature.parameters, bound.arguments)
            return function(*bound.args, **bound.kwargs)

        return call  # type: ignore[return-value]

    return wrap


def signature_of(signature: inspect.Signature) -> str:
    """The names that a call takes, without their kinds: `(*widths, neuron=, timesteps=)`."""
    forms = {inspect.Parameter.VAR_POSITIONAL: "*{}", inspect.Parameter.KEYWORD_ONLY: "{}="}
    told = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
    return f"({', '.join(forms.get(p.kind, '{}').format(p.name) for p in told)})"


def _given(what: str, value: Any, wanted: str) -> CallError:
    shown = repr(value) if isinstance(value, str | bytes | bool | int | float) else of_kind(value)
    return CallError(f"{what} is {shown:.80}: give {wanted}")


def _whole(what: str, value: Any) -> int:
    try:
        if isinstance(value, bool):
            raise TypeError
        return operator.index(value)
    except (TypeError, ValueError, RuntimeError):
        raise _given(what, value, "a whole number, such as 5") from None


def _number(what: str, value: Any) -> float:
    try:
        if isinstance(value, bool | str | bytes):
            raise TypeError
        found = float(value)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        raise _given(what, value, "a number") from None
    if not math.isfinite(found):
        raise InputError(f"{what} is {found}: give a finite number")
    return value if type(value) is int else found


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


_TAKES: dict[str, Callable[[str, Any], Any]] = {
    "int": _whole, "float": _number, "bool": _switch, "str": _name,
    "str | os.PathLike[str]": _path, "str | Path": _path,
}  # fmt: skip
