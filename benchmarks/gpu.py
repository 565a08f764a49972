"""How near is the GPU kernel to the card's own copy speed, and how does a training step compare with SpikingJelly's?

Run it on a machine with a CUDA device: `python benchmarks/gpu.py`. It first checks the kernel against the reference,
then prints one JSON object: bandwidths in bytes a second, their ratio to a device-to-device copy, and training steps in
seconds with their ratio, all interleaved in one run. Where there is no device it says so and measures nothing.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from spikeledger.kernels.surrogates import surrogate

ROUNDS = 20


def seconds(deeds: dict[str, Callable[[], Any]]) -> dict[str, float]:
    """Median seconds of each deed; they take turns, so that clocks and load hit all alike."""
    for _ in range(5):
        for deed in deeds.values():
            deed()
    times: dict[str, list[float]] = {name: [] for name in deeds}
    for _ in range(ROUNDS):
        for name, deed in deeds.items():
            start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            start.record()
            deed()
            end.record()
            torch.cuda.synchronize()
            times[name].append(start.elapsed_time(end) / 1e3)
    return {name: statistics.median(row) for name, row in times.items()}


def agreement() -> dict[str, float]:
    """Share of differing spikes and the largest gradient difference to the reference, on random float32 currents."""
    from spikeledger.kernels import gpu, reference

    results = []
    for backend in (gpu, reference):
        currents = torch.randn(20, 128, 1024, generator=torch.Generator().manual_seed(0)).cuda().requires_grad_()
        spikes, _ = backend.integrate_and_fire(
            currents, torch.zeros(128, 1024, device="cuda"), beta=torch.tensor(0.9, device="cuda"), threshold=1.0,
            reset="subtract", reset_delay=False, surrogate=surrogate("atan"),
        )  # fmt: skip
        (spikes * torch.linspace(-1, 1, spikes.numel(), device="cuda").view_as(spikes)).sum().backward()
        results.append((spikes.detach(), currents.grad))
    (ours, our_grad), (theirs, their_grad) = results
    assert our_grad is not None and their_grad is not None
    return {
        "differing_spikes": float((ours != theirs).float().mean()),
        "largest_gradient_difference": float((our_grad - their_grad).abs().max()),
    }


def bandwidth() -> dict[str, float]:
    """The kernel alone on [T, B, N] = [16, 1024, 16384] (1 GiB a tensor), forward, training forward and backward."""
    from spikeledger.kernels import gpu

    shape = (16, 1024, 16384)
    currents = torch.rand(shape, device="cuda")
    target, first = torch.empty_like(currents), torch.zeros(shape[1:], device="cuda")
    beta, grads = torch.tensor(0.9, device="cuda"), torch.rand(shape, device="cuda")
    options: dict[str, Any] = {
        "threshold": 1.0,
        "reset": "subtract",
        "reset_delay": False,
        "surrogate": surrogate("atan"),
    }

    def forward() -> Any:
        return gpu.integrate_and_fire(currents, first, beta=beta, **options)

    wanted = currents.clone().requires_grad_()

    def training_forward() -> Any:
        return gpu.integrate_and_fire(wanted, first, beta=beta, **options)

    spikes, _ = training_forward()

    def backward() -> None:
        torch.autograd.grad(spikes, wanted, grads, retain_graph=True)

    took = seconds(
        {"copy": lambda: target.copy_(currents), "forward": forward, "train": training_forward, "back": backward}
    )
    values = currents.numel() * 4
    copied = 2 * values / took["copy"]
    moved = {"forward": 2 * values, "train": 3 * values, "back": 3 * values}  # reads and writes of each kernel
    return {"copy_bytes_per_second": copied} | {
        f"{name}_share_of_copy": size / took[name] / copied for name, size in moved.items()
    }


class Ours(nn.Module):
    """A population on the kernel that this file measures."""

    def forward(self, currents: torch.Tensor) -> torch.Tensor:
        from spikeledger.kernels import gpu

        spikes, _ = gpu.integrate_and_fire(
            currents, torch.zeros_like(currents[0]), beta=0.5, threshold=1.0, reset="zero", reset_delay=False,
            surrogate=surrogate("atan"),
        )  # fmt: skip
        return spikes


def training() -> dict[str, Any]:
    """A training step of a perceptron (T = 20) with ours and with each back end of SpikingJelly that loads here."""
    steps: dict[str, Callable[[], Any]] = {}
    problems = {}
    batch, width, timesteps = 512, 2048, 20
    inputs = (torch.rand(timesteps, batch, 784, device="cuda") < 0.13).float()
    labels = torch.randint(10, (batch,), device="cuda")

    def step_of(network: nn.Module, reset: Callable[[], Any]) -> Callable[[], Any]:
        optimiser = torch.optim.Adam(network.parameters(), fused=True)

        def step() -> None:
            reset()
            optimiser.zero_grad(set_to_none=True)
            nn.functional.cross_entropy(network(inputs).mean(0), labels).backward()
            optimiser.step()

        return step

    def perceptron(neuron: Callable[[], nn.Module]) -> nn.Module:
        torch.manual_seed(0)
        layers = [nn.Linear(784, width), neuron(), nn.Linear(width, width), neuron(), nn.Linear(width, 10), neuron()]
        return nn.Sequential(*layers).cuda()

    steps["ours"] = step_of(perceptron(Ours), lambda: None)
    try:
        from spikingjelly.activation_based import functional, neuron
        from spikingjelly.activation_based import surrogate as sj_surrogate

        for backend in ("torch", "cupy", "triton", "inductor"):
            try:

                def make(backend: str = backend) -> nn.Module:
                    node = neuron.LIFNode(
                        tau=2.0, decay_input=False, detach_reset=True, step_mode="m",
                        surrogate_function=sj_surrogate.ATan(),
                    )  # fmt: skip
                    node.backend = backend
                    return node

                network = perceptron(make)
                step = step_of(network, lambda network=network: functional.reset_net(network))
                step()
                steps[f"spikingjelly-{backend}"] = step
            except Exception as error:
                problems[f"spikingjelly-{backend}"] = f"{type(error).__name__}: {error}"[:300]
    except ImportError as error:
        problems["spikingjelly"] = str(error)
    took = seconds(steps)
    theirs = [value for name, value in took.items() if name != "ours"]
    return {
        "seconds": took,
        "fastest_spikingjelly_over_ours": min(theirs) / took["ours"] if theirs else None,
        "not_run": problems,
    }


def main() -> None:
    """Print all of it as JSON."""
    if not torch.cuda.is_available():
        print("no CUDA device: not measured")
        sys.exit(0)
    print(
        json.dumps(
            {
                "device": torch.cuda.get_device_name(),
                "torch": torch.__version__,
                "agreement": agreement(),
                "bandwidth": bandwidth(),
                "training": training(),
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
