"""Threads where there are not enough processors: the same results, nothing that hangs, and nobody who spins."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import spikeledger
from spikeledger.kernels.choice import native

CORE = native()
pytestmark = pytest.mark.skipif(CORE is None, reason="the native core is not built")

SANITIZED = "build/sanitize" in spikeledger.__file__
ALLOWED = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
BEGIN = """
import hashlib, os, threading, time, torch, spikeledger as sl
from spikeledger.kernels.choice import native
torch.manual_seed(5)
net = sl.zoo.mlp(300, 96, 7, encoder=None, timesteps=12)
spikes = (torch.rand(12, 200, 300) < 0.2).float()
def step():
    net.zero_grad()
    net.scores(spikes).square().sum().backward()
    return hashlib.sha256(b"".join(p.grad.numpy().tobytes() for p in net.parameters())).hexdigest()
torch.set_num_threads(1)
alone = step()
torch.set_num_threads(2)
"""
LONG = """
began, ran_on = time.monotonic(), set()
while time.monotonic() < began + 3 or ("own" not in ran_on and time.monotonic() < began + 40):
    assert step() == alone
    ran_on.add(native().thread_runtime())
print(*sorted(ran_on))
"""
SEVERAL_CALLERS = """
neuron, currents = sl.LIF(0.9), torch.rand(20, 64, 512)
expected, wrong = neuron(currents), []
def call():
    torch.set_num_threads(2)
    wrong.extend(1 for _ in range(40) if not torch.equal(neuron(currents), expected))
callers = [threading.Thread(target=call) for _ in range(6)]
for caller in callers: caller.start()
for caller in callers: caller.join()
assert not wrong
"""
FORK_WHILE_BUSY = """
neuron, currents = sl.LIF(0.9), torch.rand(20, 64, 512)
expected, until = neuron(currents), time.monotonic() + 2
while time.monotonic() < until:
    neuron(currents)
    child = os.fork()
    if child == 0:
        again = neuron(currents)
        torch.set_num_threads(1)  # torch's own loops hang in a child whose parent used its threads
        os._exit(0 if torch.equal(again, expected) else 3)
    assert os.waitpid(child, 0)[1] == 0
"""
FORK_BEFORE_THE_CORE = """
import os, torch, spikeledger as sl
torch.set_num_threads(2)
neuron, currents = sl.LIF(0.9), torch.randn(20, 64, 512)
torch.rand(4_000_000).exp()  # torch has its threads, the core is not loaded
child = os.fork()
if child == 0:
    neuron(currents)
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
"""


def run(code: str, seconds: float = 300) -> str:
    source = str(Path(spikeledger.__file__).parent.parent)
    environment = {**os.environ, "PYTHONPATH": source, "OMP_NUM_THREADS": "2"}
    ran = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=seconds)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


@pytest.fixture
def hogs() -> Iterator[None]:
    """Two processes a processor that never rest; one beside the sanitizers, which are slow enough."""
    if "build/sanitize-thread" in spikeledger.__file__:
        pytest.skip("under the thread sanitizer a step takes so long that a busy machine cannot be told from it")
    count = 1 if SANITIZED else 2 * min(ALLOWED, 4)
    running = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    yield
    for hog in running:
        hog.kill()
        hog.wait()


@pytest.mark.usefixtures("hogs")
@pytest.mark.parametrize("deed", [LONG, SEVERAL_CALLERS, FORK_WHILE_BUSY], ids=["steps", "callers", "fork"])
def test_where_others_want_the_processors(deed: str) -> None:
    if deed == FORK_WHILE_BUSY and "build/sanitize-thread" in spikeledger.__file__:
        pytest.skip("the thread sanitizer is not made for a child of a process with threads")
    said = run(BEGIN + deed)
    if deed == LONG and 1 < ALLOWED <= 4:
        assert "own" in said.split(), "no loop left torch's threads, though there were four processes a processor"


def test_a_child_forked_before_the_core_was_loaded_does_not_wait_for_its_parents_threads() -> None:
    run(FORK_BEFORE_THE_CORE, seconds=60)


@pytest.mark.usefixtures("hogs")
@pytest.mark.skipif(SANITIZED, reason="the sanitizers change what things cost")
def test_who_waits_sleeps() -> None:
    """On many threads a busy machine's step takes about the processor time that it takes on one: the rest was spun."""
    spent = """
    def cost(threads):
        torch.set_num_threads(threads)
        start, until = time.process_time(), time.monotonic() + 1.5
        count = 0
        while time.monotonic() < until:
            step(); count += 1
        return (time.process_time() - start) / count
    cost(2)
    for tries in range(6):  # who spins does so in each
        ratio = min(cost(2) for _ in range(2)) / min(cost(1) for _ in range(2))
        if ratio < 2: break
    print(ratio)
    """
    assert float(run(BEGIN + "\n".join(line[4:] for line in spent.splitlines()))) < 2


VERSION_2 = "0::/inner/most\n"
VERSION_1 = "5:memory:/x\n3:cpu,cpuacct:/inner/most\n2:cpuset:/\n"


@pytest.mark.parametrize(
    ("groups", "files", "expected"),
    [
        (VERSION_2, {"inner/most/cpu.max": "100000 100000"}, 1),
        (VERSION_2, {"inner/most/cpu.max": "130000 100000"}, 2),
        (VERSION_2, {"inner/most/cpu.max": "max 100000"}, None),
        (VERSION_2, {"inner/most/cpu.max": "max 100000", "inner/cpu.max": "50000 100000"}, 1),
        (VERSION_2, {"cpu.max": "20000 100000"}, 1),  # a container's mount begins at its group
        (VERSION_2, {"inner/most/cpu.max": ""}, None),
        (VERSION_2, {}, None),
        (VERSION_1, {"cpu/inner/cpu.cfs_quota_us": "90000", "cpu/inner/cpu.cfs_period_us": "100000"}, 1),
        (VERSION_1, {"cpu,cpuacct/cpu.cfs_quota_us": "4000", "cpu,cpuacct/cpu.cfs_period_us": "5000"}, 1),
        (VERSION_1, {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None),
        (VERSION_1, {"memory/x/cpu.cfs_quota_us": "5", "memory/x/cpu.cfs_period_us": "10"}, None),
        ("nonsense\n", {}, None),
        ("", {"cpu.max": "1000 100000"}, None),  # no group, no quota
    ],
)
def test_a_quota_is_the_number_of_processors(
    tmp_path: Path, groups: str, files: dict[str, str], expected: int | None
) -> None:
    assert CORE is not None
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text(groups)
    for name, text in files.items():
        path = tmp_path / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert CORE.processors(str(tmp_path)) == min(ALLOWED, expected or ALLOWED)


def test_a_process_without_such_files_has_the_processors_that_it_is_bound_to(tmp_path: Path) -> None:
    assert CORE is not None
    assert CORE.processors(str(tmp_path)) == ALLOWED


def test_many_more_threads_than_processors_may_be_asked_for() -> None:
    run(BEGIN.replace("set_num_threads(2)", "set_num_threads(64)") + "for _ in range(20): assert step() == alone")
