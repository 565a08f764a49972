"""For a paper: a paragraph that says what was charged, a table, and every work once, in a document that compiles."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from spikeledger.activity import Activity
from spikeledger.cli.app import main
from spikeledger.errors import InputError
from spikeledger.hardware.catalog import list_profiles, load_profile
from spikeledger.hardware.references import bibliography, latex, works
from spikeledger.ledger import price
from spikeledger.methods import methods, tabular
from spikeledger.study.counts import activity_from_spikes


@pytest.fixture
def run() -> Activity:
    return activity_from_spikes([(784, 256), (256, 10)], [5000, 200], timesteps=100, input_spikes=8000)


def test_the_paragraph_says_what_was_charged_and_what_was_not(run: Activity) -> None:
    told = price(run, "horowitz-45nm", leave_out=["bias_add"]).methods()
    for words in ("bill 'full'", "weights of 32", "100 time steps", "No static power", "Left out: spike"):
        assert words in str(told), words
    assert "Static power of 104 mW (one chip, programmed and idle)" in str(price(run, "loihi").methods())
    with pytest.raises(InputError, match="at least one ledger"):
        methods()


@pytest.mark.parametrize("name", [name for name in list_profiles() if "snn" in load_profile(name).runs])
def test_every_price_that_was_charged_has_its_work_and_every_key_an_entry(name: str) -> None:
    run = activity_from_spikes([(100, 64), (64, 10)], [5000, 200], timesteps=100, input_spikes=800)  # fits every chip
    device = load_profile(name)
    missing = {event for event in run.events if event not in device.prices}
    ledger = price(run, device, leave_out=missing - {"dense_op"}, bill=device.bill)
    told = ledger.methods()
    entries = re.findall(r"^@\w+\{([^,]+),$", told.bibtex, flags=re.MULTILINE)
    assert sorted(entries) == sorted(set(entries)) == sorted(told.keys)
    for entry in ledger.entries:
        if entry.price is not None:
            assert {work.key for work in works(entry.price.source)} <= set(told.keys)
    cited = {key for group in re.findall(r"\\cite\{([^}]+)\}", told.to_latex()) for key in group.split(",")}
    assert cited <= set(entries)
    assert told.to_latex().isascii()
    assert told.bibtex.count("{") == told.bibtex.count("}")


def test_a_source_with_several_works_is_several_entries_and_one_without_is_its_own_words() -> None:
    two = works("A. Nobody 2020, doi:10.1000/xyz.1, table 2; B. Else 2021, arXiv:2101.00001: 3 pJ")
    assert [dict(work.fields).get("doi") or dict(work.fields).get("eprint") for work in two] == [
        "10.1000/xyz.1",
        "2101.00001",
    ]
    (plain,) = works("Some data sheet, 300 W & 15 %: peak (quoted from memory)")
    assert plain.key == "some-data-sheet-300-w-15"
    assert r"300 W \& 15 \%" in plain.bibtex
    (known,) = works("Horowitz 2014, doi:10.1109/isscc.2014.6757323, table")
    assert known.key == "horowitz2014"
    assert bibliography(["Horowitz 2014, doi:10.1109/ISSCC.2014.6757323, p. 1"] * 2).count("@") == 1


def test_nothing_in_a_name_is_an_instruction_to_tex() -> None:
    text = latex("50 % of a_b & {c} \\input{x} $1 #2 ~ ^ µJ é")
    assert text == (
        "50 \\% of a\\_b \\& \\{c\\} \\textbackslash{}input\\{x\\} \\$1 \\#2 \\textasciitilde{} \\textasciicircum{} "
        "\\ensuremath{\\mu}J e"
    )
    assert tabular("a & b", ("x_y",), [("1 %",)]).count(r"\%") == 1


def test_the_command_writes_both_files(
    run: Activity, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    run.save("run.npz")
    assert main(["cite", "run.npz", "--profile", "loihi", "--profile", "truenorth", "--out", "paper"]) == 0
    assert "On 'loihi'" in capfd.readouterr().out
    assert sorted(path.name for path in Path("paper").iterdir()) == ["methods.tex", "references.bib"]
    for wrong, says in ((["run.npz"], "--profile"), (["nowhere"], "no file"), ([str(tmp_path)], "comparison.json")):
        assert main(["cite", *wrong]) == 2
        assert says in capfd.readouterr().err


@pytest.mark.skipif(shutil.which("pdflatex") is None or shutil.which("bibtex") is None, reason="needs texlive")
def test_what_a_comparison_cites_compiles_with_its_bibliography(
    make_comparison: Callable[[], Path], tmp_path: Path
) -> None:
    out = tmp_path / "paper"
    assert main(["cite", str(make_comparison()), "--out", str(out)]) == 0
    for tool in ("pdflatex", "bibtex", "pdflatex", "pdflatex"):
        options = ["-interaction=nonstopmode", "-halt-on-error"] if tool == "pdflatex" else []
        ran = subprocess.run(
            [tool, *options, "methods"], cwd=out, capture_output=True, text=True, timeout=300, check=False
        )
        assert ran.returncode == 0, ran.stdout[-2000:]
    log = (out / "methods.log").read_text("utf-8", errors="replace")
    assert "undefined" not in log.lower()
    assert (out / "methods.pdf").read_bytes().startswith(b"%PDF")


@pytest.fixture
def make_comparison(tmp_path: Path) -> Callable[[], Path]:
    """A folder as `spikeledger compare` writes it, of untrained networks."""
    import json

    import spikeledger as sl

    def made() -> Path:
        data = sl.load_dataset("digits").subset(train=20, test=20, seed=0)
        snn = sl.zoo.build("mlp-s", data.input_shape, 10, timesteps=3)
        found = sl.compare(sl.zoo.twin(snn), snn, data)
        folder = tmp_path / "comparison"
        folder.mkdir()
        (folder / "comparison.json").write_text(json.dumps(found.to_dict()))
        for kind in ("ann", "snn"):
            getattr(found, kind).activity.save(folder / f"{kind}-activity.npz")
        assert found.to_latex().count("\\\\") >= len(found.matches)
        assert "horowitz2014" in found.methods().bibtex
        return folder

    return made
