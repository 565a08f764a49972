"""The public face: how a name of the package takes what users have, and answers what it cannot take.

Rooms are strict. What comes in by `sl.` goes through here once: the field's words for an argument become ours, a file, a
name, a loader or a pair becomes what the function works on, and a call that cannot be is one sentence, never a traceback.
"""

from __future__ import annotations

import difflib
import functools
import inspect
import os
from collections.abc import Callable, Mapping
from typing import Any

from .arguments import plain
from .errors import CallError, InputError, of_kind

#: words of the field -> ours, tried where the function has ours
WORDS: dict[str, tuple[str, ...]] = {
    "lr": ("learning_rate",), "T": ("timesteps",), "num_steps": ("timesteps",), "n_steps": ("timesteps",),
    "steps": ("timesteps",), "time_steps": ("timesteps",), "time_window": ("timesteps",), "n_epochs": ("epochs",),
    "num_epochs": ("epochs",), "bs": ("batch_size",), "batchsize": ("batch_size",), "batch": ("batch_size",),
    "n_samples": ("samples",), "num_samples": ("samples",), "criterion": ("loss",), "loss_fn": ("loss",),
    "dataset": ("data",), "model": ("network",), "net": ("network",), "x": ("inputs", "data"),
    "y": ("labels",), "targets": ("labels",), "hardware": ("profile", "profiles", "device"), "chip": ("device",),
    "devices": ("profiles",), "device": ("profile", "profiles"),
    "random_state": ("seed",), "callbacks": ("callback",), "exclude": ("leave_out",), "skip": ("leave_out",),
}  # fmt: skip
#: what an argument that there is none of is answered with
ANSWERS: dict[str, str] = {
    "device": "networks run where their weights are: move them first, network.to('cuda')",
    "tau": "say the decay: beta=math.exp(-dt / tau), or sl.LIF.from_tau(tau_seconds, dt_seconds)",
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
_FILES = (str, os.PathLike)


def public(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """A function as the package offers it, under the name `sl.name`."""
    signature = inspect.signature(function)
    parameters = signature.parameters
    takes_any = any(one.kind is one.VAR_KEYWORD for one in parameters.values())

    @functools.wraps(function)
    def call(*args: Any, **named: Any) -> Any:
        for word in [word for word in named if word not in parameters and word in WORDS]:
            if word == "device" and _of_torch(named[word]):
                continue
            ours = next((one for one in WORDS[word] if one in parameters and one not in named), None)
            if ours is not None:
                named[ours] = named.pop(word)
        try:
            bound = signature.bind(*args, **named)
        except TypeError as error:
            raise _cannot_be(name, parameters, args, named, error) from None
        if takes_any:
            for word in ANSWERS:
                if word in bound.kwargs and word not in parameters:
                    raise CallError(f"sl.{name} has no argument '{word}': {ANSWERS[word]}")
        plain(f"sl.{name}", parameters, bound.arguments)
        for argument, value in bound.arguments.items():
            take = _TAKES.get((name, argument)) or _TAKES.get(("", argument))
            if take is not None:
                bound.arguments[argument] = take(name, value)
        return function(*bound.args, **bound.kwargs)

    return call


def _of_torch(value: Any) -> bool:
    """Whether a device is one to compute on, and not one to price."""
    return not isinstance(value, str) or value.split(":")[0] in ("cpu", "cuda", "mps", "xpu", "gpu", "auto")


def _cannot_be(
    name: str, parameters: Mapping[str, Any], args: tuple[Any, ...], named: Mapping[str, Any], error: TypeError
) -> CallError:
    needed = [key for key, one in parameters.items() if one.default is one.empty and one.kind in (0, 1)]
    form = f"sl.{name}({', '.join(needed)}{', ...' if len(parameters) > len(needed) else ''})"
    for word in named:
        if word in parameters:
            continue
        near = difflib.get_close_matches(word, parameters, n=1, cutoff=0.6)
        answer = next((ANSWERS[one] for one in (word, *WORDS.get(word, ())) if one in ANSWERS), "")
        hint = answer or (f"did you mean '{near[0]}'?" if near else f"it has {', '.join(parameters)}")
        return CallError(f"sl.{name} has no argument '{word}': {hint}")
    missing = [key for key in needed[len(args) :] if key not in named]
    if missing:
        return CallError(f"sl.{name} was called without {' and '.join(missing)}: call {form}{_example(name, missing)}")
    return CallError(f"sl.{name} cannot be called so ({error}): call {form}")


def _example(name: str, missing: list[str]) -> str:
    if "profile" in missing:
        return ", with a device such as 'loihi' (sl.list_profiles() names them)"
    return ", with a data set such as sl.load_dataset('digits')" if "data" in missing else ""


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

    if value is None or isinstance(value, Ledger):
        return value
    raise _not(name, value, "a ledger", "price it first: ledger = sl.price(activity, 'loihi')")


def _network(name: str, value: Any) -> Any:
    from torch import nn

    if isinstance(value, nn.Module):
        return value
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
    raise _not(name, value, "a device", "give a name of sl.list_profiles(), a TOML file, or sl.load_profile(...)")


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
    return value


def _not(name: str, value: Any, wanted: str, remedy: str) -> InputError:
    return CallError(f"sl.{name} was given {of_kind(value)} where it takes {wanted}: {remedy}")


#: (function, argument) -> what makes of a value what the function takes; "" stands for every function
_TAKES: dict[tuple[str, str], Callable[[str, Any], Any]] = {
    ("price", "activity"): _activity, ("account", "activity"): _activity, ("price", "profile"): _profile,
    ("account", "profile"): _profile, ("account_spikes", "profile"): _profile, ("check_profile", "profile"): _profile,
    ("load_profile", "name_or_path"): _profile, ("check_profile", "path"): _profile,
    ("sensitivity", "ledger"): _ledger, ("sensitivity", "against"): _ledger,
    ("fair_opponents", "ann"): _activity, ("fair_opponents", "snn"): _activity,
    ("compare", "ann"): _several, ("compare", "snn"): _several, ("compare", "data"): _labelled,
    ("compare", "profiles"): _profiles, ("fit", "network"): _network, ("fit", "data"): _labelled,
    ("equal_accuracy", "data"): _labelled, ("place", "device"): _device, ("simulate", "device"): _device,
    ("fits", "device"): _device, ("prune", "network"): _network,
}  # fmt: skip
