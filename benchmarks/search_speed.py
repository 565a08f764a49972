"""What 10,000 trials in one search cost beside the trials: CPU to ask and tell, to write, to open, to price again.

python benchmarks/search_speed.py --trials 10000 --out out/search-speed
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from pathlib import Path
from typing import Any

from spikeledger.search import running
from spikeledger.search.pricing import reprice
from spikeledger.search.running import read_search_folder, run_search
from spikeledger.trials.store import Store

EXPERIMENT = '''
import shutil

def formula(work, *, a: float = 0.5, b: float = 0.5, c: float = 0.5, d: int = 4, e: int = 1, f: str = "x", g: str = "p",
            h: float = 0.1, seed: int = 0, activity: str = ""):
    """Eight settings, two objectives; keeps an activity where one is given."""
    if activity:
        shutil.copy(activity, work.keep / "activity.npz")
    return {"accuracy": a * (1 - (b - 0.3) ** 2) - 0.01 * e, "joules": {"loihi": 1e-6 * (0.1 + a * a + c + (f == "y")) * d * h}}
'''
SEARCH = """
experiment = "own.py:formula"
[settings]
{settings}
[space]
a = {{ low = 0.0, high = 1.0 }}
b = {{ low = 0.0, high = 1.0 }}
c = {{ low = 0.0, high = 1.0 }}
d = {{ low = 1, high = 512, log = true }}
e = {{ low = 1, high = 8 }}
f = ["x", "y", "z"]
g = ["p", "q"]
h = {{ low = 1e-4, high = 1e-1, log = true }}
[search]
maximise = ["accuracy"]
minimise = ["joules.loihi"]
sampler = "{sampler}"
trials = {trials}
round = {round}
random = false
confirm = 0
"""


def main() -> None:
    """Measure, and print what was found as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--round", type=int, default=50)
    parser.add_argument("--sampler", default="nsga2")
    parser.add_argument("--points", type=int, default=200, help="that are priced again")
    parser.add_argument("--out", type=Path, default=Path("out/search-speed"))
    given = parser.parse_args()
    shutil.rmtree(given.out, ignore_errors=True)
    given.out.mkdir(parents=True)
    (given.out / "own.py").write_text(EXPERIMENT)
    file = given.out / "many.toml"
    file.write_text(SEARCH.format(settings="", sampler=given.sampler, trials=given.trials, round=given.round))
    told: dict[str, Any] = {"trials": given.trials, "round": given.round, "sampler": given.sampler}

    asking = [0.0]
    ask, add = running.propose, running.Memory.add

    def timed(function: Any) -> Any:
        def inner(*arguments: Any) -> Any:
            before = time.process_time()
            found = function(*arguments)
            asking[0] += time.process_time() - before
            return found

        return inner

    running.propose, running.Memory.add = timed(ask), timed(add)  # type: ignore[method-assign]
    cpu, wall = time.process_time(), time.monotonic()
    run_search(file, given.out / "many", threads=None)
    told["ask_and_tell_cpu_milliseconds_a_trial"] = 1e3 * asking[0] / given.trials
    told["all_cpu_milliseconds_a_trial"] = 1e3 * (time.process_time() - cpu) / given.trials
    told["wall_milliseconds_a_trial"] = 1e3 * (time.monotonic() - wall) / given.trials
    running.propose, running.Memory.add = ask, add  # type: ignore[method-assign]
    for name, function in (
        ("open_folder", lambda: Store(given.out / "many")),
        ("open_search", lambda: read_search_folder(given.out / "many")),
        ("go_on", lambda: run_search(file, given.out / "many", threads=None)),
    ):
        cpu, wall = time.process_time(), time.monotonic()
        function()
        told[name] = {"cpu_seconds": time.process_time() - cpu, "wall_seconds": time.monotonic() - wall}
    told["reprice"] = repriced(given.out, given.points)
    print(json.dumps(told, indent=1))


def repriced(out: Path, points: int) -> dict[str, Any]:
    """A front of so many points on a third device: each has the activity of a real recording."""
    import spikeledger as sl

    network = sl.zoo.mlp(784, 256, 10, timesteps=5)
    import torch

    sl.record(network, torch.rand(64, 784)).save(out / "activity.npz")
    file = out / "priced.toml"
    kept = f'activity = "{out / "activity.npz"}"'
    file.write_text(SEARCH.format(settings=kept, sampler="random", trials=points, round=50))
    search = run_search(file, out / "priced", threads=None)
    cpu, wall = time.process_time(), time.monotonic()
    found = reprice(search, "seneca-22nm")
    return {
        "points": len(found.points), "cpu_seconds": time.process_time() - cpu, "wall_seconds": time.monotonic() - wall
    }  # fmt: skip


if __name__ == "__main__":
    main()
