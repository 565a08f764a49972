"""What does a recurrent population cost, trained and recorded? `python benchmarks/recurrent.py --help`

A network 700-N-20 whose hidden population is connected to itself, all to all, on sequences as of 700 cochlear channels.
Sides take turns, the order rotated each round; a figure is the median of the rounds' ratios to the first side, by processor
time on one thread, so that a busy machine changes little. Peers take part where they are installed.
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from sides import Step, learner
from torch import Tensor, nn

import spikeledger as sl
from spikeledger.networks.event_driven import event_driven

CHANNELS, CLASSES, BETA = 700, 20, 0.9


def inputs_of(steps: int, batch: int, density: float) -> Tensor:
    return (torch.rand(steps, batch, CHANNELS, generator=torch.Generator().manual_seed(0)) < density).float()


def layers_of(width: int, density: float) -> tuple[nn.Linear, nn.Linear, nn.Linear]:
    """Into, within and out of the hidden population, of which about a tenth fires."""
    generator = torch.Generator().manual_seed(1)
    found = nn.Linear(CHANNELS, width), nn.Linear(width, width, bias=False), nn.Linear(width, CLASSES)
    with torch.no_grad():
        for layer, spikes in zip(found, (CHANNELS * density, 0.4 * width, 0.1 * width), strict=True):
            layer.weight.normal_(0, 0.45 / spikes**0.5, generator=generator)
            if layer.bias is not None:
                layer.bias.zero_()
    return found


def ours(width: int, density: float) -> nn.Sequential:
    into, within, out = layers_of(width, density)
    network = event_driven(
        nn.Sequential(into, sl.neurons.Recurrent(sl.neurons.LIF(BETA), within), out, sl.neurons.LIF(BETA))
    )
    assert isinstance(network, nn.Sequential)
    return network


class ByHand(nn.Module):
    """The same in plain torch: a loop over time, with the fused product over all steps where there is one."""

    def __init__(self, width: int, density: float) -> None:
        super().__init__()
        self.into, self.within, self.out = layers_of(width, density)

    def forward(self, inputs: Tensor) -> Tensor:
        currents = self.into(inputs)
        membrane = fired = torch.zeros_like(currents[0])
        current_out = torch.zeros(len(currents[0]), CLASSES)
        sent = []
        for current in currents:
            membrane = BETA * membrane + current + self.within(fired)
            fired = _Spike.apply(membrane - 1)
            membrane = membrane - fired.detach()
            current_out = BETA * current_out + self.out(fired)
            last = _Spike.apply(current_out - 1)
            current_out = current_out - last.detach()
            sent.append(last)
        return torch.stack(sent)


class _Spike(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, distance: Tensor) -> Tensor:
        ctx.save_for_backward(distance)
        return (distance > 0).float()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (distance,) = ctx.saved_tensors
        return grad / (1 + (torch.pi * distance) ** 2)


class SnnTorch(nn.Module):
    """Its recurrent neuron, step by step."""

    def __init__(self, width: int, density: float) -> None:
        super().__init__()
        snn = importlib.import_module("snntorch")
        self.into, within, self.out = layers_of(width, density)
        self.hidden = snn.RLeaky(beta=BETA, linear_features=width)
        self.hidden.recurrent.weight = within.weight
        nn.init.zeros_(self.hidden.recurrent.bias)
        self.last = snn.Leaky(beta=BETA)

    def forward(self, inputs: Tensor) -> Tensor:
        (fired, membrane), out = self.hidden.init_rleaky(), self.last.init_leaky()
        sent = []
        for step in inputs:
            fired, membrane = self.hidden(self.into(step), fired, membrane)
            spikes, out = self.last(self.out(fired), out)
            sent.append(spikes)
        return torch.stack(sent)


class SpikingJelly(nn.Module):
    """Its recurrent container around its neurons, over all steps."""

    def __init__(self, width: int, density: float) -> None:
        super().__init__()
        base = "spikingjelly.activation_based."
        layer, neuron, self.functional = (
            importlib.import_module(base + name) for name in ("layer", "neuron", "functional")
        )
        self.into, within, self.out = layers_of(width, density)
        self.within = within
        options: dict[str, Any] = {"tau": 10.0, "decay_input": False, "detach_reset": True, "v_reset": None}
        self.hidden = layer.ElementWiseRecurrentContainer(
            neuron.LIFNode(**options), lambda current, fired: current + within(fired), step_mode="m"
        )
        self.last = neuron.LIFNode(**options, step_mode="m")

    def forward(self, inputs: Tensor) -> Tensor:
        self.functional.reset_net(self)
        sent: Tensor = self.last(self.out(self.hidden(self.into(inputs))))
        return sent


PEERS: dict[str, tuple[str, Callable[[int, float], nn.Module]]] = {
    "plain torch": ("torch", ByHand), "snnTorch": ("snntorch", SnnTorch), "SpikingJelly": ("spikingjelly", SpikingJelly),
}  # fmt: skip


def learning(network: nn.Module, inputs: Tensor, adam: Callable[..., torch.optim.Optimizer]) -> Step:
    return learner(network, lambda: network(inputs).mean(0), torch.arange(inputs.shape[1]) % CLASSES, adam)


def trained(width: int, inputs: Tensor, density: float) -> dict[str, Step]:
    """A training step of each side."""
    sides = {"ours": learning(ours(width, density), inputs, sl.learning.Adam)}
    for name, (needs, make) in PEERS.items():
        if importlib.util.find_spec(needs) is not None:
            sides[name] = learning(make(width, density), inputs, torch.optim.Adam)
    return sides


def recorded(width: int, inputs: Tensor, density: float) -> dict[str, Step]:
    """A run that nobody looks at, the same recorded, and recorded step by step, as where a hook looks at each step too."""
    network, hooked = ours(width, density), ours(width, density)
    hooked[1].connections.register_forward_hook(lambda *_: None)  # type: ignore[union-attr]

    def plain() -> object:
        with torch.no_grad():
            return network(inputs)

    def inside(of: nn.Module) -> Step:
        def run() -> object:
            with sl.recording(of) as found, torch.no_grad():
                of(inputs)
            return found

        return run

    one, other = (sl.record(each, inputs) for each in (network, hooked))
    assert one.total("synaptic_op") > 0
    for event in ("synaptic_op", "spike", "active_update"):
        apart = abs(one.total(event) - other.total(event)) / other.total(event)
        assert apart < 1e-3, f"{event}: {one.total(event)}, step by step {other.total(event)}"  # sums in another order
    return {
        "nobody looks": plain, "recording": inside(network), "record": lambda: sl.record(network, inputs),
        "step by step": inside(hooked),
    }  # fmt: skip


def measure(sides: dict[str, Step], rounds: int) -> dict[str, tuple[float, float]]:
    """Median milliseconds of each side, and of its ratio to the first."""
    for step in sides.values():
        step()
    order, times = list(sides), dict[str, list[float]]()
    for _ in range(rounds):
        for name in order:
            begun = time.process_time()
            sides[name]()
            times.setdefault(name, []).append(time.process_time() - begun)
        order = order[1:] + order[:1]
    first = times[next(iter(sides))]
    return {
        name: (
            1e3 * statistics.median(times[name]),
            statistics.median(a / b for a, b in zip(times[name], first, strict=True)),
        )
        for name in sides
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--widths", type=int, nargs="+", default=[128, 512])
    parser.add_argument("--timesteps", type=int, default=100)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--density", type=float, default=0.02)
    parser.add_argument("--rounds", type=int, default=9)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    inputs = inputs_of(asked.timesteps, asked.batch, asked.density)
    for width in asked.widths:
        network = ours(width, asked.density)
        with torch.no_grad():
            rate = float(network[1](network[0](inputs)).mean())
        print(f"{CHANNELS}-{width}-{CLASSES}, T = {asked.timesteps}, B = {asked.batch}: {rate:.1%} fire a step")
        for what, sides in (("training step", trained), ("recorded", recorded)):
            found = measure(sides(width, inputs, asked.density), asked.rounds)
            row = "; ".join(f"{name} {ms:.1f} ms ({ratio:.2f} x)" for name, (ms, ratio) in found.items())
            print(f"  {what}: {row}", flush=True)


if __name__ == "__main__":
    main()
