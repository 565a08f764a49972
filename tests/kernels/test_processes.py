"""The native core's threads: after a fork, in a DataLoader's workers, and at the interpreter's end."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import spikeledger
from spikeledger.kernels.choice import native

pytestmark = pytest.mark.skipif(native() is None, reason="the native core is not built")

# built for sanitizers, the core has its own threads alone: torch's runtime is not built for them; so it is on a busy machine
RUNTIMES = ("own",) if "build/sanitize" in spikeledger.__file__ else ("torch", "own")
BEGIN = """
import os, torch, spikeledger as sl
from spikeledger.kernels.choice import native
torch.set_num_threads(2)
neuron, currents = sl.LIF(0.9), torch.rand(20, 64, 256)
spikes = neuron(currents)
print(native().thread_runtime())
"""
FORK = """
child = os.fork()
if child == 0:
    again = neuron(currents)
    torch.set_num_threads(1)  # torch's own loops hang in a child whose parent used its threads
    os._exit(0 if torch.equal(again, spikes) else 3)
assert os.waitpid(child, 0)[1] == 0
"""
WORKERS = """
from torch.utils.data import DataLoader, Dataset
class Rows(Dataset):
    def __len__(self):
        return 4
    def __getitem__(self, index):
        return neuron(currents)[index]
for batch in DataLoader(Rows(), num_workers=2, batch_size=2):
    assert batch.shape == (2, 64, 256)
"""
CONVOLUTION = """
from torch import nn
from torch.utils.data import DataLoader, Dataset
layers = sl.event_driven(nn.Sequential(sl.over_time(nn.Conv2d(32, 64, 3)), sl.LIF(), sl.over_time(nn.MaxPool2d(2)),
                                       nn.Flatten(2), nn.Linear(2304, 5), sl.LIF()))
images = (torch.rand(4, 6, 32, 14, 14) < 0.05).float()
with torch.no_grad():
    expected = layers(images)
class Rows(Dataset):
    def __len__(self):
        return 4
    def __getitem__(self, index):
        with torch.no_grad():
            return layers(images)[index]
for first, batch in enumerate(DataLoader(Rows(), num_workers=2, batch_size=2)):
    assert torch.equal(batch, expected[2 * first : 2 * first + 2])
"""
THREADS = """
import threading
found = []
workers = [threading.Thread(target=lambda: found.append(neuron(currents)), daemon=True) for _ in range(3)]
for worker in workers:
    worker.start()
for worker in workers:
    worker.join()
assert all(torch.equal(one, spikes) for one in found) and len(found) == 3
"""


@pytest.mark.parametrize(
    "deed", ["", FORK, WORKERS, CONVOLUTION, THREADS], ids=["exit", "fork", "workers", "convolution", "threads"]
)
def test_nothing_hangs_or_crashes(deed: str) -> None:
    if deed in (WORKERS, CONVOLUTION) and "build/sanitize-thread" in spikeledger.__file__:
        pytest.skip("the thread sanitizer stops where threads are started after a fork, as DataLoader does")
    source = str(Path(spikeledger.__file__).parent.parent)
    environment = {**os.environ, "PYTHONPATH": source, "OMP_NUM_THREADS": "2"}
    ran = subprocess.run(
        [sys.executable, "-c", BEGIN + deed], env=environment, capture_output=True, text=True, timeout=120
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.split()[0] in RUNTIMES


def test_without_a_compiler_it_is_said_once() -> None:
    code = (
        "import sys; sys.modules['spikeledger.kernels._native'] = None\n"
        "import torch, spikeledger as sl\n"
        "from spikeledger import kernels\n"
        "net = sl.zoo.mlp(8, 6, 4)\n"
        "for _ in range(3): net(torch.rand(2, 8))\n"
        "print(kernels.name())\n"
        "try: sl.backend('cpu')\n"
        "except sl.errors.InputError as error: print(error)\n"
    )
    source = str(Path(spikeledger.__file__).parent.parent)
    code = code.replace("import torch, spikeledger as sl", "import torch, spikeledger as sl, spikeledger.errors")
    ran = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": source}, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines()[0] == "reference"
    assert "was not built" in ran.stdout
    assert ran.stderr.count("the native core is not there") == 1
