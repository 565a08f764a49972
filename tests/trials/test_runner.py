"""Trials run once, wherever they run; what was finished is never lost, and never another study's."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from spikeledger.errors import FileFormatError, InputError
from spikeledger.trials import News, Stopped, Store, TrialsFailed, open_runner, read_study, run
from trials_of import of

PLACES = [None, "local:2"]


def sums(rows: list[Any]) -> list[tuple[int, int]]:
    return [(row.settings["seed"], row.values["sum"]) for row in rows if row.settings["step"] == 2]


@pytest.mark.parametrize("cluster", PLACES)
def test_the_same_results_wherever_it_runs(study: Path, cluster: str | None) -> None:
    rows = run(study, study.parent / "out", cluster=cluster)
    assert sums(rows) == [(1, 3), (2, 6), (3, 9)] and len(rows) == 9
    assert not list((study.parent / "out" / "running").iterdir())
    again: list[News] = []
    assert [row.values for row in run(study, study.parent / "out", tell=again.append)] == [row.values for row in rows]
    assert not again


def test_other_settings_are_other_trials_and_the_old_ones_stay(study: Path) -> None:
    out = study.parent / "out"
    first = run(study, out)
    other = run(study, out, changes={"width": 5, "step": 0})
    assert [row.values["wide"]["twice"] for row in other] == [10.0] * 3
    assert {row.key for row in first} < set(Store(out).rows)
    more: list[News] = []
    assert len(run(study, out, changes={"width": 5, "step": 0, "seed": [1, 2, 3, 4]}, tell=more.append)) == 4
    assert [news.trial.settings["seed"] for news in more if news.what == "finished"] == [4]


@pytest.mark.parametrize("how", ["sentence", "bug", "nan", "list", "exit", "deep", "half"])
def test_a_trial_that_fails_leaves_the_others(study: Path, how: str) -> None:
    said = {
        "sentence": "bad luck", "bug": "ZeroDivisionError", "nan": "finite", "list": "dictionary",
        "exit": "ended its own process", "deep": "cannot be kept", "half": "second line",
    }[how]  # fmt: skip
    file, out = of(study, "fails", f'seed = [0, 1, 2]\nhow = "{how}"'), study.parent / "out"
    with pytest.raises(TrialsFailed, match=f"1 of 3 trials.*{said}"):
        run(file, out)
    assert sorted(row.values["seed"] for row in Store(out).rows.values()) == [0, 2]
    (why,) = Store(out).failures().values()
    assert said in why
    begun: list[News] = []
    with pytest.raises(TrialsFailed):
        run(file, out, tell=begun.append)
    assert [news.trial.settings["seed"] for news in begun if news.what == "began"] == [1]


def test_a_process_that_dies_takes_its_trial_alone(study: Path) -> None:
    heard: list[News] = []
    with pytest.raises(TrialsFailed, match="its process died, 3 times"):
        run(of(study, "fails", 'seed = [0, 1, 2, 3]\nhow = "kill"'), study.parent / "out", cluster="local:2",
            tell=heard.append)  # fmt: skip
    assert [news.what for news in heard].count("again") == 2
    assert sorted(row.values["seed"] for row in Store(study.parent / "out").rows.values()) == [0, 2, 3]


def test_a_long_trial_goes_on_from_its_own_folder(study: Path) -> None:
    (row,) = run(of(study, "resumes", "seed = 0"), study.parent / "out", cluster="local:1")
    assert row.values["steps"] == 3
    assert not list((study.parent / "out" / "running").iterdir())


def test_trials_get_the_threads_that_were_asked_for(study: Path) -> None:
    import torch

    before, file = torch.get_num_threads(), of(study, "threads", "seed = 0")
    for n, cluster in enumerate(PLACES):
        assert run(file, study.parent / f"out{n}", cluster=cluster, threads=3)[0].values == {"threads": 3}
    assert torch.get_num_threads() == before
    with pytest.raises(InputError, match="at least 1"):
        run(file, study.parent / "out", threads=0)


def test_two_drivers_on_one_folder_get_a_sentence(study: Path) -> None:
    with open_runner(study.parent / "out"):
        with pytest.raises(InputError, match=f"another run is at work.*process {os.getpid()}"):
            run(study, study.parent / "out")
        assert Store(study.parent / "out", make=False).rows == {}  # to look is free
    assert len(run(study, study.parent / "out")) == 9


def test_a_row_cut_at_any_byte_is_run_again(study: Path) -> None:
    out = study.parent / "out"
    rows = run(study, out, changes={"step": 0, "seed": 3})
    file = out / "trials" / f"{rows[0].key}.json"
    whole = file.read_bytes()
    for length in range(len(whole) - 1):
        file.write_bytes(whole[:length])
        store = Store(out)
        assert not store.rows and store.set_aside == [file.name], length
    file.write_bytes(whole[: len(whole) // 2])
    assert [row.values for row in run(study, out, changes={"step": 0, "seed": 3})] == [rows[0].values]
    assert (out / "failed" / f"{file.name}.cut").read_bytes() == whole[: len(whole) // 2]
    assert Store(out).set_aside == []


def test_a_row_of_another_name_or_with_other_settings_is_not_believed(study: Path) -> None:
    out = study.parent / "out"
    (row,) = run(study, out, changes={"step": 0, "seed": 3})
    file = out / "trials" / f"{row.key}.json"
    told = json.loads(file.read_text())
    told["identity"]["settings"]["seed"] = 4
    file.write_text(json.dumps(told))
    shutil.copy(file, file.with_name("0" * 20 + ".json"))
    assert Store(out).rows == {} and len(Store(out).set_aside) == 2


def test_a_kept_file_that_was_changed_is_not_begun_with(study: Path) -> None:
    out = study.parent / "out"
    run(study, out, changes={"step": 0})
    key = next(iter(Store(out).rows))
    Store(out).path(key, "sum/n.txt").write_text("1000")
    with pytest.raises(FileFormatError, match="remove"):
        run(study, out, changes={"step": 1})


def test_ctrl_c_finishes_what_runs_and_a_second_drops_it(study: Path) -> None:
    study.with_name("slow.py").write_text(
        "import os, signal, time\n"
        "def slow(work, *, seed: int = 0, twice: bool = False):\n"
        "    for _ in range(1 + twice):\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "        time.sleep(0.01)\n"
        "    return {'seed': seed}\n"
        "def swallows(work, *, seed: int = 0, twice: bool = False):\n"
        "    try:\n"
        "        return slow(work, seed=seed, twice=twice)\n"
        "    except KeyboardInterrupt:\n"
        "        return {'seed': -1}\n"
    )
    for n, (function, twice, drop, kept) in enumerate(
        [("slow", False, False, [0]), ("slow", True, False, []), ("slow", False, True, []),
         ("swallows", False, False, [0]), ("swallows", True, False, []), ("swallows", False, True, [])]
    ):  # fmt: skip
        file, out = study.with_name("slow.toml"), study.parent / f"out{n}"
        file.write_text(f'experiment = "slow.py:{function}"\n[settings]\nseed = [0, 1]\ntwice = {str(twice).lower()}\n')
        with pytest.raises(Stopped):
            run(file, out, drop=drop)
        assert [row.values["seed"] for row in Store(out).rows.values()] == kept
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_workers_go_when_their_driver_is_killed(study: Path) -> None:
    study.with_name("sleeps.py").write_text(
        "import os, time\n"
        "def sleeps(work, *, seed: int = 0, place: str = ''):\n"
        "    open(f'{place}/{os.getpid()}', 'w').close()\n"
        "    time.sleep(60)\n"
        "    return {}\n"
    )
    pids = study.parent / "pids"
    pids.mkdir()
    file = study.with_name("sleeps.toml")
    file.write_text(f'experiment = "sleeps.py:sleeps"\n[settings]\nseed = [0, 1]\nplace = "{pids}"\n')
    asked = f"{str(file)!r}, {str(study.parent / 'out')!r}, cluster='local:2'"
    code = f"from spikeledger.trials import run\nif __name__ == '__main__':\n    run({asked})"
    driver = subprocess.Popen([sys.executable, "-c", code])
    until(lambda: len(list(pids.iterdir())) == 2)
    driver.kill()
    driver.wait()
    until(lambda: not any(alive(int(path.name)) for path in pids.iterdir()))
    assert Store(study.parent / "out").rows == {}
    with open_runner(study.parent / "out"):  # its lock went with it
        pass


def test_a_full_disk_is_told_and_nothing_is_half_written(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from spikeledger import writing

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    out = study.parent / "out"
    run(study, out, changes={"seed": 1})
    with monkeypatch.context() as patch:
        patch.setattr(writing.os, "fsync", full)
        with pytest.raises(InputError, match="No space left"):
            run(study, out)
    assert len(Store(out).rows) == 3 and Store(out).set_aside == []
    assert sums(run(study, out)) == [(1, 3), (2, 6), (3, 9)]


def test_a_study_of_more_trials_than_can_be_run_is_told(study: Path) -> None:
    many = list(range(1, 1001))
    with pytest.raises(InputError, match="give 1,000,000 trials, and a study has at most 100,000"):
        run(study, study.parent / "out", changes={"seed": many, "width": many})
    with pytest.raises(InputError, match="at most 1,024"):
        run(study, study.parent / "out", threads=10**12)


def test_a_file_that_ends_the_process_is_told(study: Path) -> None:
    study.with_name("own.py").write_text("import sys\nsys.exit(3)\n")
    with pytest.raises(InputError, match="could not be run: SystemExit"):
        read_study(study)


def test_a_place_that_there_is_none_of(study: Path) -> None:
    for cluster in ("local:0", "local:x", "local:1000000", "host"):
        with pytest.raises(InputError, match="local:"):
            run(study, study.parent / "out", cluster=cluster)


def until(true: Any, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(") ")[1][0] != "Z"
    except OSError:
        return False


def test_the_study_is_read_with_its_changes(study: Path) -> None:
    assert len(read_study(study, {"seed": [5]}).trials) == 3
    with pytest.raises(InputError, match="did you mean 'seed'"):
        read_study(study, {"sed": [5]})
