"""`spikeledger chip`: JSON for machines, a sentence for what a user can get wrong, a picture on request."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from torch import nn

import spikeledger as sl
from chip.networks import exact
from spikeledger.chip import machine
from spikeledger.cli.app import main

needs_native = pytest.mark.skipif(machine.native is None, reason="the native core was not built")


@pytest.fixture
def network(tmp_path: Path) -> str:
    pytest.importorskip("nir", reason="nir is not installed")
    from spikeledger.networks.nir import write_nir

    made = exact(
        nn.Sequential(nn.Linear(12, 30), sl.LIF(0.875, reset="zero"), nn.Linear(30, 4), sl.LIF(0.75, reset="zero"))
    )
    return str(write_nir(made, tmp_path / "net.nir", dt=1 / 1024))


def test_list_and_check(network: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["chip", "list", "--json"]) == 0
    names = {row["name"] for row in json.loads(capsys.readouterr().out)}
    assert {"loihi", "published-exercise-001", "truenorth"} <= names
    assert main(["chip", "check", network, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {row["chip"] for row in rows} == names and all(row["fits"] for row in rows)
    assert main(["chip", "check", network, "--chip", "loihi"]) == 0
    assert "fits on" in capsys.readouterr().out


def test_axes_of_a_shape_that_may_be_steps_are_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "own.py").write_text(
        "import torch, spikeledger as sl\n"
        "def make():\n    return torch.nn.Sequential(torch.nn.Linear(12, 5), sl.LIF(0.9))\n"
    )
    own = f"{tmp_path / 'own.py'}:make"
    assert main(["chip", "check", own, "--chip", "loihi", "--shape", "7x12"]) == 0
    told = capsys.readouterr()
    assert "--shape 12 --timesteps 7" in told.err and " 35 neurons" in told.out.replace("(", " ")
    assert main(["chip", "check", own, "--chip", "loihi", "--shape", "12", "--timesteps", "7"]) == 0
    told = capsys.readouterr()
    assert told.err == "" and " 5 neurons" in told.out


def test_place_draws_and_says_where(network: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = tmp_path / "placed.png"
    assert main(["chip", "place", network, "--chip", "loihi", "--json", "--picture", str(picture)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert sum(found["neurons_by_core"]) == 34 and picture.read_bytes().startswith(b"\x89PNG")


@needs_native
def test_simulate_saves_what_happened(network: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(tmp_path / "in.npy", (np.random.default_rng(0).random((8, 3, 12)) < 0.5).astype(np.float32))
    out = tmp_path / "a.npz"
    arguments = [
        "chip",
        "simulate",
        network,
        "-c",
        "loihi",
        "--inputs",
        str(tmp_path / "in.npy"),
        "-o",
        str(out),
        "--json",
    ]
    assert main(arguments) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["events"]["spike"] > 0 and found["seconds"] > 0
    assert sl.Activity.load(out).total("synaptic_op") == found["events"]["synaptic_op"]


@needs_native
def test_simulate_says_how_long_how_alike_and_what_was_learned(
    network: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save(tmp_path / "in.npy", (np.random.default_rng(0).random((8, 3, 12)) < 0.5).astype(np.float32))
    arguments = ["chip", "simulate", network, "-c", "loihi", "--inputs", str(tmp_path / "in.npy")]
    assert main([*arguments, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["duration"]["depth"] == 2 and found["duration"]["static_joules"] > 0
    assert found["duration"]["sample"] == pytest.approx(found["seconds"] / 3)
    assert found["torch"]["differing_spikes"] == 0 and found["torch"]["same_answers"] == 3
    assert main(arguments) == 0
    said = capsys.readouterr().out
    assert "busiest core" in said and "through 2 layers" in said and "differ from torch's in float32: 0" in said
    layer = next(p.layer for p in sl.map(_read(network), np.zeros((1, 1, 12), np.float32)).projections)
    assert main([*arguments, "--learn", layer, "--json"]) == 0
    learned = json.loads(capsys.readouterr().out)["learned"][layer]
    assert learned["weight_updates"] > 0 and learned["largest_change"] > 0
    assert main([*arguments, "--learn", "fc9"]) == 2 and "unknown layer" in capsys.readouterr().err


def _read(path: str) -> nn.Module:
    from spikeledger.networks.nir import read_nir

    return read_nir(path)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--chip", "lohi"], "did you mean 'loihi'"),
        (["--chip", "loihi", "--shape", "axb"], "whole numbers"),
        (["--chip", "loihi", "--method", "best"], "placement method"),
    ],
)
def test_what_a_user_can_mend_is_one_sentence(
    network: str, arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["chip", "place", network, *arguments]) == 2
    caught = capsys.readouterr()
    assert says in caught.err and caught.err.count("\n") == 1 and not caught.out
