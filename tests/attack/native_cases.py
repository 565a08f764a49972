"""Random configurations of native code, each drawn from its number alone and held against plain torch or numpy."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np
import torch
from torch import nn

import spikeledger as sl
from chip.networks import spikes as chip_spikes
from chip.test_random_networks import random_network
from chip.test_simulator import agree
from kernels.test_convolution import WAYS, exact, on_bits, packed
from kernels.test_family import KINDS, RESETS, any_state, assert_alike
from kernels.test_products import product
from spikeledger.chip.simulate import run as simulated
from spikeledger.kernels import convolution, costs, planes, pooling
from spikeledger.kernels.choice import native
from tolerance import GRADIENT

DENSITIES = (0.0, 0.01, 0.1, 0.5, 1.0)


def rows(draw: Random, most: int = 6) -> tuple[int, int]:
    return draw.randint(1, most), draw.randint(1, most)


def fired(draw: Random, *shape: int) -> torch.Tensor:
    return (torch.rand(shape) < draw.choice(DENSITIES)).float()


def family(draw: Random) -> None:
    """Neurons that keep more than a membrane: spikes and states to the bit, gradients close."""
    kind = draw.choice([name for name in KINDS if name != "lif"])
    options: dict[str, Any] = {
        "reset": draw.choice(RESETS), "reset_delay": draw.random() < 0.5, "refractory": draw.choice((0, 0, 1, 3)),
        "threshold": draw.choice((0.25, 1.0, 1.75)), "inclusive": draw.random() < 0.2,
        "surrogate": draw.choice(sorted(sl.surrogates.SURROGATES)),
    }  # fmt: skip
    width = draw.randint(1, 70)
    neuron = KINDS[kind](width, **options)
    recurrent = kind in ("one to one", "all to all", "lateral")
    shape = (*rows(draw, 9), width) if recurrent or draw.random() < 0.6 else (*rows(draw, 5), width, draw.randint(1, 5))
    currents = ((torch.randn(shape) * 0.7 + 0.2) * 256).round() / 256
    assert_alike(neuron, currents, any_state(neuron, currents))


def plain(draw: Random) -> None:
    """IF and LIF: spikes and membranes to the bit, gradients close."""
    width = draw.randint(1, 90)
    beta = torch.rand(width) * 0.5 + 0.45 if draw.random() < 0.5 else draw.choice((0.0, 0.5, 0.9, 1.0))
    neuron = sl.LIF(
        beta, learn_beta=draw.random() < 0.3, threshold=draw.choice((0.3, 1.0)), reset=draw.choice(RESETS),
        reset_delay=draw.random() < 0.5, inclusive=draw.random() < 0.2,
        surrogate=draw.choice(sorted(sl.surrogates.SURROGATES)),
    )  # fmt: skip
    values = ((torch.randn(*rows(draw, 12), width) * 0.7 + 0.2) * 256).round() / 256
    start, found = torch.randn(values.shape[1:]), []
    for backend in ("reference", "cpu"):
        currents = values.clone().requires_grad_()
        with sl.backend(backend):  # type: ignore[arg-type]
            sent, membrane = neuron(currents, start)
        (sent * torch.linspace(-1, 1, width)).sum().backward()
        found.append((sent.detach(), membrane.detach(), currents.grad))
    assert torch.equal(found[0][0], found[1][0]) and torch.equal(found[0][1], found[1][1])
    torch.testing.assert_close(found[0][2], found[1][2], **GRADIENT)


def convolved(draw: Random) -> None:
    """Convolutions of bits, forward and backward, with weights whose sums are exact."""
    layer = nn.Conv2d(
        draw.randint(1, 70), draw.randint(1, 70), (draw.randint(1, 4), draw.randint(1, 4)),
        (draw.randint(1, 3), draw.randint(1, 3)), (draw.randint(0, 3), draw.randint(0, 3)),
        (draw.randint(1, 2), draw.randint(1, 2)), bias=draw.random() < 0.5,
    )  # fmt: skip
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(exact(*parameter.shape))
    image = (draw.randint(1, 12), draw.randint(1, 12))
    if convolution.geometry_of(layer, (layer.in_channels, *image)) is None:
        return
    steps, batch = rows(draw, 3)
    spikes = fired(draw, steps, batch, layer.in_channels, *image).requires_grad_()
    dense = layer(spikes.flatten(0, 1)).unflatten(0, (steps, batch))
    found = on_bits(layer, spikes, draw.choice(WAYS), spikes)
    assert torch.equal(found, dense)
    grad, wanted = exact(*dense.shape), (spikes, layer.weight)
    for one, other in zip(*(torch.autograd.grad(out, wanted, grad) for out in (found, dense)), strict=True):
        assert torch.equal(one, other)


def pooled(draw: Random) -> None:
    """Max pooling of bits."""
    layer = nn.MaxPool2d(
        (draw.randint(1, 4), draw.randint(1, 4)), draw.choice((None, 1, 2, 3)), draw.randint(0, 1), draw.randint(1, 2)
    )
    channels, image = draw.randint(1, 9), (draw.randint(1, 70), draw.randint(1, 40))
    if 2 * layer.padding > min(layer.kernel_size) or pooling.pooling_of(layer, (channels, *image)) is None:
        return
    spikes = fired(draw, 2, 3, channels, *image).requires_grad_()
    expected = layer(spikes.flatten(0, 1)).unflatten(0, (2, 3))
    sizes = pooling.pooling_of(layer, (channels, *image))
    assert sizes is not None
    _, found = pooling.max_pool(spikes, packed(spikes), sizes)
    assert torch.equal(found.dense(), expected)


def multiplied(draw: Random) -> None:
    """Products of bits and weights, by every method."""
    count, inner, columns = draw.randint(1, 90), draw.randint(1, 500), draw.randint(1, 70)
    spikes = fired(draw, 1, count, inner)
    dense, bias = exact(inner, columns), exact(columns) if draw.random() < 0.5 else None
    expected = spikes[0] @ dense + (0 if bias is None else bias)
    assert torch.equal(product(packed(spikes), dense, bias, draw.choice(sorted(costs.METHODS))), expected)


def packing(draw: Random) -> None:
    """Bits hold what was packed, and count it."""
    spikes = fired(draw, *rows(draw, 9), draw.randint(1, 300))
    bits = packed(spikes)
    assert torch.equal(bits.dense(), spikes) and bits.spikes == int(spikes.sum())
    assert torch.equal(bits.per_neuron(), spikes.sum((0, 1)).long())
    assert bits.per_step() == spikes.flatten(1).sum(1).long().tolist()
    turned = planes.Planes(bits.turned(), (1, spikes.shape[2], spikes.shape[0] * spikes.shape[1]))
    assert torch.equal(turned.dense()[0].T, spikes.flatten(0, 1))


def on_a_chip(draw: Random) -> None:
    """The chip simulator's native core against the one in numpy, spike by spike."""
    network, shape = random_network(draw.randrange(10**9))
    inputs = chip_spikes(
        draw.randint(2, 9), draw.randint(1, 2), *shape, seed=draw.randrange(10**6), rate=draw.choice((0.03, 0.2))
    )
    fast, slow = (simulated(network, inputs, backend=backend) for backend in ("native", "reference"))
    assert np.array_equal(fast.output, slow.output)
    agree(fast.activity, slow.activity)


CASES: dict[str, Callable[[Random], None]] = {
    "family": family, "plain": plain, "convolution": convolved, "pooling": pooled, "products": multiplied,
    "packing": packing, "chip": on_a_chip,
}  # fmt: skip
#: of all cases
SHARES = {"family": 4, "plain": 4, "convolution": 3, "pooling": 3, "products": 3, "packing": 2, "chip": 1}


def check(name: str, number: int) -> None:
    """One case, on an instruction set of this processor."""
    draw, core = Random(f"{name} {number}"), native()
    assert core is not None
    torch.manual_seed(number)
    before = core.instruction_set()
    core.use_instruction_set(draw.choice(core.instruction_sets()))
    try:
        CASES[name](draw)
    finally:
        core.use_instruction_set(before)
