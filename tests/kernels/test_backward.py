"""The way back of a convolution and of the neurons behind it, row by row: the same as in two steps, and as plain torch's."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from spikeledger.kernels import convolution, planes, pooling
from spikeledger.kernels import native as core
from spikeledger.kernels.choice import native
from spikeledger.kernels.costs import METHODS
from spikeledger.kernels.fire import settings_of
from spikeledger.kernels.surrogates import surrogate
from tolerance import GRADIENT

pytestmark = pytest.mark.skipif(native() is None, reason="the native core is not built")
ATAN = settings_of(1.0, "subtract", False, surrogate("atan"))

#: samples, channels, image, filters, kernel, stride, padding, dilation: whole samples and pieces, rows and columns of tiles
SHAPES: list[tuple[Any, ...]] = [
    (1, 20, (40, 30), 33, 3, 1, 1, 1),
    (9, 3, (13, 9), 16, 3, 1, 0, 1),
    (2, 70, (17, 70), 20, (3, 2), (2, 1), (2, 0), (1, 2)),
    (3, 5, (31, 12), 17, (1, 5), 3, 4, 1),
    (2, 8, (9, 9), 40, 3, 1, 4, 1),
    (1, 4, (5, 5), 10, 5, 2, 3, 1),
]


def exact(*shape: int) -> Tensor:
    """Values k/64: their sums are exact in float32."""
    return torch.randint(-64, 65, shape).float() / 64


def made(shape: tuple[Any, ...], steps: int = 4) -> tuple[nn.Conv2d, planes.Planes, convolution.Geometry]:
    batch, channels, image, filters, *rest = shape
    layer = nn.Conv2d(channels, filters, *rest)
    with torch.no_grad():
        layer.weight.copy_(exact(*layer.weight.shape))
    bits = planes.pack((torch.rand(steps, batch, channels, *image) < 0.2).float())
    geometry = convolution.geometry_of(layer, (channels, *image))
    assert bits is not None and geometry is not None
    return layer, bits, geometry


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("last", [True, False])
def test_row_by_row_as_in_two_steps(instruction_set: str, shape: tuple[Any, ...], last: bool) -> None:
    torch.manual_seed(1)
    layer, bits, geometry = made(shape)
    sizes, weight = geometry.sizes(bits), layer.weight.detach()
    currents, words = torch.randn(sizes.outputs), planes.empty_words(bits.rows, sizes.neurons)
    beta = torch.rand(sizes.neurons)
    core.convolve_fire(
        sizes,
        bits.words,
        weight,
        None,
        METHODS["events"],
        beta,
        ATAN,
        currents=currents,
        out=words,
        active=None,
        near=None,
    )
    grad = torch.randn(sizes.outputs)
    filtered = (geometry.kernel, geometry.stride, geometry.dilation) == ((3, 3), (1, 1), (1, 1))
    near = None if filtered else bits.words
    found = []
    for whole in (False, True):
        flow = torch.full((sizes.outputs,), float("nan")) if whole else None
        rooms = [torch.full(size, float("nan")) for size in ((sizes.weights,), (sizes.filters,), (sizes.inputs,))]
        to_beta = torch.full((shape[0], sizes.neurons), float("nan"))
        core.convolve_back(
            sizes, bits.words, weight, fired=core.Fired(grad, last, None, currents, beta, ATAN, to_beta), flow=flow,
            weight=rooms[0], bias=rooms[1], near=near, inputs=rooms[2],
        )  # fmt: skip
        found.append([*rooms, to_beta])
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))
    assert all(each.any() and each.isfinite().all() for each in found[0][:2])


@pytest.mark.parametrize("shape", [shape for shape in SHAPES if shape[4:6] == (3, 1)], ids=str)
def test_filtered_gradients_are_exact_where_sums_are(instruction_set: str, shape: tuple[Any, ...]) -> None:
    torch.manual_seed(2)
    layer, bits, geometry = made(shape)
    x = bits.dense().flatten(0, 1).requires_grad_()
    out = layer(x)
    flow = exact(*out.shape)
    (expected,) = torch.autograd.grad(out, x, flow)
    found = torch.full((bits.rows, *geometry.image, geometry.channels), float("nan"))
    core.convolve_back(
        geometry.sizes(bits), bits.words, layer.weight.detach(), fired=None,
        flow=flow.permute(0, 2, 3, 1).contiguous(), weight=None, bias=None, near=None, inputs=found,
    )  # fmt: skip
    assert torch.equal(found.permute(0, 3, 1, 2), expected)


def test_only_windows_of_three_by_three_are_filtered() -> None:
    layer, bits, geometry = made(SHAPES[2])
    sizes = geometry.sizes(bits)
    with pytest.raises(ValueError, match="3 x 3"):
        core.convolve_back(
            sizes, bits.words, layer.weight.detach(), fired=None, flow=torch.empty(sizes.outputs), weight=None, bias=None,
            near=None, inputs=torch.empty(sizes.inputs),
        )  # fmt: skip


def pooled_by(window: str, token: torch.Tensor, fired: planes.Planes) -> torch.Tensor:
    kind, size = window.split()
    if kind == "mean":
        sizes = pooling.averaging_of(nn.AvgPool2d(int(size)), fired.shape[2:])
        assert sizes is not None
        return pooling.average_pool(token, fired, sizes)
    sizes = pooling.pooling_of(nn.MaxPool2d(int(size)), fired.shape[2:])
    assert sizes is not None
    pooled, _ = pooling.max_pool(token, fired, sizes)
    assert pooled is not None
    return pooled


@pytest.mark.parametrize("kind", ["atan", "triangle"])
@pytest.mark.parametrize(
    "windows", [("max 2",), ("max 3",), ("mean 2",), ("mean 3",), ("max 2", "mean 3"), ("mean 2", "mean 2")]
)
def test_pooled_gradients_are_made_by_the_layer_below(
    instruction_set: str, windows: tuple[str, ...], kind: str
) -> None:
    """By one pooling, by several of the same spikes, and beside other gradients of these."""
    torch.manual_seed(3)
    layer, bits, geometry = made((3, 20, (14, 11), 24, 3, 1, 1, 1))
    neurons = settings_of(1.0, "zero", False, surrogate(kind))
    found = []
    for beside in (False, True):
        for fused in (True, False):
            token = bits.dense().requires_grad_()
            out, fired = convolution.convolve_fire(
                token, bits, layer.weight, layer.bias, 0.5, neurons, geometry, METHODS["events"]
            )
            if not fused:
                fired = planes.Planes(fired.words, fired.shape)
            loss = torch.zeros(())
            for window in windows:
                pooled = pooled_by(window, out, fired)
                loss = loss + (pooled * torch.linspace(-1, 1, pooled.numel()).view(pooled.shape)).sum()
            if beside:
                loss = loss + (out * torch.linspace(1, -1, out.numel()).view(out.shape)).sum()
            found.append(torch.autograd.grad(loss, (token, layer.weight, layer.bias), retain_graph=True))
            again = torch.autograd.grad(loss, (token, layer.weight, layer.bias))
            assert all(torch.equal(one, other) for one, other in zip(found[-1], again, strict=True))
    for one, other in (found[:2], found[2:]):
        for a, b in zip(one, other, strict=True):
            assert a.any()
            torch.testing.assert_close(a, b, **GRADIENT)


@pytest.mark.parametrize("shape", [(1, 40, (40, 30), 64, 3, 1, 1, 1), (2, 40, (20, 20), 64, 3, 1, 1, 1)], ids=str)
def test_the_same_on_any_number_of_threads(shape: tuple[Any, ...]) -> None:
    torch.manual_seed(4)
    layer, bits, geometry = made(shape, steps=6)
    assert convolution.cheapest(geometry, bits, learns=True) == "events", "torch's own products may differ"
    if core.instruction_set() == "plain":
        pytest.skip("torch's own products give the inputs' gradient there, and may differ")
    assert convolution.inputs_way(geometry, 6, shape[0], None) == "filtered"
    before = torch.get_num_threads()
    found = []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            token = bits.dense().requires_grad_()
            out, fired = convolution.convolve_fire(
                token, bits, layer.weight, layer.bias, 0.9, ATAN, geometry, METHODS["events"]
            )
            sizes = pooling.pooling_of(nn.MaxPool2d(2), fired.shape[2:])
            assert sizes is not None
            pooled, words = pooling.max_pool(out, fired, sizes)
            assert pooled is not None
            grads = torch.autograd.grad(pooled.sum(), (token, layer.weight, layer.bias))
            found.append((fired.words, words.words, *grads))
    finally:
        torch.set_num_threads(before)
    for others in found[1:]:
        assert all(torch.equal(one, other) for one, other in zip(found[0], others, strict=True))
