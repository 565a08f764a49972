"""Limits of chips: each number has a source, none is said twice, and what only a profile knows is asked of it."""

from __future__ import annotations

import tomllib

import numpy as np
import pytest
import torch
from torch import nn

import spikeledger as sl
from chip.devices import chip_of
from chip.networks import Recurrent, exact, random_graph, spikes
from repository import ROOT
from spikeledger.chip.device import list_devices, load_device
from spikeledger.chip.fits import fits
from spikeledger.chip.placement import METHODS, place
from spikeledger.errors import CapacityError, InputError, ProfileError
from spikeledger.hardware.catalog import list_profiles, load_profile
from spikeledger.mapping.mapped import Mapped, Population, Projection
from spikeledger.mapping.synapses import Dense

PROFILES = ROOT / "src" / "spikeledger" / "hardware" / "profiles"
CITED = {"source": "made for a test"}


def numbers(table: dict[str, object], path: str = "") -> list[tuple[str, dict[str, object]]]:
    """Every number of a file, with the table that it stands in."""
    found = []
    for key, value in table.items():
        if isinstance(value, dict):
            found += numbers(value, f"{path}.{key}" if path else key)
        elif isinstance(value, int | float):
            found.append((f"{path}.{key}", table))
    return found


@pytest.mark.parametrize("name", list_devices())
def test_every_number_of_a_chip_has_a_source_or_is_called_assumed(name: str) -> None:
    whole = tomllib.loads((PROFILES / f"{name}.toml").read_text())
    written = {part: whole[part] for part in ("core", "mesh", "seconds") if part in whole}
    found = numbers(written)
    assert found and name in list_profiles()
    for path, table in found:
        source = str(table.get("source", ""))
        assert any(character.isdigit() for character in source) and len(source) > 20, f"{path} has no source"
    for part in ("core", "mesh", "seconds"):
        if written.get(part, {}).get("assumed"):
            assert written[part].get("note") or "memory" in written[part]["source"], (
                f"[{part}] says not what it assumes"
            )


@pytest.mark.parametrize("name", list_devices())
def test_bits_are_said_by_the_profile_and_only_there(name: str) -> None:
    written = tomllib.loads((PROFILES / f"{name}.toml").read_text())["core"]
    bits, core = load_profile(name).precision, load_device(name).core
    for what in ("weight_bits", "state_bits"):
        assert written.get(what) != getattr(bits, what), f"{name} says its {what} twice"
        assert getattr(core, what) == written.get(what, getattr(bits, what)) > 1


def test_no_step_is_timed_twice() -> None:
    for name in list_devices():
        chip = load_device(name)
        timing = chip.profile.timing
        if chip.seconds is not None and timing is not None:
            assert timing.kind == "assumed" and timing.seconds_per_barrier == 0, f"{name} times its steps twice"


def test_numbers_agree_with_the_sources() -> None:
    """As read in the papers, apart from the files."""
    loihi, truenorth, odin = load_device("loihi"), load_device("truenorth"), load_device("odin")
    assert loihi.mesh.cores == 128 and loihi.core.neurons * loihi.mesh.cores == 131_072
    assert loihi.core.memory_bytes == 16_384 * 8 and (loihi.core.weight_bits, loihi.core.state_bits) == (9, 24)
    assert loihi.core.synapse_bytes == 9 / 8 and loihi.core.axons_in == loihi.core.axons_out == 4096
    assert truenorth.mesh.cores * truenorth.core.neurons == 1_048_576
    assert truenorth.mesh.cores * (truenorth.core.synapses or 0) == 268_435_456
    assert (odin.core.neurons, odin.core.synapses, odin.core.weight_bits) == (256, 65_536, 4)
    assert load_device("loihi-2").mesh.cores * 937_500 == 120_000_000
    assert load_device("darwin3").mesh.cores == 575 and load_device("spinnaker-2").mesh.cores == 152
    assert load_device("speck").mesh.cores * load_device("speck").core.neurons == pytest.approx(327_000, rel=1e-3)


def test_what_a_file_may_not_say() -> None:
    core = {"neurons": 4, **CITED}
    with pytest.raises(ProfileError, match="among its numbers"):
        chip_of({"name": "a", "title": "a", "core": {**core, "assumed": ["fan_in"]}, "mesh": CITED})
    with pytest.raises(ProfileError, match="more than its routers have"):
        chip_of({"name": "a", "title": "a", "core": core, "mesh": {"cores": 3, "columns": 2, **CITED}})
    for each in (0.0, 1e-320, 1e-9):  # which would be infinitely many, or more than there can be
        with pytest.raises(ProfileError, match="more synapses than any machine has"):
            crowded = {**core, "memory_bytes": 4096, "synapse_bytes": each}
            chip_of({"name": "a", "title": "a", "core": crowded, "mesh": CITED})
    with pytest.raises(ValueError, match="did you mean 'loihi'"):
        chip_of({"name": "a", "title": "a", "profile": "lohi", "core": core, "mesh": CITED})
    with pytest.raises(ProfileError, match="belong together"):
        chip_of({"name": "a", "title": "a", "core": core})
    with pytest.raises(ProfileError, match="only a chip"):
        chip_of({"name": "a", "title": "a"})
    with pytest.raises(ProfileError, match="more than this can place"):
        chip_of({"name": "a", "title": "a", "core": core, "mesh": {"columns": 2000, "rows": 1000, **CITED}})


def test_what_is_no_chip_and_names_of_old_are_told_what_to_do() -> None:
    with pytest.raises(ProfileError, match=r"no chip to place a network on.*loihi-2"):
        load_device("v100")
    for old, new in (("loihi2", "loihi-2"), ("dynapcnn", "speck"), ("neuro4ml", "published-exercise-001")):
        with pytest.raises(InputError, match=f"it is called '{new}'"):
            load_device(old)
    with pytest.raises(AttributeError, match=r"try sl\.load_profile"):
        sl.load_chip  # noqa: B018


def test_a_network_is_mapped_by_one_door_and_a_placement_knows_its_own() -> None:
    net, images = sl.zoo.mlp(30, 20, 5, timesteps=4), torch.rand(6, 30)
    mapped = sl.map(net, images)
    placed = sl.place(mapped, "loihi-2")
    assert sl.map(mapped) is mapped and sl.map(placed) is mapped and sl.map(net).neurons == mapped.neurons
    ways = [sl.fits(one, "loihi-2").cores for one in (net, mapped, placed)] + [sl.fits(placed).cores]
    assert len(set(ways)) == 1 and len(sl.fits(net)) == len(list_devices())
    assert sl.place(net, "loihi-2").cost == sl.place(placed).cost == placed.cost
    runs = [sl.simulate(net, images, "loihi-2"), sl.simulate(mapped, images, "loihi-2"), sl.simulate(placed, images)]
    assert (
        len({(one.total("spike"), one.total("synaptic_op"), one.total("packet"), one.total("hop")) for one in runs})
        == 1
    )
    with pytest.raises(InputError, match="placed on 'loihi-2' and cannot run on 'loihi'"):
        sl.simulate(placed, images, "loihi")
    with pytest.raises(InputError, match="on which device"):
        sl.place(mapped)
    with pytest.raises(InputError, match="Activity cannot be mapped"):
        sl.fits(sl.record(net, images), "loihi")
    with pytest.raises(InputError, match="does not run on inputs of shape"):
        sl.simulate(net, torch.rand(2, 7), "loihi")


def test_a_network_of_one_step_a_call_is_mapped_and_run_step_by_step() -> None:
    class Once(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear, self.neurons, self.state = nn.Linear(6, 4), sl.LIF(0.75), None

        def reset_state(self) -> None:
            self.state = None

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            current = self.linear(x).unsqueeze(0)
            state = self.neurons.rest(current) if self.state is None else self.state
            spikes, self.state = self.neurons(current, state)
            return spikes[0]

    network, x = exact(Once()), spikes(9, 3, 6)
    mapped = sl.map(network, x, step_by_step=True)
    activity = sl.simulate(mapped, x, "loihi")
    assert activity.timesteps == 9 and activity.total("neuron_update") == 9 * 3 * 4


@pytest.mark.parametrize("method", METHODS)
def test_cores_at_one_router_are_no_hop_apart(method: str) -> None:
    mesh = {"columns": 3, "rows": 2, "cores_per_router": 4, "cores": 22, "chips": 2, **CITED}
    chip = chip_of({"name": "quads", "title": "quads", "core": {"neurons": 2, **CITED}, "mesh": mesh})
    network = sl.map(sl.zoo.mlp(6, 40, 12, 4, timesteps=2), np.zeros((1, 6), np.float32))
    placed = place(network, chip, method=method)  # type: ignore[arg-type]
    sites, held = np.unique(placed.positions, axis=0, return_counts=True)
    assert placed.core_count == 28 and placed.chips == 2 and held.max() == 4
    assert sites[:, 0].max() < 6 and sites[:, 1].max() < 2
    assert placed.neurons_by_core().sum() == network.neurons
    assert sum(int(each.sum()) for each in placed.hops.values()) == pytest.approx(placed.cost)


def test_a_delay_that_no_synapse_can_hold_is_named() -> None:
    populations = {"input": Population("input", (2,), "input"), "out": Population("out", (3,))}
    synapses = Dense(np.ones((2, 3), np.float32))
    network = Mapped(populations, (Projection("input", "out", synapses, 20, "far"),), "out")
    shortage = fits(network, "spinnaker-2").shortages[0]
    assert (shortage.limit, shortage.layer, shortage.needs, shortage.has) == ("delay_steps", "far", 20, 16)
    assert "20 steps of delay at one synapse, and there are 16 (assumed)" in str(shortage) and shortage.assumed
    assert fits(network, "loihi").fits and fits(random_graph(0), "published-exercise-001").fits


@pytest.mark.parametrize("name", list_devices())
@pytest.mark.parametrize("kind", ["recurrent", "conv", "pruned", "max pool"])
def test_a_verdict_is_what_placing_gives(kind: str, name: str) -> None:
    if kind == "recurrent":
        network = sl.map(Recurrent(), spikes(3, 1, 12))
    elif kind == "pruned":
        network = sl.map(exact(sl.zoo.mlp(400, 300, 10), pruned=0.8), np.zeros((1, 400), np.float32))
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
        network = sl.map(nn.Sequential(*layers), spikes(3, 1, 2, 16, 16))
    verdict = fits(network, name)
    if not verdict.fits:
        assert all(each.needs > each.has and each.help for each in verdict.shortages)
        with pytest.raises(CapacityError):
            place(network, name, rounds=2)
        return
    placed = place(network, name, rounds=2)
    assert placed.core_count <= verdict.cores and placed.chips <= verdict.chips and verdict.share <= 1
    assert placed.neurons_by_core().max() <= load_device(name).core.neurons


@pytest.mark.parametrize(
    ("limit", "takes"), [("neurons", 12), ("synapses", 55), ("axons_in", 9), ("memory_bytes", 12 * 3 + 55 * 2)]
)
def test_every_limit_of_a_single_core_counts(limit: str, takes: int) -> None:
    net = nn.Sequential(nn.Linear(5, 7, bias=False), sl.neurons.IF(), nn.Linear(7, 5, bias=False), sl.neurons.IF())
    nn.init.ones_(net[0].weight)
    nn.init.zeros_(net[2].weight)
    with torch.no_grad():
        net[2].weight[:, :4] = 1.0  # three hidden neurons send to nobody: 5 + 4 senders
    for spare in (-1, 0, 1):
        core = {"neurons": 99, "neuron_bytes": 3.0, "synapse_bytes": 2.0, limit: takes + spare, **CITED}
        chip = chip_of({"name": "one core", "title": "one core", "runs": ["snn"], "core": core, "mesh": CITED})
        found = fits(net, chip, inputs=torch.zeros(4, 1, 5))
        assert found.fits == (spare >= 0)
        assert [each.limit for each in found.shortages] == ([] if spare >= 0 else [limit])
