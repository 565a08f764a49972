"""Bit planes and their products, against plain torch on the same floats."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spikeledger.errors import InputError
from spikeledger.kernels import costs, layers, planes, products
from spikeledger.kernels.choice import native
from spikeledger.kernels.fire import settings_of
from spikeledger.kernels.layers import Layer, Sends, stack
from spikeledger.kernels.surrogates import surrogate
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


@pytest.mark.parametrize(
    ("steps", "batch", "width"), [(1, 1, 1), (3, 7, 65), (9, 61, 70), (5, 128, 784), (4, 513, 130)]
)
@pytest.mark.parametrize("threads", [1, 2])
def test_what_is_packed_along_is_what_comes_after(
    instruction_set: str, steps: int, batch: int, width: int, threads: int
) -> None:
    torch.manual_seed(width)
    spikes, before = (torch.rand(steps, batch, width) < 0.3).float(), torch.get_num_threads()
    torch.set_num_threads(threads)
    bits, along = planes.pack(spikes), planes.pack(spikes, count=True, turn=True)
    torch.set_num_threads(before)
    assert bits is not None
    assert along is not None
    assert along.turned_words is not None
    assert along.spikes == bits.spikes == int(spikes.sum())
    assert torch.equal(along.words, bits.words)
    assert torch.equal(along.turned(), bits.turned())
    assert torch.equal(planes.Planes(along.turned(), (1, width, steps * batch)).dense()[0].T, spikes.flatten(0, 1))
    assert torch.equal(along.per_neuron(), bits.per_neuron())
    assert torch.equal(bits.rates(), spikes.mean(0))


@pytest.mark.parametrize("sends", ["bits", "spikes", "rates"])
def test_nothing_is_kept_for_a_way_back_that_nobody_goes(sends: Sends, monkeypatch: pytest.MonkeyPatch) -> None:
    bits = planes.pack((torch.rand(4, 70, 90) < 0.2).float())
    assert bits is not None
    kept, real = [], layers.core.layer

    def spy(*given: Any, **named: Any) -> int:
        kept.append(named["charges"] is not None)
        return real(*given, **named)

    monkeypatch.setattr(layers.core, "layer", spy)
    neurons = settings_of(1.0, "subtract", False, surrogate("atan"))
    for learns, seen in ((True, torch.enable_grad()), (True, torch.no_grad()), (False, torch.enable_grad())):
        weight = torch.randn(20, 90, requires_grad=learns)
        with seen:
            found, sent = layers.stack(None, bits, [Layer(weight, None, 0.9, neurons)], sends=sends)
        assert found.shape == (sent[0].shape[1:] if sends == "rates" else sent[0].shape)
        assert found.requires_grad == kept[-1]
    assert kept == [True, False, False]


@pytest.mark.parametrize("value", [0.5, -1.0, 2.0, float("nan"), float("inf"), 1e-30])
def test_graded_values_are_not_packed(instruction_set: str, value: float) -> None:
    spikes = (torch.rand(2, 70, 100) < 0.5).float()
    spikes[1, 69, 99] = value
    assert planes.pack(spikes) is None
    assert planes.pack(spikes, count=True, turn=True) is None
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


def test_few_spikes_are_listed_and_many_looked_up(instruction_set: str) -> None:
    many = "tiles" if instruction_set == costs.TILES else "subsets"
    assert costs.cheapest(2560, 784, 256, 20_000) == "events"
    assert costs.cheapest(2560, 784, 256, 1_000_000) == many


def with_set(instruction_set: str, work: Callable[[], torch.Tensor]) -> torch.Tensor:
    core = native()
    assert core is not None
    before = core.instruction_set()
    core.use_instruction_set(instruction_set)
    try:
        return work()
    finally:
        core.use_instruction_set(before)


@settings(max_examples=20)
@given(st.integers(1, 100), st.integers(1, 2000), st.integers(1, 70), st.integers(0, 2**31))
def test_tiles_are_the_same_on_every_processor(rows: int, inner: int, columns: int, seed: int) -> None:
    core = native()
    assert core is not None
    torch.manual_seed(seed)
    bits = planes.pack((torch.rand(1, rows, inner) < 0.3).float())
    assert bits is not None
    dense = torch.randn(inner, columns) * 10.0 ** torch.randint(-20, 20, (columns,))
    plain = with_set("plain", lambda: product(bits, dense, None, "tiles"))
    for name in core.instruction_sets():
        assert torch.equal(with_set(name, lambda: product(bits, dense, None, "tiles")), plain)


def linear(bits: planes.Planes, weight: torch.Tensor, method: str) -> torch.Tensor:
    out = torch.empty(bits.rows, len(weight))
    products.multiply(
        bits.rows, bits.columns, len(weight), bits.words, weight, None, out,
        spikes=bits.spikes, dense_transposed=True, method=costs.METHODS[method],
    )  # fmt: skip
    return out


@pytest.mark.parametrize("spread", ["even", "normal", "heavy", "pruned"])
def test_tiles_err_no_more_than_float32_sums(instruction_set: str, spread: str) -> None:
    torch.manual_seed(1)
    spikes = (torch.rand(1, 200, 784) < 0.2).float()
    bits = planes.pack(spikes)
    assert bits is not None
    weight = {
        "even": torch.rand(40, 784) - 0.5,
        "normal": torch.randn(40, 784),
        "heavy": torch.randn(40, 784) ** 3,
        "pruned": torch.randn(40, 784) * (torch.rand(40, 784) < 0.05),
    }[spread]
    exactly = spikes[0].double() @ weight.double().T
    size = (spikes[0].double() @ weight.abs().double().T).mean(
        0
    )  # the sums of the magnitudes are what rounding follows
    error = ((linear(bits, weight, "tiles") - exactly).abs() / size).max().item()
    assert error < 2.0**-19, "more than 32 roundings; about 150 additions of float32 may make 150"


def test_digits_that_would_fill_the_memory_are_not_made(instruction_set: str) -> None:
    torch.manual_seed(3)
    spikes = (torch.rand(1, 3, 300_001) < 0.001).float()
    bits = planes.pack(spikes)
    assert bits is not None
    weight = torch.randn(96, 300_001)
    torch.testing.assert_close(linear(bits, weight, "tiles"), spikes[0] @ weight.T, **PRODUCT)


def test_weights_beside_a_far_larger_one_keep_their_bits(instruction_set: str) -> None:
    torch.manual_seed(2)
    spikes = (torch.rand(1, 50, 100) < 0.3).float()
    spikes[..., 7] = 0  # the large weight's input is silent
    bits = planes.pack(spikes)
    assert bits is not None
    weight = torch.randn(40, 100)
    weight[:, 7] = 1e9
    torch.testing.assert_close(linear(bits, weight, "tiles"), spikes[0] @ weight.T, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 3e38])
@pytest.mark.parametrize("method", costs.METHODS)
def test_what_is_no_number_stays_none(instruction_set: str, method: str, value: float) -> None:
    spikes = torch.zeros(1, 40, 100)
    spikes[:, :20, 7] = 1
    spikes[:, :, 8] = 1
    bits = planes.pack(spikes)
    assert bits is not None
    weight = torch.ones(33, 100)
    weight[5, 7] = value
    expected = torch.full((40, 33), 1.0)
    expected[:20] = 2
    expected[:20, 5] = value + 1
    torch.testing.assert_close(linear(bits, weight, method), expected, equal_nan=True)
    # a gradient's column with such a value is no number at all, or keeps it to itself: never a wrong number
    grad = torch.ones(40, 33)
    grad[3, 5] = value
    out = torch.empty(33, 100)
    products.multiply(
        100, 40, 33, bits.turned(), grad, None, out,
        spikes=bits.spikes, out_transposed=True, method=costs.METHODS[method],
    )  # fmt: skip
    right = torch.zeros(33, 100)
    right[:, 7], right[:, 8] = 20, 40
    right[5, 7], right[5, 8] = 19 + value, 39 + value
    wrong = (out - right).abs() > 1e-3
    assert not wrong[:5].any() and not wrong[6:].any()
    assert not out[5, 7:9].isfinite().any() or value == 3e38


@pytest.mark.parametrize("columns", [1, 16, 33, 64, 100])
def test_a_layer_counts_the_spikes_it_writes(instruction_set: str, columns: int) -> None:
    torch.manual_seed(columns)
    bits = planes.pack((torch.rand(6, 70, 90) < 0.2).float())
    assert bits is not None
    neurons = settings_of(1.0, "subtract", False, surrogate("atan"))
    fired = stack(None, bits, [Layer(torch.randn(columns, 90), None, 0.9, neurons)])[1][-1]
    assert fired.spikes == planes.Planes(fired.words, fired.shape).spikes > 0


@pytest.mark.parametrize(
    "shape", [(1, 1, 1), (5, 33, 7), (130, 64, 100), (200, 300, 65), (3, 0, 4), (0, 5, 4), (3, 5, 0), (40, 6000, 600)]
)
@pytest.mark.parametrize("scale", [1.0, 1e-20, 1e20])
def test_products_of_floats_err_no_more_than_torchs(
    instruction_set: str, shape: tuple[int, int, int], scale: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(products, "_FEW", 0)
    torch.manual_seed(sum(shape))
    rows, inner, columns = shape
    left, right = torch.randn(rows, inner) * scale, torch.randn(columns, inner).T ** 3  # one lies turned
    exactly = left.double() @ right.double()
    size = left.abs().double() @ right.abs().double()
    error = (products.dense(left, right) - exactly).abs()
    assert (error <= 8 * 2.0**-24 * size).all()


def test_a_product_of_floats_keeps_what_is_no_number(instruction_set: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(products, "_FEW", 0)
    left, right = torch.ones(40, 50), torch.ones(50, 60)
    left[3, 4], left[5, 6] = float("nan"), float("inf")
    found = products.dense(left, right)
    broken = ~found.isfinite().all(1)
    assert broken.nonzero().flatten().tolist() == [3, 5]
    assert (found[~broken] == 50).all()
