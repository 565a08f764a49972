"""What is lost when a search's driver, workers or scheduler are killed at random moments: nothing that was finished.

python benchmarks/kills.py --kills 1000 --out kills        # driver and workers here, and a Dask scheduler with its workers
"""

from __future__ import annotations

import argparse
import json
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
DRIVER = (
    "import sys, time\n"
    "from spikeledger.search.running import run_search\n"
    "if __name__ == '__main__':\n"
    "    file, folder, cluster, log = sys.argv[1:]\n"
    "    def tell(news):\n"
    "        if news.what == 'finished':\n"  # after the row was written: what is acknowledged
    "            with open(log, 'a') as out:\n"
    "                out.write(news.trial.key + '\\n')\n"
    "    run_search(file, folder, cluster=cluster or None, threads=None, tell=tell)\n"
)


def main() -> None:
    """Kill until the count is reached, one search after the other, and say what was lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--trials", type=int, default=48, help="of each search")
    parser.add_argument("--seconds", type=float, default=0.15, help="of a trial, about")
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
    restarts: list[float] = []
    end = time.monotonic() + 60 * given.minutes
    while sum(told["kills"].values()) < given.kills and time.monotonic() < end:
        place = given.out / f"search-{told['searches']}"
        one_search(place, file, draw, given, told, restarts, end)
        told["searches"] += 1
        same = result(place) == whole
        told["different_ends"] += not same
        if same:
            shutil.rmtree(place)
        restarts.sort()
        told["restart_seconds"] = {
            "median": restarts[len(restarts) // 2] if restarts else None, "most": restarts[-1] if restarts else None
        }  # fmt: skip
        print(json.dumps(told), flush=True)
    (given.out / "kills.json").write_text(json.dumps(told, indent=1))


def one_search(
    place: Path, file: Path, draw: random.Random, given: Any, told: dict[str, Any], restarts: list[float], end: float
) -> None:
    """One search to its end, its parts killed on the way."""
    victims = given.victims.split(",")
    dask = "scheduler" in victims and told["searches"] % 3 == 2
    log = given.out / "acknowledged.log"
    log.unlink(missing_ok=True)
    cluster, parts = "local:2", {}
    if dask:
        parts, cluster = start_dask()
    driver = run(file, place, cluster, log)
    begun, first = time.monotonic(), count(log)
    while driver.poll() is None or driver.returncode != 0:
        if driver.poll() is not None:
            if dask and any(part.poll() is not None for part in parts.values()):
                stop(parts)
                parts, cluster = start_dask()
            driver = run(file, place, cluster, log)
            begun, first = time.monotonic(), count(log)
        wait = time.monotonic() + draw.uniform(0.05, 4.0)
        while time.monotonic() < wait and driver.poll() is None:
            time.sleep(0.02)
            if begun and count(log) > first:
                restarts.append(time.monotonic() - begun)
                begun = 0.0
        if sum(told["kills"].values()) >= given.kills or time.monotonic() > end:
            if driver.poll() is None:
                driver.wait(timeout=300)
            continue
        if driver.poll() is None:
            victim = draw.choice([each for each in victims if dask or each != "scheduler"])
            if kill(victim, driver, parts, draw):
                told["kills"][victim] = told["kills"].get(victim, 0) + 1
                if victim == "driver":
                    driver.wait()
            audit(place, log, told)
            if dask and victim != "driver" and any(part.poll() is not None for part in parts.values()):
                # somebody starts again what died; a scheduler takes its workers with it
                driver.wait(timeout=120) if victim == "scheduler" else None
                stop(parts)
                driver.poll() is None and driver.kill()
                driver.wait()
                parts, cluster = start_dask()
    audit(place, log, told)
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
    tried = [(each["arm"], each["number"], each["trial"]) for each in told["tried"]]
    return tried, told["seeds"], {key: row.values for key, row in sorted(Store(place).rows.items())}


def count(log: Path) -> int:
    """Acknowledged trials so far."""
    return log.read_text().count("\n") if log.exists() else 0


def run(file: Path, folder: Path, cluster: str, log: Path) -> subprocess.Popen[bytes]:
    """A driver in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(file), str(folder), cluster, str(log)],
        stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip


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


def start_dask() -> tuple[dict[str, Any], str]:
    """A scheduler and two workers of one thread on this machine."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    cli = [sys.executable, "-m", "distributed.cli"]
    parts = {
        "scheduler": subprocess.Popen(
            [*cli[:-1], "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"],
            **quiet,
        )
    }  # fmt: skip
    for name in ("one", "two"):
        worker = [*cli[:-1], "distributed.cli.dask_worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard"]
        parts[name] = subprocess.Popen(worker, **quiet)
    import distributed

    with distributed.Client(address, timeout=60, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=60)
    return parts, address


def stop(parts: dict[str, Any]) -> None:
    """End what is left of a cluster."""
    for part in parts.values():
        if part.poll() is None:
            part.kill()
        part.wait()


if __name__ == "__main__":
    main()
