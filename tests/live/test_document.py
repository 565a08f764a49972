"""What a page holds, and what it refuses: whole numbers that are the network, and sentences for what it cannot run."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import livepages
from spikeledger.errors import FileFormatError, InputError
from spikeledger.hardware.catalog import load_profile
from spikeledger.ledger import price
from spikeledger.live.document import local
from spikeledger.live.networks import compared, label_of
from spikeledger.live.page import live_page
from spikeledger.live.perceptrons import perceptron
from spikeledger.live.slopes import ONE, classes, in_classes, slopes, total
from spikeledger.networks import zoo
from spikeledger.recording.record import record


def test_int8_weights_are_the_network_and_the_given_one_is_left_alone() -> None:
    given, _ = livepages.untrained(12, 9, 4, timesteps=3)
    before = {name: tensor.clone() for name, tensor in given.state_dict().items()}
    made = perceptron(given)
    assert all(torch.equal(before[name], tensor) for name, tensor in given.state_dict().items())
    for layer, part in zip(made.layers, (each for each in made.network if isinstance(each, nn.Linear)), strict=True):
        assert np.array_equal(part.weight.detach().numpy(), layer.values * 2.0**-layer.shift)
        assert layer.bias is not None
        assert np.array_equal(part.bias.detach().numpy(), layer.bias * np.float32(2.0**-layer.shift))
        assert 64 <= abs(layer.values).max() <= 127  # one more bit would cut a weight


@pytest.mark.parametrize(
    ("network", "says"),
    [
        (lambda: zoo.build("cnn-s", (1, 28, 28), 10), "show a recording"),
        (lambda: zoo.mlp(8, 4, neuron="synaptic"), "neuron_fc1"),
        (lambda: zoo.mlp(8, 4, refractory=2), "IF or LIF"),
        (lambda: zoo.mlp(8, 4, encoder=None), "NoneType encoder"),
        (lambda: nn.Sequential(nn.Linear(8, 4), nn.Tanh()), "Tanh"),
        (lambda: nn.Sequential(nn.Linear(8, 4), nn.Linear(4, 4)), "Linear"),
        (lambda: nn.Linear(8, 4), "no sequence of layers"),
        (lambda: nn.Sequential(nn.Flatten()), "no linear layer"),
    ],
)  # fmt: skip
def test_what_the_page_cannot_run_is_refused_by_name(network: Any, says: str) -> None:
    with pytest.raises(InputError, match=says):
        perceptron(network())


def test_networks_and_data_that_do_not_fit_are_refused() -> None:
    ann, snn = livepages.untrained(64, 10, timesteps=2)
    with pytest.raises(InputError, match="in this order"):
        local(snn, ann, livepages.digits(), catalogue=["loihi"])
    wide_ann, wide_snn = livepages.untrained(65, 10, timesteps=2)
    with pytest.raises(InputError, match="takes 65 values"):
        local(wide_ann, wide_snn, livepages.digits(), catalogue=["loihi"])


@pytest.mark.parametrize("name", ["horowitz-45nm@row-wise", "loihi", "t4", "published-paper-002-45nm", "loihi@boot"])
@pytest.mark.parametrize("timesteps", [1, 4, 31])
def test_coefficients_give_what_price_gives(name: str, timesteps: int) -> None:
    _, snn = livepages.untrained(20, 13, 6, timesteps=timesteps, threshold=0.3)
    activity = record(snn, torch.rand(1, 20, generator=torch.Generator().manual_seed(timesteps)))
    device = load_profile(name)
    kinds = tuple(layer.inputs for layer in activity.layers_by_name.values() if layer.weighted)
    assert kinds in classes(activity)
    rows, ledger = slopes(in_classes(activity, kinds), device), price(activity, device)
    counts = {ONE: 1.0, **{key: float(tally.count) for key, tally in activity.tallies.items()}}
    for end, want in (("low", ledger.joules_low), ("nominal", ledger.joules), ("high", ledger.joules_high)):
        assert total(rows.joules, counts, timesteps, end) == pytest.approx(want, rel=1e-12)
    seconds = total(rows.seconds, counts, timesteps)
    assert seconds == pytest.approx(ledger.seconds or 0.0, rel=1e-12)


def test_the_block_is_what_the_script_unpacks() -> None:
    document = livepages.shipped_document()
    whole = zlib.decompress(base64.b64decode(document.packed()), -15)
    (length,) = struct.unpack("<I", whole[:4])
    values = json.loads(whole[4 : 4 + length])
    layer = values["snn"]["layers"][0]
    at = 4 + length + layer["weights"]
    weights = np.frombuffer(whole[at : at + 64 * 256], np.int8).reshape(64, 256)
    assert np.array_equal(weights, perceptron(livepages.shipped("snn")).layers[0].values.T)
    assert values["snn"]["after"] > 0.95 and values["ann"]["after"] > 0.95


def test_the_policy_lets_one_script_run_and_nothing_else_load() -> None:
    page = live_page(livepages.shipped_document())
    scripts = re.findall(r"<script>(.*?)</script>", page, flags=re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(scripts[0].encode()).digest()).decode()
    assert len(scripts) == 1 and f"script-src 'sha256-{digest}'" in page
    assert "default-src 'none'" in page
    assert "{payload}" not in page and "{policy}" not in page
    assert not re.findall(r"(?:src|href)=\"(?!data:)[^\"]", page)


def test_a_folder_that_is_no_comparison_is_said(tmp_path: Path) -> None:
    (tmp_path / "comparison.json").write_text('{"data": ')
    with pytest.raises(FileFormatError, match="is no comparison"):
        compared(tmp_path)
    assert label_of(zoo.mlp(8, 5, 3, timesteps=7)) == "SNN 8-5-3, T = 7"
