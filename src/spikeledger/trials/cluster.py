"""A Dask cluster as a place for trials: by its scheduler's address, or by a client of one's own."""

from __future__ import annotations

import concurrent.futures
import pydoc
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

from .. import __version__
from ..errors import InputError
from .trial import ClusterLost, Order, Outcome, WorkerLost, perform

#: seconds in which a scheduler has to answer
PATIENCE = 10.0


@contextmanager
def open_cluster(cluster: Any) -> Iterator[Cluster]:
    """Connect to a scheduler, and see that its workers can run trials.

    Raises:
        InputError: `distributed` is not installed, nobody answers, or a worker has no or another SpikeLedger.
    """
    try:
        import distributed
    except ImportError as error:
        raise InputError("a cluster needs the package 'distributed': pip install 'spikeledger[cluster]'") from error
    if not isinstance(cluster, str):
        if not isinstance(cluster, distributed.Client):
            raise InputError(f"a cluster is an address or a dask.distributed.Client, not a {type(cluster).__name__}")
        _check(cluster)
        yield Cluster(cluster)
        return
    try:
        client = distributed.Client(cluster, timeout=PATIENCE, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise InputError(f"no Dask scheduler answers at '{cluster}': start one with 'dask scheduler'") from error
    try:
        _check(client)
        yield Cluster(client)
    finally:
        client.close(timeout=2)


def _check(client: Any) -> None:
    """Ask every worker for its SpikeLedger, by a function of the standard library: that one it has."""
    found = client.run(pydoc.locate, "spikeledger.__version__", on_error="return")
    if not found:
        address = client.scheduler.address
        raise InputError(f"the scheduler at {address} has no workers: start some with 'dask worker {address}'")
    for worker, version in found.items():
        if not isinstance(version, str):
            raise InputError(f"the worker at {worker} has no SpikeLedger: install spikeledger {__version__} there")
        if version != __version__:
            raise InputError(
                f"the worker at {worker} has SpikeLedger {version}, and this is {__version__}: install the same on both"
            )


class Cluster:
    """The workers of a Dask scheduler; a trial of a worker that dies runs on another one."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._number = 0

    def slots(self) -> int:
        if self._client.status != "running":
            return 1  # the next submit says so
        workers = self._client.scheduler_info(n_workers=-1)["workers"].values()
        return max(1, sum(worker["nthreads"] for worker in workers))

    def submit(self, order: Order) -> Future[Outcome]:
        result: Future[Outcome] = Future()
        if self._client.status != "running":
            result.set_exception(ClusterLost())
            return result
        self._number += 1
        inner = self._client.submit(perform, order, key=f"{order.key}-{self._number}", pure=False)

        def done(future: Any) -> None:
            from distributed import KilledWorker

            try:
                outcome = future.result(timeout=60)
            except KilledWorker:  # Dask has begun it again on others, some times
                result.set_result(
                    Outcome(error="workers died while they ran it: does it need more memory than they have?")
                )
            except (concurrent.futures.CancelledError, TimeoutError, OSError):
                result.set_exception(ClusterLost())
            except Exception as error:  # whatever Dask raises where a worker cannot even begin
                result.set_exception(WorkerLost(f"{type(error).__name__}: {error}"))
            else:
                result.set_result(outcome)
            future.release()

        inner.add_done_callback(done)
        return result
