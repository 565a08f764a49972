"""Damaged files, thousands a second: each ends in an answer or in one sentence, in bounded time and memory.

`python tests/attack/files.py --files 1000000` attacks every loader alike and says how many it read, how fast, and what
escaped; a case is drawn from its number alone, so that `--loader nir --first 4711 --files 1` has that file again.
"""

from __future__ import annotations

import argparse
import collections
import faulthandler
import importlib.util
import json
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from attack.kinds import Files, Loader
from attack.loaders import LOADERS
from spikeledger.errors import SpikeLedgerError

SECONDS = 5.0  # of the processor, for one file
MEMORY = 512 << 20  # more than before, for one file
LETTERS = 1500  # of one sentence
MEMORY_DISK = Path("/dev/shm")


class TooLong(BaseException):
    """A file took more of the processor's time than it may."""


@dataclass
class Found:
    """What an attack found."""

    files: int = 0
    refused: int = 0
    seconds: float = 0.0
    escaped: dict[str, list[int]] = field(default_factory=lambda: collections.defaultdict(list))  # what -> cases

    def __str__(self) -> str:
        rate = self.files / max(self.seconds, 1e-9)
        lines = [f"{self.files:,} files, {self.refused:,} refused, {rate:,.0f} a second of the processor"]
        lines += [f"  {len(cases):6,} x {what}  (first: {cases[:3]})" for what, cases in sorted(self.escaped.items())]
        return "\n".join(lines)


@contextmanager
def bounded() -> Iterator[None]:
    """End what takes too long; a loop inside a library's own code ends the process, with the place in it."""

    def stop(*_: object) -> None:
        raise TooLong

    before = signal.signal(signal.SIGVTALRM, stop)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def case(name: str, loader: Loader, wholes: list[Files], number: int) -> Files:
    """The damaged files of a number."""
    draw = Random(f"{name} {number}")
    return loader.damage(draw, draw.choice(wholes))


def attack(name: str, count: int, first: int = 0) -> Found:
    """Read `count` damaged files by one loader."""
    loader, found = LOADERS[name], Found()
    if loader.needs and importlib.util.find_spec(loader.needs) is None:
        return found
    wholes = loader.whole()
    place = Path(tempfile.mkdtemp(dir=MEMORY_DISK if MEMORY_DISK.is_dir() else None))
    try:
        for files in wholes:  # and whole ones are read
            write(place, files)
            loader.read(place)
            clear(place)
        began = time.process_time()
        with bounded():
            for number in range(first, first + count):
                write(place, case(name, loader, wholes, number))
                one(loader, place, number, found)
                clear(place)
        found.seconds = time.process_time() - began
    finally:
        shutil.rmtree(place)
    return found


def one(loader: Loader, place: Path, number: int, found: Found) -> None:
    """Read what lies in a folder, and book how it ended."""
    found.files += 1
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
    try:
        loader.read(place)
    except SpikeLedgerError as error:
        found.refused += 1
        said = str(error)
        if "\n" in said or len(said) > LETTERS or not said.strip():
            found.escaped[f"a sentence of {len(said) // 1000},000 letters: {where(error)}"].append(number)
    except (Exception, TooLong) as error:
        found.escaped[f"{type(error).__name__}: {' '.join(str(error).split())[:90]} at {where(error)}"].append(number)
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    if (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 > MEMORY:
        found.escaped["it took too much memory"].append(number)


def where(error: BaseException) -> str:
    """The last line of the package that an error went through."""
    frames = [each for each in traceback.extract_tb(error.__traceback__) if "spikeledger" in each.filename]
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "?"


def write(place: Path, files: Files) -> None:
    for name, content in files.items():
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def clear(place: Path) -> None:
    for path in place.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def main() -> None:
    """Attack, and say what escaped."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=10_000, help="of all loaders together")
    parser.add_argument("--loader", action="append", choices=LOADERS)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    warnings.simplefilter("error")
    faulthandler.enable()
    names, told = given.loader or list(LOADERS), {}
    shares = sum(LOADERS[name].share for name in names)
    for name in names:
        found = attack(name, -(-given.files * LOADERS[name].share // shares), given.first)
        print(f"{name}: {found}", flush=True)
        told[name] = {**vars(found), "escaped": dict(found.escaped)}
        if given.out:
            given.out.write_text(json.dumps(told, indent=1))
    print(
        f"{sum(each['files'] for each in told.values()):,} files in {sum(each['seconds'] for each in told.values()):,.0f} s"
    )
    sys.exit(any(each["escaped"] for each in told.values()))


if __name__ == "__main__":
    main()
