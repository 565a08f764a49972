"""Profiles by name or by file: `load_profile("loihi")`, `load_profile("my-chip.toml")`, `list_profiles()`.

Other packages add theirs through the entry-point group `spikeledger.profiles`: each entry point names a package, and
every TOML file in it is a profile. A name of our own is never replaced.
"""

from __future__ import annotations

import functools
import os
import warnings
from collections.abc import Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ..errors import CallError, InputError, ProfileError, of_kind, unknown_name
from ..events import EVENTS
from ..reading import LARGEST_TOML, Kind, is_file, read_text, toml
from .cited import faults
from .profile import HardwareProfile

GROUP = "spikeledger.profiles"
_KIND = Kind("profile file", LARGEST_TOML, ProfileError, "see 'spikeledger profiles' for the names")
#: names of chips in version 0.1, when a chip and its prices were two files
_FORMER = {
    "loihi2": "loihi-2", "spinnaker2": "spinnaker-2", "brainscales2": "brainscales-2", "dynapcnn": "speck",
    "neuro4ml": "published-exercise-001",
}  # fmt: skip


def list_profiles() -> list[str]:
    """Names of the profiles that come with the package or with its plug-ins."""
    return sorted(_files())


def load_profile(name_or_path: str | os.PathLike[str] | HardwareProfile) -> HardwareProfile:
    """Find a profile by name, read one from a TOML file, or take one as it is.

    Behind an `@` stands a variant of it: `load_profile("v100@batch1")`, `load_profile("loihi@boot")` (`hardware.variants`).

    Raises:
        ProfileError: the file is no TOML, or numbers in it lack a source, a range or sense; all faults are named at
        once.
    """
    if isinstance(name_or_path, HardwareProfile):
        return name_or_path
    if not isinstance(name_or_path, str | os.PathLike):
        raise CallError(
            f"a device was given as {of_kind(name_or_path)}: give a name of sl.list_profiles(), a TOML file, or a profile"
        )
    text = os.fspath(name_or_path)
    if text in _shipped() or text in _files():
        return _load_named(text)
    stem, _, variant = text.rpartition("@")
    if stem and not is_file(text):
        from .variants import named

        return named(load_profile(stem), variant)
    path = Path(text)
    if path.suffix == ".toml" or os.sep in text or is_file(path):
        return parse_profile(read_text(path, _KIND), str(path))
    if text in _FORMER:
        raise InputError(f"unknown profile '{text}': it is called '{_FORMER[text]}'")
    if "," in text:
        raise InputError(f"'{text}' names several devices, and one is priced at a time: ask for each by itself")
    raise unknown_name("profile", text, _files())


def parse_profile(text: str, where: str) -> HardwareProfile:
    """A profile from TOML text; `where` names it in errors.

    Raises:
        ProfileError: with every fault in one sentence.
    """
    try:
        table = toml(text)
    except ValueError as error:
        raise ProfileError(f"the profile '{where}' is no TOML: {error}") from error
    return profile_of(table, where)


def profile_of(table: dict[str, Any], where: str) -> HardwareProfile:
    """A profile from the tables of its file; a chip without prices may name the `profile` whose prices it takes.

    Raises:
        ProfileError: with every fault in one sentence.
    """
    try:
        return HardwareProfile.model_validate(_priced_as(table) if "profile" in table else table)
    except ValidationError as error:
        listed = faults(error)
        # a table's own faults hide its unknown names, and all faults are told at once
        for part in ("prices", "leaves_out"):
            names = table.get(part)
            unknown = [name for name in names if name not in EVENTS] if isinstance(names, dict) else []
            if unknown and not any("unknown events" in text for text in listed):
                listed.append(f"{part}: unknown events {unknown}: see spikeledger.events")
        count = "1 fault" if len(listed) == 1 else f"{len(listed)} faults"
        raise ProfileError(f"the profile '{where}' has {count}: {'; '.join(listed)}") from error


def _priced_as(table: dict[str, Any]) -> dict[str, Any]:
    """A chip's own tables over those of the profile that it names: so a board of one's own has a device's prices."""
    name = table["profile"]
    name = _FORMER.get(name, name) if isinstance(name, str) else name
    if not isinstance(name, str) or name not in _files():
        raise unknown_name("profile", str(name), _files())
    base = toml(_files()[name].read_text("utf-8"))
    for part in ("core", "mesh", "seconds", "abilities"):
        base.pop(part, None)
    return {**base, **{key: value for key, value in table.items() if key not in ("profile", "wording")}}


@functools.cache
def _shipped() -> Mapping[str, Traversable]:
    return _profiles_in(resources.files(__package__) / "profiles")


@functools.cache
def _files() -> Mapping[str, Traversable]:
    from importlib.metadata import entry_points

    found: dict[str, Traversable] = {}
    for point in entry_points(group=GROUP):
        try:
            found |= _profiles_in(resources.files(point.module))
        except Exception as error:  # a broken plug-in must not take the catalogue with it
            warnings.warn(f"the profiles of plug-in '{point.name}' cannot be found: {error}", stacklevel=2)
    return found | dict(_shipped())


def _profiles_in(folder: Traversable) -> dict[str, Traversable]:
    return {item.name.removesuffix(".toml"): item for item in folder.iterdir() if item.name.endswith(".toml")}


@functools.cache
def _load_named(name: str) -> HardwareProfile:
    item = _shipped()[name] if name in _shipped() else _files()[name]
    return parse_profile(item.read_text("utf-8"), item.name)
