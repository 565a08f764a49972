"""What was pooled passes as levels of bits: as many of a place's are set as neurons of its window fired; against plain torch."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import spikeledger as sl
from spikeledger.kernels import convolution, layers, native, planes, pooling
from spikeledger.kernels.costs import METHODS
from spikeledger.kernels.fire import settings_of
from spikeledger.kernels.surrogates import surrogate
from tolerance import GRADIENT

pytestmark = pytest.mark.skipif(not native.instruction_set(), reason="the native core is not built")


def exact(*shape: int) -> torch.Tensor:
    """Values k/256: their sums are exact in float32, so that no order of addition can be seen."""
    return torch.randint(-256, 257, shape).float() / 256


def pooled(channels: int, image: Any, window: Any, density: float) -> tuple[torch.Tensor, torch.Tensor, planes.Planes]:
    """How many of each window of random spikes fired: as floats, as a leaf for their gradient, and as levels."""
    spikes = (torch.rand(3, 2, channels, *image) < density).float()
    bits, sizes = planes.pack(spikes), pooling.averaging_of(nn.AvgPool2d(window), (channels, *image))
    assert bits is not None and sizes is not None
    counts = nn.functional.avg_pool2d(spikes.flatten(0, 1), window, divisor_override=1).unflatten(0, (3, 2))
    _, levels = pooling.sum_pool(None, bits, sizes)
    return counts, counts.clone().requires_grad_(), levels


@settings(max_examples=30)
@given(
    st.integers(1, 9), st.tuples(st.integers(5, 40), st.integers(5, 140)), st.tuples(st.integers(1, 5), st.integers(1, 5)),
    st.sampled_from([0.0, 0.05, 0.4, 1.0]),
)  # fmt: skip
def test_levels_are_how_many_fired(channels: int, image: Any, window: Any, density: float) -> None:
    counts, _, levels = pooled(channels, image, window, density)
    assert levels.levels == window[0] * window[1]
    assert torch.equal(levels.dense(), counts)
    assert levels.spikes == int(counts.sum())


@pytest.mark.parametrize("window", [1, 2, 3, (1, 4), (4, 4)])
def test_the_gradient_of_a_sum_goes_to_each_of_its_window(instruction_set: str, window: Any) -> None:
    torch.manual_seed(0)
    spikes = (torch.rand(2, 3, 5, 13, 18) < 0.3).float().requires_grad_()
    bits, sizes = planes.pack(spikes.detach()), pooling.averaging_of(nn.AvgPool2d(window), (5, 13, 18))
    assert bits is not None and sizes is not None
    counts = nn.functional.avg_pool2d(spikes.flatten(0, 1), window, divisor_override=1).unflatten(0, (2, 3))
    token, levels = pooling.sum_pool(spikes, bits, sizes)
    assert token is not None and token.shape == counts.shape and torch.equal(levels.dense(), counts)
    grad = exact(*counts.shape)
    assert torch.equal(*(torch.autograd.grad(out, spikes, grad)[0] for out in (token, counts)))


#: channels, image before its pooling, window, filters, kernel, stride, padding, dilation
SHAPES: list[tuple[Any, ...]] = [
    (16, (28, 28), 2, 32, 3, 1, 1, 1),
    (3, (14, 21), 3, 5, 3, 1, 0, 1),
    (70, (12, 10), (1, 2), 100, (3, 2), (2, 1), (2, 0), (1, 2)),
    (5, (16, 288), (4, 2), 33, (2, 3), 2, 1, 1),
    (1, (10, 12), 2, 16, 3, 1, 1, 1),
]


@pytest.mark.parametrize("density", [0.0, 0.1, 0.6, 1.0])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_convolution_of_levels_is_that_of_their_numbers(
    instruction_set: str, shape: tuple[Any, ...], density: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(1)
    monkeypatch.setattr(convolution, "cheapest", lambda *args, **options: "events")  # for the weight's gradient
    channels, image, window, filters, *sizes = shape
    counts, leaf, levels = pooled(channels, image, window, density)
    layer = nn.Conv2d(channels, filters, *sizes)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(exact(*parameter.shape))
    geometry = convolution.geometry_of(layer, tuple(counts.shape[2:]))
    assert geometry is not None
    expected = layer(leaf.flatten(0, 1)).unflatten(0, (3, 2))
    found = convolution.convolve(leaf, levels, layer.weight, layer.bias, geometry, METHODS["events"])
    assert torch.equal(found, expected)
    wanted, grad = (leaf, layer.weight, layer.bias), exact(*expected.shape)
    for one, other in zip(*(torch.autograd.grad(out, wanted, grad) for out in (found, expected)), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("kind", ["atan", "triangle"])
@pytest.mark.parametrize(("inner", "window"), [((3, 10, 14), 2), ((65, 6, 6), (3, 2)), ((1, 4, 4), (4, 4))])
def test_a_linear_layer_of_levels_is_that_of_their_numbers(
    instruction_set: str, inner: Any, window: Any, kind: str
) -> None:
    """Spikes to the bit."""
    torch.manual_seed(2)
    counts, leaf, levels = pooled(inner[0], inner[1:], window, 0.4)
    weight, bias = exact(70, counts[0, 0].numel()).requires_grad_(), exact(70).requires_grad_()
    own = settings_of(1.0, "subtract", False, surrogate(kind))
    token, _ = layers.stack(
        leaf.flatten(2), levels.flattened(), [layers.Layer(weight, bias, 0.875, own)], sends="spikes"
    )
    neurons = sl.LIF(0.875, surrogate=kind)
    expected = neurons(nn.functional.linear(leaf.flatten(2), weight, bias))
    assert torch.equal(token, expected) and bool(expected.any())
    grad = exact(*expected.shape)
    for one, other in zip(
        *(torch.autograd.grad(out, (leaf, weight, bias), grad) for out in (token, expected)), strict=True
    ):
        torch.testing.assert_close(one, other, **GRADIENT)


@pytest.mark.parametrize("density", [0.02, 0.9])
def test_levels_are_taken_where_spikes_are_few(density: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where many fire a dense product is faster, of averages."""
    torch.manual_seed(3)
    network = sl.event_driven(nn.Sequential(
        sl.over_time(nn.Conv2d(1, 16, 1, bias=False)), sl.IF(), sl.over_time(nn.AvgPool2d(2)),
        sl.over_time(nn.Conv2d(16, 32, 3, padding=1)), sl.LIF(),
        sl.over_time(nn.AvgPool2d(2)), nn.Flatten(2), nn.Linear(288, 100), sl.LIF(),
    ))  # fmt: skip
    with torch.no_grad():
        network[0].module.weight.fill_(1.0)
    taken: list[str] = []

    def told(name: str, real: Any) -> Any:
        return lambda *args, **named: (taken.append(name), real(*args, **named))

    for name in ("pool", "average_pool"):
        monkeypatch.setattr(native, name, told(name, getattr(native, name)))
    network((torch.rand(4, 8, 1, 12, 12) < density).float())
    assert taken[0] == ("pool" if density < 0.5 else "average_pool")
