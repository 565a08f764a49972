"""The one runner: `run("studies/energy_budget.toml", "out")` runs what is missing, here, in processes or on a cluster."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import FileFormatError, InputError, SpikeLedgerError
from ..reading import LARGEST_JSON, Kind, is_file, is_folder, read_json
from ..writing import write_whole
from .places import Place, open_place
from .store import Row, Store
from .study import Study, read_study
from .trial import ClusterLost, Order, Outcome, Trial, WorkerLost

#: how often a trial is begun whose worker dies with it
ATTEMPTS = 3
#: threads of torch that a trial may ask for
MOST_THREADS = 1024
#: seconds between two looks at what else there is to do
_GLANCE = 0.5


@dataclass(frozen=True)
class News:
    """What just happened: a trial began, was finished, failed, or is begun again since its worker was lost."""

    what: str  # began, finished, failed, again
    trial: Trial
    row: Row | None = None
    error: str = ""


class Stopped(KeyboardInterrupt):
    """Ctrl-C, after what was to be finished is finished."""


class Runner:
    """Runs trials in a study's folder; `with open_runner(folder) as runner: rows = runner.run(trials)`."""

    def __init__(
        self, store: Store, place: Place, threads: int | None, tell: Callable[[News], None], drop: bool
    ) -> None:
        self.store = store
        self.place = place
        self._threads = threads
        self._tell = tell
        self._drop = drop
        self.stopping = False
        self._dropped = False

    def run(self, trials: Sequence[Trial]) -> list[Row | None]:
        """The rows of trials, in their order; runs what is missing. None where a trial failed.

        A trial is on disk before the next one is begun in its place.

        Raises:
            Stopped: Ctrl-C; trials that ran were finished, or dropped if that was asked for or it came twice.
            SpikeLedgerError: the folder cannot be written to, or the cluster is gone.
        """
        waiting: dict[str, Trial] = {}
        for trial in trials:
            self._need(trial, waiting)
        failed: set[str] = set()
        running: dict[Future[Outcome], Trial] = {}
        attempts: dict[str, int] = {}
        with self._interruptible():
            while waiting or running:
                if self.stopping and not running:
                    raise Stopped
                while not self.stopping and len(running) < self.place.slots():
                    ready = self._ready(waiting, failed)
                    if ready is None:
                        break
                    del waiting[ready.key]
                    attempts[ready.key] = attempts.get(ready.key, 0) + 1
                    self._tell(News("began", ready))
                    running[self.place.submit(self._order(ready))] = ready
                    if self._dropped:  # a loop inside the trial may have taken Ctrl-C for its own end
                        raise Stopped
                if not running:
                    if waiting and not self.stopping:  # they begin with trials that failed
                        failed |= waiting.keys()
                        waiting.clear()
                    continue
                done, _ = wait(running, timeout=_GLANCE, return_when=FIRST_COMPLETED)
                for future in done:
                    trial = running.pop(future)
                    try:
                        outcome = future.result()
                    except WorkerLost as lost:
                        if attempts[trial.key] < ATTEMPTS:
                            waiting = {trial.key: trial, **waiting}
                            self._tell(News("again", trial, error=str(lost)))
                            continue
                        outcome = Outcome(error=f"{lost}, {ATTEMPTS} times: does a trial need more memory than it has?")
                    except ClusterLost:
                        raise InputError(
                            f"the cluster is gone; {len(self.store.rows)} finished trials are kept: start it, and run "
                            "the same command again"
                        ) from None
                    if outcome.error:
                        failed.add(trial.key)
                        self.store.fail(trial, outcome)
                        self._tell(News("failed", trial, error=outcome.error))
                    else:
                        self._tell(News("finished", trial, row=self.store.finish(trial, outcome)))
        return [self.store.rows.get(trial.key) for trial in trials]

    def _need(self, trial: Trial, waiting: dict[str, Trial]) -> None:
        """Put a trial that is not finished, and those that it begins with, among the waiting."""
        if trial.key not in self.store.rows and trial.key not in waiting:
            waiting[trial.key] = trial
            for each in trial.starts:
                self._need(each, waiting)

    def _ready(self, waiting: Mapping[str, Trial], failed: set[str]) -> Trial | None:
        """The first trial that can begin."""
        return next((each for each in waiting.values() if all(one.key in self.store.rows for one in each.starts)), None)

    def _order(self, trial: Trial) -> Order:
        several = len(trial.starts) > 1
        start = {
            f"{number}/{name}" if several else name: content
            for number, each in enumerate(trial.starts)
            for name, content in self.store.kept(each.key).items()
        }
        return Order(
            trial.key, trial.experiment.name, trial.experiment.source, trial.settings, start,
            str(self.store.folder.resolve()), self.store.study_id, self._threads,
        )  # fmt: skip

    @contextmanager
    def _interruptible(self) -> Iterator[None]:
        """Ctrl-C once lets the running trials finish, or drops them if so asked; twice drops them."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def stop(number: int, frame: Any) -> None:
            if self.stopping or self._drop:
                self._dropped = True
                raise Stopped
            self.stopping = True

        before = signal.signal(signal.SIGINT, stop)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)


@contextmanager
def open_runner(
    folder: str | os.PathLike[str],
    *,
    cluster: Any = None,
    threads: int | None = 1,
    tell: Callable[[News], None] = lambda news: None,
    drop: bool = False,
) -> Iterator[Runner]:
    """A runner on a study's folder, of which it is the one driver meanwhile.

    Args:
        cluster: None for this process, `local:N`, a Dask scheduler's address, or a `dask.distributed.Client`.
        threads: of torch, in each trial: figures depend on it; None for torch's own choice.
        tell: called with what happens.
        drop: let Ctrl-C drop the running trials at once; they are begun again the next time.
    """
    if threads is not None and not 1 <= threads <= MOST_THREADS:
        raise InputError(f"--threads is {threads}, but needs to be at least 1, and at most {MOST_THREADS:,}")
    store = Store(folder)
    with store.driving(), open_place(cluster, torch=threads is not None) as place:
        yield Runner(store, place, threads, tell, drop)


def run(
    study: Study | str | os.PathLike[str],
    folder: str | os.PathLike[str],
    *,
    changes: Mapping[str, Any] | None = None,
    **options: Any,
) -> list[Row]:
    """The rows of all trials of a study, in its order; runs what is not in the folder yet.

    Args:
        study: a study, or its file.
        changes: settings that differ from the file's.
        options: those of `open_runner`: cluster, threads, tell, drop.

    Raises:
        InputError: settings that cannot be, another run in the folder, or trials that failed: the others are kept.
        Stopped: Ctrl-C.
    """
    what = study if isinstance(study, Study) else read_study(study, changes)
    trials = what.trials
    with open_runner(folder, **options) as runner:
        write_plan(runner.store, what.name, what.title, trials)
        rows = runner.run(trials)
        wrong = [trial for trial, row in zip(trials, rows, strict=True) if row is None]
        if wrong:
            told = runner.store.failures()
            first = next((told[trial.key] for trial in wrong if trial.key in told), "its start failed")
            raise TrialsFailed(
                f"{len(wrong)} of {len(trials)} trials gave no result, and the others are kept; the first: {first}"
            )
    return [row for row in rows if row is not None]


class TrialsFailed(SpikeLedgerError):
    """Trials that gave no result; those that did are kept."""


def write_plan(store: Store, name: str, title: str, trials: Sequence[Trial]) -> None:
    """Note in the folder what was asked for last: what `status` and `show` speak of."""
    plan = {"name": name, "title": title, "trials": {trial.key: dict(trial.settings) for trial in trials}}
    write_whole(store.folder / "study.json", json.dumps(plan, ensure_ascii=False, indent=1))


def read_plan(folder: str | os.PathLike[str]) -> tuple[Store, dict[str, Any]]:
    """A study's folder and what was asked for last there, without running anything.

    Raises:
        InputError: it is no study's folder.
    """
    store = Store(folder, make=False)
    try:
        plan = read_json(Path(folder) / "study.json", Kind("study's plan", LARGEST_JSON))
        name, title, trials = plan["name"], plan["title"], dict(plan["trials"])
    except (FileFormatError, ValueError, KeyError, TypeError) as error:
        if is_file(Path(folder) / "search.json") or is_folder(Path(folder) / "rounds"):
            raise InputError(
                f"'{folder}' is a search's folder and no study's: 'spikeledger search show {folder}'"
            ) from error
        raise InputError(f"'{folder}' has no readable study.json: run the study again, it goes on") from error
    return store, {"name": name, "title": title, "trials": trials}
