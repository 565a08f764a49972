"""Chips and what fits on them: `load_chip("loihi").check(network)` names every limit that fails, and where."""

from __future__ import annotations

import functools
import os
import tomllib
from collections.abc import Iterable
from importlib import resources
from pathlib import Path

from pydantic import ValidationError

from ..errors import ProfileError, unknown_name
from .device import Device
from .network import Network
from .viability import Viability, check

_LARGEST_FILE = 1 << 20


class Chip(Device):
    """One chip: what a core holds, how cores are joined, how long a step takes, and which profile prices its events."""

    def check(self, network: Network) -> Viability:
        """Whether a network fits: cores and chips that it takes, what binds, and every limit that fails."""
        return check(network, self)


def viability(network: Network, chips: Iterable[str | Chip] | None = None) -> list[Viability]:
    """The same network on every chip of the catalogue, or on some."""
    return [check(network, load_chip(each)) for each in (chips if chips is not None else list_chips())]


def list_chips() -> list[str]:
    """Names of the chips that come with the package."""
    return sorted(_shipped())


def load_chip(name_or_path: str | os.PathLike[str] | Chip) -> Chip:
    """Find a chip by name, read one from a TOML file, or take one as it is.

    Raises:
        ProfileError: the file is no TOML, or numbers in it lack a source or sense.
    """
    if isinstance(name_or_path, Chip):
        return name_or_path
    text = os.fspath(name_or_path)
    if text in _shipped():
        return _load_shipped(text)
    path = Path(text)
    if path.suffix == ".toml" or os.sep in text or path.is_file():
        try:
            if path.stat().st_size > _LARGEST_FILE:
                raise ProfileError(f"'{path}' has more than {_LARGEST_FILE:,} bytes: that is no chip")
            return _parse(path.read_text("utf-8"), str(path))
        except (OSError, UnicodeDecodeError) as error:
            raise ProfileError(f"the chip '{path}' cannot be read: {error}") from error
    raise unknown_name("chip", text, _shipped())


@functools.cache
def _shipped() -> dict[str, str]:
    folder = resources.files(__package__) / "chips"
    return {item.name.removesuffix(".toml"): item.name for item in folder.iterdir() if item.name.endswith(".toml")}


@functools.cache
def _load_shipped(name: str) -> Chip:
    item = resources.files(__package__) / "chips" / _shipped()[name]
    return _parse(item.read_text("utf-8"), item.name)


def _parse(text: str, where: str) -> Chip:
    try:
        return Chip.model_validate(tomllib.loads(text))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ProfileError(f"the chip '{where}' is no TOML: {error}") from error
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(str(part) for part in fault['loc']) or 'chip'}: {fault['msg'].removeprefix('Value error, ')}"
            for fault in error.errors()
        )
        raise ProfileError(f"the chip '{where}' has {error.error_count()} faults: {faults}") from error
