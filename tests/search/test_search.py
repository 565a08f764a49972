"""A search proposes the same points however often it is killed, keeps what it was told, and says what is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spikeledger.errors import InputError
from spikeledger.search.findings import findings
from spikeledger.search.plan import read_search
from spikeledger.search.proposing import Memory, Told, propose
from spikeledger.search.running import Search, read_search_folder, run_search
from spikeledger.trials import News, Stopped, Store, TrialsFailed

optuna = pytest.importorskip("optuna")


def keys(search: Search) -> list[tuple[str, str | None]]:
    return [(each.arm, each.row.key if each.row is not None else None) for each in search.tried]


def change(file: Path, before: str, after: str) -> Path:
    text = file.read_text()
    assert before in text
    file.write_text(text.replace(before, after))
    return file


class Killed(Exception):
    pass


@pytest.mark.parametrize("sampler", ["nsga2", "nsga3", "tpe", "random"])
def test_killed_again_and_again_it_ends_alike(search: Path, sampler: str) -> None:
    """Here a kill is an exception after some trials; `benchmarks/kills.py` kills processes."""
    change(search, "trials = 32\nround = 8", "trials = 12\nround = 4")
    change(search, 'sampler = "nsga2"', f'sampler = "{sampler}"')
    whole = run_search(search, search.parent / "whole", threads=None)
    finished: list[str] = []

    def tell(news: News) -> None:
        if news.what == "finished":
            finished.append(news.trial.key)
            if len(finished) % 5 == 0:
                raise Killed

    for _ in range(40):
        try:
            again = run_search(search, search.parent / "killed", threads=None, tell=tell)
            break
        except Killed:
            continue
    assert keys(again) == keys(whole)
    assert len(finished) == len(set(finished)) >= 12
    assert len(whole.tried) == (12 if sampler == "random" else 24)
    assert {key: [row.key for row in rows] for key, rows in again.seeds.items()} == {
        key: [row.key for row in rows] for key, rows in whole.seeds.items()
    }


def test_processes_propose_the_same(search: Path) -> None:
    here = run_search(search, search.parent / "here", changes={"trials": 16}, threads=None)
    there = run_search(search, search.parent / "there", changes={"trials": 16}, threads=None, cluster="local:2")
    assert keys(here) == keys(there)


def test_the_sampler_finds_what_the_formula_hides(search: Path) -> None:
    """The front is y = 0.5, kind a and width 4, and TPE gets nearer to it than random search does."""
    found = findings(run_search(search, search.parent / "out", changes={"trials": 64, "sampler": "tpe"}, threads=None))
    ends = {each.arm: each.volumes[-1] for each in found.courses}
    assert ends["tpe"] > ends["random"] > 0
    assert all(each.volumes == tuple(sorted(each.volumes)) for each in found.courses)
    distance = [abs(point.tried.chosen["y"] - 0.5) for point in found.front]
    assert np.mean(distance) < 0.2  # 0.25 by chance
    assert np.mean([point.tried.chosen["kind"] == "a" for point in found.front]) > 0.75
    assert all(point.seeds == 2 and point.deviations["accuracy"] > 0 for point in found.front)
    about = {each.objective: next(iter(each.shares)) for each in found.influences}
    assert about == {"accuracy": "x", "joules.loihi": "width"}


def test_a_budget_can_grow_and_what_was_tried_stays(search: Path) -> None:
    few = run_search(search, search.parent / "out", changes={"trials": 16}, threads=None)
    heard: list[News] = []
    more = run_search(search, search.parent / "out", changes={"trials": 32}, threads=None, tell=heard.append)
    tried = [each for each in more.tried if each.arm == "nsga2"]
    assert keys(few)[:16] == [(each.arm, each.row.key) for each in tried[:16] if each.row is not None]
    other = run_search(search, search.parent / "out", changes={"trials": 16, "sleep": 0.001}, threads=None)
    assert not {key for _, key in keys(other)} & {key for _, key in keys(more)}


def test_rungs_stop_the_worse_part_and_go_on_with_the_better(search: Path) -> None:
    rungs = "[{ epochs = 1 }, { epochs = 2 }, { epochs = 6 }]"
    change(search, "trials = 32", f"trials = 16\nrungs = {rungs}\nkeep = 0.5\nrandom = false")
    found = run_search(search, search.parent / "out", threads=None)
    reached = [len(each.rows) for each in found.tried]
    assert [reached.count(rung) for rung in (1, 2, 3)] == [8, 4, 4]
    for each in found.tried:
        assert [row.values["epochs"] for row in each.rows] == [1, 3, 9][: len(each.rows)]
        assert each.stopped == (len(each.rows) < 3)
        assert [row.identity["start"] for row in each.rows] == [None, *(row.key for row in each.rows[:-1])]
    assert len(found.complete) == sum(reached)  # one that was stopped gave results too
    for point in findings(found).front:
        assert point.seeds == 2 and point.row is point.tried.rows[point.rung]
        other = found.seeds[point.row.key][0]
        assert other.values["epochs"] == point.row.values["epochs"] and other.settings["seed"] == 1


def test_points_to_begin_with_are_the_first_ones(search: Path) -> None:
    begin = '[{ x = 0.25, kind = "a" }, { y = 0.5 }, { y = 0.75 }, { y = 0.125 }, { y = 0.375 }]'
    change(search, "trials = 32\nround = 8", f"trials = 8\nround = 4\nbegin = {begin}")
    found = run_search(search, search.parent / "out", threads=None)
    first, second, *_, fifth = (each.chosen for each in found.tried[:5])  # the fifth is in the second round
    assert (first["x"], first["kind"], second["y"], fifth["y"]) == (0.25, "a", 0.5, 0.375)


def test_points_that_fail_are_counted_and_the_search_goes_on(search: Path) -> None:
    change(search, 'kind = ["a", "b"]', 'kind = ["a", "bad"]')
    found = run_search(search, search.parent / "out", threads=None)
    failed = [each for each in found.tried if each.row is None]
    assert failed and len(failed) < len(found.tried) and all(each.chosen["kind"] == "bad" for each in failed)
    change(search, 'kind = ["a", "bad"]', 'kind = ["bad"]')
    with pytest.raises(TrialsFailed, match="this kind does not work"):
        run_search(search, search.parent / "out", threads=None)


def test_a_constraint_is_met_or_the_nearest_miss_is_told(search: Path) -> None:
    change(search, "trials = 32", 'trials = 16\nconstraints = ["joules.loihi <= 8e-6"]')
    found = findings(run_search(search, search.parent / "out", threads=None))
    assert found.points and all(point.row.values["joules"]["loihi"] <= 8e-6 for point in found.points)
    change(search, "8e-6", "1e-12")
    with pytest.raises(
        InputError, match=r"none of 32 points meets the constraint 'joules\.loihi <= 1e-12'; the nearest"
    ):
        run_search(search, search.parent / "out", threads=None)


@pytest.mark.parametrize(
    ("result", "said"),
    [
        ('{"accuracy": "high", "joules": {"loihi": 1.0}}', "accuracy is 'high', but an objective"),
        ('{"accuracy": None, "joules": {"loihi": 1.0}}', "accuracy is None"),
        ('{"accuracy": 10**310, "joules": {"loihi": 1.0}}', "a number of 311 digits"),
        ('{"accuracy": 0.5, "joules": {"loihi": -1e-9}}', "maximise its opposite"),
        ('{"accuracy": 0.5}', "unknown result"),
        ('{"accuracy": float("nan"), "joules": {"loihi": 1.0}}', "finite"),
    ],
)
def test_a_result_that_cannot_be_an_objective_is_told(search: Path, result: str, said: str) -> None:
    file = search.parent / "own.py"
    file.write_text(file.read_text()[: file.read_text().index('    return {"accuracy"')] + f"    return {result}\n")
    with pytest.raises((InputError, TrialsFailed), match=said):
        run_search(search, search.parent / "out", changes={"trials": 8}, threads=None)
    assert len(Store(search.parent / "out").rows) <= 1  # the first one told it


def test_a_small_space_is_searched_to_its_end(search: Path) -> None:
    change(search, "x = { low = 0.0, high = 1.0 }\ny = { low = 0.0, high = 1.0 }", "x = [0.1, 0.9]")
    change(search, "width = { low = 4, high = 64, log = true }", "width = [4, 8]")
    found = run_search(search, search.parent / "out", threads=None)
    assert [each.arm for each in found.tried].count("random") == 8  # there are 8 points


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("[space]", "[spce]", "did you mean 'space'"),
        ("width = {", "wdth = {", "did you mean 'width'"),
        ("low = 4, high = 64", "low = 64, high = 4", "low must be below high"),
        ("low = 4, high = 64", "low = 0, high = 64", "above 0 with log"),
        ("low = 4, high = 64", "low = 4.5, high = 64", "must be numbers like 4"),
        ('kind = ["a", "b"]', "kind = []", "empty list"),
        ('kind = ["a", "b"]', "kind = [1]", "must be like 'a'"),
        ('kind = ["a", "b"]', "kind = 3", "must be a list of values or"),
        ('["accuracy"]', '["acuracy"]', "did you mean 'accuracy'"),
        ("trials = 32", "trails = 32", "did you mean 'trials'"),
        ("trials = 32", "trials = 0", "needs a budget"),
        ('sampler = "nsga2"', 'sampler = "nsga"', "did you mean 'nsga"),
        ("trials = 32", 'trials = 32\nconstraints = ["joules < 1"]', "cannot be read"),
        ("trials = 32", 'trials = 32\nconstraints = ["juules.loihi <= 1"]', "did you mean 'joules.loihi'"),
        ("trials = 32", "trials = 32\nrungs = [3, 1]", "must be a list of tables"),
        ("trials = 32", "trials = 32\nrungs = [{ x = 0.5 }]", "both in"),
        ("trials = 32", "trials = 32\nrungs = [{ epoch = 5 }]", "did you mean 'epochs'"),
        ("trials = 32", "trials = 32\nbegin = [{ x = 1.5 }]", "but \\[space\\] has"),
        ("trials = 32", 'trials = 32\nbegin = [{ kind = "c" }]', "but \\[space\\] has"),
        ("trials = 32", "trials = 32\nbegin = [3]", "list of tables"),
        ("trials = 32", "trials = 32\nminutes = nan", "finite"),
        ("trials = 32", "trials = 32\nseed = -1", "at least 0"),
        ("trials = 32", "trials = 32\nconstraints = [3]", "list of texts"),
        ('["accuracy"]', '["joules.loihi"]', "twice"),
        ("sleep = 0.0", "x = 0.5", "both in"),
        ("round = 8", "round = 1", "must be 2 to 1,000"),
        (
            '"joules.loihi"]\nsampler = "nsga2"',
            '"joules.loihi", "epochs", "width"]\nsampler = "gp"',
            "at most 3, or take tpe",
        ),
        ("confirm = 2", "confirm = 100000000", "confirm must be 0 to"),
        ("low = 4, high = 64, log = true", 'low = 4, high = 64, log = "yes"', "must be true or false"),
        ("x = { low = 0.0, high = 1.0 }", "x = { low = -1e308, high = 1e308 }", "farther than numbers reach"),
        ('maximise = ["accuracy"]\nminimise = ["joules.loihi"]', "", "no objective"),
    ],
)
def test_a_slip_is_told_in_a_sentence(search: Path, before: str, after: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        run_search(change(search, before, after), search.parent / "out", threads=None)


def test_an_empty_space_is_told_in_a_sentence(search: Path) -> None:
    text = search.read_text()
    search.write_text(text[: text.index("[space]")] + text[text.index("[search]") :])
    with pytest.raises(InputError, match="is empty"):
        read_search(search)


def test_every_search_of_the_house_can_be_read() -> None:
    files = sorted((Path(__file__).parents[2] / "studies").glob("search*.toml"))
    assert len(files) >= 2
    for file in files:
        assert read_search(file).space, file


def test_a_search_that_is_stopped_can_be_shown(search: Path) -> None:
    out = search.parent / "out"
    with pytest.raises(InputError, match="is no study's folder"):
        read_search_folder(out)
    finished: list[News] = []

    def tell(news: News) -> None:
        finished.extend([news] if news.what == "finished" else [])
        if news.what == "finished" and len(finished) in (7, 36):
            raise Stopped

    for rounds, said in ((0, "no readable search.json yet, and 7 finished trials"), (1, "")):
        with pytest.raises(Stopped):
            run_search(search, out, threads=None, tell=tell)
        if said:
            with pytest.raises(InputError, match=said):
                read_search_folder(out)
        else:
            assert len(read_search_folder(out).tried) >= 16 * rounds


def test_optuna_opens_what_is_exported(search: Path, tmp_path: Path) -> None:
    from optuna.storages.journal import JournalFileBackend

    from spikeledger.search.exports import write_optuna

    found = run_search(search, search.parent / "out", threads=None)
    path = write_optuna(found, tmp_path / "study.log")
    with pytest.raises(InputError, match="there already"):
        write_optuna(found, path)
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        study = optuna.load_study(
            study_name="a formula", storage=optuna.storages.JournalStorage(JournalFileBackend(str(path)))
        )
    assert len(study.trials) == len(found.tried) and study.metric_names == ["accuracy", "joules.loihi"]
    ours = {tuple(row.single[name] for name in found.aims.objectives) for _, row in found.feasible}
    assert {tuple(trial.values) for trial in study.best_trials} <= ours


def test_the_folder_tells_the_whole_search_again(search: Path) -> None:
    ran = run_search(search, search.parent / "out", changes={"trials": 10}, threads=None)
    read = read_search_folder(search.parent / "out")
    assert json.dumps(findings(read).to_dict()) == json.dumps(findings(ran).to_dict())
    assert keys(read) == keys(ran)


def test_a_search_without_optuna_is_told_in_a_sentence(search: Path, monkeypatch: Any) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(InputError, match=r"spikeledger\[search\]"):
        run_search(search, search.parent / "out", threads=None)


def test_a_gaussian_process_is_told_of_the_best_and_of_the_latest(search: Path) -> None:
    memory = Memory(read_search(search, {"sampler": "gp"}), "gp")
    for first in range(0, 80, 8):
        memory.add([Told({"x": n / 80}, (n / 80, 1 - n / 80), ()) for n in range(first, first + 8)])
    assert len(memory.told) == 32 + 8 and [each.chosen["x"] for each in memory.told[-8:]] == [
        n / 80 for n in range(72, 80)
    ]


@pytest.mark.parametrize("sampler", ["nsga2", "nsga3", "tpe", pytest.param("gp", marks=pytest.mark.slow)])
def test_a_sampler_proposes_what_is_like_the_best(search: Path, sampler: str) -> None:
    """Told that kind a around x = 0.5 is better than all else, it proposes that more often than chance does."""
    plan = read_search(search, {"sampler": sampler, "round": 8})
    memory, draw = Memory(plan, sampler), np.random.default_rng(0)
    told = []
    for n in range(24):
        x, y, kind, width = float(draw.random()), float(draw.random()), "ab"[n % 2], int(draw.integers(4, 65))
        worse = float(kind == "b")
        told.append(
            Told({"x": x, "y": y, "kind": kind, "width": width}, (abs(x - 0.5) + worse, abs(y - 0.5) + worse), ())
        )
    memory.add(told)
    rounds = 2 if sampler == "gp" else 6  # its questions are dear
    found = [each for number in range(1, rounds) for each in propose(plan, sampler, number, memory, set())]
    assert np.mean([each["kind"] == "a" for each in found]) > 0.65
    assert np.mean([abs(each["x"] - 0.5) + abs(each["y"] - 0.5) for each in found]) < 0.43  # 0.5 by chance
