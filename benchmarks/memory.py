"""How much memory does a training step need at its peak, beside what lies there before? `python benchmarks/memory.py`

Each side in a process of its own: two steps, then the peak of resident memory over one more, less what was resident
before it. Linux only: the kernel's own high-water mark is read.
"""

from __future__ import annotations

import argparse
import ctypes
import subprocess
import sys
from pathlib import Path

import torch
from sides import SIDES, Setting

from training import installed


def resident(mark: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(mark):
            return int(line.split()[1]) * 1024
    raise SystemExit(f"/proc/self/status has no {mark}")


def peak(side: str, timesteps: int, threads: int) -> int:
    torch.set_num_threads(threads)
    step = SIDES[side](Setting(timesteps=timesteps))
    step(), step()
    ctypes.CDLL(None).malloc_trim(0)
    before = resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    step()
    return resident("VmHWM") - before


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--timesteps", type=int, default=50)
    parser.add_argument("--side", choices=list(SIDES))
    options = parser.parse_args()
    if options.side:
        print(peak(options.side, options.timesteps, options.threads))
        return
    for side in SIDES:
        if side != "dense floor" and installed(side):
            command = [sys.executable, __file__, "--side", side, "--timesteps", str(options.timesteps)]
            ran = subprocess.run(command, capture_output=True, text=True, check=True)
            print(f"{side:16} {int(ran.stdout.split()[-1]) / 2**20:6.1f} MiB", flush=True)


if __name__ == "__main__":
    main()
