"""The public face: how a name of the package takes what users have, and answers what it cannot take.

Rooms are strict. What comes in by `sl.` goes through here once: the field's words for an argument become ours, a file, a
name, a loader or a pair becomes what the function works on, and a call that cannot be is one sentence, never a traceback.
"""

from __future__ import annotations

import difflib
import functools
import importlib
import inspect
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from types import FunctionType, MappingProxyType
from typing import Any

from .arguments import bound, takes_of, within_memory
from .errors import CallError, InputError, UnknownAttribute, of_kind

_PACKAGE = __name__.partition(".")[0]
_FILES = (str, os.PathLike)
#: decorators and context managers, which take what Python gives them
_AS_THEY_ARE = frozenset(["neuron", "declare_neuron", "not_a_neuron", "rule", "recording", "metered", "backend"])


def door(
    where: str,
    homes: Mapping[str, tuple[str, str]],
    *,
    groups: Sequence[str] = (),
    otherwise: Mapping[str, str] = MappingProxyType({}),
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """`__getattr__`, `__dir__` and `__all__` of a module that imports each name when it is first used.

    Args:
        where: the module.
        homes: public name -> the module that holds it, and its name there; an empty one is the module itself.
        groups: doors whose names open here too.
        otherwise: words that others use -> what is said here, for the error.
    """
    group = where.partition(".")[2]
    said = f"sl.{group}." if group else "sl."

    def get(name: str) -> Any:
        grouped = {} if name in homes or name.startswith("_") else inside(groups)
        if name in grouped:
            value = getattr(importlib.import_module(f".{grouped[name]}", _PACKAGE), name)
        elif name in homes:
            module, attribute = homes[name]
            found = importlib.import_module(f".{module}", _PACKAGE)
            value = getattr(found, attribute) if attribute else found
            if isinstance(value, FunctionType) and attribute not in _AS_THEY_ARE:
                value = public(f"{said[3:]}{attribute}", value)
        else:
            near = otherwise.get(name) or next(iter(difflib.get_close_matches(name, [*homes, *grouped], 1, 0.7)), "")
            near = f"{grouped[near]}.{near}" if near in grouped else near
            hint = f": it has {', '.join(homes)}" if group else ""
            hint = f": try {near if '(' in near else f'{said}{near}'}" if near else hint
            raise UnknownAttribute(f"module '{where}' has no attribute '{name}'{hint}")
        setattr(sys.modules[where], name, value)
        return value

    return get, lambda: sorted(homes), [*homes, *["__version__"] * (not group)]


def inside(groups: Sequence[str]) -> dict[str, str]:
    """Each name of some groups, and its group."""
    return {name: group for group in groups for name in importlib.import_module(f".{group}", _PACKAGE).__all__}


def public(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """A function as the package offers it, under the name `sl.name`."""
    signature = inspect.signature(function)
    takes = {
        argument: _TAKES.get((name, argument)) or _BY_KIND.get(str(one.annotation).removesuffix(" | None"))
        for argument, one in signature.parameters.items()
    }
    # what the face takes by itself is anything to the rest
    plain = takes_of(signature, {**vars(sys.modules[function.__module__]), **dict.fromkeys(_BY_KIND, object)})
    optional = {
        key for key, one in signature.parameters.items() if one.default is None or "None" in str(one.annotation)
    }

    @functools.wraps(function)
    def call(*args: Any, **named: Any) -> Any:
        found = bound(f"sl.{name}", signature, args, named, plain)
        for argument, value in found.arguments.items():
            value, take = _array(value), takes[argument]
            if take is not None and not (value is None and argument in optional):
                value = take(name, value)
            found.arguments[argument] = value
        return within_memory(function, found)

    return call


# -- what arguments take -------------------------------------------------------------------------------------------------


def _activity(name: str, value: Any) -> Any:
    from .activity import Activity

    if isinstance(value, Activity):
        return value
    if isinstance(value, _FILES):
        return Activity.load(value)
    raise _not(name, value, "an activity", "record it first: activity = sl.record(network, data)")


def _ledger(name: str, value: Any) -> Any:
    from .ledger import Ledger

    if isinstance(value, Ledger):
        return value
    raise _not(name, value, "a ledger", "price it first: ledger = sl.price(activity, 'loihi')")


def _network(name: str, value: Any) -> Any:
    from torch import nn

    if isinstance(value, nn.Module):
        return value
    if isinstance(value, type):
        raise _not(name, value, "a torch module", f"not its class: make one first, {value.__name__}(...)")
    raise _not(name, value, "a torch module", f"call sl.{name} with the network first")


def _several(name: str, value: Any) -> Any:
    several = value.values() if isinstance(value, Mapping) else value
    for one in several if isinstance(value, list | tuple | Mapping) else [value]:
        _network(name, one)
    return value


def _labelled(name: str, value: Any) -> Any:
    from .datasets.taking import as_dataset

    return as_dataset(value)


def _profile(name: str, value: Any) -> Any:
    if isinstance(value, list | tuple | set):
        raise _not(name, value, "one device", f"ask for each: {{one: sl.{name}(..., one) for one in {list(value)!r}}}")
    from .chip.device import Device
    from .hardware.profile import HardwareProfile

    if isinstance(value, Device):
        return value.profile
    if isinstance(value, (*_FILES, HardwareProfile)):
        return value
    what = "hardware" if type(value).__name__ == "device" else "a device"  # torch's own is where tensors lie
    raise _not(name, value, what, "give a name of sl.list_profiles(), a TOML file, or sl.load_profile(...)")


def _device(name: str, value: Any) -> Any:
    from .chip.device import Device

    several = name == "fits" and isinstance(value, list | tuple)
    return value if value is None or several or isinstance(value, Device) else _profile(name, value)


def _profiles(name: str, value: Any) -> Any:
    from .hardware.profile import HardwareProfile

    if isinstance(value, str):
        return [one.strip() for one in value.split(",") if one.strip()]
    if isinstance(value, HardwareProfile):
        return [value]
    if not isinstance(value, list | tuple):
        raise _not(name, value, "devices", "give a list of names, such as ['loihi', 'v100']")
    return [_profile(name, one) for one in value]


def _not(name: str, value: Any, wanted: str, remedy: str) -> InputError:
    return CallError(f"sl.{name} was given {of_kind(value)} where it takes {wanted}: {remedy}")


def _array(value: Any) -> Any:
    """A table, a column or an array that is read backwards as one that torch can take; anything else as it is."""
    if isinstance(value, tuple):
        return tuple(map(_array, value)) if type(value) is tuple else value
    if type(value).__module__.split(".")[0] in ("pandas", "polars"):
        value = value.to_numpy()
    backwards = type(value).__module__ == "numpy" and any(step < 0 for step in getattr(value, "strides", ()))
    return value.copy() if backwards else value


def _inputs(name: str, value: Any) -> Any:
    if value is None or isinstance(value, _FILES):
        raise _not(name, value, "samples", "give a tensor or an array, such as data.test_inputs[:10]")
    return value


def _by_name(name: str, value: Any) -> Any:
    """Networks by their names; one alone is called after its class."""
    if not isinstance(value, Mapping):
        value = {type(_network(name, value)).__name__: value}
    return {str(key): _network(name, one) for key, one in value.items()}


def _dtype(name: str, value: Any) -> Any:
    import torch

    if not isinstance(value, torch.dtype):
        raise _not(name, value, "a number format of torch", "such as torch.float64")
    return value


def _penalties(name: str, value: Any) -> Any:
    if callable(value):
        return (value,)
    if not isinstance(value, list | tuple):
        raise _not(name, value, "penalties", "make one: sl.losses.synops(target=5e4)")
    return value


#: annotation -> what makes of a value what the function takes
_BY_KIND: dict[str, Callable[[str, Any], Any]] = {
    "Activity": _activity, "Ledger": _ledger, "nn.Module": _network, "Dataset": _labelled, "Labelled": _labelled,
    "Dataset | tuple[Tensor, Tensor]": _labelled, "Mapping[str, nn.Module]": _by_name,
    "str | os.PathLike[str] | HardwareProfile": _profile, "str | HardwareProfile": _profile,
    "str | os.PathLike[str] | HardwareProfile | Device": _device, "Sequence[str | HardwareProfile]": _profiles,
    "nn.Module | Sequence[nn.Module] | Mapping[str, nn.Module]": _several, "torch.dtype": _dtype,
    "Sequence[Penalty]": _penalties,
}  # fmt: skip
#: (function, argument) -> the same, where the annotation does not tell
_TAKES: dict[tuple[str, str], Callable[[str, Any], Any]] = {
    ("fits", "device"): _device, ("simulate", "inputs"): _inputs,
}  # fmt: skip
