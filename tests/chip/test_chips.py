"""Limits of chips: each number has a source, none is said twice, and what only a profile knows is asked of it."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import pytest
from torch import nn

import spikeledger as sl
from chip.networks import Recurrent, exact, random_graph, spikes
from repository import ROOT
from spikeledger.chip.device import Core, Mesh, Seconds
from spikeledger.chip.limits import Chip, list_chips, load_chip
from spikeledger.chip.network import Network, Population, Projection
from spikeledger.chip.placement import METHODS, place
from spikeledger.chip.synapses import Dense
from spikeledger.errors import CapacityError
from spikeledger.hardware.catalog import list_profiles, load_profile

CHIPS = ROOT / "src" / "spikeledger" / "chip" / "chips"
PROFILES = ROOT / "src" / "spikeledger" / "hardware" / "profiles"
CITED = {"source": "made for a test"}
#: keys that a chip's tables may hold, and that no profile may
OWN = {name for part in (Core, Mesh, Seconds) for name in part.model_fields} - {
    "source", "note", "assumed", "weight_bits", "state_bits", "synaptic_op", "update", "spike", "hop",
}  # fmt: skip


def numbers(table: dict[str, object], path: str = "") -> list[tuple[str, dict[str, object]]]:
    """Every number of a file, with the table that it stands in."""
    found = []
    for key, value in table.items():
        if isinstance(value, dict):
            found += numbers(value, f"{path}.{key}" if path else key)
        elif isinstance(value, int | float):
            found.append((f"{path}.{key}", table))
    return found


@pytest.mark.parametrize("name", list_chips())
def test_every_number_of_a_chip_has_a_source_or_is_called_assumed(name: str) -> None:
    written = tomllib.loads((CHIPS / f"{name}.toml").read_text())
    found = numbers(written)
    assert found and written["profile"] in list_profiles()
    for path, table in found:
        source = str(table.get("source", ""))
        assert any(character.isdigit() for character in source) and len(source) > 20, f"{path} has no source"
    for part in ("core", "mesh", "seconds"):
        if written.get(part, {}).get("assumed"):
            assert written[part].get("note") or "memory" in written[part]["source"], (
                f"[{part}] says not what it assumes"
            )


@pytest.mark.parametrize("name", list_chips())
def test_bits_are_said_by_the_profile_and_only_there(name: str) -> None:
    written = tomllib.loads((CHIPS / f"{name}.toml").read_text())["core"]
    bits, core = load_profile(load_chip(name).profile).precision, load_chip(name).core
    for what in ("weight_bits", "state_bits"):
        assert written.get(what) != getattr(bits, what), f"{name} says its {what} twice"
        assert getattr(core, what) == written.get(what, getattr(bits, what)) > 1


@pytest.mark.parametrize("path", sorted(PROFILES.glob("*.toml")), ids=lambda path: path.stem)
def test_no_profile_repeats_a_limit_of_a_chip(path: Path) -> None:
    for where, _ in numbers(tomllib.loads(path.read_text())):
        assert where.rsplit(".", 1)[-1] not in OWN, f"{where} belongs into a chip's file"


def test_no_step_is_timed_twice() -> None:
    for name in list_chips():
        chip = load_chip(name)
        timing = load_profile(chip.profile).timing
        if chip.seconds is not None and timing is not None:
            assert timing.kind == "assumed" and timing.seconds_per_barrier == 0, f"{name} times its steps twice"


def test_numbers_agree_with_the_sources() -> None:
    """As read in the papers, apart from the files."""
    loihi, truenorth, odin = load_chip("loihi"), load_chip("truenorth"), load_chip("odin")
    assert loihi.mesh.cores == 128 and loihi.core.neurons * loihi.mesh.cores == 131_072
    assert loihi.core.memory_bytes == 16_384 * 8 and (loihi.core.weight_bits, loihi.core.state_bits) == (9, 24)
    assert loihi.core.synapse_bytes == 9 / 8 and loihi.core.axons_in == loihi.core.axons_out == 4096
    assert truenorth.mesh.cores * truenorth.core.neurons == 1_048_576
    assert truenorth.mesh.cores * (truenorth.core.synapses or 0) == 268_435_456
    assert (odin.core.neurons, odin.core.synapses, odin.core.weight_bits) == (256, 65_536, 4)
    assert load_chip("loihi2").mesh.cores * 937_500 == 120_000_000
    assert load_chip("darwin3").mesh.cores == 575 and load_chip("spinnaker2").mesh.cores == 152
    assert load_chip("dynapcnn").mesh.cores * load_chip("dynapcnn").core.neurons == pytest.approx(327_000, rel=1e-3)


def test_what_a_file_may_not_say() -> None:
    core = {"neurons": 4, **CITED}
    with pytest.raises(ValueError, match="among its numbers"):
        Chip.model_validate({"name": "a", "title": "a", "core": {**core, "assumed": ["fan_in"]}, "mesh": CITED})
    with pytest.raises(ValueError, match="more than its routers have"):
        Chip.model_validate({"name": "a", "title": "a", "core": core, "mesh": {"cores": 3, "columns": 2, **CITED}})
    with pytest.raises(ValueError, match="did you mean 'loihi'"):
        Chip.model_validate({"name": "a", "title": "a", "profile": "lohi", "core": core, "mesh": CITED})


@pytest.mark.parametrize("method", METHODS)
def test_cores_at_one_router_are_no_hop_apart(method: str) -> None:
    mesh = {"columns": 3, "rows": 2, "cores_per_router": 4, "cores": 22, "chips": 2, **CITED}
    chip = Chip.model_validate({"name": "quads", "title": "quads", "core": {"neurons": 2, **CITED}, "mesh": mesh})
    network = sl.map_network(sl.zoo.mlp(6, 40, 12, 4, timesteps=2), np.zeros((1, 6), np.float32))
    placed = place(network, chip, method=method)  # type: ignore[arg-type]
    sites, held = np.unique(placed.positions, axis=0, return_counts=True)
    assert placed.core_count == 28 and placed.chips == 2 and held.max() == 4
    assert sites[:, 0].max() < 6 and sites[:, 1].max() < 2
    assert placed.neurons_by_core().sum() == network.neurons
    assert sum(int(each.sum()) for each in placed.hops.values()) == pytest.approx(placed.cost)


def test_a_delay_that_no_synapse_can_hold_is_named() -> None:
    populations = {"input": Population("input", (2,), "input"), "out": Population("out", (3,))}
    synapses = Dense(np.ones((2, 3), np.float32))
    network = Network(populations, (Projection("input", "out", synapses, 20, "far"),), "out")
    shortage = load_chip("spinnaker2").check(network).shortages[0]
    assert (shortage.limit, shortage.layer, shortage.needs, shortage.has) == ("delay_steps", "far", 20, 16)
    assert "20 steps of delay at one synapse, and there are 16 (assumed)" in str(shortage) and shortage.assumed
    assert load_chip("loihi").check(network).fits and load_chip("neuro4ml").check(random_graph(0)).fits


@pytest.mark.parametrize("name", list_chips())
@pytest.mark.parametrize("kind", ["recurrent", "conv", "pruned", "max pool"])
def test_a_verdict_is_what_placing_gives(kind: str, name: str) -> None:
    if kind == "recurrent":
        network = sl.map_network(Recurrent(), spikes(3, 1, 12))
    elif kind == "pruned":
        network = sl.map_network(exact(sl.zoo.mlp(400, 300, 10), pruned=0.8), np.zeros((1, 400), np.float32))
    else:
        pool = nn.MaxPool2d(2) if kind == "max pool" else nn.AvgPool2d(2)
        layers = [
            sl.over_time(nn.Conv2d(2, 8, 3)),
            sl.LIF(),
            sl.over_time(pool),
            nn.Flatten(2),
            nn.Linear(392, 5),
            sl.LIF(),
        ]
        network = sl.map_network(nn.Sequential(*layers), spikes(3, 1, 2, 16, 16))
    verdict = load_chip(name).check(network)
    if not verdict.fits:
        assert all(each.needs > each.has and each.help for each in verdict.shortages)
        with pytest.raises(CapacityError):
            place(network, name, rounds=2)
        return
    placed = place(network, name, rounds=2)
    assert placed.core_count <= verdict.cores and placed.chips <= verdict.chips and verdict.share <= 1
    assert placed.neurons_by_core().max() <= load_chip(name).core.neurons
