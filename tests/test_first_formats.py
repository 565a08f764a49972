"""Files of version 0.1 still load, and say what they said: `tests/old` was written by the commits that made each format.

`first` by 534daac (an activity, a ledger), `trained` by 884171d (a run, networks, a comparison), `profiles` by 7e240a1 and
97e9878, chips by f9290ab, when a chip and its prices were two files. Nothing in that folder is ever written anew.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import spikeledger as sl
from spikeledger.cli.app import main
from spikeledger.hardware.catalog import load_profile
from spikeledger.training.checkpoints import load_checkpoint

OLD = Path(__file__).with_name("old")


@pytest.mark.parametrize("folder", ["first", "trained"])
def test_activities(folder: str) -> None:
    found = sl.Activity.load(OLD / folder / "activity.npz")
    told = json.loads((OLD / folder / "ledger.json").read_text())
    assert (found.samples, found.timesteps, len(found.layers)) == (told["samples"], told["timesteps"], 5)
    assert found.total("spike") == 58 and found.total("synaptic_op") == 279
    counted = {(each["layer"], each["event"]): each["count"] for each in told["entries"] if each["event"] != "second"}
    assert all(found.total(event, layer) == count for (layer, event), count in counted.items()) and counted
    assert int(np.sum(found.per_neuron(found.layers[0]))) == found.total("spike", found.layers[0])
    priced = sl.price(found, OLD / "profiles" / "loihi.toml")  # at the prices of its time
    assert priced.by_event() == pytest.approx(told["by_event"])
    assert found + found == found + sl.Activity.load(OLD / folder / "activity.npz")


@pytest.mark.parametrize("folder", ["first", "trained"])
def test_ledgers(folder: str, capfd: pytest.CaptureFixture[str]) -> None:
    told = json.loads((OLD / folder / "ledger.json").read_text())
    found = sl.Ledger.load(OLD / folder / "ledger.json")
    assert found.joules == pytest.approx(told["joules"])
    assert (found.joules_low, found.joules_high) == pytest.approx((told["joules_low"], told["joules_high"]))
    assert found.by_event() == pytest.approx(told["by_event"])
    assert main(["show", str(OLD / folder / "ledger.json")]) == 0
    assert "loihi" in capfd.readouterr().out


@pytest.mark.parametrize("name", ["network", "twin"])
def test_networks(name: str) -> None:
    network = sl.load_network(OLD / "trained" / name)
    with torch.no_grad():
        assert network(torch.rand(2, 6)).shape[-1] == 3


def test_training_runs(tmp_path: Path) -> None:
    run = load_checkpoint(OLD / "trained" / "run")
    assert run.epoch == 2 and run.spec is not None
    kept, network = sl.load_network(OLD / "trained" / "run").state_dict(), sl.load_network(OLD / "trained" / "network")
    assert all(torch.equal(value, kept[name]) for name, value in network.state_dict().items())


def test_comparisons(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["show", str(OLD / "trained" / "comparison.json")]) == 0
    assert "McNemar" in capfd.readouterr().out


@pytest.mark.parametrize("path", sorted((OLD / "profiles").glob("*.toml")), ids=lambda path: path.stem)
def test_profiles_and_chips(path: Path) -> None:
    found = load_profile(path)
    assert found.prices
    assert (found.core is not None) == path.stem.startswith("chip-")
    if path.stem == "v100":
        assert found.timing is not None and found.timing.seconds_per_event == {"dense_op": 4.25e-13}
