"""A search on three hosts, one of them cut off in the middle and one slowed: nothing is lost, and it ends as at home.

Hosts are network namespaces of this machine with addresses of their own; all of them vanish with this process. Needs root
and `ip`:

python benchmarks/hosts.py --out hosts
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from kills import EXPERIMENT, SEARCH, audit, count, result, run

TTL = "5s"  # after which the scheduler gives a silent worker up
QUIET: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


def main() -> None:
    """Run the search at home, then on three hosts, and compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=24)
    parser.add_argument("--seconds", type=float, default=1.0, help="of a trial, about")
    parser.add_argument("--out", type=Path, default=Path("hosts"))
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if not given.inside:
        os.execvp("unshare", ["unshare", "-n", sys.executable, __file__, *sys.argv[1:], "--inside"])
    shutil.rmtree(given.out, ignore_errors=True)
    given.out.mkdir(parents=True)
    (given.out / "own.py").write_text(EXPERIMENT)
    file = given.out / "search.toml"
    file.write_text(SEARCH.format(seconds=given.seconds, trials=given.trials))
    if run(file, given.out / "undisturbed", "local:2", given.out / "undisturbed.log").wait() != 0:
        sys.exit("the undisturbed run failed")
    network = hosts()
    address = "tcp://10.77.0.1:8786"
    os.environ["DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL"] = TTL
    parts = [python("scheduler", "--host", "10.77.0.1", "--port", "8786", "--no-dashboard")]
    time.sleep(4)
    for number, host in enumerate(network, 1):
        parts.append(
            python("worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard", "--host", f"10.77.0.{number + 1}",
                   "--local-directory", str(given.out / f"host-{number}"), inside=host)
        )  # fmt: skip
    import distributed

    with distributed.Client(address, timeout=60, set_as_default=False) as client:
        client.wait_for_workers(3, timeout=60)
        workers = sorted(worker["host"] for worker in client.scheduler_info(n_workers=-1)["workers"].values())
    log, over = given.out / "acknowledged.log", threading.Event()
    threading.Thread(target=slow, args=(parts[3], over), daemon=True).start()
    began = time.monotonic()
    driver = run(file, given.out / "disturbed", address, log)
    while count(log) < given.trials // 2 and driver.poll() is None:
        time.sleep(0.05)
    at = count(log)
    subprocess.run(["ip", "link", "set", "host1", "down"], check=True)  # the cable of the first host is out
    code = driver.wait(timeout=600)
    over.set()
    told: dict[str, Any] = {"kills": {}, "lost": 0, "twice": 0, "unreadable": 0}
    audit(given.out / "disturbed", log, told)
    same = code == 0 and result(given.out / "disturbed") == result(given.out / "undisturbed")
    found = {
        "hosts": workers, "cut_off_after_trials": at, "seconds": time.monotonic() - began, "exit_code": code,
        "lost": told["lost"], "twice": told["twice"], "unreadable": told["unreadable"], "same_end": same,
    }  # fmt: skip
    print(json.dumps(found, indent=1))
    for part in [*parts, *network]:
        part.kill()
        part.wait()


def hosts() -> list[subprocess.Popen[bytes]]:
    """Three network namespaces, joined by a bridge: 10.77.0.2, .3 and .4, and 10.77.0.1 here."""
    for command in (
        "link set lo up",
        "link add switch type bridge",
        "addr add 10.77.0.1/24 dev switch",
        "link set switch up",
    ):
        subprocess.run(["ip", *command.split()], check=True)
    made = []
    for number in (1, 2, 3):
        host = subprocess.Popen(["unshare", "-n", "sleep", "3600"])
        made.append(host)
        time.sleep(0.5)
        for command in (
            f"link add host{number} type veth peer name eth0 netns {host.pid}",
            f"link set host{number} master switch",
            f"link set host{number} up",
        ):
            subprocess.run(["ip", *command.split()], check=True)
        for command in ("link set lo up", f"addr add 10.77.0.{number + 1}/24 dev eth0", "link set eth0 up"):
            subprocess.run(["nsenter", "-t", str(host.pid), "-n", "ip", *command.split()], check=True)
    return made


def python(part: str, *options: str, inside: subprocess.Popen[bytes] | None = None) -> subprocess.Popen[bytes]:
    """A part of Dask, on a host or here."""
    before = ["nsenter", "-t", str(inside.pid), "-n"] if inside is not None else []
    module = f"distributed.cli.dask_{part}"
    return subprocess.Popen([*before, sys.executable, "-m", module, *options], **QUIET)


def slow(worker: subprocess.Popen[bytes], over: threading.Event) -> None:
    """Stop a worker four fifths of the time."""
    while not over.wait(0.1):
        os.kill(worker.pid, signal.SIGSTOP)
        over.wait(0.4)
        os.kill(worker.pid, signal.SIGCONT)


if __name__ == "__main__":
    main()
