"""What does a convolution of spikes cost beside torch's best? `python benchmarks/convolution.py --help`

The first table is one layer, 28 x 28, 32 to 64 channels by default: its currents, and its gradient of the weight; the
second a convolutional network with its neurons, inference and training steps. Sides are run in turn, the order rotated
each round; a figure is the median of the rounds' ratios to the first side of the same round, which is torch's fastest:
the best of its layouts, whole or in chunks.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import statistics
import time
from collections.abc import Callable
from functools import partial

import torch
from sides import learner
from torch import Tensor, nn

import spikeledger as sl
from spikeledger import kernels
from spikeledger.kernels import convolution, costs, planes
from spikeledger.networks import bit_layers
from spikeledger.networks.event_driven import EventDriven

Step = Callable[[], object]
LAST = torch.channels_last


def measure(steps: dict[str, Step], rounds: int) -> dict[str, tuple[float, float, float]]:
    """For each side: median milliseconds, median ratio to the best of torch's sides, and the ratios' quartile range."""
    for step in steps.values():
        step()
        step()
    times: dict[str, list[float]] = {name: [] for name in steps}
    order = list(steps)
    gc.collect()
    gc.disable()
    for _ in range(rounds):
        for name in order:
            start = time.perf_counter()
            steps[name]()
            times[name].append(1e3 * (time.perf_counter() - start))
        order = order[1:] + order[:1]
    gc.enable()
    best = min((name for name in steps if name.startswith("torch")), key=lambda name: statistics.median(times[name]))
    found = {}
    for name, mine in times.items():
        ratios = sorted(one / other for one, other in zip(mine, times[best], strict=True))
        spread = ratios[3 * len(ratios) // 4] - ratios[len(ratios) // 4]
        found[name] = (statistics.median(mine), statistics.median(ratios), spread)
    return found


def shown(label: str, found: dict[str, tuple[float, float, float]]) -> None:
    cells = [f"{name} {time:.1f} ms = {ratio:.2f} ±{spread:.2f}" for name, (time, ratio, spread) in found.items()]
    print(f"{label}: " + " | ".join(cells), flush=True)


# -- one layer ---------------------------------------------------------------------------------------------------------


def in_chunks(work: Callable[..., Tensor], size: int, *tensors: Tensor) -> list[Tensor]:
    return [work(*parts) for parts in zip(*(tensor.split(size) for tensor in tensors), strict=True)]


def layer_sides(shape: tuple[int, ...], density: float) -> tuple[dict[str, Step], dict[str, Step]]:
    """Forward, and gradient of the weight; ours with bits at hand, as between layers, and from floats."""
    steps, batch, channels, size, filters = shape
    generator = torch.Generator().manual_seed(0)
    spikes = (torch.rand(steps, batch, channels, size, size, generator=generator) < density).float()
    layer = nn.Conv2d(channels, filters, 3, padding=1, bias=False)
    weight, merged = layer.weight.detach(), spikes.flatten(0, 1)
    grad = torch.randn(steps * batch, filters, size, size)
    last = [tensor.contiguous(memory_format=LAST) for tensor in (merged, weight, grad)]
    geometry = convolution.geometry_of(layer, tuple(spikes.shape[2:]))
    assert geometry is not None
    neuron = sl.LIF()
    settings = bit_layers._settings(neuron)
    events = EventDriven(sl.over_time(layer))

    def product(values: Tensor, weight: Tensor) -> Tensor:
        return nn.functional.conv2d(values, weight, padding=1)

    def back(grad: Tensor, values: Tensor, weight: Tensor) -> Tensor:
        sides = (False, True, False)
        sizes = ((1, 1), (1, 1), (1, 1), False, (0, 0), 1)
        found: Tensor = torch.ops.aten.convolution_backward(grad, values, weight, None, *sizes, sides)[1]
        return found

    def ours() -> Tensor:
        bits = planes.Planes(words, tuple(spikes.shape))  # its spikes are not counted yet
        way = convolution.cheapest(geometry, bits, dense=False)
        return convolution.convolve(None, bits, weight, None, geometry, costs.METHODS[way])

    def ours_fired() -> object:
        bits = planes.Planes(words, tuple(spikes.shape))
        way = costs.METHODS[convolution.cheapest(geometry, bits, dense=False)]
        with torch.no_grad():
            return convolution.convolve_fire(None, bits, weight, None, neuron.decay(), settings, geometry, way)

    def dense_fired() -> object:
        with torch.no_grad():
            return neuron(product(last[0], last[1]).unflatten(0, spikes.shape[:2]))

    def ours_back() -> object:
        flow = last[2]
        bits = planes.Planes(words, tuple(spikes.shape))
        return convolution._back(flow.permute(0, 2, 3, 1), None, weight, bits, geometry, (False, True, False), None)

    packed = planes.pack(spikes)
    assert packed is not None
    words = packed.words
    forward: dict[str, Step] = {
        "torch": partial(product, merged, weight),
        "torch, channels last": partial(product, last[0], last[1]),
        "torch, chunked": partial(in_chunks, lambda part: product(part, last[1]), batch, last[0]),
        "event-driven": ours,
        "event-driven, with neurons": ours_fired,
        "dense, with neurons": dense_fired,
        "event-driven, of floats": partial(events, spikes),
    }
    backward: dict[str, Step] = {
        "torch": partial(back, grad, merged, weight),
        "torch, channels last": partial(back, last[2], last[0], last[1]),
        "event-driven": ours_back,
    }
    return forward, backward


# -- a network ---------------------------------------------------------------------------------------------------------


def parts(shape: tuple[int, ...]) -> list[nn.Module]:
    """Two convolutions, pooling and a linear layer; the first weights are such that about a tenth of neurons fires."""
    _, _, channels, size, filters = shape
    torch.manual_seed(0)
    found = [
        nn.Conv2d(channels, filters, 3, padding=1, bias=False),
        nn.Conv2d(filters, filters, 3, padding=1, bias=False),
        nn.MaxPool2d(2),
        nn.Linear(filters * (size // 2) ** 2, 10),
    ]
    return found


def alive(shape: tuple[int, ...], density: float, network: nn.Module) -> nn.Module:
    weights = [module.weight for module in network.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    arriving = (shape[2] * 9 * density, shape[4] * 9 * 0.1, weights[2].shape[1] * 0.1)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight, spikes in zip(weights, arriving, strict=True):
            weight.normal_(0, 0.45 / max(spikes, 1) ** 0.5, generator=generator)
    return network


def ours_of(shape: tuple[int, ...], *, event_driven: bool = True) -> nn.Module:
    first, second, pool, linear = parts(shape)
    layers = nn.Sequential(
        sl.over_time(first), sl.LIF(), sl.over_time(second), sl.LIF(), sl.over_time(pool), nn.Flatten(2), linear, sl.LIF(),
    )  # fmt: skip
    return sl.event_driven(layers) if event_driven else layers


def spikingjelly_of(shape: tuple[int, ...]) -> nn.Module:
    neuron = importlib.import_module("spikingjelly.activation_based.neuron")
    functional = importlib.import_module("spikingjelly.activation_based.functional")
    jelly = importlib.import_module("spikingjelly.activation_based.layer")

    def lif() -> nn.Module:
        fresh: nn.Module = neuron.LIFNode(tau=10.0, decay_input=False, detach_reset=True, v_reset=None)
        return fresh

    _, _, channels, size, filters = shape
    layers = nn.Sequential(
        jelly.Conv2d(channels, filters, 3, padding=1, bias=False), lif(),
        jelly.Conv2d(filters, filters, 3, padding=1, bias=False), lif(),
        jelly.MaxPool2d(2), jelly.Flatten(), jelly.Linear(filters * (size // 2) ** 2, 10), lif(),
    )  # fmt: skip
    functional.set_step_mode(layers, "m")
    layers.register_forward_pre_hook(lambda module, args: functional.reset_net(module))
    return layers


class Steps(nn.Module):
    """snnTorch's way: a loop over time."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        snn = importlib.import_module("snntorch")
        self.first, self.second, self.pool, self.linear = parts(shape)
        self.neurons = [snn.Leaky(beta=0.9) for _ in range(3)]

    def forward(self, inputs: Tensor) -> Tensor:
        states = [neuron.init_leaky() for neuron in self.neurons]
        out = []
        for spikes in inputs:
            spikes, states[0] = self.neurons[0](self.first(spikes), states[0])
            spikes, states[1] = self.neurons[1](self.second(spikes), states[1])
            spikes, states[2] = self.neurons[2](self.linear(self.pool(spikes).flatten(1)), states[2])
            out.append(spikes)
        return torch.stack(out)


def network_sides(shape: tuple[int, ...], density: float, train: bool, names: list[str]) -> dict[str, Step]:
    inputs = (torch.rand(shape[0], shape[1], shape[2], shape[3], shape[3]) < density).float()
    labels = torch.arange(shape[1]) % 10

    def step_of(network: nn.Module, values: Tensor, backend: str = "auto") -> Step:
        alive(shape, density, network).train(train)
        if not train:

            def infer() -> object:
                with torch.no_grad(), sl.backend(backend):
                    return network(values).mean(0)

            return infer
        step = learner(network, lambda: network(values).mean(0), labels)

        def learn() -> object:
            with sl.backend(backend):
                return step()

        return learn

    def dense_products() -> Step:
        """The convolutions alone, no neurons: forward and backward of the three weighted layers, channels last."""
        first, second, pool, linear = alive(shape, density, nn.Sequential(*parts(shape))).to(memory_format=LAST)
        values = inputs.flatten(0, 1).contiguous(memory_format=LAST)
        middle = torch.rand(values.shape[0], shape[4], *values.shape[2:]).contiguous(memory_format=LAST)

        def run() -> object:
            with torch.set_grad_enabled(train):
                out = (first(values), second(middle.detach().requires_grad_(train)))
                scores = linear(pool(middle).flatten(1).detach().requires_grad_(train))
                if train:
                    torch.autograd.backward((*out, scores), (middle, middle, torch.ones_like(scores)))
            return None

        return run

    makers: dict[str, Callable[[], Step]] = {
        "event-driven": lambda: step_of(ours_of(shape), inputs),
        "fused, dense": lambda: step_of(ours_of(shape, event_driven=False), inputs),
        "plain torch": lambda: step_of(ours_of(shape, event_driven=False), inputs, "reference"),
        "SpikingJelly": lambda: step_of(spikingjelly_of(shape), inputs),
        "SpikingJelly, channels last": lambda: step_of(spikingjelly_of(shape).to(memory_format=LAST), inputs),
        "snnTorch": lambda: step_of(Steps(shape), inputs),
    }
    return {"torch's products": dense_products(), **{name: makers[name]() for name in names}}


PEERS = ["event-driven", "fused, dense", "plain torch", "SpikingJelly", "SpikingJelly, channels last", "snnTorch"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--timesteps", type=int, default=10)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--channels", type=int, nargs=2, default=[32, 64])
    parser.add_argument("--size", type=int, default=28)
    parser.add_argument("--densities", type=float, nargs="+", default=[0.01, 0.05, 0.13, 0.3, 0.5])
    parser.add_argument("--tables", nargs="+", choices=["layer", "infer", "train"], default=["layer", "infer", "train"])
    parser.add_argument("--sides", nargs="+", choices=PEERS, default=PEERS)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    shape = (options.timesteps, options.batch, options.channels[0], options.size, options.channels[1])
    print(f"torch {torch.__version__}, {options.threads} threads, back end {kernels.name()}, "
          f"[T, B, channels, size, filters] = {list(shape)}, {options.rounds} rounds")  # fmt: skip
    print("milliseconds = ratio to torch's best, ± interquartile range")
    for density in options.densities:
        if "layer" in options.tables:
            for label, sides in zip(("forward", "weight"), layer_sides(shape, density), strict=True):
                shown(f"{label} d={density}", measure(sides, options.rounds))
        for label in ("infer", "train"):
            if label in options.tables:
                sides = network_sides(shape, density, label == "train", options.sides)
                shown(f"{label} d={density}", measure(sides, options.rounds))


if __name__ == "__main__":
    main()
