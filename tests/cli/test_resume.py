"""A kill loses no finished epoch: `train` and `compare` go on with `--resume`, and never mix old results and new ones."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from spikeledger.cli import folders
from spikeledger.cli.app import main
from spikeledger.cli.folders import UNFINISHED
from spikeledger.errors import InputError
from spikeledger.training.checkpoints import load_checkpoint

TRAIN = ["train", "--epochs", "6", "--timesteps", "2", "--seed", "3", "--prune", "0.4"]
COMPARE = ["compare", "--timesteps", "2", "--epochs", "2", "--samples", "30", "--profiles", "loihi"]


def killed(arguments: list[str], word: str, stop: signal.Signals = signal.SIGKILL) -> None:
    """Run the command in a process of its own and stop it at the first line on stderr that holds a word."""
    process = subprocess.Popen([sys.executable, "-m", "spikeledger", *arguments], stderr=subprocess.PIPE, text=True,
                               stdout=subprocess.DEVNULL)  # fmt: skip
    assert process.stderr is not None
    seen = any(word in line for line in process.stderr if not process.poll())
    process.send_signal(stop)
    process.communicate(timeout=60)
    assert seen and process.returncode != 0


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_a_killed_training_goes_on_to_the_same_network(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main([*TRAIN, "--out", str(tmp_path / "whole")]) == 0
    out = tmp_path / "killed"
    killed([*TRAIN, "--out", str(out)], "epoch 3", signal.SIGTERM)
    assert load_checkpoint(out / UNFINISHED / "run").epoch >= 3
    capfd.readouterr()
    assert main([*TRAIN, "--out", str(out)]) == 2
    assert "--resume" in capfd.readouterr().err
    assert main([*TRAIN[:-2], "--out", str(out), "--resume"]) == 2
    assert "--prune 0.4, not None" in capfd.readouterr().err
    assert main([*TRAIN, "--out", str(out), "--resume"]) == 0
    err = capfd.readouterr().err
    assert "epoch 1," not in err and "epoch 3," not in err and "epoch 6," in err
    assert contents(out) == contents(tmp_path / "whole")  # and nothing unfinished is left


def test_resume_starts_where_there_is_none(tmp_path: Path) -> None:
    arguments = ["train", "--epochs", "1", "--timesteps", "1", "--out", str(tmp_path / "a"), "--resume"]
    assert main(arguments) == 0
    first = contents(tmp_path / "a")
    assert main(arguments) == 0
    assert contents(tmp_path / "a") == first


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_a_killed_comparison_leaves_the_old_one_whole(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "c"
    assert main([*COMPARE, "--out", str(out)]) == 0
    old = contents(out)
    killed([*COMPARE, "--seed", "1", "--out", str(out)], "training the SNN")
    now = contents(out)
    assert {name: now[name] for name in old} == old
    assert {name.split("/")[0] for name in now.keys() - old.keys()} == {UNFINISHED}
    assert main([*COMPARE, "--seed", "1", "--out", str(out), "--resume"]) == 0
    assert main([*COMPARE, "--seed", "1", "--out", str(tmp_path / "fresh")]) == 0
    told = [json.loads((folder / "comparison.json").read_text()) for folder in (out, tmp_path / "fresh")]
    assert told[0] == told[1]
    new = contents(out)
    assert new.keys() == contents(tmp_path / "fresh").keys()
    assert new["ann/network.toml"] != old["ann/network.toml"]


def test_two_runs_in_one_folder_are_kept_apart(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with folders.unfinished(tmp_path, {"seed": 4}, resume=False) as work:
        assert main(["train", "--epochs", "1", "--timesteps", "1", "--out", str(tmp_path), "--resume"]) == 2
        assert "another run is at work" in capfd.readouterr().err
    assert not work.exists()


def test_what_fails_before_an_epoch_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(InputError), folders.unfinished(tmp_path, {"seed": 4}, resume=False):
        raise InputError("no such thing")
    assert list(tmp_path.iterdir()) == []
