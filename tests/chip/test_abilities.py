"""Hardware viability: what a chip has by its file, and what a network needs of it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch
from torch import nn

import spikeledger as sl
from repository import ROOT
from spikeledger.chip.abilities import NEEDS, THINGS, has, to_markdown, viability
from spikeledger.chip.device import list_devices, load_device
from spikeledger.cli.app import main
from spikeledger.errors import ProfileError
from spikeledger.networks.encoders import ENCODERS

PAGE = ROOT / "docs" / "reference" / "viability.md"


def test_every_neuron_and_code_has_a_row() -> None:
    told = " ".join(thing for _, thing, _ in THINGS)
    codes = {type_.__name__ for type_ in ENCODERS.values()}  # type: ignore[attr-defined]
    for name in {"IF", "LIF", "Synaptic", "AdaptiveLIF", "Recurrent", "Delay", "PairRule"} | codes:
        assert re.search(rf"\b{name}`", told), f"{name} has no row"
    assert {need for _, _, needs in THINGS for need in needs} <= set(NEEDS)


def test_the_page_has_the_table_of_the_files() -> None:
    table = re.search(r"<!-- viability -->\n(.*)<!-- end -->", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert table and table.group(1).strip() == to_markdown(viability())


def test_who_prices_a_weight_update_says_that_it_learns() -> None:
    for name in list_devices():
        chip = load_device(name)
        if "weight_update" in chip.profile.prices:
            assert has(chip, "learning")
        assert chip.profile.abilities is not None and chip.profile.abilities.source


@pytest.mark.parametrize(
    ("neurons", "chip", "lacking"),
    [
        (sl.IF(), "truenorth", []),
        (sl.LIF(0.9), "truenorth", ["leak"]),
        (sl.Synaptic(alpha=0.5, beta=0.9), "xylo", []),
        (sl.Synaptic(alpha=0.5, beta=0.9), "speck", ["leak", "current"]),
        (sl.AdaptiveLIF(0.9), "odin", ["leak"]),
    ],
)  # fmt: skip
def test_a_network_is_told_what_a_chip_has_not(neurons: nn.Module, chip: str, lacking: list[str]) -> None:
    found = sl.fits(sl.map(nn.Sequential(nn.Linear(6, 4), neurons), torch.zeros(3, 1, 6)), chip)
    assert found.fits and found.lacks == tuple(f"{NEEDS[need]} ('1')" for need in lacking)
    assert found.to_dict()["lacks"] == list(found.lacks)
    assert ("By its file it has not" in str(found)) == bool(lacking)


def test_a_chip_whose_file_is_silent_is_not_judged(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(
        'name = "mine"\ntitle = "Mine"\nprofile = "loihi"\n[core]\nneurons = 9\nsource = "made up here"\n'
        '[mesh]\nsource = "made up here"\n'
    )
    row = next(row for row in viability([tmp_path / "mine.toml"]) if "sl.neurons.LIF" in row.thing)
    assert row.answers == {"mine": "not stated"}
    assert (
        sl.fits(sl.map(nn.Sequential(nn.Linear(6, 4), sl.LIF(0.9)), torch.zeros(3, 1, 6)), tmp_path / "mine.toml").lacks
        == ()
    )
    with pytest.raises(ProfileError, match="no chip"):
        viability(["horowitz-45nm"])


def test_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["chip", "abilities", "--chip", "xylo", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert next(row for row in rows if "PairRule" in row["thing"])["missing"] == {"xylo": ["stdp"]}
