"""Trials on a Dask cluster: the same results, and a sentence for each part that is missing or goes."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from spikeledger.errors import InputError
from spikeledger.trials import News, Store, TrialsFailed, run
from trials_of import of

distributed = pytest.importorskip("distributed")
pytestmark = pytest.mark.filterwarnings("ignore")  # of distributed and what it stands on

WORKER = "from distributed.cli.dask_worker import main; main()"


class Cluster:
    """A scheduler and workers as processes, as a user starts them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.parts: list[subprocess.Popen[bytes]] = []
        told = folder / "scheduler.json"
        code = "from distributed.cli.dask_scheduler import main; main()"
        options = ["--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(told)]
        self.scheduler = self._start(code, *options)
        end = time.monotonic() + 60
        while not told.exists() or not told.read_text():
            assert time.monotonic() < end
            time.sleep(0.05)
        self.address: str = json.loads(told.read_text())["address"]

    def _start(self, code: str, *options: str) -> subprocess.Popen[bytes]:
        part = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", code, *options],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=self.folder,
        )  # fmt: skip
        self.parts.append(part)
        return part

    def worker(self, before: str = "") -> subprocess.Popen[bytes]:
        options = ("--nthreads", "1", "--no-nanny", "--no-dashboard", "--local-directory", str(self.folder))
        started = self._start(f"{before}{WORKER}", self.address, *options)
        count = sum(part.poll() is None for part in self.parts) - 1
        with distributed.Client(self.address, set_as_default=False) as client:
            client.wait_for_workers(count, timeout=60)
        return started

    def close(self) -> None:
        for part in self.parts:
            part.kill()
            part.wait()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    made = Cluster(tmp_path)
    yield made
    made.close()


def test_the_same_results_and_a_worker_that_dies(study: Path, cluster: Cluster) -> None:
    with pytest.raises(InputError, match="has no workers"):
        run(study, study.parent / "out", cluster=cluster.address)
    cluster.worker()
    second = cluster.worker()
    here = run(study, study.parent / "here")
    there = run(study, study.parent / "there", cluster=cluster.address, threads=None)
    assert [(a.key, a.values, a.files) for a in here] == [(b.key, b.values, b.files) for b in there]
    with distributed.Client(cluster.address, set_as_default=False) as client:
        again = run(study, study.parent / "by-client", cluster=client, threads=None)
        assert [row.values for row in again] == [row.values for row in here]

    def tell(news: News) -> None:
        if news.what == "finished" and second.poll() is None:
            second.kill()

    heard = run(study, study.parent / "killed", cluster=cluster.address, threads=None, tell=tell)
    assert [row.values for row in heard] == [row.values for row in here] and second.poll() is not None


def test_a_worker_without_the_package(study: Path, cluster: Cluster) -> None:
    cluster.worker("import sys; sys.modules['spikeledger'] = None; ")
    with pytest.raises(InputError, match="has no SpikeLedger: install"):
        run(study, study.parent / "out", cluster=cluster.address)
    assert Store(study.parent / "out").rows == {}


def test_a_worker_of_another_release(study: Path, cluster: Cluster) -> None:
    cluster.worker("import spikeledger; spikeledger.__version__ = '0.0.1'; ")
    with pytest.raises(InputError, match=r"has SpikeLedger 0\.0\.1"):
        run(study, study.parent / "out", cluster=cluster.address)


@pytest.mark.slow
def test_a_scheduler_that_goes_and_comes_back(study: Path, cluster: Cluster, tmp_path: Path) -> None:
    cluster.worker()

    def tell(news: News) -> None:
        if news.what == "finished":
            cluster.scheduler.kill()

    with pytest.raises(InputError, match=r"the cluster is gone; \d finished trials are kept"):
        run(study, study.parent / "out", cluster=cluster.address, threads=None, tell=tell)
    kept = len(Store(study.parent / "out").rows)
    assert 1 <= kept < 9
    (tmp_path / "again").mkdir()
    other = Cluster(tmp_path / "again")
    try:
        other.worker()
        heard: list[News] = []
        rows = run(study, study.parent / "out", cluster=other.address, threads=None, tell=heard.append)
        assert len(rows) == 9 and sum(news.what == "finished" for news in heard) == 9 - kept
    finally:
        other.close()


@pytest.mark.slow
def test_trials_that_kill_every_worker_fail_alone(study: Path, tmp_path: Path) -> None:
    with (
        distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None, silence_logs=50) as local,
        pytest.raises(TrialsFailed, match=r"1 of 2 trials gave no result.*workers died"),
    ):
        run(of(study, "fails", 'seed = [0, 1]\nhow = "kill"'), tmp_path / "out", cluster=local.scheduler_address,
            threads=None)  # fmt: skip


def test_nobody_answers(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from spikeledger.trials import cluster as clusters

    monkeypatch.setattr(clusters, "PATIENCE", 0.5)
    for address in ("tcp://127.0.0.1:9", "nonsense://x"):
        with pytest.raises(InputError, match="no Dask scheduler answers"):
            run(study, study.parent / "out", cluster=address)
    with pytest.raises(InputError, match="not a int"):
        run(study, study.parent / "out", cluster=3)
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InputError, match=r"spikeledger\[cluster\]"):
        run(study, study.parent / "out", cluster="tcp://127.0.0.1:9")
