"""What do the neurons of the family cost beside plain LIF, forward and with the way back? `python benchmarks/neurons.py`

CPU time on one thread, the least of the rounds, in turn; in brackets the same on plain torch.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

import spikeledger as sl

NEURONS: dict[str, Callable[[int], nn.Module]] = {
    "LIF": lambda width: sl.LIF(0.9),
    "LIF, learned": lambda width: sl.LIF(torch.full((width,), 0.9), learn_beta=True),
    "LIF, truncate=5": lambda width: sl.LIF(0.9, truncate=5),
    "LIF, refractory=1": lambda width: sl.LIF(0.9, refractory=1),
    "Synaptic": lambda width: sl.Synaptic(),
    "Synaptic, learned": lambda width: sl.Synaptic(learn_alpha=True, learn_beta=True),
    "AdaptiveLIF": lambda width: sl.AdaptiveLIF(),
    "AdaptiveLIF, learned": lambda width: sl.AdaptiveLIF(learn_adaptation=True),
    "one to one": lambda width: sl.Recurrent.one_to_one(sl.LIF(0.9), -0.5),
    "all to all": lambda width: sl.Recurrent.all_to_all(sl.LIF(0.9), width),
    "lateral": lambda width: sl.Recurrent.lateral(sl.LIF(0.9), width, 0.1),
}


def forth(neuron: nn.Module, currents: Tensor) -> None:
    with torch.no_grad():
        neuron(currents)


def forth_and_back(neuron: nn.Module, currents: Tensor) -> None:
    currents = currents.detach().requires_grad_()
    spikes = neuron(currents)
    spikes.backward(torch.ones_like(spikes))


def milliseconds(deed: Callable[[nn.Module, Tensor], None], neuron: nn.Module, currents: Tensor, backend: str) -> float:
    with sl.backend(backend):
        start = time.process_time()
        deed(neuron, currents)
        return 1e3 * (time.process_time() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shape", type=int, nargs=3, default=[20, 128, 512], metavar=("T", "B", "N"))
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    currents = torch.randn(options.shape) * 0.5
    made = {name: make(options.shape[2]) for name, make in NEURONS.items()}
    best: dict[tuple[str, Callable[..., None], str], float] = {}
    for _ in range(options.rounds):
        for name, neuron in made.items():
            for deed in (forth, forth_and_back):
                for backend in ("auto", "reference"):
                    took = milliseconds(deed, neuron, currents, backend)
                    best[name, deed, backend] = min(took, best.get((name, deed, backend), took))
    print(f"[T, B, N] = {options.shape}, milliseconds of one thread; in brackets plain torch")
    for name in made:
        fore, aft = (
            [best[name, deed, backend] for backend in ("auto", "reference")] for deed in (forth, forth_and_back)
        )
        print(f"{name:22s} forward {fore[0]:7.2f} ({fore[1]:6.1f})   with the way back {aft[0]:7.2f} ({aft[1]:6.1f})")


if __name__ == "__main__":
    main()
