"""What does a training step cost where other processes want the processors too? `python benchmarks/busy.py --help`

Each side is a process of its own that trains MNIST's `mlp-s` for a moment when its turn comes and sleeps otherwise; the
order rotates. Conditions: so many processes that never rest ("hogs"), the trainer under `nice` beside two of them, the
data made by two workers of a `DataLoader`, and a control group with a quota of one processor where this user may make
one. A figure is the median of the rounds in milliseconds a step; "÷ fair" is beside the quiet one times the runnable
threads divided by the processors. `--before SRC` adds the package of another tree.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

SIDES = ("2 threads", "1 thread", "plain torch")
HOG = "while True: pass"
WORKERS = "2 loader workers"


class Side:
    """A process that trains when it is told to."""

    def __init__(self, name: str, threads: int, timesteps: int, source: str | None = None) -> None:
        command = [
            sys.executable,
            str(Path(__file__).resolve()),
            "--serve",
            name,
            "--threads",
            str(threads),
            "--timesteps",
            str(timesteps),
        ]
        environment = {**os.environ, **({"PYTHONPATH": source} if source else {})}
        for name_of_limit in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
            environment.pop(name_of_limit, None)
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, text=True)

    def run(self, seconds: float, workers: bool = False) -> float:
        """Milliseconds a step over so many seconds."""
        assert self.process.stdin is not None and self.process.stdout is not None
        print(seconds, int(workers), file=self.process.stdin, flush=True)
        return float(self.process.stdout.readline())

    def end(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def serve(name: str, threads: int, timesteps: int) -> None:
    """Train as often as a line on standard input says for how long."""
    import torch
    from torch.utils.data import DataLoader, TensorDataset

    import spikeledger as sl

    torch.set_num_threads(threads)
    data = sl.load_dataset("mnist")
    inputs, labels = torch.as_tensor(data.train_inputs), torch.as_tensor(data.train_labels)
    network = sl.zoo.build("mlp-s", tuple(inputs.shape[1:]), 10, timesteps=timesteps)
    if name == "plain torch":
        sl.backend("reference")
        network.layers = torch.nn.Sequential(*network.layers)
    optimiser = sl.Adam(network.parameters(), lr=1e-3, fused=True)

    def step(batch: torch.Tensor, right: torch.Tensor) -> None:
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(10 * network.scores(batch), right).backward()
        optimiser.step()

    def batches(workers: bool) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        while workers:
            yield from DataLoader(TensorDataset(inputs, labels), batch_size=128, num_workers=2)
        while True:
            for chosen in torch.randperm(len(inputs)).split(128)[:-1]:
                yield inputs[chosen], labels[chosen]

    for line in sys.stdin:
        seconds, workers = line.split()
        source = batches(workers == "1")
        for _ in range(3):
            step(*next(source))
        start, steps = time.perf_counter(), 0
        while (spent := time.perf_counter() - start) < float(seconds) or not steps:
            step(*next(source))
            steps += 1
        source.close()  # type: ignore[attr-defined]  # a generator, and with it the loader's workers
        print(1e3 * spent / steps, flush=True)


@contextlib.contextmanager
def hogs(count: int) -> Iterator[None]:
    running = [subprocess.Popen([sys.executable, "-c", HOG]) for _ in range(count)]
    try:
        yield
    finally:
        for hog in running:
            hog.kill()
            hog.wait()


@contextlib.contextmanager
def niced(sides: dict[str, Side]) -> Iterator[None]:
    """Every thread of the sides at a lower priority; only root can take that back."""
    was = os.getpriority(os.PRIO_PROCESS, 0)

    def put(value: int) -> None:
        for side in sides.values():
            for thread in Path(f"/proc/{side.process.pid}/task").iterdir():
                os.setpriority(os.PRIO_PROCESS, int(thread.name), value)

    put(min(19, was + 10))
    try:
        yield
    finally:
        put(was)


@contextlib.contextmanager
def quota() -> Iterator[None]:
    """This process, and what it starts, in a control group that may use one processor; OSError where none can be had."""
    second = Path("/sys/fs/cgroup/cgroup.controllers").exists()
    group = Path("/sys/fs/cgroup") / ("" if second else "cpu") / f"spikeledger-busy-{os.getpid()}"
    group.mkdir()
    try:
        if second:
            (group / "cpu.max").write_text("100000 100000")
        else:
            (group / "cpu.cfs_period_us").write_text("100000")
            (group / "cpu.cfs_quota_us").write_text("100000")
        (group / "cgroup.procs").write_text(str(os.getpid()))
        yield
    finally:
        with contextlib.suppress(OSError):  # where nobody was let in
            (group.parent / "cgroup.procs").write_text(str(os.getpid()))
        for _ in range(50):  # the system notices a little later that the last process has left
            with contextlib.suppress(OSError):
                group.rmdir()
                break
            time.sleep(0.1)


def measure(sides: dict[str, Side], rounds: int, seconds: float, workers: bool = False) -> dict[str, float]:
    times: dict[str, list[float]] = {name: [] for name in sides}
    order = list(sides)
    for _ in range(rounds):
        for name in order:
            times[name].append(sides[name].run(seconds, workers))
        order = order[1:] + order[:1]
    return {name: statistics.median(found) for name, found in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--timesteps", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.5, help="of each turn")
    parser.add_argument("--hogs", type=int, nargs="*", default=[0, 1, 2, 4, 8])
    parser.add_argument("--before", metavar="SRC", help="sources of another tree, measured beside")
    parser.add_argument("--sides", nargs="+", choices=SIDES, default=list(SIDES))
    parser.add_argument("--hogs-only", action="store_true", help="without nice, loader workers and a quota")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        return serve(options.serve, options.threads, options.timesteps)

    cores, threads = len(os.sched_getaffinity(0)), options.threads
    wanted = {"2 threads": threads, "1 thread": 1, "plain torch": threads}

    @contextlib.contextmanager
    def started() -> Iterator[dict[str, Side]]:
        sides = {name: Side(name, wanted[name], options.timesteps) for name in options.sides}
        if options.before:
            sides["before"] = Side("before", threads, options.timesteps, options.before)
        try:
            for side in sides.values():
                side.run(0.5)
            yield sides
        finally:
            for side in sides.values():
                side.end()

    names = [*options.sides, *(["before"] if options.before else [])]
    print(f"{cores} processors, {threads} threads, T = {options.timesteps}, {options.rounds} rounds of "
          f"{options.seconds} s; load before {os.getloadavg()[0]:.1f}; milliseconds a step")  # fmt: skip
    print(f"{'':20}" + "".join(f"{name:>14}" for name in names) + f"{'÷ 1 thread':>14}{'÷ plain':>10}{'÷ fair':>10}")
    quiet = 0.0

    def row(label: str, found: dict[str, float], runnable: int = 0) -> None:
        mine = found[SIDES[0]]
        cells = f"{label:20}" + "".join(f"{found[name]:14.2f}" for name in names)
        for other, width in (("1 thread", 14), ("plain torch", 10)):
            cells += f"{mine / found[other]:{width}.2f}" if other in found else " " * width
        print(cells + (f"{mine / (quiet * runnable / cores):10.2f}" if runnable and quiet else ""), flush=True)

    with started() as sides:
        for count in options.hogs:
            with hogs(count):
                found = measure(sides, options.rounds, options.seconds)
            if count == 0:
                quiet = found[SIDES[0]]
            row(f"{count} hogs", found, count + threads if count else 0)
        if options.hogs_only:
            return
        with hogs(2), niced(sides):
            row("nice 10, 2 hogs", measure(sides, options.rounds, options.seconds))
        row(WORKERS, measure(sides, options.rounds, options.seconds, workers=True))
    try:
        with quota(), started() as sides:
            row("quota of 1", measure(sides, options.rounds, options.seconds))
    except OSError as error:
        print(f"quota of 1: {error}")


if __name__ == "__main__":
    main()
