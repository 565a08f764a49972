"""What a loader is, for an attack: whole files, how they are damaged, and what a user does with what was read."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

from attack.mutations import damaged, recoded, revalued

Files = dict[str, bytes]
Damage = Callable[[Random, Files], Files]


@dataclass(frozen=True)
class Loader:
    """One kind of file, or of folder.

    Attributes:
        whole: good files, made once.
        damage: takes good files apart.
        read: reads what lies in a folder and uses it.
    """

    whole: Callable[[], list[Files]]
    damage: Damage
    read: Callable[[Path], object]
    needs: str = ""  # a package that may not be there
    share: int = 4  # of the files of an attack: the quicker it reads, the more


def every(damage: Callable[[Random, bytes], bytes]) -> Damage:
    """Damage to one of the files."""

    def one(draw: Random, files: Files) -> Files:
        name = draw.choice(sorted(files))
        return {**files, name: damage(draw, files[name])}

    return one


def as_json(draw: Random, content: bytes) -> bytes:
    """JSON with other values, other words or other bytes."""
    kind = draw.random()
    if kind < 0.6:
        return json.dumps(revalued(draw, json.loads(content))).encode("utf-8", "surrogatepass")
    return recoded(draw, content)


def as_what_it_is(draw: Random, content: bytes) -> bytes:
    """JSON as values, everything else as bytes."""
    return as_json(draw, content) if content[:1] == b"{" else damaged(draw, content)


def saved(save: Callable[[Path], object], name: str) -> bytes:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        save(Path(folder) / name)
        return (Path(folder) / name).read_bytes()


def folder_of(save: Callable[[Path], object]) -> Files:
    """What was written into a folder."""
    import tempfile

    with tempfile.TemporaryDirectory() as place:
        save(Path(place))
        return {
            path.relative_to(place).as_posix(): path.read_bytes() for path in Path(place).rglob("*") if path.is_file()
        }
