"""Convolutions and max pooling of spikes on bit planes, against plain torch on the same floats."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import spikeledger as sl
from spikeledger.errors import InputError
from spikeledger.kernels import convolution, planes, pooling
from spikeledger.kernels.choice import native
from spikeledger.kernels.costs import METHODS
from spikeledger.kernels.fire import integrate_and_fire, settings_of
from spikeledger.kernels.surrogates import surrogate
from tolerance import GRADIENT, PRODUCT

pytestmark = pytest.mark.skipif(native() is None, reason="the native core is not built")
DENSITIES = (0.0, 0.02, 0.13, 0.5, 1.0)
#: the ways that a convolution has
WAYS = ("events", "subsets")

#: channels, image, filters, kernel, stride, padding, dilation
SHAPES: list[tuple[Any, ...]] = [
    (1, (1, 1), 1, 1, 1, 0, 1),
    (3, (7, 9), 5, 3, 1, 1, 1),
    (70, (11, 8), 100, (3, 2), (2, 1), (2, 0), (1, 2)),
    (5, (20, 33), 130, (5, 3), (3, 2), (4, 3), (2, 3)),
    (64, (9, 40), 16, 3, 1, (0, 1), 1),
    (2, (30, 70), 48, (1, 7), 2, "valid", 1),
    (33, (6, 6), 65, 3, 1, "same", 2),
    (1, (9, 12), 20, 3, 1, 1, 1),  # of so few taps all sums are one table
    (3, (5, 8), 33, (1, 3), (1, 2), (0, 1), 1),
    (16, (7, 10), 20, 3, 1, 1, 1),  # a row of the kernel sees as many bits as a pass takes
]


def exact(*shape: int) -> Tensor:
    """Values k/256: their sums are exact in float32, so that no order of addition can be seen."""
    return torch.randint(-256, 257, shape).float() / 256


def made(shape: tuple[Any, ...], bias: bool = True) -> nn.Conv2d:
    channels, _, filters, kernel, stride, padding, dilation = shape
    layer = nn.Conv2d(channels, filters, kernel, stride, padding, dilation, bias=bias)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(exact(*parameter.shape))
    return layer


def packed(spikes: Tensor) -> planes.Planes:
    found = planes.pack(spikes)
    assert found is not None
    return found


def on_bits(layer: nn.Conv2d | nn.Conv1d, spikes: Tensor, method: str, token: Tensor | None = None) -> Tensor:
    geometry = convolution.geometry_of(layer, tuple(spikes.shape[2:]))
    assert geometry is not None
    return convolution.convolve(token, packed(spikes), layer.weight, layer.bias, geometry, METHODS[method])


@pytest.mark.parametrize("method", WAYS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_currents_and_gradients_are_exact_where_sums_are(
    instruction_set: str, shape: tuple[Any, ...], method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    layer = made(shape)
    monkeypatch.setattr(convolution, "cheapest", lambda *args, **options: "events")  # for the weight's gradient
    for density in DENSITIES:
        spikes = (torch.rand(3, 2, shape[0], *shape[1]) < density).float().requires_grad_()
        dense = layer(spikes.flatten(0, 1)).unflatten(0, (3, 2))
        found = on_bits(layer, spikes, method, spikes)
        assert torch.equal(found, dense)
        grad = exact(*dense.shape)
        wanted = (spikes, layer.weight, layer.bias)
        expected = torch.autograd.grad(dense, wanted, grad)
        for one, other in zip(torch.autograd.grad(found, wanted, grad), expected, strict=True):
            assert torch.equal(one, other)


@settings(max_examples=40)
@given(
    st.tuples(st.integers(1, 3), st.integers(1, 4)),
    st.integers(1, 80), st.tuples(st.integers(1, 14), st.integers(1, 14)), st.integers(1, 80),
    st.tuples(*[st.integers(1, 4)] * 2), st.tuples(*[st.integers(1, 3)] * 2), st.tuples(*[st.integers(0, 4)] * 2),
    st.tuples(*[st.integers(1, 3)] * 2), st.sampled_from(DENSITIES), st.sampled_from(WAYS),
)  # fmt: skip
def test_any_shape(
    rows: Any, channels: int, image: Any, filters: int, kernel: Any, stride: Any, padding: Any, dilation: Any,
    density: float, method: str,
) -> None:  # fmt: skip
    layer = nn.Conv2d(channels, filters, kernel, stride, padding, dilation, bias=False)
    spikes = (torch.rand(*rows, channels, *image) < density).float()
    if convolution.geometry_of(layer, (channels, *image)) is None:  # the kernel is larger than the image
        with pytest.raises(RuntimeError):
            layer(spikes.flatten(0, 1))
        return
    dense = layer(spikes.flatten(0, 1)).unflatten(0, rows)
    torch.testing.assert_close(on_bits(layer, spikes, method), dense, **PRODUCT)


def test_one_dimension() -> None:
    torch.manual_seed(0)
    layer = nn.Conv1d(20, 40, 5, stride=2, padding=2)
    with torch.no_grad():
        layer.weight.copy_(exact(40, 20, 5))
        layer.bias.copy_(exact(40))  # type: ignore[union-attr]
    spikes = (torch.rand(4, 3, 20, 31) < 0.2).float().requires_grad_()
    dense = layer(spikes.flatten(0, 1)).unflatten(0, (4, 3))
    for method in WAYS:
        found = on_bits(layer, spikes, method, spikes)
        assert torch.equal(found, dense)
        wanted = (spikes, layer.weight)
        for one, other in zip(*(torch.autograd.grad(out.sum(), wanted, retain_graph=True) for out in (found, dense)),
                              strict=True):  # fmt: skip
            assert torch.equal(one, other)


@pytest.mark.parametrize("reset", ["subtract", "zero", "none"])
@pytest.mark.parametrize("filters", [6, 64, 70])
def test_with_neurons_behind(instruction_set: str, reset: str, filters: int) -> None:
    torch.manual_seed(1)
    layer = made((12, (9, 13), filters, 3, 1, 1, 1))
    spikes = (torch.rand(5, 3, 12, 9, 13) < 0.2).float().requires_grad_()
    beta = torch.rand(filters, 9, 13).requires_grad_()
    stand_in = surrogate("atan", None)
    dense = layer(spikes.flatten(0, 1)).unflatten(0, (5, 3))
    expected, _ = integrate_and_fire(
        dense, None, beta=beta, threshold=0.5, reset=reset, reset_delay=False, surrogate=stand_in
    )
    geometry = convolution.geometry_of(layer, (12, 9, 13))
    assert geometry is not None
    for method in WAYS:
        active = torch.zeros(filters, 9, 13, dtype=torch.int64)
        token, found = convolution.convolve_fire(
            spikes, packed(spikes), layer.weight, layer.bias, beta, settings_of(0.5, reset, False, stand_in), geometry,
            METHODS[method], active,
        )  # fmt: skip
        assert torch.equal(found.dense(), expected)
        assert torch.equal(found.per_neuron(), expected.sum((0, 1)).long())
        assert torch.equal(active, (dense != 0).sum((0, 1)))
        wanted = (spikes, layer.weight, layer.bias, beta)
        for grad in (torch.randn_like(expected), torch.randn(5, 3, 9, 13, filters).permute(0, 1, 4, 2, 3)):
            ours = torch.autograd.grad(token, wanted, grad, retain_graph=True)
            theirs = torch.autograd.grad(expected, wanted, grad, retain_graph=True)
            for one, other in zip(ours, theirs, strict=True):
                torch.testing.assert_close(one, other, **GRADIENT)


def test_the_same_on_any_number_of_threads() -> None:
    torch.manual_seed(2)
    layer = nn.Conv2d(32, 64, 3, padding=1)
    spikes = (torch.rand(4, 16, 32, 14, 14) < 0.1).float()
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 3, 2):
            torch.set_num_threads(threads)
            token = spikes.clone().requires_grad_()
            geometry = convolution.geometry_of(layer, (32, 14, 14))
            assert geometry is not None
            out, bits = convolution.convolve_fire(
                None, packed(token), layer.weight, layer.bias, 0.9,
                settings_of(1.0, "zero", False, surrogate("atan", None)), geometry, METHODS["events"],
            )  # fmt: skip
            grads = torch.autograd.grad(out, (layer.weight, layer.bias), torch.ones(out.shape))
            found.append((bits.words, *grads))
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    for others in found[1:]:
        assert all(torch.equal(one, other) for one, other in zip(found[0], others, strict=True))


def test_what_the_kernels_do_not_know_is_left_to_torch() -> None:
    known = convolution.geometry_of
    assert known(nn.Conv2d(4, 4, 3), (4, 8, 8)) is not None
    assert known(nn.Conv2d(4, 4, 3, groups=2), (4, 8, 8)) is None
    assert known(nn.Conv2d(4, 4, 3, padding=1, padding_mode="circular"), (4, 8, 8)) is None
    assert known(nn.Conv2d(4, 4, 2, padding="same"), (4, 8, 8)) is None  # one side more than the other
    assert known(nn.Conv2d(4, 4, 3), (5, 8, 8)) is None
    assert known(nn.Conv2d(4, 4, 3), (4, 2, 2)) is None
    assert known(nn.Conv2d(600, 4, 3), (600, 8, 200)) is None  # an event would not fit in 16 bits


def test_a_second_derivative_is_refused() -> None:
    layer = nn.Conv2d(32, 64, 3)
    spikes = (torch.rand(2, 1, 32, 8, 8) < 0.1).float().requires_grad_()
    out = on_bits(layer, spikes, "events", spikes)
    (grad,) = torch.autograd.grad((out**2).sum(), spikes, create_graph=True)
    with pytest.raises(InputError, match="second derivative"):
        grad.sum().backward()


def test_the_estimates_follow_the_density() -> None:
    wide = convolution.Geometry(32, (28, 28), 64, (28, 28), (3, 3), (1, 1), (1, 1), (1, 1))

    def best(density: float, **options: bool) -> str:
        costs = convolution.estimates(wide, 10, 32, int(density * 320 * 32 * 28 * 28), **options)
        return min(costs, key=costs.__getitem__)

    assert best(0.05) == best(0.05, learns=True) == "events"
    assert best(0.5) == "subsets"
    assert best(0.5, learns=True) == "events"
    assert best(1.0, learns=True) == "dense"
    narrow = convolution.Geometry(1, (28, 28), 12, (28, 28), (4, 4), (1, 1), (1, 1), (1, 1))
    assert convolution.worth_packing(wide, 10, 32)
    assert not convolution.worth_packing(narrow, 10, 32)
    assert convolution.worth_packing(narrow, 10, 32, fires=True), "with neurons behind, its currents stay in cache"


@settings(max_examples=40)
@given(
    st.integers(1, 9), st.tuples(st.integers(1, 70), st.integers(1, 70)), st.tuples(*[st.integers(1, 4)] * 2),
    st.one_of(st.none(), st.tuples(*[st.integers(1, 3)] * 2)), st.tuples(*[st.integers(0, 2)] * 2),
    st.tuples(*[st.integers(1, 3)] * 2), st.sampled_from(DENSITIES),
)  # fmt: skip
def test_max_pooling(
    channels: int, image: Any, kernel: Any, stride: Any, padding: Any, dilation: Any, density: float
) -> None:
    layer = nn.MaxPool2d(kernel, stride, padding, dilation)
    sizes = pooling.pooling_of(layer, (channels, *image))
    if sizes is None:
        return
    spikes = (torch.rand(2, 3, channels, *image) < density).float().requires_grad_()
    expected = layer(spikes.flatten(0, 1)).unflatten(0, (2, 3))
    token, found = pooling.max_pool(spikes, packed(spikes), sizes)
    assert token is not None
    assert torch.equal(found.dense(), expected)
    grad = torch.randn_like(expected)
    for one, other in zip(*(torch.autograd.grad(out, spikes, grad) for out in (token, expected)), strict=True):
        torch.testing.assert_close(one, other, **GRADIENT)


@settings(max_examples=30)
@given(
    st.integers(1, 9), st.tuples(st.integers(1, 70), st.integers(1, 140)),
    st.tuples(st.integers(1, 5), st.one_of(st.integers(1, 5), st.integers(60, 66))),
    st.sampled_from([None, 3, -7]), st.sampled_from(DENSITIES),
)  # fmt: skip
def test_average_pooling(channels: int, image: Any, kernel: Any, divisor: int | None, density: float) -> None:
    """To the bit: sums of ones are exact."""
    layer = nn.AvgPool2d(kernel, divisor_override=divisor)
    sizes = pooling.averaging_of(layer, (channels, *image))
    fits = kernel[1] <= 64 and kernel[0] <= image[0] and kernel[1] <= image[1]
    assert (sizes is not None) == fits
    if sizes is None:
        return
    spikes = (torch.rand(2, 3, channels, *image) < density).float().requires_grad_()
    expected = layer(spikes.flatten(0, 1)).unflatten(0, (2, 3))
    found = pooling.average_pool(spikes, packed(spikes), sizes)
    assert torch.equal(found, expected)
    grad = torch.randn_like(expected)
    for one, other in zip(*(torch.autograd.grad(out, spikes, grad) for out in (found, expected)), strict=True):
        assert torch.equal(one, other)


def test_other_average_poolings_are_left_to_torch() -> None:
    for layer in (nn.AvgPool2d(2, 1), nn.AvgPool2d(2, padding=1), nn.AvgPool2d(2, ceil_mode=True), nn.MaxPool2d(2)):
        assert not pooling.averages(layer)
    assert pooling.averaging_of(nn.AvgPool2d(2), (6, 6)) is None


NETWORKS: dict[str, Any] = {
    "plain": lambda: [nn.Conv2d(24, 40, 3, padding=1), sl.LIF(threshold=0.4), nn.Conv2d(40, 64, 3), sl.IF()],
    "max pooled": lambda: [nn.Conv2d(24, 40, 3), sl.LIF(), nn.MaxPool2d(2), nn.Conv2d(40, 64, 3), sl.LIF(reset="zero")],
    "averaged": lambda: [nn.Conv2d(24, 40, 3), sl.LIF(), nn.AvgPool2d(2), nn.Conv2d(40, 64, 3), sl.LIF(0.5)],
    "averaged by thirds": lambda: [
        nn.Conv2d(24, 40, 3),
        sl.LIF(),
        nn.AvgPool2d(3),
        nn.Conv2d(40, 48, 3, padding=1),
        sl.LIF(),
    ],
    "averaged twice": lambda: [
        nn.Conv2d(24, 64, 3, padding=1),
        sl.LIF(),
        nn.AvgPool2d(2),
        nn.Conv2d(64, 64, 3, padding=1),
        sl.LIF(threshold=0.5),
        nn.AvgPool2d(2),
        nn.Flatten(2),
        nn.Linear(576, 70),
        sl.LIF(threshold=0.2),
        nn.Dropout(0.5),
        nn.Linear(70, 10),
        sl.LIF(),
    ],
    "averaged last": lambda: [nn.Conv2d(24, 40, 3), sl.LIF(), nn.AvgPool2d(2), nn.Flatten(2), nn.Linear(1000, 10)],
    "strided": lambda: [nn.Conv2d(24, 64, 3, stride=2), sl.LIF(learn_beta=True), nn.Flatten(2), nn.Linear(1600, 10)],
    "normed": lambda: [nn.Conv2d(24, 64, 3), nn.BatchNorm2d(64), sl.LIF(), nn.Dropout(0.5), nn.Conv2d(64, 4, 3)],
    "pooled last": lambda: [nn.Conv2d(24, 64, 3, padding="same"), sl.LIF(), nn.MaxPool2d(2)],
    "one channel": lambda: [nn.Unflatten(2, (1, 24)), nn.Flatten(2, 3), nn.Conv2d(24, 64, 3), sl.LIF(), nn.Flatten(2)],
}


def network_of(name: str, kind: type[nn.Sequential]) -> nn.Sequential:
    torch.manual_seed(4)
    parts = []
    for part in NETWORKS[name]():
        timeless = isinstance(part, nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d | nn.BatchNorm2d)
        parts.append(sl.over_time(part) if timeless else part)
    network = kind(*parts)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_((parameter * 1024).round() / 256)
    return network


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("graded", [False, True])
def test_networks_are_the_same(name: str, graded: bool) -> None:
    plain = network_of(name, nn.Sequential).eval()
    events = sl.event_driven(plain)
    spikes = (torch.rand(6, 4, 24, 12, 12, generator=torch.Generator().manual_seed(5)) < 0.07).float()
    spikes = spikes / 2 if graded else spikes
    found = []
    for network in (plain, events):
        network.zero_grad()
        inputs = spikes.clone().requires_grad_()
        out = network(inputs)
        (out * torch.linspace(-1, 1, out.numel()).view(out.shape)).sum().backward()
        found.append((out.detach(), inputs.grad, *(parameter.grad.clone() for parameter in network.parameters())))
        with torch.no_grad():
            assert torch.equal(network(spikes), out)
            assert torch.equal(network(spikes.mT.contiguous().mT), out)
    assert torch.equal(found[0][0], found[1][0])
    assert bool(found[0][0].any())
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)  # sums of some thousand gradients
    assert events(spikes[:, :0]).shape == plain(spikes[:, :0]).shape


def test_one_image_at_every_step_is_convolved_once() -> None:
    plain = network_of("plain", nn.Sequential)
    events = sl.event_driven(plain)
    seen: list[torch.Size] = []
    convolve = nn.Conv2d.forward

    def watched(self: nn.Conv2d, values: Tensor) -> Tensor:
        seen.append(values.shape)
        return convolve(self, values)

    image = torch.randint(0, 5, (3, 24, 9, 9)).float() / 4
    still = image.expand(5, *image.shape)
    expected = plain(still)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nn.Conv2d, "forward", watched)
        assert torch.equal(events(still), expected)
    assert seen[0][0] == 3


def test_currents_are_kept_only_for_a_way_back(monkeypatch: pytest.MonkeyPatch) -> None:
    layer = nn.Conv2d(3, 5, 3, padding=1)
    geometry = convolution.geometry_of(layer, (3, 8, 8))
    assert geometry is not None
    spikes, kept, real = packed((torch.rand(4, 2, 3, 8, 8) < 0.2).float()), [], convolution.core.convolve_fire

    def spy(*given: Any, **named: Any) -> None:
        kept.append(named["currents"] is not None)
        real(*given, **named)

    monkeypatch.setattr(convolution.core, "convolve_fire", spy)
    neurons = settings_of(1.0, "subtract", False, surrogate("atan"))
    for seen in (torch.enable_grad(), torch.no_grad()):
        with seen:
            convolution.convolve_fire(None, spikes, layer.weight, layer.bias, 0.9, neurons, geometry, METHODS["events"])
    assert kept == [True, False]
