"""Bytes and sparsities, by hand; and the account of all this survives a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import spikeledger as sl
from spikeledger.activity import Activity, Layer, Tally, footprint
from spikeledger.errors import InputError


def network() -> nn.Sequential:
    torch.manual_seed(0)
    found = nn.Sequential(nn.Linear(8, 5), sl.LIF(threshold=0.2), nn.Linear(5, 3, bias=False), sl.LIF(threshold=0.2))
    with torch.no_grad():
        found[0].weight[:, :3] = 0
    return found


def test_bytes_and_sparsities_by_hand(tmp_path: Path) -> None:
    model, x = network(), torch.rand(6, 4, 8)
    activity = sl.record(model, x)
    activity = sl.Activity.load(activity.save(tmp_path / "run.npz"))
    assert footprint.parameter_bytes(activity) == 4 * (8 * 5 + 5 + 5 * 3)
    assert footprint.parameter_bytes(activity, bits=5) == -(-(8 * 5 + 5 + 5 * 3) * 5 // 8)
    assert footprint.state_bytes(activity, bits=16) == 2 * (5 + 3)
    assert footprint.activation_bytes(activity, bits=8) == 2 * (5 + 3)
    assert footprint.connection_sparsity(activity) == pytest.approx(15 / 55)
    with torch.no_grad():
        first = model[1](model[0](x))
        second = model[3](model[2](first))
    zeros = (first == 0).sum() + (second == 0).sum()
    assert footprint.activation_sparsity(activity) == pytest.approx(float(zeros) / (first.numel() + second.numel()))
    assert activity.fan_out("0").tolist() == [0, 0, 0, 5, 5, 5, 5, 5]
    with pytest.raises(InputError, match="0 bits"):
        footprint.state_bytes(activity, bits=0)
    with pytest.raises(InputError, match="no stored weights"):
        activity.fan_out("1")


def test_an_ordinary_network_is_sparse_where_relu_says_zero() -> None:
    torch.manual_seed(0)
    model, x = nn.Sequential(nn.Linear(8, 5), nn.ReLU(), nn.Linear(5, 3)), torch.randn(6, 8)
    activity = sl.record(model, x)
    zeros = float((model[:2](x) == 0).sum())
    assert footprint.activation_sparsity(activity) == pytest.approx(zeros / 30)
    assert footprint.activation_sparsity(activity + activity) == pytest.approx(zeros / 30)


def test_counts_take_few_bytes_in_a_file_and_come_back_as_they_were(tmp_path: Path) -> None:
    sizes = []
    for most in (2**15 - 1, 2**15, 2**31 - 1, 2**31, 2**40):
        rows = np.zeros(5000, np.int64)
        rows[7] = most
        layer = Layer("fc", "linear", (5000,), 10, inputs="spikes", magnitude=1.0)
        run = Activity({"fc": layer}, {("fc", "synaptic_op"): Tally("fc", "synaptic_op", most, rows)}, 1, 1)
        file = run.save(tmp_path / f"{most}.npz")
        assert Activity.load(file) == run
        assert Activity.load(file).per_neuron("fc", "synaptic_op").dtype == np.int64
        sizes.append(round(file.stat().st_size / 5000))
    assert sizes == [2, 4, 4, 8, 8]
