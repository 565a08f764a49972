"""A search's folder in any state that a kill, a disk or a hand can leave it in: it recovers, or one sentence says what to do."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from spikeledger.errors import FileFormatError, InputError
from spikeledger.search.exports import check_exports
from spikeledger.search.findings import copy_front, findings
from spikeledger.search.running import Search, read_search_folder, run_search
from spikeledger.trials import Store

pytest.importorskip("optuna")


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Search:
    """A small search that ended: four points here, four at random, two rounds each."""
    from search.conftest import FORMULA

    place = tmp_path_factory.mktemp("searches")
    (place / "own.py").write_text(FORMULA)
    (place / "f.toml").write_text(
        'experiment = "own.py:formula"\n[space]\nx = { low = 0.0, high = 1.0 }\nkind = ["a", "b"]\n[search]\n'
        'maximise = ["accuracy"]\nminimise = ["joules.loihi"]\ntrials = 4\nround = 2\nconfirm = 0\n'
    )
    return run_search(place / "f.toml", place / "whole", threads=None)


def again(ran: Search, folder: Path) -> Search:
    return run_search(ran.store.folder.parent / "f.toml", folder, threads=None)


def told(search: Search) -> Any:
    return [(each.arm, each.chosen, [row.values for row in each.rows]) for each in search.tried]


def copied(ran: Search, tmp_path: Path) -> Path:
    return Path(shutil.copytree(ran.store.folder, tmp_path / "copy"))


@pytest.mark.parametrize("cuts", [8, pytest.param(0, marks=pytest.mark.slow, id="every byte")])
def test_cut_at_any_byte_it_goes_on_to_the_same_end(ran: Search, tmp_path: Path, cuts: int) -> None:
    """Rows, rounds and notes; of what its trials kept a checksum is known, and `Store.kept` refuses what was cut."""
    folder = copied(ran, tmp_path)
    for pattern in ("trials/*.json", "rounds/*/*.json", "search.json", "id"):
        file = sorted(folder.glob(pattern))[-1]
        whole = file.read_bytes()
        for length in (*range(0, len(whole), len(whole) // cuts if cuts else 1), len(whole) - 1):
            file.write_bytes(whole[:length])
            assert told(again(ran, folder)) == told(ran), (pattern, length)
            assert file.exists() and told(read_search_folder(folder)) == told(ran)
            file.write_bytes(whole)


def first(folder: Path) -> Path:
    return sorted(folder.iterdir())[0]


def to_folder(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.mkdir()


def to_file(path: Path) -> None:
    shutil.rmtree(path, ignore_errors=True)
    path.write_text("x")


def rounds(folder: Path) -> Path:
    return first(first(folder / "rounds"))


def rewritten(path: Path, before: str, after: str) -> None:
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))


@pytest.mark.parametrize(
    "harm",
    [
        lambda d: rounds(d).write_text('{"points": [1, 2]}'),
        lambda d: rounds(d).write_text('{"points": [{"x": 7.0, "kind": "a"}]}'),
        lambda d: rounds(d).write_text('{"points": [{"x": 0.5}]}'),
        lambda d: rounds(d).write_text('{"points": [{"x": 0.5, "kind": "a", "z": 1}]}'),
        lambda d: (d / "search.json").write_text("[" * 100_000),
        lambda d: (first(d / "trials").unlink(), os.mkfifo(d / "trials" / "0.json")),
        lambda d: (d / "trials" / "loop.json").symlink_to("loop.json"),
        lambda d: (d / "failed" / "x.json").mkdir(),
        lambda d: shutil.rmtree(d / "running"),
    ],
)
def test_it_goes_on_to_the_same_end(ran: Search, tmp_path: Path, harm: Callable[[Path], object]) -> None:
    folder = copied(ran, tmp_path)
    harm(folder)
    assert told(again(ran, folder)) == told(ran)


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda d: to_file(d / "rounds"), "cannot write to"),
        (lambda d: to_file(d / "trials"), "cannot write to"),
        (lambda d: to_folder(d / ".lock"), "cannot write to"),
        (lambda d: to_folder(d / "id"), "is no file"),
        (lambda d: to_folder(d / "driver.json"), "is no file"),
        (lambda d: (d / "id").write_bytes(b"\xff"), "cannot be read"),
        (lambda d: to_folder(d / "search.json"), "is no file"),
    ],
)
def test_what_cannot_be_gone_on_with_is_told(
    ran: Search, tmp_path: Path, harm: Callable[[Path], object], said: str
) -> None:
    folder = copied(ran, tmp_path)
    harm(folder)
    with pytest.raises((InputError, FileFormatError), match=said):
        again(ran, folder)


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda d: rewritten(d / "search.json", '"chosen": {', '"chosen": [], "other": {'), "no readable search.json"),
        (lambda d: rewritten(d / "search.json", "accuracy", "acuracy"), "did you mean 'accuracy'"),
        (lambda d: (d / "search.json").write_text("[]"), "it goes on"),
        (lambda d: (shutil.rmtree(d / "rounds"), (d / "search.json").unlink()), "holds no search"),
        (lambda d: to_file(d / "front"), "cannot write to"),
        (lambda d: shutil.rmtree(first(d / "files")), "remove"),
        (lambda d: first(first(d / "files")).write_text("changed"), "remove"),
    ],
)
def test_what_cannot_be_shown_is_told(ran: Search, tmp_path: Path, harm: Callable[[Path], object], said: str) -> None:
    folder = copied(ran, tmp_path)
    harm(folder)
    with pytest.raises((InputError, FileFormatError), match=said):
        for _ in findings(read_search_folder(folder)).points:  # the first key may be no point of the front
            copy_front(findings(read_search_folder(folder)))
            for key in Store(folder).rows:
                Store(folder).kept(key)


def test_where_a_search_is_exported_to_is_seen_to_before_it_runs(tmp_path: Path) -> None:
    (tmp_path / "there").write_text("x")
    for storage, board, said in (
        (tmp_path / "there", None, "there already"),
        (tmp_path / "no" / "study.log", None, "make it first"),
        (None, tmp_path / "there", "needs a folder"),
    ):
        if board is not None:
            pytest.importorskip("tensorboard")
        with pytest.raises(InputError, match=said):
            check_exports(storage, board)
    check_exports(None, None)
