"""What is lost when a search's driver, workers or scheduler are killed at random moments: nothing that was finished.

python benchmarks/kills.py --kills 1000 --out kills        # driver and workers here, and a Dask scheduler with its workers
"""

from __future__ import annotations

import argparse
import importlib
import json
import multiprocessing
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from spikeledger.trials.store import Store

EXPERIMENT = '''
import os, time

def formula(work, *, x: float = 0.5, y: float = 0.5, kind: str = "a", seed: int = 0, seconds: float = 0.0, log: str = ""):
    """Every run leaves a line in a log that only grows: what ran how often."""
    time.sleep(seconds * (0.5 + x))
    (work.keep / "kept.bin").write_bytes(str((x, y, kind, seed)).encode() * 50)
    return {"accuracy": x + 0.001 * seed, "joules": {"loihi": 1e-6 * (0.1 + x * x + 4 * (y - 0.5) ** 2 + (kind == "b"))}}
'''
SEARCH = """
title = "kills"
experiment = "own.py:formula"
[settings]
seconds = {seconds}
[space]
x = {{ low = 0.0, high = 1.0 }}
y = {{ low = 0.0, high = 1.0 }}
kind = ["a", "b"]
[search]
maximise = ["accuracy"]
minimise = ["joules.loihi"]
sampler = "nsga2"
trials = {trials}
round = 8
confirm = 2
"""
DRIVER = """
import sys, time
from spikeledger.search.running import run_search
if __name__ == "__main__":
    file, folder, cluster, log, start = sys.argv[1:]
    def tell(news):
        global start
        if news.what == "began" and start is not None:  # all that comes before a driver's first trial
            with open(log + ".starts", "w") as out:
                out.write(f"{time.time() - float(start)} {time.process_time()}" if start else "")
            start = None
        if news.what == "finished":  # after the row was written: what is acknowledged
            with open(log, "a") as out:
                out.write(news.trial.key + "\\n")
    run_search(file, folder, cluster=cluster or None, threads=None, tell=tell)
"""
#: seconds from a driver's start to its first trial, by the clock and of its own CPU
Start = tuple[float, float]


def main() -> None:
    """Kill until the count is reached, one search after the other, and say what was lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--trials", type=int, default=96, help="of each search")
    parser.add_argument("--seconds", type=float, default=0.1, help="of a trial, about")
    parser.add_argument("--every", type=float, default=3.0, help="a kill comes within so many seconds")
    parser.add_argument("--minutes", type=float, default=60.0, help="stop after so many, whatever the count")
    parser.add_argument("--victims", default="driver,worker,scheduler")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("kills"))
    given = parser.parse_args()
    shutil.rmtree(given.out, ignore_errors=True)
    given.out.mkdir(parents=True)
    (given.out / "own.py").write_text(EXPERIMENT)
    file = given.out / "search.toml"
    file.write_text(SEARCH.format(seconds=given.seconds, trials=given.trials))
    quiet = run(file, given.out / "undisturbed", "", given.out / "undisturbed.log")
    if quiet.wait() != 0:
        sys.exit("the undisturbed run failed")
    whole = result(given.out / "undisturbed")
    draw = random.Random(given.seed)
    told: dict[str, Any] = {"kills": {}, "lost": 0, "twice": 0, "unreadable": 0, "searches": 0, "different_ends": 0}
    starts: list[Start] = []
    end = time.monotonic() + 60 * given.minutes
    while sum(told["kills"].values()) < given.kills and time.monotonic() < end:
        place = given.out / f"search-{told['searches']}"
        one_search(place, file, draw, given, told, starts, end)
        told["searches"] += 1
        same = result(place) == whole
        told["different_ends"] += not same
        if same:
            shutil.rmtree(place)
        told["starts"] = len(starts)
        told["start_seconds"] = spread([each[0] for each in starts])
        told["start_cpu_seconds"] = spread([each[1] for each in starts])
        print(json.dumps(told), flush=True)
    (given.out / "kills.json").write_text(json.dumps(told, indent=1))


def one_search(
    place: Path, file: Path, draw: random.Random, given: Any, told: dict[str, Any], starts: list[Start], end: float
) -> None:
    """One search to its end, its parts killed on the way."""
    victims = given.victims.split(",")
    dask = "scheduler" in victims and (len(victims) == 1 or told["searches"] % 3 == 2)
    log = given.out / "acknowledged.log"
    log.unlink(missing_ok=True)
    dying = [*victims, "scheduler"] if dask else [each for each in victims if each != "scheduler"]
    parts: dict[str, Any] = {}
    cluster = start_dask(parts) if dask else "local:2"
    driver = run(file, place, cluster, log)
    while driver.poll() is None or driver.returncode != 0:
        started = draw.random() < 0.5  # the other kills may come while it still starts
        if driver.poll() is not None:
            if dask and parts["scheduler"].exitcode is not None:
                stop(parts)
                cluster = start_dask(parts)
            starts += read_starts(log)
            driver = run(file, place, cluster, log, killed=True)
        while started and driver.poll() is None and not starts_of(log).exists():
            time.sleep(0.02)
        over = time.monotonic() + draw.uniform(0.05, given.every)
        while time.monotonic() < over and driver.poll() is None:
            time.sleep(0.02)
        if sum(told["kills"].values()) >= given.kills or time.monotonic() > end:
            driver.wait(timeout=600)
            continue
        victim = draw.choice(dying)
        if driver.poll() is None and kill(victim, driver, parts, draw):
            told["kills"][victim] = told["kills"].get(victim, 0) + 1
            (given.out / "so-far.json").write_text(json.dumps(told))
            audit(place, log, told)  # while the others run on
            if victim != "worker":  # without its scheduler a driver ends by itself, with a sentence
                driver.wait(timeout=120)
            for name, part in parts.items():
                if name != "scheduler" and victim == "worker" and part.exitcode is not None:
                    parts[name] = dask_worker(cluster)
    audit(place, log, told)
    starts += read_starts(log)
    stop(parts)


def audit(place: Path, log: Path, told: dict[str, Any]) -> None:
    """Every acknowledged trial has its row and its files, none was acknowledged twice, and each file can be read."""
    acknowledged = log.read_text().split() if log.exists() else []
    told["twice"] += len(acknowledged) - len(set(acknowledged))
    if not (place / "id").exists():
        return
    store = Store(place)
    told["unreadable"] += len(store.set_aside)
    for key in acknowledged:
        if key not in store.rows:
            told["lost"] += 1
        else:
            store.kept(key)


def result(place: Path) -> Any:
    """What a search ended with: points in order, and the trials with their results."""
    told = json.loads((place / "search.json").read_text())
    tried = [(each["arm"], each["number"], each["trials"]) for each in told["tried"]]
    return tried, told["seeds"], {key: row.values for key, row in sorted(Store(place).rows.items())}


def count(log: Path) -> int:
    """Acknowledged trials so far."""
    return log.read_text().count("\n") if log.exists() else 0


def run(file: Path, folder: Path, cluster: str, log: Path, killed: bool = False) -> subprocess.Popen[bytes]:
    """A driver in a process of its own; one that comes after a killed one notes how long it took to its first trial."""
    return subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(file), str(folder), cluster, str(log), str(time.time()) if killed else ""],
        stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip


def read_starts(log: Path) -> list[Start]:
    """What a driver noted, if it did."""
    if not starts_of(log).exists():
        return []
    found = tuple(map(float, starts_of(log).read_text().split()))
    starts_of(log).unlink()
    return [(found[0], found[1])] if len(found) == 2 else []


def starts_of(log: Path) -> Path:
    """Where a driver notes its first trial."""
    return log.with_name(log.name + ".starts")


def spread(values: list[float]) -> dict[str, float]:
    """Median, 95 % and most."""
    found = sorted(values)
    return {"median": found[len(found) // 2], "p95": found[int(0.95 * len(found))], "most": found[-1]} if found else {}


def kill(victim: str, driver: Any, parts: dict[str, Any], draw: random.Random) -> bool:
    """Kill one of them, if it is there."""
    if victim == "driver":
        driver.kill()
        return True
    if victim == "scheduler":
        parts["scheduler"].kill()
        return True
    found = [part.pid for name, part in parts.items() if name != "scheduler"] or children(driver.pid)
    if not found:
        return False
    try:
        os.kill(draw.choice(found), signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def children(pid: int) -> list[int]:
    """Processes that a driver started to run trials in."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rsplit(") ", 1)[1].split()[1])
                if parent == pid and b"spawn_main" in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
            except (OSError, IndexError, ValueError):
                continue
    return found


def start_dask(parts: dict[str, Any]) -> str:
    """Fill in a scheduler and two workers of one thread on this machine; the scheduler's address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    address = f"tcp://127.0.0.1:{port}"
    parts["scheduler"] = dask("scheduler", "--host", "127.0.0.1", "--port", port, "--no-dashboard")
    for name in ("one", "two"):
        parts[name] = dask_worker(address)
    import distributed

    with distributed.Client(address, timeout=60, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=60)
    return address


def dask_worker(address: str) -> Any:
    """A worker of one thread on this machine."""
    return dask("worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard")


def dask(part: str, *options: str) -> Any:
    """A part of Dask in a process of its own, which is forked from one that has imported it."""
    forks = multiprocessing.get_context("forkserver")
    forks.set_forkserver_preload(
        ["distributed.cli.dask_scheduler", "distributed.cli.dask_worker", "spikeledger.trials"]
    )
    made = forks.Process(target=dask_main, args=(part, options), daemon=True)
    made.start()
    return made


def dask_main(part: str, options: tuple[str, ...]) -> None:
    """What the command `dask scheduler` or `dask worker` does."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.dup2(1, 2)
    importlib.import_module(f"distributed.cli.dask_{part}").main(list(options))


def stop(parts: dict[str, Any]) -> None:
    """End what is left of a cluster."""
    for part in parts.values():
        part.kill()
        part.join()


if __name__ == "__main__":
    main()
