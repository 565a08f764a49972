"""How long does an epoch of `cnn-s` on MNIST take, T = 4, beside SpikingJelly and snnTorch? `python benchmarks/cnn_epoch.py`

The network's layers and first weights are the same on every side, and so are images, rate code, loss and optimiser. Steps are
taken in turn, on the same batches; a side's seconds an epoch are those of its median step, times the steps of an epoch.
Where there are no MNIST files (SPIKELEDGER_DATA), images are noise of MNIST's brightness.
"""

from __future__ import annotations

import argparse
import copy
import gc
import importlib
import importlib.util
import math
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
from sides import Steps
from torch import Tensor, nn

import spikeledger as sl
from spikeledger import kernels
from spikeledger.errors import SpikeLedgerError
from spikeledger.networks import zoo
from spikeledger.networks.lifting import OverTime

Step = Callable[[Tensor, Tensor], object]
SAMPLES = 60_000
#: steps of each side before the first that is timed, in which its weights leave where they began
WARM = 4


def images(samples: int) -> tuple[Tensor, Tensor, str]:
    """Images `[N, 1, 28, 28]` in [0, 1], labels, and where they are from."""
    try:
        part = sl.load_dataset("mnist")
        return part.train_inputs[:samples].view(-1, 1, 28, 28), part.train_labels[:samples], "MNIST"
    except SpikeLedgerError:
        generator = torch.Generator().manual_seed(0)
        ink = torch.rand(samples, 1, 28, 28, generator=generator)
        ink *= torch.rand(samples, 1, 28, 28, generator=generator) < 0.19
        return ink, torch.arange(samples) % 10, "noise"


def trained(network: nn.Module, scores: Callable[[Tensor], Tensor], adam: Any) -> Step:
    optimiser = adam(network.parameters(), lr=1e-3)

    def step(values: Tensor, labels: Tensor) -> object:
        optimiser.zero_grad(set_to_none=True)
        loss = nn.functional.cross_entropy(scores(values), labels)
        loss.backward()
        optimiser.step()
        return loss

    return step


def coded(values: Tensor, timesteps: int) -> Tensor:
    """The rate code of the peers: spikes `[T, B, 1, 28, 28]`."""
    return (torch.rand(timesteps, *values.shape) < values).float()


def jelly(network: Any, timesteps: int, layout: torch.memory_format) -> Step:
    """SpikingJelly's multi-step mode, its back end of torch."""
    neuron = importlib.import_module("spikingjelly.activation_based.neuron")
    functional = importlib.import_module("spikingjelly.activation_based.functional")
    container = importlib.import_module("spikingjelly.activation_based.layer").SeqToANNContainer
    layers: list[nn.Module] = []
    for layer in network.layers:
        if isinstance(layer, OverTime):
            layers.append(container(copy.deepcopy(layer.module)))
        elif isinstance(layer, sl.LIF):
            layers.append(neuron.LIFNode(tau=10.0, decay_input=False, detach_reset=True, v_reset=None, step_mode="m"))
        else:
            layers.append(copy.deepcopy(layer))
    theirs = nn.Sequential(*layers).to(memory_format=layout)

    def scores(values: Tensor) -> Tensor:
        functional.reset_net(theirs)
        out: Tensor = theirs(coded(values, timesteps))
        return out.mean(0)

    return trained(theirs, scores, torch.optim.Adam)


def steps(network: Any) -> Steps:
    """snnTorch's way: a loop over time."""
    leaky = importlib.import_module("snntorch").Leaky
    layers: list[nn.Module] = []
    for layer in network.layers:
        if isinstance(layer, sl.LIF):
            layers.append(leaky(beta=0.9))
        elif isinstance(layer, nn.Flatten):
            layers.append(nn.Flatten())  # of one step
        else:
            layers.append(copy.deepcopy(layer.module if isinstance(layer, OverTime) else layer))
    return Steps(nn.Sequential(*layers))


def snntorch(network: Any, timesteps: int, layout: torch.memory_format) -> Step:
    theirs = steps(network).to(memory_format=layout)
    return trained(theirs, lambda values: theirs(coded(values, timesteps)).mean(0), torch.optim.Adam)


def sides(timesteps: int) -> Iterator[tuple[str, Step]]:
    network: Any = zoo.build("cnn-s", (1, 28, 28), 10, timesteps=timesteps)
    # copied first: ours trains
    peers = (("SpikingJelly", "spikingjelly", jelly), ("snnTorch", "snntorch", snntorch))
    for name, library, made in peers:
        if importlib.util.find_spec(library) is None:
            continue
        yield name, made(network, timesteps, torch.contiguous_format)
        yield f"{name}, channels last", made(network, timesteps, torch.channels_last)
    yield "ours", trained(network, network.scores, sl.learning.Adam)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--timesteps", type=int, default=4)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--beside", nargs="+", help="these peers alone, by the names that are printed")
    parser.add_argument("--cpu", action="store_true", help="processor time, where others use the machine; 1 thread")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    values, labels, source = images((WARM + options.rounds) * options.batch)
    steps = {
        name: step
        for name, step in sides(options.timesteps)
        if options.beside is None or name in (*options.beside, "ours")
    }
    clock = time.process_time if options.cpu else time.perf_counter
    times: dict[str, list[float]] = {name: [] for name in steps}
    gc.disable()
    for number in range(WARM + options.rounds):
        batch = slice(number * options.batch, (number + 1) * options.batch)
        for name, step in steps.items():
            start = clock()
            step(values[batch], labels[batch])
            if number >= WARM:
                times[name].append(clock() - start)
        gc.collect()
    epoch = math.ceil(SAMPLES / options.batch)
    print(
        f"cnn-s on {source}, T = {options.timesteps}, batch {options.batch}, {options.threads} thread(s), torch "
        f"{torch.__version__}, back end {kernels.name()}: {'processor ' if options.cpu else ''}seconds an epoch "
        f"of {epoch} steps, from the median of {options.rounds}; ratio to ours, median of the rounds' own and its quarters"
    )  # fmt: skip
    for name, row in times.items():
        ratios = sorted(each / mine for each, mine in zip(row, times["ours"], strict=True))
        low, middle, high = (ratios[round(q * (len(ratios) - 1))] for q in (0.25, 0.5, 0.75))
        print(f"{name:28}{epoch * statistics.median(row):8.1f} s   {middle:.2f} ({low:.2f} to {high:.2f})")


if __name__ == "__main__":
    main()
