"""A study's file: which trials it is made of, and what is said of a slip."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from spikeledger.errors import FileFormatError, InputError
from spikeledger.trials import read_study


def written(folder: Path, text: str) -> Path:
    file = folder / "a.toml"
    file.write_text(text)
    return file


def test_lists_give_every_combination_and_starts_come_first(study: Path) -> None:
    trials = read_study(study).trials
    assert [(t.settings["seed"], t.settings["step"]) for t in trials] == list(itertools.product([1, 2, 3], [0, 1, 2]))
    assert all(one.key in {each.key for each in trials[:n]} for n, t in enumerate(trials) for one in t.starts)
    assert len({t.key for t in trials}) == 9


def test_each_entry_of_trials_has_its_own_settings(study: Path) -> None:
    file = written(
        study.parent,
        'experiment = "own.py:chain"\n[settings]\nseed = [1, 2]\n[[trials]]\n[[trials]]\nwidth = [3, 4]\nseed = 7\n',
    )
    found = [(t.settings["seed"], t.settings["width"]) for t in read_study(file).trials]
    assert found == [(1, 1.0), (2, 1.0), (7, 3.0), (7, 4.0)]
    found = [(t.settings["seed"], t.settings["width"]) for t in read_study(file, {"seed": 5}).trials]
    assert found == [(5, 1.0), (5, 3.0), (5, 4.0)]


def test_where_a_list_is_usual_a_list_is_one_value() -> None:
    file = Path(__file__).parents[2] / "studies" / "energy_budget.toml"
    trials = read_study(file).trials
    assert len(trials) == 2 * (2 + 2 * 6)
    assert all(t.settings["profiles"] == ["seneca-22nm", "horowitz-45nm"] for t in trials)
    two = read_study(file, {"profiles": [["loihi"], ["odin"]], "encoder": "rate", "share": 0.5}).trials
    assert sorted({t.settings["profiles"][0] for t in two}) == ["loihi", "odin"]


def test_every_study_of_the_house_can_be_read() -> None:
    files = sorted((Path(__file__).parents[2] / "studies").glob("*.toml"))
    searches = [file for file in files if file.stem.startswith("search")]
    assert len(files) >= 4 and len(searches) >= 2
    for file in searches:
        with pytest.raises(InputError, match="is a search and no study"):
            read_study(file)
    for file in set(files) - set(searches):
        assert read_study(file).trials, file


def test_equal_settings_are_one_trial_and_any_difference_makes_another(study: Path) -> None:
    def key(**changes: object) -> str:
        return read_study(study, {"seed": 1, "step": 0, **changes}).trials[0].key

    assert key(width=1) == key(width=1.0) == key()
    assert len({key(), key(width=1.0000001), key(seed=2), key(names="x")}) == 4
    own = study.with_name("own.py")
    before = key()
    own.write_text(own.read_text().replace("2 * width", "3 * width"))
    assert key() != before


def test_a_file_that_a_setting_names_counts_by_its_content(study: Path) -> None:
    prices = study.with_name("mine.toml")
    prices.write_text("a = 1")
    before = read_study(study, {"names": str(prices), "step": 1}).trials
    prices.write_text("a = 2")
    after = read_study(study, {"names": str(prices), "step": 1}).trials
    assert not {t.key for t in before} & {t.key for t in after}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('experiment = "energy-buget"', "did you mean 'energy-budget'"),
        ('experimnt = "neuro4ml"', "did you mean 'experiment'"),
        ("[settings]\nseed = 1", "names no experiment"),
        ('experiment = 3', "must be a text"),
        ('experiment = "neuro4ml"\nname = "../x"', "must be letters"),
        ('experiment = "neuro4ml"\nsettings = 3', "must be a table"),
        ('experiment = "neuro4ml"\ntrials = [3]', "list of tables"),
        ('experiment = "neuro4ml"\n[settings]\nepoch = 3', "did you mean 'epochs'"),
        ('experiment = "neuro4ml"\n[settings]\nseed = "42"', "must be a whole number such as 42"),
        ('experiment = "neuro4ml"\n[settings]\nseed = true', "must be a whole number such as 42"),
        ('experiment = "neuro4ml"\n[settings]\nseed = 1.5', "must be a whole number such as 42"),
        ('experiment = "neuro4ml"\n[settings]\nseed = []', "empty list"),
        ('experiment = "own.py:chian"', "did you mean 'chain'"),
        ('experiment = "energy-budget"\n[settings]\nshare = 2\nprofile = "loihi"', "below 1"),
        ('experiment = "energy-budget"\n[settings]\nshare = 0.5', "give profile"),
        ('experiment = "energy-budget"\n[settings]\nstage = "befor"', "did you mean 'before'"),
    ],
)  # fmt: skip
def test_a_slip_is_told_in_a_sentence(study: Path, text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        _ = read_study(written(study.parent, text)).trials


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a = ", "cannot be read"),
        ("\0", "cannot be read"),
        ('experiment = "none.py:f"', "there is no experiment '.*none.py'"),
        ("x = " + "[" * 5000, "cannot be read"),
    ],
)
def test_what_cannot_be_read_is_told_in_a_sentence(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(FileFormatError, match=said):
        read_study(written(tmp_path, text))


def test_a_file_of_one_s_own_that_fails_is_told_in_a_sentence(study: Path) -> None:
    study.with_name("own.py").write_text("1 / 0")
    with pytest.raises(InputError, match="ZeroDivisionError"):
        read_study(study)
