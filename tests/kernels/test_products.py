"""Bit planes and their products, against plain torch on the same floats."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spikeledger.errors import InputError
from spikeledger.kernels import costs, planes, products
from spikeledger.kernels.choice import native
from spikeledger.kernels.fire import settings_of
from spikeledger.kernels.layers import Layer, stack
from spikeledger.networks.surrogates import surrogate
from tolerance import PRODUCT

pytestmark = pytest.mark.skipif(native() is None, reason="the native core is not built")
DENSITIES = (0.0, 0.01, 0.13, 0.5, 1.0)


def exact(*shape: int) -> torch.Tensor:
    """Values k/256: their sums are exact in float32, so that no order of addition can be seen."""
    return torch.randint(-256, 257, shape).float() / 256


def product(bits: planes.Planes, dense: torch.Tensor, bias: torch.Tensor | None, method: str) -> torch.Tensor:
    out = torch.empty(bits.rows, dense.shape[1])
    products.multiply(
        bits.rows,
        bits.columns,
        dense.shape[1],
        bits.words,
        dense,
        bias,
        out,
        spikes=bits.spikes,
        method=costs.METHODS[method],
    )
    return out


@pytest.mark.parametrize("method", costs.METHODS)
@pytest.mark.parametrize("density", DENSITIES)
def test_products_are_exact_where_sums_are(instruction_set: str, method: str, density: float) -> None:
    torch.manual_seed(0)
    for steps, batch, inner, columns in ((1, 1, 1, 1), (3, 5, 63, 7), (4, 9, 784, 40), (5, 100, 300, 33)):
        spikes = (torch.rand(steps, batch, inner) < density).float()
        dense, bias = exact(inner, columns), exact(columns)
        bits = planes.pack(spikes)
        assert bits is not None
        assert torch.equal(product(bits, dense, bias, method), spikes.flatten(0, 1) @ dense + bias)
        # a product with the bits turned, as in the gradient of a weight, both of whose matrices lie turned
        grad = exact(bits.rows, columns)
        out = torch.empty(columns, inner)
        products.multiply(
            inner, bits.rows, columns, bits.turned(), grad, None, out,
            spikes=bits.spikes, out_transposed=True, method=costs.METHODS[method],
        )  # fmt: skip
        assert torch.equal(out, (spikes.flatten(0, 1).T @ grad).T)


@settings(max_examples=30)
@given(st.integers(1, 300), st.integers(1, 700), st.integers(1, 70), st.sampled_from(DENSITIES), st.integers(0, 2**31))
def test_methods_agree_on_any_shape(rows: int, inner: int, columns: int, density: float, seed: int) -> None:
    torch.manual_seed(seed)
    spikes = (torch.rand(1, rows, inner) < density).float()
    bits = planes.pack(spikes)
    assert bits is not None
    dense = torch.randn(inner, columns)
    for method in costs.METHODS:
        torch.testing.assert_close(product(bits, dense, None, method), spikes[0] @ dense, **PRODUCT)


def test_a_fan_in_above_16_bits() -> None:
    spikes = (torch.rand(1, 3, 70_001) < 0.1).float()
    bits = planes.pack(spikes)
    assert bits is not None
    dense = exact(70_001, 3)
    for method in costs.METHODS:
        assert torch.equal(product(bits, dense, None, method).double(), spikes[0].double() @ dense.double())


@settings(max_examples=30)
@given(st.integers(1, 5), st.integers(1, 80), st.integers(1, 200), st.sampled_from(DENSITIES), st.integers(0, 2**31))
def test_planes_hold_what_was_packed(steps: int, batch: int, width: int, density: float, seed: int) -> None:
    torch.manual_seed(seed)
    spikes = (torch.rand(steps, batch, width) < density).float()
    bits = planes.pack(spikes)
    assert bits is not None
    counted = planes.pack(spikes, count=True)
    assert counted is not None
    assert bits.spikes == counted.spikes == planes.Planes(bits.words, bits.shape).spikes == int(spikes.sum())
    assert torch.equal(bits.dense(), spikes)
    turned = planes.Planes(bits.turned(), (1, width, steps * batch))
    assert torch.equal(turned.dense()[0].T, spikes.flatten(0, 1))
    assert torch.equal(bits.per_neuron(), spikes.sum((0, 1)).long())
    assert bits.per_step() == spikes.flatten(1).sum(1).long().tolist()


@pytest.mark.parametrize("value", [0.5, -1.0, 2.0, float("nan"), float("inf"), 1e-30])
def test_graded_values_are_not_packed(instruction_set: str, value: float) -> None:
    spikes = (torch.rand(2, 70, 100) < 0.5).float()
    spikes[1, 69, 99] = value
    assert planes.pack(spikes) is None
    assert planes.pack(spikes, count=True) is None
    spikes[1, 69, 99] = -0.0
    bits = planes.pack(spikes)
    assert bits is not None
    assert torch.equal(bits.dense(), spikes)


def test_gradients_are_the_dense_layers() -> None:
    torch.manual_seed(0)
    spikes = (torch.rand(4, 30, 100) < 0.2).float()
    bits = planes.pack(spikes)
    assert bits is not None
    grad = exact(4, 30, 20)
    found = []
    for event_driven in (False, True):
        torch.manual_seed(1)
        x, weight, bias = spikes.clone().requires_grad_(), exact(20, 100).requires_grad_(), exact(20).requires_grad_()
        out = products.linear(x, bits, weight, bias) if event_driven else torch.nn.functional.linear(x, weight, bias)
        out.backward(grad)
        found.append([out.detach(), x.grad, weight.grad, bias.grad])
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))


def test_second_derivatives_are_refused() -> None:
    bits = planes.pack((torch.rand(2, 3, 8) < 0.5).float())
    assert bits is not None
    weight = torch.randn(4, 8, requires_grad=True)
    (grad,) = torch.autograd.grad(products.linear(None, bits, weight, None).square().sum(), weight, create_graph=True)
    with pytest.raises(InputError, match="second derivative"):
        grad.sum().backward()


def test_few_spikes_are_listed_and_many_looked_up() -> None:
    assert costs.cheapest(2560, 784, 256, 20_000) == "events"
    assert costs.cheapest(2560, 784, 256, 1_000_000) == "subsets"


@pytest.mark.parametrize("columns", [1, 16, 33, 64, 100])
def test_a_layer_counts_the_spikes_it_writes(instruction_set: str, columns: int) -> None:
    torch.manual_seed(columns)
    bits = planes.pack((torch.rand(6, 70, 90) < 0.2).float())
    assert bits is not None
    neurons = settings_of(1.0, "subtract", False, surrogate("atan"))
    fired = stack(None, bits, [Layer(torch.randn(columns, 90), None, 0.9, neurons)])[1][-1]
    assert fired.spikes == planes.Planes(fired.words, fired.shape).spikes > 0
