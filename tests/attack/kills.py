"""Commands killed at random moments, thousands of times: no finished epoch or trial is lost, and each ends as if undisturbed.

`python tests/attack/kills.py --kills 1000` forks one warm process again and again, so that a kill costs a tenth of a second:
`train`, `compare` and `study run` in turn, killed anywhere between their first line and their last, and gone on with.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spikeledger.cli.app import main as command
from spikeledger.cli.folders import UNFINISHED, _epochs
from spikeledger.datasets import load_dataset
from spikeledger.trials.runner import run
from spikeledger.trials.store import Store

SMALL = ["--data", "digits", "--network", "mlp-s", "--timesteps", "1", "--resume"]
OWN = """
import time
def own(work, *, seed: int = 0):
    time.sleep(0.004)
    (work.keep / "kept.bin").write_bytes(bytes([seed]) * 900)
    return {"accuracy": seed / 100}
"""
STUDY = 'experiment = "own.py:own"\n[settings]\nseed = [' + ", ".join(map(str, range(40))) + "]\n"


@dataclass
class Told:
    """What a loop of kills found."""

    kills: int = 0
    runs: int = 0
    lost: int = 0
    unreadable: int = 0
    left: int = 0
    different: int = 0
    wrong: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Whether nothing was lost."""
        return not (self.lost or self.unreadable or self.left or self.different or self.wrong)


def train(place: Path) -> None:
    sys.exit(command(["train", *SMALL, "--epochs", "8", "--out", str(place)]))


def compare(place: Path) -> None:
    sys.exit(
        command(["compare", *SMALL, "--epochs", "4", "--samples", "20", "--profiles", "loihi", "--out", str(place)])
    )


def study(place: Path) -> None:
    def tell(news: Any) -> None:
        if news.what == "finished":  # after its row was written
            print(f"epoch {news.trial.key}", file=sys.stderr, flush=True)

    place.mkdir(exist_ok=True)
    (place / "own.py").write_text(OWN)
    (place / "a.toml").write_text(STUDY)
    run(place / "a.toml", place / "out", threads=None, tell=tell)


def kept(place: Path) -> int:
    """Finished epochs, or trials, that are on disk."""
    if (place / "out" / "id").is_file():
        store = Store(place / "out")
        if store.set_aside:
            raise ValueError(f"{store.set_aside} cannot be read")
        return sum(bool(store.kept(key)) for key in store.rows)
    work = place / UNFINISHED
    return _epochs(work) if work.is_dir() else 0


def result(place: Path) -> dict[str, bytes]:
    """What a whole run leaves: names, and the contents that do not tell the time."""
    found: dict[str, bytes] = {}
    for path in sorted(place.rglob("*")):
        name = path.relative_to(place).as_posix()
        if not path.is_file() or name in ("out/id", "out/.lock"):
            continue
        told = path.read_bytes()
        if name.startswith("out/trials/") and name.endswith(".json"):
            told = json.dumps(json.loads(told)["values"]).encode()
        found[name] = told if not name.endswith((".html", ".svg", ".png")) else b""
    return found


COMMANDS: dict[str, Callable[[Path], None]] = {"train": train, "compare": compare, "study run": study}
#: of all kills; most of a comparison is drawing its report
SHARES = {"train": 0.45, "compare": 0.1, "study run": 0.45}


def warm(act: Callable[[Path], None], place: Path) -> None:
    """Run here, undisturbed and unheard: whatever is imported late is there before the first fork."""
    heard = os.dup(1), os.dup(2)
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1), os.dup2(quiet, 2)
    try:
        act(place)
    except SystemExit as error:
        if error.code:
            raise RuntimeError("an undisturbed run failed") from error
    finally:
        os.dup2(heard[0], 1), os.dup2(heard[1], 2)


def forked(act: Callable[[Path], None], place: Path, seconds: float | None) -> tuple[int, int]:
    """Run in a child, killed after some seconds; its code and how much it said to have finished."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        os.dup2(write, 2)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.stdout, sys.stderr = os.fdopen(1, "w", 1), os.fdopen(2, "w", 1)  # what they were may have been files
        try:
            act(place)
            os._exit(0)
        except SystemExit as error:
            os._exit(int(error.code or 0))
        except BaseException as error:
            print(repr(error), file=sys.stderr)
            os._exit(99)
    os.close(write)
    said, end = b"", None if seconds is None else time.monotonic() + seconds
    os.set_blocking(read, False)
    while True:
        try:
            more = os.read(read, 1 << 16)
            said += more
            if not more:
                break
        except BlockingIOError:
            time.sleep(0.001)
        if end is not None and time.monotonic() >= end:
            os.kill(child, signal.SIGKILL)
            end = None
    os.close(read)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code not in (0, -9):
        raise RuntimeError(said.decode("utf-8", "replace")[-500:])
    return code, sum(line.lstrip().startswith(b"epoch ") for line in said.splitlines())


def killed(name: str, kills: int, seed: int, minutes: float = 60.0) -> Told:
    """Kill one command that often, over as many whole runs as that takes."""
    act, draw, told = COMMANDS[name], random.Random(f"{name} {seed}"), Told()
    home = Path(tempfile.mkdtemp(dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
    end = time.monotonic() + 60 * minutes
    try:
        warm(act, home / "whole")
        began = time.monotonic()
        forked(act, home / "again", None)
        seconds, whole = time.monotonic() - began, result(home / "whole")
        if result(home / "again") != whole:
            told.wrong.append(f"{name}: two undisturbed runs differ")
        while told.kills < kills and time.monotonic() < end:
            place, finished, code = home / f"run{told.runs}", 0, -9
            while code == -9:
                last = told.kills >= kills or time.monotonic() > end
                code, said = forked(act, place, None if last else draw.uniform(0.0, seconds * draw.choice((0.3, 1.0))))
                told.kills += code == -9
                if code == 0:
                    break
                try:
                    there = kept(place) if place.is_dir() else 0
                except Exception as error:
                    told.unreadable += 1
                    told.wrong.append(f"{name}: {error!r}")
                    break
                finished += said
                done = (place / "network.toml").is_file() or (place / "comparison.json").is_file()
                told.lost += max(0, finished - there) if not done else 0
                finished = max(finished, there)
            told.runs += 1
            now = result(place)
            extra = sorted(now.keys() - whole.keys())
            told.left += len(extra)
            told.wrong += [f"{name}: left {extra[:3]}"] * bool(extra)
            if {each: now.get(each) for each in whole} != whole:
                told.different += 1
                told.wrong.append(f"{name}: {[each for each in whole if now.get(each) != whole[each]][:3]}")
            shutil.rmtree(place)
    finally:
        shutil.rmtree(home)
    return told


def main() -> None:
    """Kill, and say what was lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=60, help="of all commands together")
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    load_dataset("digits")
    clean = True
    for name in COMMANDS:
        told = killed(name, max(1, round(given.kills * SHARES[name])), given.seed, given.minutes / len(COMMANDS))
        print(json.dumps({"command": name, **vars(told), "wrong": told.wrong[:5]}), flush=True)
        clean = clean and told.clean
    sys.exit(not clean)


if __name__ == "__main__":
    main()
