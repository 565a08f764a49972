"""The catalogue: every number has a source, every fault is told at once, and a device cannot melt itself."""

from __future__ import annotations

import json
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tomli_w
import torch
from hypothesis import given
from hypothesis import strategies as st

import spikeledger as sl
from repository import ROOT
from spikeledger.errors import InputError, ProfileError
from spikeledger.events import EVENTS
from spikeledger.hardware import catalog
from spikeledger.hardware.catalog import list_profiles, load_profile, parse_profile
from spikeledger.hardware.limits import Limits
from spikeledger.hardware.memory import Level
from spikeledger.hardware.profile import HardwareProfile, Number, Precision, Price, Static, Timing
from spikeledger.hardware.template import check_profile, write_template

FOLDER = Path(catalog.__file__).parent / "profiles"
#: what describes a device and charges nothing
DESCRIBES = {"node_nm", "volts", "reuse", "joules_per_kwh", "precision"}
#: a source says where to look: an identifier, a table or page, a data sheet, a log, a named document
WHERE = re.compile(
    r"doi:10\.|arXiv:|data sheet|logs?\b|\.csv|notebooks?|abstract|tutorial|exercise|documentation|readings|"
    r"open-neuromorphic|thesis|oscillator|assumed|section|No published figure|Energies of|Three times|neighbours|idle",
    re.IGNORECASE,
)  # fmt: skip

NAMED = {
    "horowitz-45nm", "horowitz-45nm-fp16", "horowitz-45nm-int8", "jouppi-7nm", "seneca-22nm", "loihi", "loihi-2",
    "truenorth", "spinnaker", "spinnaker-2", "brainscales-2", "odin", "speck", "xylo", "akida", "artix-7", "ice40",
    "v100", "a100", "h100", "t4", "xeon-e5-2630", "published-exercise-001", "published-notebook-000-v100",
    "published-notebook-000-loihi", "published-paper-002-45nm", "published-paper-002-12nm",
    *(f"published-tutorial-003-{chip}" for chip in ("loihi2", "spinnaker2", "akida", "brainscales2", "fpga-ice40")),
}  # fmt: skip

GOOD = {
    "name": "mine", "title": "Mine", "bill": "ops-only",
    "prices": {"synaptic_op": {"joules": 2e-12, "low": 1e-12, "high": 3e-12, "kind": "measured",
                               "source": "a bench, page 1 of its log"}},
}  # fmt: skip


def numbers(table: Any, path: tuple[str, ...] = (), source: str = "") -> Iterator[tuple[tuple[str, ...], str]]:
    """Every number of a parsed profile with the source that stands nearest to it."""
    if isinstance(table, dict):
        source = table.get("source", source)
        for key, value in table.items():
            yield from numbers(value, (*path, key), source)
    elif isinstance(table, list):
        for index, value in enumerate(table):
            yield from numbers(value, (*path, str(index)), source)
    elif isinstance(table, int | float) and not isinstance(table, bool):
        yield path, source


def test_the_devices_that_were_promised_are_there() -> None:
    assert set(list_profiles()) >= NAMED


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("*.toml")))
def test_every_number_has_a_source(name: str) -> None:
    table = tomllib.loads((FOLDER / f"{name}.toml").read_text())
    found = [(path, source) for path, source in numbers(table) if not {path[0], path[-1]} & DESCRIBES]
    assert found
    bare = [".".join(path) for path, source in found if len(source) < 12 or not WHERE.search(source)]
    assert not bare, f"{name}: numbers without a source that says where to look: {bare}"
    assert table["name"] == name


def test_a_number_without_a_source_is_seen() -> None:
    table = {"prices": {"mac": {"joules": 1e-12}}, "static": {"watts": 1.0, "source": "data sheet, page 3"}}
    bare = [".".join(path) for path, source in numbers(table) if not WHERE.search(source)]
    assert bare == ["prices.mac.joules"]


@pytest.mark.parametrize("name", list_profiles())
def test_what_was_not_checked_is_assumed(name: str) -> None:
    for where, part in load_profile(name).cited():
        if "from memory" in part.source:
            assert part.kind == "assumed", where


@pytest.mark.parametrize("name", list_profiles())
def test_ranges_and_scopes(name: str) -> None:
    device = load_profile(name)
    assert device.summary
    assert device.caveat
    for price in device.prices.values():
        assert 0 <= price.low <= price.joules <= price.high
    assert set(device.prices) <= set(EVENTS)
    assert name.startswith("published-") == device.as_published
    if device.all_in:
        assert device.static is None
    if not device.as_published:
        assert not device.implausible


def test_the_impossible_memory_of_the_notebook() -> None:
    device = load_profile("published-notebook-000-v100")
    assert "2,340 W, and the device has 300 W" in device.implausible[0]
    table = device.model_dump(mode="json", exclude_none=True) | {"as_published": False}
    with pytest.raises(ProfileError, match="2,340 W"):
        parse_profile(tomli_w.dumps(table), "mine")


def broken(**changes: Any) -> str:
    price = GOOD["prices"]["synaptic_op"] | changes  # type: ignore[index]
    return tomli_w.dumps(GOOD | {"prices": {"synaptic_op": price}})


BAD = {
    "no source": (broken(source=""), "a number needs a source"),
    "crossed": (broken(low=3e-12), "0 <= low <= joules <= high"),
    "negative": (broken(low=-1e-12), "0 <= low"),
    "nan": (broken(joules=float("nan")), "finite"),
    "infinite": (broken(high=float("inf")), "finite"),
    "picojoules as joules": (broken(high=23.6), "absurd"),
    "true": (broken(joules=True, high=1.0), "true and false are no numbers"),
    "true in a table of numbers": (
        tomli_w.dumps(GOOD | {"timing": {"seconds_per_event": {"spike": True}, "kind": "assumed", "source": "a bench, page 2"}}),
        "timing.seconds_per_event: true and false are no numbers",
    ),
    "kind": (broken(kind="guessed"), "measured"),
    "scope": (broken(scope="total"), "marginal"),
    "unknown field": (broken(watts=1), "watts"),
    "unknown include": (broken(includes=["spikes"]), "unknown events"),
    "unknown event": (tomli_w.dumps(GOOD | {"prices": {"magic": GOOD["prices"]["synaptic_op"]}}), "unknown events"),  # type: ignore[index]
    "static without time": (
        tomli_w.dumps(GOOD | {"static": {"watts": 1.0, "low": 1.0, "high": 1.0, "state": "idle", "kind": "measured",
                                         "source": "a bench, page 2"}}),
        "needs a [timing]",
    ),
    "static without state": (
        tomli_w.dumps(GOOD | {"static": {"watts": 1.0, "low": 1.0, "high": 1.0, "state": " ", "kind": "measured",
                                         "source": "a bench, page 2"}}),
        "in which state",
    ),
    "no duration": (tomli_w.dumps(GOOD | {"timing": {"kind": "assumed", "source": "a bench, page 2"}}), "one duration"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "says"), BAD.values(), ids=BAD)
def test_what_does_not_load(text: str, says: str) -> None:
    with pytest.raises(ProfileError, match=re.escape(says)):
        parse_profile(text, "bad.toml")


def test_all_faults_are_told_at_once() -> None:
    price = {"joules": 5e-12, "low": 9e-12, "high": 6e-12, "kind": "guessed", "source": "x"}
    text = tomli_w.dumps({"title": "T", "prices": {"mac": price, "magic": price}, "timing": {"seconds_per_step": -1.0}})
    with pytest.raises(ProfileError) as caught:
        parse_profile(text, "bad.toml")
    said = str(caught.value)
    for fault in (
        "name",
        "prices.mac.kind",
        "prices.mac.source",
        "prices.mac.high",
        "unknown events ['magic']",
        "timing",
    ):
        assert fault in said


def test_an_all_in_price_gets_nothing_on_top() -> None:
    static = {"watts": 1.0, "low": 1.0, "high": 1.0, "state": "idle", "kind": "measured", "source": "a bench, page 2"}
    timing = {"seconds_per_step": 1e-3, "kind": "measured", "source": "a bench, page 3"}
    price = GOOD["prices"]["synaptic_op"] | {"scope": "all_in"}  # type: ignore[index]
    with pytest.raises(ProfileError, match="hold the static power already"):
        parse_profile(tomli_w.dumps(GOOD | {"prices": {"synaptic_op": price}, "static": static, "timing": timing}), "x")
    with pytest.raises(ProfileError, match="hold the routing already"):
        parse_profile(
            tomli_w.dumps(GOOD | {"prices": {"synaptic_op": price, "hop": GOOD["prices"]["synaptic_op"]}}), "x"
        )  # type: ignore[index]


def test_a_profile_survives_toml(tmp_path: Path) -> None:
    for name in list_profiles():
        device = load_profile(name)
        again = parse_profile(tomli_w.dumps(device.model_dump(mode="json", exclude_none=True)), name)
        assert again == device


def test_the_template_without_its_marks_is_a_chip(tmp_path: Path) -> None:
    written = write_template(tmp_path / "whole")
    marked, rows = False, []
    for row in written.read_text(encoding="utf-8").splitlines():
        marked = (marked or row.startswith("# [")) and row.startswith("# ")
        rows.append(row.removeprefix("# ") if marked else row)
    written.write_text("\n".join(rows), encoding="utf-8")
    network = sl.zoo.mlp(20, 30, 5, timesteps=3)
    placed = sl.place(network, written, inputs=torch.ones(2, 20))
    assert placed.core_count >= 1
    device = sl.load_profile(written)
    assert device.memory and device.core.delay_steps == 63 and device.mesh.columns == 4 and device.limits


def test_the_template_loads_and_is_checked(tmp_path: Path) -> None:
    written = write_template(tmp_path / "chip-x")
    device = load_profile(written)
    assert device.name == "chip-x"
    remarks = check_profile(written)
    assert sum("template's" in remark for remark in remarks) == 4
    assert any("no price for mac" in remark for remark in remarks)
    with pytest.raises(InputError, match="is there already"):
        write_template(tmp_path / "chip-x")
    with pytest.raises(InputError, match="cannot write"):
        write_template(tmp_path / "nowhere" / "chip")
    assert [path.name for path in tmp_path.iterdir()] == ["chip-x.toml"]


def test_a_check_names_what_is_missing() -> None:
    remarks = check_profile("odin")
    assert not any("template" in remark for remark in remarks)
    assert any("mac" in remark for remark in remarks)
    assert any("2,340 W" in remark for remark in check_profile("published-notebook-000-v100"))


@pytest.fixture
def plug_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An installed package with profiles, and one that is broken."""
    package = tmp_path / "acme_chips"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "acme-one.toml").write_text(tomli_w.dumps(GOOD | {"name": "acme-one"}))
    (package / "loihi.toml").write_text(tomli_w.dumps(GOOD | {"name": "loihi"}))
    info = tmp_path / "acme_chips-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-chips\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[spikeledger.profiles]\nacme = acme_chips\nbroken = acme_missing\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    caches = (catalog._files, catalog._load_named)
    for cache in caches:
        cache.cache_clear()
    yield package
    for cache in caches:
        cache.cache_clear()
    sys.modules.pop("acme_chips", None)


def test_plug_ins_add_profiles_and_replace_none(plug_in: Path) -> None:
    with pytest.warns(UserWarning, match="plug-in 'broken'"):
        names = list_profiles()
    assert "acme-one" in names
    assert load_profile("acme-one").title == "Mine"
    assert load_profile("loihi").title == "Intel Loihi, 14 nm, one chip"


@given(st.floats(allow_nan=True, allow_infinity=True), st.floats(), st.floats())
def test_a_price_is_ordered_and_finite_or_refused(low: float, joules: float, high: float) -> None:
    good = all(0 <= value <= 1e-3 for value in (low, joules, high)) and low <= joules <= high
    try:
        Price(joules=joules, low=low, high=high, kind="assumed", source="a source that is long")
    except ProfileError:
        assert not good
    else:
        assert good


def test_profiles_are_frozen() -> None:
    device = load_profile("loihi")
    with pytest.raises(ValueError, match="frozen"):
        device.name = "other"  # type: ignore[misc]
    assert isinstance(device, HardwareProfile)


def test_the_catalogue_page_is_what_the_command_makes(capfd: pytest.CaptureFixture[str]) -> None:
    from spikeledger.cli.app import main

    assert main(["profiles", "--markdown"]) == 0
    page = (ROOT / "docs" / "reference" / "profiles-catalogue.md").read_text(encoding="utf-8")
    assert capfd.readouterr().out == page, (
        "make it again: spikeledger profiles --markdown > docs/reference/profiles-catalogue.md"
    )


def test_every_field_of_the_format_is_in_the_docs() -> None:
    page = (ROOT / "docs" / "reference" / "profiles.md").read_text(encoding="utf-8")
    fields = {field for part in (HardwareProfile, Timing, Precision, Level, Limits, Price, Static, Number)
              for field in part.model_fields}  # fmt: skip
    assert not [field for field in fields if field not in page]


def test_commands_for_a_device_of_ones_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from spikeledger.cli.app import main
    from spikeledger.study.counts import activity_from_spikes

    monkeypatch.chdir(tmp_path)
    assert main(["profiles", "new", "mine"]) == 0
    assert main(["profiles", "new", "mine"]) == 2
    assert "is there already" in capfd.readouterr().err
    assert main(["profiles", "check", "mine.toml"]) == 0
    assert "the source is still the template's" in capfd.readouterr().out
    assert main(["profiles", "check", "mine.toml", "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["name"] == "mine"
    (tmp_path / "bad.toml").write_text("name = 1")
    assert main(["profiles", "check", "bad.toml"]) == 2
    assert "faults" in capfd.readouterr().err
    activity_from_spikes([(9, 4)], [[1, 2, 3, 4]], timesteps=5, input_spikes=9).save("run.npz")
    assert main(["account", "run.npz", "--profile", "mine.toml"]) == 0
    assert "dominant layer: layer0" in capfd.readouterr().out
    assert main(["account", "run.npz", "--profile", "loihi", "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["layers"][0]["spikes"] == 10


def test_a_chip_s_file_of_old_takes_the_prices_of_the_profile_that_it_names() -> None:
    facts = {"source": "made for a test"}
    table = {
        "name": "mine",
        "title": "mine",
        "profile": "loihi",
        "core": {"neurons": 7, **facts},
        "mesh": {"rows": 3, **facts},
    }
    old = parse_profile(tomli_w.dumps(table), "mine.toml")
    loihi = load_profile("loihi")
    assert {event: one.joules for event, one in old.prices.items()} == {
        e: one.joules for e, one in loihi.prices.items()
    }
    assert old.static is not None and loihi.static is not None and old.static.watts == loihi.static.watts
    assert old.room is not None and (old.room.neurons, old.room.synapses, old.room.chips) == (21, None, 1)
    for name in ("/dev/zero", "../loihi", "lohi"):
        with pytest.raises(InputError, match="unknown profile"):
            parse_profile(tomli_w.dumps({**table, "profile": name}), "mine.toml")


VALUES = st.one_of(st.text(max_size=9), st.integers(-(2**63), 2**63 - 1), st.floats(), st.booleans())
FIELDS = st.sampled_from(
    [*HardwareProfile.model_fields, *Price.model_fields, *Timing.model_fields, *Level.model_fields, *list(EVENTS)[:4]]
)
TABLES = st.recursive(
    VALUES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS, inner, max_size=4), max_leaves=12
)


@given(st.dictionaries(FIELDS, TABLES, max_size=8))
def test_any_table_loads_or_is_refused_in_one_sentence(table: dict[str, Any]) -> None:
    try:
        text = tomli_w.dumps(table)
    except UnicodeEncodeError:
        return
    with pytest.raises(ProfileError, match=r"fault|no TOML"):
        parse_profile(text, "any.toml")
