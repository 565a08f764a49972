"""Weighted operators and poolings of random shapes, against counting by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import spikeledger as sl
from recording import oracle

CONVOLUTIONS = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
TRANSPOSED = {1: nn.ConvTranspose1d, 2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}


def spikes(generator: torch.Generator, *shape: int, density: float = 0.4) -> torch.Tensor:
    return (torch.rand(shape, generator=generator) < density).float()


def prune(layer: nn.Module, generator: torch.Generator, share: float) -> None:
    with torch.no_grad():
        weight = layer.weight
        weight.mul_((torch.rand(weight.shape, generator=generator) >= share).to(weight.dtype))


@st.composite
def geometries(draw: st.DrawFn) -> dict:
    dims = draw(st.integers(1, 3))
    top = {1: 7, 2: 5, 3: 4}[dims]
    sizes = [draw(st.integers(3, top)) for _ in range(dims)]
    groups = draw(st.sampled_from([1, 1, 2]))
    return {
        "sizes": sizes,
        "groups": groups,
        "channels": groups * draw(st.integers(1, 2)),
        "outputs": groups * draw(st.integers(1, 2)),
        "kernel": [draw(st.integers(1, min(3, size))) for size in sizes],
        "stride": [draw(st.integers(1, 3)) for _ in sizes],
        "padding": [draw(st.integers(0, 2)) for _ in sizes],
        "dilation": [draw(st.integers(1, 2)) for _ in sizes],
        "pruned": draw(st.sampled_from([0.0, 0.5])),
        "density": draw(st.sampled_from([0.0, 0.2, 1.0])),
        "seed": draw(st.integers(0, 99)),
    }


@given(geometries())
@settings(max_examples=40, deadline=None)
def test_convolutions(case: dict) -> None:
    spans = zip(case["sizes"], case["kernel"], case["padding"], case["dilation"], strict=True)
    if any(n + 2 * p < d * (k - 1) + 1 for n, k, p, d in spans):
        return
    generator = torch.Generator().manual_seed(case["seed"])
    layer = CONVOLUTIONS[len(case["sizes"])](
        case["channels"], case["outputs"], case["kernel"], stride=case["stride"], padding=case["padding"],
        dilation=case["dilation"], groups=case["groups"],
    )  # fmt: skip
    prune(layer, generator, case["pruned"])
    rows = spikes(generator, 2, case["channels"], *case["sizes"], density=case["density"])
    wires = oracle.convolution(
        rows.shape[1:], layer.weight.detach().numpy(), case["stride"], case["padding"], case["dilation"], case["groups"]
    )
    activity = sl.record(nn.Sequential(layer), rows)
    assert not activity.uncounted
    expected = oracle.events(rows.numpy(), wires)
    assert activity.total("synaptic_op") == expected.sum()
    assert activity.layer("0").synapses == sum(map(len, wires.values()))
    assert (activity.fan_out("0") == np.array([len(wires[p]) for p in wires]).reshape(rows.shape[1:])).all()
    if expected.sum():
        assert (activity.per_neuron("0", "synaptic_op") == expected).all()
    assert expected.sum() <= activity.total("dense_op")


@given(geometries(), st.integers(0, 1))
@settings(max_examples=25, deadline=None)
def test_transposed_convolutions(case: dict, more: int) -> None:
    extra = [min(more, max(s, d) - 1) for s, d in zip(case["stride"], case["dilation"], strict=True)]
    padding = [min(p, d * (k - 1)) for p, k, d in zip(case["padding"], case["kernel"], case["dilation"], strict=True)]
    generator = torch.Generator().manual_seed(case["seed"])
    layer = TRANSPOSED[len(case["sizes"])](
        case["channels"], case["outputs"], case["kernel"], stride=case["stride"], padding=padding, output_padding=extra,
        dilation=case["dilation"], groups=case["groups"],
    )  # fmt: skip
    prune(layer, generator, case["pruned"])
    rows = spikes(generator, 2, case["channels"], *case["sizes"], density=case["density"])
    wires = oracle.transposed_convolution(
        rows.shape[1:], layer.weight.detach().numpy(), case["stride"], padding, case["dilation"], extra, case["groups"]
    )
    activity = sl.record(layer, rows)
    assert activity.total("synaptic_op") == oracle.events(rows.numpy(), wires).sum()


@given(
    st.lists(st.integers(1, 6), min_size=2, max_size=4),
    st.sampled_from([0.0, 0.7]),
    st.integers(0, 99),
    st.integers(1, 2),
)
@settings(max_examples=20, deadline=None)
def test_linear_layers_over_any_leading_axes(widths: list[int], pruned: float, seed: int, extra_axes: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    layer = nn.Linear(widths[0], widths[1])
    prune(layer, generator, pruned)
    rows = spikes(generator, *[2] * extra_axes, 3, widths[0])
    activity = sl.record(layer, rows)
    expected = oracle.events(rows.reshape(-1, widths[0]).numpy(), oracle.linear(layer.weight.detach().numpy()))
    assert activity.total("synaptic_op") == expected.sum()


@given(
    kernel=st.integers(1, 3), stride=st.integers(1, 3), padded=st.booleans(), pruned=st.sampled_from([0.0, 0.6]),
    head=st.sampled_from(["conv", "linear"]), seed=st.integers(0, 99), adaptive=st.sampled_from([0, 2, 3]),
)  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_pooling_folds_into_the_synapses_behind_it(
    kernel: int, stride: int, padded: bool, pruned: float, head: str, seed: int, adaptive: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    rows = spikes(generator, 2, 2, 5, 5)
    padding = kernel // 2 if padded else 0
    if adaptive:
        pool: nn.Module = nn.AdaptiveAvgPool2d(adaptive)
        first = oracle.adaptive_pooling(rows.shape[1:], (adaptive, adaptive))
    else:
        pool = nn.AvgPool2d(kernel, stride, padding)
        first = oracle.pooling(rows.shape[1:], (kernel,) * 2, (stride,) * 2, (padding,) * 2)
    middle = pool(rows).shape[1:]
    if head == "conv":
        layer: nn.Module = nn.Conv2d(2, 3, 2, padding=1)
        prune(layer, generator, pruned)
        second = oracle.convolution(middle, layer.weight.detach().numpy(), (1, 1), (1, 1), (1, 1), 1)
        network = nn.Sequential(pool, layer)
    else:
        layer = nn.Linear(middle.numel(), 3)
        prune(layer, generator, pruned)
        second = oracle.after_flatten(middle, oracle.linear(layer.weight.detach().numpy()))
        network = nn.Sequential(pool, nn.Flatten(), layer)
    name = str(len(network) - 1)
    folded = sl.record(network, rows, pooling="fold")
    expected = oracle.events(rows.numpy(), oracle.through(first, second))
    assert folded.total("synaptic_op", name) == expected.sum()
    assert folded.total("mac") == 0 and folded.total("pool_read") == 0
    if expected.sum():
        assert (folded.per_neuron(name, "synaptic_op").ravel() == expected.ravel()).all()

    separate = sl.record(network, rows, pooling="separate")
    pooled = pool(rows)
    arrived = separate.total("synaptic_op", name) + separate.total("mac", name)
    assert arrived == oracle.events(pooled.numpy(), second).sum()
    assert separate.total("pool_read") == 2 * sum(map(len, first.values()))


@pytest.mark.parametrize(
    ("pool", "kernel", "stride", "padding"),
    [(nn.MaxPool2d(2), 2, 2, 0), (nn.MaxPool2d(3, 1, padding=1), 3, 1, 1), (nn.MaxPool2d(3, 2), 3, 2, 0)],
)
def test_max_pooling_reads_each_window_and_passes_spikes_on(
    pool: nn.Module, kernel: int, stride: int, padding: int
) -> None:
    rows = spikes(torch.Generator().manual_seed(0), 2, 2, 6, 6)
    layer = nn.Linear(pool(rows)[0].numel(), 3)
    activity = sl.record(nn.Sequential(pool, nn.Flatten(), layer), rows)
    windows = oracle.pooling(rows.shape[1:], (kernel,) * 2, (stride,) * 2, (padding,) * 2)
    assert activity.total("pool_read") == 2 * sum(map(len, windows.values()))
    assert activity.total("synaptic_op") == int(pool(rows).sum()) * 3


@pytest.mark.parametrize("mode", ["zeros", "reflect", "replicate", "circular"])
def test_padding_modes_count_what_the_operator_multiplied(mode: str) -> None:
    rows = spikes(torch.Generator().manual_seed(1), 2, 2, 5, 5)
    layer = nn.Conv2d(2, 3, 3, padding=1, padding_mode=mode)
    activity = sl.record(layer, rows)
    weight = layer.weight.detach().numpy()
    if mode == "zeros":
        expected = oracle.events(rows.numpy(), oracle.convolution((2, 5, 5), weight, (1, 1), (1, 1), (1, 1), 1))
    else:
        padded = torch.nn.functional.pad(rows, (1, 1, 1, 1), mode=mode)
        expected = oracle.events(padded.numpy(), oracle.convolution((2, 7, 7), weight, (1, 1), (0, 0), (1, 1), 1))
    assert activity.total("synaptic_op") == expected.sum()
    assert not activity.uncounted
