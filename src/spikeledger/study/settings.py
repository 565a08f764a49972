"""The settings of a study's file: TOML sections over what holds if the file does not say."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import FileFormatError, InputError, unknown_name


def read_settings(
    path: str | os.PathLike[str], known: Mapping[str, Mapping[str, Any]], changes: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """What a study's file says, with changes by section; values of top-level keys are not settings.

    Args:
        known: section -> setting -> what it is if the file does not say; None stands for a count that may be left out.
        changes: settings that differ from the file: `{"training": {"epochs": 2}}`.

    Raises:
        FileFormatError: the file is no TOML.
        InputError: a section or setting that does not exist, or one of another type.
    """
    try:
        written = tomllib.loads(Path(path).read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise FileFormatError(f"the study '{os.fspath(path)}' cannot be read: {error}") from error
    settings = {name: dict(section) for name, section in known.items()}
    for part in ({key: value for key, value in written.items() if isinstance(value, dict)}, changes):
        for section, given in part.items():
            if section not in settings:
                raise unknown_name("section of a study", section, settings)
            for name, value in given.items():
                if name not in settings[section]:
                    raise unknown_name(f"setting of [{section}]", name, settings[section])
                usual = known[section][name]
                if not _alike(value, usual):
                    wanted = "a text" if isinstance(usual, str) else "a list" if isinstance(usual, list) else "a number"
                    such = "" if usual is None else f" such as {usual}"
                    raise InputError(f"{section}.{name} is {value!r}, but must be {wanted}{such}")
                settings[section][name] = value
    return settings


def _alike(value: Any, usual: Any) -> bool:
    """Whether a value is of the kind of the usual one; whole numbers serve as numbers, True and False do not."""
    if isinstance(usual, list):
        return isinstance(value, list) and bool(value) and all(_alike(one, usual[0]) for one in value)
    if isinstance(usual, str):
        return isinstance(value, str)
    if usual is None and value is None:
        return True
    return isinstance(value, (int, float) if isinstance(usual, float) else int) and not isinstance(value, bool)
