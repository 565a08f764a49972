"""What people who read half a page of the docs do: each call gives an answer, or one sentence of our own; never a raw error.

A row is a call, in Python as a user would type it, with `net`, `ann`, `x`, `data`, `act` and `led` at hand.
"""

from __future__ import annotations

import copy
import functools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import spikeledger as sl
from spikeledger.errors import SpikeLedgerError
from spikeledger.hardware.identities import Price
from spikeledger.hardware.profile import Static

ANSWERS = """
sl.record(net, x.numpy())
sl.record(net, x.tolist())
sl.record(net, x.double().numpy())
sl.record(net, x > 0.5)
sl.record(net, data)
sl.record(net, (data.test_inputs, data.test_labels))
sl.record(net, torch.utils.data.TensorDataset(data.test_inputs, data.test_labels))
sl.record(net, torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, torch.arange(9) % 3), batch_size=4))
sl.record(ann, x)
sl.record(nn.Sequential(nn.Linear(6, 3), nn.ReLU()), x)
act + act
act.to_dataframe()
act.total("spike")
led.by_layer()
led.to_dataframe()
led.save(folder / "a.json")
sl.Ledger.load(led.save(folder / "b.json"))
sl.Ledger.from_dict(led.to_dict())
sl.Activity.load(act.save(folder / "a"))
sl.price(act, "loihi", leave_out=["second"])
sl.price(act, sl.load_profile("v100"))
sl.price(sl.record(ann, x), "horowitz-45nm")
sl.map(net, x[:1])
sl.map(net)
sl.place(net, "loihi")
sl.simulate(net, x[:2], "loihi")
sl.evaluate(net, data)
sl.fit(copy.deepcopy(net), data, epochs=1, progress=False)
sl.Dataset.from_arrays("mine", np.ones((8, 6)), np.arange(8) % 3, np.ones((4, 6)), np.arange(4) % 3)
sl.zoo.mlp(6, 5, 3, neuron=sl.IF)
sl.zoo.mlp(6, 5, 3, neuron=sl.LIF(0.5))
sl.zoo.mlp(6, 5, 3, T=7)
sl.zoo.mlp(6, 5, 3, beta=0.25)
copy.deepcopy(net)
sl.record(copy.deepcopy(net).double(), x.double())
sl.list_profiles()
sl.load_network(sl.save_network(folder / "net", net))
sl.sensitivity(led)
sl.account(act, "loihi")
repr(act), repr(led), act._repr_html_()
"""

SENTENCES = """
sl.record(net, torch.rand(9, 7))
sl.record(net, None)
sl.record(net, "digits of mine")
sl.record(nn.Linear, x)
sl.record(lambda values: values, x)
sl.record(x, net)
sl.record(net, torch.rand(0, 6))
sl.record(net, x, layout="tb")
sl.record(net, x, batch_size=0)
sl.record(net, x, timesteps="5")
sl.record(net, x, sample=4)
sl.record(net, x, timesteps=3, num_steps=3)
sl.record(net, x.double())
sl.price(act, torch.device("cpu"))
sl.convert(net, x, timesteps=4)
sl.SpikingNetwork(nn.Linear(6, 3), encoder=sl.encoders.Rate(5), timesteps=3)
sl.SpikingNetwork(nn.Linear(6, 3), encoder="poisson", timesteps=3)
sl.simulate(net, x[0], "loihi")
sl.fit(net, data, loss=nn.BCELoss(), progress=False)
act.plot("layers.fc1", 3)
led.plot(size=3)
sl.convert(ann, x, timesteps=4, T=4)
sl.convert(ann, torch.rand(9, 5), timesteps=4)
led.report(folder / "bill.pdf")
sl.record(net)
sl.record(net, torch.full((2, 6), float("nan")))
sl.record(copy.deepcopy(net).to("meta"), x)
act.total("synops")
act.total("spike", "fc7")
act.layer("nowhere")
act.per_neuron("fc1", "mcas")
act.sumary
act + led
act + 3
sl.Activity.load(folder / "none.npz")
sl.Activity.load(folder)
act.save(folder / "no" / "such" / "folder.npz")
act.save(folder)
sl.price(act)
sl.price(act, None)
sl.price(act, 7)
sl.price(act, "Loihi 3")
sl.price(act, ["loihi", "v100"])
sl.price(net, "loihi")
sl.price(led, "loihi")
sl.price(act, {"synaptic_op": 1e-12})
sl.price(act, "loihi", bill="everything")
sl.price(act, "loihi", leave_out="seconds")
sl.price(act, "loihi", leaveout="second")
led + act
led < led
led.by_neurons
led.joule
sl.compare(ann, net)
sl.compare(net, ann, data, profiles="lohi")
sl.compare(led, led, data)
sl.compare(ann, net, data, profiles=[])
sl.map(data, x)
sl.place(net, "lohi")
sl.place(act, "loihi")
sl.fits(led, "loihi")
sl.simulate(net, "loihi", x)
sl.simulate(net, torch.rand(2, 11), "loihi")
sl.fit(net, data, epochs=0)
sl.fit(net, data, epochs=2.5)
sl.fit(net, data, epoch=2)
sl.fit(net, data, loss="hinge")
sl.fit(net, data, learning_rate=-1.0)
sl.fit(net, "digit")
sl.fit(sl.zoo.mlp(6, 2), data, progress=False)
sl.evaluate(net, x)
sl.load_dataset("Mnist 2")
sl.load_profile("v10")
sl.load_profile(folder)
sl.load_profile(None)
sl.load_profile(3)
sl.Dataset.from_arrays("mine", np.ones((8, 6)), np.eye(3)[np.arange(8) % 3] * 0.5, np.ones((4, 6)), np.arange(4))
sl.Dataset.from_arrays("mine", np.ones((8, 6)), np.array(["a"] * 8), np.ones((4, 6)), np.array(["b"] * 4))
sl.Dataset.from_arrays("mine", np.ones((8, 6)), np.arange(7), np.ones((4, 6)), np.arange(4))
sl.zoo.mlp(6)
sl.zoo.mlp(6, 0, 3)
sl.zoo.mlp(6, -5, 3)
sl.zoo.mlp(6, 5, 3, neuron="lfi")
sl.zoo.mlp(6, 5, 3, beta=1.5)
sl.zoo.mlp(6, 5, 3, dropout=7)
sl.zoo.mlp(6, 5, 3, dropout=float("nan"))
sl.zoo.mlp(6, 5, 3, dropout=-0.5)
sl.zoo.mlp(6, 5, 3, refractory=2**40)
sl.zoo.mlp(6, 5, 3, timesteps=0)
sl.zoo.mlp(6, 5, 3, encoder="poison")
sl.zoo.mlp(6, 5, 3, decoder="vote")
sl.zoo.mlp(6, 5, 3, encoder=None)(x)
sl.zoo.build("cnn-s", (1, 2, 2), 3)
sl.zoo.build("cnn-x", (1, 8, 8), 3)
sl.zoo.twin(ann)
sl.LIF()(torch.rand(3))
sl.LIF(beta=-0.5)
sl.LIF(tau=3.0)
sl.LIF(threshold=0)
sl.LIF(reset="hard")
sl.save_network(net, folder / "net")
sl.save_network(folder / "own", nn.Linear(3, 2))
sl.load_network(folder / "nowhere")
sl.sensitivity(act)
sl.account(led, "loihi")
sl.losses.joules("lohi", target=1e-7)
sl.prune(net, 90)
sl.backend("cuda")
sl.recrod
HardwareProfile(name="mine")
HardwareProfile("mine", "My chip")
HardwareProfile(name="mine", title="My chip", volts=-1.0)
HardwareProfile(name="mine", title="My chip", price={})
Price(joules=2e-12)
Price(2e-12)
Price(joules=3.0, low=2.0, high=4.0, kind="measured", source="a data sheet, table 3")
Price(joules="cheap", low=0, high=1, kind="guessed", source="")
Static(watts=-1)
"""


@functools.cache
def things() -> dict[str, Any]:
    torch.manual_seed(0)
    net = sl.zoo.mlp(6, 5, 3, timesteps=3)
    x = torch.rand(9, 6)
    data = sl.Dataset.from_arrays("mine", x, torch.arange(9) % 3, x[:5], torch.arange(5) % 3)
    act = sl.record(net, x)
    return {
        "sl": sl, "np": np, "nn": nn, "torch": torch, "copy": copy, "net": net, "x": x, "data": data, "act": act,
        "ann": sl.zoo.twin(net), "led": sl.price(act, "loihi"), "HardwareProfile": sl.HardwareProfile, "Price": Price,
        "Static": Static,
    }  # fmt: skip


def run(call: str, folder: Path) -> Any:
    return eval(call, {**things(), "folder": folder})  # the calls above


@pytest.mark.parametrize("call", ANSWERS.strip().splitlines())
def test_odd_but_right(call: str, tmp_path: Path) -> None:
    repr(run(call, tmp_path))


@pytest.mark.parametrize("call", SENTENCES.strip().splitlines())
def test_wrong_and_told_so(call: str, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(SpikeLedgerError) as caught:
        run(call, tmp_path)
    said = str(caught.value)
    assert 20 < len(said) < 1000 and "\n" not in said
    assert sorted(tmp_path.rglob("*")) == before
