"""What does counting cost? The same inference with and without a counter, side by side, rotating, medians.

MLP 784-256-10, T = 20, batch 128, input density 0.13, 2 threads. Run: `python benchmarks/counting_cost.py`. The ratios
of one run are what counts; absolute times differ from machine to machine. Other libraries take part where they are
installed.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import nn

import spikeledger as sl
from spikeledger.recording.recorder import Recorder

STEPS, BATCH, DENSITY = 20, 128, 0.13


def ours() -> tuple[nn.Module, Callable[[nn.Module, torch.Tensor], object]]:
    network = sl.zoo.mlp(784, 256, 10, encoder=None, timesteps=STEPS)
    return network, lambda net, x: net(x)


def snntorch() -> tuple[nn.Module, Callable[[nn.Module, torch.Tensor], object]]:
    import snntorch as snn

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc1, self.lif1 = nn.Linear(784, 256), snn.Leaky(beta=0.9)
            self.fc2, self.lif2 = nn.Linear(256, 10), snn.Leaky(beta=0.9)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            first, second, out = self.lif1.init_leaky(), self.lif2.init_leaky(), []
            for step in x:
                spikes, first = self.lif1(self.fc1(step), first)
                spikes, second = self.lif2(self.fc2(spikes), second)
                out.append(spikes)
            return torch.stack(out)

    return Network(), lambda net, x: net(x)


def spikingjelly(mode: str) -> tuple[nn.Module, Callable[[nn.Module, torch.Tensor], object]]:
    from spikingjelly.activation_based import functional, layer, neuron

    network = nn.Sequential(
        layer.Linear(784, 256), neuron.LIFNode(tau=2.0), layer.Linear(256, 10), neuron.LIFNode(tau=2.0)
    )
    functional.set_step_mode(network, mode)

    def run(net: nn.Module, x: torch.Tensor) -> object:
        functional.reset_net(net)
        return net(x) if mode == "m" else [net(step) for step in x]

    return network, run


def norse() -> tuple[nn.Module, Callable[[nn.Module, torch.Tensor], object]]:
    from norse.torch import LIF, SequentialState

    return SequentialState(nn.Linear(784, 256), LIF(), nn.Linear(256, 10), LIF()), lambda net, x: net(x)


def sinabs() -> tuple[nn.Module, Callable[[nn.Module, torch.Tensor], object]]:
    import sinabs.layers as layers

    network = nn.Sequential(nn.Linear(784, 256), layers.LIF(tau_mem=10.0), nn.Linear(256, 10), layers.LIF(tau_mem=10.0))

    def run(net: nn.Module, x: torch.Tensor) -> object:
        for module in net.modules():
            if hasattr(module, "reset_states"):
                module.reset_states()
        return net(x.transpose(0, 1))

    return network, run


NETWORKS = {
    "spikeledger": ours,
    "snntorch": snntorch,
    "spikingjelly, single step": lambda: spikingjelly("s"),
    "spikingjelly, multi step": lambda: spikingjelly("m"),
    "norse": norse,
    "sinabs": sinabs,
}


def counted(network: nn.Module, run: Callable[[nn.Module, torch.Tensor], object], x: torch.Tensor) -> object:
    with sl.recording(network) as recorder:
        run(network, x)
    return recorder.activity(samples=BATCH, timesteps=STEPS)


def measure(rounds: int, threads: int, *, cpu: bool = False) -> None:
    torch.set_num_threads(threads)
    clock = time.process_time if cpu else time.perf_counter
    x = (torch.rand(STEPS, BATCH, 784, generator=torch.Generator().manual_seed(0)) < DENSITY).float()
    print(f"T = {STEPS}, batch {BATCH}, density {DENSITY}, {threads} threads, {rounds} rounds: median ms, ratio")
    print(f"{'':28s}{'uncounted':>10s}{'one batch':>18s}{'a batch of many':>18s}{'set-up and account':>20s}")
    for name, make in NETWORKS.items():
        try:
            network, run = make()
        except ImportError as error:
            print(f"{name:28s}not installed ({error.name})")
            continue
        network.eval()
        times: dict[str, list[float]] = {"plain": [], "one": [], "many": []}
        with torch.no_grad():
            long = Recorder(network)
            for index in range(rounds + 3):
                for kind in ("plain", "one", "many") if index % 2 else ("many", "one", "plain"):
                    start = clock()
                    if kind == "one":  # set-up, fan-outs and the account itself included
                        counted(network, run, x)
                    elif kind == "many":  # a batch of a longer recording
                        with long.active():
                            run(network, x)
                    else:
                        run(network, x)
                    took = clock() - start
                    if index >= 3:
                        times[kind].append(took)
        plain, one, many = (statistics.median(times[kind]) * 1e3 for kind in ("plain", "one", "many"))
        print(
            f"{name:28s}{plain:10.2f}{one:10.2f} {one / plain:6.2f}x{many:10.2f} {many / plain:6.2f}x{one - many:20.2f}"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--cpu", action="store_true", help="processor time: on a busy machine, with --threads 1")
    chosen = parser.parse_args()
    measure(chosen.rounds, chosen.threads, cpu=chosen.cpu)
