"""Surrogates that are zero but near the threshold: layers keep, and compute, only what is near; gradients stay the dense
ones of the same surrogate."""

from __future__ import annotations

import functools
import itertools
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import spikeledger as sl
from spikeledger.kernels import convolution, layers, planes
from spikeledger.kernels.choice import native
from spikeledger.kernels.fire import settings_of
from spikeledger.kernels.layers import Layer, stack
from spikeledger.kernels.surrogates import COMPACT, SURROGATES, surrogate
from tolerance import GRADIENT

pytestmark = pytest.mark.skipif(native() is None, reason="the native core is not built")


def exact(*shape: int) -> Tensor:
    """Values k/64: their sums are exact in float32, so that no order of addition can move a spike."""
    return torch.randint(-64, 65, shape).float() / 64


def test_compact_is_what_is_zero_away_from_the_threshold() -> None:
    far = torch.tensor([-5.0, 5.0])
    assert {name for name in SURROGATES if not surrogate(name, 1.0).derivative(far).any()} == set(COMPACT)


def both(
    widths: list[int], steps: int, batch: int, kind: Any, beta: Any, threads: int = 1, **options: Any
) -> list[list[Tensor]]:
    """Spikes, and gradients of input, weights, biases and decays: by the kernels, and by plain torch."""
    spikes = (torch.rand(steps, batch, widths[0]) < 0.2).float()
    weights = [exact(m, n) for n, m in itertools.pairwise(widths)]
    biases = [exact(m) for m in widths[1:]]
    grad = torch.randn(steps, batch, widths[-1])
    found, before = [], torch.get_num_threads()
    for fast in (True, False):
        x, decay = spikes.clone().requires_grad_(), beta.clone().requires_grad_(options.get("learn_beta", False))
        parameters = [each.clone().requires_grad_() for each in (*weights, *biases)]
        pairs = list(zip(parameters[: len(weights)], parameters[len(weights) :], strict=True))
        torch.set_num_threads(threads)
        if fast:
            neurons = settings_of(1.0, options["reset"], options["reset_delay"], kind)
            bits = planes.pack(spikes)
            assert bits is not None
            out, sent = stack(x, bits, [Layer(w, b, decay, neurons) for w, b in pairs])
            fired = [each.dense() for each in sent]
        else:
            out, fired = x, []
            for w, b in pairs:
                with sl.backend("reference"):
                    neuron = sl.LIF(0.5, surrogate=kind, reset=options["reset"], reset_delay=options["reset_delay"])
                    neuron.decay = functools.partial(torch.Tensor.view_as, decay, decay)  # type: ignore[method-assign]
                    out = neuron(nn.functional.linear(out, w, b))
                fired.append(out.detach())
        wanted = [x, *parameters, *([decay] if decay.requires_grad else [])]
        found.append([*fired, *torch.autograd.grad(out, wanted, grad)])
        torch.set_num_threads(before)
    return found


@pytest.mark.parametrize("reset", ["subtract", "zero", "none"])
@pytest.mark.parametrize("reset_delay", [False, True])
@pytest.mark.parametrize("name", COMPACT)
@pytest.mark.parametrize("slope", [0.6, 4.0, 1e6])
def test_gradients_are_the_dense_ones(
    instruction_set: str, reset: str, reset_delay: bool, name: str, slope: float
) -> None:
    torch.manual_seed(0)
    for widths in ([70, 130, 90, 7], [5, 16, 33]):  # a product with few above, with many, and halves of a block
        ours, theirs = both(
            widths, 4, 37, surrogate(name, slope), torch.tensor(0.5), reset=reset, reset_delay=reset_delay
        )
        layers_ = len(widths) - 1
        assert all(torch.equal(one, other) for one, other in zip(ours[:layers_], theirs[:layers_], strict=True))
        assert ours[0].any()
        for one, other in zip(ours[layers_:], theirs[layers_:], strict=True):
            size = float(other.abs().max()) + 1e-6  # sums of some thousand gradients
            torch.testing.assert_close(one / size, other / size, **GRADIENT)


@settings(max_examples=25)
@given(
    st.lists(st.integers(1, 140), min_size=2, max_size=4), st.integers(1, 6), st.integers(1, 70), st.sampled_from(COMPACT),
    st.floats(0.3, 30), st.integers(1, 3), st.sampled_from(["subtract", "zero", "none"]), st.booleans(), st.booleans(),
    st.integers(0, 2**31),
)  # fmt: skip
def test_any_stack(
    widths: list[int], steps: int, batch: int, name: str, slope: float, threads: int, reset: str, reset_delay: bool,
    learn_beta: bool, seed: int,
) -> None:  # fmt: skip
    torch.manual_seed(seed)
    ours, theirs = both(
        widths, steps, batch, surrogate(name, slope), torch.full((), 0.75), threads, reset=reset, reset_delay=reset_delay,
        learn_beta=learn_beta,
    )  # fmt: skip
    layers_ = len(widths) - 1
    assert all(torch.equal(one, other) for one, other in zip(ours[:layers_], theirs[:layers_], strict=True))
    for one, other in zip(ours[layers_:], theirs[layers_:], strict=True):
        size = float(other.abs().max()) + 1e-6
        torch.testing.assert_close(one / size, other / size, **GRADIENT)


def test_memory_falls_with_what_is_near(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(1)
    bits = planes.pack((torch.rand(20, 64, 200) < 0.1).float())
    assert bits is not None
    kept: list[Any] = []
    real = layers.core.layer

    def spy(*given: Any, **named: Any) -> int:
        kept.append((named["charges"], named["near"]))
        return real(*given, **named)

    monkeypatch.setattr(layers.core, "layer", spy)
    weight = (torch.randn(256, 200) / 5).requires_grad_()
    for kind in (surrogate("atan"), *(surrogate("triangle", slope) for slope in (1.0, 5.0, 50.0))):
        stack(None, bits, [Layer(weight, None, 0.9, settings_of(1.0, "subtract", False, kind))])
    (charges, none), *compact = kept
    assert none is None and charges.numel() * 4 == 20 * 64 * 256 * 4
    sizes = [near.bytes for _, near in compact]
    assert all(charged is None for charged, _ in compact)
    assert sizes[0] < charges.numel() * 4
    assert sizes[0] > 1.5 * sizes[1] > 1.5 * sizes[2]
    assert sizes[2] < charges.numel() * 4 / 10


# -- convolutions ------------------------------------------------------------------------------------------------------


@settings(max_examples=40)
@given(
    st.tuples(st.integers(1, 3), st.integers(1, 4)), st.integers(1, 70), st.tuples(*[st.integers(1, 75)] * 2),
    st.integers(1, 70), st.tuples(*[st.integers(1, 6)] * 2), st.tuples(*[st.integers(1, 3)] * 2),
    st.tuples(*[st.integers(0, 4)] * 2), st.tuples(*[st.integers(1, 3)] * 2), st.sampled_from([0.0, 0.05, 0.4, 1.0]),
)  # fmt: skip
def test_gradients_of_any_convolution(
    rows: Any, channels: int, image: Any, filters: int, kernel: Any, stride: Any, padding: Any, dilation: Any,
    density: float,
) -> None:  # fmt: skip
    channels = min(channels, 4000 // (image[0] * image[1]) + 1)
    layer = nn.Conv2d(channels, filters, kernel, stride, padding, dilation)
    geometry = convolution.geometry_of(layer, (channels, *image))
    if geometry is None:  # the kernel is larger than the image
        return
    spikes = (torch.rand(*rows, channels, *image) < density).float()
    bits = planes.pack(spikes)
    assert bits is not None
    x = spikes.flatten(0, 1).requires_grad_()
    with torch.no_grad():
        layer.weight.copy_(exact(*layer.weight.shape))
    dense = layer(x)
    grad = exact(*dense.shape)
    to_x, to_weight, to_bias = torch.autograd.grad(dense, (x, layer.weight, layer.bias), grad)
    last, sizes = grad.permute(0, 2, 3, 1).contiguous(), geometry.sizes(bits)
    found = torch.full((len(x), *image, channels), float("nan"))
    weight, bias = torch.empty(layer.weight.shape), torch.empty(filters)
    back = functools.partial(
        layers.core.convolve_back, sizes, bits.words, layer.weight.detach(), fired=None, flow=last, inputs=found
    )
    back(weight=weight, bias=bias, near=bits.words)
    assert torch.equal(found.permute(0, 3, 1, 2), to_x * x.detach())
    assert torch.equal(weight, to_weight)
    if (kernel, stride, dilation) == ((3, 3), (1, 1), (1, 1)):  # sums and halves of these numbers are exact, too
        found.fill_(float("nan"))
        back(weight=None, bias=None, near=None)
        assert torch.equal(found.permute(0, 3, 1, 2), to_x)
    torch.testing.assert_close(bias, to_bias, **GRADIENT)


@pytest.mark.parametrize("name", COMPACT)
@pytest.mark.parametrize("reset", ["subtract", "zero"])
@pytest.mark.parametrize("slope", [0.7, 6.0])
def test_convolutions_behind_one_another(
    instruction_set: str, name: str, reset: Any, slope: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(3)
    neuron = {"surrogate": name, "slope": slope, "reset": reset}
    network = nn.Sequential(
        sl.over_time(nn.Conv2d(20, 40, 3, padding=1)), sl.LIF(0.5, **neuron), sl.over_time(nn.Conv2d(40, 50, 3)),
        sl.LIF(0.5, **neuron), sl.over_time(nn.MaxPool2d(2)), sl.over_time(nn.Conv2d(50, 33, 3)), sl.LIF(0.5, **neuron),
    )  # fmt: skip
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_((parameter * 512).round() / 64)
    spikes = (torch.rand(5, 3, 20, 12, 12) < 0.1).float()
    asked: list[bool] = []
    real = convolution.core.convolve_back

    def spy(*given: Any, **named: Any) -> None:
        if named["near"] is not None:
            asked.append(True)
        real(*given, **named)

    monkeypatch.setattr(convolution.core, "convolve_back", spy)
    found = []
    for fast in (True, False):
        x = spikes.clone().requires_grad_()
        with sl.backend("auto" if fast else "reference"):
            out = (sl.event_driven(network) if fast else network)(x)
            (out * torch.linspace(-1, 1, out.numel()).view(out.shape)).sum().backward()
        found.append([out.detach(), x.grad, *(parameter.grad for parameter in network.parameters())])
        network.zero_grad()
    assert torch.equal(found[0][0], found[1][0])
    assert found[0][0].any()
    for one, other in zip(found[0][1:], found[1][1:], strict=True):
        size = float(other.abs().max()) + 1e-6
        torch.testing.assert_close(one / size, other / size, **GRADIENT)
    assert asked == ([True] if slope > 1 else []), "few near the threshold: their gradients alone; of many: all of them"
