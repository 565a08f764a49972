"""The sides that are compared: one training step and one inference of a perceptron, ours, the peers', and the floor.

Each side is a function without arguments, made for one setting. All have the same shapes, loss and optimiser.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

import spikeledger as sl

Step = Callable[[], object]


def with_one(place: float, value: float) -> Callable[[Tensor, Tensor], Tensor]:
    """Spikes of which one, that far behind the first, has another value."""

    def put(spikes: Tensor, _: Tensor) -> Tensor:
        spikes.view(-1)[int(place * (spikes.numel() - 1))] = value
        return spikes

    return put


#: inputs that are not spikes, made of spikes and of numbers between 0 and 1: what looking at them in vain costs
ODD: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "graded": lambda spikes, numbers: spikes * numbers,
    "graded everywhere": lambda spikes, numbers: numbers / 4,
    "0 and 0.5": lambda spikes, _: spikes / 2,
    "0 to 3": lambda spikes, numbers: spikes * (3 * numbers).ceil(),
    "0 and 1, but the last": with_one(1, 0.5),
    "0 and 1, but a NaN last": with_one(1, float("nan")),
    "0 and 1, but one amid": with_one(0.5, 0.5),
    "-0 and 1 (are spikes)": lambda spikes, _: torch.where(spikes == 0, -0.0, spikes),
}


@dataclass(frozen=True)
class Setting:
    """One point of the comparison: widths of the perceptron, steps, samples, share of ones in the input."""

    widths: tuple[int, ...] = (784, 256, 10)
    timesteps: int = 20
    batch: int = 128
    density: float = 0.13
    train: bool = True
    odd: str = ""  # what of ODD is done to the input

    def inputs(self) -> Tensor:
        generator = torch.Generator().manual_seed(0)
        shape = (self.timesteps, self.batch, self.widths[0])
        spikes = (torch.rand(shape, generator=generator) < self.density).float()
        return ODD[self.odd](spikes, torch.rand(shape, generator=generator)) if self.odd else spikes

    def labels(self) -> Tensor:
        return torch.arange(self.batch) % self.widths[-1]


def alive(setting: Setting, network: nn.Module) -> None:
    """Scale the weights so that about a tenth of the hidden neurons fires at any density of the input."""
    fan_in = (setting.widths[0] * max(setting.density, 0.02), *(0.1 * width for width in setting.widths[1:]))
    linears = [module for module in network.modules() if isinstance(module, nn.Linear)]
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for linear, spikes in zip(linears, fan_in, strict=False):
            linear.weight.normal_(0, 0.45 / spikes**0.5, generator=generator)
            if linear.bias is not None:
                linear.bias.zero_()


def stepper(
    setting: Setting,
    network: nn.Module,
    rates: Callable[[Tensor], Tensor],
    adam: Callable[..., torch.optim.Optimizer] = torch.optim.Adam,
) -> Step:
    inputs, labels = setting.inputs(), setting.labels()
    if not setting.train:
        network.eval()

        def infer() -> object:
            with torch.no_grad():
                return rates(inputs)

        return infer
    return learner(network, lambda: rates(inputs), labels, adam)


def learner(
    network: nn.Module,
    rates: Callable[[], Tensor],
    labels: Tensor,
    adam: Callable[..., torch.optim.Optimizer] = torch.optim.Adam,
) -> Step:
    """A training step, with a rate so small that the network stays as it is."""
    optimiser = adam(network.parameters(), lr=1e-5, fused=True)

    def learn() -> object:
        optimiser.zero_grad()
        loss = nn.functional.cross_entropy(10 * rates(), labels)
        loss.backward()
        optimiser.step()
        return loss

    return learn


def ours(setting: Setting, *, backend: str = "auto", event_driven: bool = True) -> Step:
    network = sl.zoo.mlp(*setting.widths, encoder=None, timesteps=setting.timesteps)
    alive(setting, network)
    if not event_driven:
        network.layers = nn.Sequential(*network.layers)
    step = stepper(setting, network, network.scores, sl.Adam)

    def run() -> object:
        with sl.backend(backend):
            return step()

    return run


def dense_floor(setting: Setting) -> Step:
    """What no dense library can go below: the matrix products, the membranes once through memory, and Adam."""
    rows = setting.timesteps * setting.batch
    spikes = [torch.rand(rows, width) for width in setting.widths]
    weights = [torch.randn(m, n) for n, m in zip(setting.widths, setting.widths[1:], strict=False)]
    currents = [torch.empty(rows, width) for width in setting.widths[1:]]
    back = [torch.empty(rows, width) for width in setting.widths[:-1]]
    to_weights = [torch.empty_like(weight) for weight in weights]
    parameters = [nn.Parameter(weight.clone()) for weight in weights]
    optimiser = torch.optim.Adam(parameters, lr=1e-5, fused=True)
    for parameter, grad in zip(parameters, to_weights, strict=True):
        parameter.grad = grad

    def run() -> object:
        for i, weight in enumerate(weights):
            torch.mm(spikes[i], weight.t(), out=currents[i])
            spikes[i + 1].copy_(currents[i])  # currents read, spikes written
        if setting.train:
            for i in reversed(range(len(weights))):
                currents[i].copy_(spikes[i + 1])  # gradient of the spikes read, of the currents written
                torch.mm(currents[i].t(), spikes[i], out=to_weights[i])
                if i:
                    torch.mm(currents[i], weights[i], out=back[i])
            optimiser.step()
        return None

    return run


def plain_loop(setting: Setting) -> Step:
    return ours(setting, backend="reference", event_driven=False)


def fused_dense(setting: Setting) -> Step:
    return ours(setting, event_driven=False)


class Steps(nn.Module):
    """Layers run step by step, as snnTorch's are: `[T, B, *N]` -> what the last one sends at each step."""

    def __init__(self, layers: nn.Sequential) -> None:
        super().__init__()
        self.layers = layers

    def forward(self, sequence: Tensor) -> Tensor:
        states: dict[nn.Module, Any] = {
            layer: layer.init_leaky()
            for layer in self.layers
            if hasattr(layer, "init_leaky")  # type: ignore[operator]
        }
        sent = []
        for flow in sequence:
            for layer in self.layers:
                if layer in states:
                    flow, states[layer] = layer(flow, states[layer])
                else:
                    flow = layer(flow)
            sent.append(flow)
        return torch.stack(sent)


def snntorch(setting: Setting) -> Step:
    snn = importlib.import_module("snntorch")
    layers = nn.ModuleList(nn.Linear(n, m) for n, m in zip(setting.widths, setting.widths[1:], strict=False))
    alive(setting, layers)
    network = Steps(nn.Sequential(*(part for layer in layers for part in (layer, snn.Leaky(beta=0.9)))))

    def rates(inputs: Tensor) -> Tensor:
        out: Tensor = network(inputs).mean(0)
        return out

    return stepper(setting, layers, rates)


def spikingjelly(setting: Setting) -> Step:
    neuron = importlib.import_module("spikingjelly.activation_based.neuron")
    functional = importlib.import_module("spikingjelly.activation_based.functional")
    jelly = importlib.import_module("spikingjelly.activation_based.layer")
    layers = nn.Sequential()
    for n, m in zip(setting.widths, setting.widths[1:], strict=False):
        layers.append(jelly.Linear(n, m))
        layers.append(neuron.LIFNode(tau=10.0, decay_input=False, detach_reset=True, v_reset=None))
    functional.set_step_mode(layers, "m")
    alive(setting, layers)

    def rates(inputs: Tensor) -> Tensor:
        functional.reset_net(layers)
        return layers(inputs).mean(0)

    return stepper(setting, layers, rates)


SIDES: dict[str, Callable[[Setting], Step]] = {
    "dense floor": dense_floor,
    "event-driven": ours,
    "fused, dense": fused_dense,
    "plain torch": plain_loop,
    "SpikingJelly": spikingjelly,
    "snnTorch": snntorch,
}
