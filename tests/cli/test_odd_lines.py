"""Odd command lines: what a user can mend is one sentence and code 2, what is only unusual works, and nothing is a traceback.

The words in braces are put in: `{long}` a name of 300 letters, `{huge}` 10^40, `{here}` the folder's whole path.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cli.odd_lines import UNUSUAL, WRONG
from spikeledger.cli.app import main

PUT_IN = {"long": "n" * 300, "huge": "1" + "0" * 40, "nul": "a\0b"}


def lines(table: str) -> list[str]:
    return [line for line in table.strip().splitlines() if not line.startswith("#")]


@pytest.fixture(scope="module")
def furnished(tmp_path_factory: pytest.TempPathFactory, network_folder: Path, activity_file: Path) -> Path:
    """A folder of good files and bad ones."""
    place = tmp_path_factory.mktemp("odd")
    shutil.copytree(network_folder, place / "net")
    for name in ("good.npz", "a file of mine.npz", "Größe-😀.npz"):
        shutil.copy(activity_file, place / name)
    (place / "a-file").write_text("in the way")
    (place / "a-file.nir").write_text("in the way")
    (place / "broken.nir").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(90))
    (place / "empty.toml").write_text("")
    (place / "empty.npy").write_bytes(b"")
    image = np.ones((2, 1, 8, 8))
    arrays = {
        "good": image.astype("f4"), "flat": np.ones((2, 9), "f4"), "nan": np.full((2, 1, 8, 8), np.nan, "f4"),
        "words": np.array(["a", "b"]), "bytes": image.astype("u1"), "other-order": image.astype(">f8"),
        "rows": np.ones((2, 3), "f4"),
    }  # fmt: skip
    for name, values in arrays.items():
        np.save(place / f"{name}.npy", values)
    (place / "broken.py").write_text("def make(:\n")
    (place / "mine.py").write_text(
        "import sys, torch\ntwo = 2\n"
        "def make():\n    return torch.nn.Linear(3, 2)\nmade = make\n"
        "def leaves():\n    sys.exit(0)\n"
        "def raises():\n    raise KeyError('of mine')\n"
        "def wants(width):\n    return torch.nn.Linear(width, 2)\n"
    )
    (place / "own.py").write_text("def own(work, *, x: float = 0.5):\n    return {'accuracy': x}\n")
    (place / "study.toml").write_text('experiment = "own.py:own"\n[settings]\nx = 0.25\n')
    return place


@pytest.fixture
def place(furnished: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(furnished)
    monkeypatch.delenv("SPIKELEDGER_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(furnished / ".cache"))
    return furnished


def words_of(line: str, place: Path) -> list[str]:
    return [word.format(**PUT_IN, here=place) for word in shlex.split(line)]


def names(place: Path) -> list[str]:
    return sorted(
        path.relative_to(place).as_posix()
        for path in place.rglob("*")
        if not {"__pycache__", ".cache"} & set(path.parts)
    )


@pytest.mark.parametrize("line", lines(WRONG))
def test_what_is_wrong_is_one_sentence(line: str, place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    before = names(place)
    capfd.readouterr()
    code = main(words_of(line, place))
    out, err = capfd.readouterr()
    assert (code, out) == (2, ""), err
    assert err.startswith("spikeledger: ") and err.count("\n") == 1 and len(err) < 2000, err
    assert names(place) == before


@pytest.mark.parametrize("line", lines(UNUSUAL))
def test_what_is_only_unusual_works(line: str, place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    before = names(place)
    code = main(words_of(line, place))
    out, err = capfd.readouterr()
    assert code == 0, err
    assert "Traceback" not in err
    if "--json" in line:
        json.loads(out)
    for name in set(names(place)) - set(before):
        (place / name).unlink() if (place / name).is_file() else None


@pytest.mark.parametrize("again", ["--profile v100 --profile loihi", "--profile=v100 --profile=loihi"])
def test_an_option_given_twice_is_said(again: str, place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["price", "good.npz", "--json", *again.split()]) == 0
    out, err = capfd.readouterr()
    assert (
        json.loads(out)["profile"] == "loihi"
        and err == "note: --profile was given more than once, and the last one counted\n"
    )
    assert (
        main(["price", "good.npz", "--json", "--profile", "loihi", "--leave-out", "spike", "--leave-out", "second"])
        == 0
    )
    assert capfd.readouterr().err == ""


def test_no_command_is_the_help(capfd: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert "Usage" in capfd.readouterr().out


RUN = [sys.executable, "-c", "import sys; from spikeledger.cli.app import main; sys.exit(main())"]


def in_a_process(place: Path, line: str, **options: Any) -> tuple[int, str]:
    """Code and stderr of a command that has a process, and streams, of its own."""
    environment = {**os.environ, **options.pop("env", {})}
    for name in options.pop("without", ()):
        environment.pop(name, None)
    ran = subprocess.run([*RUN, *shlex.split(line)], cwd=place, stderr=subprocess.PIPE, env=environment, **options)
    return ran.returncode, ran.stderr.decode("utf-8", "replace")


@pytest.mark.skipif(os.name != "posix", reason="streams of POSIX")
@pytest.mark.parametrize("case", ["closed", "full", "ascii", "homeless", "narrow"])
def test_streams_and_surroundings(place: Path, case: str) -> None:
    line = "price Größe-😀.npz --profile loihi" if case == "ascii" else "profiles show loihi"
    if case == "closed":
        code, err = in_a_process(place, line, preexec_fn=lambda: os.close(1))
    elif case == "full":
        with Path("/dev/full").open("wb") as full:
            code, err = in_a_process(place, line, stdout=full)
    elif case == "ascii":
        code, err = in_a_process(
            place, line, stdout=subprocess.DEVNULL, env={"PYTHONIOENCODING": "ascii", "LC_ALL": "C"}
        )
    elif case == "homeless":
        code, err = in_a_process(place, line, stdout=subprocess.DEVNULL, without=("HOME", "XDG_CACHE_HOME"))
    else:
        code, err = in_a_process(place, line, stdout=subprocess.DEVNULL, env={"COLUMNS": "1"})
    assert "Traceback" not in err, err
    assert code == (2 if case == "full" else 0), err
