"""Profiles by name or by file: `load_profile("loihi")`, `load_profile("my-chip.toml")`, `list_profiles()`."""

from __future__ import annotations

import functools
import os
import tomllib
from importlib import resources
from pathlib import Path

from pydantic import ValidationError

from ..errors import ProfileError, unknown_name
from .profile import HardwareProfile

_LARGEST_FILE = 1 << 20


def list_profiles() -> list[str]:
    """Names of the profiles that come with the package."""
    return sorted(_shipped())


def load_profile(name_or_path: str | os.PathLike[str] | HardwareProfile) -> HardwareProfile:
    """Find a profile by name, read one from a TOML file, or take one as it is.

    Raises:
        ProfileError: the file is no TOML, or numbers in it lack a source, a range or sense; all faults are named at once.
    """
    if isinstance(name_or_path, HardwareProfile):
        return name_or_path
    text = os.fspath(name_or_path)
    if text in _shipped():
        return _load_shipped(text)
    path = Path(text)
    if path.suffix == ".toml" or os.sep in text or path.is_file():
        return _parse(_read(path), str(path))
    raise unknown_name("profile", text, _shipped())


@functools.cache
def _shipped() -> dict[str, str]:
    folder = resources.files(__package__) / "profiles"
    return {item.name.removesuffix(".toml"): item.name for item in folder.iterdir() if item.name.endswith(".toml")}


@functools.cache
def _load_shipped(name: str) -> HardwareProfile:
    item = resources.files(__package__) / "profiles" / _shipped()[name]
    return _parse(item.read_text("utf-8"), item.name)


def _read(path: Path) -> str:
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise ProfileError(f"'{path}' has more than {_LARGEST_FILE:,} bytes: that is no hardware profile")
        return path.read_text("utf-8")
    except FileNotFoundError:
        raise ProfileError(f"there is no profile file '{path}': see 'spikeledger profiles' for the names") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ProfileError(f"the profile '{path}' cannot be read: {error}") from error


def _parse(text: str, where: str) -> HardwareProfile:
    try:
        return HardwareProfile.model_validate(tomllib.loads(text))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ProfileError(f"the profile '{where}' is no TOML: {error}") from error
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(str(part) for part in fault['loc']) or 'profile'}: {fault['msg'].removeprefix('Value error, ')}"
            for fault in error.errors()
        )
        raise ProfileError(f"the profile '{where}' has {error.error_count()} faults: {faults}") from error
