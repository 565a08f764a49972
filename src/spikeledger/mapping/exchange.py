"""A mapped network as a torch graph again, and so as a NIR file: `write_nir(as_graph(sl.map(net, x)), ...)`.

Whatever the tracer understood can be written this way: loops, skips, delays, masks, batch norm, and modules of one's own.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..errors import InputError
from ..networks.delays import Delay
from ..networks.neurons import LIF, AdaptiveLIF, Neuron, Synaptic
from ..networks.nir_graph import Edge, NirNetwork
from ..networks.nir_nodes import Neurons
from ..networks.spiking import over_time
from .mapped import Mapped, Population, Projection
from .synapses import Convolution, Sparse, merged

_LARGEST = 1 << 28  # weights of one matrix


def as_graph(network: Mapped, *, dt: float = 1e-3) -> NirNetwork:
    """The same populations and projections as torch modules `[T, B, *N] -> [T, B, N]`, spike for spike.

    Convolutions that join whole populations stay convolutions; all else becomes matrices, pooling and masks included.

    Args:
        dt: seconds of a step, which NIR's constants are counted in.

    Raises:
        InputError: several inputs, a membrane that does not start at rest, or a matrix too large to write.
    """
    if len(network.inputs) != 1:
        raise InputError(f"the network has {len(network.inputs)} inputs, and a NIR graph here has one")
    start = network.inputs[0]
    whole = {name for name, each in network.populations.items() if _stays(network, each)}
    modules: dict[str, nn.Module | None] = {start: None}
    edges: list[Edge] = []

    def follow(before: str, name: str, module: nn.Module) -> str:
        while name in modules or name in network.populations or name == "output":
            name += "_"
        modules[name] = module
        edges.append((before, name))
        return name

    for population in network.populations.values():
        if population.spiking:
            modules[population.name] = _neurons(population, population.name in whole)
    flat: dict[str, str] = {}
    for number, projection in enumerate(network.projections):
        source, target = network.populations[projection.source], network.populations[projection.target]
        straight = _convolves(projection, source, target, whole)
        last = projection.source
        if not straight and source.name in whole and len(source.shape) > 1:
            flat.setdefault(last, follow(last, f"{last}_flat", nn.Flatten(2)) if last not in flat else flat[last])
            last = flat[last]
        loops = projection.source == projection.target and projection.delay == 1  # a loop takes one step by itself
        if projection.delay and not loops:
            shape = source.shape if straight else (source.size,)
            steps = torch.full(shape, projection.delay, dtype=torch.int64)
            last = follow(last, f"delay{number}", Delay(steps))
        label = (projection.layer or f"weights{number}").replace(" (direct)", "_direct")
        last = follow(last, label, _convolution(projection) if straight else _matrix(projection))
        edges.append((last, projection.target))
    end = "output" if "output" not in modules else "output_"
    modules[end] = None
    edges.append((network.output, end))
    heard = {b for _, b in edges}
    for name in list(modules):  # neurons that nothing reaches may still fire by their own current
        if name != start and name not in heard:
            nothing = nn.Linear(network.populations[start].size, network.populations[name].size, bias=False)
            with torch.no_grad():
                nothing.weight.zero_()
            first = start
            if len(network.populations[start].shape) > 1:
                first = flat.setdefault(
                    start, follow(start, f"{start}_flat", nn.Flatten(2)) if start not in flat else ""
                )
            edges.append((follow(first, f"{name}_nothing", nothing), name))
    made = NirNetwork(modules, edges, dt)
    made.input_shape = network.populations[start].shape
    return made


def _stays(network: Mapped, population: Population) -> bool:
    """Whether a population keeps its shape `[C, H, W]`: the input, and what only plain convolutions reach."""
    if not population.spiking or len(population.shape) == 1:
        return True
    into = network.into(population.name)
    return bool(into) and all(
        isinstance(each.synapses, Convolution)
        and each.fan is None
        and each.synapses.out_shape == population.shape
        and network.populations[each.source].shape == each.synapses.in_shape
        and _stays_simple(network, each.source, population.name)
        for each in into
    )


def _stays_simple(network: Mapped, source: str, target: str) -> bool:
    return source == target or _stays(network, network.populations[source])


def _convolves(projection: Projection, source: Population, target: Population, whole: set[str]) -> bool:
    return (
        isinstance(projection.synapses, Convolution)
        and projection.fan is None
        and target.name in whole
        and target.shape == projection.synapses.out_shape
        and source.name in whole
        and source.shape == projection.synapses.in_shape
    )


def _neurons(population: Population, whole: bool) -> Neurons:
    shape = population.shape if whole else (population.size,)

    def spread(value: float | NDArray[np.floating]) -> Tensor:
        return torch.from_numpy(np.broadcast_to(np.asarray(value, np.float32), population.size).copy()).reshape(shape)

    options: dict[str, Any] = {
        "threshold": population.threshold, "reset": population.reset, "reset_delay": population.reset_delay,
        "refractory": population.refractory, "inclusive": population.inclusive, "window": population.window,
        "initial": spread(population.start) if np.any(np.asarray(population.start) != 0) else 0.0,
    }  # fmt: skip
    beta, alpha = spread(population.beta), None if population.alpha is None else spread(population.alpha)
    neuron: Neuron
    if population.rho is not None:
        neuron = AdaptiveLIF(beta, spread(population.rho), spread(population.strength), alpha=alpha, **options)
    elif alpha is not None:
        neuron = Synaptic(alpha, beta, **options)
    else:
        neuron = LIF(beta, **options)
    return Neurons(neuron, torch.ones(shape), spread(population.bias))


def _convolution(projection: Projection) -> nn.Module:
    synapses = projection.synapses
    assert isinstance(synapses, Convolution)
    out, inside, high, wide = synapses.weight.shape
    conv = nn.utils.skip_init(
        nn.Conv2d, inside * synapses.groups, out, (high, wide), stride=synapses.stride, padding=synapses.padding,
        dilation=synapses.dilation, groups=synapses.groups, bias=False,
    )  # fmt: skip
    with torch.no_grad():
        conv.weight.copy_(torch.from_numpy(np.asarray(synapses.weight, np.float32)))
    return over_time(conv)


def _matrix(projection: Projection) -> nn.Linear:
    synapses, fan = projection.synapses, projection.fan
    sources = synapses.sources if fan is None else fan.sources
    if sources * synapses.targets > _LARGEST:
        raise InputError(
            f"'{projection.layer}' would be a matrix of {sources:,} x {synapses.targets:,} weights, and {_LARGEST:,} are "
            "the most that are written: write the network from its own layers"
        )
    if fan is not None:
        synapses = merged(fan, synapses)
    weight = np.zeros((sources, synapses.targets), np.float32)
    if isinstance(synapses, Sparse):
        rows = np.repeat(np.arange(sources), synapses.fan_out)
        weight[rows, synapses.records["target"]] = synapses.records["weight"]
    else:
        for source in range(sources):
            synapses.deliver(weight[source], source, 1.0)
    made = nn.utils.skip_init(nn.Linear, sources, synapses.targets, bias=False)
    with torch.no_grad():
        made.weight.copy_(torch.from_numpy(np.ascontiguousarray(weight.T)))
    return made
