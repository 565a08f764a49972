"""How near is the GPU kernel to the card's own copy speed, and how does a training step compare with the peers'?

`python benchmarks/gpu.py` on a machine with a CUDA device first checks the kernel against the reference; then it prints one
JSON object: bandwidths in bytes a second, their ratio to a device-to-device copy, and training steps in seconds with
their ratio, all interleaved in one run. `--docs` prints the table of the docs besides. Where there is no device it says so
and measures nothing. `--dry` runs all of it, tiny, on the processor, under Triton's interpreter where triton is installed:
whether the script ends, and whether the kernel agrees; its times say nothing of a GPU.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import torch
from sides import Steps
from torch import nn

from spikeledger.kernels.surrogates import surrogate

ATAN = surrogate("atan")


@dataclass(frozen=True)
class Plan:
    """Where it runs and how much: shapes `[T, B, N]` of the check and of the kernel alone, and T, B, N of the network."""

    device: str
    rounds: int
    checked: tuple[int, int, int]
    alone: tuple[int, int, int]
    network: tuple[int, int, int]


MEASURED = Plan("cuda", 20, (20, 128, 1024), (16, 1024, 16384), (20, 512, 2048))  # 1 GiB a tensor
DRY = Plan("cpu", 1, (3, 2, 40), (2, 4, 64), (3, 4, 32))


def kernel(plan: Plan) -> ModuleType:
    """The Triton kernels; in a dry run without triton the reference, so that the rest of the script still runs."""
    try:
        return importlib.import_module("spikeledger.kernels.gpu")
    except ImportError:
        if plan.device == "cuda":
            raise
        return importlib.import_module("spikeledger.kernels.reference")


def clocked(plan: Plan, deed: Callable[[], Any]) -> float:
    if plan.device != "cuda":
        begin = time.perf_counter()
        deed()
        return time.perf_counter() - begin
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    deed()
    end.record()
    torch.cuda.synchronize()
    return start.elapsed_time(end) / 1e3


def seconds(plan: Plan, deeds: dict[str, Callable[[], Any]]) -> dict[str, float]:
    """Median seconds of each deed; they take turns, so that clocks and load hit all alike."""
    for _ in range(min(5, plan.rounds)):
        for deed in deeds.values():
            deed()
    times: dict[str, list[float]] = {name: [] for name in deeds}
    for _ in range(plan.rounds):
        for name, deed in deeds.items():
            times[name].append(clocked(plan, deed))
    return {name: statistics.median(row) for name, row in times.items()}


def agreement(plan: Plan) -> dict[str, Any]:
    """Share of differing spikes and the largest gradient difference to the reference, on random float32 currents."""
    from spikeledger.kernels import reference

    found = kernel(plan)
    results = []
    for backend in (found, reference):
        currents = torch.randn(plan.checked, generator=torch.Generator().manual_seed(0)).to(plan.device)
        currents.requires_grad_()
        spikes, _ = backend.integrate_and_fire(
            currents, torch.zeros(plan.checked[1:], device=plan.device), beta=torch.tensor(0.9, device=plan.device),
            threshold=1.0, reset="subtract", reset_delay=False, surrogate=ATAN,
        )  # fmt: skip
        (spikes * torch.linspace(-1, 1, spikes.numel(), device=plan.device).view_as(spikes)).sum().backward()
        results.append((spikes.detach(), currents.grad))
    (ours, our_grad), (theirs, their_grad) = results
    assert our_grad is not None and their_grad is not None
    return {
        "kernel": found.__name__.rpartition(".")[2],
        "spikes": int(ours.sum()),
        "differing_spikes": float((ours != theirs).float().mean()),
        "largest_gradient_difference": float((our_grad - their_grad).abs().max()),
    }


def bandwidth(plan: Plan) -> dict[str, float]:
    """The kernel alone: forward, training forward and backward, as a share of the device's own copy speed."""
    currents = torch.rand(plan.alone, device=plan.device)
    target, first = torch.empty_like(currents), torch.zeros(plan.alone[1:], device=plan.device)
    beta, grads = torch.tensor(0.9, device=plan.device), torch.rand(plan.alone, device=plan.device)
    wanted = currents.clone().requires_grad_()

    def run(values: torch.Tensor) -> Any:
        return kernel(plan).integrate_and_fire(
            values, first, beta=beta, threshold=1.0, reset="subtract", reset_delay=False, surrogate=ATAN
        )

    spikes, _ = run(wanted)
    took = seconds(
        plan,
        {
            "copy": lambda: target.copy_(currents),
            "forward": lambda: run(currents),
            "train": lambda: run(wanted),
            "back": lambda: torch.autograd.grad(spikes, wanted, grads, retain_graph=True),
        },
    )
    values = currents.numel() * 4
    copied = 2 * values / took["copy"]
    moved = {"forward": 2 * values, "train": 3 * values, "back": 3 * values}  # reads and writes of each kernel
    return {"copy_bytes_per_second": copied} | {
        f"{name}_share_of_copy": size / took[name] / copied for name, size in moved.items()
    }


class Ours(nn.Module):
    """A population on the kernel that this file measures."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self.plan = plan

    def forward(self, currents: torch.Tensor) -> torch.Tensor:
        spikes, _ = kernel(self.plan).integrate_and_fire(
            currents, torch.zeros_like(currents[0]), beta=0.5, threshold=1.0, reset="zero", reset_delay=False,
            surrogate=ATAN,
        )  # fmt: skip
        return spikes


def training(plan: Plan) -> dict[str, Any]:
    """A training step of a perceptron with ours, with each back end of SpikingJelly that loads here, and with snnTorch."""
    steps: dict[str, Callable[[], Any]] = {}
    problems = {}
    timesteps, batch, width = plan.network
    inputs = (torch.rand(timesteps, batch, 784, device=plan.device) < 0.13).float()
    labels = torch.randint(10, (batch,), device=plan.device)

    def step_of(network: nn.Module, reset: Callable[[], Any]) -> Callable[[], Any]:
        optimiser = torch.optim.Adam(network.parameters(), fused=plan.device == "cuda")

        def step() -> None:
            reset()
            optimiser.zero_grad(set_to_none=True)
            nn.functional.cross_entropy(network(inputs).mean(0), labels).backward()
            optimiser.step()

        return step

    def perceptron(neuron: Callable[[], nn.Module]) -> nn.Sequential:
        torch.manual_seed(0)
        layers = [nn.Linear(784, width), neuron(), nn.Linear(width, width), neuron(), nn.Linear(width, 10), neuron()]
        return nn.Sequential(*layers).to(plan.device)

    def attempt(name: str, make: Callable[[], Callable[[], Any]]) -> None:
        try:
            step = make()
            step()
            steps[name] = step
        except Exception as error:
            problems[name] = f"{type(error).__name__}: {error}"[:300]

    def jelly(backend: str) -> Callable[[], Any]:
        neuron = importlib.import_module("spikingjelly.activation_based.neuron")
        functional = importlib.import_module("spikingjelly.activation_based.functional")
        theirs = importlib.import_module("spikingjelly.activation_based.surrogate")

        def make() -> nn.Module:
            node: nn.Module = neuron.LIFNode(
                tau=2.0, decay_input=False, detach_reset=True, step_mode="m", surrogate_function=theirs.ATan()
            )
            node.backend = backend  # type: ignore[assignment]
            return node

        network = perceptron(make)
        return step_of(network, lambda: functional.reset_net(network))

    def leaky() -> Callable[[], Any]:
        snn = importlib.import_module("snntorch")
        return step_of(Steps(perceptron(lambda: snn.Leaky(beta=0.5, reset_mechanism="zero"))), lambda: None)

    steps["ours"] = step_of(perceptron(lambda: Ours(plan)), lambda: None)
    for backend in ("torch", "cupy", "triton", "inductor") if plan.device == "cuda" else ("torch",):
        attempt(f"SpikingJelly, {backend}", lambda backend=backend: jelly(backend))  # type: ignore[misc]
    attempt("snnTorch", leaky)
    took = seconds(plan, steps)
    return {
        "seconds": took,
        "over_ours": {name: value / took["ours"] for name, value in took.items() if name != "ours"},
        "not_run": problems,
    }


def table(found: dict[str, Any]) -> str:
    """The table of `docs/explanation/kernels.md`."""
    shares, steps = found["bandwidth"], found["training"]
    rows = [
        f"| neurons, {name.removesuffix('_share_of_copy')}: share of copy speed | {value:.2f} |"
        for name, value in shares.items()
        if name.endswith("_share_of_copy")
    ]
    rows += [f"| training step, {name} ÷ ours | {value:.2f} |" for name, value in steps["over_ours"].items()]
    head = f"| {found['device']}, torch {found['torch']} | |\n| --- | --- |"
    return "\n".join([head, *rows])


def main() -> None:
    """Print all of it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dry", action="store_true", help="run it all, tiny, on the processor: nothing is measured")
    parser.add_argument("--docs", action="store_true", help="print the table of the docs besides")
    options = parser.parse_args()
    if options.dry:
        os.environ["TRITON_INTERPRET"] = "1"  # asked for when triton is imported
    elif not torch.cuda.is_available():
        print("no CUDA device: not measured (--dry tries the script on the processor)")
        sys.exit(0)
    plan = DRY if options.dry else MEASURED
    found = {
        "device": "a dry run on the processor: nothing is measured" if options.dry else torch.cuda.get_device_name(),
        "torch": torch.__version__,
        "agreement": agreement(plan),
        "bandwidth": bandwidth(plan),
        "training": training(plan),
    }
    print(json.dumps(found, indent=2))
    if options.docs:
        print(table(found))


if __name__ == "__main__":
    main()
