"""Where trials run: in this process, in local processes, or on a Dask cluster. All give the same outcomes."""

from __future__ import annotations

import contextlib
import importlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any, Protocol

from ..errors import InputError
from .trial import Order, Outcome, WorkerLost, perform

#: processes that may wait for a core of this machine, at most: each of them holds some hundred MB
PROCESSES_A_CORE = 16


class Place(Protocol):
    """Something that runs orders."""

    def slots(self) -> int:
        """How many trials run at a time, now."""

    def submit(self, order: Order) -> Future[Outcome]:
        """Begin a trial; the future raises WorkerLost, ClusterLost, or gives its outcome."""


@contextmanager
def open_place(cluster: Any = None, torch: bool = False) -> Iterator[Place]:
    """The place that a name stands for.

    Args:
        cluster: None for this process, `local:N` for N processes here, the address of a Dask scheduler (`tcp://...`),
            or a `dask.distributed.Client`.
        torch: whether every trial will need it, so that local processes import it while their driver still reads.

    Raises:
        InputError: an unknown kind of place, a cluster that does not answer or has a worker without this package.
    """
    if cluster is None:
        yield Here()
    elif isinstance(cluster, str) and cluster.startswith("local:"):
        count = cluster.removeprefix("local:")
        most = PROCESSES_A_CORE * (os.cpu_count() or 1)
        if not count.isdecimal() or not 1 <= int(count) <= most:
            raise InputError(
                f"--cluster is '{cluster[:40]}', but local: needs a number of processes, such as local:2, and here at most {most}"
            )
        processes = Processes(int(count), torch)
        try:
            yield processes
        finally:
            processes.close()
    elif isinstance(cluster, str) and "://" not in cluster:
        raise InputError(
            f"--cluster is '{cluster}', but must be local:N or a scheduler's address, such as tcp://host:8786"
        )
    else:
        from .cluster import open_cluster

        with open_cluster(cluster) as place:
            yield place


class Here:
    """This process, one trial after the other."""

    def slots(self) -> int:
        return 1

    def submit(self, order: Order) -> Future[Outcome]:
        future: Future[Outcome] = Future()
        future.set_result(perform(order))
        return future


class Processes:
    """Processes of this machine, each on its own, so that one that dies takes only its own trial along."""

    def __init__(self, count: int, torch: bool = False) -> None:
        self._modules = ("torch",) if torch else ()
        # they begin to start at once, while their driver still reads the folder
        self._all: list[ProcessPoolExecutor | None] = [self._started() for _ in range(count)]
        self._busy: set[int] = set()

    def _started(self) -> ProcessPoolExecutor:
        worker = ProcessPoolExecutor(
            1, multiprocessing.get_context("spawn"), initializer=_begin, initargs=(self._modules,)
        )
        worker.submit(int)
        return worker

    def slots(self) -> int:
        return len(self._all)

    def submit(self, order: Order) -> Future[Outcome]:
        number = next(n for n in range(len(self._all)) if n not in self._busy)
        worker = self._all[number]
        if worker is None:
            worker = self._all[number] = self._started()
        self._busy.add(number)
        result: Future[Outcome] = Future()

        def done(inner: Future[Outcome]) -> None:
            error = inner.exception()
            if isinstance(error, BrokenProcessPool):
                self._all[number] = None
                error = WorkerLost("its process died")
            self._busy.discard(number)
            if error is not None:
                result.set_exception(error)
            else:
                result.set_result(inner.result())

        try:
            worker.submit(perform, order).add_done_callback(done)
        except BrokenProcessPool:  # it died while it had nothing to do
            self._all[number] = None
            self._busy.discard(number)
            return self.submit(order)
        return result

    def close(self) -> None:
        """End the processes, whatever they do."""
        for worker in self._all:
            if worker is not None:
                for process in list((worker._processes or {}).values()):
                    with contextlib.suppress(OSError):
                        process.kill()
                worker.shutdown(wait=True, cancel_futures=True)


def _begin(modules: tuple[str, ...]) -> None:
    """A worker leaves Ctrl-C to the driver, and goes when the driver is gone, however it went; it imports what it will need."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
    for name in modules:
        importlib.import_module(name)
