"""What do training and inference cost beside the dense products alone? `python benchmarks/training.py --help`

Sides are run in turn, the order rotated each round; a figure is the median of the rounds' ratios to the dense floor of
the same round, so that a slow moment of the machine hits both.
"""

from __future__ import annotations

import argparse
import gc
import importlib.util
import statistics
import time
from collections.abc import Sequence

import torch
from sides import ODD, SIDES, Setting, Step

from spikeledger import kernels

#: sides that need another library
NEEDS = {"SpikingJelly": "spikingjelly", "snnTorch": "snntorch"}


#: steps before the first that is timed: until then the heap still grows, and a step is up to twice as slow
WARM = 8
#: steps of a side before each timed one: who trains, trains on, and right behind another side's step the caches, the
#: heap and the processor's clock are still that side's
OWN = 4


def installed(side: str) -> bool:
    """Whether a side can run here."""
    return side not in NEEDS or importlib.util.find_spec(NEEDS[side]) is not None


def seconds(step: Step, cpu: bool) -> float:
    clock = time.process_time if cpu else time.perf_counter
    start = clock()
    step()
    return clock() - start


def measure(setting: Setting, names: Sequence[str], rounds: int, cpu: bool) -> dict[str, tuple[float, float, float]]:
    """For each side: median milliseconds, median ratio to the floor, and the ratios' interquartile range."""
    steps = {name: SIDES[name](setting) for name in names}
    for step in steps.values():
        for _ in range(WARM):
            step()
    times: dict[str, list[float]] = {name: [] for name in names}
    order = list(names)
    gc.collect()
    gc.disable()
    for _ in range(rounds):
        for name in order:
            for _ in range(OWN):
                steps[name]()
            times[name].append(seconds(steps[name], cpu))
        order = order[1:] + order[:1]
    gc.enable()
    found = {}
    for name in names:
        ratios = sorted(mine / floor for mine, floor in zip(times[name], times[names[0]], strict=True))
        spread = ratios[3 * len(ratios) // 4] - ratios[len(ratios) // 4]
        found[name] = (1e3 * statistics.median(times[name]), statistics.median(ratios), spread)
    return found


def odd(timesteps: Sequence[int], widths: Sequence[int], batch: int, rounds: int, cpu: bool) -> None:
    """Inputs that are not spikes: the event-driven network beside the same one on floats."""
    print("event-driven ÷ the same network on floats (its milliseconds), ± interquartile range")
    print(
        f"{'':28}" + "".join(f"{kind + ' T=' + str(steps):>24}" for kind in ("train", "infer") for steps in timesteps)
    )
    for name in ODD:
        cells = []
        for train in (True, False):
            for steps in timesteps:
                setting = Setting(tuple(widths), steps, batch, 0.13, train, name)
                dense, events = measure(setting, ("fused, dense", "event-driven"), rounds, cpu).values()
                cells.append(f"{events[1]:.3f} ±{events[2]:.3f} ({dense[0]:.2f})")
        print(f"{name:28}" + "".join(f"{cell:>24}" for cell in cells), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--timesteps", type=int, nargs="+", default=[5, 20, 50])
    parser.add_argument("--densities", type=float, nargs="+", default=[0.13, 0.03])
    parser.add_argument("--widths", type=int, nargs="+", default=[784, 256, 10])
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--sides", nargs="+", choices=list(SIDES), default=list(SIDES))
    parser.add_argument("--cpu-time", action="store_true", help="CPU seconds, where others use the machine; 1 thread")
    parser.add_argument("--odd", action="store_true", help="inputs that are not spikes, beside the dense path")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    sides = ["dense floor", *(name for name in options.sides if name != "dense floor" and installed(name))]
    print(f"torch {torch.__version__}, {options.threads} threads, back end {kernels.name()}, widths {options.widths}, "
          f"batch {options.batch}, {options.rounds} rounds")  # fmt: skip
    if options.odd:
        return odd(options.timesteps, options.widths, options.batch, options.rounds, options.cpu_time)
    print("ratio to the dense floor (its milliseconds in the first column), ± interquartile range")
    print(f"{'':24}" + "".join(f"{name:>16}" for name in sides))
    for train in (True, False):
        for density in options.densities:
            for timesteps in options.timesteps:
                setting = Setting(tuple(options.widths), timesteps, options.batch, density, train)
                found = measure(setting, sides, options.rounds, options.cpu_time)
                row = f"{'train' if train else 'infer'} T={timesteps:<3} d={density:<5}"
                cells = [f"{found[sides[0]][0]:.2f} ms"]
                cells += [f"{found[name][1]:.2f} ±{found[name][2]:.2f}" for name in sides[1:]]
                print(f"{row:24}" + "".join(f"{cell:>16}" for cell in cells), flush=True)


if __name__ == "__main__":
    main()
