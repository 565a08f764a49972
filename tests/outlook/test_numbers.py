"""The numbers themselves: each has its kind and source, its arithmetic holds, and contradictions come from them alone."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import spikeledger as sl
from repository import ROOT
from spikeledger.outlook import check, tables, to_dict
from spikeledger.outlook.notebook import Notebook, notebook
from spikeledger.outlook.published_tables import twice
from spikeledger.outlook.records import LICENCES, Run, brain, epoch, grids, queries, training

#: what is known to clash, and by what factor
KNOWN = {
    "gpt4-training": 114 / 50, "energy-palm": 15000 / 3436, "service-power": 2.104, "inference-power": 1e5,
    "query-energy": 1440 / 864, "carbon": 0.4289 / 0.05, "law-claims": 500 / 398.1, "law-linear": 1.995,
    "projections-law": 16 / 9.29, "history-exponent": 1.3 / 1.233, "reference-1": None, "reference-2": None,
    "reference-3": None, "childhood": 4900 / 4821, "brain-efficiency": 9779, "coal-plant": 1.578 / 0.6,
    "intelligence": 70 / 57.14, "limit-gpt-6": 10,
}  # fmt: skip


def test_every_known_contradiction_is_found_with_its_factor() -> None:
    found = {one.name: one.factor for one in check()}
    assert found.keys() == KNOWN.keys()
    for name, factor in KNOWN.items():
        assert found[name] == pytest.approx(factor, rel=0.01) if factor else found[name] is None, name


def test_what_a_reader_is_told() -> None:
    told = {one.name: f"{one.printed} | {one.computed} | {one.says}" for one in check()}
    assert "114 GWh at 50 MW for 2,280 h; 22 MW for 50 GWh" in told["gpt4-training"]
    assert "31 to 42 MW" in told["service-power"] and "1.6 to 2.1 million brains" in told["service-power"]
    assert "864 J measured" in told["query-energy"] and "43 s of 20 W" in told["query-energy"]
    assert "GPT-4 20,500 t" in told["carbon"] and "GPT-3 0.429, GPT-4 0.050" in told["carbon"]
    assert "19.95×" in told["law-claims"] and "398.1×" in told["law-claims"]
    assert "1.62" in told["projections-law"] and "1.18" in told["projections-law"]
    assert (
        "1.233" in told["history-exponent"]
        and "1.286" in told["history-exponent"]
        and "1.03" in told["history-exponent"]
    )
    assert "4,821 kWh; 2,893 to 4,821" in told["childhood"]
    assert "1.58 Mt" in told["coal-plant"]
    assert "57.1" in told["intelligence"] and "78.6" in told["intelligence"]


def changed(path: tuple[Any, ...], value: Any) -> Notebook:
    """The notebook with one number put right."""
    plain = notebook().model_dump(mode="json", by_alias=True)
    at = plain
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    return Notebook.model_validate(plain)


def model(name: str) -> int:
    return [one.name for one in notebook().model].index(name)


CORRECTED: dict[str, Callable[[], Notebook]] = {
    "energy-palm": lambda: changed(("model", model("PaLM"), "mwh"), 3436.0),
    "service-power": lambda: changed(("comparison", "service_watts_range"), [31.25e6, 41.67e6]),
    "inference-power": lambda: changed(("power", 2, "watts"), 20e6),
    "law-claims": lambda: changed(("scaling", "claims"), [[2.0, 2.46], [10.0, 19.95], [100.0, 398.1]]),
    "law-linear": lambda: changed(("scaling", "called"), "a power law"),
    "childhood": lambda: changed(("comparison", "brain_kwh"), 4800.0),
    "brain-efficiency": lambda: changed(("brain", "times_more_efficient"), 102.0),
    "coal-plant": lambda: changed(("model", model("GPT-6"), "tonnes"), 1.7e6),
    "intelligence": lambda: changed(("power",), [
        {**bar.model_dump(), "intelligence": {"GPT-3": 57.0, "GPT-4": 72.0, "GPT-5": 78.6}.get(bar.name.split(" (")[0], 100.0)}
        for bar in notebook().power
    ]),
    "limit-gpt-6": lambda: changed(("scaling", "limit_parameters"), 1e15),
    "reference-1": lambda: changed(("reference", 0, "title"), notebook().reference[0].real_title),
    "query-energy": lambda: changed(("comparison",), {
        **notebook().comparison.model_dump(mode="json"), "query_joules": 864.0, "query_wh_range": [0.23, 0.25],
    }),
}  # fmt: skip


@pytest.mark.parametrize("name", CORRECTED)
def test_a_corrected_number_contradicts_nothing(name: str) -> None:
    assert name in {one.name for one in check()}
    assert name not in {one.name for one in check(CORRECTED[name]())}


def test_another_wrong_number_is_found_too() -> None:
    worse = changed(("model", model("GPT-3"), "mwh"), 6435.0)
    found = next(one for one in check(worse) if one.name == "energy-gpt-3")
    assert found.factor == pytest.approx(5)


def every_entry() -> list[Any]:
    mind, answers, carbon = brain(), queries(), grids()
    return [
        *training().run, *epoch().run, *answers.query, answers.token, answers.life_cycle, *carbon.grid,
        carbon.coal_plant, carbon.car, mind.power, mind.computation, mind.neurons, mind.childhood,
    ]  # fmt: skip


def test_every_number_has_a_kind_and_a_source() -> None:
    entries = every_entry()
    assert len(entries) > 100
    for one in entries:
        assert one.kind in ("measured", "reported", "estimated", "assumed")
        assert len(one.source) > 15
        assert re.search(r"\d{4}|model card|assumed|Epoch AI|EPA|Our World in Data", one.source), one.source


#: hours x watts [x PUE], as a scope says it
PRODUCT = re.compile(
    r"([\d.,]+)( million)? [\w-]+ hours(?: \([a-z]+\))? x ([\d.]+) W(?: average| \([a-z]+\))?(?: x PUE ([\d.]+))?"
)


def test_energies_are_the_products_that_their_scope_names() -> None:
    checked = 0
    for run in training().run:
        if (found := PRODUCT.search(run.scope)) is None:
            continue
        hours = float(found[1].replace(",", "")) * (1e6 if found[2] else 1)
        mwh = hours * float(found[3]) * float(found[4] or 1) / 1e6
        assert run.mwh == pytest.approx(mwh, rel=0.02), run.name
        checked += 1
    assert checked >= 16


@pytest.mark.parametrize("run", [run for run in training().run if run.tonnes_co2e], ids=lambda run: run.name)
def test_carbon_lies_between_a_clean_and_a_dirty_grid(run: Run) -> None:
    assert run.tonnes_co2e is not None
    assert 0.05 < run.tonnes_co2e / run.mwh < 0.5


def test_operations_of_dense_transformers_are_six_for_a_parameter_and_token() -> None:
    # 6 N D with D of the model cards
    for name, tokens in (("Llama 2 70B", 2e12), ("Llama 3.1 405B", 15.6e12), ("LLaMA-7B", 1e12), ("BLOOM", 366e9)):
        run = training().named(name)
        assert run.parameters is not None
        assert run.flop == pytest.approx(6 * run.parameters * tokens, rel=0.06)


def test_a_run_that_both_give_is_dearer_at_epochs() -> None:
    pairs = twice()
    assert len(pairs) >= 12
    assert all(1.3 < theirs.joules / ours.joules < 3.6 for ours, theirs in pairs)
    assert len({run.epoch for run in training().run if run.epoch}) == len(pairs)  # no name leads nowhere


def test_tables_are_rectangular_and_have_unique_rows() -> None:
    sheets = tables()
    assert len(sheets) >= 14
    for sheet in sheets.values():
        assert sheet.rows
        assert {len(row) for row in sheet.rows} == {len(sheet.headings)}
        assert all(0 <= at < len(sheet.headings) for at in sheet.words)


def test_the_first_table_as_published_and_computed_again() -> None:
    rows = {row[0]: row[1:3] for row in tables()["comparison"].rows}
    assert rows["Training of GPT-4"] == ("~75 GWh", "45.5 GWh [22.8 GWh to 62.0 GWh]")
    assert rows["A brain's 22 years"] == ("~4,900 kWh", "3,857 kWh [2,893 to 4,821]")
    assert rows["Power of the service"] == ("~20 MW", "31 to 42 MW")
    assert rows["One answer"] == ("~1,440 J", "864 J [360 to 864]")


def test_the_notice_names_whose_data_this_is() -> None:
    notice = (ROOT / "NOTICE").read_text("utf-8")
    for owner in ("Epoch AI", "Ember", "Our World in Data", "Energy Institute"):
        assert owner in notice
        assert any(owner in text for text in LICENCES)
    assert "creativecommons.org/licenses/by/4.0" in notice
    assert '"NOTICE"' in (ROOT / "pyproject.toml").read_text("utf-8")


def test_the_front_door_and_plain_values() -> None:
    found = sl.outlook.to_dict()
    assert found == to_dict()
    assert found["schema"] == "spikeledger-outlook/1"
    assert len(found["contradictions"]) == len(KNOWN)
    assert found["licences"] == list(LICENCES)


def test_the_docs_give_the_numbers_of_the_fits() -> None:
    page = Path(ROOT / "docs/explanation/outlook.md").read_text("utf-8").replace("\n", " ")
    law = sl.outlook.fit()
    nominal, low, high = law.exponent("flop")
    fall = law.fall_a_year
    assert fall is not None
    assert f"exponent {nominal:.2f} [{low:.2f}, {high:.2f}] through {law.n} runs" in page
    assert f"fall by {fall.nominal:.2f} [{fall.low:.2f}, {fall.high:.2f}] a year" in page
    assert f"within {law.factor():.1f} times the line" in page
    apart = [theirs.joules / ours.joules for ours, theirs in twice()]
    assert f"differ by {min(apart):.1f} to {max(apart):.1f}" in page
